"""The supervisor is killed: the snapshots go on without it. Nothing is left: `on_loss` decides."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from farside.errors import Crashed, FarSideError, FarSideLost
from farside.rescue import RUN_AGAIN, STARTED_AGAIN
from farside.session import Session
from tests.conftest import Traces
from tests.traces import wait_for_end

from .conftest import NewSession, run_all, shown

KEPT = ("the program's state is as it was before the cell",)
POSIX = "#include <csignal>\n#include <unistd.h>\n#include <vector>\n"


def lose_everything(session: Session) -> tuple[str, ...]:
    """Kill a session's supervisor that keeps no snapshots; return the report."""
    os.kill(session.supervisor_pid, signal.SIGKILL)
    assert wait_for_end(session.supervisor_pid)
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
    supervisor = session.supervisor_pid
    with pytest.raises(FarSideLost):
        session.run("kill(getppid(), SIGKILL); for (;;) pause();")
    assert child is not None
    assert wait_for_end(supervisor)
    second = session.supervisor_pid
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
    task = f"/proc/{session.supervisor_pid}/task/{session.supervisor_pid}/children"
    below = [*map(int, Path(task).read_text().split())]
    for pid in (session.supervisor_pid, *below):
        os.kill(pid, signal.SIGKILL)
    assert all(map(wait_for_end, (session.supervisor_pid, *below)))
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
