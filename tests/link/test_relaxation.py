"""GOT loads as instructions that need no slot: the psABI's section B.2, byte by byte."""

from __future__ import annotations

import pytest

from farside.link import Definition, LinkedImage
from tests.link.elf_builder import AX, FUNC, GLOBAL, IFUNC, ObjectBuilder
from tests.link.near import BASE, Bump, link_all, read, word

NEAR, FAR = BASE + 0x100000, 0x7FFF_0000_1000
HIGH = 0x7F00_0000_0000


def loading(kind: int, code: str, addend: int = -4) -> ObjectBuilder:
    """Return an object whose ``f`` is `code` with its last four bytes referring to ``x``."""
    b = ObjectBuilder()
    raw = bytes.fromhex(code) + bytes(4)
    text = b.section(".text", raw + b"\x90" * 4, AX, alignment=16)
    b.symbol("f", text, 0, len(raw), GLOBAL, FUNC)
    b.relocate(text, len(raw) - 4, kind, b.symbol("x"), addend)
    return b


def linked(b: ObjectBuilder, x: int = NEAR, base: int = BASE, **how: object) -> LinkedImage:
    return link_all(b, externals={"x": x}, allocator=Bump(base), **how)


def code_of(image: LinkedImage, size: int = 8) -> tuple[int, bytes]:
    start = image.defined["f"].address
    return start, read(image, start, size)


@pytest.mark.parametrize(
    ("kind", "code", "expected", "field", "end"),
    [
        (42, "488b05", "488d05", 3, 7),  # mov x@GOTPCREL(%rip), %rax -> lea
        (42, "4c8b3d", "4c8d3d", 3, 7),
        (41, "8b0d", "8d0d", 2, 6),
        (41, "ff15", "67e8", 2, 6),  # call *x@GOTPCREL(%rip) -> addr32 call x
        (41, "ff25", "e9", 1, 5),  # jmp -> jmp x; nop
        (43, "d5488b05", "d5488d05", 4, 8),  # APX
    ],
)
def test_distances(kind: int, code: str, expected: str, field: int, end: int) -> None:
    base = HIGH if kind != 43 else BASE
    image = linked(loading(kind, code), base + 0x100000, base)
    start, raw = code_of(image)
    assert raw[:field].hex() == expected
    assert start + end + word(image, start + field, 4, signed=True) == base + 0x100000
    assert image.entries == ()
    if code == "ff25":
        assert raw[5] == 0x90


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("488505", "48f7c0"),  # test %rax, x@GOTPCREL(%rip) -> test $x, %rax
        ("4c8505", "49f7c0"),  # %r8
        ("480305", "4881c0"),  # add
        ("4c3b3d", "4981ff"),  # cmp, %r15
        ("48232d", "4881e5"),  # and, %rbp
    ],
)
def test_immediates(code: str, expected: str) -> None:
    image = linked(loading(42, code))
    start, raw = code_of(image)
    assert raw[:3].hex() == expected
    assert word(image, start + 3, 4) == NEAR
    assert image.entries == ()
    # An address that needs more than 31 bits cannot be an immediate.
    assert len(linked(loading(42, code), HIGH + 0x100000, HIGH).entries) == 1


@pytest.mark.parametrize(
    ("kind", "code", "addend"),
    [
        (9, "488b05", -4),  # not marked as relaxable
        (42, "488b05", 0),  # not the address of the symbol's start
        (42, "488b04", -4),  # not relative to %rip
        (42, "48ff35", -4),  # push
        (41, "ff35", -4),
        (41, "6648ff15", -4),  # the prefixes would mean another call
        (41, "", -4),  # no room for an instruction
    ],
)
def test_what_is_not_relaxed(kind: int, code: str, addend: int) -> None:
    image = linked(loading(kind, code, addend))
    (slot,) = image.entries
    start, raw = code_of(image)
    field = len(code) // 2
    assert raw[:field].hex() == code
    assert start + field - addend + word(image, start + field, 4, signed=True) == slot.address
    assert word(image, slot.address) == NEAR


@pytest.mark.parametrize("code", ["488b05", "48ff15"])
def test_what_is_far_or_may_be_redefined_keeps_its_slot(code: str) -> None:
    image = linked(loading(42, code), FAR)
    assert [(e.kind, word(image, e.address)) for e in image.entries] == [("got", FAR)]
    earlier = {"x": Definition(NEAR, "cell 1", redefinable=True)}
    image = link_all(loading(42, code), earlier=earlier)
    assert [(e.kind, word(image, e.address)) for e in image.entries] == [("got", NEAR)]


@pytest.mark.parametrize("opcode", ["e8", "e9", "0f84"])
@pytest.mark.parametrize("kind", [2, 4])
def test_calls_and_jumps(kind: int, opcode: str) -> None:
    field = len(opcode) // 2

    def reached(image: LinkedImage) -> int:
        start = image.defined["f"].address
        return start + field + 4 + word(image, start + field, 4, signed=True)

    near = linked(loading(kind, opcode))
    assert (reached(near), near.entries) == (NEAR, ())
    for image, goal in (
        (linked(loading(kind, opcode), FAR), FAR),
        (
            link_all(
                loading(kind, opcode),
                earlier={"x": Definition(NEAR, "cell 1", redefinable=True)},
            ),
            NEAR,
        ),
    ):
        slot, stub = image.entries
        assert (slot.kind, stub.kind, stub.value) == ("got", "stub", goal)
        assert reached(image) == stub.address
        assert read(image, stub.address, 2) == b"\xff\x25"
        assert stub.address + 6 + word(image, stub.address + 2, 4, signed=True) == slot.address
        assert word(image, slot.address) == goal


def test_an_ifunc_is_its_stub() -> None:
    b = loading(42, "488b05")
    text = b.sections[0]
    b.symbols[2] = ("x", text.number, 0, 8, GLOBAL << 4 | IFUNC, 0)
    image = link_all(b)
    (slot, resolver), *_ = image.ifuncs
    assert resolver == image.defined["f"].address
    assert word(image, slot) == 0
    stub = next(e for e in image.entries if e.kind == "stub")
    assert image.defined["x"].address == stub.address
    assert image.defined["x"].callable
    start, raw = code_of(image)
    assert raw[:3].hex() == "488b05"
    assert start + 7 + word(image, start + 3, 4, signed=True) == slot
    assert not any(entry.shared for entry in image.entries)
