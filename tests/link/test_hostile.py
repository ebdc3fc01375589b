"""Objects and archives that were damaged, by chance or on purpose.

Whatever the bytes: an image, or an `ObjectError` or `LinkError`; soon, and in memory that is a
small multiple of the file's size.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import tracemalloc
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.errors import LinkError, ObjectError
from farside.link import EntryTable, LinkedImage, link
from farside.object import parse_archive, parse_object
from tests.link.elf_builder import (
    AX,
    FUNC,
    IFUNC,
    TLS,
    WA,
    WAT,
    WEAK,
    ObjectBuilder,
)
from tests.link.machine import compile_source
from tests.link.near import Bump, Tls

SOURCE = """
#include <stdexcept>
extern int other(int);
int counter = 3, zeros[100];
thread_local int local = 4;
inline int shared(int v) { return v + other(v); }
int use(int v) { if (v > 3) throw std::runtime_error("no"); return shared(counter) + ++local; }
struct A { A(); ~A(); } a;
static int (*table[])(int) = {use, other};
int (*pick(int i))(int) { return table[i]; }
"""


class Anything:
    """Knows every name."""

    def defined(self, names: object) -> dict[str, object]:
        return {}

    def require(self, names: object) -> None:
        pass

    def lookup(self, names: set[str]) -> dict[str, int]:
        return dict.fromkeys(names, 0x10400000)


def attempt(data: bytes, roots: tuple[str, ...] | None = None) -> LinkedImage | None:
    """Link; return None where the objects or the link are refused, as they may be."""
    try:
        return link(
            [parse_object(data, "fuzz")],
            name="fuzz",
            allocator=Bump(),
            resolver=Anything(),  # type: ignore[arg-type]
            entries=EntryTable(),
            tls=Tls(descriptor=1, static=-4096, known={}),
            roots=roots,
        )
    except (ObjectError, LinkError):
        return None


def built() -> bytes:
    """Return an object that has a bit of everything."""
    b = ObjectBuilder()
    text = b.text(b"\xe8\0\0\0\0" * 40)
    other = b.section(".text.f", b"\x48\x8b\x05\0\0\0\0\xc3", AX)
    data = b.section(".data", bytes(64), WA, alignment=16)
    tdata = b.section(".tdata", bytes(16), WAT, alignment=8)
    b.section(".bss", flags=WA, kind=8, size=1 << 20)
    init = b.section(".init_array", bytes(8), WA, kind=14, alignment=8)
    f = b.symbol("f", other, 0, 8, WEAK, FUNC)
    v = b.symbol("v", tdata, 0, 8, kind=TLS)
    i = b.symbol("i", text, 0, 8, kind=IFUNC)
    d = b.symbol("d", data, 8)
    c = b.symbol("c", 0xFFF2, 16, 64)
    g = b.symbol("g")
    for number, (kind, symbol) in enumerate(
        [(4, f), (4, g), (19, v), (9, d), (4, i), (34, v), (22, v), (27, g), (31, f), (2, c)]
    ):
        b.relocate(text, number * 8, kind, symbol, -4)
    b.relocate(other, 3, 42, d, -4)
    b.relocate(init, 0, 1, f)
    b.group(f, [other])
    return b.build()


@cache
def samples() -> tuple[bytes, ...]:
    with TemporaryDirectory() as name:
        directory = Path(name)
        flags = ("-O1", "-fPIC", "-ffunction-sections", "-g1")
        objects = [
            compile_source(directory, SOURCE, *flags).read_bytes(),
            compile_source(directory, SOURCE, *flags, compiler="g++").read_bytes(),
        ]
    return (built(), *objects)


@cache
def archives() -> tuple[bytes, ...]:
    with TemporaryDirectory() as name:
        directory = Path(name)
        members = []
        for number, data in enumerate(samples()[:2]):
            file = directory / f"a_member_with_a_long_name_{number}.o"
            file.write_bytes(data)
            members.append(str(file))
        found = []
        for kind in ("rcs", "rcS", "rcsT"):
            target = directory / f"{kind}.a"
            subprocess.run(["ar", kind, str(target), *members], check=True, capture_output=True)
            found.append(target.read_bytes())
        for flavour in ("bsd", "darwin"):
            target = directory / f"{flavour}.a"
            command = ["llvm-ar-22", f"--format={flavour}", "rcs", str(target)]
            subprocess.run([*command, *members], check=True, capture_output=True)
            found.append(target.read_bytes())
    return tuple(found)


EXTREMES = st.sampled_from(
    [
        0,
        1,
        7,
        8,
        63,
        127,
        255,
        65280,
        65534,
        65535,
        (1 << 31) - 1,
        1 << 31,
        (1 << 32) - 1,
        1 << 32,
        (1 << 63) - 1,
        1 << 63,
        (1 << 64) - 64,
        (1 << 64) - 1,
    ]
)


@st.composite
def damaged(draw: st.DrawFn, of: str) -> bytes:
    """Draw a sample with some bytes flipped, fields set to extremes, and perhaps an end cut off."""
    data = bytearray(draw(st.sampled_from(archives() if of == "archive" else samples())))
    headers = struct.unpack_from("<Q", data, 0x28)[0] if of == "object" else 0
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data) - 1))
        if draw(st.booleans()) and headers:  # where damage does most
            at = draw(st.integers(min(headers, len(data) - 1), len(data) - 1))
        if draw(st.booleans()):
            data[at] ^= 1 << draw(st.integers(0, 7))
        else:
            width = draw(st.sampled_from([1, 2, 4, 8]))
            at -= at % width
            value = draw(EXTREMES) % (1 << width * 8)
            data[at : at + width] = value.to_bytes(width, "little")
    if draw(st.integers(0, 9)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


FUZZ = settings(max_examples=400, suppress_health_check=list(HealthCheck))


@FUZZ
@given(data=damaged("object"), roots=st.sampled_from([None, (), ("d",)]))
def test_damaged_objects(data: bytes, roots: tuple[str, ...] | None) -> None:
    image = attempt(data, roots)
    if image is not None:
        total = sum(len(segment.content) for segment in image.segments)
        assert total < 2 * len(data) + (17 << 20)


@FUZZ
@given(data=damaged("archive"))
def test_damaged_archives(data: bytes) -> None:
    try:
        archive = parse_archive(data, "fuzz.a", Path("/nonexistent"))
        for header in set(archive.symbols().values()):
            archive.load(header)
    except ObjectError:
        return


@FUZZ
@given(data=st.binary(max_size=300), magic=st.sampled_from([b"", b"\x7fELF\2\1\1", b"!<arch>\n"]))
def test_noise(data: bytes, magic: bytes) -> None:
    for parse in (parse_object, parse_archive):
        with contextlib.suppress(ObjectError):
            parse(magic + data, "noise")


@pytest.mark.parametrize("which", range(3))
def test_every_truncation(which: int) -> None:
    data = samples()[which]
    step = 1 if len(data) < 4000 else 37
    for length in range(0, len(data), step):
        assert attempt(data[:length]) is None


@pytest.mark.parametrize("value", [0, 1, 0xFF, (1 << 32) - 1, 1 << 32, (1 << 64) - 1])
def test_every_header_field_at_its_extremes(value: int) -> None:
    data = built()
    first = struct.unpack_from("<Q", data, 0x28)[0]
    for at in (*range(0x10, 0x40, 2), *range(first, len(data), 4)):
        for width in (2, 4, 8):
            if at % width == 0 and at + width <= len(data):
                copy = bytearray(data)
                copy[at : at + width] = (value % (1 << width * 8)).to_bytes(width, "little")
                attempt(bytes(copy))


def peak_of(data: bytes) -> int:
    tracemalloc.start()
    try:
        attempt(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_sections_that_share_their_bytes() -> None:
    """Many headers, each claiming the whole file, must not be copied one by one."""
    b = ObjectBuilder()
    for number in range(2000):
        b.section(f".d{number}", flags=WA)
    data = bytearray(b.build())
    first = struct.unpack_from("<Q", data, 0x28)[0]
    for number in range(1, 2001):
        struct.pack_into("<QQ", data, first + number * 64 + 24, 0, len(data))
    assert attempt(bytes(data)) is None
    assert peak_of(bytes(data)) < 40 * len(data)


def test_names_that_share_their_bytes() -> None:
    """Every name may be a tail of one long name, but not of so long a one."""
    b = ObjectBuilder()
    b.symbol("n" * 200_000, 0xFFF1)
    for number in range(2000):
        b.symbol(f"{number}", 0xFFF1)
    data = bytearray(b.build())
    symtab = data.index(struct.pack("<IBBHQQ", 1, 16, 0, 0xFFF1, 0, 0))
    for number in range(2000):
        struct.pack_into("<I", data, symtab + 24 * (number + 1), number + 2)
    assert attempt(bytes(data)) is None
    assert peak_of(bytes(data)) < 40 * len(data)


def test_alignment_that_multiplies_the_image() -> None:
    b = ObjectBuilder()
    for number in range(300):
        b.section(f".d{number}", b"x", WA, alignment=1 << 20)
    assert attempt(b.build()) is None
    assert peak_of(b.build()) < 1 << 20


def test_zeros_cost_nothing() -> None:
    b = ObjectBuilder()
    bss = b.section(".bss", flags=WA, kind=8, size=100 << 30)
    b.symbol("huge", bss)
    image = attempt(b.build())
    assert image is not None
    assert image.segments[0].zero_fill == 100 << 30
    assert peak_of(b.build()) < 1 << 20


@pytest.mark.parametrize("size", [1 << 46, (1 << 46) + 1, 1 << 63, (1 << 64) - 1])
def test_absurd_zeros(size: int) -> None:
    b = ObjectBuilder()
    b.section(".bss", b"", WA, kind=8, size=size)
    b.symbol("c", 0xFFF2, 16, size)
    with pytest.raises(LinkError):
        link(
            [parse_object(b.build(), "o")],
            name="x",
            allocator=Bump(),
            resolver=Anything(),  # type: ignore[arg-type]
            entries=EntryTable(),
            tls=Tls(),
        )


@pytest.mark.parametrize("which", range(3))
def test_samples_are_sound(which: int) -> None:
    assert attempt(samples()[which]) is not None
