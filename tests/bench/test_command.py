"""The command: what it prints and writes, also when it is interrupted."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from farside.bench import command, instructions, parts, plots
from farside.bench.growth import curve, row_name
from farside.bench.rows import Row
from farside.bench.run import Group, Run


def three_rows(run: Run) -> None:
    for name in ("first", "second", "third"):
        row = run.row("latency", name)
        if name == "third":
            raise KeyboardInterrupt
        run.measure(row, {"farside": lambda: 1.0, "clang-repl": lambda: 2.0}, 3, ["cppyy"])


@pytest.fixture
def one_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a single group, which is interrupted in its third row."""
    group = Group("latency", "Latency", three_rows)
    monkeypatch.setattr(command, "GROUPS", {"latency": group})
    monkeypatch.setattr(command, "prepare", lambda opt: None)


@pytest.mark.usefixtures("one_group")
def test_an_interrupt_prints_and_writes_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--json", f"{tmp_path}/new/a.json", "--markdown", f"{tmp_path}/a.md"]
    assert command.main(["latency", *files, "--plots", str(tmp_path)]) == 130
    printed = capsys.readouterr()
    assert "second, ms" in printed.out
    assert "2.00×" in printed.out
    assert "interrupted: this is what was measured until then" in printed.err
    written = json.loads((tmp_path / "new" / "a.json").read_text())
    assert [row["name"] for row in written["rows"]] == ["first", "second", "third"]
    assert written["rows"][0]["columns"]["clang-repl"]["samples"] == [2.0, 2.0, 2.0]
    assert set(written) >= {"schema", "farside", "machine", "versions", "loads", "flags", "budgets"}
    assert "| second, ms | 1.00 (1.00–1.00) | 2.00 (2.00–2.00)" in (tmp_path / "a.md").read_text()
    ElementTree.fromstring((tmp_path / "latency.svg").read_text())


def test_a_quick_count_leaves_what_it_did_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def count(run: Run) -> None:
        run.row(instructions.NAME, "quick", "instructions").samples["farside"] = [6.0]

    group = Group(instructions.NAME, "Instructions", count)
    monkeypatch.setattr(instructions, "GROUP", group)
    monkeypatch.setattr(command, "GROUPS", {instructions.NAME: group})
    monkeypatch.setattr(command, "prepare", lambda opt: None)
    path = tmp_path / "accepted.json"
    for words, left in ((["--quick"], {"quick": 6, "slow": 5}), ([], {"quick": 6})):
        instructions.write_accepted(path, {"quick": 5, "slow": 5}, {})
        command.main(["instructions", "--accepted", str(path), "--accept", *words])
        assert instructions.read_accepted(path) == left


@pytest.mark.slow
@pytest.mark.usefixtures("leaves_nothing")
def test_ctrl_c_in_the_middle_of_a_row(farside_command: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    command = [*farside_command, "bench", "growth", "--repeat", "100000", "--json", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("growth: on the way to 10 cells")
        process.send_signal(signal.SIGINT)
        printed, complaint = process.communicate()
    assert process.returncode == 130
    assert "interrupted: this is what was measured until then" in complaint
    assert "load average" in printed
    # The interrupt may come before the row that was to be endless has begun.
    rows = json.loads(path.read_text())["rows"]
    assert {row["name"] for row in rows} <= {"a trivial cell after 10"}


def test_a_picture_names_rows_and_columns() -> None:
    rows = [
        Row("g", "a < b", samples={"farside": [1.0, 2.0], "clang-repl": [30.0]}),
        Row("g", "nothing", samples={"farside": [0.0]}, missing={"clang-repl": "it hangs"}),
    ]
    drawn = plots.bars("Title", rows)
    texts = [
        each.text for each in ElementTree.fromstring(drawn).iter() if each.tag.endswith("text")
    ]
    assert {"Title, ms", "farside", "clang-repl in process", "a < b", "30.0"} <= set(texts)


def test_a_curve_has_a_point_for_each_checkpoint() -> None:
    rows = [Row("growth", row_name(n), samples={"farside": [1.0, 3.0]}) for n in (10, 1_000)]
    points = curve([*rows, Row("growth", "another", samples={"farside": [9.0]})])
    assert points == {"farside": [(10, 2.0), (1_000, 2.0)]}
    drawn = ElementTree.fromstring(plots.curves("Cells", "ms", points))
    assert len([each for each in drawn.iter() if each.tag.endswith("circle")]) == 2


EVENTS = [
    {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "near"}},
    {"name": "process_name", "ph": "M", "pid": 2, "tid": 2, "args": {"name": "compiler"}},
    {"name": "cell 1", "ph": "X", "pid": 1, "tid": 1, "ts": 0.0, "dur": 50.0},
    {"name": "cell 2", "ph": "X", "pid": 1, "tid": 1, "ts": 100.0, "dur": 100.0},
    {"name": "compile", "ph": "X", "pid": 1, "tid": 1, "ts": 100.0, "dur": 60.0},
    {"name": "wait for the compiler", "ph": "X", "pid": 1, "tid": 1, "ts": 100.0, "dur": 60.0},
    {"name": "parse", "ph": "X", "pid": 2, "tid": 2, "ts": 120.0, "dur": 20.0},
]


def test_the_path_of_the_last_cell_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(EVENTS))
    last = parts.last_cell(str(path))
    assert next(each["name"] for each in last if each["ph"] == "X") == "cell 2"
    drawn = ElementTree.fromstring(plots.flame("The path", last))
    titles = [each.text for each in drawn.iter() if each.tag.endswith("title")]
    assert titles == [
        "cell 2: 100 µs",
        "compile: 60 µs",
        "wait for the compiler: 60 µs",
        "parse: 20 µs",
    ]


def test_what_another_process_took_is_not_counted_twice(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(EVENTS))
    first, second = parts.spans(str(path))
    assert first["cell"] == 50
    assert (second["parse"], second["wait for the compiler"]) == (20, 40)
