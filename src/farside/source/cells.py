"""Cells, and how a stream of lines is cut into them.

A cell is what is compiled and run as one: a line, or as many lines as it takes until the input is
finished (`farside.source.completeness`).
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple
from farside.source.completeness import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Cell(NamedTuple):
    """A piece of C++ with its number.

    Attributes:
        number: counts from 1 within a session; Clang calls the cell's file ``cell <number>``.
        code: the text, lines separated by ``\\n``.
    """

    number: int
    code: str


def is_command(text: str) -> bool:
    """Tell whether an input is a ``%`` command; ``%:`` is C++, the other spelling of ``#``."""
    start = text.lstrip()
    return start.startswith("%") and not start.startswith("%:")


class InputBuffer:
    """Collects lines until they make an input: a cell's code or one ``%`` command.

    The whole text is scanned once, however many lines it has.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._scanner = Scanner()

    @property
    def pending(self) -> bool:
        """Whether lines are held that make no input yet."""
        return bool(self._lines)

    def push(self, line: str) -> str | None:
        """Add a line, given without its end; return the finished input, or None.

        A blank line where nothing is pending yields nothing.
        """
        if not self._lines:
            if not line.strip():
                return None
            if is_command(line):
                return line
        self._lines.append(line)
        self._scanner.feed(line + "\n")
        return self.flush() if self._scanner.finished else None

    def flush(self) -> str | None:
        """Return what is pending, finished or not, and start over; None where nothing is."""
        if not self._lines:
            return None
        text = "\n".join(self._lines)
        self.clear()
        return text

    def clear(self) -> None:
        """Forget what is pending."""
        self._lines.clear()
        self._scanner = Scanner()


def split_inputs(lines: Iterable[str]) -> Iterator[str]:
    """Cut a stream of lines into inputs: one a line, unless a line leaves something unfinished.

    ``\\`` at the end of a line continues it, as in Clang-Repl and in C++. What is unfinished at the
    end of the stream is the last input, so that Clang can say what is missing.

    Args:
        lines: with or without their line ends.
    """
    buffer = InputBuffer()
    for line in lines:
        text = buffer.push(line.rstrip("\r\n"))
        if text is not None:
            yield text
    rest = buffer.flush()
    if rest is not None:
        yield rest
