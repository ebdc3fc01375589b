"""How rows are measured: turn by turn, and at the cost of no column but the one that fails."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from farside.bench import latency
from farside.bench.peers import Peers
from farside.bench.repl import Repl
from farside.bench.report import as_json, headings, markdown, measured
from farside.bench.rows import PeerFailed, Row, interleave
from farside.bench.run import Run
from farside.errors import CompileError
from tests.bench.conftest import echo
from tests.conftest import Farside


def test_each_round_measures_every_column_once_in_another_order() -> None:
    said: list[str] = []

    def action(key: str) -> float:
        said.append(key)
        return float(len(said))

    row = Row("group", "name")
    interleave(row, {key: lambda key=key: action(key) for key in "abc"}, 3)  # type: ignore[misc]
    assert "".join(said) == "abcbcacab"
    assert row.samples == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


@pytest.mark.parametrize("error", [PeerFailed("it hangs"), CompileError("it hangs\nand more", ())])
def test_a_column_that_fails_costs_itself_only(error: Exception) -> None:
    rounds: Iterator[float | Exception] = iter([1.0, error])

    def fails() -> float:
        found = next(rounds)
        if isinstance(found, Exception):
            raise found
        return found

    row = Row("group", "name")
    interleave(row, {"farside": lambda: 2.0, "clang-repl": fails}, 4)
    assert row.samples == {"farside": [2.0] * 4}
    assert row.missing == {"clang-repl": "it hangs"}


def test_what_was_measured_before_an_interrupt_stays() -> None:
    turns = iter([1.0, 2.0])

    def action() -> float:
        try:
            return next(turns)
        except StopIteration:
            raise KeyboardInterrupt from None

    row = Row("group", "name")
    with pytest.raises(KeyboardInterrupt):
        interleave(row, {"farside": action}, 9)
    assert row.samples == {"farside": [1.0, 2.0]}


def test_a_ratio_is_of_pairs() -> None:
    row = Row("group", "name", samples={"farside": [1, 10], "clang-repl": [3, 30]})
    ratio = row.ratio("clang-repl")
    assert ratio is not None
    assert (ratio.low, ratio.median, ratio.high) == (3, 3, 3)
    assert row.ratio("g++") is None


@pytest.mark.usefixtures("leaves_nothing")
def test_a_prompt_is_asked_until_it_has_answered() -> None:
    with Repl(echo()) as prompt:
        for _ in range(3):
            assert prompt.run("nothing", "{mark};") > 0
        assert prompt.end() >= 0


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.exit(7)", "ended with status 7: the session is lost"),
        ("import os; os.kill(os.getpid(), 11)", "ended by SIGSEGV: the session is lost"),
        ("import time; time.sleep(100)", "no answer within 0 s"),
        ("print('  error: much', flush=True); input()", "error: much"),
    ],
)
def test_a_prompt_that_fails_says_how(program: str, said: str) -> None:
    patience = 0.2 if "sleep" in program else 60
    with Repl([sys.executable, "-c", program]) as prompt, pytest.raises(PeerFailed) as failed:
        prompt.run("{mark};", patience=patience)
    assert str(failed.value) == said


def test_a_prompt_that_is_no_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match="cannot be run: No such file"):
        Repl([str(tmp_path / "none")])


@pytest.mark.usefixtures("leaves_nothing")
def test_a_row_of_prompts(peers: Peers) -> None:
    with Run(peers, repeat=2) as run:
        latency.cold(run, "cold", ("x = x + 1;", "{mark};"))
    (row,) = run.rows
    assert {key: len(each) for key, each in row.samples.items()} == {"farside": 2, "clang-repl": 2}
    assert row.missing == {
        "clang-repl-oop": "ended with status 7: the session is lost",
        "cppyy": "not installed",
    }
    assert not os.path.exists(run.directory)


def test_like_settings_have_rows_of_their_own(peers: Peers) -> None:
    with Run(peers, repeat=2) as run:
        latency.alike(run)
        del peers.repls["clang-repl"]
        latency.alike(run)
    assert [(row.name, set(row.samples)) for row in run.rows] == [
        ("a cell of 1,000 lines, like settings", {"farside", "clang-repl"}),
        ("a cell full of templates, like settings", {"farside", "clang-repl"}),
    ]
    options = latency.alike_options(2)
    assert {"-std=gnu++17", "-march=x86-64", "-g0"} < set(options.clang_args())


def test_peers_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = Peers(2)
    assert list(found.repls) == ["farside", "in-process"]
    assert set(found.missing) >= {"clang-repl", "clang-repl-oop", "clang++", "g++"}
    assert found.compilers == {}


def test_what_is_absent_has_no_column() -> None:
    row = Row("group", "name", samples={"farside": [1.0]}, missing={"cppyy": "not installed"})
    other = Row("group", "other", samples={"farside": [1.0]}, missing={"clang-repl": "it hangs"})
    assert headings([row, other]) == ["farside", "clang-repl"]
    assert measured(other, "clang-repl") == ["it hangs"]
    assert "| other, ms | 1.00 | it hangs |" in markdown("Title", [row, other])


def test_json_has_every_measurement() -> None:
    row = Row("group", "name", samples={"farside": [1.0, 2.0, 4.0], "clang-repl": [3.0, 4.0, 8.0]})
    row.missing["g++"] = "not installed"
    found = json.loads(json.dumps(as_json({"farside": "0"}, [row], [])))
    assert found["schema"] == 1
    (written,) = found["rows"]
    assert set(written) == {"group", "name", "unit", "note", "load", "columns"}
    assert written["columns"]["farside"]["samples"] == [1.0, 2.0, 4.0]
    assert written["columns"]["clang-repl"]["times_farside"]["median"] == 2
    assert written["columns"]["g++"] == {"missing": "not installed"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsense"], "no group nonsense; there are"),
        (["--repeat", "0"], "at least one repetition is needed"),
        (["--opt", "9"], "invalid choice"),
    ],
)
def test_misuse(farside_run: Farside, words: list[str], said: str) -> None:
    done = farside_run("bench", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
