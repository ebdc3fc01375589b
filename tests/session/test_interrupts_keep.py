"""``on_interrupt="keep"``: the first interrupt is a question, the second an order."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farside.errors import Interrupted
from farside.session import Session

from .conftest import NewSession, shown

HEADERS = "#include <farside/interrupt.h>\n#include <fcntl.h>\n#include <unistd.h>\n"


@contextmanager
def striking(session: Session, pipe: Path, *, by_signal: bool = False) -> Iterator[None]:
    """Interrupt the session each time that a byte comes through `pipe`, until an ``e`` does."""
    os.mkfifo(pipe)
    both = os.open(pipe, os.O_RDWR)
    session.run(f'{HEADERS}int said = open("{pipe}", O_WRONLY); long n = 0;')

    def strike() -> None:
        while os.read(both, 1) != b"e":
            if by_signal:
                os.kill(os.getpid(), signal.SIGINT)
            else:
                session.interrupt()

    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield
    finally:
        os.write(both, b"e")
        thread.join()
        os.close(both)


@pytest.mark.parametrize("by_signal", [False, True])
def test_a_cell_that_looks_ends_by_itself_and_stays(
    new_session: NewSession, tmp_path: Path, by_signal: bool
) -> None:
    session = new_session(on_interrupt="keep")
    with striking(session, tmp_path / "pipe", by_signal=by_signal):
        result = session.run(
            'n = 5; (void)!write(said, "x", 1); while (!farside::interrupted()) {} n = n + 1; n'
        )
        assert shown(result) == "6"
        assert result.notices == ("the cell was asked to end, and did",)
        # In the next cell it is no more.
        assert shown(session.run("farside::interrupted()")) == "false"
        assert session.run("n = 7;").notices == ()


def test_the_second_interrupt_takes_the_cell_back(new_session: NewSession, tmp_path: Path) -> None:
    session = new_session(on_interrupt="keep")
    with striking(session, tmp_path / "pipe"):
        with pytest.raises(Interrupted) as caught:
            session.run(
                'n = 5; (void)!write(said, "x", 1); while (!farside::interrupted()) {}'
                ' (void)!write(said, "x", 1); for (;;) pause();'
            )
        assert "as it was" in caught.value.recovery[0]
        assert shown(session.run("n")) == "0"


def test_without_the_option_the_first_takes_it_back(session: Session, tmp_path: Path) -> None:
    with striking(session, tmp_path / "pipe"):
        with pytest.raises(Interrupted):
            session.run('n = 5; (void)!write(said, "x", 1); while (!farside::interrupted()) {}')
        assert shown(session.run("n")) == "0"


def test_threads_and_main_see_it_too(new_session: NewSession, tmp_path: Path) -> None:
    session = new_session(on_interrupt="keep")
    with striking(session, tmp_path / "pipe"):
        session.run(
            "#include <thread>\nint main() { std::thread t([] {"
            ' (void)!write(said, "x", 1); while (!farside::interrupted()) {} n = 9; });'
            " t.join(); return 3; }"
        )
        assert session.call_main(["main"]) == 3
        assert shown(session.run("n")) == "9"
