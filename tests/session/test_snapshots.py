"""The program's state is kept: after a crash, an interrupt, for ``%undo`` and under names."""

from __future__ import annotations

import gc
import os
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from farside.errors import Crashed, FarSideError, FarSideLost, Interrupted, OptionError
from farside.recovery.sentences import CAUGHT_UP, STARTED_AGAIN
from farside.remote.snapshot import Snapshot
from farside.session import Session

from .conftest import NewSession, end_between_cells, end_snapshot, run_all, shown
from .test_processes import alive, descendants, wait_gone

AS_BEFORE = "the program's state is as it was before the cell"


def crash(session: Session, code: str = "") -> tuple[str, ...]:
    """Run a cell that ends in a crash; return how the session recovered."""
    with pytest.raises(FarSideError) as caught:
        session.run(f"{code} __builtin_trap();")
    return caught.value.recovery


def test_heap_statics_and_thread_locals(session: Session) -> None:
    session.run("#include <string>\n#include <map>\n#include <vector>")
    session.run("std::map<int, std::string> m; thread_local int t = 1; int *p = new int(5);")
    session.run("std::vector<int> v; int next() { static int n = 0; return ++n; }")
    session.run("m[1] = std::string(100, 'x'); t = 2; *p = 6; v.assign(1000, 3); next();")
    assert crash(session, "m.clear(); t = 9; delete p; v.clear(); next();") == (AS_BEFORE,)
    code = "(int)m[1].size() + t * 1000 + *p * 10000 + (int)v.size() * 100 + next() * 1000000"
    assert shown(session.run(code)) == str(100 + 2000 + 60000 + 100000 + 2000000)


def test_open_files_with_their_offsets(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_text("".join(f"{n}\n" for n in range(10_000)))
    session.run("#include <fstream>\n#include <string>\n#include <fcntl.h>\n#include <unistd.h>")
    session.run(f'std::ifstream in("{path}"); std::string line; int fd = open("{path}", O_RDONLY);')
    session.run("std::getline(in, line); lseek(fd, 10, SEEK_SET);")
    crash(session, "while (std::getline(in, line)) {} close(fd);")
    assert shown(session.run("std::getline(in, line); std::stoi(line)")) == "1"
    assert shown(session.run("(int)lseek(fd, 0, SEEK_CUR)")) == "10"


def test_directory_mask_handlers_and_limits(session: Session, tmp_path: Path) -> None:
    session.run(
        "#include <csignal>\n#include <sys/resource.h>\n#include <sys/stat.h>\n"
        "#include <unistd.h>\n"
        "volatile int got = 0; void take(int) { got = got + 1; }"
    )
    session.run(f'(void)!chdir("{tmp_path}"); umask(027); std::signal(SIGUSR1, take);')
    crash(
        session,
        '(void)!chdir("/"); umask(0); std::signal(SIGUSR1, SIG_DFL);'
        "{ rlimit none{0, 0}; setrlimit(RLIMIT_NOFILE, &none); }",
    )
    session.run("raise(SIGUSR1); char where[4096]; (void)!getcwd(where, sizeof where);")
    assert shown(session.run("(int)umask(0) * 10 + got")) == str(0o27 * 10 + 1)
    assert f'"{tmp_path}"' in str(session.run("(const char *)where").value)


def test_code_and_data_of_later_cells_fit_into_the_old_pages(session: Session) -> None:
    # Arenas grow by chunks; those that a crashed cell brought must be mapped again for the next.
    session.run("int x = 1;")
    for n in range(4):
        crash(session, f"static int big_{n}[2000] = {{1, 2, 3}}; x = big_{n}[1];")
        big = f"int kept_{n}[5000] = {{{n}, 7}}; int zeros_{n}[3000]; "
        use = f"int sum_{n}() {{ int s = 0; for (int z : zeros_{n}) s += z; return s; }}"
        assert shown(run_all(session, big + use, f"kept_{n}[1] + sum_{n}() + x")) == "8"
    total = " + ".join(f"kept_{n}[0]" for n in range(4))
    assert shown(session.run(total)) == "6"


def test_nothing_is_printed_twice(session: Session) -> None:
    session.run("#include <cstdio>\n#include <iostream>")
    assert session.run('printf("a"); std::cout << "b";').stdout in ("ab", "ba")
    with pytest.raises(Crashed) as caught:
        session.run('printf("c\\n"); fflush(stdout); printf("d"); __builtin_trap();')
    assert caught.value.stdout == "c\n"
    assert session.run('printf("e");').stdout == "e"


def test_the_program_does_not_see_its_snapshots(session: Session) -> None:
    session.run("#include <cerrno>\n#include <csignal>\n#include <sys/wait.h>\n#include <unistd.h>")
    session.run("volatile int ended = 0; void count(int) { ended = ended + 1; }")
    session.run("std::signal(SIGCHLD, count); int parent = getppid(); int self = getpid();")
    assert shown(session.run("wait(nullptr) == -1 && errno == ECHILD")) == "true"
    assert shown(session.run("ended")) == "0"
    crash(session)
    assert shown(session.run("(int)wait(nullptr) + ended")) == "-1"
    assert shown(session.run("(getppid() == parent) * 10 + (getpid() != self)")) == "11"


def test_idle_death_loses_nothing(session: Session) -> None:
    session.run("int x = 1;")
    session.run("x = 2;")
    for n in range(3, 6):
        end_between_cells(session, session.worker_pid)
        assert session.run("x += 1;").notices[1:] == (AS_BEFORE,)
        assert shown(session.run("x")) == str(n)


@pytest.mark.parametrize(
    "code",
    [
        "for (int fd = 0; fd < 4096; ++fd) close(fd);",
        'for (int fd = 3; fd < 4096; ++fd) write(fd, "garbage garbage garbage garbage", 31);',
        'int n = open("/dev/null", 2); for (int fd = 0; fd < 1024; ++fd) if (fd != n) dup2(n, fd);',
        "kill(0, SIGKILL); for (;;) pause();",
    ],
    ids=["closed", "garbage", "replaced", "group"],
)
def test_attacks_on_the_connection(session: Session, code: str) -> None:
    session.run("#include <csignal>\n#include <fcntl.h>\n#include <unistd.h>\nint x = 1;")
    session.run("x = 2;")
    for _ in range(2):
        with pytest.raises(FarSideError) as caught:
            session.run(f"x = 3; {code}")
        # When it was found out decides what else is said: of garbage that was written, of a
        # process that could not say that it is a snapshot.
        assert caught.value.recovery[0] == AS_BEFORE
        assert shown(session.run("x")) == "2"


def announced(session: Session) -> Callable[[Callable[[], None]], threading.Thread]:
    """Let cells announce that they run (``announce()``); return what starts a striker for that."""
    reader, writer = os.pipe()
    session.run(
        "#include <csignal>\n#include <fcntl.h>\n#include <unistd.h>\n"
        f'int to_near = open("/proc/{os.getpid()}/fd/{writer}", O_WRONLY);'
        'void announce() { (void)!write(to_near, "x", 1); }'
    )

    def start(strike: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            os.read(reader, 1)
            strike()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    return start


@pytest.mark.parametrize(
    "hang",
    [
        "for (volatile int n = 0;; n = 0) {}",
        "sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, 0); for (;;) pause();",
        "for (;;) raise(SIGSTOP);",
        "for (;;) { fork(); pause(); }",
    ],
    ids=["loop", "blocked", "stopped", "forks"],
)
def test_interrupt_goes_back(session: Session, hang: str) -> None:
    on_announcement = announced(session)
    session.run("int x = 1;")
    session.run("x = 2;")
    for strike in (session.interrupt, lambda: os.kill(os.getpid(), signal.SIGINT)):
        thread = on_announcement(strike)
        with pytest.raises(Interrupted) as caught:
            session.run(f"x = 3; announce(); {hang}")
        thread.join()
        assert caught.value.recovery[0] == AS_BEFORE
        assert shown(session.run("x")) == "2"


def test_interrupt_of_a_session_in_another_thread(session: Session) -> None:
    on_announcement = announced(session)
    session.run("int x = 2;")
    ended: list[BaseException] = []

    def run() -> None:
        try:
            session.run("x = 3; announce(); for (;;) pause();")
        except Interrupted as error:
            ended.append(error)

    striker = on_announcement(session.interrupt)
    runner = threading.Thread(target=run)
    runner.start()
    runner.join()
    striker.join()
    assert len(ended) == 1
    assert shown(session.run("x")) == "2"


def test_interrupt_without_a_cell_does_nothing(session: Session) -> None:
    session.run("int x = 1;")
    session.interrupt()
    assert shown(session.run("x")) == "1"


def test_threads_are_said_to_be_gone(session: Session) -> None:
    session.run("#include <thread>\n#include <unistd.h>\nint x = 1;")
    session.run(
        "for (int n = 0; n < 2; ++n)"
        " std::thread([] { for (;;) { delete new long[99]; usleep(50); } }).detach();"
    )
    session.run("x = 2;")
    first, *more = crash(session, "x = 3;")
    assert first == AS_BEFORE
    assert more == ["2 threads that ran beside the program's main one did not come back"]
    assert shown(session.run("x")) == "2"
    assert crash(session) == (AS_BEFORE,)


def test_threads_that_cannot_be_counted_are_not_made_up(session: Session) -> None:
    session.run("#include <unistd.h>\nint x = 1;")
    session.run('(void)!chroot("/tmp"); (void)!chdir("/");')  # harmless without the right to
    for _ in range(3):
        assert crash(session, "x = 2;") == (AS_BEFORE,)
        assert shown(session.run("x")) == "1"


def test_snapshots_of_a_program_with_busy_threads(session: Session) -> None:
    # Locks of malloc and stdio are held by other threads at any moment.
    session.run("#include <cstdio>\n#include <string>\n#include <thread>\n#include <unistd.h>")
    for n in range(5):
        session.run(
            'std::thread([] { for (;;) { delete new char[5000]; std::snprintf(nullptr, 0, "%d", 1);'
            " std::fflush(nullptr); usleep(20); } }).detach();"
        )
        crash(session)
        assert shown(session.run(f"(int)std::string(3000, 'x').size() + {n}")) == str(3000 + n)


def test_undo_restores_the_state(session: Session) -> None:
    session.run("#include <vector>\nstd::vector<int> v{1, 2};")
    session.run("v.push_back(3);")
    session.run("v.push_back(4); int y = 5;")
    assert session.undo() == ()
    assert shown(session.run("(int)v.size()")) == "3"
    assert session.undo(2) == ()
    assert shown(session.run("(int)v.size()")) == "2"
    assert shown(run_all(session, "char y = 'y';", "(int)v.size() + (int)sizeof(y)")) == "3"


def test_undo_beyond_what_is_kept_says_so(new_session: NewSession) -> None:
    session = new_session(snapshots=2)
    session.run("int x = 0;")
    for n in range(1, 6):
        session.run(f"x = {n}; int y{n} = {n};")
    assert len(session.undo(3)) == 1
    assert shown(session.run("x")) == "5"
    assert shown(run_all(session, "char y5 = 'y';", "(int)sizeof(y5) + y2")) == "3"
    assert crash(session, "x = 9;") == (AS_BEFORE,)
    assert shown(session.run("x + y2")) == "7"


def test_undo_of_a_cell_without_code(session: Session) -> None:
    run_all(session, "int x = 1;", "x = 2;", "using number = int;")
    assert session.undo() == ()
    assert shown(session.run("x")) == "2"


def test_exit_handlers_of_undone_cells_do_not_run(new_session: NewSession) -> None:
    session = new_session()
    session.run('#include <cstdio>\nstruct T { ~T() { puts("bye"); } };')
    session.run("T kept;")
    session.run("T gone;")
    session.undo()
    assert session.close().stdout == "bye\n"


def test_checkpoints(session: Session) -> None:
    run_all(session, "int x = 1;", "x = 2;")
    session.checkpoint("two")
    for _ in range(12):
        session.run("x += 1; int z; ++z;") if shown(session.run("x")) == "2" else session.run(
            "++x;"
        )
    session.checkpoint("later")
    assert [past.checkpoints for past in session.history() if past.checkpoints] == [
        ("two",),
        ("later",),
    ]
    assert session.restore("two") == ("the checkpoint later is gone",)
    assert shown(session.run("x")) == "2"
    crash(session, "x = 5;")
    session.run("x = 6; int z = 1;")
    assert session.restore("two") == ()
    assert shown(session.run("x")) == "2"
    with pytest.raises(OptionError, match="two"):
        session.restore("later")


def test_a_checkpoint_whose_process_was_killed(session: Session) -> None:
    run_all(session, "int x = 1;")
    session.checkpoint("one")
    session.checkpoint("other")
    run_all(session, "x = 2;", "x = 3;")
    state = session._rescue.checkpoints["one"].state
    end_snapshot(state.snapshot)
    with pytest.raises(OptionError, match=r"'one' is gone: the process .* has ended; there are: "):
        session.restore("one")
    with pytest.raises(OptionError, match="there is no checkpoint 'one'"):
        session.restore("one")
    assert shown(session.run("x")) == "3"
    session.undo(2)
    assert shown(session.run("x")) == "2"


def test_checkpoint_needs_snapshots(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    session.run("int x = 1;")
    with pytest.raises(OptionError, match="snapshot"):
        session.checkpoint("one")
    assert [(past.cell, past.kept) for past in session.history()] == [(1, False)]


@pytest.mark.parametrize(
    "cell",
    [
        "n = 2; farside::display(1);",
        "std::thread([] { farside::display(1); n = 2; farside::display(1); }).join();",
        "std::thread other([] { for (int i = 0; i < 50; ++i) farside::display(i); });"
        " for (int i = 0; i < 50; ++i) farside::display(i); other.join(); n = 2;",
    ],
)
def test_a_cell_that_calls_the_near_side_is_kept_as_others_are(session: Session, cell: str) -> None:
    session.run("#include <farside/display.h>\n#include <thread>\nint n = 1, runs = 0;")
    session.run("n = 1;")
    session.run(f"++runs; {cell}")
    session.checkpoint("two")
    assert crash(session, "n = 3;") == (AS_BEFORE,)
    assert shown(session.run("n * 10 + runs")) == "21"
    assert session.restore("two") == ()
    assert shown(session.run("n * 10 + runs")) == "21"
    session.run(f"n = 4; {cell}")
    assert session.undo() == ()
    assert shown(session.run("n * 10 + runs")) == "21"


def test_threads_that_call_the_near_side_all_the_time(session: Session) -> None:
    """They read what is meant for the main thread; the order of cells and snapshots stays."""
    session.run(
        "#include <farside/display.h>\n#include <random>\n#include <thread>\n#include <unistd.h>\n"
        "unsigned r = 0; void show() { for (;;) { farside::display(1); usleep(100); } }"
    )
    for _ in range(8):
        session.run("std::thread(show).detach(); std::thread(show).detach();")
        session.run("r = 0;")
        session.run("r = std::random_device{}();")
        before = shown(session.run("r"))
        session.run("r = std::random_device{}();")
        session.undo()
        assert shown(session.run("r")) == before
        session.run("std::thread(show).detach(); std::thread(show).detach();")
        session.run("r = std::random_device{}();")
        before = shown(session.run("r"))
        crash(session, "r = 1;")
        assert shown(session.run("r")) == before


def test_history_thins_out_with_age(new_session: NewSession) -> None:
    session = new_session(snapshots=5)
    session.run("int x = 0;")
    for _ in range(30):
        session.run("++x;")
    kept = [past.cell for past in session.history() if past.kept]
    assert 3 <= len(kept) <= 5
    assert kept[-2:] == [30, 31]
    assert kept[0] < 20


def test_libraries_loaded_since_are_gone(session: Session) -> None:
    session.run('extern "C" double j0(double); extern "C" const char *zlibVersion(); int x = 1;')
    session.load("libz.so.1")
    session.run("x = zlibVersion()[0];")
    crash(session)
    assert shown(session.run("x == zlibVersion()[0]")) == "true"
    session.undo(2)
    assert shown(session.run("x")) == "1"
    session.run("x = zlibVersion()[0];")


def test_a_dead_snapshot_gives_way_to_an_older_one(session: Session) -> None:
    session.run("int x = 1;")
    session.run("x = 2;")
    number = session.next_cell
    session.run("x = 3;")
    newest = session._execution.present
    assert newest is not None
    end_snapshot(newest.snapshot)
    assert crash(session) == (AS_BEFORE, f"{CAUGHT_UP}: {number}")
    assert shown(session.run("x")) == "3"


def test_all_snapshots_dead(session: Session) -> None:
    session.run("int x = 1;")
    session.run("x = 2;")
    for state in list(session._execution._kept):
        end_snapshot(state.snapshot)
    assert crash(session) == (STARTED_AGAIN,)
    assert shown(session.run("x")) == "1"


def test_supervisor_killed_by_a_cell(session: Session) -> None:
    session.run("#include <csignal>\n#include <unistd.h>\nint x = 1;")
    session.run("x = 2;")
    with pytest.raises((FarSideLost, Crashed)) as caught:
        session.run("kill(getppid(), SIGKILL); for (;;) pause();")
    assert caught.value.recovery == (AS_BEFORE,)
    assert shown(session.run("x")) == "2"
    assert crash(session, "x = 3;") == (AS_BEFORE,)


def test_nothing_is_left_of_snapshots(new_session: NewSession) -> None:
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))
    others = descendants(os.getpid())  # of sessions that live as long as a module's tests
    session = new_session()
    session.run("#include <unistd.h>\nint x = 1;")
    for n in range(20):
        session.run(f"x = {n};")
        if n % 3 == 0:
            crash(session, "if (fork() == 0) for (;;) pause();")
    below = [pid for pid in descendants(os.getpid()) if pid not in others]
    # The compiler's side aside: supervisor, worker and at most ten snapshots.
    far = [pid for pid in below if alive(pid) and "executor" in name_of(pid)]
    assert len(far) <= 13
    session.close()
    wait_gone(below)
    assert len(os.listdir("/proc/self/fd")) <= files


def name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_undo_says_what_is_not_loaded_any_more(session: Session) -> None:
    session.run("int x = 1;")
    session.run("x = 2;")
    session.load("libz.so.1")
    assert session.undo() == ("libz.so.1 is not loaded any more",)
    assert shown(session.run("x")) == "1"


def test_undo_where_the_state_has_just_gone_keeps_the_program(new_session: NewSession) -> None:
    session = new_session()
    session.run("int x = 1;")
    for value in (3, 5):
        session.run(f"x = {value};")
    ready = Snapshot.ready
    gone: list[Snapshot] = []

    def ready_once(snapshot: Snapshot, timeout: float) -> bool:
        """Say that a snapshot is there whose process ends before it is woken."""
        found = ready(snapshot, timeout)
        if found and not gone:
            gone.append(snapshot)
            os.kill(snapshot.pid, signal.SIGKILL)
            poll = select.poll()
            poll.register(snapshot.socket, select.POLLIN)
            poll.poll()
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Snapshot, "ready", ready_once)
        notices = session.undo()
    assert len(gone) == 1
    assert any("only what the cells defined" in each for each in notices)
    assert session.eval("x") == 5
    session.run("int y = x;")
    session.undo()
    assert session.eval("x") == 5
