"""The statistics of repeated measurements: medians, quartiles, and how sure a median is.

Times on a shared machine have no normal distribution: they have a floor and a long tail. So nothing
here uses a mean or a standard deviation.
"""

from __future__ import annotations

from math import comb
from statistics import median

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONFIDENCE = 0.95


class Spread(NamedTuple):
    """What repeated measurements have come to.

    Attributes:
        rounds: how many there are.
        median: their median.
        first, third: their quartiles.
        least, most: their extremes.
    """

    rounds: int
    median: float
    first: float
    third: float
    least: float
    most: float


class Interval(NamedTuple):
    """Where the median of what is measured lies.

    Attributes:
        median: of the measurements.
        low, high: two of the measurements.
        confidence: the probability that such an interval holds the true median. It is at least 0.95
            from six measurements on; with fewer the whole range has less.
    """

    median: float
    low: float
    high: float
    confidence: float


def spread(values: Sequence[float]) -> Spread:
    """Return median, quartiles and extremes; quartiles lie between measurements where they must.

    Args:
        values: at least one.
    """
    ordered = sorted(values)
    return Spread(
        len(ordered),
        median(ordered),
        _quantile(ordered, 0.25),
        _quantile(ordered, 0.75),
        ordered[0],
        ordered[-1],
    )


def _quantile(ordered: Sequence[float], part: float) -> float:
    place = part * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def interval(values: Sequence[float]) -> Interval:
    """Return the narrowest interval between order statistics that holds the median at 95 %.

    Each measurement lies below the true median with probability one half, whatever the
    distribution; so the interval from the k-th smallest to the k-th largest of n misses it with
    twice the probability of fewer than k heads in n throws of a coin.

    Args:
        values: at least one.
    """
    ordered = sorted(values)
    count = len(ordered)
    best, below = 1, 0
    for k in range(1, count // 2 + 1):
        below += comb(count, k - 1)
        if 1 - 2 * below / 2**count < _CONFIDENCE:
            break
        best = k
    missed = sum(comb(count, i) for i in range(best)) * 2 / 2**count
    return Interval(median(ordered), ordered[best - 1], ordered[-best], max(0.0, 1 - missed))


def ratios(values: Sequence[float], base: Sequence[float]) -> list[float]:
    """Divide measurements that were taken in the same round; rounds that one side lacks are left
    out.

    A change of the machine's speed falls on both halves of such a pair, so it leaves the quotient
    as it is.
    """
    return [value / other for value, other in zip(values, base, strict=False) if other > 0]
