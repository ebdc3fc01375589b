"""What the user sees of one input, and where."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from farside.errors import FarSideLost, LinkError
from farside.result.bundle import Display
from farside.ui.console import Console
from farside.ui.render import render_diagnostics, render_error, wants_colour
from tests.ui.fake import ERROR, WARNING, FakeSession

if TYPE_CHECKING:
    from tests.ui.conftest import Desk


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_value_goes_to_standard_output(desk: Desk) -> None:
    assert desk.console.execute("42")
    assert desk.out.getvalue() == "(int) 42\n"
    assert desk.err.getvalue() == ""


def test_warnings_and_notices_go_to_standard_error(desk: Desk) -> None:
    assert desk.console.execute("warn")
    assert desk.out.getvalue() == ""
    assert desk.err.getvalue() == (
        "cell 1:1:1: warning: unused\n    1 | unused\n      | ^\nnote: loaded libz.so\n"
    )


def test_captured_output_comes_before_everything_else(desk: Desk) -> None:
    assert desk.console.execute("print")
    assert (desk.out.getvalue(), desk.err.getvalue()) == ("out\n", "err\n")


def test_the_text_of_a_display_does_not_act_on_the_terminal(desk: Desk) -> None:
    assert desk.session.on_display is not None
    desk.session.on_display(Display({"text/plain": "two\nlines\x1b[31m\x07"}, None, update=False))
    assert desk.out.getvalue() == "two\nlines\\x1b[31m\\a\n"


def test_a_compile_error_is_shown_as_clang_shows_it(desk: Desk) -> None:
    assert not desk.console.execute("bad")
    assert desk.err.getvalue() == (
        "cell 1:1:1: error: expected expression\n    1 | bad\n      | ^\n"
    )
    assert desk.console.failures == 1


def test_a_death_is_shown_with_what_was_done_about_it(desk: Desk) -> None:
    assert not desk.console.execute("segfault")
    first, second = desk.err.getvalue().splitlines()
    assert first.startswith("error: ")
    assert "SIGSEGV" in first
    assert second == "note: the far side was started again"


def test_a_cell_is_timed(desk: Desk) -> None:
    assert desk.console.execute("%time 12")
    assert desk.session.ran == ["12"]
    assert "12" in desk.out.getvalue()
    assert desk.err.getvalue() == "note: compiled in 12.30 ms, linked in 400.00 µs, run in 2.50 s\n"
    assert not desk.console.execute("%time bad")
    assert not desk.console.execute("%time")
    assert desk.err.getvalue().endswith("error: %time needs the code of a cell\n")
    assert desk.console.failures == 2


def test_ctrl_c_is_an_interrupted_input(desk: Desk) -> None:
    assert not desk.console.execute("ctrl-c")
    assert desk.err.getvalue() == "error: interrupted\n"


def test_commands(desk: Desk) -> None:
    assert desk.console.execute("1")
    assert desk.console.execute("%undo")
    assert desk.session.undone == [1]
    assert desk.console.execute("%lib libz.so")
    assert desk.session.loaded == ["libz.so"]
    assert desk.console.execute("%lib -L /proc/own")
    assert desk.session.library_dirs == ["/proc/own"]
    assert "/proc/own is no directory of this machine" in desk.err.getvalue()
    assert desk.console.execute("%lib")
    assert "loaded: /lib/libc.so.6\nsearch path: /lib\n" in desk.out.getvalue()
    assert desk.console.execute("%help")
    assert "%undo [N]" in desk.out.getvalue()
    assert not desk.console.execute("%nonsense")
    assert "there is no command %nonsense" in desk.err.getvalue()
    assert not desk.console.quit
    assert desk.console.execute("%quit")
    assert desk.console.quit


def test_types_and_variables_are_listed(desk: Desk) -> None:
    assert desk.console.execute("%type x + 1;")
    assert desk.console.execute("%vars")
    assert desk.console.execute("%vars y*")
    assert desk.out.getvalue() == "type of x + 1;\nint x = 41\nstd::mutex m\n"
    assert desk.err.getvalue() == "note: there are no variables like y*\n"
    assert desk.session.ran == []


def test_input_that_is_not_utf8_is_refused(desk: Desk) -> None:
    assert not desk.console.execute("'\udce9'")
    assert desk.err.getvalue() == "error: this input is not UTF-8\n"
    assert desk.session.ran == []


def test_notes_of_an_error_are_shown() -> None:
    error = LinkError("no")
    error.add_note("try this")
    assert render_error(error, colour=False) == "error: no\nnote: try this"
    lost = FarSideLost("gone")
    lost.recovery = ("started again",)
    assert render_error(lost, colour=False) == "error: gone\nnote: started again"


def test_colours_only_where_they_are_wanted() -> None:
    assert wants_colour(Terminal(), {"TERM": "xterm"})
    assert not wants_colour(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"})
    assert not wants_colour(Terminal(), {"TERM": "dumb"})
    assert not wants_colour(io.StringIO(), {"TERM": "xterm"})
    assert "\x1b[" in render_diagnostics([ERROR, WARNING], colour=True)
    assert "\x1b[" in render_error(LinkError("no"), colour=True)
    assert "\x1b[" not in render_diagnostics([ERROR, WARNING], colour=False)


def test_a_coloured_console(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    err = Terminal()
    Console(FakeSession(), io.StringIO(), err).execute("segfault")
    assert "\x1b[1;31merror:\x1b[0m " in err.getvalue(), json.dumps(err.getvalue())


def test_undo_shows_its_notices(desk: Desk) -> None:
    desk.console.execute("int x;")
    desk.console.execute("int y;")
    assert desk.console.execute("%undo 2")
    assert "only names were taken back" in desk.err.getvalue()


def test_checkpoint_restore_and_history(desk: Desk) -> None:
    desk.console.execute("int x;")
    assert desk.console.execute("%checkpoint one")
    desk.console.execute("struct S {\n int a; };")
    assert desk.console.execute("%restore one")
    assert "a thread did not come back" in desk.err.getvalue()
    assert not desk.console.execute("%restore two")
    assert desk.console.execute("%history")
    assert desk.out.getvalue() == "   1   int x;  [one]\n   2 * struct S { …\n"
