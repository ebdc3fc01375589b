"""The librarian finds what libraries define without loading them."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import threading
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from farside.libraries.librarian import (
    FUNCTION,
    IFUNC,
    THREAD_LOCAL,
    WEAK,
    Librarian,
    start_librarian,
)
from farside.remote.executor import Executor
from tests import library_builder as elf
from tests.contract.executor_rig import PROGRAM
from tests.contract.librarian_rig import make_old
from tests.library_builder import Library, Symbol, library

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.librarian_rig import Desk
    from tests.library_builder import HashStyle


@pytest.mark.parametrize("style", ["gnu", "sysv", "both"])
def test_every_hash_table_leads_to_every_name(desk: Desk, style: HashStyle) -> None:
    names = [f"function_{i}" for i in range(300)]
    desk.put("libx.so.1", library(*names, soname="libx.so.1", hash_style=style))
    report = desk.scan()
    assert (report.libraries, report.symbols) == (1, 300)
    assert all(desk.where(name) == ["libx.so.1"] for name in names)
    assert desk.find("function_300") == ()


def test_what_the_tests_write_is_what_the_loader_loads(tmp_path: Path) -> None:
    symbols = [
        Symbol("seven", 7),
        Symbol("fast", 9, elf.IFUNC),
        Symbol("eight", 8, elf.OBJECT),
        Symbol("two", 2, version="V2"),
        Symbol("two", 1, version="V1", hidden_version=True),
    ]
    path = tmp_path / "libx.so"
    path.write_bytes(Library(symbols, "libx.so", hash_style="both").build())
    loaded = ctypes.CDLL(str(path))
    assert (loaded.seven(), loaded.fast(), loaded.two()) == (7, 9, 2)
    assert ctypes.c_long.in_dll(loaded, "eight").value == 8


@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_kinds_of_symbols_are_told_apart(desk: Desk, style: HashStyle) -> None:
    symbols = [
        Symbol("plain"),
        Symbol("weak", bind=elf.WEAK),
        Symbol("unique", kind=elf.OBJECT, bind=elf.UNIQUE),
        Symbol("indirect", kind=elf.IFUNC),
        Symbol("each_thread", kind=elf.TLS),
        Symbol("protected", visibility=elf.PROTECTED),
        Symbol("hidden", visibility=elf.HIDDEN),
        Symbol("local", bind=elf.LOCAL),
        Symbol("elsewhere", defined=False),
    ]
    desk.put("libx.so", Library(symbols, hash_style=style).build())
    desk.scan()
    kinds = {each.name: [found.kind for found in desk.find(each.name)] for each in symbols}
    assert kinds == {
        "plain": [FUNCTION],
        "weak": [WEAK | FUNCTION],
        "unique": [0],
        "indirect": [IFUNC | FUNCTION],
        "each_thread": [THREAD_LOCAL],
        "protected": [FUNCTION],
        "hidden": [],
        "local": [],
        "elsewhere": [],
    }


@pytest.mark.parametrize("style", ["gnu", "sysv"])
def test_the_default_version_counts(desk: Desk, style: HashStyle) -> None:
    symbols = [
        Symbol("both", version="V1", hidden_version=True),
        Symbol("both", version="V2"),
        Symbol("only_old", version="V1", hidden_version=True),
        Symbol("without"),
    ]
    desk.put("libx.so", Library(symbols, "libx.so", hash_style=style).build())
    desk.scan()
    assert [each.version for each in desk.find("both")] == ["V2"]
    assert desk.find("only_old") == ()
    assert "only_old" not in desk.filter
    assert [each.version for each in desk.find("without")] == [""]


def test_names_that_every_library_has_lead_nowhere(desk: Desk) -> None:
    desk.put("libx.so", library("_init", "_end", "main", "own"))
    assert desk.scan().symbols == 1
    assert desk.find("main") == ()


def test_links_to_a_library_are_one_library(desk: Desk) -> None:
    desk.put("libx.so.1.2.3", library("x", soname="libx.so.1"))
    (desk.place / "libx.so.1").symlink_to("libx.so.1.2.3")
    (desk.place / "libx.so").symlink_to("libx.so.1")
    assert desk.scan().libraries == 1
    (found,) = desk.find("x")
    assert found.library.path == str(desk.place / "libx.so.1")
    assert found.library.soname == "libx.so.1"
    assert found.library.has_link


def test_a_library_without_development_link_says_so(desk: Desk) -> None:
    desk.put("libx.so.1", library("x", soname="libx.so.1"))
    desk.scan()
    assert not desk.find("x")[0].library.has_link


def test_what_comes_with_a_library_is_told(desk: Desk) -> None:
    desk.put("liba.so", library("a", soname="liba.so", needed=["libb.so", "libnowhere.so"]))
    desk.put("libb.so", library("b", soname="libb.so", needed=["libc1.so"]))
    desk.put("libc1.so", library("c", soname="libc1.so", needed=["liba.so"]))
    desk.scan()
    needed = desk.find("a")[0].library.needed
    assert needed == {"liba.so", "libb.so", "libc1.so", "libnowhere.so"}


@pytest.mark.parametrize(
    "script",
    [
        "INPUT(libreal.so.6 -lother)",
        "/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( {place}/sub/libreal.so.6"
        "  AS_NEEDED ( -lother ) libnot.a )\n",
        "GROUP(\n\tlibreal.so.6,\n\tlibother.so,libmissing.so.1\n)",
    ],
)
def test_linker_scripts_lead_to_libraries(desk: Desk, script: str) -> None:
    (desk.place / "sub").mkdir()
    inside = "sub/libreal.so.6" if "sub" in script else "libreal.so.6"
    desk.put(inside, library("real", soname="libreal.so.6"))
    desk.put("libother.so", library("other"))
    desk.put("libscript.so", script.format(place=desk.place).encode())
    assert desk.scan().skipped == ()
    (found,) = desk.find("real")
    assert found.library.path == str(desk.place / inside)
    assert found.library.has_link
    assert desk.where("other") == ["libother.so"]


def test_linker_scripts_in_a_circle_end(desk: Desk) -> None:
    desk.put("liba.so", b"INPUT(libb.so)")
    desk.put("libb.so", b"INPUT(liba.so libx.so)")
    desk.put("libx.so", library("x"))
    assert desk.scan().libraries == 1


def test_names_of_files_about_libraries_are_passed_over(desk: Desk) -> None:
    for name in ("libx.so.1-gdb.py", "libx.so.1.debug", "x.so", "libx.a", "libx.sox", "libx.so."):
        desk.put(name, b"nonsense")
    assert desk.scan().skipped == ()


def test_the_path_has_an_order(desk: Desk) -> None:
    other = desk.place.parent / "other"
    other.mkdir()
    (other / "liba.so").write_bytes(library("x"))
    desk.put("libz.so", library("x"))
    desk.librarian.scan([str(desk.place), str(other)], system=False, cache=False)
    _, found = desk.librarian.find(["x"])
    assert [each.library.place for each in found["x"]] == [0, 1]


def test_the_system_path_has_what_the_loader_finds(desk: Desk) -> None:
    report = desk.librarian.scan([], cache=False)
    assert report.libraries > 3
    _, found = desk.librarian.find(["cos", "no_library_defines_this_name"])
    cos = [each for each in found["cos"] if each.library.soname == "libm.so.6"]
    assert len(cos) == 1
    assert cos[0].version.startswith("GLIBC_")
    assert found["no_library_defines_this_name"] == ()


def test_it_agrees_with_readelf_on_a_real_library(desk: Desk) -> None:
    desk.librarian.scan([], cache=False)
    _, found = desk.librarian.find(["strtod"])
    (libc,) = [each.library.path for each in found["strtod"] if "libc.so" in each.library.path]
    listing = subprocess.run(
        ["llvm-readelf-22", "--dyn-syms", libc], check=True, capture_output=True, text=True
    ).stdout
    rows = [line.split() for line in listing.splitlines() if line.strip()[:1].isdigit()]
    exported = {
        row[7].partition("@@")[0]
        for row in rows
        if len(row) > 7
        and row[4] in ("GLOBAL", "WEAK")
        and row[6] not in ("UND", "ABS")
        and ("@@" in row[7] or "@" not in row[7])
    }
    assert len(exported) > 2000
    _, found = desk.librarian.find(sorted(exported))
    lacking = [
        name
        for name, definitions in found.items()
        if libc not in [each.library.path for each in definitions]
    ]
    assert lacking == []


def test_a_change_of_the_path_is_told(desk: Desk) -> None:
    assert desk.scan().watching
    assert not desk.librarian.notice_changes()
    desk.put("readme.txt", b"no library")
    desk.put("libnew.so", library("fresh"))
    # The answer to a question comes after what was said before.
    while not desk.librarian.notice_changes():
        assert desk.find("fresh") == ()
    report = desk.scan(whole=False)
    assert report.libraries == 1
    assert desk.where("fresh") == ["libnew.so"]
    assert not desk.librarian.notice_changes()


def test_later_scans_read_what_is_new_and_send_what_is_new(desk: Desk) -> None:
    for i in range(20):
        desk.put(f"lib{i}.so", library(*[f"name_{i}_{n}" for n in range(50)]))
    first = desk.scan()
    assert (first.files_read, first.files_known, first.whole) == (20, 0, True)
    desk.put("libnew.so", library("fresh"))
    second = desk.scan(whole=False)
    assert (second.files_read, second.files_known, second.whole) == (1, 20, False)
    assert sum(part.bits for part in second.parts) < 100
    assert desk.where("fresh") == ["libnew.so"]
    assert desk.where("name_7_7") == ["lib7.so"]
    third = desk.scan(whole=False)
    assert (third.files_read, third.parts, third.whole) == (0, (), False)


def test_a_library_that_was_replaced_is_noticed(desk: Desk) -> None:
    path = desk.put("libx.so", library("before"))
    desk.scan()
    path.unlink()
    desk.put("libx.so", library("after", "before"))
    stale, _ = desk.librarian.find(["before"])
    assert stale
    desk.scan()
    assert desk.where("after") == ["libx.so"]
    path.unlink()
    stale, found = desk.librarian.find(["after"])
    assert stale
    assert found["after"] == ()


def test_near_names_come_nearest_first(desk: Desk) -> None:
    desk.put("libx.so", library("compress", "compress2", "uncompress", "compres", "other"))
    desk.scan()
    near = desk.librarian.near(["comprses", "xyz"], 3)
    assert [name for name, _ in near["comprses"]] == ["compres", "compress", "compress2"]
    assert near["xyz"] == ()
    assert near["comprses"][0][1] == "libx.so"


# ------------------------------------------------------------------ the cache


def test_what_was_read_is_remembered_on_disk(desk: Desk) -> None:
    for i in range(10):
        desk.put(f"lib{i}.so", library(f"name_{i}"))
    desk.put("libarm.so", Library([Symbol("x")], machine=elf.AARCH64).build())
    assert desk.scan(cache=True).files_read == 11
    assert desk.cache.stat().st_mode & 0o777 == 0o600
    desk.another()
    report = desk.scan(cache=True)
    assert (report.files_read, report.files_known) == (0, 11)
    assert [why for _, why in report.skipped] == ["for another architecture"]
    assert desk.where("name_3") == ["lib3.so"]
    assert [path.name for path in desk.cache.parent.iterdir()] == ["libraries.cache"]


def test_a_file_that_changed_is_read_again(desk: Desk) -> None:
    desk.put("libx.so", library("before"))
    desk.scan(cache=True)
    desk.put("libx.so", library("afters"))  # the same size, and made to look as old
    desk.another()
    assert desk.scan(cache=True).files_read == 1
    assert desk.where("afters") == ["libx.so"]


def test_what_was_just_written_is_not_remembered(desk: Desk) -> None:
    desk.put("libx.so", library("x"), old=False)
    desk.scan(cache=True)
    path = desk.put("libx.so", library("y"), old=False)
    desk.another()
    assert desk.scan(cache=True).files_read == 1
    assert path.exists()
    assert desk.where("y") == ["libx.so"]


def corruptions() -> list[tuple[str, object]]:
    def flipped(content: bytes) -> bytes:
        middle = len(content) // 2
        return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]

    return [
        ("empty", lambda _: b""),
        ("garbage", lambda _: bytes(range(256)) * 40),
        ("truncated", lambda content: content[:-7]),
        ("header only", lambda content: content[:20]),
        ("a bit", flipped),
        ("longer", lambda content: content + b"more"),
    ]


@pytest.mark.parametrize(("what", "corrupt"), corruptions())
def test_a_damaged_cache_is_read_anew(desk: Desk, what: str, corrupt: object) -> None:
    assert callable(corrupt)
    desk.put("libx.so", library("x"))
    desk.scan(cache=True)
    desk.cache.write_bytes(corrupt(desk.cache.read_bytes()))
    desk.another()
    assert desk.scan(cache=True).files_read == 1
    assert desk.where("x") == ["libx.so"]
    desk.another()
    assert desk.scan(cache=True).files_read == 0


def test_a_cache_that_others_can_write_is_not_believed(desk: Desk) -> None:
    desk.put("libx.so", library("x"))
    desk.scan(cache=True)
    desk.cache.chmod(0o620)
    desk.another()
    assert desk.scan(cache=True).files_read == 1


def lying_cache(content: bytes, body: bytes) -> bytes:
    return content[:20] + struct.pack("<I", crc32(body)) + body


@pytest.mark.parametrize(
    "lie",
    [
        b"\xff" * 8,
        (1 << 40).to_bytes(8, "little") + bytes(100),
        (1).to_bytes(8, "little") + bytes(40) + b"\xff" * 8,
        (1).to_bytes(8, "little") + bytes(40) + (3).to_bytes(8, "little") + b"abc",
    ],
)
def test_a_cache_with_absurd_lengths_is_not_believed(desk: Desk, lie: bytes) -> None:
    desk.put("libx.so", library("x"))
    desk.scan(cache=True)
    desk.cache.write_bytes(lying_cache(desk.cache.read_bytes(), lie))
    desk.another()
    assert desk.scan(cache=True).files_read == 1
    assert desk.where("x") == ["libx.so"]


def test_a_cache_that_lies_about_names_costs_misses_at_worst(desk: Desk) -> None:
    desk.put("libx.so", library("x"))
    desk.scan(cache=True)
    content = desk.cache.read_bytes()
    body = bytearray(content[24:])
    body[-4:] = b"\0\0\0\0"  # the hash of its only name
    desk.cache.write_bytes(lying_cache(content, bytes(body)))
    desk.another()
    desk.scan(cache=True)
    assert desk.find("x") == ()


def test_a_cache_that_is_a_link_or_a_fifo_is_passed_over(desk: Desk) -> None:
    desk.put("libx.so", library("x"))
    desk.cache.parent.mkdir(parents=True)
    os.mkfifo(desk.cache)
    assert desk.scan(cache=True).files_read == 1
    assert desk.cache.is_file()  # it was replaced


def test_without_a_place_for_the_cache_everything_works(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.put("libx.so", library("x"))
    desk.cache.parent.parent.write_bytes(b"not a directory")
    assert desk.scan(cache=True).files_read == 1
    assert desk.where("x") == ["libx.so"]


@pytest.mark.slow
def test_two_sessions_share_the_cache(desk: Desk) -> None:
    """Each has libraries that the other does not know; both write whenever they have read."""
    places = [desk.place / "one", desk.place / "two"]
    for place in places:
        place.mkdir()
    failures: list[BaseException] = []

    def session(place: Path) -> None:
        try:
            with Executor.spawn(PROGRAM) as executor:
                for i in range(15):
                    path = place / f"lib{i}.so"
                    path.write_bytes(library(f"{place.name}_{i}"))
                    make_old(path)
                    librarian = Librarian(start_librarian(executor))
                    report = librarian.scan([str(place)], system=False)
                    assert report.libraries == i + 1
                    assert report.files_read + report.files_known == i + 1
                    _, found = librarian.find([f"{place.name}_{n}" for n in range(i + 1)])
                    assert all(found.values())
                    librarian.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=session, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in desk.cache.parent.iterdir()] == ["libraries.cache"]
