"""Many cells: who does not get there has no figures, and is not replaced by a younger one."""

from __future__ import annotations

import sys

import pytest

from farside.bench import growth
from farside.bench.peers import Peers
from farside.bench.run import Run
from tests.bench.conftest import echo

# Prints marks until it has seen so many cells, then ends.
_TIRED = r"""
import re, sys
for count, line in enumerate(sys.stdin, 1):
    if count > 150:
        sys.exit(3)
    found = re.search(r'printf\("(.*)\\n"\)', line)
    if found:
        print(found[1], flush=True)
"""


@pytest.mark.usefixtures("leaves_nothing")
def test_many_cells(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "QUICK", (10, 130, 300))
    monkeypatch.setattr(growth, "CHECKPOINTS", (10, 130, 300))
    monkeypatch.setattr(growth, "_CHUNK", 50)
    monkeypatch.setattr(growth, "_BLOCK", 5)
    peers.repls = {"farside": echo(), "clang-repl": [sys.executable, "-c", _TIRED]}
    with Run(peers, quick=True, repeat=2) as run:
        growth.measure(run)
    rows = {row.name: row for row in run.rows}
    for count in (10, 130, 300):
        assert {"farside", "session"} <= set(rows[growth.row_name(count)].samples)
    assert "clang-repl" in rows[growth.row_name(130)].samples
    late = rows[growth.row_name(300)]
    assert "clang-repl" not in late.samples
    assert late.missing["clang-repl"].startswith("ended with status 3: the session is lost, before")
    assert set(rows[growth.LATE].samples) == {"farside", "session"}
    held = rows["memory of the near side, growth"]
    assert held.unit == "bytes a cell"
    assert set(held.samples) == {"farside", "clang-repl"}
    assert [count for count, _ in growth.curve(run.rows)["session"]] == [10, 130, 300]
