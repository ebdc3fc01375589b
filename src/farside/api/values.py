"""Values on their way to a Python program: what an expression is in Python, or a name for it.

What has no form in Python stays where it is. The expression is compiled again, bound to a name that
no program has, and the `Value` that stands for it is that name. The compiler says so before
anything has run, so an expression is evaluated once.
"""

from __future__ import annotations

from itertools import count

from farside.annotations import TYPE_CHECKING
from farside.errors import CompileError, UndefinedName, ValueGone
from farside.frontend.diagnostics import of_old_definition, render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.execution import ExecutionSession
    from farside.frontend.cell import CompiledCell
    from farside.frontend.diagnostics import Diagnostic
    from farside.remote.commit import RunOutcome
    from farside.result.value import Value

_sessions = count(1)
_UNDECLARED = (
    r"use of undeclared identifier '([^']+)'|no member named '([^']+)' in namespace"
    r"|unknown type name '([^']+)'|no template named '([^']+)'"
)
_NAME = r"__farside_value_(\d+)_(\d+)"


class ValueNames:
    """The names that a session's values have on the far side.

    They tell of which session they are, so that none is ever taken for another.
    """

    def __init__(self) -> None:
        self._session = next(_sessions)

    def name(self, cell: int) -> str:
        """Return the name of the value that a cell keeps."""
        return f"__farside_value_{self._session}_{cell}"

    def why_gone(self, name: str) -> ValueGone | None:
        """Return the error of code that mentions a name that is not there, None for other names."""
        import re

        found = re.fullmatch(_NAME, name)
        if found is None:
            return None
        session, cell = map(int, found.groups())
        if session != self._session:
            return ValueGone(
                "the value belongs to another session; evaluate it in this one", name, cell
            )
        return ValueGone(
            f"the value of cell {cell} is gone, as the cell was taken back; evaluate it again",
            name,
            cell,
        )


def bound(code: str, offset: int, name: str) -> str:
    """Return a cell that keeps, under a name, the value of the expression that ends `code`.

    Args:
        code: a cell.
        offset: where its last expression begins, in bytes.
        name: of the variable.
    """
    text = code.encode()
    before, expression = text[:offset].decode(), text[offset:].decode()
    line = before.count("\n") + 1
    column = offset - text.rfind(b"\n", 0, offset) - 1
    # The expression stays where it was written: names of lambdas, and what tells of a death, have
    # its place. A comment may end it.
    return f"{before}auto &&{name} = (\n#line {line}\n{' ' * column}{expression}\n);\n{name}"


def result_of(
    compiled: CompiledCell, outcome: RunOutcome | None, execution: ExecutionSession
) -> object:
    """Return the object that a cell has given.

    Raises:
        ProtocolError: what the far side sent is not a value.
    """
    if compiled.value_type is None or outcome is None or not outcome.values:
        return None
    from farside.result.python import to_python

    kind, data = outcome.values[-1]
    return to_python(kind, data, compiled.value_type, blocks=execution.given)


def kept(shown: Value, name: str) -> Value:
    """Return a value that is shown as one that is alive, under its name."""
    return shown.with_(name=name, type=shown.type.removesuffix(" &"))


def rejected(diagnostics: Sequence[Diagnostic], names: ValueNames) -> CompileError | ValueGone:
    """Return the error of a cell that Clang rejected, with hints where there are any."""
    import re

    from farside.frontend.hints import cell_hints

    errors = [each.message for each in diagnostics if each.is_error]
    unknown = []
    for message in errors:
        found = re.search(_UNDECLARED, message)
        if found is not None:
            name = next(filter(None, found.groups()))
            gone = names.why_gone(name)
            if gone is not None:
                return gone
            unknown.append(name)
    text = render(diagnostics)
    if unknown and len(unknown) == len(errors):
        return UndefinedName(text, diagnostics, tuple(dict.fromkeys(unknown)))
    error = CompileError(text, diagnostics)
    old = of_old_definition(diagnostics)
    if old:
        error.add_note(old)
    for hint in cell_hints(diagnostics):
        error.add_note(hint)
    if any("file not found" in message for message in errors):
        from farside.libraries.headers import header_hints

        for hint in header_hints(diagnostics):
            error.add_note(hint)
    return error
