"""The path of real cells in a trace."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from farside.errors import CompileError
from farside.options import Options
from farside.session import Session

if TYPE_CHECKING:
    from tests.conftest import Farside

NEAR = {"compile", "wait for the compiler", "link", "read object", "fix up", "commit", "accept"}


def inside(inner: dict[str, Any], outer: dict[str, Any]) -> bool:
    slack = 1.0  # microseconds that rounding may add up to
    return bool(
        outer["ts"] - slack <= inner["ts"]
        and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + slack
    )


@pytest.mark.usefixtures("leaves_nothing")
def test_each_cell_is_a_span_that_holds_its_own(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with Session(Options(output="capture", trace=str(path))) as session:
        session.run("int x = 0;")
        with pytest.raises(CompileError):
            session.run("int y = ;")
        result = session.run("x + 1")
        pids = {session.compiler_pid, session.worker_pid}
    events = [event for event in json.loads(path.read_text()) if event["ph"] == "X"]
    cells = [event for event in events if event["name"].startswith("cell ")]
    assert [(each["name"], each["args"].get("failure")) for each in cells] == [
        ("cell 1", None),
        ("cell 2", "CompileError"),
        ("cell 3", None),
    ]
    near = [event for event in events if event["pid"] == cells[0]["pid"]]
    assert near.pop(0)["name"].startswith("start of the session")
    for event in near:
        assert any(inside(event, cell) for cell in cells)
    last = [event for event in near if inside(event, cells[2])]
    assert {event["name"] for event in last} >= NEAR
    others = {event["pid"]: event["name"] for event in events if event["pid"] in pids}
    assert len(others) == 2
    assert set(result.timings) == {"compile", "link", "commit", "accept", "run"}


def test_the_command_writes_one(farside_run: Farside, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    done = farside_run(f"--trace={path}", "int x = 41;", "x + 1")
    assert (done.stdout, done.stderr, done.returncode) == ("(int) 42\n", "", 0)
    assert "cell 2" in {event["name"] for event in json.loads(path.read_text())}


def test_a_trace_that_cannot_be_written_is_a_mistake(farside_run: Farside, tmp_path: Path) -> None:
    done = farside_run(f"--trace={tmp_path}", "1;")
    assert done.returncode == 2
    assert done.stderr == f"farside: --trace={tmp_path}: Is a directory\n"
