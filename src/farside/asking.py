"""The part of a session that answers questions about it: no cell, no trace in the program."""

from __future__ import annotations

import re

from farside.annotations import TYPE_CHECKING
from farside.api.values import rejected
from farside.frontend.diagnostics import as_written
from farside.outcome import Variable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from farside.compiling import CellCompiler
    from farside.execution import ExecutionSession
    from farside.frontend.diagnostics import Diagnostic
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.remote.commit import RunOutcome
    from farside.rescue import Rescue

_TYPE = "__farside_type"
_IMAGE = "variables"
_QUIET = '_Pragma("clang diagnostic ignored \\"-Weverything\\"") '  # on a line with code
_WIDTH = 72  # characters of a value
_ATTEMPTS = 4
_BESIDE = frozenset(("using directive", "specialisation"))  # they have no name of their own
_TAGS = frozenset(("struct", "union", "enum"))  # whose names C keeps apart
# What Clang says of a type where an expression is due; at its very beginning, anything like it.
_IS_TYPE = r"expected '\(' for function-style cast|unexpected type name"
_NO_EXPRESSION = "expected expression"


class Asking:
    """What `farside.session.Session` inherits: `type_of` and `variables`."""

    options: Options
    _cells: CellCompiler
    _execution: ExecutionSession
    _gate: InterruptGate
    _rescue: Rescue

    if TYPE_CHECKING:

        def _exclusive(self) -> AbstractContextManager[None]: ...

        def _recovering(self, what: str) -> AbstractContextManager[None]: ...

        def _revive(self, what: str) -> None: ...

        def _check_code(self, code: str) -> None: ...

    def type_of(self, expression: str) -> str:
        """Return the type of an expression, which is not evaluated, or what a type's name means.

        As ``decltype`` has it: a variable has the type that it was declared with, and any other
        expression that denotes an object is a reference. Where the name of the type is an alias,
        the type itself stands beside it: ``size_t (aka unsigned long)``.

        Raises:
            UndefinedName, CompileError: it is neither an expression nor a type.
            ValueGone: it mentions a `Value` whose cell was taken back.
        """
        with self._exclusive():
            self._check_code(expression)
            with self._recovering("asking for a type"):
                return self._type_of(expression.strip().removesuffix(";"))

    def _type_of(self, text: str) -> str:
        failed: list[tuple[Diagnostic, ...]] = []
        for beginning, after in _type_questions(self.options.language):
            before = _QUIET + beginning
            compiled = self._cells.forgotten(f"{before}{text}\n{after}")
            found = [each for each in compiled.declared if each.name == _TYPE]
            if compiled.ok and found:
                kind, canonical = found[-1].type, found[-1].canonical
                return kind if kind == canonical else f"{kind} (aka {canonical})"
            failed.append(_of_text(compiled.diagnostics, f"cell {compiled.cell}", text, before))
        # Of what is neither, Clang speaks as of an expression, unless it begins like a type.
        raise rejected(failed[-1 if _is_type(failed[0]) else 0], self._cells.names)

    def variables(self, pattern: str = "*") -> tuple[Variable, ...]:
        """Return the variables that cells have defined, in this order, with their present values.

        A variable whose name means something else by now is not among them. Values are shown as
        those of cells are, and shortened.

        Args:
            pattern: of names, with ``*`` and ``?``.
        """
        from fnmatch import fnmatchcase

        if not isinstance(pattern, str):
            raise TypeError(f"a pattern of names is a str, not {type(pattern).__name__}")
        with self._exclusive():
            found = [each for each in self._defined() if fnmatchcase(each.name, pattern)]
            self._revive("listing variables")
            with self._recovering("listing variables"):
                return self._with_values(found)

    def _defined(self) -> list[Variable]:
        """Return the variables that are there, without their values."""
        found: dict[str, Variable] = {}
        beside = _BESIDE if self.options.language == "c++" else _BESIDE | _TAGS
        for entry in self._rescue.journal:
            for each in entry.declared:
                if each.kind == "variable" and not each.definition:
                    continue
                if each.kind not in beside:
                    found.pop(each.name, None)
                if each.kind == "variable" and not each.name.startswith("__farside"):
                    found[each.name] = Variable(each.name, each.type, "", entry.cell)
        return list(found.values())

    def _with_values(self, variables: Sequence[Variable]) -> tuple[Variable, ...]:
        """Have the values of variables shown; one that cannot be is returned without."""
        dylibs = {entry.cell: entry.dylib for entry in self._rescue.journal}
        shown = [each for each in variables if dylibs[each.cell] == "main"]
        scope = "::" if self.options.language == "c++" else ""
        for _ in range(_ATTEMPTS):
            code = "".join([f"({scope}{each.name});\n" for each in shown])
            compiled = self._cells.forgotten(_QUIET + code, all_values=True)
            if compiled.ok:
                break
            wrong = {each.line for each in compiled.diagnostics if each.is_error}
            shown = [each for line, each in enumerate(shown, 1) if line not in wrong]
        else:
            return tuple(variables)
        if compiled.object is None:
            return tuple(variables)
        from farside.result.text import on_one_line
        from farside.result.value import decode_value

        values = iter(self._look(compiled.object).values)
        texts = {}
        for variable, how in zip(shown, compiled.values, strict=False):
            if how is None or (sent := next(values, None)) is None:
                continue
            value = decode_value(
                *sent, how.type, enumerators=how.enumerators, underlying=how.underlying
            )
            texts[variable.name] = on_one_line(value.text, _WIDTH) if value else ""
        return tuple([each._replace(text=texts.get(each.name, "")) for each in variables])

    def _look(self, content: bytes) -> RunOutcome:
        """Run code that shows something and changes nothing, and take it out again."""
        from farside.object import parse_object

        execution = self._execution
        with self._gate.wait():
            outcome = execution.commit(execution.link([parse_object(content, _IMAGE)], _IMAGE))
            execution.remove(_IMAGE)
        return outcome


def _is_type(diagnostics: Sequence[Diagnostic]) -> bool:
    """Tell whether what Clang refused as an expression seems to be a type."""
    return any(
        re.search(_IS_TYPE, each.message)
        or (each.message == _NO_EXPRESSION and (each.line, each.column) == (1, 1))
        for each in diagnostics
    )


def _of_text(
    diagnostics: Sequence[Diagnostic], file: str, text: str, before: str
) -> tuple[Diagnostic, ...]:
    """Return what Clang says of an expression that stood within other code.

    Args:
        diagnostics: what it says of that.
        file: the name of that code.
        text: the expression.
        before: what stood before it on its first line.
    """
    lines = text.split("\n")

    def placed(each: Diagnostic) -> Diagnostic:
        notes = tuple(map(placed, each.notes))
        if each.file != file:
            return each._replace(notes=notes)
        if each.line <= len(lines):
            return each._replace(file="expression", notes=notes)
        return each._replace(
            file="expression",
            line=len(lines),
            column=len(lines[-1].encode()) + 1,
            ranges=(),
            fixits=(),
            source=lines[-1],
            notes=notes,
        )

    return tuple(map(placed, as_written(diagnostics, file, text, 0, len(before))))


def _type_questions(language: str) -> tuple[tuple[str, str], ...]:
    """Return what stands before and after an expression, and a type, whose type is asked for."""
    if language != "c++":
        return (("typedef __typeof__(", f") {_TYPE};"),)
    return ((f"using {_TYPE} = __decltype(", ");"), (f"using {_TYPE} =", ";"))
