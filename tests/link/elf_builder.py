"""Writes ELF64 relocatable objects by hand, so that tests can hold any object, sound or not."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 8, 9
SHT_GROUP = 17
SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY, SHT_SYMTAB_SHNDX = 14, 15, 16, 18
SHT_X86_64_UNWIND = 0x70000001
A, WA, AX, WAT = 2, 3, 6, 0x403
LOCAL, GLOBAL, WEAK = 0, 1, 2
NOTYPE, OBJECT, FUNC, SECTION, FILE, COMMON, TLS, IFUNC = 0, 1, 2, 3, 4, 5, 6, 10
DEFAULT, INTERNAL, HIDDEN, PROTECTED = 0, 1, 2, 3
UNDEF, ABS, COM, LCOM, XINDEX = 0, 0xFFF1, 0xFFF2, 0xFF02, 0xFFFF

_REAL = 1 << 40  # marks the index of a section, which may look like a reserved one


@dataclass
class Section:
    name: str
    type: int
    flags: int
    content: bytes
    size: int
    alignment: int
    number: int
    relocations: list[tuple[int, int, int, int]] = field(default_factory=list)


class ObjectBuilder:
    """Collects sections, symbols, groups and relocations; `build` returns the file's bytes."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.symbols: list[tuple[str, int, int, int, int, int]] = [("", 0, 0, 0, 0, 0)]
        self.groups: list[tuple[int, int, list[int]]] = []
        self.header: dict[str, int] = {}
        self.relocation_type = SHT_RELA

    def section(
        self,
        name: str,
        content: bytes = b"",
        flags: int = A,
        kind: int = SHT_PROGBITS,
        alignment: int = 1,
        size: int | None = None,
    ) -> Section:
        length = len(content) if size is None else size
        made = Section(name, kind, flags, content, length, alignment, len(self.sections) + 1)
        self.sections.append(made)
        return made

    def text(self, content: bytes, name: str = ".text") -> Section:
        return self.section(name, content, AX)

    def symbol(
        self,
        name: str,
        section: Section | int = UNDEF,
        value: int = 0,
        size: int = 0,
        binding: int = GLOBAL,
        kind: int = NOTYPE,
        visibility: int = DEFAULT,
    ) -> int:
        """Add a symbol and return its index."""
        index = section if isinstance(section, int) else section.number | _REAL
        self.symbols.append((name, index, value, size, binding << 4 | kind, visibility))
        return len(self.symbols) - 1

    def relocate(
        self, section: Section, offset: int, kind: int, symbol: int, addend: int = 0
    ) -> None:
        section.relocations.append((offset, kind, symbol, addend))

    def group(self, signature: int, members: list[Section], flags: int = 1) -> None:
        self.groups.append((signature, flags, [member.number for member in members]))

    def build(self) -> bytes:
        names = bytearray(b"\0")
        strings = bytearray(b"\0")

        def name(table: bytearray, text: str) -> int:
            if not text:
                return 0
            at = len(table)
            table.extend(text.encode() + b"\0")
            return at

        symtab_number = len(self.sections) + 1
        wide = len(self.sections) + 4 >= 0xFF00
        symtab = bytearray()
        indices = bytearray()
        for text, section, value, size, info, other in self.symbols:
            stored = section & ~_REAL
            extended = bool(section & _REAL) and stored >= 0xFF00
            indices += struct.pack("<I", stored if extended else 0)
            stored = XINDEX if extended else stored
            symtab += struct.pack("<IBBHQQ", name(strings, text), info, other, stored, value, size)
        bodies: list[tuple[str, int, int, bytes, int, int, int, int, int]] = [
            (s.name, s.type, s.flags, s.content, s.size, 0, 0, s.alignment, 0)
            for s in self.sections
        ]
        bodies.append(
            (".symtab", SHT_SYMTAB, 0, bytes(symtab), len(symtab), symtab_number + 1, 1, 8, 24)
        )
        bodies.append((".strtab", SHT_STRTAB, 0, bytes(strings), len(strings), 0, 0, 1, 0))
        if wide:
            bodies.append(
                (
                    ".symtab_shndx",
                    SHT_SYMTAB_SHNDX,
                    0,
                    bytes(indices),
                    len(indices),
                    symtab_number,
                    0,
                    4,
                    4,
                )
            )
        for s in self.sections:
            if s.relocations:
                rel = self.relocation_type == SHT_REL
                raw = b"".join(
                    struct.pack("<QIIq", o, k, y, a)[: 16 if rel else 24]
                    for o, k, y, a in s.relocations
                )
                bodies.append(
                    (
                        ".rela" + s.name,
                        self.relocation_type,
                        0,
                        raw,
                        len(raw),
                        symtab_number,
                        s.number,
                        8,
                        16 if rel else 24,
                    )
                )
        for signature, flags, members in self.groups:
            raw = struct.pack(f"<{len(members) + 1}I", flags, *members)
            bodies.append((".group", SHT_GROUP, 0, raw, len(raw), symtab_number, signature, 4, 4))
        name_offsets = [name(names, body[0]) for body in bodies]
        name_offsets.append(name(names, ".shstrtab"))
        bodies.append((".shstrtab", SHT_STRTAB, 0, bytes(names), len(names), 0, 0, 1, 0))
        data = bytearray(64)
        headers = [bytes(64)]
        for at, (_, kind, flags, content, size, link, info, alignment, entry) in zip(
            name_offsets, bodies, strict=True
        ):
            data += bytes(-len(data) % min(max(alignment, 1), 64))
            headers.append(
                struct.pack(
                    "<IIQQQQIIQQ", at, kind, flags, 0, len(data), size, link, info, alignment, entry
                )
            )
            data += content
        count = len(headers)
        names_index = count - 1
        if count >= 0xFF00:
            headers[0] = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, count, names_index, 0, 0, 0)
            count, names_index = 0, XINDEX
        data += bytes(-len(data) % 8)
        fields = {
            "type": 1,
            "machine": 62,
            "shoff": len(data),
            "shentsize": 64,
            "shnum": count,
            "shstrndx": names_index,
            "class": 2,
            "order": 1,
            "version": 1,
        } | self.header
        ident = b"\x7fELF" + bytes((fields["class"], fields["order"], fields["version"])) + bytes(9)
        data[:64] = struct.pack(
            "<16sHHIQQQIHHHHHH",
            ident,
            fields["type"],
            fields["machine"],
            1,
            0,
            0,
            fields["shoff"],
            0,
            64,
            0,
            0,
            fields["shentsize"],
            fields["shnum"],
            fields["shstrndx"],
        )
        return bytes(data) + b"".join(headers)
