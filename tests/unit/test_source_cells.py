"""How a stream of lines becomes inputs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from farside.source.cells import Cell, InputBuffer, split_inputs


def test_one_input_a_line() -> None:
    assert list(split_inputs(["int x = 1;\n", "x\n"])) == ["int x = 1;", "x"]


def test_blank_lines_between_inputs_are_dropped() -> None:
    assert list(split_inputs(["\n", "  \n", "x\r\n", "\n"])) == ["x"]


def test_what_is_open_goes_on() -> None:
    text = "int f() {\n\n  return 1;\n}\nf()\n"
    assert list(split_inputs(text.splitlines(keepends=True))) == [
        "int f() {\n\n  return 1;\n}",
        "f()",
    ]


def test_a_backslash_continues() -> None:
    lines = ["int x = 1; \\", "int y = 2;", "y"]
    assert list(split_inputs(lines)) == ["int x = 1; \\\nint y = 2;", "y"]


def test_a_command_is_an_input_only_where_none_is_pending() -> None:
    assert list(split_inputs(["%undo 2", "int f() {", "%help", "}"])) == [
        "%undo 2",
        "int f() {\n%help\n}",
    ]


def test_the_unfinished_rest_is_the_last_input() -> None:
    assert list(split_inputs(["int f() {", "return 1;"])) == ["int f() {\nreturn 1;"]


def test_the_buffer_says_when_something_is_pending() -> None:
    buffer = InputBuffer()
    assert not buffer.pending
    assert buffer.push("f(") is None
    assert buffer.pending
    buffer.clear()
    assert not buffer.pending
    assert buffer.flush() is None


def test_cells_are_values() -> None:
    assert Cell(1, "x") == Cell(1, "x")


@given(st.lists(st.text(alphabet="ab{}()[]\"'\\/*#;% \t", max_size=12)))
def test_no_line_is_lost(lines: list[str]) -> None:
    inputs = list(split_inputs(lines))
    # Blank lines count only inside an input; what is left must be the lines in their order.
    kept = [line for text in inputs for line in text.split("\n") if line.strip()]
    assert kept == [line for line in lines if line.strip()]


def test_ten_thousand_lines_in_one_input_take_one_pass() -> None:
    lines = ["{", *["x;"] * 10_000, "}"]
    assert list(split_inputs(lines)) == ["\n".join(lines)]
