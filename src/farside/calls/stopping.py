"""How a Python callable that the program called, and that does not return, is stopped.

It runs in the thread that waits for the program, so whoever wants it to end is another thread, or a
signal handler. Python knows two ways to raise an exception in code that runs: a signal handler in
the main thread, which also ends waits in C such as ``time.sleep``, and, in any thread,
``PyThreadState_SetAsyncExc``, which comes true at the next bytecode. Both may come a
moment too late; so they are let go under a lock that says whether the callable still runs, and what
is still on its way when it has ended is called back or caught. And a signal may come a moment too
early: between the last bytecode before a wait in C and the wait, which then goes on as if nothing
had happened. So it is sent again until its handler has run.
"""

from __future__ import annotations

import signal
import threading
import time
import weakref

from farside.annotations import TYPE_CHECKING, Literal
from farside.errors import TimedOut

if TYPE_CHECKING:
    from farside.interrupts import InterruptGate

Reason = Literal["", "interrupt", "time"]

_AGAIN = 1.0  # seconds until one that goes on after its time limit is stopped again
_RESEND = 0.1  # seconds until a signal whose handler has not run is sent again


class Stopped(KeyboardInterrupt):
    """Raised in a Python callable whose call is interrupted, or takes too long."""


class Stopping:
    """Stops the callables of one session, of which one runs at a time.

    Attributes:
        reason: why the present one is stopped; empty if it is not.
    """

    def __init__(self, gate: InterruptGate) -> None:
        self.reason: Reason = ""
        self._gate = gate
        # A signal handler may stop what just ends, in the same thread.
        self._lock = threading.RLock()
        self._thread = 0  # in which one runs
        self._deadline: float | None = None
        self._sent_at: float | None = None  # a signal whose handler has not run
        self._watching = False
        self._closed = threading.Event()
        gate.running = self

    def begin(self, deadline: float | None) -> None:
        """Note that this thread is about to run a callable.

        Args:
            deadline: of `time.monotonic`, None for none.
        """
        self.reason = ""
        self._deadline = deadline
        self._sent_at = None
        self._thread = threading.get_ident()
        if deadline is not None:
            self._watch()

    def _watch(self) -> None:
        if not self._watching:
            self._watching = True
            threading.Thread(
                target=_watch, args=(weakref.ref(self), self._closed), daemon=True
            ).start()

    def end(self) -> None:
        """Note that it has ended. May be called again."""
        while True:
            try:
                with self._lock:
                    self._thread = 0
                    if self.reason:
                        _raise_in(threading.get_ident(), None)
                return
            except Stopped:
                continue

    def check(self) -> None:
        """Raise what the call ends with, if its callable was stopped, whatever that made of it.

        Raises:
            KeyboardInterrupt: it was interrupted.
            TimedOut: it took too long.
        """
        if self.reason:
            self._gate.forget()
        if self.reason == "interrupt":
            raise KeyboardInterrupt
        if self.reason == "time":
            raise TimedOut("A Python callable did not return in the time that the call was given.")

    def stop(self, reason: Reason) -> None:
        """Stop what runs, if anything does; from any thread."""
        with self._lock:
            thread = self._thread
            if not thread:
                return
            self.reason = self.reason or reason
            inner = self._gate.innermost(thread)
            if inner is not self._gate:
                inner.interrupt()  # it waits in another session, which ends with order
            elif self._gate.catches(thread):
                self._sent_at = time.monotonic()
                signal.pthread_kill(thread, signal.SIGINT)
                self._watch()
            else:
                _raise_in(thread, Stopped)

    def stop_here(self) -> None:
        """Stop what runs in this very thread; for a signal handler.

        Raises:
            Stopped: it does.
        """
        if self._thread == threading.get_ident():
            self._sent_at = None
            self.reason = self.reason or "interrupt"
            inner = self._gate.innermost(self._thread)
            if inner is self._gate:
                raise Stopped
            inner.interrupt()

    def close(self) -> None:
        """Let the thread go that looks at the time; may be called again."""
        self._closed.set()

    __del__ = close

    def look(self) -> float | None:
        """Stop what has run too long, or did not notice; return in how many seconds to look again.

        None where nothing runs: the next that begins has it looked at again.
        """
        with self._lock:
            now = time.monotonic()
            if self._thread and self._sent_at is not None:
                if now >= self._sent_at + _RESEND:
                    self.stop(self.reason)
                return _RESEND
            if not self._thread or self._deadline is None:
                self._watching = False
                return None
            left = self._deadline - now
            if left > 0:
                return min(left, _AGAIN)
            self.stop("time")
            return _AGAIN


def _watch(stopping: weakref.ref[Stopping], closed: threading.Event) -> None:
    """Look at the time as long as callables run now and then."""
    while (alive := stopping()) is not None:
        wait = alive.look()
        del alive
        if wait is None or closed.wait(wait):
            return


def _raise_in(thread: int, error: type[BaseException] | None) -> None:
    """Have a thread raise an exception at its next bytecode, or call one back that it has not."""
    import ctypes

    given = None if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), given)
