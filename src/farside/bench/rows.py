"""What is measured: rows of measurements with a column for farside and one for each peer."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from farside.annotations import TYPE_CHECKING
from farside.bench.figures import Interval, interval, ratios
from farside.errors import FarsideError, Interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FARSIDE = "farside"

# The columns in the order in which they are shown, with their headings.
TITLES = {
    FARSIDE: "farside",
    "session": "farside, from Python",
    "in-process": "farside --in-process",
    "clang-repl": "clang-repl in process",
    "clang-repl-oop": "clang-repl out of process",
    "clang++": "clang++",
    "g++": "g++",
    "cppyy": "cppyy",
    "llvm-jitlink": "llvm-jitlink",
}

ABSENT = "not installed"


class PeerFailed(Exception):
    """A peer is missing, has crashed, hangs or cannot do it; the text says which, in some words."""


@dataclass
class Row:
    """One thing that is measured.

    Attributes:
        group: what it belongs to.
        name: what it is.
        unit: of the measurements: ``ms``, ``s``, ``µs``, ``KiB``, ``bytes``.
        samples: by column, one of each round in order.
        missing: by column, why there are none.
        note: what a reader should know besides.
        load: the machine's load average over one minute when it began.
    """

    group: str
    name: str
    unit: str = "ms"
    samples: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    note: str = ""
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    def columns(self) -> list[str]:
        """Return the columns that have something to say, in order."""
        order = [*TITLES, *self.samples, *self.missing]
        return [key for key in dict.fromkeys(order) if self.samples.get(key) or key in self.missing]

    def ratio(self, key: str, base: str = FARSIDE) -> Interval | None:
        """Return a column's measurements divided by another's; None where one has none."""
        found = ratios(self.samples.get(key, []), self.samples.get(base, []))
        return interval(found) if found else None


def interleave(
    row: Row,
    actions: Mapping[str, Callable[[], float]],
    rounds: int,
    begin: Callable[[str], None] = lambda _: None,
) -> None:
    """Measure a row: in each round every column once, each time in another order.

    A column whose action raises `PeerFailed`, or one of farside's errors, ends there; the rounds
    that it took part in are kept where there is one, and the reason is noted where there is none.

    Args:
        row: gets the measurements as they come, so that it can be shown at any time.
        actions: by column; each returns one measurement.
        rounds: how many.
        begin: is told each column before its action runs.
    """
    left = dict(actions)
    for turn in range(rounds):
        order = list(left)
        shift = turn % max(1, len(order))
        for key in order[shift:] + order[:shift]:
            begin(key)
            try:
                value = left[key]()
            except Interrupted as error:
                raise KeyboardInterrupt from error  # a Ctrl-C that came while a cell ran
            except (PeerFailed, FarsideError) as error:
                del left[key]
                words = str(error).splitlines()
                row.missing[key] = words[0] if words else type(error).__name__
                row.samples.pop(key, None)  # what ends in a failure is no measurement
                continue
            row.samples.setdefault(key, []).append(value)
