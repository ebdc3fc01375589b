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

INCLUDES = """
#include <algorithm>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>
"""
USE = f"""{INCLUDES}
std::vector<int> grown;
for (int i = 0; i < 9; ++i) grown.push_back(9 - i);
std::sort(grown.begin(), grown.end());
std::map<std::string, int> counts;
for (int i : grown) ++counts["k" + std::to_string(i % 3)];
"""


ONCE = """
std::vector<int> few{3, 1, 2};
std::sort(few.begin(), few.end());
few.push_back(4);
std::map<std::string, int> ages;
ages["far"] = few[0];
std::cout << ages["far"] << std::endl;
"""


def functions(compiled: CompiledCell) -> tuple[set[str], set[str]]:
    """Return the names of functions that the cell's object defines, and what it refers to."""
    assert compiled.object is not None
    symbols = parse_object(compiled.object, "cell").symbols
    defined = {symbol.name for symbol in symbols if symbol.section > 0 and symbol.type == 2}
    return defined, {symbol.name for symbol in symbols if symbol.section == 0}


def compiled_by(session: Session) -> list[CompiledCell]:
    """Return a list to which each cell of the session comes that is linked from now on."""
    compiled: list[CompiledCell] = []
    link = session._link

    def spy(cell: CompiledCell, dylib: str) -> object:
        compiled.append(cell)
        return link(cell, dylib)

    session._link = spy  # type: ignore[assignment,method-assign]
    return compiled


def mentioning(names: set[str], *parts: str) -> list[str]:
    """Return the names in which one of the parts occurs."""
    return [name for name in names if any(part in name for part in parts)]


def test_common_instances_are_the_executors() -> None:
    with Session(Options()) as session:
        compiled = compiled_by(session)
        session.run(USE)
        large = ("_M_realloc", "__introsort_loop", "_M_emplace_hint")
        assert not mentioning(functions(compiled[0])[0], *large)
        assert session.run("counts").value is not None
        assert str(session.run('counts["k0"] * 100 + grown.front()').value) == "(int) 301"


def test_code_that_runs_once_leaves_small_instances_to_the_executor_too() -> None:
    with Session(Options(output="capture")) as session:
        compiled = compiled_by(session)
        session.run(INCLUDES)
        assert session.run(ONCE).stdout == "1\n"
        defined, referred = functions(compiled[-1])
        assert not mentioning(defined, "_ZN", "_ZSt")
        for each in ("_ZNSt6vectorIiSaIiEEix", "_ZSt4sortI", "_ZNSt6vectorIiSaIiEED1Ev"):
            assert mentioning(referred, each)


def test_what_runs_often_inlines_small_instances_all_the_same() -> None:
    code = "int last(std::vector<int> &v) { v.pop_back(); return v[0] + (int) v.size(); }"
    with Session(Options(output="capture")) as session:
        compiled = compiled_by(session)
        session.run(INCLUDES)
        session.run(ONCE)
        session.run("few.pop_back(); few.size();")
        session.run(code)
        assert functions(compiled[-1]) == ({"_Z4lastRSt6vectorIiSaIiEE"}, {""})
        assert str(session.run("last(few)").value) == "(int) 3"
        # So does what a statement makes of templates of the program's own, and a loop in one.
        session.run("template <class T> int sum(T &v) { return v[0] + v.back(); }")
        session.run("few.push_back(3); int total = sum(few);")
        assert not mentioning(functions(compiled[-1])[1], "vectorIiSaIiEE4back")
        session.run("for (std::size_t i = 0; i < few.size(); ++i) total += few[i];")
        assert not mentioning(functions(compiled[-1])[1], "vectorIiSaIiEEix")
        assert str(session.run("total").value) == "(int) 10"


def test_loops_of_the_library_are_made_for_the_cell() -> None:
    with Session(Options(output="capture")) as session:
        compiled = compiled_by(session)
        session.run(INCLUDES)
        session.run(ONCE)
        session.run("int all = std::accumulate(few.begin(), few.end(), 0);")
        assert not mentioning(functions(compiled[-1])[1], "accumulate")
        assert str(session.run("all").value) == "(int) 10"


def test_without_optimisation_all_code_uses_the_executors() -> None:
    with Session(Options(output="capture", opt=0)) as session:
        compiled = compiled_by(session)
        session.run(INCLUDES)
        assert session.run(ONCE).stdout == "1\n"
        session.run("int total = 0;\nfor (int each : few) total += each;")
        assert not mentioning(functions(compiled[-1])[0], "vector", "iterator")
        assert str(session.run("total").value) == "(int) 10"


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
        with pytest.raises(Crashed, match="SIGABRT"):
            session.run("grown[9];")


def test_a_cell_makes_the_library_another() -> None:
    with Session(Options()) as session:
        session.run("#define _GLIBCXX_ASSERTIONS 1")
        session.run("#include <vector>\nstd::vector<int> few{1};")
        with pytest.raises(Crashed, match="SIGABRT"):
            session.run("few[3];")
