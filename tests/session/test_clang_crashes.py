"""Inputs that crash or hang Clang 22, or drive it to its limits: each costs itself alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from farside.errors import CompileError, CompilerCrashed
from farside.session import Session

from .conftest import NewSession, run_all, shown

# Clang ends, by a signal and by its own decision.
CRASHES = {
    "crash": "#pragma clang __debug crash",
    "fatal error": "#pragma clang __debug llvm_fatal_error",
}

# Deep and wide inputs. Whether Clang refuses them, dies of them or takes them is its own affair.
EXTREMES = {
    "a long sum": f"long sum = {'1+' * 60_000}1;",
    "many signs": f"long sign = {'- ' * 60_000}1;",
    "many parentheses": f"long deep = {'(' * 60_000}1{')' * 60_000};",
    "many braces": f"void braces() {'{' * 60_000}{'}' * 60_000}",
    "nested ifs": f"void ifs(int n) {{ {'if (n) ' * 60_000}; }}",
    "nested calls": f"int id(int n) {{ return n; }} int calls = {'id(' * 20_000}1{')' * 20_000};",
    "pointers to pointers": f"int {'*' * 60_000}pointer;",
    "nested templates": f"template <class T> struct B {{}}; {'B<' * 5_000}int{'>' * 5_000} b;",
    "recursive template": "template <int N> struct R { R<N + 1> r; }; R<0> r;",
    "recursive concept": "template <class T> concept C = requires(T t) { C<T>; };",
    "endless constexpr": "constexpr int f() { for (;;) {} } constexpr int endless = f();",
    "huge array": "char huge[1ull << 62];",
    "recursive include": "#include __FILE__",
    "half a token": '"\\',
    "nothing but bytes": "".join(map(chr, range(1, 256))) * 20,
}


@pytest.mark.parametrize("name", list(CRASHES))
def test_a_crash_of_clang_costs_the_cell(session: Session, name: str) -> None:
    run_all(session, "#include <vector>\nstd::vector<int> v{1, 2};", "int x = 4; v.push_back(3);")
    number = session.next_cell
    with pytest.raises(CompilerCrashed, match=f"Clang crashed on cell {number}"):
        session.run(f"int lost = 1;\n{CRASHES[name]}\nint also_lost;")
    assert shown(run_all(session, "int lost = 5;", "lost + x + (int)v.size()")) == "12"


@pytest.mark.slow
@pytest.mark.parametrize("name", list(EXTREMES))
def test_extreme_inputs_cost_at_most_the_cell(new_session: NewSession, name: str) -> None:
    session = new_session(compile_limit=5.0)
    session.run("int before = 4;")
    with suppress(CompileError):
        session.run(EXTREMES[name])
    assert shown(run_all(session, "int after = before + 1;", "after")) == "5"


@pytest.mark.parametrize("hang", ["#pragma clang __debug overflow_stack", '#include "never.h"'])
def test_a_hang_of_clang_costs_the_cell(new_session: NewSession, tmp_path: Path, hang: str) -> None:
    # The pragma's recursion is optimised into a loop; nobody ever opens the pipe.
    os.mkfifo(tmp_path / "never.h")
    session = new_session(compile_limit=2.0, include_dirs=(str(tmp_path),))
    session.run("int x = 4;")
    with pytest.raises(CompilerCrashed, match="did not come to an end"):
        session.run(hang)
    assert shown(session.run("x")) == "4"
