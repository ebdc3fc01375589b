"""Files that are damaged or mean harm: skipped, noted, and never the end of the librarian."""

from __future__ import annotations

import os
import socket
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.libraries.librarian import Librarian, start_librarian
from farside.orc.frames import Opcode, encode_frame
from tests import library_builder as elf
from tests.library_builder import Library, Symbol, library

if TYPE_CHECKING:
    from tests.contract.librarian_rig import Desk

SOUND = library(*[f"name_{i}" for i in range(40)], soname="libx.so", hash_style="both")


def u32(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


def test_files_that_are_no_libraries_are_skipped_with_a_note(desk: Desk) -> None:
    desk.put("libgood.so", library("good"))
    desk.put("libempty.so", b"")
    desk.put("libtext.so", b"just a text")
    desk.put("libbytes.so", bytes(range(256)))
    desk.put("libmagic.so", b"\x7fELF")
    desk.put("libbig.so", b"x" * 100_000)
    desk.put("libarm.so", Library([Symbol("x")], machine=elf.AARCH64).build())
    desk.put("libexe.so", Library([Symbol("x")], pie=True).build())
    desk.put("lib32.so", b"\x7fELF\x01" + SOUND[5:])
    desk.put("libobject.so", SOUND[:16] + b"\x01\0" + SOUND[18:])
    desk.put("libbare.so", Library([Symbol("x")], hash_style="none").build())
    (desk.place / "libdir.so").mkdir()
    os.mkfifo(desk.place / "libfifo.so")
    (desk.place / "libdevice.so").symlink_to("/dev/zero")
    (desk.place / "liblost.so").symlink_to("nowhere")
    (desk.place / "libround.so").symlink_to("libround.so")
    with socket.socket(socket.AF_UNIX) as listening:
        # A short name: the place may lie deep.
        here = os.open(desk.place, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/libsocket.so")
        os.close(here)
        skipped = desk.skipped()
    assert skipped == {
        "libempty.so": "empty",
        "libtext.so": "neither an ELF file nor a linker script",
        "libbytes.so": "neither an ELF file nor a linker script",
        "libmagic.so": "neither an ELF file nor a linker script",
        "libbig.so": "not an ELF file",
        "libarm.so": "for another architecture",
        "libexe.so": "an executable",
        "lib32.so": "for another architecture",
        "libobject.so": "an ELF file, but no shared library",
        "libbare.so": "damaged: no dynamic symbols within the file",
        "libdir.so": "a directory",
        "libfifo.so": "not a regular file",
        "libdevice.so": "not a regular file",
        "libsocket.so": "not a regular file",
        "liblost.so": "No such file or directory",
        "libround.so": "Too many levels of symbolic links",
    }
    assert desk.where("good") == ["libgood.so"]


def test_a_file_without_permission_is_skipped_with_a_note(desk: Desk) -> None:
    desk.put("libx.so", library("x")).chmod(0)
    readable = os.geteuid() == 0
    assert desk.skipped() == ({} if readable else {"libx.so": "Permission denied"})


def test_a_place_that_is_not_there_or_no_directory_is_empty(desk: Desk) -> None:
    (desk.place / "file").write_bytes(b"")
    places = [str(desk.place / "nothing"), str(desk.place / "file"), "relative", ""]
    report = desk.librarian.scan(places, system=False)
    assert report.libraries == 0
    assert report.places == tuple(places[:2])


GNU, SYSV = "gnu_hash", "sysv_hash"


@pytest.mark.parametrize(
    ("what", "style", "patch"),
    [
        ("no buckets", "gnu", {(GNU, 0): u32(0)}),
        ("a huge number of buckets", "gnu", {(GNU, 0): u32(0xFFFFFFFF)}),
        ("a huge first symbol", "gnu", {(GNU, 4): u32(0xFFFFFFFF)}),
        ("no Bloom words", "gnu", {(GNU, 8): u32(0)}),
        ("Bloom words that are no power of two", "gnu", {(GNU, 8): u32(3)}),
        ("a huge number of Bloom words", "gnu", {(GNU, 8): u32(0x80000000)}),
        ("buckets that lead beyond", "gnu", {(GNU, 16 + 16 * 8): u32(*[0xFFFFFFF0] * 10)}),
        ("buckets before the first symbol", "gnu", {(GNU, 4): u32(39)}),
        ("a huge number of chains", "sysv", {(SYSV, 4): u32(0xFFFFFFFF)}),
        ("an absurd number of program headers", "gnu", {("file", 56): b"\xff\xff"}),
        ("program headers beyond the end", "gnu", {("file", 32): struct.pack("<Q", 1 << 60)}),
        ("program headers of another size", "gnu", {("file", 54): b"\x01\0"}),
        ("a dynamic section beyond the end", "gnu", {("file", 64 + 112 + 8): b"\xff" * 8}),
        ("a huge dynamic section", "gnu", {("file", 64 + 112 + 32): b"\xff" * 8}),
        ("symbols of another size", "gnu", {("dynamic", 48 + 8 + 16): b"\x01"}),
        ("names of a huge size", "gnu", {("dynamic", 48 + 8): b"\xff" * 8}),
        ("no names", "gnu", {("dynamic", 32 + 8): b"\xff" * 8}),
        ("symbols elsewhere", "gnu", {("dynamic", 16 + 8): b"\xff" * 8}),
    ],
)
def test_damaged_tables_are_noted(
    desk: Desk, what: str, style: elf.HashStyle, patch: dict[tuple[str, int], bytes]
) -> None:
    symbols = [Symbol(f"name_{i}") for i in range(40)]
    desk.put("libx.so", Library(symbols, "libx.so", hash_style=style, patch=patch).build())
    desk.put("libgood.so", library("good"))
    skipped = desk.skipped()
    assert list(skipped) == ["libx.so"], what
    assert skipped["libx.so"].startswith("damaged"), what
    assert desk.where("good") == ["libgood.so"]
    assert desk.where("name_1") == []


def test_hash_chains_in_a_circle_end(desk: Desk) -> None:
    names = [f"name_{i}" for i in range(40)]
    count = len(names) + 1
    circle = {(SYSV, 8): u32(*[1] * 10), (SYSV, 8 + 40): u32(*[1] * count)}
    symbols = [Symbol(name) for name in names]
    desk.put("libx.so", Library(symbols, hash_style="sysv", patch=circle).build())
    assert desk.scan().libraries == 1
    found = [name for name in names if desk.find(name)]
    assert found == [names[0]]  # the one that is in the circle


def test_a_gnu_chain_without_end_ends_with_the_file(desk: Desk) -> None:
    symbols = [Symbol(f"name_{i}") for i in range(40)]
    chain = 16 + 16 * 8 + 10 * 4
    endless = {(GNU, chain): u32(*[0xFFFFFFFE] * 40)}
    desk.put("libx.so", Library(symbols, hash_style="gnu", patch=endless).build())
    desk.scan()
    assert all(desk.find(each.name) == () for each in symbols)


def test_names_beyond_their_table_are_left_out(desk: Desk) -> None:
    symbols = [Symbol("one"), Symbol("two")]
    for offset in (0x7FFFFFFF, 0xFFFFFFFF):
        patch = {("dynsym", 24): u32(offset)}
        desk.put("libx.so", Library(symbols, hash_style="sysv", patch=patch).build())
        assert desk.scan().symbols == 1


def test_a_name_that_does_not_end_is_left_out(desk: Desk) -> None:
    sound = Library([Symbol("one"), Symbol("endless")], hash_style="sysv")
    end = sound.build().index(b"endless\0") + 7
    desk.put(
        "libx.so", Library(sound.symbols, hash_style="sysv", patch={("file", end): b"x"}).build()
    )
    assert desk.scan().symbols == 1


def test_versions_in_a_circle_end(desk: Desk) -> None:
    symbols = [Symbol("x", version="V7")]
    content = Library(symbols, "libx.so").build()
    at = content.index(struct.pack("<HHHH", 1, 0, 2, 1))
    circle = bytearray(content)
    circle[at + 4 : at + 6] = b"\x09\0"  # no definition has the number 2
    struct.pack_into("<I", circle, at + 16, (1 << 32) - 28)
    desk.put("libx.so", bytes(circle))
    desk.scan()
    assert [each.version for each in desk.find("x")] == [""]


@pytest.mark.parametrize("claim", [1 << 22, 1 << 31, 1 << 39])
def test_a_file_with_holes_that_claims_to_be_huge_takes_no_time(desk: Desk, claim: int) -> None:
    """A terabyte of zeros: what its tables claim is bounded before anything is read."""
    patch = {
        ("file", 64 + 32): struct.pack("<QQ", 1 << 40, 1 << 40),  # the first segment is all of it
        (SYSV, 4): u32(min(claim, 0xFFFFFFFF)),
        ("dynamic", 48 + 8): struct.pack("<Q", claim),
    }
    symbols = [Symbol(f"name_{i}") for i in range(40)]
    content = Library(symbols, "libx.so", hash_style="sysv", patch=patch).build()
    os.truncate(desk.put("libx.so", content), 1 << 40)
    report = desk.scan()
    assert report.libraries + report.skipped_count == 1
    desk.find("name_1")


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_a_library_that_was_cut_off_anywhere_is_no_danger(desk: Desk, style: elf.HashStyle) -> None:
    whole = library(*[f"name_{i}" for i in range(12)], soname="libx.so", hash_style=style)
    step = max(1, len(whole) // 150)
    for size in range(0, len(whole), step):
        desk.put(f"lib{size}.so", whole[:size])
    report = desk.scan()
    assert report.libraries + report.skipped_count >= len(range(0, len(whole), step)) - 1
    assert all("lib" in each.library.path for i in range(12) for each in desk.find(f"name_{i}"))


def test_a_file_that_shrinks_while_it_is_known_is_no_danger(desk: Desk) -> None:
    path = desk.put("libx.so", SOUND)
    desk.scan()
    os.truncate(path, 300)
    stale, found = desk.librarian.find(["name_1"])
    assert stale
    assert found["name_1"] == ()
    assert desk.librarian.near(["name_l"], 3) == {"name_l": ()}


@pytest.mark.slow
def test_libraries_that_come_and_go_during_a_scan_are_no_danger(desk: Desk) -> None:
    desk.put("libstays.so", library("stays"))
    done = threading.Event()
    contents = [SOUND, SOUND[:200], b"INPUT(libstays.so libcomes3.so)", b""]

    def come_and_go() -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            path = desk.place / f"libcomes{turn % 40}.so"
            path.unlink(missing_ok=True)
            if turn % 3:
                path.write_bytes(contents[turn % len(contents)])

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(100):
            desk.scan(whole=False)
            _, found = desk.librarian.find(["stays", "name_3"])
            assert [each.library.soname for each in found["stays"]] == ["libstays.so"]
            desk.librarian.near(["name_"], 3)
    finally:
        done.set()
        thread.join()


# ------------------------------------------------------------------ any bytes

EDITS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 700), st.integers(4096, 4096 + 700), st.integers(0, 20000)),
        st.one_of(
            st.binary(min_size=1, max_size=8),
            st.sampled_from(
                [b"\xff" * 4, b"\xff" * 8, b"\0" * 8, b"\1\0\0\0", b"\xf0\xff\xff\x7f"]
            ),
        ),
    ),
    min_size=1,
    max_size=12,
)


def edited(content: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    changed = bytearray(content)
    for offset, data in edits:
        start = offset % len(changed)
        changed[start : start + len(data)] = data
    return bytes(changed)


def real_library() -> bytes:
    """A library of this machine: zlib's, with versions and both kinds of everything."""
    return Path("/lib/x86_64-linux-gnu/libz.so.1").read_bytes()


VERSIONED = Library(
    [Symbol(f"name_{i}", version=f"V{i % 3}") for i in range(40)], "libx.so", hash_style="both"
).build()
SYSV_ONLY = library(*[f"name_{i}" for i in range(40)], soname="libx.so", hash_style="sysv")
NAMES = ["name_1", "name_39", "zlibVersion", "inflate", "crc32", "nothing"]
FUZZ = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@FUZZ
@given(which=st.integers(0, 3), edits=EDITS, cut=st.none() | st.integers(0, 6000))
def test_no_bytes_end_the_librarian(
    desk: Desk, which: int, edits: list[tuple[int, bytes]], cut: int | None
) -> None:
    content = (SOUND, VERSIONED, SYSV_ONLY, real_library())[which]
    (desk.place / "libx.so").unlink(missing_ok=True)
    desk.put("libx.so", edited(content, edits)[:cut])
    report = desk.scan(whole=False)
    assert report.libraries + report.skipped_count <= 1
    _, found = desk.librarian.find(NAMES)
    assert found["nothing"] == ()
    desk.librarian.near(NAMES, 3)


@FUZZ
@given(st.binary(max_size=400))
def test_no_linker_script_ends_the_librarian(desk: Desk, text: bytes) -> None:
    (desk.place / "libx.so").unlink(missing_ok=True)
    desk.put("libx.so", b"GROUP (" + text)
    desk.scan(whole=False)


@FUZZ
@given(edits=EDITS)
def test_no_cache_ends_the_librarian(desk: Desk, edits: list[tuple[int, bytes]]) -> None:
    """The checksum is made to fit, so that what is behind it is reached."""
    for i in range(3):
        desk.put(f"lib{i}.so", library(f"name_{i}", soname=f"lib{i}.so", needed=["libx.so"]))
    desk.cache.unlink(missing_ok=True)
    desk.another()
    desk.scan(cache=True)
    content = desk.cache.read_bytes()
    body = edited(content[24:], edits)
    desk.cache.write_bytes(content[:20] + u32(crc32(body)) + body)
    desk.another()
    desk.scan(cache=True)
    desk.librarian.find(["name_1"])


# ------------------------------------------------------------------ a near side that errs


@pytest.mark.parametrize(
    "message",
    [
        b"\0" * 64,
        encode_frame(Opcode.CALL, 0, 9, b""),
        encode_frame(Opcode.CALL, 0, 1, b""),
        encode_frame(Opcode.CALL, 0, 1, b"\xff" * 40),
        encode_frame(Opcode.CALL, 0, 2, b"\xff" * 8),
        encode_frame(Opcode.CALL, 0, 3, b"\xff" * 8),
        encode_frame(Opcode.RESULT, 0, 0, b""),
        struct.pack("<QQQQ", 1 << 62, 3, 0, 1),
    ],
)
def test_a_malformed_request_ends_the_librarian_alone(desk: Desk, message: bytes) -> None:
    connected = start_librarian(desk.executor)
    with connected:
        connected.sendall(message)
        connected.settimeout(30)
        assert connected.recv(100) == b""
    assert desk.executor.resolve(["cos"])
    assert Librarian(start_librarian(desk.executor)).scan([], system=False).libraries == 0
