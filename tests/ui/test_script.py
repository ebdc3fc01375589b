"""Running without a prompt: order, exit status, and what ends a script early."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from farside.errors import CppException, FarsideError, Interrupted, OptionError, SetupError
from farside.remote.death import CLD_EXITED, CLD_KILLED
from farside.ui.arguments import Input
from farside.ui.inputs import Step, read_inputs
from farside.ui.script import first_cell, run_script
from farside.ui.stream import InputStream
from tests.ui.fake import FakeSession, death

if TYPE_CHECKING:
    from tests.ui.conftest import Desk


def run(desk: Desk, *steps: Step, args: tuple[str, ...] = (), stdin: str = "") -> int:
    return run_script(desk.console, steps, args, InputStream(io.StringIO(stdin)))


def source(code: str) -> Step:
    return Step("source", code, "prog.cpp")


def test_standard_input_is_taken_cell_by_cell(desk: Desk) -> None:
    assert run(desk, Step("stream"), stdin="1\nint f() {\n}\n\n%undo\n2") == 0
    assert desk.session.ran == ["1", "int f() {\n}", "2"]
    assert desk.session.undone == [1]
    assert desk.out.getvalue() == "(int) 1\n(int) 2\n"


@pytest.mark.parametrize(
    ("steps", "first"),
    [
        ([Step("code", "1"), Step("code", "2")], "1"),
        ([Step("code", "%undo"), Step("code", "2")], None),
        ([Step("link", "a.o"), source(" \n"), source("int x;")], "int x;"),
        ([Step("link", "a.o"), Step("stream"), source("int x;")], "int s;"),
        ([], None),
    ],
)
def test_the_first_cell_is_known_early(
    steps: list[Step], first: str | None, tmp_path: Path
) -> None:
    file = tmp_path / "input"
    file.write_text("int s;\n")
    with file.open() as stdin:
        assert first_cell(steps, InputStream(stdin)) == first


def test_after_a_failure_the_rest_is_run_and_the_status_is_1(desk: Desk) -> None:
    assert run(desk, Step("stream"), stdin="bad\n2\n") == 1
    assert desk.out.getvalue() == "(int) 2\n"
    assert run(desk, Step("code", "segfault"), Step("code", "3")) == 1
    assert desk.out.getvalue() == "(int) 2\n(int) 3\n"


def test_quit_ends_everything(desk: Desk) -> None:
    assert run(desk, Step("stream"), Step("code", "7"), stdin="1\n%quit\n2\n") == 0
    assert desk.session.ran == ["1"]


def test_ctrl_c_ends_everything_with_130(desk: Desk) -> None:
    assert run(desk, Step("stream"), stdin="interrupt\n2\n") == 130
    assert desk.session.ran == ["interrupt"]


def test_a_file_is_one_cell(desk: Desk) -> None:
    assert run(desk, source("1\n"), source(" \n")) == 0
    assert desk.session.ran == ["1\n"]


def test_main_is_called_with_the_arguments(desk: Desk) -> None:
    desk.session.main = 7
    assert run(desk, source("int main() {}"), args=("a", "b")) == 7
    assert desk.session.argv == ["prog.cpp", "a", "b"]


def test_main_is_not_called_without_a_file_or_after_a_failure(desk: Desk) -> None:
    desk.session.main = 7
    assert run(desk, Step("code", "int main() {}")) == 0
    assert run(desk, source("bad")) == 1
    assert desk.session.argv == []


@pytest.mark.parametrize(
    ("end", "status", "said"),
    [
        (256 + 3, 3, ""),
        (death(CLD_KILLED, 11), 139, "SIGSEGV"),
        (death(CLD_EXITED, 5), 5, ""),
        (Interrupted("stopped"), 130, "stopped"),
        (CppException("threw", "int", None), 1, "threw"),
    ],
)
def test_how_main_may_end(desk: Desk, end: int | FarsideError, status: int, said: str) -> None:
    desk.session.main = end
    assert run(desk, source("int main() {}")) == status
    assert said in desk.err.getvalue()
    assert bool(said) == bool(desk.err.getvalue())


def test_a_file_may_end_itself(desk: Desk) -> None:
    assert run(desk, source("exit 4"), Step("code", "1")) == 4
    assert desk.err.getvalue() == ""
    assert run(desk, source("segfault"), Step("code", "1")) == 139
    assert "SIGSEGV" in desk.err.getvalue()
    assert desk.out.getvalue() == ""


def test_libraries_are_loaded_in_order(desk: Desk) -> None:
    assert run(desk, Step("link", "a.o"), Step("code", "1")) == 0
    assert desk.session.loaded == ["a.o"]
    assert desk.err.getvalue() == "note: loaded a.o\n"
    assert run(desk, Step("link", "missing.o"), Step("code", "2")) == 1
    assert desk.out.getvalue() == "(int) 1\n(int) 2\n"


def test_nothing_goes_on_without_the_programs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: FakeSession, _code: str) -> None:
        raise SetupError("farside-compiler is missing")

    monkeypatch.setattr(FakeSession, "run", refuse)
    assert run(desk, Step("stream"), stdin="1\n2\n") == 2
    assert desk.err.getvalue() == "error: farside-compiler is missing\n"


# ---------------------------------------------------------------------- reading files


def test_files_are_read_before_anything_runs(tmp_path: Path) -> None:
    script = tmp_path / "a.cpp"
    script.write_bytes(b"#!/usr/bin/env farside\nint x;\n")
    marked = tmp_path / "b.cpp"
    marked.write_bytes(b"\xef\xbb\xbfint y;")
    obj = tmp_path / "noname"
    obj.write_bytes(b"\x7fELF...")
    inputs = [Input("file", str(path)) for path in (script, marked, obj)]
    assert read_inputs([*inputs, Input("file", "-"), Input("code", "1")]) == [
        Step("source", "///usr/bin/env farside\nint x;\n", str(script)),
        Step("source", "int y;", str(marked)),
        Step("link", str(obj)),
        Step("stream"),
        Step("code", "1"),
    ]
    assert read_inputs([]) == [Step("stream")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"a\0b", "binary file"), (b"int x;\n'\xe9'", "line 2 is not UTF-8"), (None, "directory")],
)
def test_what_is_no_source_file(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path
    if content is not None:
        path = tmp_path / "a.cpp"
        path.write_bytes(content)
    with pytest.raises(OptionError, match=reason) as caught:
        read_inputs([Input("file", str(path))])
    assert str(path) in str(caught.value)
