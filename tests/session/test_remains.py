"""What cannot be taken back is said: bytes written, processes, pipes and sockets, threads."""

from __future__ import annotations

from pathlib import Path

import pytest

from farside.errors import Crashed, FarSideError, TooManyProcesses
from farside.session import Session

from .conftest import NewSession, shown

POSIX = "#include <csignal>\n#include <cstdio>\n#include <fcntl.h>\n#include <unistd.h>\n"
CRASH = "*(volatile int *)nullptr = 1;"


def report(session: Session, code: str) -> tuple[str, ...]:
    """Run a cell that fails; return what is said besides that the state is as it was."""
    with pytest.raises(FarSideError) as caught:
        session.run(code)
    assert caught.value.recovery[0] == "the program's state is as it was before the cell"
    return caught.value.recovery[1:]


def test_nothing_is_said_where_nothing_remains(session: Session) -> None:
    session.run(POSIX + "int x;")
    assert report(session, f'x = 1; std::puts("captured"); std::fflush(stdout); {CRASH}') == ()


def test_bytes_written(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "file"
    session.run(POSIX + f'int fd = open("{file}", O_CREAT | O_RDWR, 0600);')
    said = report(session, f'std::puts("shown"); write(fd, "12345678", 8); {CRASH}')
    assert said == ("8 bytes that it wrote to files or other places stay written",)
    assert file.read_text() == "12345678"
    # The offset is as it was, so the next write is where it would have been.
    session.run('write(fd, "abc", 3);')
    assert file.read_text() == "abc45678"


def test_processes(session: Session) -> None:
    session.run(POSIX)
    loop = "for (int n = 0; n < 2; ++n) if (!fork()) for (;;) pause();"
    assert report(session, f"{loop} {CRASH}") == (
        "2 processes that the program had started were ended",
    )
    session.run("if (!fork()) for (;;) pause();")
    assert report(session, CRASH) == ("a process that the program had started was ended",)
    assert report(session, CRASH) == ()


def test_pipes_and_sockets(session: Session) -> None:
    session.run(POSIX + "int ends[2]; int made = pipe(ends);")
    (said,) = report(session, CRASH)
    assert said.startswith("2 pipes and sockets may have been read from or written to")


def test_a_limit_on_processes(new_session: NewSession) -> None:
    session = new_session(process_limit=5)
    session.run(POSIX + "int x = 1;")
    session.run("x = 2; for (int n = 0; n < 3; ++n) if (!fork()) { for (;;) pause(); }")
    with pytest.raises(TooManyProcesses, match=r"processes beside its first and may have 5"):
        session.run("x = 3; for (;;) if (!fork()) for (;;) pause();")
    assert shown(session.run("x")) == "2"
    # It still holds where another supervisor has taken over.
    with pytest.raises(FarSideError):
        session.run("kill(getppid(), SIGKILL); for (;;) pause();")
    with pytest.raises(TooManyProcesses):
        session.run("x = 3; for (;;) if (!fork()) { setsid(); for (;;) pause(); }")
    with pytest.raises(Crashed):
        session.run(CRASH)
    assert shown(session.run("x")) == "2"
