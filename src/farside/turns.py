"""Whose turn it is in a session: one operation at a time, in the process that started it."""

from __future__ import annotations

import os
import threading

from farside.annotations import TYPE_CHECKING
from farside.errors import SessionBusy, SessionClosed

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol

    class Gate(Protocol):
        """What holds Ctrl-C back."""

        def hold(self) -> None:
            """Begin."""

        def let_go(self) -> None:
            """End, in the same thread."""


FORKED = "this session belongs to another process, which forked this one"
_INSIST = 0.05  # seconds between interrupts of a cell that keeps a session from being closed


def check_process(process: int, failure: BaseException | None = None) -> None:
    """Let a fork that comes back from code of the user's not go on in its parent's place.

    Args:
        process: in which that code was called.
        failure: what it raised.

    Raises:
        SessionClosed: this is another process.
        SystemExit: so it is, and wants to end.
    """
    if os.getpid() != process:
        if isinstance(failure, SystemExit):
            raise failure
        raise SessionClosed(FORKED) from failure


class Turns:
    """Hands out turns until the last one.

    Attributes:
        process: the owner's.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._lock = threading.Lock()
        self._runs_in: int | None = None  # the thread that has the lock
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether it is somebody's turn."""
        return self._lock.locked()

    @property
    def forked(self) -> bool:
        """Whether this process is a fork of the owner: what the far side says is not for it."""
        return os.getpid() != self.process

    def take(self) -> None:
        """Take a turn for one operation; `give_back` ends it.

        Raises:
            SessionBusy: it is somebody else's.
            SessionClosed: there are none any more, or this process is a fork of the owner.
        """
        if self.forked:
            raise SessionClosed(FORKED)
        if not self._lock.acquire(blocking=False):
            if self._runs_in == threading.get_ident():
                raise SessionBusy(
                    "what the program calls while it runs (a Python callable, a display's handler)"
                    " cannot use the session that waits for it; return first"
                )
            self._check_open()
            raise SessionBusy(
                "another cell is running in this session; wait for it or interrupt it"
            )
        self._runs_in = threading.get_ident()
        if self._closed:
            self.give_back()
            self._check_open()

    def give_back(self) -> None:
        """End the turn that was taken."""
        self._runs_in = None
        self._lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise SessionClosed("this session was closed; start another")

    def last(self, interrupt: Callable[[], None]) -> bool:
        """Take the last turn, which `over` ends; interrupt what still runs.

        Returns:
            False if it was taken before, or is not this process's to take.

        Raises:
            SessionBusy: it is this very thread's turn, which was interrupted by a signal handler.
        """
        if self._closed or self.forked:
            return False
        if self._runs_in == threading.get_ident():
            raise SessionBusy("a session cannot be closed by what interrupts it; close it later")
        self._closed = True
        while not self._lock.acquire(timeout=_INSIST):
            interrupt()
        return True

    def over(self) -> None:
        """End the last turn."""
        self._lock.release()


class Turn:
    """One operation, with Ctrl-C held back outside of waits: a context for it.

    Calls take a large part of their time to begin and end, so this is no generator.
    """

    __slots__ = ("_gate", "_over", "_turns")

    def __init__(self, turns: Turns, gate: Gate, over: Callable[[], object]) -> None:
        """Prepare a turn.

        Args:
            turns: of which it is one.
            gate: holds Ctrl-C back meanwhile.
            over: is called at the end, whatever came of the operation.
        """
        self._turns, self._gate, self._over = turns, gate, over

    def __enter__(self) -> None:
        self._turns.take()
        try:
            self._gate.hold()
        except BaseException:
            self._turns.give_back()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if not self._turns.forked:
                self._over()
        finally:
            try:
                self._gate.let_go()
            finally:
                self._turns.give_back()
