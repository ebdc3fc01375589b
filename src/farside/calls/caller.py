"""Calls of C++ from Python, for one session.

For each function and kinds of arguments Clang compiles one small function, the **stub**
(`stub.py`), which the far side then runs with the bytes of the arguments. The compiler forgets the
stub at once: it goes back to the state after the last cell, so stubs are no part of the session's
history, of its file, or of what a recovery compiles again. What stays is the linked image.

**States.** A fork after each call would cost more than the call. Before a call the state is kept if
there were calls since the last kept state and that was more than `_PAUSE` ago. After a crash the
calls made since then, `_PAUSE` worth of work at most, are made again from their bytes, so that the
program comes back as it was before the call that crashed. Calls that cannot be made again (they
called back, or had large arrays) end the list; those are named as taken back.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import islice, product
from struct import Struct
from time import monotonic
from typing import TYPE_CHECKING, Any

from farside.calls.afterwards import Afterwards, check_apart, lost_arrays, told
from farside.calls.arguments import LETTERS, MADE, TEXT_POINTER, Argument, Form, describe, letter_of
from farside.calls.callbacks import Callbacks
from farside.calls.results import given, python_of
from farside.calls.stub import (
    check_deduced,
    check_pointers,
    converted,
    forwarded,
    keeps_number,
    may_try_again,
    narrowings,
    null_for_text,
    only_cast,
    overridden,
    refusal,
    stub_text,
    taken_arrays,
    written,
)
from farside.calls.wire import Encoder, Memory
from farside.errors import (
    ArgumentMismatch,
    CallError,
    CompileError,
    FarsideError,
    OptionError,
    SetupError,
    ValueGone,
)
from farside.orc import bootstrap
from farside.records import NamedTuple
from farside.recovery.sentences import NO_STATE_AFTER
from farside.remote.calls import NOTHING, Beside
from farside.result.value import Value
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
    from farside.result.python import Blocks

_CALL = "the call"
_MOST_ATTEMPTS = 6
_PAUSE = 0.02  # seconds between two states that are kept in a burst of calls
_LONGEST = 2.0  # seconds of calls that are made again
_MOST_AGAIN = 10_000
_PATIENCE = 10  # times what a call took, and a second, for making it again
_PLAIN = frozenset(("variable", "function"))  # whose declaration changes no type
_WORD = re.compile(r"[A-Za-z_]\w*")
_VARIABLE_TYPE = "decltype("  # in the names of objects: farside/result/living.py
_FUNCTION = "farside::wire::Function"
_RETURNED = "what a Python callable returned"  # of native/include/farside/call_callables.h
_ARGUMENT_ERROR = "farside::ArgumentError"


class Stub(NamedTuple):
    """A compiled call.

    Attributes:
        image: the name of its image.
        symbol: of its function.
        address: of its function.
        object_bytes: the object, to link it again.
        what: is called, for messages.
        words: the names that the callee's text mentions.
        pack: makes the bytes where all arguments are plain numbers.
    """

    image: str
    symbol: str
    address: int
    object_bytes: bytes
    what: str
    words: frozenset[str]
    pack: Callable[..., bytes] | None


class Made(NamedTuple):
    """A call that was made since the last kept state, or the one before; None if not again.

    `cell` is the newest at that time: calls do not mix with cells that are run again. `after` is
    the number of the state that was the last to be kept.
    """

    stub: Stub
    payload: bytes | None
    seconds: float
    cell: int
    threw: str
    after: int


def _of_argument(callee: str, index: int, error: ArgumentMismatch) -> ArgumentMismatch:
    """Say of what has no form in C++ which argument it is."""
    return ArgumentMismatch(f"{callee}: argument {index + 1}: {error}", callee)


class Calls:
    """The calls of one session.

    Attributes:
        callbacks: the Python callables that the program knows.
        compiled: how many stubs were compiled.
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
        self._compiler = compiler
        self._execution = execution
        self._rescue = rescue
        self._output = output
        self._gate = gate
        self._stubs: dict[tuple[str, str], Stub] = {}
        self._number = 0
        self._memory = Memory()
        self._since: list[Made] = []
        self._kept_at = 0.0
        self._states = execution.calls.states_kept
        self._alive: dict[str, int] = {}  # objects by name, with the number of states before them
        self._names = names
        self.callbacks = Callbacks(gate)
        self.compiled = 0
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
            stub = self._find(callee, letters)
            if stub is None:
                stub = self._make(callee, [describe(each) for each in arguments], recovering)
            assert stub.pack is not None
            outcome = self._run(stub, stub.pack(*arguments), recovering)
            if outcome.exception:
                raise self._exception(stub, outcome)
            if len(outcome.values) == 1:
                return python_of(*outcome.values[0], self._blocks())
            return self._noted(given(outcome.values, self._blocks())[0])
        for each in arguments:
            if isinstance(each, Value):
                self._check_alive(each)
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
        stub = self._find(callee, _key(described, alive))
        if stub is None:
            stub = self._make(callee, described, recovering, alive=alive)
        # What the same code serves is not always called the same.
        stub = stub._replace(what=_what(callee, described))
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
                found = given(outcome.values[:-1], self._blocks(), callee)
                lost = afterwards.take(found[len(found) - afterwards.count :], self.callbacks)
            raised = self._exception(stub, outcome)
            if lost:
                raised.add_note(lost_arrays(callee, lost))
            try:
                raise raised
            finally:
                del raised  # or this frame and the exception would keep each other
        found = given(outcome.values, self._blocks(), callee)
        if lost := afterwards.take(found[1:], self.callbacks):
            raise ArgumentMismatch(lost_arrays(callee, lost), callee)
        return self._noted(found[0])

    def _noted(self, result: Any) -> Any:
        """Return what a call gave; where it is an object that lives on, note since when."""
        self.note_living(self._states)
        if isinstance(result, Value) and result.name:
            self._alive[result.name] = self._states
        return result

    def note_living(self, states: int) -> None:
        """Note the objects that came within a value and live on, and how many states are older."""
        for name in self._execution.given.take_living():
            self._alive[name] = states

    def _check_alive(self, value: Value) -> None:
        """Make sure that an object that a call made is there.

        Raises:
            ValueGone: it was taken back.
        """
        if value.name.startswith("(*") and value.name not in self._alive:
            raise _gone(value.name, value.type)

    def check_code(self, code: str) -> None:
        """Make sure that the objects that C++ code mentions are there.

        Raises:
            ValueGone: one was taken back, or belongs to another session.
        """
        for found in MADE.finditer(code):
            if found.group() not in self._alive:
                raise _gone(found.group(), found.group(1))

    def _forget(self, described: Sequence[Argument], arguments: Sequence[object]) -> None:
        for each, value in zip(described, arguments, strict=True):
            if each.key == "f":
                self.callbacks.returned(value, kept=False)  # type: ignore[arg-type]

    def _find(self, callee: str, key: str) -> Stub | None:
        stub = self._stubs.get((callee, key))
        return stub if stub is not None and stub.image in self._execution.images() else None

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
            stub = self._there(stub)
            self._check_arguments(stub, arguments)
            return self._send(stub, payload, beside)

        with recovering(stub.what):
            outcome = self._rescue.unless_begun(
                _CALL,
                partial(self._send, stub, payload, beside),
                anew,
                self._make_again_after,
            )
        again = None if beside or called_back != self.callbacks.made else payload
        cell = self._rescue.journal.last_cell
        took = outcome.nanoseconds * 1e-9
        self._since.append(Made(stub, again, took, cell, outcome.exception_type, self._states))
        return outcome

    def _send(self, stub: Stub, payload: bytes, beside: int) -> RunOutcome:
        execution = self._execution
        with self._gate.wait(self._gentle()):
            self._keep_state()
            return execution.calls.call(
                execution.platform.jitdylib("main").header,
                stub.address,
                payload,
                Beside(self._memory.descriptor, beside) if beside else NOTHING,
                self._options.time_limit,
            )

    def _make_again_after(self, error: FarsideError) -> None:
        if self._execution.calls.went_back is not None:
            self.make_again(error)
        self._execution.calls.went_back = None

    def _there(self, stub: Stub) -> Stub:
        """Return a stub where it lies now, placed again if it has gone with a state."""
        there = stub.image in self._execution.images()
        address = self._execution.address_of(stub.symbol) if there else self._link(stub)
        assert address is not None
        if address == stub.address:
            return stub
        moved = stub._replace(address=address)
        for key, known in self._stubs.items():
            if known.image == stub.image:
                self._stubs[key] = moved
        return moved

    def _check_arguments(self, stub: Stub, arguments: Sequence[object]) -> None:
        """Make sure that the objects that a call is about came back with the program."""
        self.check_code(stub.what)
        for each in arguments:
            if isinstance(each, Value):
                self._check_alive(each)

    def _blocks(self) -> Blocks | None:
        """Return the memory that large values of the last call came in."""
        return self._execution.given

    def _gentle(self) -> Callable[[], None] | None:
        return self._execution.ask_to_end if self._options.on_interrupt == "keep" else None

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

    # ------------------------------------------------------------------ making stubs

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
        what = _what(callee, described)
        with recovering(what):
            with self._gate.wait():
                _ = self._execution.platform  # waits for the executor
            if not self._execution.calls.offers(bootstrap.CALL):
                raise SetupError("This executor does not offer calls from Python (farside_call).")

            def prepare() -> Stub:
                compiled, symbol = self._compile(callee, described, alive)
                return self._place(callee, described, compiled.object or b"", symbol, what)

            stub = self._rescue.prepared(_CALL, prepare, self._make_again_after)
        self._stubs[callee, _key(described, alive)] = stub
        return stub

    def _place(
        self, callee: str, described: list[Argument], content: bytes, symbol: str, what: str
    ) -> Stub:
        image = symbol.removeprefix("__farside_").replace("_", " ")
        scalars = [each.scalar for each in described]
        letters = "".join([LETTERS.get(each, "") for each in scalars])
        pack = Struct("<" + letters).pack if all(scalars) else None
        words = frozenset(_WORD.findall(callee))
        stub = Stub(image, symbol, 0, content, what, words, pack)
        return stub._replace(address=self._link(stub))

    def _link(self, stub: Stub) -> int:
        """Place a stub in the program; return the address of its function."""
        from farside.object import parse_object

        with self._gate.wait():
            parsed = parse_object(stub.object_bytes, stub.image)
            linked = self._execution.link([parsed], stub.image)
            self._execution.commit(linked)
        self._rescue.note()
        address = self._execution.address_of(stub.symbol)
        assert address is not None
        return address

    def _compile(
        self, callee: str, described: list[Argument], alive: bool
    ) -> tuple[CompiledCell, str]:
        """Compile a stub, with the best forms of its arguments that Clang accepts."""
        choices = sorted(
            islice(product(*(range(len(each.forms)) for each in described)), 64),
            key=lambda chosen: (max(chosen, default=0), sum(chosen)),
        )
        first: CallError | CompileError | None = None
        for chosen in choices[:_MOST_ATTEMPTS]:
            forms = [each.forms[index] for each, index in zip(described, chosen, strict=True)]
            try:
                compiled, symbol, error = self._attempt(callee, described, forms, alive)
            except ArgumentMismatch:
                # What is wrong with None the first attempt has said.
                if first is not None and any(each.said == "None" for each in described):
                    raise first from None
                raise
            if error is None:
                return compiled, symbol
            if first is None or any(_FUNCTION in each.message for each in first.diagnostics):
                first = error  # a template is given a callable as another class
            if not may_try_again(compiled.diagnostics):
                break
        assert first is not None
        raise first

    def _attempt(
        self, callee: str, described: list[Argument], forms: list[Form], alive: bool
    ) -> tuple[CompiledCell, str, CallError | CompileError | None]:
        """Compile a stub; once more where numbers might be cut to what the parameter holds."""
        narrowed: dict[int, str] = {}
        said = [each.said for each in described]
        accepted: tuple[CompiledCell, str] | None = None
        accepted_arrays: tuple[CompiledCell, str] | None = None
        spans = False  # whether arrays are given as what a template can deduce
        exact: dict[int, Form | None] = {}
        handed_on: dict[int, Form | None] = {}
        plain = forms
        while True:
            number = self._rescue.journal.last_cell + 1  # the compiler forgets it at once
            self._number += 1
            text = stub_text(self._number, callee, described, forms, narrowed, alive=alive)
            file = f"cell {number}"
            compiled = self._ask(number, text.code)
            given_as = list(zip(described, forms, strict=True))
            found = narrowings(callee, compiled.diagnostics, text, given_as, file)
            if set(found) - set(narrowed):
                narrowed.update(found)
                continue
            arrays = taken_arrays(compiled.diagnostics, text, file) if not spans else set()
            if arrays := {index for index in arrays if forms[index].taken}:
                if compiled.ok:
                    accepted_arrays = compiled, text.symbol
                spans = True
                forms = plain = [
                    each._replace(declare=each.taken) if index in arrays else each
                    for index, each in enumerate(forms)
                ]
                continue
            if not compiled.ok:
                accepted = accepted or accepted_arrays
                if exact := _handed_on(exact, handed_on, set(exact)):
                    forms = [exact.get(index) or form for index, form in enumerate(plain)]
                    continue
                if accepted is not None:
                    return *accepted, None  # only the library knows how
                error = refusal(callee, described, compiled.diagnostics, text, file)
                for each in described:
                    if each.key.startswith("@"):
                        gone = self._names.why_gone(each.key[1:])
                        if gone is not None and gone.name in str(error):
                            raise gone
                return compiled, text.symbol, error
            if accepted is not None and keeps_number(compiled.diagnostics):
                return *accepted, None
            shared = overridden(callee, compiled.diagnostics, text, file)
            if shared is not None:
                return compiled, text.symbol, shared
            null = null_for_text(callee, said, compiled.diagnostics, text, file)
            if null is not None:
                return compiled, text.symbol, null
            if accepted is None:
                cast = only_cast(callee, described, compiled.diagnostics, text, file)
                if cast is not None:
                    return compiled, text.symbol, cast
                check_deduced(callee, said, compiled.diagnostics, text, file)
                pointers = {n for n, form in enumerate(forms) if form is TEXT_POINTER}
                check_pointers(callee, pointers, compiled.diagnostics, text, file)
            changed = converted(compiled.diagnostics, text, file)
            if accepted is None:
                accepted = compiled, text.symbol
                handed_on = {
                    index: Form(forms[index].forwarded, "@")
                    for index in forwarded(compiled.diagnostics, text, file)
                    if forms[index].forwarded and index not in narrowed
                }
                exact = handed_on | {
                    index: described[index].exact or handed_on.get(index) for index in changed
                }
            elif changed.isdisjoint(exact):
                return compiled, text.symbol, None
            else:  # that took the form itself for a value, as std::any does
                exact = _handed_on(exact, handed_on, changed)
            if not any(exact.values()):
                return *accepted, None
            forms = [exact.get(index) or form for index, form in enumerate(plain)]

    def _ask(self, number: int, code: str) -> CompiledCell:
        """Have a stub compiled and forgotten."""
        with self._gate.window():
            ready = self._compiler.is_ready(number, code, passing=True)
            if self._rescue.compiler_is_behind or not ready:
                self._rescue.rollback_compiler()
            self.compiled += 1
            try:
                limit = self._options.compile_limit
                return self._compiler.compile(number, code, time_limit=limit, passing=True)
            finally:
                self._rescue.rollback_compiler()

    def declared(self, compiled: CompiledCell, code: str) -> None:
        """Forget the stubs that a new cell may have made wrong: those whose names it declares."""
        changes = compiled.declared or "#" in code or "using" in code
        if not changes or not (self._stubs or self._alive):
            return
        declared = {word for each in compiled.declared for word in _WORD.findall(each.name)}
        for name in [name for name in self._alive if _VARIABLE_TYPE in name]:
            if not declared.isdisjoint(_WORD.findall(name)):
                del self._alive[name]  # the variable may be of another type now
        if "#" in code or "using" in code or "namespace" in code:
            self._stubs.clear()
            return
        if any(each.kind not in _PLAIN for each in compiled.declared):
            # What a name in an argument's type or of a member means may be another thing now.
            self._stubs.clear()
            for name in list(self._alive):
                if not declared.isdisjoint(_WORD.findall(name)):
                    del self._alive[name]
            return
        for key, stub in list(self._stubs.items()):
            of_variables = _WORD.findall(key[1]) if _VARIABLE_TYPE in key[1] else ()
            if not declared.isdisjoint((*stub.words, *of_variables)):
                del self._stubs[key]

    # ------------------------------------------------------------------ states

    def _keep_state(self) -> None:
        """Keep the state before a call where that is due."""
        execution = self._execution
        self._note_state()
        if not self._since or self._since[-1].after != self._states:
            pass
        elif monotonic() - self._kept_at >= _PAUSE or len(self._since) >= _MOST_AGAIN:
            execution.settle()
            if execution.calls.states_kept != self._states:
                self._rescue.note()
                self._note_state()
        execution.calls.unsettled = True

    def _note_state(self) -> None:
        """Forget the calls before the last kept state but one.

        The last may never come to be: its process is asked for, and the program may have ended.
        """
        before, kept = self._states, self._execution.calls.states_kept
        if kept != before:
            self._states = kept
            self._since = [each for each in self._since if each.after >= before]
            self._kept_at = monotonic()

    def make_again(self, error: FarsideError) -> None:
        """After the program went back to a kept state: make the calls since then again.

        Args:
            error: what is being raised; is given a sentence where calls are lost.
        """
        state = self._execution.calls.went_back
        since, self._since = [each for each in self._since if each.after >= (state or 0)], []
        self._alive = {name: at for name, at in self._alive.items() if at < (state or 0)}
        self._states = self._execution.calls.states_kept
        self._kept_at = monotonic()
        if not since:
            return
        done = 0
        if sum(each.seconds for each in since) <= _LONGEST:
            for each in since:
                known = each.payload is not None and each.cell == self._rescue.journal.last_cell
                if not known or not self._make_one_again(each):
                    break
                done += 1
        self._output.take()
        lost = since[done:]
        self._execution.calls.unsettled = bool(done)
        if self._execution.usable:
            self._since = [each._replace(after=self._states) for each in since[:done]]
        if done:
            calls = "1 call" if done == 1 else f"{done} calls"
            error.recovery = (
                *error.recovery,
                f"{calls} since the newest state that was kept {'was' if done == 1 else 'were'}"
                " made again",
            )
        if lost:
            names = list(dict.fromkeys(each.stub.what for each in lost))
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            error.recovery = (
                *error.recovery,
                f"{NO_STATE_AFTER} {len(lost)} calls before it, which were taken back, too:"
                f" {', '.join(names[:5])}{more}",
            )

    def forget(self, state: int) -> None:
        """Take note that the program went back, on purpose, to the state of this number."""
        self._since.clear()
        self._alive = {name: at for name, at in self._alive.items() if at < state}

    def _make_one_again(self, made: Made) -> bool:
        try:
            stub = self._there(made.stub)
            assert made.payload is not None
            with self._gate.wait():
                header = self._execution.platform.jitdylib("main").header
                limit = _PATIENCE * made.seconds + 1
                outcome = self._execution.calls.call(
                    header, stub.address, made.payload, NOTHING, limit
                )
        except (FarsideError, KeyboardInterrupt):
            self._execution.discard()
            if not self._execution.usable:
                self._rescue.recover()
            return False
        return outcome.exception_type == made.threw

    def close(self) -> None:
        """Give back what the calls hold."""
        self.callbacks.stopping.close()
        self._memory.close()
        self._stubs.clear()


def _handed_on(
    exact: dict[int, Form | None], handed_on: dict[int, Form | None], failed: set[int]
) -> dict[int, Form | None]:
    """Return the forms to try where those of some arguments failed.

    A number may still be one that is handed on. What has no form here is given as it was at first.
    """
    next_forms = {
        index: (handed_on.get(index) if form is not handed_on.get(index) else None)
        if index in failed
        else form
        for index, form in exact.items()
    }
    return {index: form for index, form in next_forms.items() if form is not None}


def _gone(name: str, kind: str) -> ValueGone:
    return ValueGone(
        f"this object ({kind}) is gone: the call that made it was taken back, its class was defined"
        " again, or it belongs to another session; make it again",
        name,
        0,
    )


def _what(callee: str, described: Sequence[Argument]) -> str:
    return f"call of {written(callee, [each.said for each in described])}"


def _key(described: Sequence[Argument], alive: bool) -> str:
    return "".join([each.key for each in described]) + ("alive" if alive else "")
