"""What the far side writes to its standard streams, collected where the session captures it."""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING, ParamSpec
from farside.errors import ListenerFailed, TooMuchOutput
from farside.turns import check_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.result.bundle import Display

P = ParamSpec("P")
_BESIDE_A_DISPLAY = 512  # bytes that one takes in memory, however small


def tell(
    listener: str, call: Callable[P, object], *arguments: P.args, **keywords: P.kwargs
) -> None:
    """Call what the owner of a session has listening to it.

    Raises:
        ListenerFailed: it raised an exception.
        SessionClosed, SystemExit: it forked, and this is the child.
    """
    process = os.getpid()
    try:
        call(*arguments, **keywords)
    except Exception as error:
        check_process(process, error)
        raise ListenerFailed(listener, error) from error
    check_process(process)


class Displays:
    """What a cell shows while it runs, in order, kept for its result; a context for its run.

    Args:
        limit: bytes that are kept for a cell.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: list[Display] | None = None
        self._size = 0
        self._left_out = False

    def __enter__(self) -> None:
        self._kept, self._size, self._left_out = [], 0, False

    def __exit__(self, *_: object) -> None:
        self._kept = None

    def add(self, display: Display, size: int, *, heard: bool) -> None:
        """Keep a display for the cell that runs, if one does.

        Args:
            display: it.
            size: of what came, in bytes.
            heard: whether somebody has been given it, so that it can be left out of the result.

        Raises:
            TooMuchOutput: beyond the limit, where nobody has.
        """
        if self._kept is None or self._left_out:
            return
        self._size += size + _BESIDE_A_DISPLAY
        if self._size <= self._limit:
            self._kept.append(display)
        elif heard:
            self._left_out = True
        else:
            self._size = 0  # the rest comes while the cell is being ended
            self._kept.clear()
            raise TooMuchOutput(f"it showed more than {self._limit} bytes (output_limit)")

    def kept(self) -> tuple[Display, ...]:
        """Return what the cell has shown so far."""
        return tuple(self._kept or ())

    def notices(self) -> tuple[str, ...]:
        """Say so if that is not all of it."""
        if not self._left_out:
            return ()
        return (f"displays beyond {self._limit} bytes are not in the result (output_limit)",)


class Output:
    """Collects the bytes of both streams between two calls of `take`.

    Attributes:
        capture: whether the far side writes into pipes at all; without, it has the near side's own
            stdout and stderr, and there is nothing to collect.
        taken: how many bytes of both streams have come before the last `take`, in all.
        live: is given the name of the stream and what came, at once, if anybody wants that.
    """

    def __init__(self, capture: bool, limit: int = 64 << 20) -> None:
        self.capture = capture
        self._limit = limit  # bytes of both streams together
        self._over = False
        self._received = 0
        self.taken = 0
        self.live: Callable[[str, bytes], None] | None = None
        self._deaf = False  # `live` has failed
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._aside = ("", "")

    def stdout(self, data: bytes) -> None:
        """Take bytes from the far side's standard output.

        Raises:
            TooMuchOutput, ListenerFailed: once, until `take` is called.
        """
        self._add("stdout", self._stdout, data)

    def stderr(self, data: bytes) -> None:
        """Take bytes from the far side's standard error; see `stdout`."""
        self._add("stderr", self._stderr, data)

    def _add(self, name: str, stream: bytearray, data: bytes) -> None:
        """Add to a stream. What comes beyond the limit is dropped; the first time, it raises."""
        self._received += len(data)
        room = self._limit - len(self._stdout) - len(self._stderr)
        stream += data[: max(room, 0)]
        if self.live is not None and room > 0 and not self._deaf:
            self._deaf = True
            tell("on_output", self.live, name, data[:room])
            self._deaf = False
        if len(data) > room and not self._over:
            self._over = True
            raise TooMuchOutput(f"it wrote more than {self._limit} bytes (output_limit)")

    def put_back(self, stdout: str, stderr: str) -> None:
        """Have the next `take` return, first, what an earlier one had."""
        self._stdout[:0], self._stderr[:0] = stdout.encode(), stderr.encode()

    def set_aside(self) -> tuple[str, str]:
        """Keep what has been written for `take_all`, apart from what is written next; return it."""
        if not (self._stdout or self._stderr):
            return "", ""
        taken = self.take()
        # Nobody may ever ask for it.
        kept = [(old + new)[-self._limit :] for old, new in zip(self._aside, taken, strict=True)]
        self._aside = (kept[0], kept[1])
        return taken

    def take_all(self) -> tuple[str, str]:
        """Return and forget what was set aside, and what has been written since."""
        self.set_aside()
        taken, self._aside = self._aside, ("", "")
        return taken

    def take(self, *, dying: bool = False) -> tuple[str, str]:
        """Return and forget what has been written, decoded as UTF-8 with replacement.

        Args:
            dying: whether the writer is being ended; what it still writes, up to the next call, is
                then dropped beyond the limit without raising.
        """
        if not self.capture:
            return "", ""
        taken = self._stdout.decode(errors="replace"), self._stderr.decode(errors="replace")
        self._over = dying
        self._deaf = self._deaf and dying
        self.taken = self._received
        self._stdout.clear()
        self._stderr.clear()
        return taken
