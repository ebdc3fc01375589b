"""Source lines of machine code: ``.debug_line`` of a relocatable object.

Read only when a program died and its call stack is to be shown. What is not understood ends the
table early; a report without lines is better than none.

Source: DWARF 5, section 6.2 (and DWARF 4's for older producers).
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import PurePosixPath

from farside.annotations import TYPE_CHECKING
from farside.errors import ObjectError
from farside.object.dwarf import U16, U32, Cursor, Damaged, DebugSection
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from farside.object.elf import ObjectFile

# Forms that file and directory entries use (DWARF 5, 7.5.6).
_DATA1, _DATA2, _DATA4, _DATA8, _DATA16 = 0x0B, 0x05, 0x06, 0x07, 0x1E
_UDATA, _BLOCK, _STRING, _STRP, _LINE_STRP = 0x0F, 0x09, 0x08, 0x0E, 0x1F
_PATH, _DIRECTORY_INDEX = 1, 2  # DW_LNCT

_MAX_ROWS = 1 << 20


class SourceLine(NamedTuple):
    """A place in the source: ``cell 7`` or a path, and a line counted from 1."""

    file: str
    line: int


class LineTable:
    """The line table of one object.

    Attributes:
        files: the names of its source files, as other debug information numbers them.
    """

    def __init__(self, object_file: ObjectFile) -> None:
        self.files: list[str] = []
        self._rows: dict[int, list[tuple[int, SourceLine | None]]] = {}
        try:
            for unit in _units(object_file):
                self.files = self.files or unit.files
                for section, rows in unit.sequences():
                    self._rows.setdefault(section, []).extend(rows)
        except (ObjectError, Damaged):
            pass
        for found in self._rows.values():
            found.sort(key=lambda row: row[0])

    def at(self, section: int, offset: int) -> SourceLine | None:
        """Return the line of the code at `offset` in the section with that index."""
        rows = self._rows.get(section, [])
        index = bisect_right(rows, offset, key=lambda row: row[0])
        return rows[index - 1][1] if index else None


def _units(object_file: ObjectFile) -> Iterator[_Unit]:
    section = DebugSection(object_file, ".debug_line")
    strings = {
        _LINE_STRP: DebugSection(object_file, ".debug_line_str"),
        _STRP: DebugSection(object_file, ".debug_str"),
    }
    data = section.data
    at = 0
    while at + 4 <= len(data):
        (length,) = U32.unpack_from(data, at)
        end = at + 4 + length
        yield _Unit(Cursor(data, at + 4, end), section, strings)
        at = end


class _Unit:
    """One line number program with its header."""

    def __init__(
        self, cursor: Cursor, section: DebugSection, strings: dict[int, DebugSection]
    ) -> None:
        self._section = section
        self._strings = strings
        version = cursor.number(U16)
        if version not in (4, 5):
            raise Damaged
        if version == 5:
            cursor.skip(2)  # sizes of addresses and segment selectors
        header = cursor.number(U32)
        program = cursor.at + header
        self._minimum = cursor.u8()
        cursor.skip(2)  # operations in an instruction, default_is_stmt
        self._line_base = cursor.u8()
        if self._line_base > 127:
            self._line_base -= 256
        self._line_range = cursor.u8()
        self._opcode_base = cursor.u8()
        if not self._line_range or not self._opcode_base:
            raise Damaged
        self._operands = [0] + [cursor.u8() for _ in range(self._opcode_base - 1)]
        self.files = self._names(cursor) if version == 5 else self._old_names(cursor)
        self._cursor = Cursor(cursor.data, program, cursor.end)

    def _names(self, cursor: Cursor) -> list[str]:
        directories = [path for path, _ in self._entries(cursor)]
        return [_joined(directories, directory, path) for path, directory in self._entries(cursor)]

    def _entries(self, cursor: Cursor) -> list[tuple[str, int]]:
        forms = [(cursor.leb(), cursor.leb()) for _ in range(cursor.u8())]
        count = cursor.leb()
        if not forms or count > cursor.end - cursor.at:
            if count:
                raise Damaged
            return []
        entries = []
        for _ in range(count):
            path, directory = "", 0
            for content, form in forms:
                value = self._value(cursor, form)
                if content == _PATH and isinstance(value, str):
                    path = value
                elif content == _DIRECTORY_INDEX and isinstance(value, int):
                    directory = value
            entries.append((path, directory))
        return entries

    def _value(self, cursor: Cursor, form: int) -> str | int:
        if form in self._strings:
            return self._strings[form].string(self._section.offset(cursor.skip(4)))
        if form == _STRING:
            return cursor.string()
        if form == _UDATA:
            return cursor.leb()
        if form == _DATA1:
            return cursor.u8()
        if form == _BLOCK:
            return cursor.skip(cursor.leb())
        size = {_DATA2: 2, _DATA4: 4, _DATA8: 8, _DATA16: 16}.get(form)
        if size is None:
            raise Damaged
        return cursor.bytes_as_number(size)

    @staticmethod
    def _old_names(cursor: Cursor) -> list[str]:
        directories = [""]
        while directory := cursor.string():
            directories.append(directory)
        files = [""]
        while path := cursor.string():
            files.append(_joined(directories, cursor.leb(), path))
            cursor.leb()  # time
            cursor.leb()  # size
        return files

    def sequences(self) -> Iterator[tuple[int, list[tuple[int, SourceLine | None]]]]:
        """Yield each sequence: its section, and the offsets at which a line's code begins."""
        cursor = self._cursor
        section, address, file, line = 0, 0, 1, 1
        rows: list[tuple[int, SourceLine | None]] = []
        total = 0
        while cursor.at < cursor.end:
            opcode = cursor.u8()
            emit = False
            if opcode >= self._opcode_base:
                special = opcode - self._opcode_base
                address += special // self._line_range * self._minimum
                line += self._line_base + special % self._line_range
                emit = True
            elif opcode == 0:  # extended
                size = cursor.leb()
                start = cursor.skip(size)
                kind = cursor.data[start] if size else 0
                if kind == 1:  # DW_LNE_end_sequence
                    yield section, [*rows, (address, None)]
                    section, address, file, line, rows = 0, 0, 1, 1, []
                elif kind == 2:  # DW_LNE_set_address
                    section, address = self._section.address(start + 1)
            elif opcode == 1:  # DW_LNS_copy
                emit = True
            elif opcode == 2:  # DW_LNS_advance_pc
                address += cursor.leb() * self._minimum
            elif opcode == 3:  # DW_LNS_advance_line
                line += cursor.leb(signed=True)
            elif opcode == 4:  # DW_LNS_set_file
                file = cursor.leb()
            elif opcode == 8:  # DW_LNS_const_add_pc
                address += (255 - self._opcode_base) // self._line_range * self._minimum
            elif opcode == 9:  # DW_LNS_fixed_advance_pc
                address += cursor.number(U16)
            else:
                for _ in range(self._operands[opcode]):
                    cursor.leb()
            if emit:
                # Line 0 is code of the compiler's own making; it counts to the line before it.
                total += 1
                if total > _MAX_ROWS:
                    raise Damaged
                if line > 0 and 0 <= file < len(self.files):
                    rows.append((address, SourceLine(self.files[file], line)))


def _joined(directories: list[str], index: int, path: str) -> str:
    """Return the path of a file; the name of a cell stands alone."""
    if path.startswith(("/", "cell ")) or not 0 <= index < len(directories):
        return path
    parts: list[str] = []
    for part in PurePosixPath(directories[index], path).parts:
        if part == ".." and len(parts) > 1:
            parts.pop()
        else:
            parts.append(part)
    return str(PurePosixPath(*parts))
