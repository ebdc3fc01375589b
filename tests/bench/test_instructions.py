"""Counts of instructions beside accepted ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from farside.bench import instructions
from farside.bench.peers import Peers
from farside.bench.rows import PeerFailed
from farside.bench.run import Run


def test_what_has_grown_comes_first() -> None:
    changes = instructions.compare(
        {"a": 1000, "b": 1000, "gone": 5}, {"a": 1010, "b": 1100, "new": 5}
    )
    assert [str(change) for change in changes] == [
        "b: 1,100 instructions, 10.0 % more than the accepted 1,000",
        "a: 1,010 instructions, 1.0 % more than the accepted 1,000",
    ]
    assert [change.growth > instructions.GROWTH for change in changes] == [True, False]


def test_accepted_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "accepted.json"
    instructions.write_accepted(path, {"a": 5}, {"python": "3.11"})
    assert instructions.read_accepted(path) == {"a": 5}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"instructions": {"a": "5"}}', '{"instructions": 5}']
)
def test_a_file_that_holds_something_else_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "accepted.json"
    path.write_text(text)
    with pytest.raises(PeerFailed, match="holds no accepted figures"):
        instructions.read_accepted(path)


def test_the_repository_has_accepted_figures() -> None:
    path = Path(__file__).parents[2] / "bench" / "instructions.json"
    assert "near side: trivial" in instructions.read_accepted(path)


def test_without_valgrind_that_is_said(
    peers: Peers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Run(peers) as run:
        instructions.measure(run)
    assert run.rows[0].missing == {"farside": "valgrind is not installed"}


@pytest.mark.usefixtures("leaves_nothing")
def test_what_is_counted_is_a_session_of_fixed_cells() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "farside.bench.counted", "display", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().isdecimal()
