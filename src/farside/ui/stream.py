"""Inputs from a stream, as a script reads standard input: one by one, with a look at the next."""

from __future__ import annotations

import codecs
import io
import os
import select
from collections import deque

from farside.annotations import TYPE_CHECKING
from farside.source.cells import InputBuffer, is_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self, TextIO

_CHUNK = 1 << 16


class InputStream:
    """The inputs that a stream consists of, as `farside.source.cells.split_inputs` cuts it.

    An iterator. It reads no further than it must: what a cell's code is to read from the same
    stream stays there, unless it came in one piece with what was read.
    """

    def __init__(self, stream: TextIO) -> None:
        """Begin.

        Args:
            stream: of which nothing was read yet; one with a file descriptor is taken as UTF-8,
                with lone surrogates for what is not.
        """
        self._stream = stream
        self._pieces = _pieces_of(stream)
        self._lines: deque[str] = deque()
        self._rest = ""  # of the last line, as far as it has been read
        self._buffer = InputBuffer()
        self._next: str | None = None
        self._ended = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while not self._find():
            if self._ended:
                rest = self._buffer.flush()
                if rest is None:
                    raise StopIteration
                return rest
            self._read()
        assert self._next is not None
        found, self._next = self._next, None
        return found

    def first(self) -> str | None:
        """Return the first input if it is a cell and has come; nothing is waited for."""
        while not self._find() and not self._ended and _can_be_read(self._stream):
            self._read()
        return self.upcoming()

    def upcoming(self) -> str | None:
        """Return the next input if it has been read already and is a cell; nothing is read."""
        if not self._find() or self._next is None or is_command(self._next):
            return None
        return self._next

    def _find(self) -> bool:
        """Look for the next input in what has been read; tell whether it is there."""
        while self._next is None and self._lines:
            self._next = self._buffer.push(self._lines.popleft())
        return self._next is not None

    def _read(self) -> None:
        """Read what there is; wait where there is nothing."""
        piece = next(self._pieces, None)
        if piece is None:
            self._ended = True
            piece = "\n" if self._rest else ""
        *lines, self._rest = (self._rest + piece).split("\n")
        self._lines.extend(lines)


def _can_be_read(stream: TextIO) -> bool:
    """Tell whether a file has something, or its end, to be read at once."""
    poll = select.poll()
    try:
        poll.register(stream.fileno(), select.POLLIN)
    except OSError:  # it is no file
        return False
    return bool(poll.poll(0))


def _pieces_of(stream: TextIO) -> Iterator[str]:
    """Return the text of a stream, with ``\\n`` at the ends of lines, in pieces as it comes."""
    try:
        descriptor = stream.fileno()
    except OSError:  # it is no file
        yield from stream
        return
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder("utf-8")("surrogateescape"), translate=True
    )
    while data := os.read(descriptor, _CHUNK):
        yield decoder.decode(data)
    yield decoder.decode(b"", final=True)
