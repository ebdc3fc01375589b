"""Python callables that the program calls.

The program knows them by number. A call back comes while the near side waits for a call or a cell
and is answered on the spot, on the thread that waits. What the callable raises travels as its class
and text, and is kept here: where nothing in C++ catches it, the call raises the very object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from farside.calls.results import given
from farside.calls.wire import Encoder
from farside.errors import InternalError
from farside.orc import sps

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.remote.commit import RunOutcome
    from farside.result.python import Blocks

_ARGUMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.BYTES))
_TYPE = "farside::PythonError"
_MOST_RAISED = 64


class Callbacks:
    """The callables of one session.

    Attributes:
        made: how many calls back there were.
        running: whether one is running now.
    """

    def __init__(self) -> None:
        self._functions: dict[int, Callable[..., Any]] = {}
        self._numbers: dict[int, int] = {}
        self._last = 0
        self._raised: list[tuple[str, BaseException]] = []
        self.blocks: Callable[[], Blocks | None] = lambda: None
        self.made = 0
        self.running = False

    def number(self, function: Callable[..., Any]) -> int:
        """Return the number under which the program calls a function."""
        known = self._numbers.get(id(function))
        if known is not None:
            return known
        self._last += 1
        self._functions[self._last] = function
        self._numbers[id(function)] = self._last
        return self._last

    def forget(self, function: Callable[..., Any]) -> None:
        """Forget a function that the program cannot call any more."""
        number = self._numbers.pop(id(function), None)
        if number is not None:
            del self._functions[number]

    def begin(self) -> None:
        """Begin a call: what earlier callbacks raised is done with."""
        self._raised.clear()

    def answer(self, payload: bytes) -> bytes:
        """Answer a call back."""
        self.made += 1
        outer, self.running = self.running, True
        try:
            number, values = sps.unpack((sps.U64, _ARGUMENTS), payload)
            arguments = given(list(values), self.blocks())
            function = self._functions.get(number)
            if function is None:
                return _error("RuntimeError", "this Python callable is not known any more")
            encoder = Encoder(self, None)
            encoder.value(function(*arguments))
            reply = b"".join((b"\0", *encoder.parts))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: the far side waits for an answer
            return self._note(error)
        finally:
            self.running = outer
        return reply

    def _note(self, error: BaseException) -> bytes:
        kind, text = type(error).__name__, _text_of(error)
        self._raised.append((f"{kind}: {text}" if text else kind, error))
        del self._raised[:-_MOST_RAISED]
        return _error(kind, text)

    def raised(self, outcome: RunOutcome) -> BaseException | None:
        """Return the exception that came through the program, if one of Python's ended the call."""
        if outcome.exception_type != _TYPE:
            return None
        for what, error in reversed(self._raised):
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
