"""What a trace holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from farside.errors import OptionError
from farside.trace import ANSWER, ROUND_TRIP, Mark, Processes, Stages, Trace, TraceFile

WHO = Processes(10, 20, 30)


def stages(*marks: tuple[str, float, bool]) -> Stages:
    found = Stages()
    found.began = 1.0
    found.marks = [Mark(*each) for each in marks]
    return found


def events(each: Stages, failure: str | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    Trace(found.append).cell(7, "x" * 100, each, WHO, failure)
    return [event for event in found if event["ph"] == "X"]


def span(found: list[dict[str, Any]], name: str) -> tuple[int, float, float]:
    (event,) = [event for event in found if event["name"] == name]
    return event["pid"], event["ts"] / 1e6, event["dur"] / 1e6


def test_stages_tell_what_each_took() -> None:
    each = stages(("a", 1.5, False), ("compile", 2.0, True), ("link", 4.0, True))
    each.run = 0.25
    assert each.timings() == {"compile": 1.0, "link": 2.0, "run": 0.25}


def test_parts_lie_within_their_stage() -> None:
    found = events(
        stages(("read", 1.25, False), ("fix up", 1.5, False), ("link", 2.0, True), ("b", 3.0, True))
    )
    assert span(found, "read") == (10, 1.0, 0.25)
    assert span(found, "fix up") == (10, 1.25, 0.25)
    assert span(found, "link") == (10, 1.0, 1.0)
    assert span(found, "b") == (10, 2.0, 1.0)


def test_other_processes_lie_in_the_middle_of_the_wait_for_them() -> None:
    each = stages((ANSWER, 2.0, False), ("compile", 2.0, True), (ROUND_TRIP, 3.0, False))
    each.answers = [{"emit": 250_000, "parse": 500_000}]
    each.run, each.fork = 0.5, 0.125
    found = events(each)
    assert span(found, "parse") == (20, 1.125, 0.5)
    assert span(found, "emit") == (20, 1.625, 0.25)
    assert span(found, "run") == (30, 2.25, 0.5)
    assert span(found, "snapshot") == (30, 3.0, 0.125)


def test_a_cell_that_compiles_twice_has_two_answers() -> None:
    each = stages((ANSWER, 2.0, False), ("roll back", 3.0, False), (ANSWER, 4.0, False))
    each.answers = [{"parse": 1}, {"parse": 2}]
    found = [event["dur"] for event in events(each) if event["name"] == "parse"]
    assert found == [1.0, 2.0]


def test_a_failure_is_told_and_its_recovery_is_a_span() -> None:
    each = stages((ANSWER, 2.0, False))
    each.answers = [{}]
    each.fork = 1.0
    found = events(each, "Crashed")
    assert found[0]["args"] == {"code": "x" * 60 + "…", "failure": "Crashed"}
    assert span(found, "recovery")[:2] == (10, 2.0)
    assert "snapshot" not in [event["name"] for event in found]


def test_a_file_is_json_after_each_end(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    trace = TraceFile(str(path), pytest.fail)
    trace.cell(1, 'puts("\udcff\n");', stages(("compile", 2.0, True)), WHO)
    trace.close()
    trace.close()
    found = json.loads(path.read_text())
    names = {event["args"]["name"] for event in found if event["name"] == "process_name"}
    assert len(names) == 3
    empty = TraceFile(str(path), pytest.fail)
    empty.close()
    assert json.loads(path.read_text()) == []


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--trace=.*: Is a directory"):
        TraceFile(str(tmp_path), pytest.fail)


def test_a_full_disk_ends_the_trace_and_nothing_else() -> None:
    said: list[str] = []
    trace = TraceFile("/dev/full", said.append)
    for number in (1, 2):
        trace.cell(number, "", stages(("compile", 2.0, True)), WHO)
    trace.close()
    assert said == ["the trace /dev/full ends here: No space left on device"]
