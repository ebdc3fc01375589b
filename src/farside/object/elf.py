"""ELF64 x86-64 relocatable objects, from bytes that nobody vouches for.

`parse_object` checks everything that later stages rely on and returns a frozen `ObjectFile`, or
raises `ObjectError` with the place at fault. After it:

* every section's range lies within the file, and so does every relocation table and string table;
* the ranges of what is loaded add up to no more than the file, so copying them is bounded by it;
* every symbol's section exists, and a symbol of a loaded section lies within it;
* names are UTF-8, end within their table, and add up to a small multiple of the file.

Not checked here: relocation kinds, offsets and symbol indices (`farside.link` meets each relocation
once anyway and checks it then), and the sizes of zero-filled sections, which are only numbers until
the layout. Sections that are not loaded (debug information and the like) cost nothing but a glance
at their header; `ObjectFile.other_sections` reads them when somebody asks.

An iterator goes over a copy of the bytes, not over a view of them: who catches an error may keep
its frames in a cycle, and CPython's collector crashes on a view that an iterator still holds.

Source: the generic ABI, chapters 4 and 5, and the System V psABI for AMD64, chapter 4.
"""

from __future__ import annotations

from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import ObjectError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

# Section types (gABI sh_type).
SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA = 0, 1, 2, 3, 4
SHT_NOTE, SHT_NOBITS, SHT_REL = 7, 8, 9
SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY = 14, 15, 16
SHT_GROUP, SHT_SYMTAB_SHNDX, SHT_RELR = 17, 18, 19
SHT_CREL = 0x40000014
SHT_X86_64_UNWIND = 0x70000001

# Section flags (gABI sh_flags).
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR = 0x1, 0x2, 0x4
SHF_GROUP, SHF_TLS, SHF_COMPRESSED = 0x200, 0x400, 0x800
SHF_GNU_RETAIN, SHF_X86_64_LARGE, SHF_EXCLUDE = 0x200000, 0x10000000, 0x80000000

# Section indices with a meaning of their own. An `ObjectSymbol` holds the negative names, so that
# real indices above 65,280 cannot be taken for them.
_SHN_LORESERVE, _SHN_X86_64_LCOMMON, _SHN_ABS, _SHN_COMMON, _SHN_XINDEX = (
    0xFF00,
    0xFF02,
    0xFFF1,
    0xFFF2,
    0xFFFF,
)
UNDEFINED, ABSOLUTE, COMMON, LARGE_COMMON = 0, -1, -2, -3
_SPECIAL = {_SHN_ABS: ABSOLUTE, _SHN_COMMON: COMMON, _SHN_X86_64_LCOMMON: LARGE_COMMON}

# Symbol bindings, types and visibilities (gABI st_info, st_other).
STB_LOCAL, STB_GLOBAL, STB_WEAK, STB_GNU_UNIQUE = 0, 1, 2, 10
STT_NOTYPE, STT_OBJECT, STT_FUNC, STT_SECTION, STT_FILE, STT_COMMON, STT_TLS = 0, 1, 2, 3, 4, 5, 6
STT_GNU_IFUNC = 10
STV_DEFAULT, STV_INTERNAL, STV_HIDDEN, STV_PROTECTED = 0, 1, 2, 3

_GRP_COMDAT = 1
_ET_REL = 1
_EM_X86_64 = 62
_TYPES = {0: "no file type", 2: "an executable", 3: "a shared library", 4: "a core dump"}
_MACHINES = {
    0: "no machine",
    2: "SPARC",
    3: "i386",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC64",
    22: "s390x",
    40: "ARM",
    183: "AArch64",
    243: "RISC-V",
    258: "LoongArch",
}

_EHDR = Struct("<16sHHIQQQIHHHHHH")
_SHDR = Struct("<IIQQQQIIQQ")
_SYM = Struct("<IBBHQQ")
RELA = Struct("<QIIq")  # r_info's low half is the type, its high half the symbol
_WORD = Struct("<I")
_CHDR = Struct("<IIQQ")

# Never loaded, whatever their flags say.
_UNLOADED = frozenset((SHT_NULL, SHT_RELA, SHT_REL))
_MAX_ALIGNMENT = 1 << 30
# No link of any size needs names that add up to more than this many times the file.
_NAME_BUDGET = 4
# Debug information compresses to a fourth or so; a claim far beyond that is meant to do harm.
_ZLIB_RATIO = 100


class ObjectSection(NamedTuple):
    """One section header, its name resolved.

    Attributes:
        number: its place in the section header table.
        name: such as ``.text.startup``.
        type, flags, link, info: as in the header.
        offset, size: its bytes in the file; a zero-filled section has a size only.
        alignment: a power of two, at least 1.
    """

    number: int
    name: str
    type: int
    flags: int
    offset: int
    size: int
    alignment: int
    link: int
    info: int


class ObjectSymbol(NamedTuple):
    """One symbol.

    Attributes:
        name: mangled; empty for a section symbol.
        value: offset in its section, or address if absolute, or alignment if common.
        size: in bytes, 0 where unknown.
        section: index of its section, or `UNDEFINED`, `ABSOLUTE`, `COMMON`, `LARGE_COMMON`.
        binding, type, visibility: ``STB_``, ``STT_`` and ``STV_`` values.
    """

    name: str
    value: int
    size: int
    section: int
    binding: int
    type: int
    visibility: int


class Group(NamedTuple):
    """A section group: its members are kept or dropped together.

    Attributes:
        signature: the name that identifies it among all groups of a link.
        comdat: whether one group of that signature is to be kept.
        members: indices of its sections.
    """

    signature: str
    comdat: bool
    members: tuple[int, ...]


class Strings:
    """A string table; reading it costs no more than a fixed multiple of the file."""

    __slots__ = ("_ascii", "_base", "_bytes", "_file", "_left")

    def __init__(self, file: str, raw: bytes, base: int, budget: int) -> None:
        if raw and raw[-1]:
            raise ObjectError(file, "string table does not end with a zero byte", base)
        self._file = file
        self._base = base
        self._bytes = raw
        self._ascii = raw.decode("ascii") if raw.isascii() else None
        self._left = budget

    def __getitem__(self, offset: int) -> str:
        end = self._bytes.find(0, offset)
        if end < 0:
            if offset == 0:
                return ""  # an empty table still has the empty name
            raise ObjectError(self._file, f"name at {offset:#x} lies outside its table", self._base)
        self._left -= end - offset
        if self._left < 0:
            raise ObjectError(self._file, "names overlap beyond all reason", self._base)
        if self._ascii is not None:
            return self._ascii[offset:end]
        try:
            return self._bytes[offset:end].decode()
        except UnicodeDecodeError:
            place = self._base + offset
            raise ObjectError(self._file, "name is not UTF-8", place) from None


class ObjectFile:
    """A relocatable object whose structure has been checked; frozen by convention and by tuples.

    Attributes:
        name: under which errors speak of it.
        data: all of its bytes.
        sections: those that are loaded (``SHF_ALLOC``), by index.
        symbols: all, in the file's order; entry 0 is the empty one.
        groups: all section groups.
    """

    __slots__ = (
        "_headers",
        "_names",
        "_relocations",
        "data",
        "groups",
        "name",
        "sections",
        "symbols",
    )

    def __init__(
        self,
        name: str,
        data: memoryview,
        *,
        sections: dict[int, ObjectSection],
        symbols: list[ObjectSymbol],
        groups: tuple[Group, ...],
        relocations: dict[int, list[tuple[int, int]]],
        headers: tuple[int, int],
        names: Strings,
    ) -> None:
        self.name = name
        self.data = data
        self.sections = sections
        self.symbols = symbols
        self.groups = groups
        self._relocations = relocations
        self._headers = headers
        self._names = names

    def content(self, section: ObjectSection) -> memoryview:
        """Return the section's bytes; none for a zero-filled one."""
        if section.type == SHT_NOBITS:
            return self.data[:0]
        return self.data[section.offset : section.offset + section.size]

    def relocations(self, index: int) -> list[tuple[int, int, int, int]]:
        """Return ``(offset, kind, symbol, addend)`` for each relocation of section `index`."""
        tables = self._relocations.get(index)
        if tables is None:
            return []
        found: list[tuple[int, int, int, int]] = []
        for offset, size in tables:
            found += RELA.iter_unpack(self.data[offset : offset + size])
        return found

    def other_sections(self) -> Iterator[ObjectSection]:
        """Yield the sections that are not loaded, such as ``.debug_line``.

        Raises:
            ObjectError: a header's range lies outside the file.
        """
        first, count = self._headers
        for index in range(1, count):
            if index in self.sections:
                continue
            fields = _SHDR.unpack_from(self.data, first + index * 64)
            name, kind, flags, _, offset, size, link, info, alignment, _ = fields
            if kind in (SHT_NULL, SHT_NOBITS):
                continue
            if offset + size > len(self.data):
                raise ObjectError(self.name, f"section {index} lies outside the file", offset)
            yield ObjectSection(
                index, self._names[name], kind, flags, offset, size, alignment or 1, link, info
            )

    def section_bytes(self, name: str) -> bytes | None:
        """Return the bytes of the unloaded section `name`, decompressed, or None without one.

        Raises:
            ObjectError: its compressed form is damaged or of a kind that is not known.
        """
        for section in self.other_sections():
            if section.name == name:
                raw = self.data[section.offset : section.offset + section.size]
                if section.flags & SHF_COMPRESSED:
                    return self._decompressed(section, raw)
                return bytes(raw)
        return None

    def _decompressed(self, section: ObjectSection, raw: memoryview) -> bytes:
        import zlib

        where = section.offset
        if len(raw) < _CHDR.size:
            raise ObjectError(self.name, f"{section.name} has no compression header", where)
        kind, _, size, _ = _CHDR.unpack_from(raw)
        if kind != 1:
            raise ObjectError(self.name, f"{section.name} has compression kind {kind}", where)
        if size > len(raw) * _ZLIB_RATIO:
            raise ObjectError(self.name, f"{section.name} claims {size} bytes", where)
        try:
            data = zlib.decompressobj().decompress(raw[_CHDR.size :], size + 1)
        except zlib.error as error:
            raise ObjectError(self.name, f"{section.name} is damaged: {error}", where) from None
        if len(data) != size:
            raise ObjectError(self.name, f"{section.name} is not {size} bytes long", where)
        return data


class _File(NamedTuple):
    """The bytes with what their file header says.

    Attributes:
        view: all bytes.
        name: for messages.
        first, total: where the section headers are, and how many.
        names: the number of the section with their names.
    """

    view: memoryview
    name: str
    first: int
    total: int
    names: int


def parse_object(data: bytes | bytearray | memoryview | mmap, name: str) -> ObjectFile:
    """Read an ELF64 x86-64 relocatable object.

    Args:
        data: its bytes, which must not change while the object is in use.
        name: a file name, ``archive(member)`` or ``cell 7``, for messages.

    Raises:
        ObjectError: the bytes are anything else, or their structure is not sound.
    """
    view = memoryview(data).cast("B")
    file = _file_header(view, name)
    first, count = file.first, file.total
    end = len(view)
    sections: dict[int, ObjectSection] = {}
    tables: list[tuple[int, int, int, int, int]] = []
    rejected: dict[int, str] = {}
    group_headers: list[tuple[int, int, int, int]] = []
    symtab: tuple[int, int, int, int] | None = None
    extended: tuple[int, int, int] | None = None
    headers = _SHDR.iter_unpack(bytes(view[first : first + count * 64]))
    names = _string_table(file, file.names, "section names")
    loaded = 0
    for index, header in enumerate(headers):
        name_at, kind, flags, _, offset, size, link, info, alignment, entry = header
        if flags & SHF_ALLOC and kind not in _UNLOADED:
            if flags & SHF_EXCLUDE:
                continue
            where = first + index * 64
            if kind != SHT_NOBITS:
                if offset + size > end:
                    raise ObjectError(name, f"section {index} lies outside the file", where)
                loaded += size
            if alignment & (alignment - 1) or alignment > _MAX_ALIGNMENT:
                raise ObjectError(name, f"section {index} has alignment {alignment:#x}", where)
            if flags & SHF_COMPRESSED:
                raise ObjectError(name, f"section {index} is loaded and compressed", where)
            sections[index] = ObjectSection(
                index, names[name_at], kind, flags, offset, size, alignment or 1, link, info
            )
        elif kind == SHT_RELA:
            tables.append((info, index, offset, size, entry))
        elif kind == SHT_SYMTAB:
            if symtab is not None:
                raise ObjectError(name, "more than one symbol table", first + index * 64)
            symtab = (index, offset, size, link)
            if entry != 24 or size % 24 or offset + size > end:
                raise ObjectError(name, "symbol table is damaged", first + index * 64)
        elif kind == SHT_GROUP:
            group_headers.append((index, offset, size, info))
        elif kind == SHT_SYMTAB_SHNDX:
            extended = (offset, size, link)
        elif kind in (SHT_REL, SHT_CREL, SHT_RELR):
            rejected[info] = {SHT_REL: "REL", SHT_CREL: "CREL"}.get(kind, "RELR")
    if loaded > end:
        raise ObjectError(name, f"sections of {loaded} bytes overlap in a file of {end}")
    for target, what in rejected.items():
        if target in sections:
            raise ObjectError(name, f"{sections[target].name} has {what} relocations, not RELA")
    relocations = _relocation_tables(file, tables, symtab is not None)
    symbols: list[ObjectSymbol] = []
    if symtab is not None:
        symbols = _symbols(file, symtab, extended, sections)
    return ObjectFile(
        name,
        view,
        sections=sections,
        symbols=symbols,
        groups=_groups(file, group_headers, symbols, sections) if group_headers else (),
        relocations=relocations,
        headers=(first, count),
        names=names,
    )


def _file_header(view: memoryview, name: str) -> _File:
    """Check the file header and find the section headers."""
    size = len(view)
    if not size:
        raise ObjectError(name, "the file is empty")
    start = bytes(view[:8])
    if start[:4] != b"\x7fELF":
        raise ObjectError(name, f"not an ELF object but {_looks_like(start)}")
    if size < 64:
        raise ObjectError(name, f"truncated: {size} bytes are less than an ELF header")
    (ident, kind, machine, _, _, _, first, _, _, _, _, entry, count, names) = _EHDR.unpack_from(
        view
    )
    if ident[4] != 2:
        found = "a 32-bit object" if ident[4] == 1 else f"an object of class {ident[4]}"
        raise ObjectError(name, f"{found}, where a 64-bit one is needed")
    if ident[5] != 1:
        found = "a big-endian object" if ident[5] == 2 else f"byte order {ident[5]}"
        raise ObjectError(name, f"{found}, where a little-endian one is needed")
    if ident[6] != 1:
        raise ObjectError(name, f"ELF version {ident[6]} is not known")
    if machine != _EM_X86_64:
        found = _MACHINES.get(machine, f"machine {machine}")
        raise ObjectError(name, f"an object for {found}, where x86-64 is needed")
    if kind != _ET_REL:
        found = _TYPES.get(kind, f"file type {kind:#x}")
        raise ObjectError(name, f"{found}, where a relocatable object is needed")
    if not first:
        if count:
            raise ObjectError(name, f"{count} sections, but no section headers")
        return _File(view, name, 64, 0, 0)
    if entry != 64:
        raise ObjectError(name, f"section headers of {entry} bytes", 0x3A)
    if first + 64 > size:
        raise ObjectError(name, "section headers lie outside the file", first)
    zero = _SHDR.unpack_from(view, first)
    if count == 0:
        count = zero[5]
    if names == _SHN_XINDEX:
        names = zero[6]
    if count * 64 > size - first:
        raise ObjectError(name, f"{count} section headers lie outside the file", first)
    return _File(view, name, first, count, names)


def _looks_like(start: bytes) -> str:
    """Say what a file that is no ELF object seems to be."""
    for magic, what in (
        (b"!<arch>\n", "an archive"),
        (b"!<thin>\n", "a thin archive"),
        (b"BC\xc0\xde", "LLVM bitcode"),
        (b"\xde\xc0\x17\x0b", "LLVM bitcode"),
        (b"\xcf\xfa\xed\xfe", "a Mach-O object"),
        (b"MZ", "a Windows executable"),
        (b"\x64\x86", "a COFF object"),
        (b"#!", "a script"),
    ):
        if start.startswith(magic):
            return what
    return f"a file that starts with {start[:4].hex(' ')}"


def _string_table(file: _File, index: int, what: str) -> Strings:
    """Return section `index` as a string table, checked."""
    view, name, first, count, _ = file
    if index == 0:
        return Strings(name, b"", 0, 0)
    if index >= count:
        raise ObjectError(name, f"{what} are in section {index} of {count}")
    _, kind, _, _, offset, size, _, _, _, _ = _SHDR.unpack_from(view, first + index * 64)
    if kind != SHT_STRTAB or offset + size > len(view):
        raise ObjectError(name, f"{what} are in a damaged string table", first + index * 64)
    raw = bytes(view[offset : offset + size])
    return Strings(name, raw, offset, _NAME_BUDGET * len(view))


def _relocation_tables(
    file: _File, tables: list[tuple[int, int, int, int, int]], symbols: bool
) -> dict[int, list[tuple[int, int]]]:
    """Check the RELA tables' ranges and list them by the section that each applies to."""
    view, name, _, count, _ = file
    relocations: dict[int, list[tuple[int, int]]] = {}
    end = len(view)
    total = 0
    for target, index, offset, size, entry in tables:
        if not size:
            continue
        if offset + size > end or size % 24 or entry != 24:
            raise ObjectError(name, f"relocation table {index} is damaged", min(offset, end))
        if target >= count or not symbols:
            raise ObjectError(name, f"relocation table {index} applies to nothing", offset)
        total += size
        relocations.setdefault(target, []).append((offset, size))
    if total > end:
        raise ObjectError(name, f"relocation tables of {total} bytes overlap in a file of {end}")
    return relocations


def _symbols(
    file: _File,
    symtab: tuple[int, int, int, int],
    extended: tuple[int, int, int] | None,
    sections: dict[int, ObjectSection],
) -> list[ObjectSymbol]:
    """Read the symbol table, checking every name and section index."""
    view, name, _, count, _ = file
    table, offset, size, link = symtab
    names = _string_table(file, link, "symbol names")
    wide: list[tuple[int]] | None = None
    if extended is not None:
        at, length, owner = extended
        if owner == table:
            if length != size // 6 or at + length > len(view):
                raise ObjectError(name, "extended section indices are damaged", min(at, len(view)))
            wide = list(_WORD.iter_unpack(view[at : at + length]))
    symbols: list[ObjectSymbol] = []
    add = symbols.append
    make = tuple.__new__  # without the named tuple's own, which only packs its arguments
    name_of = names.__getitem__
    for entry in _SYM.iter_unpack(bytes(view[offset : offset + size])):
        name_at, info, other, section, value, length = entry
        if section >= _SHN_LORESERVE:
            section = _special_index(name, section, wide, len(symbols), offset)
        text = name_of(name_at) if name_at else ""
        if section > 0:
            if section >= count:
                where = offset + len(symbols) * 24
                raise ObjectError(
                    name, f"symbol {text!r} is in section {section} of {count}", where
                )
            home = sections.get(section)
            if home is not None and value > home[5]:
                where = offset + len(symbols) * 24
                raise ObjectError(name, f"symbol {text!r} lies outside {home.name}", where)
        fields = (text, value, length, section, info >> 4, info & 15, other & 3)
        add(make(ObjectSymbol, fields))
    return symbols


def _special_index(
    name: str, section: int, wide: list[tuple[int]] | None, index: int, offset: int
) -> int:
    """Turn a reserved section index into a real one or one of the negative names."""
    if section == _SHN_XINDEX and wide is not None:
        return wide[index][0]
    try:
        return _SPECIAL[section]
    except KeyError:
        where = offset + index * 24
        raise ObjectError(name, f"symbol {index} has section index {section:#x}", where) from None


def _groups(
    file: _File,
    headers: list[tuple[int, int, int, int]],
    symbols: list[ObjectSymbol],
    sections: dict[int, ObjectSection],
) -> tuple[Group, ...]:
    """Read the section groups, checking members and signatures."""
    view, name, _, count, _ = file
    groups: list[Group] = []
    taken: set[int] = set()
    for index, offset, size, signature in headers:
        if offset + size > len(view) or size % 4 or not size:
            raise ObjectError(name, f"section group {index} is damaged", min(offset, len(view)))
        if signature >= len(symbols):
            raise ObjectError(name, f"section group {index} has no signature symbol", offset)
        flags, *members = (
            word[0] for word in _WORD.iter_unpack(bytes(view[offset : offset + size]))
        )
        for member in members:
            if member >= count or member in taken:
                raise ObjectError(name, f"section group {index} has member {member}", offset)
            taken.add(member)
        symbol = symbols[signature]
        text = symbol.name
        if not text and symbol.section in sections:
            text = sections[symbol.section].name
        groups.append(Group(text, bool(flags & _GRP_COMDAT), tuple(members)))
    return tuple(groups)
