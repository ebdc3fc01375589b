"""The prompt: what Enter does, what is remembered, and how it ends."""

from __future__ import annotations

import builtins
import signal
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from farside.errors import SetupError
from farside.ui.repl import (
    PlainReader,
    TerminalReader,
    ask,
    continuation_for,
    history_file,
    make_reader,
    prompt_for,
    run_repl,
)
from tests.ui.fake import FakeSession

if TYPE_CHECKING:
    from tests.ui.conftest import Desk


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def keys(state: Path) -> Iterator[PipeInput]:
    assert state.is_dir()
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        yield pipe


def test_prompts_have_one_width() -> None:
    assert prompt_for(3) == "farside[3]> "
    assert continuation_for(len(prompt_for(3))) == "       ...> "


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("x\r", "x"),
        ("int f() {\rreturn 1;\r}\r", "int f() {\nreturn 1;\n}"),
        ("int f()\r{\r}\r", "int f()\n{\n}"),
        ("int f()\r\r", "int f()\n"),
        ("  %undo 2\r", "  %undo 2"),
        ("f(\x1b\r", "f("),  # Alt-Enter
        ("\x1b[200~int x;\nint y;\n\x1b[201~\r", "int x;\nint y;\n"),  # pasted
    ],
)
def test_enter_ends_what_is_finished(keys: PipeInput, typed: str, read: str) -> None:
    keys.send_text(typed)
    assert TerminalReader(colour=True).read(1) == read


def test_ctrl_c_and_ctrl_d(keys: PipeInput) -> None:
    reader = TerminalReader(colour=False)
    keys.send_text("int f() {\r\x03")
    with pytest.raises(KeyboardInterrupt):
        reader.read(1)
    keys.send_text("\x04")
    with pytest.raises(EOFError):
        reader.read(1)
    # The session holds Ctrl-C back only where Python's own handler stands.
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_typed_is_remembered_for_the_user_alone(keys: PipeInput, state: Path) -> None:
    keys.send_text("int answer = 42;\r")
    TerminalReader(colour=False).read(1)
    path = state / "farside" / "history"
    assert "int answer = 42;" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys.send_text("\x1b[A\r")  # arrow up
    assert TerminalReader(colour=False).read(2) == "int answer = 42;"


def test_a_history_that_others_could_read_is_closed_to_them(state: Path) -> None:
    path = state / "farside" / "history"
    path.parent.mkdir()
    path.touch(mode=0o644)
    assert history_file() == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_place_for_it_nothing_is_remembered(state: Path, keys: PipeInput) -> None:
    (state / "farside").write_text("a file where the directory would be")
    assert history_file() is None
    keys.send_text("x\r")
    assert TerminalReader(colour=False).read(1) == "x"


# ---------------------------------------------------------------------- the loop


class Typed:
    """A reader of what is given; an exception is raised instead of read."""

    def __init__(self, *inputs: str | BaseException) -> None:
        self._inputs = list(inputs)
        self.cells: list[int] = []

    def read(self, cell: int) -> str:
        self.cells.append(cell)
        if not self._inputs:
            raise EOFError
        text = self._inputs.pop(0)
        if isinstance(text, BaseException):
            raise text
        return text


def test_the_loop_runs_inputs_until_the_end(desk: Desk) -> None:
    typed = Typed("1", "", "  ", KeyboardInterrupt(), "bad", "segfault", "2")
    assert run_repl(desk.console, typed) == 0
    assert desk.session.ran == ["1", "bad", "segfault", "2"]
    assert desk.out.getvalue() == "(int) 1\n(int) 2\n"
    assert typed.cells == [1, 2, 2, 2, 2, 3, 4, 5]


def test_the_loop_ends_at_quit(desk: Desk) -> None:
    assert run_repl(desk.console, Typed("%quit", "1")) == 0
    assert desk.session.ran == []


def test_the_loop_ends_where_no_input_can_go_better(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: FakeSession, _code: str) -> None:
        raise SetupError("farside-compiler is missing")

    monkeypatch.setattr(FakeSession, "run", refuse)
    assert run_repl(desk.console, Typed("1", "2")) == 2


# ---------------------------------------------------------------------- without an editor

Say = Callable[..., list[str]]


@pytest.fixture
def say(monkeypatch: pytest.MonkeyPatch) -> Say:
    """Return a function that prepares what `input` reads and returns the prompts it showed."""

    def prepare(*lines: str | BaseException) -> list[str]:
        typed, prompts = Typed(*lines), []

        def read(prompt: str) -> str:
            prompts.append(prompt)
            return typed.read(0)

        monkeypatch.setattr(builtins, "input", read)
        return prompts

    return prepare


def test_plain_lines(say: Say) -> None:
    prompts = say("", "int f() {", "}", "x")
    reader = PlainReader()
    assert reader.read(1) == "int f() {\n}"
    assert reader.read(2) == "x"
    assert prompts == ["farside[1]> ", "farside[1]> ", "       ...> ", "farside[2]> "]


def test_ctrl_c_starts_plain_lines_over(say: Say) -> None:
    say("int f() {", KeyboardInterrupt(), "x")
    reader = PlainReader()
    with pytest.raises(KeyboardInterrupt):
        reader.read(1)
    assert reader.read(1) == "x"


def test_the_end_of_plain_lines(say: Say) -> None:
    say("int f() {")
    reader = PlainReader()
    assert reader.read(1) == "int f() {"
    with pytest.raises(EOFError):
        reader.read(2)


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines() -> None:
    assert isinstance(make_reader({"TERM": "dumb"}), PlainReader)
    assert isinstance(make_reader({}), PlainReader)


@pytest.mark.parametrize(
    ("answer", "yes"), [("", True), ("y", True), ("Yes", True), (" no ", False), ("N", False)]
)
def test_a_question_is_answered(monkeypatch: pytest.MonkeyPatch, answer: str, yes: bool) -> None:
    asked: list[str] = []

    def reply(prompt: str) -> str:
        asked.append(prompt)
        return answer

    monkeypatch.setattr("builtins.input", reply)
    assert ask("load libz.so.1 for zlibVersion?") is yes
    assert asked == ["load libz.so.1 for zlibVersion? [Y/n] "]


def test_the_end_of_the_input_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(_: str) -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", end)
    assert not ask("load?")
