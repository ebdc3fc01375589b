"""A cell on its way through Clang: what is tried until it is accepted, or rejected for good."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from farside.annotations import TYPE_CHECKING
from farside.api.values import ValueNames, bound, rejected
from farside.errors import CompilerCrashed, CompilerKilled, SetupError
from farside.frontend.diagnostics import as_written
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.frontend.cell import Amendment, CompiledCell, DeclarationId
    from farside.frontend.client import Compiler
    from farside.frontend.diagnostics import Diagnostic
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.rescue import Rescue
    from farside.trace import Tracing

# What may follow a declaration to the end of a cell: what `#if 0` leaves out up to the next
# directive, directives, blanks and comments.
_BLANK = (
    rb"(?>\s*\n[ \t]*#[ \t]*if[ \t]+0\b.*?\n(?=[ \t]*#)"
    rb"|\s*(?<=\n)[ \t]*#(?:\\.|[^\\\n])*|\s+|//[^\n]*|/\*.*?\*/)*"
)
# What may have a file read, whose contents may be the work of the cell before: directives, however
# they are spelled, and the assembler's.
_READERS = re.compile(r"#|%:|\?\?=|\bimport\b|\b(__)?asm(__)?\b")
# Clang finds few errors at a time, and what is mended may uncover more.
_MOST_AMENDMENTS = 20
# Clang says these of a declaration without `;` that could have gone on otherwise.
_GOES_ON = ("expected function body after function declarator", "expected unqualified-id")


def with_semicolon(code: str, diagnostics: Sequence[Diagnostic]) -> str | None:
    """Return a cell with the ``;`` that, as Clang says, is missing at its end; None if it is not.

    Without one a declaration is no less complete, to whom types it, than an expression is. It may
    lack more than that.
    """
    source = code.encode()
    for each in diagnostics:
        if not each.is_error or len(each.fixits) != 1 or not each.file.startswith("cell "):
            continue
        fixit = each.fixits[0]
        where = fixit.range
        if fixit.text != ";" or (where.line, where.column) != (where.end_line, where.end_column):
            continue
        place = _offset(source, where.line, where.column)
        if _is_blank(source, place):
            return (source[:place] + b";" + source[place:]).decode()
    return None


def perhaps_with_semicolon(code: str, diagnostics: Sequence[Diagnostic]) -> str | None:
    """Return a cell with a ``;`` at its end if that may be all it lacks, but Clang does not say so.

    Of ``int f(int)`` it says that a body is missing.
    """
    errors = [each for each in diagnostics if each.is_error]
    if len(errors) != 1 or errors[0].message not in _GOES_ON:
        return None
    if not errors[0].file.startswith("cell "):
        return None
    source = code.encode()
    if not _is_blank(source, _offset(source, errors[0].line, errors[0].column)):
        return None
    plain = "//" not in code and "#" not in code
    return code.rstrip() + (";" if plain else "\n;")


class _Step(NamedTuple):
    """The way back from a text that was changed in one place.

    Attributes:
        code: the text before the change.
        offset, added: see `as_written`.
    """

    code: str
    offset: int
    added: int


def amended(code: str, amendments: Sequence[Amendment]) -> tuple[str, list[_Step]]:
    """Return a cell with changes that the compiler proposes, and the way back, last step first."""
    steps: list[_Step] = []
    text = code.encode()
    for each in reversed(amendments):  # so that the places of those before stay
        end = each.offset + each.blanks
        blank = re.sub(rb"[^\r\n]", b" ", text[each.offset : end])
        added = each.text.encode()
        steps.insert(0, _Step(text.decode(), end, len(added)))
        text = text[: each.offset] + blank + added + text[end:]
    return text.decode(), steps


def _declares_nothing(diagnostics: Sequence[Diagnostic]) -> bool:
    """Tell whether a cell was accepted that nobody meant, such as ``int;``."""
    return any(each.option == "-Wmissing-declarations" for each in diagnostics)


def _is_blank(source: bytes, place: int) -> bool:
    """Tell whether nothing that means anything stands from a place on."""
    return re.compile(_BLANK, re.DOTALL).fullmatch(source, place) is not None


def _offset(source: bytes, line: int, column: int) -> int:
    lines = source.split(b"\n")
    return sum(len(each) + 1 for each in lines[: line - 1]) + column - 1


class CellCompiler:
    """Compiles the cells of one session.

    Attributes:
        names: of values that cells keep.
    """

    def __init__(
        self,
        options: Options,
        compiler: Compiler,
        rescue: Rescue,
        gate: InterruptGate,
        tracing: Tracing,
    ) -> None:
        self.names = ValueNames()
        self._looks_ahead = len(os.sched_getaffinity(0)) > 1
        self._limit = options.compile_limit
        self._compiler = compiler
        self._rescue = rescue
        self._gate = gate
        self._tracing = tracing

    def compile(self, cell: int, code: str, *, given: bool = False) -> tuple[CompiledCell, str]:
        """Compile a cell.

        Args:
            cell: its number.
            code: its source.
            given: whether its value is for a Python program, and not shown.

        Returns:
            the second is the code that was compiled. It is another where Clang misses a ``;`` at
            its end; where it is taken as it would be meant in a function; and where a value that
            was to be given has no form in Python: then it keeps the value, under a name, and shows
            it.

        Raises:
            CompileError: Clang rejects it.
            ValueGone: it mentions a value that is not there any more.
        """
        with self._gate.window():
            written = code
            compiled, code = self._amended(cell, written, given=given)
            said = compiled.diagnostics
            if not compiled.ok and (ended := with_semicolon(written, said)):
                compiled, code = self._ended(cell, written, ended, given=given)
            elif not compiled.ok and (ended := perhaps_with_semicolon(written, said)):
                second, text = self._ended(cell, written, ended, given=given)
                if second.ok and not _declares_nothing(second.diagnostics):
                    compiled, code = second, text
                elif second.ok:
                    self._roll_back()
            if given and compiled.ok and compiled.value_opaque:
                self._roll_back()
                said = compiled.diagnostics  # of the cell as it is written
                code = bound(code, compiled.value_offset, self.names.name(cell))
                compiled = self._attempt(cell, code, given=False)._replace(value_opaque=True)
                if compiled.ok:
                    compiled = compiled._replace(diagnostics=said)
        if not compiled.ok:
            raise rejected(compiled.diagnostics, self.names)
        return compiled, code

    def look_ahead(self, cell: int, code: str) -> None:
        """Have the compiler begin with a cell that is likely to be the next; see `begin_compile`.

        It is compiled while the cell before it runs, so one that may read a file is left for later,
        and with one processor every other.
        """
        if self._looks_ahead and not _READERS.search(code):
            self._compiler.begin_compile(cell, code)

    def forgotten(self, code: str, *, all_values: bool = False) -> CompiledCell:
        """Compile code that is no cell: the compiler goes back to the state before it.

        Args:
            code: what Clang says of it is of the next cell, unless the code names its lines.
            all_values: whether the values of all its expressions are shown.
        """
        with self._gate.window():
            number = self._rescue.journal.last_cell + 1
            try:
                compiled = self._attempt(
                    number, code, given=False, passing=True, all_values=all_values
                )
                if compiled.amendments:
                    text = amended(code, compiled.amendments)[0]
                    second = self._attempt(
                        number, text, given=False, passing=True, all_values=all_values
                    )
                    compiled = second if second.ok else compiled
                return compiled
            finally:
                self._roll_back()

    def _amended(self, cell: int, code: str, *, given: bool) -> tuple[CompiledCell, str]:
        """Compile a cell, and again as it would be meant in a function, where Clang asks for that.

        Returns:
            the second is the code that was compiled; what Clang says is of the cell as written.
        """
        compiled = self._attempt(cell, code, given=given)
        back: list[_Step] = []
        for _ in range(_MOST_AMENDMENTS):
            if compiled.ok or not compiled.amendments:
                break
            code, steps = amended(code, compiled.amendments)
            back = steps + back
            compiled = self._attempt(cell, code, given=given)
        said = compiled.diagnostics
        for step in back:
            said = as_written(said, f"cell {cell}", *step)
        return compiled._replace(diagnostics=said), code

    def _ended(self, cell: int, code: str, ended: str, *, given: bool) -> tuple[CompiledCell, str]:
        """Compile a cell with the ``;`` that it lacks; what Clang says is of the cell without."""
        compiled, text = self._amended(cell, ended, given=given)
        before, after = code.encode(), ended.encode()
        pairs = enumerate(zip(before, after, strict=False))
        place = next((at for at, (old, new) in pairs if old != new), len(before))
        said = as_written(compiled.diagnostics, f"cell {cell}", code, place, 1)
        return compiled._replace(diagnostics=said), text

    def _attempt(self, cell: int, code: str, **how: bool) -> CompiledCell:
        compiled = self._ask(cell, code, (), **how)
        if compiled.conflicts:
            # A name of the precompiled library is in the user's way.
            with suppress(CompilerCrashed, SetupError):
                if self._compiler.restart_without_pch(self._rescue.journal.entries):
                    self._tracing.part("do without the precompiled library")
                    compiled = self._ask(cell, code, (), **how)
        if compiled.clashes or compiled.display_failed:
            compiled = self._again(compiled, code, **how)
        return compiled

    def _again(self, compiled: CompiledCell, code: str, **how: bool) -> CompiledCell:
        """Compile a cell with what it defines again hidden, as long as that uncovers more of it.

        Where code of the program that only the display of the value needs does not compile, the
        value is shown by its address. What the cell takes for a macro's name may not be one.
        """
        with_macros = compiled
        hidden: tuple[DeclarationId, ...] = ()
        plain = False
        while not compiled.ok and (
            not set(hidden).issuperset(compiled.clashes) or (compiled.display_failed and not plain)
        ):
            hidden = tuple(sorted({*hidden, *compiled.clashes}))
            plain = plain or compiled.display_failed
            compiled = self._ask(compiled.cell, code, hidden, plain=plain, **how)
            if not any(each.is_macro for each in hidden):
                with_macros = compiled
        return compiled if compiled.ok else with_macros

    def _ask(
        self,
        cell: int,
        code: str,
        hidden: Sequence[DeclarationId],
        **how: bool,
    ) -> CompiledCell:
        """Ask a compiler that is in the state before the cell; one that was killed costs nothing.

        Raises:
            CompilerCrashed: Clang crashed or hung on this cell, or was killed again.
        """
        compiler, limit = self._compiler, self._limit
        if self._rescue.compiler_is_behind or not compiler.is_ready(cell, code, hidden, **how):
            self._roll_back()
        try:
            compiled = compiler.compile(cell, code, hidden, limit, **how)
        except CompilerKilled:
            self._roll_back(sure=True)  # who has killed it may have killed its snapshots, too
            compiled = compiler.compile(cell, code, hidden, limit, **how)
        self._tracing.answered(compiled.timings)
        return compiled

    def _roll_back(self, *, sure: bool = False) -> None:
        self._rescue.rollback_compiler(sure=sure)
        self._tracing.part("roll the compiler back")
