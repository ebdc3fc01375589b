"""Python callables that the program calls.

The program knows them by number. A call back comes while the near side waits for a call or a cell
and is answered on the spot, on the thread that waits. What the callable raises travels as its class
and text, and is kept here: where nothing in C++ catches it, the call raises the very object.
"""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING, Any
from farside.calls.results import given
from farside.calls.stopping import Stopping
from farside.calls.wire import Encoder
from farside.errors import InternalError
from farside.orc import sps
from farside.turns import check_process

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.interrupts import InterruptGate
    from farside.remote.commit import RunOutcome
    from farside.result.python import Blocks

_ARGUMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.BYTES))
_TYPE = "farside::PythonError"
_MOST_RAISED = 64


class Callbacks:
    """The callables of one session.

    Attributes:
        made: how many calls back there were.
        stopping: stops one that does not return.
    """

    def __init__(self, gate: InterruptGate) -> None:
        self.stopping = Stopping(gate)
        self._functions: dict[int, Callable[..., Any]] = {}
        self._numbers: dict[int, int] = {}
        self._kept: set[int] = set()  # by the program
        self._last = 0
        self._raised: list[tuple[str, BaseException]] | None = None  # while a call runs
        self.blocks: Callable[[], Blocks | None] = lambda: None
        self.made = 0

    def number(self, function: Callable[..., Any]) -> int:
        """Return the number under which the program calls a function."""
        known = self._numbers.get(id(function))
        if known is not None:
            return known
        self._last += 1
        self._functions[self._last] = function
        self._numbers[id(function)] = self._last
        return self._last

    def returned(self, function: Callable[..., Any], *, kept: bool) -> None:
        """Forget a function that was an argument, unless this call or one before has kept it."""
        number = self._numbers.get(id(function))
        if number is None or number in self._kept:
            return
        if kept:
            self._kept.add(number)
        else:
            del self._numbers[id(function)], self._functions[number]

    def begin(self) -> None:
        """Begin a call: what callbacks raise until its end is kept."""
        self._raised = []

    def end(self) -> None:
        """End the call: what callbacks raised is done with.

        An exception that stayed would keep the session, which its traceback leads to: whatever ends
        the program of a session that nobody has any more is kept until then, and leads here.
        """
        self._raised = None

    def answer(self, payload: bytes, deadline: float | None = None) -> bytes:
        """Answer a call back.

        Args:
            payload: what the program sent.
            deadline: of `time.monotonic`, by when the call that waits is to be over.

        Raises:
            KeyboardInterrupt: the callable was interrupted, or raised it.
            SessionClosed, SystemExit: it forked, and this is the child.
            TimedOut: it was not over in time.
        """
        self.made += 1
        try:
            number, values = sps.unpack((sps.U64, _ARGUMENTS), payload)
            arguments = given(list(values), self.blocks())
        except BaseException as error:
            return self._note(error)
        function = self._functions.get(number)
        if function is None:
            return _error("RuntimeError", "this Python callable is not known any more")
        stopping, process = self.stopping, os.getpid()
        failure: BaseException | None = None
        reply = b""
        try:
            try:
                stopping.begin(deadline)
                encoder = Encoder(self, None)
                encoder.value(function(*arguments))
                reply = b"".join((b"\0", *encoder.parts))
            finally:
                stopping.end()
        except BaseException as error:  # SystemExit, too: the far side waits for an answer
            failure = error
            stopping.end()  # again: it may have been stopped on its way there
        try:
            check_process(process, failure)
            stopping.check()
            if isinstance(failure, KeyboardInterrupt):
                raise failure
            return self._note(failure) if failure is not None else reply
        finally:
            failure = None  # whose traceback has this frame

    def _note(self, error: BaseException) -> bytes:
        kind, text = type(error).__name__, _text_of(error)
        if self._raised is not None:
            self._raised.append((f"{kind}: {text}" if text else kind, error))
            del self._raised[:-_MOST_RAISED]
        return _error(kind, text)

    def raised(self, outcome: RunOutcome) -> BaseException | None:
        """Return the exception that came through the program, if one of Python's ended the call."""
        if outcome.exception_type != _TYPE:
            return None
        for what, error in reversed(self._raised or ()):
            if what == outcome.what:
                return error
        return None


def _text_of(error: BaseException) -> str:
    try:
        return str(error).encode(errors="replace").decode()[:4096].replace("\0", " ")
    except Exception:
        return ""


def _error(kind: str, text: str) -> bytes:
    encoder = Encoder(_NoCallables(), None)
    out = b"\1"
    for each in (kind, text):
        encoder.parts.clear()
        encoder.value(each)
        out += b"".join(encoder.parts)[1:]  # without the tag
    return out


class _NoCallables:
    def number(self, function: Callable[..., Any]) -> int:
        raise InternalError("an error's class and text hold no callable")
