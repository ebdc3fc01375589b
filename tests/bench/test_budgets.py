"""Whether a budget is met, as a run has measured it."""

from __future__ import annotations

import pytest

from farside.bench.budgets import Verdict, budgets, verdicts
from farside.bench.growth import LATE, row_name
from farside.bench.latency import FIRST
from farside.bench.peers import Peers
from farside.bench.report import budget_markdown
from farside.bench.run import Run


def found(run: Run, what: str) -> Verdict:
    return next(each for each in verdicts(run) if each.what == what)


def test_what_was_not_measured_is_not_judged(peers: Peers) -> None:
    with Run(peers) as run:
        assert {each.met for each in verdicts(run)} == {None}
        assert len(verdicts(run)) == len(budgets()) + 1


@pytest.mark.parametrize(
    ("own", "peer", "met", "word"),
    [
        # On a machine that is ten times slower the quotient decides, which may be 150 / 45.
        ([1400.0] * 6, [450.0] * 6, True, "yes"),
        ([90.0] * 6, [20.0] * 6, False, "no"),
        ([100.0, 100.0, 100.0, 300.0, 100.0], [45.0] * 5, True, "yes, within the spread"),
    ],
)
def test_the_quotient_decides(
    peers: Peers, own: list[float], peer: list[float], met: bool, word: str
) -> None:
    with Run(peers) as run:
        run.row("latency", FIRST).samples |= {"farside": own, "clang-repl": peer}
        verdict = found(run, "first result from a cold shell")
        assert (verdict.met, verdict.word) == (met, word)
        faster = found(run, f"out of process faster: {FIRST}")
        assert faster.met is False
        assert f"| {verdict.what} | 150 ms, 3.33 × clang-repl |" in budget_markdown([verdict])


def test_without_the_peer_the_limit_itself_decides(peers: Peers) -> None:
    with Run(peers) as run:
        run.row("latency", FIRST).samples["farside"] = [151.0] * 3
        verdict = found(run, "first result from a cold shell")
        assert (verdict.met, verdict.measured) == (False, "151 ms")


def test_late_cells_are_compared_with_the_hundredth(peers: Peers) -> None:
    with Run(peers) as run:
        run.row("growth", row_name(100)).samples["farside"] = [1.0] * 6
        run.row("growth", row_name(10_000)).samples["farside"] = [1.1] * 6
        verdict = found(run, "flat: a late cell costs no more than cell 100")
        assert (verdict.met, verdict.sure) == (True, True)
        run.row("growth", row_name(50_000)).samples["farside"] = [1.3] * 6
        verdict = found(run, "flat: a late cell costs no more than cell 100")
        assert (verdict.met, verdict.sure) == (False, True)
        # What was measured beside a young session counts more: the machine was the same.
        run.row("growth", LATE).samples["farside"] = [1.1] * 6
        verdict = found(run, "flat: a late cell costs no more than cell 100")
        assert (verdict.met, verdict.sure) == (True, True)
