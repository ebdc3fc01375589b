"""Inputs that crash or hang Clang 22, or drive it to its limits: each costs itself alone.

docs/clang.md lists them.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from farside.errors import CompileError, CompilerCrashed, CompilerKilled, LinkError
from farside.session import Session
from tests.conftest import Traces
from tests.traces import wait_for_end

from .conftest import NewSession, run_all, shown

# Clang ends, by a signal and by its own decision.
CRASHES = {
    "crash": ("#pragma clang __debug crash", r" \(SIG(ILL|TRAP)\)"),
    "fatal error": ("#pragma clang __debug llvm_fatal_error", ""),
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
    "nested lambdas": f"auto l = {'[]{ return ' * 500}1{'; }' * 500};",
    "nested declarators": f"int {'(' * 20_000}f{')' * 20_000}();",
    "conditional operators": f"int c = {'1 ? 1 : ' * 20_000}1;",
    "recursive template": "template <int N> struct R { R<N + 1> r; }; R<0> r;",
    "recursive concept": "template <class T> concept C = requires(T t) { C<T>; };",
    "recursive constraint": (
        "template <class T> concept C = requires(T t) { f(t); };"
        " template <C T> void f(T); struct S {}; void g() { f(S{}); }"
    ),
    "recursive operator": (
        "template <int N> struct P { P<N + 1> operator->(); }; int n = P<0>()->x;"
    ),
    "recursive lambda": (
        "auto f = [](auto self) -> decltype(self(self)) { return 1; }; auto g = f(f);"
    ),
    "recursive noexcept": (
        "template <class T> void f(T t) noexcept(noexcept(f(&t))); int h = (f(1), 1);"
    ),
    "recursive alias": "template <class T> using A = typename T::template B<A<T>>; A<int> a;",
    "recursive class": "struct Self { Self self; }; struct B1; struct B1 : B1 {};",
    "converts to everything": (
        "struct A { template <class T> operator T(); }; void f(int, int, int, int);"
        " int h = (f(A{}, A{}, A{}, A{}), 0);"
    ),
    "endless constexpr": "constexpr int f() { for (;;) {} } constexpr int endless = f();",
    "deep consteval": "consteval int f(int n) { return n ? f(n - 1) : 0; } int v = f(100000);",
    "huge constant": (
        "constexpr int f() { delete[] new int[1000000000]; return 1; } constexpr int v = f();"
    ),
    "huge array": "char huge[1ull << 62];",
    "huge frame": "int frame() { volatile char big[1ull << 40]; return big[1]; }",
    "huge alignment": "struct alignas(1ull << 40) H {}; H h;",
    "recursive include": "#include __FILE__",
    "a device as header": '#include "/dev/zero"',
    "a device embedded": 'const char e[] = {\n#embed "/dev/zero"\n};',
    "half a token": '"\\',
    "nothing but bytes": "".join(map(chr, range(1, 256))) * 20,
    "NUL bytes": "int a\0b = 1;" + "\0" * 1000,
    "not UTF-8": "int \udcff\udcfe = 1; // \udc80",
    "raw string without end": 'auto s = R"x(abc',
    "raw string with a long delimiter": (
        'auto s = R"12345678901234567890(abc)12345678901234567890";'
    ),
    "a long line": f"int one = 1;{' ' * 5_000_000}int two = 2;",
    "a long name": f"int {'a' * 1_000_000} = 1;",
    "a long string": f'const char *text = "{"x" * 5_000_000}";',
    "a long number": f"auto number = {'9' * 1_000_000};",
    "many lines": "\n" * 1_000_000 + "int last;",
    "conditions without end": "#if 1\n" * 100_000,
    "a module": "export module m; export int f();",
    "an import": "import std;",
    "a global module": "module; int x; module :private;",
    "a header unit": "import <vector>;",
    "a module map": "#pragma clang __debug module_map x",
    "an annotation of the parser": "#pragma clang __debug parser_crash",
    "a captured statement": "#pragma clang __debug captured",
    "an unreachable place": "#pragma clang __debug llvm_unreachable",
    "an assertion": "#pragma clang __debug assert",
    "a crash that is handled": "#pragma clang __debug handle_crash",
    "the use of locations": "#pragma clang __debug sloc_usage",
}

# What Clang's code generator, and not its parser, refuses: an error as any other.
IN_CODE = {
    "asm": ('asm("bogus");', "invalid instruction mnemonic"),
    "asm in a function": (
        'int f() { int r; asm("bogus %0" : "=r"(r)); return r; }',
        "invalid instruction mnemonic",
    ),
}

# Clang would take all the memory that there is.
HUNGRY = {
    "expansion of macros": (
        "#define A(x) x x x x x x x x x x\n#define B(x) A(A(A(A(x))))\n"
        "#define C(x) B(B(B(x)))\nint c = C(+1);"
    ),
    "a file without end": 'asm(".incbin \\"/dev/zero\\"");',
}


@pytest.mark.parametrize("name", list(CRASHES))
def test_a_crash_of_clang_costs_the_cell(session: Session, name: str) -> None:
    run_all(session, "#include <vector>\nstd::vector<int> v{1, 2};", "int x = 4; v.push_back(3);")
    code, sign = CRASHES[name]
    for _ in range(2):  # the second time in a process that was a snapshot's
        number = session.next_cell
        with pytest.raises(
            CompilerCrashed, match=f"Clang crashed on cell {number}{sign}\\."
        ) as got:
            session.run(f"int lost = 1;\n{code}\nint also_lost;")
        assert not isinstance(got.value, CompilerKilled)
    assert shown(run_all(session, "int lost = 5;", "lost + x + (int)v.size()")) == "12"


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_extreme_inputs_cost_at_most_the_cell(new_session: NewSession, part: int) -> None:
    session = new_session(compile_limit=5.0, compile_memory=2 << 30)
    session.run("int before = 4;")
    for name in list(EXTREMES)[part::4]:
        with suppress(CompileError, LinkError):
            session.run(EXTREMES[name])
            session.undo()
        result = run_all(session, "int after = before + 1;", "after")
        assert shown(result) == "5", name
        session.undo(2)


@pytest.mark.parametrize("name", list(IN_CODE))
def test_what_the_code_generator_refuses_is_an_error(session: Session, name: str) -> None:
    code, message = IN_CODE[name]
    session.run("int x = 4;")
    with pytest.raises(CompileError, match=message) as caught:
        session.run(f"x = 5;\n{code}")
    assert not isinstance(caught.value, CompilerCrashed)
    assert shown(session.run("x")) == "4"


@pytest.mark.parametrize("name", list(HUNGRY))
def test_clang_without_memory_costs_the_cell(new_session: NewSession, name: str) -> None:
    session = new_session(compile_memory=300 << 20, compile_limit=60.0)
    session.run("int x = 4;")
    with pytest.raises(CompilerCrashed, match=r"Clang ran out of memory on cell 2 .compile_memory"):
        session.run(HUNGRY[name])
    assert shown(session.run("x")) == "4"


@pytest.mark.parametrize("hang", ["#pragma clang __debug overflow_stack", '#include "never.h"'])
def test_a_hang_of_clang_costs_the_cell(new_session: NewSession, tmp_path: Path, hang: str) -> None:
    # The pragma's recursion is optimised into a loop; nobody ever opens the pipe.
    os.mkfifo(tmp_path / "never.h")
    session = new_session(compile_limit=1.0, include_dirs=(str(tmp_path),))
    session.run("int x = 4;")
    with pytest.raises(CompilerCrashed, match="did not come to an end"):
        session.run(hang)
    assert shown(session.run("x")) == "4"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_a_compiler_that_somebody_ends_costs_nothing(
    session: Session, tmp_path: Path, number: signal.Signals
) -> None:
    pipe = tmp_path / "header.h"
    os.mkfifo(pipe)
    (tmp_path / "other.h").write_text("int y = 5;")
    session.run("int x = 4;")
    pid = session.compiler_pid

    def strike() -> None:
        with pipe.open("w"):
            (tmp_path / "other.h").rename(pipe)  # for the next one
            os.kill(pid, number)
            assert wait_for_end(pid)

    thread = threading.Thread(target=strike)
    thread.start()
    session.run(f'#include "{pipe}"')
    thread.join()
    assert shown(session.run("x + y")) == "9"


def test_a_compiler_that_somebody_stops(
    leaves_nothing: Traces, new_session: NewSession, tmp_path: Path
) -> None:
    pipe = tmp_path / "header.h"
    os.mkfifo(pipe)
    session = new_session(compile_limit=1.0)
    session.run("int x = 4;")
    for _ in range(2):  # the second time it is a snapshot's process, which nobody waits for

        def strike() -> None:
            with pipe.open("w"):
                os.kill(session.compiler_pid, signal.SIGSTOP)

        pid = session.compiler_pid
        thread = threading.Thread(target=strike)
        thread.start()
        with pytest.raises(CompilerCrashed, match="did not come to an end"):
            session.run(f'#include "{pipe}"')
        thread.join()
        assert wait_for_end(pid)
        assert shown(session.run("x")) == "4"
    for snapshot in session._compiler._snapshots._all:
        os.kill(snapshot.pid, signal.SIGSTOP)
    session.close()
    leaves_nothing.check()
