"""Which definition of a name counts, and what is left out of an image."""

from __future__ import annotations

import pytest

from farside.errors import (
    DuplicateDefinition,
    LinkError,
    OutOfAddressSpace,
    RelocationError,
    UndefinedSymbols,
)
from farside.link import Definition, LinkedImage, Prot
from tests.link.elf_builder import (
    ABS,
    AX,
    COM,
    FUNC,
    GLOBAL,
    HIDDEN,
    LCOM,
    LOCAL,
    OBJECT,
    PROTECTED,
    SECTION,
    WA,
    WEAK,
    ObjectBuilder,
    Section,
)
from tests.link.near import BASE, Names, link_all, read, word


def defining(
    name: str = "x", binding: int = GLOBAL, mark: int = 1, visibility: int = 0
) -> ObjectBuilder:
    """Return an object that defines `name` as 8 bytes of `mark`."""
    b = ObjectBuilder()
    data = b.section(".data", bytes([mark]) * 8, WA, alignment=8)
    b.symbol(name, data, 0, 8, binding, OBJECT, visibility)
    return b


def using(name: str = "x", binding: int = GLOBAL, visibility: int = 0) -> ObjectBuilder:
    """Return an object whose ``use`` holds the address of `name`."""
    b = ObjectBuilder()
    data = b.section(".data", bytes(8), WA, alignment=8)
    b.symbol("use", data)
    b.relocate(data, 0, 1, b.symbol(name, binding=binding, visibility=visibility))
    return b


def target(image: LinkedImage) -> int:
    return word(image, image.defined["use"].address)


def common(size: int, alignment: int, section: int = COM) -> ObjectBuilder:
    b = ObjectBuilder()
    b.symbol("x", section, alignment, size, GLOBAL, OBJECT)
    return b


@pytest.mark.parametrize("user_first", [True, False])
def test_strong_before_weak_whatever_the_order(user_first: bool) -> None:
    strong, weak = defining(mark=1), defining(binding=WEAK, mark=2)
    for pair in ((strong, weak), (weak, strong)):
        image = link_all(using(), *pair) if user_first else link_all(*pair, using())
        assert read(image, target(image), 1) == b"\1"
        assert not image.defined["x"].weak


def test_the_first_of_two_weak_ones() -> None:
    image = link_all(defining(binding=WEAK, mark=1), defining(binding=WEAK, mark=2), using())
    assert read(image, target(image), 1) == b"\1"
    assert image.defined["x"].weak


def test_two_strong_ones() -> None:
    with pytest.raises(DuplicateDefinition) as caught:
        link_all(defining(), defining())
    error = caught.value
    assert (error.symbol, error.first, error.second) == ("x", "1.o", "2.o")
    assert "1.o" in str(error)
    assert "2.o" in str(error)


def test_common_symbols_become_one() -> None:
    image = link_all(common(8, 4), common(24, 16), common(4, 32), using())
    assert image.defined["x"].size == 24
    assert target(image) == image.defined["x"].address
    assert target(image) % 32 == 0
    (zeros,) = [s for s in image.segments if s.zero_fill]
    assert zeros.prot == Prot.READ | Prot.WRITE


def test_a_definition_before_a_common_one_before_a_weak_one() -> None:
    for order in ((common(8, 8), defining()), (defining(), common(8, 8))):
        image = link_all(*order, using())
        assert read(image, target(image), 1) == b"\1"
    for order in ((common(8, 8), defining(binding=WEAK)), (defining(binding=WEAK), common(8, 8))):
        image = link_all(*order, using())
        assert read(image, target(image), 1) == b"\0"


def test_large_common_symbols_lie_last() -> None:
    image = link_all(common(64, 8, LCOM), defining("y"), using())
    assert image.defined["x"].address > image.defined["y"].address


def test_absolute_symbols() -> None:
    b = ObjectBuilder()
    b.symbol("x", ABS, 0x123456789ABCDEF0)
    image = link_all(b, using())
    assert target(image) == image.defined["x"].address == 0x123456789ABCDEF0
    assert image.defined["x"].kind == "absolute"


def test_hidden_names_are_seen_by_the_link_and_not_beyond() -> None:
    image = link_all(defining(visibility=HIDDEN), using())
    assert read(image, target(image), 1) == b"\1"
    assert "x" not in image.defined
    assert image.hidden["x"].exported is False
    earlier = {"x": Definition(0x5000, "cell 1")}
    image = link_all(defining(visibility=HIDDEN), using(), earlier=earlier)
    assert read(image, target(image), 1) == b"\1"


def test_the_most_constraining_visibility_counts() -> None:
    assert "x" in link_all(defining(), using(visibility=HIDDEN)).hidden
    assert "x" in link_all(defining(visibility=PROTECTED), using()).defined


def test_a_hidden_reference_may_be_met_from_outside() -> None:
    image = link_all(using("__dso_handle", visibility=HIDDEN), externals={"__dso_handle": 0x7000})
    assert target(image) == 0x7000


def test_local_symbols_stay() -> None:
    b = defining(binding=LOCAL)
    names = Names({"x": 0x7000})
    image = link_all(b, using(), names=names)
    assert target(image) == 0x7000
    assert [s.name for s in image.local_symbols] == ["x"]
    assert names.asked == ["x"]


def test_names_that_nothing_defines() -> None:
    b = using("_Z3foov")
    b.relocate(b.sections[0], 0, 1, b.symbol("_Z3barv"))
    b.symbol("never_used")
    with pytest.raises(UndefinedSymbols) as caught:
        link_all(b, demangle=lambda name: name[3:6] + "()")
    assert caught.value.symbols == ("_Z3barv", "_Z3foov")
    assert caught.value.referrer == "1.o"
    assert "bar(), foo() are undefined" in str(caught.value)


def test_a_failed_link_allocates_nothing() -> None:
    class Never:
        def allocate(self, prot: Prot, size: int, alignment: int) -> int:
            raise AssertionError

    with pytest.raises(UndefinedSymbols):
        link_all(using(), allocator=Never())


def test_weak_references_may_stay_undefined() -> None:
    image = link_all(using(binding=WEAK))
    assert target(image) == 0
    assert image.undefined_weak == ("x",)
    assert link_all(using(binding=WEAK), externals={"x": 5}).undefined_weak == ()
    user = ObjectBuilder()
    user.relocate(user.section(".data", bytes(8), WA), 0, 1, user.symbol("x"))
    with pytest.raises(UndefinedSymbols):
        link_all(using(binding=WEAK), user)


EARLIER = {"x": Definition(0x5000, "cell 1")}


def test_a_weak_definition_gives_way_to_an_earlier_one() -> None:
    for late in (defining(binding=WEAK), common(8, 8)):
        image = link_all(late, using(), earlier=EARLIER)
        assert target(image) == 0x5000
        assert "x" not in image.defined
        assert image.redefined == ()


def test_a_strong_definition_after_a_strong_one() -> None:
    with pytest.raises(DuplicateDefinition) as caught:
        link_all(defining(), earlier=EARLIER)
    assert (caught.value.first, caught.value.second) == ("cell 1", "1.o")


@pytest.mark.parametrize(("weak", "redefinable"), [(True, False), (False, True)])
def test_a_strong_definition_takes_over(weak: bool, redefinable: bool) -> None:
    earlier = {"x": EARLIER["x"]._replace(weak=weak, redefinable=redefinable)}
    image = link_all(defining(), using(), earlier=earlier)
    assert target(image) == image.defined["x"].address
    assert image.redefined == ("x",)


def grouped(mark: int, *extra: str, names: tuple[str, ...] = ("inline",)) -> ObjectBuilder:
    """Return an object with a COMDAT group, its unwind record, and a caller outside the group."""
    b = ObjectBuilder()
    member = b.section(".text.inline", bytes([mark]) * 16, AX | 0x200)
    constants = b.section(".rodata.inline", bytes([mark]) * 4, 2 | 0x200)
    caller = b.text(b"\x90\xe8\0\0\0\0\xc3", ".text")
    indices = [b.symbol(name, member, number, 16, WEAK, FUNC) for number, name in enumerate(names)]
    for name in extra:
        b.symbol(name, constants, 0, 4, WEAK, OBJECT)
    b.relocate(caller, 2, 4, indices[0], -4)
    b.symbol(f"caller{mark}", caller)
    inside = b.symbol("", member, 0, 0, LOCAL, SECTION)
    outside = b.symbol("", caller, 0, 0, LOCAL, SECTION)
    frames = b.section(".eh_frame", unwind(2), 2, 0x70000001, 8)
    b.relocate(frames, 24 + 8, 2, inside, 0)
    b.relocate(frames, 24 + 24 + 8, 2, outside, 0)
    b.group(indices[0], [member, constants])
    return b


def unwind(functions: int) -> bytes:
    """Return a CIE of 24 bytes and FDEs of 24 bytes each."""
    cie = (20).to_bytes(4, "little") + bytes(4) + b"\1zR\0\1\x78\x10\1\x1b" + bytes(7)
    table = cie
    for _ in range(functions):
        distance = len(table) + 4
        table += (20).to_bytes(4, "little") + distance.to_bytes(4, "little") + bytes(16)
    return table


def frame_count(image: LinkedImage) -> int:
    """Walk the unwind table as libgcc does; return the number of FDEs."""
    assert image.eh_frame is not None
    at, end = image.eh_frame
    count = 0
    while length := word(image, at, 4):
        back = word(image, at + 4, 4)
        if back:
            assert word(image, at + 4 - back + 4, 4) == 0, "an FDE's CIE is where it says"
            count += 1
        at += 4 + length
    assert at + 4 == end
    return count


def call_target(image: LinkedImage, caller: str) -> int:
    at = image.defined[caller].address + 2
    return at + 4 + word(image, at, 4, signed=True)


def test_one_group_of_each_signature() -> None:
    image = link_all(grouped(1), grouped(2))
    inline = image.defined["inline"].address
    assert read(image, inline, 16) == b"\1" * 16
    assert call_target(image, "caller1") == call_target(image, "caller2") == inline
    assert [s.name for s in image.sections].count(".text.inline") == 1
    assert frame_count(image) == 3


def test_a_group_that_an_earlier_link_gave() -> None:
    earlier = {"inline": Definition(BASE + 0x100000, "cell 1", weak=True, callable=True)}
    image = link_all(grouped(1), earlier=earlier)
    assert "inline" not in image.defined
    assert call_target(image, "caller1") == BASE + 0x100000
    names = [s.name for s in image.sections]
    assert ".text.inline" not in names
    assert ".rodata.inline" not in names
    assert frame_count(image) == 1


def test_a_group_of_which_earlier_links_gave_a_part() -> None:
    earlier = {"inline": Definition(BASE + 0x100000, "cell 1", weak=True, callable=True)}
    image = link_all(grouped(1, "constant"), earlier=earlier)
    assert call_target(image, "caller1") == BASE + 0x100000
    assert "constant" in image.defined
    assert frame_count(image) == 2


def test_groups_without_comdat_flag_are_not_shared() -> None:
    b, c = grouped(1), grouped(2)
    for builder in (b, c):
        signature, _, members = builder.groups[0]
        builder.groups[0] = (signature, 0, members)
    assert [s.name for s in link_all(b, c).sections].count(".text.inline") == 2


def test_a_reference_to_a_local_symbol_of_a_dropped_group() -> None:
    b = grouped(2)
    data = b.section(".data", bytes(8), WA)
    b.relocate(data, 0, 1, b.symbol("", b.sections[0], 0, 0, LOCAL, SECTION))
    with pytest.raises(RelocationError, match=r"\.text\.inline, which was dropped"):
        link_all(grouped(1), b)


def hidden_group(referenced: bool) -> ObjectBuilder:
    b = ObjectBuilder()
    member = b.section(".text.hidden", bytes(4), AX | 0x200)
    data = b.section(".data", bytes(8), WA)
    b.symbol("d", data)
    index = b.symbol("hidden", member, 0, 4, WEAK, FUNC, HIDDEN)
    b.group(index, [member])
    if referenced:
        b.relocate(data, 0, 1, index)
    return b


def test_groups_that_nobody_can_ask_for() -> None:
    assert "hidden" in link_all(hidden_group(True)).hidden
    assert "hidden" not in link_all(hidden_group(False)).hidden


def chain() -> tuple[ObjectBuilder, dict[str, Section]]:
    """Return a → b, c unused, d run by an initialiser; each function in a section of its own."""
    o = ObjectBuilder()
    sections = {name: o.section(f".text.{name}", bytes(8), AX) for name in "abcd"}
    symbols = {name: o.symbol(name, s, 0, 8, GLOBAL, FUNC) for name, s in sections.items()}
    o.relocate(sections["a"], 0, 4, symbols["b"], -4)
    init = o.section(".init_array", bytes(8), WA, 14)
    o.relocate(init, 0, 1, symbols["d"])
    frames = o.section(".eh_frame", unwind(4), 2, 0x70000001, 8)
    for number, s in enumerate(sections.values()):
        o.relocate(frames, 24 * (number + 1) + 8, 2, o.symbol("", s, 0, 0, LOCAL, SECTION))
    return o, sections


def test_roots_keep_what_they_need() -> None:
    image = link_all(chain()[0], roots=("a",))
    assert set(image.defined) == {"a", "b", "d"}
    assert frame_count(image) == 3
    assert set(link_all(chain()[0]).defined) == set("abcd")
    assert set(link_all(chain()[0], roots=()).defined) == {"d"}
    earlier = {"x": Definition(0x5000, "cell 1")}
    assert set(link_all(chain()[0], roots=("x", "b"), earlier=earlier).defined) == {"b", "d"}
    with pytest.raises(UndefinedSymbols, match="x is to be kept"):
        link_all(chain()[0], roots=("x", "b"))


def test_what_unwind_records_refer_to_stays_with_the_function() -> None:
    o, sections = chain()
    frames = o.sections[-1]
    for name in "ac":
        table = o.section(f".gcc_except_table.{name}", bytes(4))
        record = 1 + list(sections).index(name)
        o.relocate(frames, 24 * record + 17, 2, o.symbol("", table, 0, 0, LOCAL, SECTION))
    names = {s.name for s in link_all(o, roots=("a",)).sections}
    assert ".gcc_except_table.a" in names
    assert ".gcc_except_table.c" not in names


def test_terminators_do_not_end_the_table_early() -> None:
    def framed(name: str, ends: bool) -> ObjectBuilder:
        b = ObjectBuilder()
        text = b.text(bytes(8))
        b.symbol(name, text, 0, 8, GLOBAL, FUNC)
        frames = b.section(".eh_frame", unwind(1) + bytes(4 * ends), 2, 0x70000001, 8)
        b.relocate(frames, 24 + 8, 2, b.symbol("", text, 0, 0, LOCAL, SECTION))
        return b

    assert frame_count(link_all(framed("f", True), framed("g", False), framed("h", True))) == 3


def test_start_and_stop() -> None:
    b, c = defining("one"), defining("two")
    for number, builder in enumerate((b, c), 1):
        builder.section("hooks", bytes([number]) * 8, WA, alignment=8)
        builder.section(f".other{number}", b"\xee" * 8, WA)
    user = using("__start_hooks")
    data = user.section(".data.stop", bytes(8), WA, alignment=8)
    user.symbol("stop", data)
    user.relocate(data, 0, 1, user.symbol("__stop_hooks"))
    image = link_all(b, c, user)
    start, stop = target(image), word(image, image.defined["stop"].address)
    assert read(image, start, stop - start) == b"\1" * 8 + b"\2" * 8
    with pytest.raises(UndefinedSymbols):
        link_all(using("__start_nothing"))


def test_no_memory_is_writable_and_executable() -> None:
    b = ObjectBuilder()
    b.section(".text", bytes(4), AX | 1)
    with pytest.raises(LinkError, match="written and executed"):
        link_all(b)


def test_an_allocator_without_room() -> None:
    class Full:
        def allocate(self, prot: Prot, size: int, alignment: int) -> int:
            raise OutOfAddressSpace("full")

    with pytest.raises(OutOfAddressSpace):
        link_all(defining(), allocator=Full())


def test_a_reference_into_what_is_not_loaded() -> None:
    b = ObjectBuilder()
    note = b.section(".comment", bytes(4), 0)
    data = b.section(".data", bytes(8), WA)
    b.relocate(data, 0, 1, b.symbol("", note, 0, 0, LOCAL, SECTION))
    with pytest.raises(RelocationError, match="not loaded"):
        link_all(b)


def test_a_name_for_nothing_has_an_address_of_its_own() -> None:
    b = ObjectBuilder()
    empty = b.section(".data", b"", WA)
    b.symbol("x", empty)
    image = link_all(b, using())
    assert target(image) == image.defined["x"].address != 0


def test_no_objects_at_all() -> None:
    image = link_all()
    assert (image.segments, image.allocations, dict(image.defined)) == ((), (), {})
