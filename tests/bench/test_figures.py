"""Medians, quartiles, intervals."""

from __future__ import annotations

import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.bench.figures import interval, ratios, spread

FIGURES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=60)


def test_spread_of_a_few() -> None:
    assert spread([5, 1, 3, 2, 4]) == (5, 3, 2, 4, 1, 5)


def test_quartiles_lie_between_measurements() -> None:
    found = spread([1, 2, 3, 4])
    assert (found.first, found.median, found.third) == (1.75, 2.5, 3.25)


def test_one_measurement_is_its_own_spread() -> None:
    assert spread([7]) == (1, 7, 7, 7, 7, 7)


@given(FIGURES)
def test_the_spread_is_in_order(values: list[float]) -> None:
    found = spread(values)
    assert found.least <= found.first <= found.median <= found.third <= found.most


@pytest.mark.parametrize(
    ("count", "left_out", "confidence"),
    [(1, 0, 0.0), (2, 0, 0.5), (5, 0, 0.9375), (6, 0, 0.96875), (9, 1, 0.9609375), (20, 5, 0.9586)],
)
def test_the_interval_leaves_out_what_it_may(count: int, left_out: int, confidence: float) -> None:
    """The table of the sign test: of nine values the second to the eighth, for instance."""
    found = interval(list(range(count)))
    assert (found.low, found.high) == (left_out, count - 1 - left_out)
    assert found.confidence == pytest.approx(confidence, abs=1e-4)


@given(FIGURES)
def test_the_interval_holds_the_median(values: list[float]) -> None:
    found = interval(values)
    assert found.low <= found.median == median(values) <= found.high


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    draw = random.Random(1)
    held = 0
    for _ in range(2000):
        found = interval([draw.expovariate(1) for _ in range(11)])
        held += found.low <= 0.6931 <= found.high
    assert held / 2000 > 0.94


def test_ratios_are_of_the_same_round() -> None:
    assert ratios([2, 9, 8], [1, 3]) == [2, 3]
    assert ratios([2, 9], [0, 3]) == [3]
