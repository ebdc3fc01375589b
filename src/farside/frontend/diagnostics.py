"""What Clang says about a cell, as values and as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from farside.annotations import Literal
from farside.errors import ProtocolError
from farside.records import NamedTuple

Severity = Literal["note", "remark", "warning", "error", "fatal"]

_SEVERITIES: tuple[Severity, ...] = ("note", "remark", "warning", "error", "fatal")
_WORDS = {"fatal": "fatal error"}
_COLORS = {
    "note": "\x1b[1;30m",
    "remark": "\x1b[1;34m",
    "warning": "\x1b[1;35m",
    "error": "\x1b[1;31m",
    "fatal": "\x1b[1;31m",
}
_BOLD = "\x1b[1m"
_GREEN = "\x1b[1;32m"
_RESET = "\x1b[0m"
# What Clang says of two types that only their names have in common, each way of quoting them.
_TWO_TYPES = (
    r"from '(?:const )?([^']+?)(?: &&?)?' to '(?:const )?([^']+?)(?: &&?)?'"
    r"|to '(?:const )?([^']+?)(?: [*&]+)?' from '(?:const )?([^']+?)(?: [*&]+)?'"
    r"|of type '([^']+)' with an [lrx]value of type '([^']+)'"
    r"|\('([^']+)' vs\. '([^']+)'\)"
)
# The same where a definition is not what is declared.
_TWO_DECLARATIONS = (
    r"does not match definition \('([^']+)' vs '([^']+)'\)"
    r"|with a different type: '([^']+)' vs '([^']+)'"
)
_ADVICE = {
    _TWO_TYPES: "make the object, or define the function, again",
    _TWO_DECLARATIONS: "run the cell again that declares this, and then this one",
}
_INPUT = "start"  # what the compiler calls the file that includes all cells, which is empty
_TAB = 8
_MAX_DEPTH = 4


class Range(NamedTuple):
    """A stretch of source text; lines and columns count from 1, columns in bytes, end exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


class FixIt(NamedTuple):
    """A change that Clang proposes: `text` in place of what `range` covers."""

    range: Range
    text: str


class Diagnostic(NamedTuple):
    """One message of Clang's.

    Attributes:
        severity: note, remark, warning, error or fatal.
        message: the text, without place and severity.
        option: the option that governs it, such as ``-Wunused-value``, or the empty string.
        file: ``cell 7``, or the path of a header; empty where no place is at fault.
        line, column: the place, from 1, the column in bytes of UTF-8; 0 where there is none.
        ranges: stretches of text that the message is about, in the same file.
        fixits: changes that would mend it.
        source: the text of the line.
        notes: further messages that belong to this one, in Clang's order.
    """

    severity: Severity
    message: str
    option: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    ranges: tuple[Range, ...] = ()
    fixits: tuple[FixIt, ...] = ()
    source: str = ""
    notes: tuple[Diagnostic, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether Clang rejects the input because of this."""
        return self.severity in ("error", "fatal")

    def render(self, *, color: bool = False) -> str:
        """Return the text as Clang prints it, notes included, without a line feed at the end."""
        return "\n".join(self._lines(color))

    def _lines(self, color: bool) -> Iterable[str]:
        place = f"{_shown(self.file)}:{self.line}:{self.column}: " if self.line else ""
        word = _WORDS.get(self.severity, self.severity)
        message = _shown(self.message)
        option = f" [{self.option}]" if self.option else ""
        if color:
            bold = "" if self.severity == "note" else _BOLD
            yield (
                f"{_BOLD}{place}{_RESET}{_COLORS[self.severity]}{word}: {_RESET}"
                f"{bold}{message}{option}{_RESET}"
            )
        else:
            yield f"{place}{word}: {message}{option}"
        if self.line and self.source:
            yield from _code_lines(self, color)
        for note in self.notes:
            yield from note._lines(color)


def as_written(
    diagnostics: Iterable[Diagnostic], file: str, code: str, offset: int, added: int
) -> tuple[Diagnostic, ...]:
    """Return what Clang says of a cell to which text was added, in terms of the cell as written.

    Args:
        diagnostics: what Clang said.
        file: the cell.
        code: its source, as written.
        offset: where in it the text was added, which is one line, in bytes.
        added: the length of the text in bytes.
    """
    source = code.encode()
    line = source.count(b"\n", 0, offset) + 1
    begin = source.rfind(b"\n", 0, offset) + 1
    text = source[begin:].partition(b"\n")[0].decode(errors="replace").rstrip("\r")
    first = offset - begin + 1

    def moved(at: int, column: int) -> int:
        return max(first, column - added) if at == line and column > first else column

    def stretch(each: Range) -> Range:
        return each._replace(
            column=moved(each.line, each.column),
            end_column=moved(each.end_line, each.end_column),
        )

    def written(each: Diagnostic) -> Diagnostic:
        notes = tuple(map(written, each.notes))
        if each.file != file:
            return each._replace(notes=notes) if notes else each
        return each._replace(
            column=moved(each.line, each.column),
            ranges=tuple(map(stretch, each.ranges)),
            fixits=tuple(FixIt(stretch(fixit.range), fixit.text) for fixit in each.fixits),
            source=text[: len(each.source)] if each.line == line else each.source,
            notes=notes,
        )

    return tuple(map(written, diagnostics))


def of_old_definition(diagnostics: Sequence[Diagnostic]) -> str:
    """Return what is to be said where a type meets one of the same name; empty where none does.

    A class that a cell defines again is another class. Clang names both by the one name.
    """
    import re

    for each in diagnostics:
        for message in (each.message, *(note.message for note in each.notes)):
            for pattern, advice in _ADVICE.items():
                for found in re.finditer(pattern, message) if each.is_error else ():
                    first, second = filter(None, found.groups())
                    if first == second:
                        return (
                            f"there are two types {first}: a class was defined again, and what was"
                            f" made before is of the old one; {advice}"
                        )
    return ""


def at_end(diagnostics: Iterable[Diagnostic], file: str, code: str) -> tuple[Diagnostic, ...]:
    """Return what Clang says of a cell, what it says of the input's end placed at the cell's end.

    Args:
        diagnostics: what Clang said.
        file: the cell.
        code: its source.
    """
    lines = code.rstrip().split("\n")
    end = len(lines[-1].encode(errors="replace")) + 1

    def placed(each: Diagnostic) -> Diagnostic:
        notes = tuple(map(placed, each.notes))
        if each.file != _INPUT:
            return each._replace(notes=notes)
        return each._replace(
            file=file,
            line=len(lines),
            column=end,
            source=lines[-1],
            ranges=(),
            fixits=(),
            notes=notes,
        )

    return tuple([placed(each) for each in diagnostics])


def render(diagnostics: Sequence[Diagnostic], *, color: bool = False) -> str:
    """Return all messages as Clang prints them, and the line that counts them."""
    lines = [diagnostic.render(color=color) for diagnostic in diagnostics]
    warnings = sum(diagnostic.severity == "warning" for diagnostic in diagnostics)
    errors = sum(diagnostic.is_error for diagnostic in diagnostics)
    counted = [
        f"{count} {word}{'s' if count > 1 else ''}"
        for count, word in ((warnings, "warning"), (errors, "error"))
        if count
    ]
    if counted:
        lines.append(f"{' and '.join(counted)} generated.")
    return "\n".join(lines)


def _code_lines(diagnostic: Diagnostic, color: bool) -> Iterable[str]:
    """Yield the source line, the line of carets under it, and a line of insertions."""
    source = diagnostic.source
    columns = _display_columns(source)

    def place(column: int) -> int:
        return columns[min(max(column - 1, 0), len(columns) - 1)]

    width = place(len(columns))
    marks = [" "] * (width + 2)
    for stretch in diagnostic.ranges:
        if not stretch.line <= diagnostic.line <= stretch.end_line:
            continue
        begin = place(stretch.column) if stretch.line == diagnostic.line else 0
        end = place(stretch.end_column) if stretch.end_line == diagnostic.line else width
        marks[begin:end] = "~" * (end - begin)
    marks[place(diagnostic.column)] = "^"
    gutter = f"{diagnostic.line:5} | "
    empty = " " * 5 + " | "
    yield gutter + _shown(source).expandtabs(_TAB)
    mark_text = "".join(marks).rstrip()
    yield empty + (f"{_GREEN}{mark_text}{_RESET}" if color else mark_text)
    if insertions := _insertions(diagnostic, place):
        yield empty + (f"{_GREEN}{insertions}{_RESET}" if color else insertions)


def _insertions(diagnostic: Diagnostic, place: Callable[[int], int]) -> str:
    text = ""
    for fixit in sorted(diagnostic.fixits, key=lambda fixit: fixit.range.column):
        if fixit.range.line == diagnostic.line and "\n" not in fixit.text and fixit.text:
            text = text.ljust(place(fixit.range.column)) + _shown(fixit.text)
    return text


def _display_columns(source: str) -> list[int]:
    """Return, for each byte of the line and for its end, the column of the terminal it is in."""
    columns: list[int] = []
    at = 0
    for character in source:
        columns += [at] * len(character.encode("utf-8", "surrogatepass"))
        at += _TAB - at % _TAB if character == "\t" else _width(character)
    columns.append(at)
    return columns


def _shown(text: str) -> str:
    """Return a text with what acts on a terminal written as Clang writes it: ``<U+001B>``."""
    if text.isprintable():
        return text
    return "".join(
        [each if each.isprintable() or each in "\t\n" else f"<U+{ord(each):04X}>" for each in text]
    )


def _width(character: str) -> int:
    if not character.isprintable():
        return len(_shown(character))
    if character.isascii():
        return 1
    from unicodedata import combining, east_asian_width

    if combining(character):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def parse_diagnostics(value: object, depth: int = 0) -> tuple[Diagnostic, ...]:
    """Read the list that the compiler sends.

    Raises:
        ProtocolError: the value does not have the form that docs/design.md gives.
    """
    if not isinstance(value, list) or depth > _MAX_DEPTH:
        raise ProtocolError("The compiler sent diagnostics that are not a list.")
    return tuple(_parse_one(item, depth) for item in value)


def _parse_one(value: object, depth: int) -> Diagnostic:
    if not isinstance(value, dict):
        raise ProtocolError("The compiler sent a diagnostic that is not an object.")
    severity = value.get("severity")
    if severity not in _SEVERITIES:
        raise ProtocolError(f"The compiler sent a diagnostic of severity {severity!r}.")
    return Diagnostic(
        severity=severity,
        message=_text(value.get("message")),
        option=_text(value.get("option")),
        file=_text(value.get("file")),
        line=_number(value.get("line")),
        column=_number(value.get("column")),
        ranges=tuple(_range(item) for item in _list(value.get("ranges"))),
        fixits=tuple(_fixit(item) for item in _list(value.get("fixits"))),
        source=_text(value.get("source")),
        notes=parse_diagnostics(value.get("notes", []), depth + 1),
    )


def _fixit(value: object) -> FixIt:
    if not isinstance(value, dict):
        raise ProtocolError("The compiler sent a fix-it that is not an object.")
    return FixIt(_range(value.get("range")), _text(value.get("text")))


def _range(value: object) -> Range:
    if not isinstance(value, list) or len(value) != 4:
        raise ProtocolError("The compiler sent a source range that is not four numbers.")
    line, column, end_line, end_column = (_number(item) for item in value)
    return Range(line, column, end_line, end_column)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ProtocolError("The compiler sent a diagnostic whose ranges are not a list.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ProtocolError("The compiler sent a diagnostic with a text that is not a string.")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise ProtocolError("The compiler sent a diagnostic with a place that is not a number.")
    return value
