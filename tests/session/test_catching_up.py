"""The program dies before its newest cells are in a snapshot: they are run again, or named."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from farside.errors import CppException, FarSideError, FarSideLost
from farside.recovery.sentences import AS_IT_WAS, CAUGHT_UP, TAKEN_BACK_TOO
from farside.recovery.thrift import ForkBudget
from farside.session import Session

from .conftest import end_between_cells, run_all, shown

POSIX = "#include <csignal>\n#include <fcntl.h>\n#include <stdexcept>\n#include <unistd.h>\n"


@pytest.fixture
def dear(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Have no cell followed by a snapshot, as where a fork takes long."""
    with monkeypatch.context() as patch:
        patch.setattr(ForkBudget, "allows", lambda _: False)
        yield patch


def die(session: Session) -> tuple[str, ...]:
    """Kill the program while it is idle; return what the session reports."""
    end_between_cells(session, session.worker_pid)
    return session.run("0;").notices[1:]


def lose(session: Session) -> tuple[str, ...]:
    """Kill the program while it is idle, in a state that does not come back."""
    end_between_cells(session, session.worker_pid)
    with pytest.raises(FarSideLost, match="The cell was not run") as caught:
        session.run("*(volatile int *)nullptr = 1;")
    return caught.value.recovery


def test_cells_of_all_kinds_are_run_again(session: Session, dear: pytest.MonkeyPatch) -> None:
    session.run(POSIX + "int x = 1; int twice() { return 2 * x; }")
    dear.undo()
    session.run("x = 2;")
    dear.setattr(ForkBudget, "allows", lambda _: False)
    numbers = [session.run(code).cell for code in ("x = 3;", "struct S { int a; }; S s{x};")]
    session.run("using nothing = int;")
    session.run("int twice() { return 3 * x; }")
    with pytest.raises(CppException):
        session.run('++s.a; throw std::runtime_error("stays");')
    first, *more = die(session)
    assert first == AS_IT_WAS
    assert more == [f"{CAUGHT_UP}: {', '.join(map(str, range(numbers[0], numbers[0] + 5)))}"]
    assert shown(session.run("twice() * 10 + s.a")) == "94"
    # What was brought back is kept as any other state.
    dear.undo()
    session.run("x = 4;")
    with pytest.raises(FarSideError) as caught:
        session.run("__builtin_trap();")
    assert caught.value.recovery == (AS_IT_WAS,)
    assert shown(session.run("twice() + s.a")) == "16"


def test_what_they_printed_is_not_printed_again(session: Session, dear: pytest.MonkeyPatch) -> None:
    session.run("#include <cstdio>\nint x = 1;")
    assert session.run('std::puts("once"); x = 2;').stdout == "once\n"
    end_between_cells(session, session.worker_pid)
    assert session.run("0;").stdout == ""
    result = session.run("x")
    assert (shown(result), result.stdout) == ("2", "")


def test_a_cell_that_fails_now_is_taken_back_with_those_after_it(
    session: Session, dear: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    flag.touch()
    session.run(POSIX + "int x = 1;")
    dear.undo()
    session.run("x = 2;")
    dear.setattr(ForkBudget, "allows", lambda _: False)
    good = session.run("x = 3;").cell
    bad = session.run(f'int y = access("{flag}", F_OK); if (y) *(volatile int *)nullptr = 1;').cell
    after = session.run("x = 5;").cell
    flag.unlink()
    assert lose(session) == (
        AS_IT_WAS,
        f"{CAUGHT_UP}: {good}",
        f"{TAKEN_BACK_TOO}: {bad}, {after}",
    )
    assert shown(run_all(session, "int y = 10;", "x + y")) == "13"


def test_running_them_again_can_be_interrupted(
    session: Session, dear: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    flag, pipe = tmp_path / "flag", tmp_path / "pipe"
    flag.touch()
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)
    session.run(POSIX + "int x = 1;")
    good = session.run("x = 2;").cell
    slow = session.run(
        f'if (access("{flag}", F_OK)) {{ (void)!write(open("{pipe}", O_WRONLY), "x", 1);'
        " for (;;) pause(); }"
    ).cell
    flag.unlink()

    def strike() -> None:
        os.read(reader, 1)
        session.interrupt()

    thread = threading.Thread(target=strike)
    thread.start()
    recovery = lose(session)
    thread.join()
    os.close(reader)
    assert f"{CAUGHT_UP}: 1, {good}" in recovery
    assert f"{TAKEN_BACK_TOO}: {slow}" in recovery
    assert shown(session.run("x")) == "2"


def test_a_library_loaded_since(session: Session, dear: pytest.MonkeyPatch) -> None:
    session.run('extern "C" const char *zlibVersion(); int x = 1;')
    session.load("libz.so.1")
    session.run("x = zlibVersion()[0];")
    assert die(session)[0] == AS_IT_WAS
    assert shown(session.run("x == zlibVersion()[0]")) == "true"
