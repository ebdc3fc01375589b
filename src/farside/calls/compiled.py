"""The compiled calls of one session, its **stubs**.

A stub is compiled where a call first needs it, with the best forms of the arguments that Clang
accepts, and linked as an image of its own. The compiler forgets it at once: it goes back to the
state after the last cell, so stubs are no part of the session's history, of its file, or of what a
recovery compiles again. What stays is the image.
"""

from __future__ import annotations

import re
from itertools import islice, product
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.calls.arguments import LETTERS, TEXT_POINTER, Argument, Form
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
from farside.errors import ArgumentMismatch, CallError, CompileError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farside.api.values import ValueNames
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell, Compiler
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.rescue import Rescue

_MOST_ATTEMPTS = 6
_WORD = re.compile(r"[A-Za-z_]\w*")
_FUNCTION = "farside::wire::Function"
VARIABLE_TYPE = "decltype("  # in the names of objects: farside/result/living.py


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


class Stubs:
    """The stubs of one session, by what they call and the kinds of its arguments.

    Attributes:
        compiled: how many were compiled.
    """

    def __init__(
        self,
        options: Options,
        compiler: Compiler,
        *,
        execution: ExecutionSession,
        rescue: Rescue,
        gate: InterruptGate,
        names: ValueNames,
    ) -> None:
        self.compiled = 0
        self._options = options
        self._compiler = compiler
        self._execution = execution
        self._rescue = rescue
        self._gate = gate
        self._names = names
        self._stubs: dict[tuple[str, str], Stub] = {}
        self._number = 0

    def find(self, callee: str, key: str) -> Stub | None:
        """Return the stub of a call; None if it must be made.

        Args:
            callee: what is called.
            key: see `key_of`.
        """
        stub = self._stubs.get((callee, key))
        return stub if stub is not None and stub.image in self._execution.images() else None

    def make(self, callee: str, described: list[Argument], *, alive: bool) -> Stub:
        """Compile and link the stub of a call.

        Args:
            callee: what is called.
            described: the arguments.
            alive: whether the result stays in the program.

        Raises:
            CallError, CompileError, ArgumentMismatch: Clang refuses the call.
        """
        compiled, symbol = self._compile(callee, described, alive)
        scalars = [each.scalar for each in described]
        letters = "".join([LETTERS.get(each, "") for each in scalars])
        stub = Stub(
            image=symbol.removeprefix("__farside_").replace("_", " "),
            symbol=symbol,
            address=0,
            object_bytes=compiled.object or b"",
            what=what_of(callee, described),
            words=words_of(callee),
            pack=Struct("<" + letters).pack if all(scalars) else None,
        )
        stub = stub._replace(address=self._link(stub))
        self._stubs[callee, key_of(described, alive)] = stub
        return stub

    def there(self, stub: Stub) -> Stub:
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

    def forget(self, declared: set[str]) -> None:
        """Forget the stubs that have to do with a function or variable of such a name."""
        for key, stub in list(self._stubs.items()):
            of_variables = words_of(key[1]) if VARIABLE_TYPE in key[1] else ()
            if not declared.isdisjoint((*stub.words, *of_variables)):
                del self._stubs[key]

    def clear(self) -> None:
        """Forget all stubs."""
        self._stubs.clear()

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


def words_of(code: str) -> frozenset[str]:
    """Return the names that C++ code mentions."""
    return frozenset(_WORD.findall(code))


def what_of(callee: str, described: Sequence[Argument]) -> str:
    """Return what a call is called in messages."""
    return f"call of {written(callee, [each.said for each in described])}"


def key_of(described: Sequence[Argument], alive: bool) -> str:
    """Return what tells the stubs of one callee apart."""
    return "".join([each.key for each in described]) + ("alive" if alive else "")
