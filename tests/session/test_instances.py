"""Template instances that the executor brings: cells use them, and may replace what they call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farside.errors import Crashed
from farside.object import parse_object
from farside.options import Options
from farside.session import Session

if TYPE_CHECKING:
    from farside.frontend.cell import CompiledCell

USE = """
#include <algorithm>
#include <map>
#include <string>
#include <vector>
std::vector<int> grown;
for (int i = 0; i < 9; ++i) grown.push_back(9 - i);
std::sort(grown.begin(), grown.end());
std::map<std::string, int> counts;
for (int i : grown) ++counts["k" + std::to_string(i % 3)];
"""


def defined(compiled: CompiledCell) -> set[str]:
    """Return the names of functions that the cell's object defines."""
    assert compiled.object is not None
    parsed = parse_object(compiled.object, "cell")
    return {symbol.name for symbol in parsed.symbols if symbol.section > 0 and symbol.type == 2}


def test_common_instances_are_the_executors() -> None:
    with Session(Options()) as session:
        compiled: list[CompiledCell] = []
        link = session._link

        def spy(cell: CompiledCell, dylib: str) -> object:
            compiled.append(cell)
            return link(cell, dylib)

        session._link = spy  # type: ignore[assignment,method-assign]
        session.run(USE)
        large = ("_M_realloc", "__introsort_loop", "_M_emplace_hint")
        assert not [name for name in defined(compiled[0]) if any(part in name for part in large)]
        assert session.run("counts").value is not None
        assert str(session.run('counts["k0"] * 100 + grown.front()').value) == "(int) 301"


def test_a_crash_in_an_instance_is_told_by_its_name() -> None:
    with Session(Options()) as session:
        session.run("#include <map>\n#include <string>")
        session.run("using Counts = std::map<std::string, int>;")
        with pytest.raises(Crashed) as caught:
            session.run('(*(Counts *)nullptr)["a"] = 1;')
        first, *others = caught.value.report.frames
        assert "std::map<" in (first.function or "")
        assert first.library == "libstdc++"
        assert [each.library for each in others] == [None]


def test_what_the_program_allocates_with_is_used_by_its_vectors() -> None:
    with Session(Options()) as session:
        session.run("#include <cstdlib>\n#include <new>\n#include <vector>\nint taken = 0;")
        session.run("std::vector<int> before{1, 2, 3};")
        session.run("void *operator new(std::size_t n) { ++taken; return std::malloc(n); }")
        session.run("void operator delete(void *p) noexcept { std::free(p); }")
        session.run("void operator delete(void *p, std::size_t) noexcept { std::free(p); }")
        session.run("std::vector<int> after; int base = taken;")
        session.run("for (int i = 0; i < 5; ++i) after.push_back(i);")
        assert str(session.run("taken - base").value) == "(int) 4"


def test_an_allocator_is_used_by_the_cell_that_brings_it_and_by_all_later_ones() -> None:
    with Session(Options()) as session:
        session.run("#include <cstdlib>\n#include <map>\n#include <vector>\nint taken = 0;")
        session.run("void fill(std::vector<int> &v) { v.resize(7); v.shrink_to_fit(); }")
        session.run("std::map<int, int> known; ++known[1];")  # of the executor's making, so far
        session.run(
            "void grow(std::vector<double> &v) { v.push_back(1); }"
            " void *operator new(std::size_t n) { ++taken; return std::malloc(n); }"
            " void operator delete(void *p) noexcept { std::free(p); }"
            " void operator delete(void *p, std::size_t) noexcept { std::free(p); }"
        )
        session.run("std::vector<double> reals; taken = 0; grow(reals);")
        assert str(session.run("taken").value) == "(int) 1"
        session.run("std::map<int, int> others; taken = 0; others.insert({1, 2});")
        assert str(session.run("taken").value) == "(int) 1"


def test_an_instance_is_asked_for_by_name_after_it_was_left_to_the_executor() -> None:
    with Session(Options()) as session:
        session.run(USE)
        session.run("template class std::vector<int>;")
        session.run("grown.push_back(4); grown.reserve(100);")
        assert str(session.run("grown.back() + grown.front()").value) == "(int) 5"


def test_a_cell_uses_the_instance_that_an_earlier_cell_has_asked_for_by_name() -> None:
    with Session(Options()) as session:
        session.run("#include <string>\n#include <vector>\ntemplate class std::vector<int>;")
        session.run("std::vector<int> made;")
        session.run("template class std::vector<short>; template class std::basic_string<char>;")
        session.run("std::vector<short> more(made.size() + 3); std::string text(more.size(), 'x');")
        session.run("made.assign(more.begin(), more.end()); std::vector<int> copy(made);")
        assert str(session.run("copy.size() + text.size()").value) == "(unsigned long) 6"


def test_instances_of_another_library_are_made_by_the_cell() -> None:
    with Session(Options(defines=("_GLIBCXX_ASSERTIONS",))) as session:
        session.run(USE)
        assert str(session.run("grown.front()").value) == "(int) 1"
