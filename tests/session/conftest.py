"""Sessions with real processes, and a short way to say what cells should show."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from farside.options import Options
from farside.remote.snapshot import Snapshot
from farside.session import CellResult, Session
from tests.far_sides import ELSEWHERE, LIMITED, far_side
from tests.traces import parent_of, wait_for_end

NewSession = Callable[..., Session]


@pytest.fixture(scope="session")
def far_side_options() -> Iterator[dict[str, Any]]:
    """Provide the far side that FARSIDE_TEST_FAR_SIDE chooses."""
    with far_side() as options:
        yield options


@pytest.fixture
def new_session(far_side_options: dict[str, Any]) -> Iterator[NewSession]:
    """Return a function that starts a capturing session, closed at the end of the test."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Session:
            options = Options(output="capture").with_(**{**far_side_options, **changes})
            session = stack.enter_context(Session(options))
            if LIMITED:  # what it cannot do is said with the first result; the tests know
                session.statistics()
                session._execution.take_notices()
            return session

        yield start


@pytest.fixture
def session(new_session: NewSession) -> Session:
    """Return a capturing session with farside's default options."""
    return new_session()


def shown(result: CellResult) -> str | None:
    """Return the text of the value that a cell showed, without its type."""
    return None if result.value is None else result.value.text


def shown_by(session: Session, code: str) -> str:
    """Run a cell and return the text of the value that it must show, without its type."""
    value = session.run(code).value
    assert value is not None
    return value.text


def wait_for_snapshot(session: Session) -> None:
    """Wait until the state of the last cell is kept: after its result there is a fork to come."""
    newest = session._execution.present
    assert newest is None or newest.snapshot.ready(20)


def end_between_cells(session: Session, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """End a process of the far side with the state of the last cell kept, and wait for its end.

    Over a network also for the news of it, which a user gets who does something else meanwhile.
    """
    wait_for_snapshot(session)
    os.kill(pid, number)
    assert wait_for_end(pid)
    executor = session._execution.started()
    while ELSEWHERE and executor is not None and executor.family.lives():
        assert select.select([executor.family.supervisor.fileno()], [], [], 20)[0]


def end_snapshot(snapshot: Snapshot) -> None:
    """Kill a process that sleeps in an earlier state, and wait for the news."""
    assert snapshot.ready(20)
    os.kill(snapshot.pid, signal.SIGKILL)
    assert select.select([snapshot.socket], [], [], 20)[0]


def supervisor_of(session: Session) -> int:
    """Return the process that watches the worker, also where the session does not know it."""
    if not ELSEWHERE:
        return session.supervisor_pid
    return parent_of(session.worker_pid)


def start_daemon(session: Session, pipe: Path) -> int:
    """Start what has left the program, and carries no mark but the limit; return a pipe from it."""
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    session.run(f"""
        if (!fork()) {{
          setsid();
          if (fork())
            _exit(0);
          char *const nothing[] = {{nullptr}};
          execle("/bin/sh", "sh", "-c", "exec 9> {pipe}; echo >&9; exec sleep 1000000", nullptr,
                 nothing);
        }}
    """)
    os.set_blocking(reader, True)
    select.select([reader], [], [])
    assert os.read(reader, 1) == b"\n"
    return reader


def run_all(session: Session, *cells: str) -> CellResult:
    """Run cells in order and return the result of the last."""
    for code in cells[:-1]:
        session.run(code)
    return session.run(cells[-1])
