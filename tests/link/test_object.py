"""What the readers of objects and archives take, and what they say of the rest."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import pytest
from tests.link.elf_builder import (
    ABS,
    AX,
    COM,
    GLOBAL,
    LCOM,
    SHT_REL,
    WA,
    ObjectBuilder,
)
from tests.link.near import link_all

from farside.errors import ObjectError
from farside.object import parse_archive, parse_object
from farside.object.elf import ABSOLUTE, COMMON, LARGE_COMMON


def small() -> ObjectBuilder:
    b = ObjectBuilder()
    b.symbol("f", b.text(b"\xc3"), 0, 1)
    return b


def test_an_object() -> None:
    b = small()
    data = b.section(".data", b"12345678", WA, alignment=16)
    b.section(".debug_line", b"lines", 0)
    for name, index in (("a", ABS), ("c", COM), ("l", LCOM), ("ünï", data)):
        b.symbol(name, index, 8, 4)
    b.relocate(data, 0, 1, 1, -3)
    b.group(1, [data])
    obj = parse_object(b.build(), "x.o")
    assert [s.name for s in obj.sections.values()] == [".text", ".data"]
    assert obj.sections[2].alignment == 16
    assert bytes(obj.content(obj.sections[2])) == b"12345678"
    assert [(s.name, s.section) for s in obj.symbols[1:]] == [
        ("f", 1),
        ("a", ABSOLUTE),
        ("c", COMMON),
        ("l", LARGE_COMMON),
        ("ünï", 2),
    ]
    assert obj.relocations(2) == [(0, 1, 1, -3)]
    assert obj.relocations(1) == []
    assert obj.groups == (("f", True, (2,)),)
    assert obj.section_bytes(".debug_line") == b"lines"
    assert obj.section_bytes(".debug_info") is None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\x7fELF\2\1\1", "truncated"),
        (b"!<arch>\n", "an archive"),
        (b"BC\xc0\xde", "LLVM bitcode"),
        (b"#!/bin/sh", "a script"),
        (b"int main", "69 6e 74 20"),
    ],
)
def test_other_files(data: bytes, says: str) -> None:
    with pytest.raises(ObjectError, match=says) as caught:
        parse_object(data, "some/file.o")
    assert caught.value.file == "some/file.o"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("class", 1, "32-bit"),
        ("class", 7, "class 7"),
        ("order", 2, "big-endian"),
        ("version", 2, "version 2"),
        ("type", 2, "an executable"),
        ("type", 3, "a shared library"),
        ("type", 4, "a core dump"),
        ("type", 77, "0x4d"),
        ("machine", 183, "AArch64"),
        ("machine", 3, "i386"),
        ("machine", 999, "machine 999"),
        ("shentsize", 40, "40 bytes"),
        ("shoff", 1 << 63, "outside"),
        ("shnum", 60000, "outside"),
        ("shstrndx", 99, "section 99"),
        ("shstrndx", 1, "damaged"),
    ],
)
def test_other_elf_files(field: str, value: int, says: str) -> None:
    b = small()
    b.header[field] = value
    with pytest.raises(ObjectError, match=says):
        parse_object(b.build(), "x.o")


def test_an_object_without_sections() -> None:
    b = small()
    b.header |= {"shoff": 0, "shnum": 0, "shstrndx": 0}
    obj = parse_object(b.build(), "x.o")
    assert not obj.sections
    assert not obj.symbols


def test_relocations_without_addends() -> None:
    b = small()
    b.relocation_type = SHT_REL
    b.relocate(b.sections[0], 0, 2, 1)
    with pytest.raises(ObjectError, match="REL relocations"):
        parse_object(b.build(), "x.o")


@pytest.mark.parametrize(
    ("section", "value", "says"),
    [(99, 0, "section 99"), (0xFF05, 0, "0xff05"), (0xFFFF, 0, "0xffff"), (1, 2, "outside .text")],
)
def test_symbols_that_lie_nowhere(section: int, value: int, says: str) -> None:
    b = small()
    b.symbols.append(("bad", section, value, 0, GLOBAL << 4, 0))
    with pytest.raises(ObjectError, match=says):
        parse_object(b.build(), "x.o")


def test_a_name_that_is_not_utf_8() -> None:
    data = bytearray(small().build())
    data[data.index(b"\0f\0") + 1] = 0xFF
    with pytest.raises(ObjectError, match="UTF-8"):
        parse_object(bytes(data), "x.o")


def test_a_section_in_two_groups() -> None:
    b = small()
    b.group(1, [b.sections[0]])
    b.group(1, [b.sections[0]])
    with pytest.raises(ObjectError, match="has member 1"):
        parse_object(b.build(), "x.o")


def test_a_bad_alignment() -> None:
    for alignment in (3, 1 << 31):
        b = small()
        b.section(".data", b"", WA, alignment=alignment)
        with pytest.raises(ObjectError, match="alignment"):
            parse_object(b.build(), "x.o")


@pytest.mark.parametrize("count", [0xFEF0, 0xFF00, 70000])
def test_more_sections_than_16_bits_count(count: int) -> None:
    """Indices around the reserved ones mean sections, not what the reserved ones mean."""
    b = ObjectBuilder()
    sections = [b.section(".t", b"\xc3", AX) for _ in range(count)]
    picked = [1, 0xFEEF, *(n for n in (0xFF00, 0xFFF1, 0xFFF2, 0xFFFF) if n < count), count - 1]
    picked = list(dict.fromkeys(picked))
    for number in picked:
        b.symbol(f"s{number}", sections[number - 1], 0, 1)
    b.symbol("absolute", ABS, 0x1234)
    obj = parse_object(b.build(), "x.o")
    assert [s.section for s in obj.symbols[1:-1]] == picked
    assert obj.symbols[-1].section == ABSOLUTE
    image = link_all(b)
    addresses = [image.defined[f"s{number}"].address for number in picked]
    assert [address - addresses[0] + 1 for address in addresses] == picked
    assert image.defined["absolute"].address == 0x1234


def compressed(size: int, data: bytes, kind: int = 1) -> bytes:
    b = small()
    raw = struct.pack("<IIQQ", kind, 0, size, 1) + data
    b.section(".debug_info", raw, 0x800)
    return b.build()


def test_compressed_debug_information() -> None:
    text = b"information " * 20
    packed = zlib.compress(text)
    assert parse_object(compressed(240, packed), "x").section_bytes(".debug_info") == text
    for bad in (
        compressed(239, packed),
        compressed(241, packed),
        compressed(240, packed[:-9]),
        compressed(240, b"noise"),
        compressed(1 << 60, packed),
        compressed(240, packed, 2),
    ):
        with pytest.raises(ObjectError, match=r"\.debug_info"):
            parse_object(bad, "x").section_bytes(".debug_info")


def header(name: str, size: int | str, end: str = "`\n") -> bytes:
    return f"{name:16}{0:<12}{0:<6}{0:<6}{644:<8}{size:<10}{end}".encode()


def archive(*members: tuple[str, bytes], magic: bytes = b"!<arch>\n") -> bytes:
    data = magic
    for name, content in members:
        data += header(name, len(content)) + content + b"\n" * (len(content) & 1)
    return data


def test_an_archive_without_index() -> None:
    data = archive(("a.o/", small().build()), ("notes.txt/", b"odd"), ("b.o/", b"also text"))
    found = parse_archive(data, "lib.a")
    assert [member.name for member in found.members] == ["a.o", "notes.txt", "b.o"]
    assert found.symbols() == {"f": 8}
    assert found.load(8).name == "lib.a(a.o)"
    assert found.load(8) is found.load(8)
    assert [obj.name for obj in found.objects()] == ["lib.a(a.o)"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [("/0", b"", "long_name_of_a_member.o"), ("#1/12", b"bsd_name.o\0\0", "bsd_name.o")],
)
def test_long_names(name: str, content: bytes, expected: str) -> None:
    data = archive(("//", b"long_name_of_a_member.o/\n"), (name, content + small().build()))
    found = parse_archive(data, "lib.a")
    assert found.members[0].name == expected
    assert "f" in found.symbols()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"!<arch>",
        b"!<arch>\nshort",
        b"!<arch>\n" + header("a.o/", 100),
        b"!<arch>\n" + header("a.o/", "x"),
        b"!<arch>\n" + header("a.o/", "-1"),
        b"!<arch>\n" + header("a.o/", 0, "??"),
        archive(("/7", b"")),
        archive(("//", b"name/\n"), ("/99999999", b"")),
        archive(("#1/99", b"short")),
        archive(("/", b"")),
        archive(("/", b"\xff\xff\xff\xff")),
        archive(("/", b"\0\0\0\1\0\0\0\0")),
        archive(("/SYM64/", b"\0\0\0\1")),
    ],
)
def test_damaged_archives(data: bytes) -> None:
    with pytest.raises(ObjectError):
        parse_archive(data, "lib.a")


def test_an_index_that_points_nowhere() -> None:
    found = parse_archive(archive(("/", b"\0\0\0\1\0\0\0\x0cf\0")), "lib.a")
    assert found.symbols() == {"f": 12}
    with pytest.raises(ObjectError, match="no member"):
        found.load(12)


def thin(name: str, size: int) -> bytes:
    table = f"{name}/\n".encode()
    return archive(("//", table), magic=b"!<thin>\n") + header("/0", size)


def test_thin_archives(tmp_path: Path) -> None:
    data = small().build()
    inside = tmp_path / "lib"
    inside.mkdir()
    (inside / "a.o").write_bytes(data)
    (tmp_path / "outside.o").write_bytes(data)
    (inside / "link.o").symlink_to(tmp_path / "outside.o")
    (inside / "folder").mkdir()
    os.mkfifo(inside / "fifo")

    def load(name: str, size: int = len(data)) -> object:
        raw = archive(("//", f"{name}/\n".ljust(80, "\n").encode()), magic=b"!<thin>\n")
        return parse_archive(raw + header("/0", size), "lib.a", inside).symbols()

    assert load("a.o") == {"f": 8 + 60 + 80}
    for name, says in (
        ("../outside.o", "outside its directory"),
        (str(tmp_path / "outside.o"), "outside its directory"),
        ("link.o", "outside its directory"),
        ("folder", "not a regular file|cannot be read"),
        ("fifo", "not a regular file"),
        ("missing.o", "cannot be read"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(ObjectError, match=says):
            load(name)
    with pytest.raises(ObjectError, match="bytes, not 5"):
        load("a.o", 5)
    with pytest.raises(ObjectError, match="no directory"):
        parse_archive(thin("a.o", 5), "lib.a").symbols()
