"""What the readers of debug information share. Its bytes are as little trusted as all others."""

from __future__ import annotations

from struct import Struct

from farside.annotations import TYPE_CHECKING

if TYPE_CHECKING:
    from farside.object.elf import ObjectFile

U16, U32, U64 = Struct("<H"), Struct("<I"), Struct("<Q")


class Damaged(Exception):
    """Debug information ends before it should, or holds what is not known."""


class Cursor:
    """A place in a section's bytes; every step is checked against the end."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        if not 0 <= at <= end <= len(data):
            raise Damaged
        self.data = data
        self.at = at
        self.end = end

    def skip(self, size: int) -> int:
        """Step over `size` bytes and return where they start."""
        start = self.at
        if size < 0 or size > self.end - start:
            raise Damaged
        self.at = start + size
        return start

    def u8(self) -> int:
        """Read a byte."""
        return self.data[self.skip(1)]

    def number(self, layout: Struct) -> int:
        """Read the one number of a layout."""
        return int(layout.unpack_from(self.data, self.skip(layout.size))[0])

    def bytes_as_number(self, size: int) -> int:
        """Read an unsigned number of `size` bytes."""
        at = self.skip(size)
        return int.from_bytes(self.data[at : at + size], "little")

    def leb(self, *, signed: bool = False) -> int:
        """Read a LEB128 number (DWARF 5, 7.6)."""
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 63:
                raise Damaged
        return value - (1 << shift) if signed and byte & 0x40 else value

    def string(self) -> str:
        """Read a string that ends with a zero byte."""
        end = self.data.find(0, self.at, self.end)
        if end < 0:
            raise Damaged
        text = self.data[self.at : end]
        self.at = end + 1
        return text.decode("utf-8", "backslashreplace")


class DebugSection:
    """A section of debug information, with what the linker would have filled in.

    Attributes:
        data: its bytes, empty if there is no such section.
    """

    __slots__ = ("_places", "data")

    def __init__(self, object_file: ObjectFile, name: str) -> None:
        self.data = object_file.section_bytes(name) or b""
        self._places: dict[int, tuple[int, int]] = {}
        symbols = object_file.symbols
        for section in object_file.other_sections():
            if section.name == name:
                for offset, _, symbol, addend in object_file.relocations(section.number):
                    if symbol < len(symbols):
                        to = symbols[symbol]
                        self._places[offset] = (to.section, to.value + addend)

    def address(self, at: int) -> tuple[int, int]:
        """Return what an address means: a section of the object, and an offset in it."""
        return self._places.get(at, (0, 0))

    def offset(self, at: int) -> int:
        """Return the 32-bit offset into another debug section that stands at `at`."""
        place = self._places.get(at)
        if place is not None:
            return place[1]
        return Cursor(self.data, at, len(self.data)).number(U32)

    def string(self, at: int) -> str:
        """Return the string that starts at `at`."""
        return Cursor(self.data, at, len(self.data)).string()
