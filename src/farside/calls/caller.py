"""Calls of C++ from Python, for one session.

For each function and kinds of arguments Clang compiles one small function, the stub
(`compiled.py`), which the far side then runs with the bytes of the arguments. `history.py` knows
what calls have done to the program, so that a crash takes back as few of them as can be.
"""

from __future__ import annotations

from functools import partial
from struct import Struct

from farside.annotations import TYPE_CHECKING, Any
from farside.calls.afterwards import Afterwards, check_apart, lost_arrays, told
from farside.calls.arguments import LETTERS, Argument, describe, letter_of
from farside.calls.callbacks import Callbacks
from farside.calls.compiled import Stub, Stubs, key_of, what_of, words_of
from farside.calls.history import History
from farside.calls.results import given, python_of
from farside.calls.wire import Encoder, Memory
from farside.errors import ArgumentMismatch, OptionError, SetupError
from farside.orc import bootstrap
from farside.remote.calls import NOTHING, Beside
from farside.verdict import exception_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from farside.api.values import ValueNames
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell, Compiler
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.remote.commit import RunOutcome
    from farside.rescue import Rescue
    from farside.result.output import Output

_CALL = "the call"
_PLAIN = frozenset(("variable", "function"))  # whose declaration changes no type
_RETURNED = "what a Python callable returned"  # of native/include/farside/call_callables.h
_ARGUMENT_ERROR = "farside::ArgumentError"


def _of_argument(callee: str, index: int, error: ArgumentMismatch) -> ArgumentMismatch:
    """Say of what has no form in C++ which argument it is."""
    return ArgumentMismatch(f"{callee}: argument {index + 1}: {error}", callee)


class Calls:
    """The calls of one session.

    Attributes:
        callbacks: the Python callables that the program knows.
        stubs: the compiled calls.
        history: what calls have done to the program.
    """

    def __init__(
        self,
        options: Options,
        compiler: Compiler,
        *,
        execution: ExecutionSession,
        rescue: Rescue,
        output: Output,
        gate: InterruptGate,
        names: ValueNames,
    ) -> None:
        self._options = options
        self._execution = execution
        self._rescue = rescue
        self._output = output
        self._gate = gate
        self._memory = Memory()
        self.callbacks = Callbacks(gate)
        self.stubs = Stubs(
            options, compiler, execution=execution, rescue=rescue, gate=gate, names=names
        )
        self.history = History(
            self.stubs, execution=execution, rescue=rescue, output=output, gate=gate
        )
        self.callbacks.blocks = lambda: execution.given
        execution.calls.on_callback = self.callbacks.answer

    # ------------------------------------------------------------------ a call

    def call(
        self,
        callee: str,
        arguments: Sequence[object],
        recovering: Callable[[str], AbstractContextManager[None]],
        *,
        alive: bool = False,
    ) -> Any:
        """Call something of the program's; see `farside.session.Session.call`."""
        self.callbacks.begin()
        try:
            return self._call(callee, arguments, recovering, alive=alive)
        finally:
            self.callbacks.end()

    def _call(
        self,
        callee: str,
        arguments: Sequence[object],
        recovering: Callable[[str], AbstractContextManager[None]],
        *,
        alive: bool,
    ) -> Any:
        letters = "".join(map(letter_of, arguments))
        if len(letters) == len(arguments) and not alive:
            stub = self.stubs.find(callee, letters)
            if stub is None:
                stub = self._make(callee, [describe(each) for each in arguments], recovering)
            assert stub.pack is not None
            outcome = self._run(stub, stub.pack(*arguments), recovering)
            if outcome.exception:
                raise self._exception(stub, outcome)
            if len(outcome.values) == 1:
                return python_of(*outcome.values[0], self._execution.given)
            return self.history.noted(given(outcome.values, self._execution.given)[0])
        self.history.check_values(arguments)
        described = []
        for index, each in enumerate(arguments):
            try:
                described.append(describe(each))
            except ArgumentMismatch as error:
                raise _of_argument(callee, index, error) from None
        return self._call_with(callee, described, arguments, recovering, alive=alive)

    def _call_with(
        self,
        callee: str,
        described: list[Argument],
        arguments: Sequence[object],
        recovering: Callable[[str], AbstractContextManager[None]],
        *,
        alive: bool,
    ) -> Any:
        check_apart(callee, described)
        stub = self.stubs.find(callee, key_of(described, alive))
        if stub is None:
            stub = self._make(callee, described, recovering, alive=alive)
        # What the same code serves is not always called the same.
        stub = stub._replace(what=what_of(callee, described))
        memory = self._memory if self._execution.calls.is_local else None
        self._memory.begin()
        encoder = Encoder(self.callbacks, memory)
        for index, (each, value) in enumerate(zip(described, arguments, strict=True)):
            if each.scalar:
                encoder.parts.append(Struct("<" + LETTERS[each.scalar]).pack(value))
                continue
            try:
                each.encode(encoder)
            except ArgumentMismatch as error:
                raise _of_argument(callee, index, error) from None
        payload = b"".join(encoder.parts)
        try:
            outcome = self._run(stub, payload, recovering, self._memory.used, arguments)
        except BaseException:
            # The program has lost what the call did, and with it any callable that this has kept.
            self._forget(described, arguments)
            raise
        afterwards = Afterwards(described, arguments, self._memory)
        if outcome.exception:
            lost = []
            if told(outcome.values):
                found = given(outcome.values[:-1], self._execution.given, callee)
                lost = afterwards.take(found[len(found) - afterwards.count :], self.callbacks)
            raised = self._exception(stub, outcome)
            if lost:
                raised.add_note(lost_arrays(callee, lost))
            try:
                raise raised
            finally:
                del raised  # or this frame and the exception would keep each other
        found = given(outcome.values, self._execution.given, callee)
        if lost := afterwards.take(found[1:], self.callbacks):
            raise ArgumentMismatch(lost_arrays(callee, lost), callee)
        return self.history.noted(found[0])

    def _forget(self, described: Sequence[Argument], arguments: Sequence[object]) -> None:
        for each, value in zip(described, arguments, strict=True):
            if each.key == "f":
                self.callbacks.returned(value, kept=False)  # type: ignore[arg-type]

    def _run(
        self,
        stub: Stub,
        payload: bytes,
        recovering: Callable[[str], AbstractContextManager[None]],
        beside: int = 0,
        arguments: Sequence[object] = (),
    ) -> RunOutcome:
        """Run a stub, with as many bytes of the memory beside: one message, one answer.

        Where somebody has ended the program and the news came only after the call was sent, as over
        a network, it had not begun it: it is brought back, and the call sent once more.
        """
        execution = self._execution
        called_back = self.callbacks.made
        execution.given.clear()  # what a call that threw has left

        def anew() -> RunOutcome:
            nonlocal stub
            stub = self.stubs.there(stub)
            # The objects that it is about may not have come back.
            self.history.check_code(stub.what)
            self.history.check_values(arguments)
            return self._send(stub, payload, beside)

        with recovering(stub.what):
            outcome = self._rescue.unless_begun(
                _CALL,
                partial(self._send, stub, payload, beside),
                anew,
                self.history.make_again,
            )
        again = not beside and called_back == self.callbacks.made
        self.history.note(stub, payload if again else None, outcome)
        return outcome

    def _send(self, stub: Stub, payload: bytes, beside: int) -> RunOutcome:
        execution = self._execution
        gentle = execution.ask_to_end if self._options.on_interrupt == "keep" else None
        with self._gate.wait(gentle):
            self.history.keep_state()
            return execution.calls.call(
                execution.platform.jitdylib("main").header,
                stub.address,
                payload,
                Beside(self._memory.descriptor, beside) if beside else NOTHING,
                self._options.time_limit,
            )

    def _exception(self, stub: Stub, outcome: RunOutcome) -> BaseException:
        """Return what a call raises whose function threw."""
        raised = self.callbacks.raised(outcome)
        if raised is not None:
            return raised
        if outcome.exception_type == _ARGUMENT_ERROR:
            callee = stub.what.removeprefix("call of ")
            nothing = "" if _RETURNED in str(outcome.what) else "; nothing was called"
            return ArgumentMismatch(f"{callee}: {outcome.what}{nothing}", callee)
        error = exception_of(stub.what, outcome)
        error.stdout, error.stderr = self._output.take()
        return error

    # ------------------------------------------------------------------ its stub

    def _make(
        self,
        callee: str,
        described: list[Argument],
        recovering: Callable[[str], AbstractContextManager[None]],
        *,
        alive: bool = False,
    ) -> Stub:
        """Compile and link the stub of a call.

        Raises:
            CallError: Clang refuses the call.
            OptionError: the session's language has no calls from Python.
        """
        if self._options.language != "c++":
            raise OptionError("calls from Python need a session of C++ (language)")
        with recovering(what_of(callee, described)):
            with self._gate.wait():
                _ = self._execution.platform  # waits for the executor
            if not self._execution.calls.offers(bootstrap.CALL):
                raise SetupError("This executor does not offer calls from Python (farside_call).")
            return self._rescue.prepared(
                _CALL,
                partial(self.stubs.make, callee, described, alive=alive),
                self.history.make_again,
            )

    def declared(self, compiled: CompiledCell, code: str) -> None:
        """Forget what a new cell may have made wrong: stubs and objects whose names it declares."""
        any_name = "#" in code or "using" in code or "namespace" in code
        if not compiled.declared and not any_name:
            return
        declared = {word for each in compiled.declared for word in words_of(each.name)}
        types = any(each.kind not in _PLAIN for each in compiled.declared)
        # What a name in an argument's type or of a member means may be another thing now.
        if any_name or types:
            self.stubs.clear()
        else:
            self.stubs.forget(declared)
        # A header may declare the types of objects once more, which are the same.
        self.history.forget_declared(declared, types=types and "#" not in code)

    def close(self) -> None:
        """Give back what the calls hold."""
        self.callbacks.stopping.close()
        self._memory.close()
        self.stubs.clear()
