"""Readiness over the transitive dependence of blocks."""

from __future__ import annotations

import random
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from farside.link.dependence import Dependence
from tests.link.elf_builder import AX, FUNC, GLOBAL, ObjectBuilder
from tests.link.near import link_all


def test_a_caller_is_not_ready_before_what_it_calls() -> None:
    """``int f(); int f1() { return f(); } int f2() { return f1(); }``, in every order of blocks."""
    names = ("f2", "f1", "g")
    for order in permutations(names):
        b = ObjectBuilder()
        sections = {name: b.section(f".text.{name}", bytes(8), AX) for name in order}
        symbols = {
            name: b.symbol(name, sections[name], 0, 8, GLOBAL, FUNC) for name in reversed(order)
        }
        symbols["f"] = b.symbol("f")
        b.relocate(sections["f2"], 0, 4, symbols["f1"], -4)
        b.relocate(sections["f1"], 0, 4, symbols["f"], -4)
        image = link_all(b, externals={"f": 0x10400000})
        relation = image.dependence
        assert relation.ready(()) == {"g"}
        assert relation.ready({"f"}) == set(names)
        assert relation.externals_of("f2") == {"f"}
        assert relation.externals_of("g") == frozenset()


def test_cycles_are_ready_together() -> None:
    relation = Dependence([{1}, {2}, {0}], {2: {"x"}}, {"a": 0, "b": 1, "c": 2})
    assert relation.ready(()) == frozenset()
    assert relation.ready({"x"}) == {"a", "b", "c"}


def test_a_long_chain_needs_no_stack() -> None:
    count = 100_000
    relation = Dependence([{n + 1} for n in range(count)] + [()], {count: {"x"}}, {"first": 0})
    assert relation.externals_of("first") == {"x"}
    assert not relation.ready(())


@given(st.data())
def test_ready_is_what_reaches_nothing_missing(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    numbers = st.integers(0, count - 1)
    successors = [data.draw(st.sets(numbers, max_size=4)) for _ in range(count)]
    externals = {
        number: names
        for number in range(count)
        if (names := data.draw(st.sets(st.sampled_from("xyz"), max_size=2)))
    }
    available = data.draw(st.sets(st.sampled_from("xyz")))
    symbols = {str(number): number for number in range(count)}
    relation = Dependence(successors, externals, symbols)
    expected = {name for name in symbols if relation.externals_of(name) <= available}
    assert relation.ready(available) == expected
    order = list(range(count))
    random.Random(0).shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    shuffled = Dependence(
        [{place[other] for other in successors[old]} for old in order],
        {place[old]: names for old, names in externals.items()},
        {name: place[old] for name, old in symbols.items()},
    )
    assert shuffled.ready(available) == expected
