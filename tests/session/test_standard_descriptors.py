"""A program that closes its standard streams: their numbers are its own from then on."""

from __future__ import annotations

import pytest

from farside.errors import Crashed, FarSideError
from farside.session import Session

from .conftest import run_all, shown, wait_for_snapshot

AS_BEFORE = "the program's state is as it was before the cell"
PRELUDE = """
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
int n = 0;
bool isClosed(int fd) { return fcntl(fd, F_GETFD) == -1 && errno == EBADF; }
"""


def crash(session: Session, code: str) -> tuple[str, ...]:
    """Run a cell that dies, and return how the session recovered."""
    with pytest.raises(FarSideError) as caught:
        session.run(code)
    return caught.value.recovery


@pytest.mark.parametrize("limit", ["", "rlimit few{24, 24}; setrlimit(RLIMIT_NOFILE, &few);"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_nothing_of_farside_gets_the_number(session: Session, number: int, limit: str) -> None:
    session.run(PRELUDE)
    session.run(limit)
    session.run(f"n = 1; close({number});")
    for _ in range(2):  # a cell, and a display in a process of its own
        assert session.eval(f"isClosed({number})") is True
    # What is written there is lost, and harms nothing that farside has there.
    session.run(f'write({number}, "hello", 5); puts("hello"); fflush(stdout); clearerr(stdout);')
    assert crash(session, "n = 2; __builtin_trap();") == (AS_BEFORE,)
    assert session.eval(f"n == 1 && isClosed({number})") is True
    # As a daemon does it.
    assert shown(run_all(session, 'open("/dev/null", O_RDWR)')) == str(number)
    assert crash(session, "n = 3; __builtin_trap();") == (AS_BEFORE,)
    assert session.eval(f"n == 1 && !isClosed({number})") is True


def test_reading_at_the_closed_number_fails_at_once(session: Session) -> None:
    session.run(PRELUDE)
    session.run("close(0);")
    session.run("char c = 0;")
    assert session.eval("read(0, &c, 1) == -1 && errno == EBADF") is True


def test_another_supervisor_is_found_without_any_of_them(session: Session) -> None:
    session.run(PRELUDE)
    session.run("close(0); close(1); close(2);")
    session.run("n = 1;")
    wait_for_snapshot(session)
    recovery = crash(session, "n = 2; kill(getppid(), SIGKILL); pause();")
    assert AS_BEFORE in recovery
    assert session.eval("n == 1 && isClosed(0) && isClosed(1) && isClosed(2)") is True
    with pytest.raises(Crashed, match="line 1: SIGILL"):  # its record has come through
        session.run("n = 3; __builtin_trap();")
    assert session.eval("n == 1") is True
