"""Calls that were inlined: ``.debug_info`` of a relocatable object, as far as it is about them.

A function that was inlined has no frame of its own on the stack. The compiler notes which code came
from which call, so that a report can show the frames as the programmer wrote them. Read only when
a program died; what is not understood ends the table.

Source: DWARF 5, sections 2.17.3 (ranges), 3.3.8 (inlined subroutines), 7.5 (entries and forms).
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.errors import ObjectError
from farside.object.dwarf import U16, U32, Cursor, Damaged, DebugSection
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farside.object.elf import ObjectFile

# DW_TAG, DW_AT, DW_RLE (DWARF 5, 7.5.3, 7.5.4, 7.25).
_COMPILE_UNIT, _INLINED_SUBROUTINE = 0x11, 0x1D
_NAME, _LOW_PC, _HIGH_PC, _ORIGIN, _RANGES = 0x03, 0x11, 0x12, 0x31, 0x55
_CALL_FILE, _CALL_LINE = 0x58, 0x59
_STR_OFFSETS_BASE, _ADDR_BASE, _RNGLISTS_BASE = 0x72, 0x73, 0x74
_END_OF_LIST, _BASE_ADDRESSX, _STARTX_ENDX, _STARTX_LENGTH, _OFFSET_PAIR = 0, 1, 2, 3, 4

# DW_FORM (7.5.6), by how they are read.
_FIXED = {
    0x0B: 1, 0x05: 2, 0x06: 4, 0x07: 8, 0x1E: 16,  # data
    0x11: 1, 0x12: 2, 0x13: 4, 0x14: 8, 0x20: 8, 0x10: 4,  # ref
    0x0C: 1, 0x17: 4, 0x19: 0,  # flag, sec_offset, flag_present
}  # fmt: skip
_STRX = {0x25: 1, 0x26: 2, 0x27: 3, 0x28: 4}
_ADDRX = {0x29: 1, 0x2A: 2, 0x2B: 3, 0x2C: 4}
_ADDR, _STRING, _STRP, _LINE_STRP, _IMPLICIT = 0x01, 0x08, 0x0E, 0x1F, 0x21
_STRX_LEB, _ADDRX_LEB, _SDATA = 0x1A, 0x1B, 0x0D
_LEBS = frozenset((0x0F, 0x15, 0x22, 0x23))  # udata, ref_udata, loclistx, rnglistx
_BLOCKS = {0x0A: 1, 0x03: 2, 0x04: 4}
_BLOCK_LEBS = frozenset((0x09, 0x18))  # block, exprloc

_MAX_ENTRIES = 1 << 18

# Of an attribute, a number or string; of an address, (section, offset).
_Value = int | str | tuple[int, int]


class InlinedCall(NamedTuple):
    """A call in whose place the function's body stands.

    Attributes:
        function: the name, without its scope.
        file: index into the files of the line table.
        line: of the call.
    """

    function: str | None
    file: int
    line: int


class _Entry(NamedTuple):
    ranges: tuple[tuple[int, int, int], ...]  # section, first offset, one past the last
    depth: int
    origin: int
    file: int
    line: int


class InlineTable:
    """The inlined calls of one object."""

    def __init__(self, object_file: ObjectFile) -> None:
        self._entries: list[_Entry] = []
        self._names: dict[int, str] = {}
        try:
            unit = _Unit(object_file)
            for depth, offset, tag, attributes in unit.walk():
                name = attributes.get(_NAME)
                if isinstance(name, str):
                    self._names[offset] = name
                if tag == _INLINED_SUBROUTINE:
                    self._add(unit, depth, attributes)
        except (ObjectError, Damaged):
            pass

    def _add(self, unit: _Unit, depth: int, attributes: dict[int, _Value]) -> None:
        numbers = [attributes.get(each) for each in (_ORIGIN, _CALL_FILE, _CALL_LINE)]
        origin, file, line = (each if isinstance(each, int) else 0 for each in numbers)
        self._entries.append(_Entry(tuple(unit.ranges(attributes)), depth, origin, file, line))

    def at(self, section: int, offset: int) -> list[InlinedCall]:
        """Return the inlined calls that the code at a place came from, innermost first."""
        found = [
            entry
            for entry in self._entries
            if any(s == section and low <= offset < high for s, low, high in entry.ranges)
        ]
        found.sort(key=lambda entry: -entry.depth)
        return [InlinedCall(self._names.get(e.origin), e.file, e.line) for e in found]


class _Unit:
    """The compile unit of an object; Clang makes one."""

    def __init__(self, object_file: ObjectFile) -> None:
        self._info = DebugSection(object_file, ".debug_info")
        self._strings = DebugSection(object_file, ".debug_str")
        self._line_strings = DebugSection(object_file, ".debug_line_str")
        self._string_offsets = DebugSection(object_file, ".debug_str_offsets")
        self._addresses = DebugSection(object_file, ".debug_addr")
        self._lists = DebugSection(object_file, ".debug_rnglists")
        cursor = Cursor(self._info.data, 0, len(self._info.data))
        length = cursor.number(U32)
        self._cursor = Cursor(self._info.data, 4, 4 + length)
        if self._cursor.number(U16) != 5:
            raise Damaged
        self._cursor.skip(2)  # kind of unit, size of addresses
        abbreviations = self._info.offset(self._cursor.skip(4))
        self._shapes = _abbreviations(object_file, abbreviations)
        self._bases: dict[int, int] = {}
        self._low: _Value = (0, 0)

    def walk(self) -> Iterator[tuple[int, int, int, dict[int, _Value]]]:
        """Yield depth, offset, tag and attributes of every entry."""
        cursor = self._cursor
        depth = 0
        for _ in range(_MAX_ENTRIES):
            if cursor.at >= cursor.end:
                return
            offset = cursor.at
            code = cursor.leb()
            if code == 0:
                depth -= 1
                continue
            if code not in self._shapes:
                raise Damaged
            tag, children, shape = self._shapes[code]
            if tag == _COMPILE_UNIT:
                self._read_bases(cursor.at, shape)
            attributes = {a: self._value(cursor, form, fixed) for a, form, fixed in shape}
            yield depth, offset, tag, attributes
            depth += children

    def _read_bases(self, at: int, shape: list[tuple[int, int, int]]) -> None:
        """Read what the unit's other attributes are relative to, wherever it stands among them."""
        cursor = Cursor(self._info.data, at, self._cursor.end)
        for attribute, form, fixed in shape:
            if attribute in (_STR_OFFSETS_BASE, _ADDR_BASE, _RNGLISTS_BASE):
                self._bases[attribute] = self._info.offset(cursor.at)
            self._value(cursor, form, fixed, lazily=True)

    def _value(self, cursor: Cursor, form: int, fixed: int, *, lazily: bool = False) -> _Value:
        if form == _IMPLICIT:
            return fixed
        if form in _FIXED:
            return cursor.bytes_as_number(_FIXED[form])
        if form in _LEBS:
            return cursor.leb()
        if form == _SDATA:
            return cursor.leb(signed=True)
        if form in _STRX or form == _STRX_LEB:
            index = cursor.leb() if form == _STRX_LEB else cursor.bytes_as_number(_STRX[form])
            return 0 if lazily else self._indexed_string(index)
        if form in _ADDRX or form == _ADDRX_LEB:
            index = cursor.leb() if form == _ADDRX_LEB else cursor.bytes_as_number(_ADDRX[form])
            return 0 if lazily else self._address(index)
        if form == _ADDR:
            return self._info.address(cursor.skip(8))
        if form == _STRING:
            return cursor.string()
        if form in (_STRP, _LINE_STRP):
            table = self._strings if form == _STRP else self._line_strings
            return table.string(self._info.offset(cursor.skip(4)))
        if form in _BLOCKS:
            return cursor.skip(cursor.bytes_as_number(_BLOCKS[form]))
        if form in _BLOCK_LEBS:
            return cursor.skip(cursor.leb())
        raise Damaged

    def _indexed_string(self, index: int) -> str:
        at = self._bases.get(_STR_OFFSETS_BASE, 8) + 4 * index
        return self._strings.string(self._string_offsets.offset(at))

    def _address(self, index: int) -> tuple[int, int]:
        return self._addresses.address(self._bases.get(_ADDR_BASE, 8) + 8 * index)

    def ranges(self, attributes: dict[int, _Value]) -> Iterator[tuple[int, int, int]]:
        """Yield the pieces of code that an entry is about."""
        low, high = attributes.get(_LOW_PC), attributes.get(_HIGH_PC)
        if isinstance(low, tuple) and isinstance(high, int):
            yield low[0], low[1], low[1] + high
        listed = attributes.get(_RANGES)
        if isinstance(listed, int):
            yield from self._range_list(listed)

    def _range_list(self, index: int) -> Iterator[tuple[int, int, int]]:
        base = self._bases.get(_RNGLISTS_BASE, 12)
        data = self._lists.data
        cursor = Cursor(data, base + self._lists.offset(base + 4 * index), len(data))
        section, start = 0, 0
        while (kind := cursor.u8()) != _END_OF_LIST:
            if kind == _BASE_ADDRESSX:
                section, start = self._address(cursor.leb())
            elif kind == _OFFSET_PAIR:
                yield section, start + cursor.leb(), start + cursor.leb()
            elif kind == _STARTX_LENGTH:
                place = self._address(cursor.leb())
                yield place[0], place[1], place[1] + cursor.leb()
            elif kind == _STARTX_ENDX:
                place = self._address(cursor.leb())
                yield place[0], place[1], self._address(cursor.leb())[1]
            else:
                raise Damaged


def _abbreviations(
    object_file: ObjectFile, at: int
) -> dict[int, tuple[int, int, list[tuple[int, int, int]]]]:
    """Read how entries are laid out: code → tag, children (0 or 1), (attribute, form, constant)."""
    data = object_file.section_bytes(".debug_abbrev") or b""
    cursor = Cursor(data, at, len(data))
    shapes = {}
    while code := cursor.leb():
        tag, children = cursor.leb(), cursor.u8()
        shape = []
        while (pair := (cursor.leb(), cursor.leb())) != (0, 0):
            shape.append((*pair, cursor.leb(signed=True) if pair[1] == _IMPLICIT else 0))
        shapes[code] = (tag, min(children, 1), shape)
    return shapes
