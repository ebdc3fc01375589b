"""The supervisor is killed: the snapshots go on without it. Nothing is left: `on_loss` decides."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from farside.errors import Crashed, FarSideError, FarSideLost
from farside.recovery.sentences import RUN_AGAIN, STARTED_AGAIN
from farside.session import Session
from tests.conftest import Traces
from tests.traces import wait_for_end

from .conftest import NewSession, end_between_cells, run_all, shown, start_daemon, supervisor_of

KEPT = ("the program's state is as it was before the cell",)
POSIX = "#include <csignal>\n#include <unistd.h>\n#include <vector>\n"


def lose_everything(session: Session) -> tuple[str, ...]:
    """Kill a session's supervisor that keeps no snapshots; return the report."""
    end_between_cells(session, supervisor_of(session))
    with pytest.raises(FarSideError) as caught:
        session.run("0;")
    return caught.value.recovery


def test_a_killed_supervisor_costs_no_value(session: Session) -> None:
    run_all(session, POSIX + "std::vector<int> v{1};", "v.push_back(2);")
    session.checkpoint("two")
    for number in range(3):
        session.run("v.push_back(3);")
        with pytest.raises(FarSideLost, match="supervisor") as caught:
            session.run("v.clear(); kill(getppid(), SIGKILL); for (;;) pause();")
        assert caught.value.recovery == KEPT
        # Deaths are reported by the new supervisor as by the old.
        with pytest.raises(Crashed, match=r"SIGSEGV.*null pointer") as crashed:
            session.run("v.clear(); *(volatile int *)nullptr = 1;")
        assert crashed.value.recovery == KEPT
        assert shown(session.run("v.size()")) == str(number + 3)
    assert session.undo(4) == ()
    assert shown(session.run("v.size()")) == "3"
    session.restore("two")
    assert shown(session.run("v.size()")) == "2"


def test_what_a_killed_supervisor_leaves_is_ended(
    leaves_nothing: Traces, new_session: NewSession
) -> None:
    session = new_session()
    session.run(POSIX + "pid_t child = 0;")
    child = shown(
        session.run(
            "if (!(child = fork())) { setsid(); if (fork()) _exit(0); for (;;) pause(); } child"
        )
    )
    supervisor = supervisor_of(session)
    with pytest.raises(FarSideLost):
        session.run("kill(getppid(), SIGKILL); for (;;) pause();")
    assert child is not None
    assert wait_for_end(supervisor)
    second = supervisor_of(session)
    assert second != supervisor
    session.run("if (!fork()) for (;;) pause();")
    os.kill(second, signal.SIGKILL)
    session.close()
    assert wait_for_end(second)
    leaves_nothing.check()


def test_a_stopped_supervisor_costs_no_value(session: Session) -> None:
    run_all(session, POSIX + "int x = 1;", "x = 2;")
    with pytest.raises(FarSideError) as caught:
        session.run("x = 3; kill(getppid(), SIGSTOP); *(volatile int *)nullptr = 1;")
    assert caught.value.recovery == KEPT
    assert shown(session.run("x")) == "2"


# Stops all that carries the test's mark and is farside's, again and again.
STOPPER = """
import os, signal, sys
pipe = os.open(sys.argv[2], os.O_WRONLY)
while True:
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            marked = sys.argv[1].encode() in open(f"/proc/{pid}/environ", "rb").read()
            parent = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1]
            for each in (parent, pid) if marked else ():
                if open(f"/proc/{each}/comm").read().startswith("farside"):
                    os.kill(int(each), signal.SIGSTOP)
            if marked:
                os.write(3, b"x")
        except OSError:
            pass
"""


def test_a_child_that_stops_everything_without_end_is_ended(
    leaves_nothing: Traces, new_session: NewSession, tmp_path: Path
) -> None:
    script = tmp_path / "stopper.py"
    script.write_text(STOPPER)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    session = new_session()
    run_all(session, POSIX + "int x = 1; int ends[2]; int piped = pipe(ends);", "x = 2;")
    session.run(f"""
        void fight() {{
          if (fork())
            return;
          setsid();
          dup2(ends[1], 3);
          char *const nothing[] = {{nullptr}};  // so it is known by nothing in its environment
          execle("{sys.executable}", "stopper", "{script}", "{leaves_nothing.mark}", "{pipe}",
                 nullptr, nothing);
        }}
    """)
    for _ in range(2):
        with pytest.raises(FarSideError) as caught:
            session.run("x = 3; fight(); char c[99]; read(ends[0], c, 99); raise(SIGKILL);")
        assert caught.value.recovery[0] == KEPT[0]
        assert shown(session.run("x")) == "2"
    session.close()
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""  # nobody has it open any more
    os.close(reader)


@pytest.mark.parametrize("killed", ["idle", "in a cell"])
def test_what_was_started_without_environment_ends_with_the_supervisor(
    new_session: NewSession, tmp_path: Path, killed: str
) -> None:
    session = new_session()
    session.run(POSIX)
    reader = start_daemon(session, tmp_path / "pipe")
    if killed == "idle":
        worker, supervisor = session.worker_pid, supervisor_of(session)
        end_between_cells(session, supervisor)
        assert wait_for_end(worker)
        assert session.run("0;").notices
    else:
        with pytest.raises(FarSideLost):
            session.run("kill(getppid(), SIGKILL); for (;;) pause();")
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_definitions_only(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    run_all(session, "int x = 1; int f() { return x * 10; }", "x = 5;")
    assert lose_everything(session) == (STARTED_AGAIN,)
    assert shown(session.run("f()")) == "10"


@pytest.mark.parametrize("snapshots", [0, 10])
def test_replay_runs_the_statements_again(new_session: NewSession, snapshots: int) -> None:
    session = new_session(snapshots=snapshots, on_loss="replay")
    session.run("#include <cstdio>\nint x = 1; int f() { return x * 10; }")
    run_all(session, 'x = 5; std::puts("five");', "struct S { int a; }; S s{x};", "++s.a;")
    with pytest.raises(FarSideError) as caught:
        lose_snapshots(session)
    assert caught.value.recovery == (RUN_AGAIN,)
    assert caught.value.stdout == "five\n"
    assert shown(session.run("f() + s.a")) == "56"


def lose_snapshots(session: Session) -> None:
    """Kill the supervisor, the worker and all that sleeps, and run a cell."""
    # Between the result of a cell and its snapshot lies the time of a fork.
    snapshots = [state.snapshot for state in session._execution._kept]
    assert all(snapshot.ready(20) for snapshot in snapshots)
    every = (supervisor_of(session), session.worker_pid, *[each.pid for each in snapshots])
    for pid in every:
        os.kill(pid, signal.SIGKILL)
    assert all(map(wait_for_end, every))
    session.run("0;")


@pytest.mark.parametrize("snapshots", [0, 10])
def test_cells_that_fail_in_a_replay_are_named(
    new_session: NewSession, tmp_path: Path, snapshots: int
) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    session = new_session(snapshots=snapshots, on_loss="replay")
    session.run(POSIX + "int x = 1;")
    session.run(f'int there = access("{flag}", F_OK); if (there) *(volatile int *)nullptr = 1;')
    run_all(session, "int needs = there;", "x = 7;")
    flag.unlink()
    with pytest.raises(FarSideError) as caught:
        lose_snapshots(session)
    assert caught.value.recovery == (RUN_AGAIN, "these cells could not be brought back: 2, 3")
    assert shown(run_all(session, "int there = x, needs = 1;", "there + needs")) == "8"


def test_a_replay_that_hangs_can_be_interrupted(new_session: NewSession, tmp_path: Path) -> None:
    flag, pipe = tmp_path / "flag", tmp_path / "pipe"
    flag.touch()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # with a writer of our own it has no end
    session = new_session(snapshots=0, on_loss="replay")
    session.run(POSIX + "#include <fcntl.h>\nint x = 1;")
    session.run("x = 2;")
    session.run(
        f'if (access("{flag}", F_OK)) {{ (void)!write(open("{pipe}", O_WRONLY), "x", 1);'
        " for (;;) pause(); }"
    )
    flag.unlink()

    def strike() -> None:
        os.read(reader, 1)
        session.interrupt()

    thread = threading.Thread(target=strike)
    thread.start()
    recovery = lose_everything(session)
    thread.join()
    os.close(reader)
    assert recovery == ("running the cells again was interrupted", STARTED_AGAIN)
    assert shown(session.run("x")) == "1"
