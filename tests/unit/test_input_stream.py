"""A stream is cut into inputs as it comes, and the next is known when it has been read."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from farside.source.cells import split_inputs
from farside.ui.stream import InputStream


class Pipe(NamedTuple):
    """A pipe, and the inputs that come through it."""

    reader: int
    writer: int
    inputs: InputStream

    def write(self, text: str | bytes) -> None:
        os.write(self.writer, text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    reader, writer = os.pipe()
    with open(reader, encoding="utf-8") as stream:
        yield Pipe(reader, writer, InputStream(stream))
        os.close(writer)


TEXTS = {
    "lines": "int a;\n\nint b;\n",
    "no line end": "int a;\nint b;",
    "several lines": "int f() {\n  return 1;\n}\nf()\n",
    "continued": "int a = \\\n1;\na\n",
    "unfinished": "int a;\nint f() {\n",
    "commands": "int a;\n%undo\n%quit\n",
    "other line ends": "int a;\r\nint b;\rint c;\r\n",
    "nothing": "",
    "blank": "\n  \n\n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_inputs_are_those_of_the_lines(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("inputs") / "input"
    file.write_bytes(text.encode())
    with file.open(encoding="utf-8") as stream:
        expected = list(split_inputs(stream))
    with file.open(encoding="utf-8") as stream:
        assert list(InputStream(stream)) == expected
    assert list(InputStream(io.StringIO(text, newline=None))) == expected


def test_the_next_is_known_when_it_has_been_read(pipe: Pipe) -> None:
    pipe.write("a\nb\nint f() {\n")
    assert pipe.inputs.upcoming() is None  # nothing has been
    assert next(pipe.inputs) == "a"
    assert pipe.inputs.upcoming() == "b"
    assert pipe.inputs.upcoming() == "b"
    assert next(pipe.inputs) == "b"
    assert pipe.inputs.upcoming() is None
    pipe.write("}\n%undo\nc\n")
    assert pipe.inputs.upcoming() is None
    assert next(pipe.inputs) == "int f() {\n}"
    assert pipe.inputs.upcoming() is None  # it is no cell
    assert next(pipe.inputs) == "%undo"
    assert pipe.inputs.upcoming() == "c"


def test_the_first_is_known_when_it_has_come(pipe: Pipe) -> None:
    assert pipe.inputs.first() is None
    pipe.write("int f() {\n")
    assert pipe.inputs.first() is None
    pipe.write("}\nb\n")
    assert pipe.inputs.first() == "int f() {\n}"
    pipe.write("for the program\n")
    assert pipe.inputs.first() == "int f() {\n}"
    assert [next(pipe.inputs) for _ in range(2)] == ["int f() {\n}", "b"]
    assert os.read(pipe.reader, 100) == b"for the program\n"


@pytest.mark.parametrize("text", ["%undo\na\n", "", "int f() {\n"])
def test_there_may_be_no_first_cell(text: str, tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_text(text)
    with file.open() as stream:
        inputs = InputStream(stream)
        assert inputs.first() is None
        assert list(inputs) == list(split_inputs(text.splitlines()))
    assert InputStream(io.StringIO("a\n")).first() is None  # who knows how long it would take


def test_what_comes_later_is_left_to_the_program(pipe: Pipe) -> None:
    pipe.write("a\n")
    assert next(pipe.inputs) == "a"
    pipe.write("for the program\n")
    assert pipe.inputs.upcoming() is None


def test_characters_may_come_in_pieces(pipe: Pipe) -> None:
    pipe.write("// ä\nx\n".encode()[:4])
    pipe.write("// ä\nx\n".encode()[4:])
    pipe.write(b"\xff\n")
    assert [next(pipe.inputs) for _ in range(3)] == ["// ä", "x", "\udcff"]
