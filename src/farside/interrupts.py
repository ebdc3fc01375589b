"""Ctrl-C, let in only where the session can deal with it.

Python raises `KeyboardInterrupt` between any two bytecodes of the main thread: in the middle of an
allocator's update as well as in a wait. While a cell is on its way the session holds an
`InterruptGate`: a SIGINT is noted, and let in only in a *window*, which the session opens around
its waits for a child process. There are two kinds. The wait for the compiler may be broken off
anywhere, because that conversation is given up as a whole; there KeyboardInterrupt is raised at
once. The wait for the executor also serves its supervisor, with whom the conversation goes on, so
it is broken off only between messages: a descriptor becomes readable, on which it waits, too.
"""

from __future__ import annotations

# As `signal`, without its enumerations: those take longer than all else here.
import _signal  # type: ignore[import-not-found]
import os
import signal
import threading
from contextlib import contextmanager, suppress

from farside.annotations import TYPE_CHECKING
from farside.errors import SessionClosed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Literal, Protocol

    class Running(Protocol):
        """Python code that the program called, which is to end when the cell is interrupted."""

        @property
        def reason(self) -> str:
            """Why it is stopped already; empty if it is not."""

        def stop(self, reason: Literal["interrupt"]) -> None:
            """Stop it, from any thread."""

        def stop_here(self) -> None:
            """Stop it if it runs in this thread, by an exception."""


_INTERRUPT = bytes([signal.SIGINT])  # as Python writes it to the wake-up descriptor
_holding: dict[int, list[InterruptGate]] = {}  # by threads, the innermost last


class InterruptGate:
    """Holds SIGINT back outside of its windows; not re-entrant.

    Attributes:
        asked: whether the last wait's `gentle` was called.
        running: what an interrupt also stops: Python code that runs while the far side waits.

    Where the program has its own SIGINT handler, or the caller is not the main thread, the gate
    does nothing but pass `interrupt` on.
    """

    def __init__(self) -> None:
        self._pending = False
        self._open = False
        self._waiting = False
        self._installed = False
        self._gentle: Callable[[], None] | None = None
        self.asked = False
        self.running: Running | None = None
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._other_writer = -1

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold SIGINT back until the block ends; one that came too late for a window is dropped."""
        self.hold()
        try:
            yield
        finally:
            self.let_go()

    def hold(self) -> None:
        """Begin what `held` does; `let_go` ends it.

        Raises:
            SessionClosed: the gate is closed, as it is at the end of the interpreter.
        """
        if self._reader < 0:
            raise SessionClosed("this session was closed; start another")
        self._forget()
        thread = threading.get_ident()
        self._installed = (
            thread == threading.main_thread().ident
            and _signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._installed:
            _signal.signal(signal.SIGINT, self._on_sigint)
            # The kernel may give the signal to any thread, and only the descriptor wakes this one.
            self._other_writer = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        _holding.setdefault(thread, []).append(self)

    def let_go(self) -> None:
        """End what `hold` began, in the same thread."""
        thread = threading.get_ident()
        gates = _holding[thread]
        gates.remove(self)
        if not gates:
            _holding.pop(thread, None)
        if self._installed:
            signal.set_wakeup_fd(self._other_writer)
            _signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    def innermost(self, thread: int) -> InterruptGate:
        """Return the gate that a thread holds last; this one if it holds none.

        Code that the program called may use another session.
        """
        gates = _holding.get(thread)
        return gates[-1] if gates else self

    def catches(self, thread: int) -> bool:
        """Tell whether SIGINT, sent to a thread, comes to this gate."""
        return self._installed and thread == threading.main_thread().ident

    @contextmanager
    def window(self) -> Iterator[None]:
        """Let an interrupt in.

        Raises:
            KeyboardInterrupt: SIGINT arrived since the gate was closed, or inside the block.
        """
        self._open = True
        try:
            self._raise_pending()
            yield
        finally:
            self._open = False

    def wait(self, gentle: Callable[[], None] | None = None) -> Wait:
        """Let an interrupt in where the block's wait calls `deliver`.

        Args:
            gentle: called for the first interrupt inside the block, in place of the exception.

        Raises:
            KeyboardInterrupt: there was one since the gate was closed, or inside the block.
        """
        return Wait(self, gentle)

    def interrupt(self) -> None:
        """Stop what runs, from any thread, as SIGINT does from the terminal."""
        again = self._pending
        self._pending = True
        if self._writer >= 0:
            with suppress(BlockingIOError):  # full of the same
                os.write(self._writer, _INTERRUPT)
        if self.running is not None and self._takes_back(again):
            self.running.stop("interrupt")

    def _takes_back(self, again: bool) -> bool:
        """Tell whether an interrupt takes the cell back, and does not ask it to end first."""
        return self._gentle is None or self.asked or again

    def forget(self) -> None:
        """Drop an interrupt that has done what it was for."""
        self._forget()

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is an interrupt."""
        return self._reader

    def deliver(self) -> None:
        """Take note that the descriptor was readable.

        Raises:
            KeyboardInterrupt: this is a wait that can be broken off, or in a window.
        """
        if _INTERRUPT in self._drain():
            self._pending = True
        if self._open:
            self._raise_pending()
        if self._waiting and self._pending:
            self._forget()
            if self._gentle is None or self.asked:
                raise KeyboardInterrupt
            self.asked = True
            self._gentle()

    def close(self) -> None:
        """Give the descriptors back; may be called again."""
        if self._reader >= 0:
            os.close(self._reader)
            os.close(self._writer)
            self._reader = self._writer = -1

    def _raise_pending(self) -> None:
        if self._pending:
            self._forget()
            raise KeyboardInterrupt

    def _forget(self) -> None:
        self._drain()
        self._pending = False

    def _drain(self) -> bytes:
        """Read the numbers of the signals that came; hand others on to whom they are meant for."""
        data = b""
        with suppress(BlockingIOError):
            data = os.read(self._reader, 4096)
        others = data.replace(_INTERRUPT, b"")
        if others and self._other_writer >= 0:
            with suppress(OSError):
                os.write(self._other_writer, others)
        return data

    def _on_sigint(self, _signal: int, _frame: FrameType | None) -> None:
        again = self._pending
        self._pending = True
        if self._open:
            self._open = False
            self._forget()
            raise KeyboardInterrupt
        running = self.running
        if running is not None and (running.reason or self._takes_back(again)):
            running.stop_here()


class Wait:
    """A wait that an interrupt can break off, as a context; see `InterruptGate.wait`.

    It is no generator: each call from Python has one.
    """

    __slots__ = ("_gate", "_gentle")

    def __init__(self, gate: InterruptGate, gentle: Callable[[], None] | None) -> None:
        self._gate, self._gentle = gate, gentle

    def __enter__(self) -> None:
        gate = self._gate
        gate._gentle, gate.asked = self._gentle, False
        gate._raise_pending()
        gate._waiting = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._gate._waiting = False
