"""What the compiler makes of a cell, as frozen values."""

from __future__ import annotations

from farside.annotations import Protocol
from farside.errors import ProtocolError
from farside.frontend.diagnostics import Diagnostic, parse_diagnostics
from farside.records import NamedTuple


class Declared(NamedTuple):
    """A name that a cell declared at namespace scope.

    Attributes:
        name: the qualified name, without leading ``::``.
        kind: ``variable``, ``function``, ``class``, ``struct``, ``union``, ``enum``,
            ``enumerator``, ``typedef``, ``alias``, ``namespace``, ``namespace alias``, ``using``,
            ``using directive``, ``concept``, ``macro``, ``class template``, ``function template``,
            ``variable template``, ``alias template`` or ``specialisation``.
        line: the line of the cell, from 1.
        type: of a variable or function, as Clang prints it; what an alias stands for; else empty.
        symbol: the mangled name of a variable or function that has one, else empty.
        definition: whether this declares only, or defines.
        external: whether code elsewhere may define it: it is visible there, and not inline.
        canonical: of an alias, the type without any aliases.
    """

    name: str
    kind: str
    line: int
    type: str = ""
    symbol: str = ""
    definition: bool = True
    external: bool = True
    canonical: str = ""


class ShownType(NamedTuple):
    """The type of one of the values that code shows.

    Attributes:
        type: its name.
        underlying: of an enumeration, its underlying type; else empty.
        enumerators: of an enumeration, the qualified names by value.
    """

    type: str
    underlying: str
    enumerators: dict[int, str]


class DeclarationId(NamedTuple):
    """A declaration of an accepted cell, for the compiler.

    Attributes:
        cell: the cell's number.
        number: which of its declarations, as the compiler counts them.
        part: 0 for all of it, 1 for the body of a function; 2 for a macro, whose number is
            the place of its definition in the cell; 3 for a function that is not to be hidden
            but known again; 4 for its default arguments; 5 for what is to be declared once more;
            6 for what was made of a template; 7 for the body of a function that becomes constexpr
            or ceases to be; 8 for a function that keeps its body.
    """

    cell: int
    number: int
    part: int

    @property
    def is_macro(self) -> bool:
        """Whether it is a macro."""
        return self.part == 2


class Amendment(NamedTuple):
    """A change of a cell's text that gives it the meaning that it would have in a function.

    Attributes:
        offset: where, in bytes of UTF-8.
        blanks: how many bytes from there on are made blank, but for line feeds.
        text: what is put in after these; no line feed.
    """

    offset: int
    blanks: int
    text: str


class AcceptedCell(Protocol):
    """A cell of the session, with what the compiler must be told to take it in again."""

    @property
    def cell(self) -> int:
        """The cell's number; numbers rise."""

    @property
    def code(self) -> str:
        """Its text."""

    @property
    def cookie(self) -> str:
        """`CompiledCell.cookie` as it was."""


class CompiledCell(NamedTuple):
    """The compiler's answer to one cell.

    Attributes:
        cell: the cell's number.
        ok: whether Clang accepts it. If not, the compiler must be rolled back before the next cell.
        diagnostics: what Clang said.
        declared: the names it declares, in source order.
        value_type: the type of the value that the cell shows, or None where it shows none.
        value_underlying: of an enumeration, its underlying type; else empty.
        value_enumerators: of an enumeration, the qualified names by value.
        value_opaque: whether a value that was to be given has no form in Python. It is not
            evaluated for anything then.
        value_offset: where the expression begins in such a cell, in bytes.
        object: the relocatable object, or None where the cell has no code and no data.
        cookie: to be kept with the accepted cell, see `AcceptedCell`.
        only_line: the line that all code of the object comes from, where the object does not tell
            it; else 0.
        timings: microseconds by phase: ``parse``, ``optimise``, ``emit``.
        conflicts: names of the precompiled header that are in this cell's way. Where there are
            any, the result is void: see `Compiler.restart_without_pch`.
        display_failed: whether it was rejected only because its value cannot be shown in full; it
            is to be compiled again, ``plain``.
        clashes: the earlier declarations that a cell which is not ``ok`` would define again.
        amendments: with which a cell that is not ``ok`` may be; in the order of its text.
        redefined: the functions that it defines again with the same type, mangled.
        values: where those of all expressions were asked for, their types; None for what is none.
    """

    cell: int
    ok: bool
    diagnostics: tuple[Diagnostic, ...]
    declared: tuple[Declared, ...]
    value_type: str | None
    value_underlying: str
    value_enumerators: dict[int, str]
    value_opaque: bool
    value_offset: int
    object: bytes | None
    cookie: str
    only_line: int
    timings: dict[str, int]
    conflicts: tuple[str, ...]
    display_failed: bool
    clashes: tuple[DeclarationId, ...]
    amendments: tuple[Amendment, ...]
    redefined: tuple[str, ...]
    values: tuple[ShownType | None, ...] = ()


def parse_cell(
    number: int, body: dict[str, object], attachments: tuple[bytes, ...]
) -> CompiledCell:
    """Read the response to ``compile``.

    Raises:
        ProtocolError: it does not have the form that docs/design.md gives.
    """
    ok = body.get("ok")
    if not isinstance(ok, bool):
        raise ProtocolError("The compiler's answer does not say whether the cell is accepted.")
    value = body.get("value")
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise ProtocolError("The compiler sent a description of a value that is not an object.")
    timings = body.get("timings", {})
    if not isinstance(timings, dict) or not all(isinstance(v, int) for v in timings.values()):
        raise ProtocolError("The compiler sent timings that are not numbers.")
    offset = value.get("offset", 0)
    if not isinstance(offset, int):
        raise ProtocolError("The compiler sent a place that is not a number.")
    line = body.get("line", 0)
    if not isinstance(line, int):
        raise ProtocolError("The compiler sent a line that is not a number.")
    return CompiledCell(
        cell=number,
        ok=ok,
        diagnostics=parse_diagnostics(body.get("diagnostics", [])),
        declared=tuple(_declared(item) for item in _list(body.get("declared", []))),
        value_type=_text(value["type"]) if "type" in value else None,
        value_underlying=_text(value.get("underlying", "")),
        value_enumerators=_enumerators(_list(value.get("enumerators", []))),
        value_opaque=value.get("opaque") is True,
        value_offset=offset,
        object=attachments[0] if attachments else None,
        cookie=_text(body.get("cookie", "")),
        only_line=line,
        timings=timings,
        conflicts=tuple(_text(item) for item in _list(body.get("conflicts", []))),
        display_failed=body.get("display_failed") is True,
        clashes=tuple(_declaration_id(item) for item in _list(body.get("clashes", []))),
        amendments=tuple(_amendment(item) for item in _list(body.get("amendments", []))),
        redefined=tuple(_text(item) for item in _list(body.get("redefined", []))),
        values=tuple(_shown(item) for item in _list(body.get("values", []))),
    )


def _shown(item: object) -> ShownType | None:
    if item is None:
        return None
    if not isinstance(item, dict):
        raise ProtocolError("The compiler sent a description of a value that is not an object.")
    return ShownType(
        _text(item.get("type")),
        _text(item.get("underlying", "")),
        _enumerators(_list(item.get("enumerators", []))),
    )


def _declaration_id(item: object) -> DeclarationId:
    if not isinstance(item, list) or [type(each) for each in item] != [int, int, int]:
        raise ProtocolError("The compiler sent an earlier declaration that is not three numbers.")
    return DeclarationId(*item)


def _amendment(item: object) -> Amendment:
    if not isinstance(item, list) or [type(each) for each in item] != [int, int, str]:
        raise ProtocolError(
            "The compiler sent a change of a cell that is not two numbers and text."
        )
    return Amendment(*item)


def _declared(item: object) -> Declared:
    if not isinstance(item, dict):
        raise ProtocolError("The compiler sent a declaration that is not an object.")
    line = item.get("line")
    definition = item.get("definition", True)
    external = item.get("external", True)
    if not (isinstance(line, int) and isinstance(definition, bool) and isinstance(external, bool)):
        raise ProtocolError("The compiler sent a declaration without its line.")
    return Declared(
        name=_text(item.get("name")),
        kind=_text(item.get("kind")),
        line=line,
        type=_text(item.get("type", "")),
        symbol=_text(item.get("symbol", "")),
        definition=definition,
        external=external,
        canonical=_text(item.get("canonical", "")),
    )


def _enumerators(items: list[object]) -> dict[int, str]:
    found: dict[int, str] = {}
    for item in items:
        if not isinstance(item, list) or len(item) != 2:
            raise ProtocolError("The compiler sent an enumerator that is not a pair.")
        try:
            number = int(_text(item[0]))
        except ValueError as error:
            raise ProtocolError("The compiler sent an enumerator without a value.") from error
        # Where two have the same value, the first is shown.
        found.setdefault(number, _text(item[1]))
    return found


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ProtocolError("The compiler sent something else where a list was due.")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ProtocolError("The compiler sent something else where a text was due.")
    return value
