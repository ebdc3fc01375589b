"""Ctrl-C, let in only where the session can deal with it.

Python raises `KeyboardInterrupt` between any two bytecodes of the main thread: in the middle of an
allocator's update as well as in a wait. While a cell is on its way the session holds a
`InterruptGate`: a SIGINT is noted, and raised only inside a *window*, which the session opens
around its waits for a child process. What a window interrupts is a conversation that the session
then gives up (the compiler goes back to a snapshot, the executor is killed), so nothing is left
half done.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
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
        self._installed = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold SIGINT back until the block ends; one that came too late for a window is dropped."""
        self._pending = False
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
                self._pending = False
                raise KeyboardInterrupt
            yield
        finally:
            self._open = False

    def _on_sigint(self, _signal: int, _frame: FrameType | None) -> None:
        if self._open:
            self._open = False
            raise KeyboardInterrupt
        self._pending = True
