"""The table of what passes on which far side, for docs/executors.md.

    python -m tests.far_side_table [--jobs N] [FAR-SIDE ...] [--groups GROUP ...]

For each far side the tests of sessions are collected, which tells what is left out and why, and
run. The table goes to stdout, what failed to stderr; 1 is returned where something failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tests.far_sides import GROUPS

FAR_SIDES = ("native", "tcp", "tls", "ssh", "stock", "in-process")
TITLES = {"stock": "`stock` (LLVM 22)"}


class Counts(NamedTuple):
    """What came of a group of tests: how many passed, left out by reason, names of the others."""

    passed: int
    left_out: Counter[str]
    others: list[str]


def pytest(far_side: str, *arguments: str) -> str:
    """Run pytest on a far side and return what it said."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-vv", "-p", "no:cacheprovider", *arguments],
        env={**os.environ, "FARSIDE_TEST_FAR_SIDE": far_side},
        capture_output=True,
        text=True,
        check=False,
    ).stdout


def count(far_side: str, group: str, jobs: str) -> Counts:
    """Run a group of tests on a far side."""
    collected = pytest(far_side, "--collect-only", f"tests/{group}")
    reasons: Counter[str] = Counter()
    for number, reason in re.findall(r"^left out: (\d+) (.+)$", collected, re.MULTILINE):
        reasons[reason] = int(number)
    with tempfile.TemporaryDirectory() as temporary:
        report = Path(temporary, "report.xml")
        said = pytest(far_side, "-n", jobs, f"--junitxml={report}", f"tests/{group}")
        if not report.exists():
            raise SystemExit(said)
        cases = list(ElementTree.parse(report).iter("testcase"))
    others = [
        f"{far_side}: {case.get('classname')}::{case.get('name')}"
        for case in cases
        if any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
    ]
    return Counts(len(cases) - len(others), reasons, others)


def cell(counts: Counts) -> str:
    """Return what the table says of a group on a far side."""
    parts = [f"{counts.passed} passed"]
    if counts.left_out:
        parts.append(f"{counts.left_out.total()} left out")
    if counts.others:
        parts.append(f"{len(counts.others)} **not**")
    return ", ".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Count and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("far_sides", nargs="*", default=FAR_SIDES, metavar="FAR-SIDE")
    parser.add_argument("--groups", nargs="+", default=GROUPS, choices=GROUPS)
    parser.add_argument("--jobs", default="2", help="processes that run tests (default: 2)")
    wish = parser.parse_args(arguments)
    reasons: dict[str, Counter[str]] = {}
    others: list[str] = []
    print("| far side |", " | ".join(f"tests/{group}" for group in wish.groups), "|")
    print("|---" * (1 + len(wish.groups)) + "|")
    for far_side in wish.far_sides:
        found = [count(far_side, group, wish.jobs) for group in wish.groups]
        title = TITLES.get(far_side, f"`{far_side}`")
        print("|", " | ".join([title, *map(cell, found)]), "|", flush=True)
        reasons[title] = sum((each.left_out for each in found), Counter())
        others += [name for each in found for name in each.others]
    print("\n| left out on | tests | because |\n|---|---|---|")
    for title, left in reasons.items():
        for reason, number in left.most_common():
            print(f"| {title} | {number} | {reason} |")
    print(*others, sep="\n", file=sys.stderr)
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
