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

import os
import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


class InterruptGate:
    """Holds SIGINT back outside of its windows; not re-entrant.

    Where the program has its own SIGINT handler, or the caller is not the main thread, the gate
    does nothing but pass `interrupt` on.
    """

    def __init__(self) -> None:
        self._pending = False
        self._open = False
        self._waiting = False
        self._installed = False
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold SIGINT back until the block ends; one that came too late for a window is dropped."""
        self._forget()
        self._installed = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._installed:
            signal.signal(signal.SIGINT, self._on_sigint)
        try:
            yield
        finally:
            if self._installed:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                self._installed = False

    @contextmanager
    def window(self) -> Iterator[None]:
        """Let an interrupt in.

        Raises:
            KeyboardInterrupt: SIGINT arrived since the gate was closed, or inside the block.
        """
        self._open = True
        try:
            if self._pending:
                self._forget()
                raise KeyboardInterrupt
            yield
        finally:
            self._open = False

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Let an interrupt in where the block's wait calls `deliver`.

        Raises:
            KeyboardInterrupt: there was one since the gate was closed, or inside the block.
        """
        self._waiting = True
        try:
            if self._pending:
                self._forget()
                raise KeyboardInterrupt
            yield
        finally:
            self._waiting = False

    def interrupt(self) -> None:
        """Stop what runs, from any thread, as SIGINT does from the terminal."""
        self._pending = True
        if self._event >= 0:
            os.eventfd_write(self._event, 1)

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is an interrupt."""
        return self._event

    def deliver(self) -> None:
        """Take note that the descriptor was readable.

        Raises:
            KeyboardInterrupt: this is a wait that can be broken off.
        """
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)
        if self._waiting and self._pending:
            self._forget()
            raise KeyboardInterrupt

    def close(self) -> None:
        """Give the descriptor back; may be called again."""
        if self._event >= 0:
            os.close(self._event)
            self._event = -1

    def _forget(self) -> None:
        self._pending = False
        with suppress(BlockingIOError):
            os.eventfd_read(self._event)

    def _on_sigint(self, _signal: int, _frame: FrameType | None) -> None:
        if self._open:
            self._open = False
            raise KeyboardInterrupt
        self.interrupt()
