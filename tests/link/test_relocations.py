"""Every edge kind against the psABI's expression, and both edges of every range."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from farside.errors import LinkError, ObjectError, RelocationError
from farside.link import Definition
from farside.link.x86_64 import KINDS
from tests.link.elf_builder import ABS, GLOBAL, OBJECT, TLS, WA, WAT, ObjectBuilder
from tests.link.near import BASE, Tls, link_all, read, word

FIELD_AT = 16
SIZE = 0x30


def one_fixup(kind: int, addend: int, value_of_symbol: int | None = None) -> ObjectBuilder:
    """Return an object with one fix-up in ``.data`` to ``target``, which is data or absolute."""
    b = ObjectBuilder()
    data = b.section(".data", bytes(64), WA, alignment=16)
    place = ABS if value_of_symbol is not None else data
    value = 40 if value_of_symbol is None else value_of_symbol
    target = b.symbol("target", place, value, SIZE, GLOBAL, OBJECT)
    b.relocate(data, FIELD_AT, kind, target, addend)
    return b


PLACE = BASE + FIELD_AT
TARGET = BASE + 40
GOT = BASE
SLOT = 0x10001000  # the first page after the data's

# kind: (expression's value for addend 3)
VALUES = {
    1: TARGET + 3,
    2: TARGET + 3 - PLACE,
    3: SLOT - GOT + 3,
    4: TARGET + 3 - PLACE,
    9: SLOT + 3 - PLACE,
    10: TARGET + 3,
    11: TARGET + 3,
    24: TARGET + 3 - PLACE,
    25: TARGET + 3 - GOT,
    26: GOT + 3 - PLACE,
    27: SLOT - GOT + 3,
    28: SLOT + 3 - PLACE,
    29: GOT + 3 - PLACE,
    30: SLOT - GOT + 3,
    31: TARGET + 3 - GOT,
    32: SIZE + 3,
    33: SIZE + 3,
    41: SLOT + 3 - PLACE,
    42: SLOT + 3 - PLACE,
    43: SLOT + 3 - PLACE,
    46: SLOT + 3 - PLACE,
    49: SLOT + 3 - PLACE,
}
# Tested with absolute symbols, as their fields are too narrow for an address.
NARROW = (12, 13, 14, 15)
THREAD = (16, 17, 18, 19, 20, 21, 22, 23, 34, 35, 44, 45, 47, 48, 50, 51)


def test_every_kind_is_tested() -> None:
    assert {0, *VALUES, *NARROW, *THREAD} == set(KINDS)


def test_every_kind_has_its_name_in_the_document() -> None:
    page = (Path(__file__).parents[2] / "docs" / "link.md").read_text()
    missing = [kind.name for kind in KINDS.values() if f"`{kind.name[9:]}`" not in page]
    assert not missing


@pytest.mark.parametrize("kind", VALUES, ids=lambda number: KINDS[number].name)
def test_value(kind: int) -> None:
    image = link_all(one_fixup(kind, 3))
    width = KINDS[kind].width
    assert word(image, PLACE, width) == VALUES[kind] % (1 << width * 8)
    assert read(image, PLACE + width, 8) == bytes(8)
    slots = [entry for entry in image.entries if entry.kind == "got"]
    assert len(slots) == ("G +" in KINDS[kind].expression)
    for entry in slots:
        assert (entry.address, word(image, entry.address)) == (SLOT, TARGET)


def test_none_changes_nothing() -> None:
    assert read(link_all(one_fixup(0, 3)), BASE, 64) == bytes(64)


@pytest.mark.parametrize(
    ("kind", "value", "width"),
    [
        (12, 65535, 2),
        (12, -32768, 2),
        (14, 255, 1),
        (14, -128, 1),
        (10, 4294967295, 4),
        (10, 0, 4),
        (11, 2147483647, 4),
        (11, -2147483648, 4),
        (1, -1, 8),
        (1, (1 << 63) - 1, 8),
        (32, 4294967295, 4),
        (32, 0, 4),
    ],
)
def test_values_that_just_fit(kind: int, value: int, width: int) -> None:
    base = SIZE if kind == 32 else 0
    image = link_all(one_fixup(kind, value - base, 0))
    assert word(image, PLACE, width) == value % (1 << width * 8)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (12, 65536),
        (12, -32769),
        (14, 256),
        (14, -129),
        (10, 1 << 32),
        (10, -1),
        (11, 1 << 31),
        (11, -(1 << 31) - 1),
        (32, 1 << 32),
        (32, -1),
    ],
)
def test_values_that_just_do_not_fit(kind: int, value: int) -> None:
    base = SIZE if kind == 32 else 0
    with pytest.raises(RelocationError) as caught:
        link_all(one_fixup(kind, value - base, 0))
    error = caught.value
    assert (error.object_name, error.section, error.offset) == ("1.o", ".data", FIELD_AT)
    assert (error.relocation, error.symbol, error.value) == (KINDS[kind].name, "target", value)
    assert (error.low, error.high) == (KINDS[kind].low, KINDS[kind].high)
    assert ("-fPIC" in str(error)) == (kind in (10, 11))


@pytest.mark.parametrize("kind", [2, 4, 13, 15, 21, 26])
@pytest.mark.parametrize("side", [-1, 1])
def test_pc_relative_edges(kind: int, side: int) -> None:
    k = KINDS[kind]
    edge = k.low if side < 0 else k.high
    there = {26: GOT - PLACE, 21: TARGET}.get(kind, TARGET - PLACE)
    image = link_all(one_fixup(kind, edge - there))
    assert word(image, PLACE, k.width, signed=True) == edge
    with pytest.raises(RelocationError):
        link_all(one_fixup(kind, edge - there + side))


@pytest.mark.parametrize("kind", [1, 24, 25, 33])
def test_64_bit_fields_wrap(kind: int) -> None:
    image = link_all(one_fixup(kind, -(1 << 63)))
    assert word(image, PLACE) >= 0


@pytest.mark.parametrize("kind", [5, 6, 7, 8, 36, 37, 38, 39, 40, 52, 0xFFFFFFFF])
def test_unknown_kinds(kind: int) -> None:
    with pytest.raises(RelocationError) as caught:
        link_all(one_fixup(kind, 0))
    assert caught.value.value is None
    assert re.search(r"not known|linker's output", str(caught.value))


@pytest.mark.parametrize("kind", [k for k in KINDS if KINDS[k].width and k not in THREAD])
@pytest.mark.parametrize("offset", [-1, 0, 1 << 32, (1 << 64) - 65])
def test_fixup_outside_its_section(kind: int, offset: int) -> None:
    b = one_fixup(0, 0)
    data = b.sections[0]
    data.relocations.clear()
    start = 64 - KINDS[kind].width + 1 if offset == -1 else 64 + offset
    b.relocate(data, start % (1 << 64), kind, 1, 0)
    with pytest.raises(ObjectError):
        link_all(b)


def test_fixup_in_zeros() -> None:
    b = ObjectBuilder()
    bss = b.section(".bss", flags=WA, kind=8, size=64)
    b.relocate(bss, 0, 1, b.symbol("x", bss))
    with pytest.raises(ObjectError):
        link_all(b)


def thread_object(kind: int, addend: int = 0) -> ObjectBuilder:
    """Return an object with a variable at offset 8 of its ``.tdata`` and one fix-up to it."""
    b = ObjectBuilder()
    code = b.text(b"\x90" * 16 + bytes(16), ".text")
    tdata = b.section(".tdata", b"12345678abcdefgh", WAT, alignment=8)
    variable = b.symbol("v", tdata, 8, 8, GLOBAL, TLS)
    b.relocate(code, 16, kind, variable, addend)
    return b


def test_general_dynamic() -> None:
    image = link_all(thread_object(19, -4))
    assert image.thread_data is not None
    start = image.thread_data.start
    (entry,) = image.entries
    assert (word(image, entry.address), word(image, entry.address + 8)) == (start, start + 8)
    assert word(image, 0x10001010, 4, signed=True) == entry.address - 4 - 0x10001010
    with_key = link_all(thread_object(19, -4), tls=Tls(key=7))
    assert word(with_key, with_key.entries[0].address) == 7


def test_local_dynamic() -> None:
    image = link_all(thread_object(20, -4))
    (entry,) = image.entries
    assert image.thread_data is not None
    start = image.thread_data.start
    assert (word(image, entry.address), word(image, entry.address + 8)) == (start, start)
    assert word(image, 0x10001010, 4, signed=True) == entry.address - 4 - 0x10001010
    assert word(link_all(thread_object(21)), 0x10001010, 4) == 8
    assert word(link_all(thread_object(17)), 0x10001010, 8) == 8


@pytest.mark.parametrize("kind", [22, 44, 47, 50])
def test_initial_exec(kind: int) -> None:
    image = link_all(thread_object(kind, -4), tls=Tls(static=-64))
    (entry,) = image.entries
    assert (entry.kind, word(image, entry.address)) == ("tls_offset", (-56) % (1 << 64))
    assert word(image, 0x10001010, 4, signed=True) == entry.address - 4 - 0x10001010
    assert image.static_tls is not None
    assert image.thread_data is None
    assert image.static_tls[:4] == (-64, BASE, b"12345678abcdefgh", 16)
    with pytest.raises(LinkError, match="-ftls-model=global-dynamic"):
        link_all(thread_object(kind, -4))


def test_local_exec() -> None:
    tls = Tls(static=-64)
    assert word(link_all(thread_object(23, 1), tls=tls), 0x10001010, 4, signed=True) == -55
    assert word(link_all(thread_object(18, 1), tls=tls), 0x10001010, 8) == (-55) % (1 << 64)


def test_general_dynamic_access_to_static_storage() -> None:
    b = thread_object(19, -4)
    b.relocate(b.sections[0], 20, 23, 1, 0)
    image = link_all(b, tls=Tls(static=-64))
    (entry,) = image.entries
    assert (word(image, entry.address), word(image, entry.address + 8)) == (0, -56 % (1 << 64))


@pytest.mark.parametrize("kind", [34, 45, 48, 51])
def test_descriptor(kind: int) -> None:
    image = link_all(thread_object(kind, -4), tls=Tls(descriptor=0x1234))
    tls, descriptor = sorted(image.entries, key=lambda entry: entry.kind == "descriptor")
    assert word(image, descriptor.address) == 0x1234
    assert word(image, descriptor.address + 8) == tls.address
    assert word(image, 0x10001010, 4, signed=True) == descriptor.address - 4 - 0x10001010


def test_descriptor_without_a_function_for_it() -> None:
    with pytest.raises(LinkError, match="fixed offset"):
        link_all(thread_object(34, -4))


def test_pair_of_module_and_offset() -> None:
    """A hand-written TLS entry: the key, and what ``__tls_get_addr`` expects beside it."""
    b = thread_object(0)
    data = b.section(".data", bytes(16), WA)
    b.relocate(data, 0, 16, 1)
    b.relocate(data, 8, 17, 1)
    b.symbol("pair", data)
    image = link_all(b)
    assert image.thread_data is not None
    start = image.thread_data.start
    pair = image.defined["pair"].address
    assert (word(image, pair), word(image, pair + 8)) == (start, start + 8)


def test_variables_of_earlier_links_and_libraries() -> None:
    b = ObjectBuilder()
    code = b.text(bytes(32))
    for number, name in enumerate(("dynamic", "static", "library")):
        b.relocate(code, number * 4, 19, b.symbol(name, kind=TLS), -4)
    earlier = {
        "dynamic": Definition(0x5008, "cell 1", tls_key=0x5000),
        "static": Definition(0x6008, "cell 2", tls_offset=-32),
    }
    image = link_all(b, earlier=earlier, tls=Tls(known={"library": -8}))
    words = {e.symbol: (word(image, e.address), word(image, e.address + 8)) for e in image.entries}
    top = 1 << 64
    expected = {"dynamic": (0x5000, 0x5008), "static": (0, top - 32), "library": (0, top - 8)}
    assert words == expected
    assert all(entry.shared for entry in image.entries)


def test_fixed_offset_to_dynamic_storage() -> None:
    b = ObjectBuilder()
    code = b.text(bytes(32))
    b.relocate(code, 0, 22, b.symbol("dynamic", kind=TLS), -4)
    with pytest.raises(LinkError, match="each thread allocates"):
        link_all(b, earlier={"dynamic": Definition(0x5008, "cell 1", tls_key=0x5000)})
