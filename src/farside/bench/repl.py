"""Prompts without a prompt: farside and its peers as programs that read cells from a pipe.

All are driven in the same way: cells are written to standard input, and the time is taken until
what the last of them prints arrives. Standard output is a pseudo-terminal, so that the C library
of whichever process prints writes each line at once, and no cell has to declare `fflush`.
"""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import tty
from time import monotonic, perf_counter

from farside.annotations import TYPE_CHECKING
from farside.bench.rows import PeerFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # colours, which Cling writes whatever it is told
_PATIENCE = 60.0
_ENDING = 5.0
_READ = 1 << 16


def announce(mark: str) -> str:
    """Return an expression that prints a line; it needs no header and declares nothing."""
    return f'__builtin_printf("{mark}\\n")'


class Repl:
    """One running program.

    A context manager. Everything that the program starts is ended with it.

    Attributes:
        pid: the process that was started.
    """

    def __init__(self, command: Sequence[str], cwd: str | None = None) -> None:
        near, far = pty.openpty()
        tty.setraw(far)
        quiet = {"NO_COLOR": "1", "TERM": "dumb"}
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=far,
                stderr=far,
                env={**os.environ, **quiet},
                cwd=cwd,
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            os.close(near)
            raise PeerFailed(f"cannot be run: {error.strerror}") from error
        finally:
            os.close(far)
        self.pid = self._process.pid
        self._near = near
        self._marks = 0

    def run(self, *lines: str, patience: float = _PATIENCE, faults: bool = False) -> float:
        """Send lines, `{mark}` in them replaced by what prints a new mark; return the seconds
        until the mark is printed.

        Args:
            lines: cells; a line that ends with a backslash goes on in the next.
            patience: seconds after which the program is taken to hang.
            faults: whether errors that are printed before the mark are expected.

        Raises:
            PeerFailed: it ended, hangs, or printed an error.
        """
        self._marks += 1
        mark = f"mark {self._marks}."
        text = "\n".join(lines).replace("{mark}", announce(mark)) + "\n"
        return self.send(text, f"{mark}\n", patience=patience, faults=faults)

    def send(
        self, text: str, expected: str, *, patience: float = _PATIENCE, faults: bool = False
    ) -> float:
        """Send text and return the seconds until `expected` is printed; see `run`."""
        started = perf_counter()
        self.converse(text, expected, patience, faults=faults)
        return perf_counter() - started

    def converse(
        self, text: str, expected: str, patience: float = _PATIENCE, *, faults: bool = False
    ) -> bytes:
        """Send text and return what is printed until `expected` is; see `run`."""
        goal = expected.encode()
        waiting = memoryview(text.encode())
        deadline = monotonic() + patience
        seen = b""
        assert self._process.stdin is not None
        pipe = self._process.stdin.fileno()
        os.set_blocking(pipe, False)
        while goal not in seen:
            writers = [pipe] if waiting else []
            left = max(0.0, deadline - monotonic())
            ready, writable, _ = select.select([self._near], writers, [], left)
            if not ready and not writable:
                raise PeerFailed(f"no answer within {patience:.0f} s")
            if writable:
                try:
                    waiting = waiting[os.write(pipe, waiting) :]
                except BrokenPipeError:
                    raise PeerFailed(self._how_it_ended()) from None
            if ready:
                try:
                    piece = os.read(self._near, _READ)
                except OSError:  # EIO: nobody has the other end any more
                    piece = b""
                if not piece:
                    raise PeerFailed(self._how_it_ended())
                seen += piece
                if not faults and goal not in seen and b"error:" in seen:
                    raise PeerFailed(_complaint(seen))
        return seen

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            return "stopped talking"
        if status < 0:
            return f"ended by {signal.Signals(-status).name}: the session is lost"
        return f"ended with status {status}: the session is lost"

    def end(self) -> float:
        """Close standard input and return the seconds until the process has ended.

        Raises:
            PeerFailed: it did not end.
        """
        started = perf_counter()
        assert self._process.stdin is not None
        self._process.stdin.close()
        deadline = monotonic() + _PATIENCE
        while self._process.poll() is None:
            # What it still prints must be taken from it.
            ready, _, _ = select.select([self._near], [], [], max(0.0, deadline - monotonic()))
            if not ready:
                raise PeerFailed("did not end")
            try:
                if not os.read(self._near, _READ):
                    break
            except OSError:
                break
        try:
            self._process.wait(max(0.1, deadline - monotonic()))
        except subprocess.TimeoutExpired:
            raise PeerFailed("did not end") from None
        return perf_counter() - started

    def close(self) -> None:
        """End the program and all that it started, however it is."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self._near >= 0:
            os.close(self._near)
            self._near = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDING)
        # An executor of clang-repl's stays when its controller has gone.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _complaint(seen: bytes) -> str:
    text = _ESCAPE.sub("", seen.decode(errors="replace"))
    lines = [line for line in text.splitlines() if "error:" in line]
    return lines[0].strip()[:120]
