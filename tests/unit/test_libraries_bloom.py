"""The near side's filter: what it rules out is nowhere, and it lets few others through."""

from __future__ import annotations

from math import ceil, log
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.libraries.bloom import FALSE_POSITIVES, NameFilter, checked_part


def filter_of(names: list[str], *, probes: int = 7) -> NameFilter:
    """Fill a filter as the librarian does (native/executor/library_index.cpp)."""
    bits = (max(64, ceil(-len(names) * log(FALSE_POSITIVES) / log(2) ** 2)) + 7) & ~7
    content = bytearray(bits // 8)
    for name in names:
        mixed = crc32(name.encode()) * 0x9E3779B97F4A7C15 % 2**64
        at, step = mixed >> 32, mixed % 2**32 | 1
        for _ in range(probes):
            bit = at * bits >> 32
            content[bit // 8] |= 1 << bit % 8
            at = (at + step) % 2**32
    made = NameFilter()
    made.replace([checked_part(probes, bits, bytes(content))])
    return made


def test_an_empty_filter_rules_out_everything() -> None:
    assert "x" not in NameFilter()


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=200))
def test_what_is_in_it_is_never_ruled_out(names: list[str]) -> None:
    made = filter_of(names)
    assert all(name in made for name in names)


def test_the_rate_of_false_positives_is_the_stated_one() -> None:
    made = filter_of([f"_ZN4some9namespace8function{i}Ev" for i in range(20_000)])
    strangers = [f"_ZN4some9namespace8functioN{i}Ev" for i in range(50_000)]
    rate = sum(name in made for name in strangers) / len(strangers)
    assert rate < 1.3 * FALSE_POSITIVES


def test_parts_add_up() -> None:
    made = filter_of(["one"])
    other = filter_of(["two"])
    made.add(other._parts)
    assert "one" in made
    assert "two" in made
    assert made.size == 2 * other.size


@pytest.mark.parametrize(
    ("probes", "bits", "size"),
    [(0, 64, 8), (33, 64, 8), (7, 0, 0), (7, 64, 7), (7, 63, 8), (7, 1 << 40, 8)],
)
def test_absurd_parts_are_refused(probes: int, bits: int, size: int) -> None:
    with pytest.raises(ProtocolError):
        checked_part(probes, bits, bytes(size))
