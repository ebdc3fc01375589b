"""The far side dies, or hangs, or is killed; the session goes on with what was defined."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from contextlib import suppress
from ctypes import CDLL
from pathlib import Path

import pytest

from farside.errors import Crashed, Interrupted
from farside.recovery.sentences import STARTED_AGAIN
from farside.session import Session
from tests.traces import wait_for_end

from .conftest import NewSession, end_between_cells, run_all, shown

DEATHS = {
    "null pointer": ("*(volatile int *)nullptr = 1;", "SIGSEGV"),
    "abort": ("__builtin_trap();", "SIGILL"),
    "division": ("volatile int zero = 0; volatile int r = 1 / zero;", "SIGFPE"),
    "exit": ('extern "C" void _exit(int); _exit(5);', "exit status 5"),
    "kill": (
        'extern "C" int kill(int, int); extern "C" int getpid(); kill(getpid(), 9);',
        "SIGKILL",
    ),
    "stack overflow": (
        "int deep(volatile int n) { volatile int m = n; return n ? deep(m + 1) + m : 0; } deep(1);",
        "SIGSEGV",
    ),
    "jump to nowhere": ("((void (*)())0x10)();", "SIGSEGV"),
}


@pytest.mark.parametrize("death", list(DEATHS))
def test_death_is_reported_and_definitions_stay(session: Session, death: str) -> None:
    code, sign = DEATHS[death]
    session.run(
        "#include <vector>\nint x = 4; std::vector<int> v{1, 2, 3}; int f() { return x + 1; }"
    )
    number = session.next_cell
    with pytest.raises(Crashed) as caught:
        session.run(code)
    assert sign in str(caught.value)
    assert f"cell {number}" in str(caught.value)
    assert shown(session.run("f() * 10 + (int)v.size()")) == "53"
    assert shown(run_all(session, "int zero2 = 9;", "zero2")) == "9"


def test_names_of_the_crashed_cell_are_free(session: Session) -> None:
    with pytest.raises(Crashed):
        session.run("struct T { int a; }; int n = 1; *(volatile int *)nullptr = n;")
    assert (
        shown(run_all(session, "struct T { char c; }; long n = 2;", "(int)sizeof(T) + (int)n"))
        == "3"
    )


def test_the_state_is_as_before_the_cell(session: Session) -> None:
    session.run("#include <cstdio>\nint runs = 0; int made = ++runs;")
    session.run('runs += 10; printf("once\\n");')
    with pytest.raises(Crashed) as caught:
        session.run("runs = 1000; __builtin_trap();")
    assert caught.value.recovery == ("the program's state is as it was before the cell",)
    result = session.run("runs * 10 + made")
    assert result.stdout == ""
    assert shown(result) == "111"


def test_crash_after_crash(session: Session) -> None:
    session.run("int x = 3; int next() { static int n = 0; return ++n; }")
    for count in range(5):
        with pytest.raises(Crashed):
            session.run("x = 100; next(); __builtin_trap();")
        assert shown(session.run("x + next()")) == str(4 + count)


def test_without_snapshots_variables_are_initialised_again(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    session.run("#include <cstdio>\nint runs = 0; int made = ++runs;")
    session.run('runs += 10; printf("once\\n");')
    for _ in range(2):
        with pytest.raises(Crashed) as caught:
            session.run("__builtin_trap();")
        assert caught.value.recovery == (STARTED_AGAIN,)
        result = session.run("runs * 10 + made")
        assert result.stdout == ""
        assert shown(result) == "11"


def test_output_before_a_crash_is_kept(session: Session) -> None:
    session.run("#include <cstdio>")
    with pytest.raises(Crashed) as caught:
        session.run('fputs("seen\\n", stderr); __builtin_trap();')
    assert "seen" in caught.value.stderr


def test_far_side_killed_while_idle(session: Session) -> None:
    session.run("int x = 3;")
    end_between_cells(session, session.worker_pid)
    assert len(session.run("++x;").notices) == 2
    assert shown(session.run("x")) == "4"


def test_compiler_killed_while_idle(session: Session) -> None:
    session.run("int x = 3; struct P { int a, b; }; static int hidden = 2;")
    session.run("x = 5;")
    for number in range(3):
        os.kill(session.compiler_pid, signal.SIGKILL)
        result = session.run(f"int y{number} = hidden; x + y{number} + (int)sizeof(P)")
        assert (shown(result), result.notices) == ("15", ())


def test_compiler_killed_with_all_its_snapshots(session: Session) -> None:
    session.run("int x = 3; static int hidden = 2;")
    session.run("x = 5;")
    pids = [session.compiler_pid, *[each.pid for each in session._compiler._snapshots._all]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert shown(session.run("x + hidden")) == "7"


def state_of(process: Path) -> str:
    """Return the letter that /proc has for a process's state."""
    return process.joinpath("stat").read_text().rpartition(")")[2].split()[0]


def members_of(group: int) -> list[int]:
    """Return the living processes of a group, after they were stopped."""
    os.killpg(group, signal.SIGSTOP)
    found = []
    for each in Path("/proc").iterdir():
        with suppress(OSError, ProcessLookupError):
            if each.name.isdecimal() and os.getpgid(int(each.name)) == group:
                while (state := state_of(each)) in "RSD":
                    os.sched_yield()
                found += [int(each.name)] if state == "T" else []
    return found


def sockets_of(pid: int) -> list[socket.socket]:
    """Return the sockets of a process, which stay open when that ends."""
    pidfd_getfd = 438  # of <asm-generic/unistd.h>, as on every machine
    found = []
    process = os.pidfd_open(pid)
    for each in Path(f"/proc/{pid}/fd").iterdir():
        if os.readlink(each).startswith("socket:"):
            got = CDLL(None).syscall(pidfd_getfd, process, int(each.name), 0)
            assert got >= 0
            found.append(socket.socket(fileno=got))
    os.close(process)
    return found


def stopped_compilers(session: Session) -> tuple[list[int], list[socket.socket]]:
    """Stop a session's compilers while none of them forks; return them and their sockets."""
    group = os.getpgid(session.compiler_pid)
    while True:
        pids = members_of(group)
        sockets = [sockets_of(pid) for pid in pids]
        if all(len(each) == 1 for each in sockets):
            return pids, [each[0] for each in sockets]
        for of_one in sockets:
            for each in of_one:
                each.close()
        os.killpg(group, signal.SIGCONT)


def test_compilers_that_are_killed_look_alive_until_their_sockets_are_closed(
    session: Session,
) -> None:
    """The kernel gives their memory back first."""
    session.run("int x = 3; static int hidden = 2;")
    session.run("x = 5;")
    compiler = session._compiler
    while not compiler._snapshots.knows(2):  # which it takes while nothing is asked of it
        assert compiler._channel is not None
        assert select.select([compiler._channel._socket], [], [], 20)[0]
        compiler._absorb_events()
    pids, sockets = stopped_compilers(session)
    assert len(pids) > 1
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        assert wait_for_end(pid)

    def close_when_spoken_to(each: socket.socket) -> None:
        with each:
            each.recv(1)

    threads = [threading.Thread(target=close_when_spoken_to, args=(each,)) for each in sockets]
    for thread in threads:
        thread.start()
    try:
        result = session.run("x + hidden")
    finally:
        compiler.close()  # some may not have been spoken to
        for thread in threads:
            thread.join()
    assert (shown(result), result.notices) == ("7", ())


def test_compiler_killed_while_it_compiles(session: Session, tmp_path: Path) -> None:
    pipe = tmp_path / "header.h"
    os.mkfifo(pipe)
    session.run("int x = 3;")

    def strike() -> None:
        # It can be opened when Clang waits to read it, the second time when it is asked again; what
        # it reads does not end before both are closed.
        with pipe.open("w"):
            compiler = session.compiler_pid
            os.kill(compiler, signal.SIGKILL)
            wait_for_end(compiler)
            pipe.write_text("int from_header = x + 1;\n")

    thread = threading.Thread(target=strike)
    thread.start()
    session.run(f'#include "{pipe}"')
    thread.join()
    assert shown(session.run("from_header")) == "4"


def test_compiler_killed_while_a_crash_is_explained(session: Session) -> None:
    session.run("#include <csignal>\nint x = 3; void deep() { __builtin_trap(); }")
    with pytest.raises(Crashed, match="SIGILL"):
        session.run(f"x = 4; kill({session.compiler_pid}, SIGKILL); deep();")
    assert shown(session.run("x")) == "3"


def test_interrupt_of_an_endless_loop(session: Session) -> None:
    session.run("#include <unistd.h>\nint x = 3;")
    fd_read, fd_write = os.pipe()

    def strike() -> None:
        # The cell announces itself, so the interrupt arrives while it runs.
        os.read(fd_read, 1)
        os.kill(os.getpid(), signal.SIGINT)

    worker_fd = f"/proc/{os.getpid()}/fd/{fd_write}"
    session.run(f'#include <fcntl.h>\nint announce = open("{worker_fd}", O_WRONLY);')
    striker = threading.Thread(target=strike)
    striker.start()
    with pytest.raises(Interrupted):
        session.run('write(announce, "x", 1); for (volatile int i = 0;; ++i) {}')
    striker.join()
    os.close(fd_read)
    os.close(fd_write)
    assert shown(session.run("x")) == "3"
