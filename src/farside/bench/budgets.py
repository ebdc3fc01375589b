"""The budgets: what each thing may cost, and whether it does not cost more.

Absolute limits were set on one machine, where Clang-Repl took the times named here; elsewhere, and
on a machine with other work, the same limit is the quotient of both. So where the peer was measured
in the same run, the quotient decides.
"""

from __future__ import annotations

from dataclasses import dataclass

from farside.annotations import TYPE_CHECKING
from farside.bench import growth, latency, programs, scale
from farside.bench.figures import Interval, interval, ratios
from farside.bench.report import number
from farside.bench.rows import FARSIDE
from farside.bench.run import Group
from farside.bench.sources import PROGRAMS
from farside.records import NamedTuple

if TYPE_CHECKING:
    from farside.bench.rows import Row
    from farside.bench.run import Run

NAME = "budgets"
_IN_PROCESS = "clang-repl"


class Budget(NamedTuple):
    """A limit.

    Attributes:
        what: it is for.
        group, row: what is measured.
        limit: in the row's unit, on the machine on which it was set; None where only the quotient
            counts.
        peer: the column that it is compared with; None if there is none.
        times: how many times the peer's it may be.
    """

    what: str
    group: str
    row: str
    limit: float | None
    peer: str | None = None
    times: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What came of a budget.

    Attributes:
        what: it is for.
        limit: as a text.
        measured: as a text.
        met: whether it is; None if it was not measured.
        sure: whether the interval of the measurements lies on one side of the limit.
    """

    what: str
    limit: str
    measured: str
    met: bool | None
    sure: bool = False

    @property
    def word(self) -> str:
        """Return the verdict as a word or two."""
        if self.met is None:
            return "not measured"
        return ("yes" if self.met else "no") + ("" if self.sure else ", within the spread")


def budgets() -> list[Budget]:
    """Return all limits but those that compare rows of farside's own."""
    cell = "one trivial cell, after {} cells"
    found = [
        Budget(cell.format("100"), "growth", growth.row_name(100), 1.0, _IN_PROCESS, 1.0 / 2.5),
        Budget(
            cell.format("10,000"), "growth", growth.row_name(10_000), 1.0, _IN_PROCESS, 1.0 / 2.5
        ),
        Budget(
            "first result from a cold shell", "latency", latency.FIRST, 150, _IN_PROCESS, 150 / 45
        ),
        Budget(
            "first cell with the standard library, cold",
            "latency",
            latency.FIRST_HEADERS,
            180,
            _IN_PROCESS,
            180 / 400,
        ),
        Budget(
            "the same in a running session",
            "latency",
            latency.HEADERS_LATER,
            30,
            _IN_PROCESS,
            30 / 400,
        ),
    ]
    found += [
        Budget(
            f"{path.stem} at -O2",
            "programs",
            programs.row_name(path.stem, 2),
            None,
            "clang++",
            1.03,
        )
        for path in sorted(PROGRAMS.glob("*.cpp"))
    ]
    found += [
        Budget("crash to the next prompt, 1 GB heap", "scale", scale.HEAP, 20),
        Budget("idle far side", "scale", scale.IDLE, 5 * 1024),
        Budget("each snapshot of a small program", "scale", scale.SNAPSHOT, 0.3 * 1024),
    ]
    return found


def measure(run: Run) -> None:
    """Measure what the budgets need and was not measured yet."""
    if run.find("growth", growth.row_name(100)) is None:
        growth.measure(run)
    if run.find("latency", latency.FIRST) is None:
        latency.measure(run)
    if run.find("programs", budgets()[5].row) is None:
        programs.measure(run)
    if run.find("scale", scale.HEAP) is None:
        scale.idle(run)
        scale.heaps(run)


def verdicts(run: Run) -> list[Verdict]:
    """Return what came of each budget."""
    found = [_verdict(run, budget) for budget in budgets()]
    found.append(_flat(run))
    found += _faster(run)
    return found


def _verdict(run: Run, budget: Budget) -> Verdict:
    row = run.find(budget.group, budget.row)
    limits = []
    if budget.limit is not None:
        unit = row.unit if row is not None else "KiB" if budget.group == "scale" else "ms"
        unit = "ms" if budget.row == scale.HEAP else unit
        limits.append(f"{budget.limit:g} {unit}")
    if budget.times is not None:
        limits.append(f"{budget.times:.2f} × {budget.peer}")
    limit = ", ".join(limits)
    if row is None or FARSIDE not in row.samples:
        return Verdict(budget.what, limit, "", None)
    own = interval(row.samples[FARSIDE])
    measured = f"{number(own.median)} {row.unit}"
    if budget.peer is not None and budget.times is not None and row.samples.get(budget.peer):
        quotient = interval(ratios(row.samples[FARSIDE], row.samples[budget.peer]))
        measured += f", {_text(quotient)} × {budget.peer}"
        return Verdict(budget.what, limit, measured, *_judge(quotient, budget.times))
    if budget.limit is None:
        return Verdict(budget.what, limit, measured, None)
    return Verdict(budget.what, limit, measured, *_judge(own, budget.limit))


def _judge(found: Interval, limit: float) -> tuple[bool, bool]:
    return found.median <= limit, not found.low <= limit < found.high


def _text(found: Interval) -> str:
    return f"{found.median:.3f} [{found.low:.3f}–{found.high:.3f}]"


def _flat(run: Run) -> Verdict:
    """Judge whether the last cells cost what the hundredth does."""
    what, limit, times = "flat: a late cell costs no more than cell 100", "1.2 × cell 100", 1.2
    rows = [run.find("growth", growth.row_name(count)) for count in growth.CHECKPOINTS]
    present = [row for row in rows if row is not None and FARSIDE in row.samples]
    early = run.find("growth", growth.row_name(100))
    if early is None or not present or present[-1] is early:
        return Verdict(what, limit, "", None)
    beside = run.find("growth", growth.LATE)
    if beside is not None and FARSIDE in beside.samples:
        quotient = interval(beside.samples[FARSIDE])
    else:
        quotient = interval(ratios(present[-1].samples[FARSIDE], early.samples[FARSIDE]))
    measured = f"{_text(quotient)} × cell 100 ({present[-1].name})"
    return Verdict(what, limit, measured, *_judge(quotient, times))


def _faster(run: Run) -> list[Verdict]:
    """Judge each row of latencies against Clang-Repl in process."""

    def one(row: Row) -> Verdict:
        quotient = interval(ratios(row.samples[FARSIDE], row.samples[_IN_PROCESS]))
        measured = f"{_text(quotient)} × {_IN_PROCESS}"
        return Verdict(
            f"out of process faster: {row.name}",
            f"1 × {_IN_PROCESS}",
            measured,
            *_judge(quotient, 1),
        )

    rows = [row for row in run.rows if row.group in (latency.NAME, growth.NAME)]
    return [
        one(row)
        for row in rows
        if row.unit == "ms" and row.samples.get(FARSIDE) and row.samples.get(_IN_PROCESS)
    ]


GROUP = Group(NAME, "Budgets", measure)
