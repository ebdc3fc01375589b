"""Line tables and inlined calls of real objects, and of damaged ones."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farside.errors import ObjectError
from farside.object import ObjectFile, parse_object
from farside.object.inlines import InlineTable
from farside.object.lines import LineTable

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """int other(int);
static inline int inner(int n) {
  return other(n) + 1;
}
int outer(int n) {
  int a = inner(n);
  return a * 2;
}
"""


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return compiled(str(tmp_path_factory.mktemp("lines")))


@cache
def compiled(directory: str) -> bytes:
    compiler = shutil.which("clang++-22") or "/usr/lib/llvm-22/bin/clang++"
    subprocess.run(
        [compiler, "-O2", "-gline-tables-only", "-c", "-xc++", "-", "-o", f"{directory}/a.o"],
        input=SOURCE,
        text=True,
        check=True,
    )
    with open(f"{directory}/a.o", "rb") as file:
        return file.read()


def text_section(parsed: ObjectFile) -> int:
    return next(index for index, s in parsed.sections.items() if s.name == ".text")


def test_lines_and_the_call_that_was_inlined(content: bytes) -> None:
    parsed = parse_object(content, "a.o")
    lines, inlines = LineTable(parsed), InlineTable(parsed)
    section = text_section(parsed)
    size = parsed.sections[section].size
    first = lines.at(section, 0)
    assert first is not None
    assert first.line in (5, 6)
    chains = [inlines.at(section, offset) for offset in range(size)]
    inlined = next(offset for offset, chain in enumerate(chains) if chain)
    assert [(call.function, call.line) for call in chains[inlined]] == [("inner", 6)]
    assert {getattr(lines.at(section, o), "line", 0) for o, c in enumerate(chains) if c} == {3}
    assert lines.at(section, size) is None
    assert lines.at(section + 1000, 0) is None


def test_object_without_debug_information(tmp_path: Path) -> None:
    (tmp_path / "b.s").write_text(".text\nret\n")
    compiler = shutil.which("gcc") or "gcc"
    subprocess.run([compiler, "-c", tmp_path / "b.s", "-o", tmp_path / "b.o"], check=True)
    parsed = parse_object((tmp_path / "b.o").read_bytes(), "b.o")
    assert LineTable(parsed).at(text_section(parsed), 0) is None
    assert InlineTable(parsed).at(text_section(parsed), 0) == []


@settings(max_examples=200)
@given(changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=20))
def test_damage_ends_in_no_worse_than_no_lines(
    content: bytes, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(content)
    for at, byte in changes:
        damaged[64 + at % (len(damaged) - 64)] = byte
    try:
        parsed = parse_object(bytes(damaged), "a.o")
    except ObjectError:
        return
    lines, inlines = LineTable(parsed), InlineTable(parsed)
    for section in parsed.sections:
        lines.at(section, 3)
        inlines.at(section, 3)
