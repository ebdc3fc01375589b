"""A cell may define again what an earlier cell defined, whatever it was and becomes.

From then on the name means the new. What the old code and objects keep is shown by rows with more
than one expression: callers of a function come to its new body, everything else stays what it was.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from farside.errors import CompileError, CppException, Crashed, FarsideError, UndefinedSymbols
from tests.session.conftest import shown_by, supervisor_of
from tests.session.redefined import ROWS

if TYPE_CHECKING:
    from farside.session import Session
    from tests.session.conftest import NewSession


@pytest.mark.parametrize(("cells", "values"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_what_is_defined_again(session: Session, cells: list[str], values: dict[str, str]) -> None:
    for cell in cells:
        session.run(cell)
    assert {expression: shown_by(session, expression) for expression in values} == values


@pytest.mark.parametrize("snapshots", [10, 0])
def test_undo_brings_the_old_back(new_session: NewSession, snapshots: int) -> None:
    session = new_session(snapshots=snapshots)
    session.run("int f() { return 1; } struct S { int a = 1; };")
    session.run("int g() { return f(); }")
    session.run("int f() { return 2; } struct S { int b = 2; };")
    session.run("int f() { return 3; }")
    assert shown_by(session, "g()") == "3"
    session.undo(2)
    assert shown_by(session, "g()") == "2"
    session.undo(2)
    assert [shown_by(session, code) for code in ("f()", "g()", "S().a")] == ["1", "1", "1"]


def test_errors_leave_the_old(session: Session) -> None:
    session.run("int f() { return 1; } struct S { int a = 1; };")
    session.run("int g() { return f(); }")
    with pytest.raises(CompileError) as caught:
        session.run("int f() { return nothing; } struct S { int b = 2; };")
    assert [each.message for each in caught.value.diagnostics] == [
        "use of undeclared identifier 'nothing'"
    ]
    with pytest.raises(Crashed):
        session.run("int f() { return 2; } __builtin_trap();")
    assert [shown_by(session, code) for code in ("f()", "g()", "S().a")] == ["1", "1", "1"]


def test_twice_within_a_cell_is_an_error(session: Session) -> None:
    session.run("int x = 1;")
    with pytest.raises(CompileError, match="redefinition of 'y'"):
        session.run("int x = 2; int y = 3; int y = 4;")
    assert shown_by(session, "x") == "1"


def test_macros_are_not_to_blame_for_an_error(session: Session) -> None:
    session.run("#define ten 10")
    with pytest.raises(CompileError, match="undeclared identifier 'nothing'") as told:
        session.run("int a[] = {nothing, ten};")
    assert len(told.value.diagnostics) == 1


AGAIN = (
    "template <class T> T v = 1;",
    "template <> int v<int> = 2;",
    "struct Q { static int x; int f(); template <class T> int g(T); template <class T> static T z;"
    " operator int(); bool operator==(const Q &) const; };",
    "int Q::x = 1;",
    "int Q::f() { return 1; }",
    "template <class T> int Q::g(T) { return 1; }",
    "template <class T> T Q::z = 3;",
    "Q::operator int() { return 1; }",
    "bool Q::operator==(const Q &) const = default;",
    "template <class T> struct W { W(T); int f(); static int s; };",
    "template <class T> int W<T>::f() { return 1; }",
    "template <class T> int W<T>::s = 1;",
    "template <class T> W(T *) -> W<T>;",
    "template <> int W<int>::f() { return 2; }",
    "template <> int W<int>::s = 2;",
    "template struct W<char>;",
    "namespace A { inline namespace B { struct C {}; } } using namespace A;",
    "enum class Op : int; enum class Op : int { a };",
    "namespace { int anon = 1; struct AnonS {}; }",
    "template <class T> requires (sizeof(T) == 1) int con(T) { return 1; }"
    "template <class T> requires (sizeof(T) == 4) int con(T) { return 4; }",
    "struct D { virtual int f(); virtual ~D(); };",
    "int D::f() { return 1; } D::~D() {}",
    "auto gl = [](auto x) { return x; }; auto ret() { return 1; }",
    "extern int ex; int ex = 4; int fwd(); int fwd() { return 2; }",
    "int al __attribute__((aligned(16))) = 1; constinit int ci = 3;",
    "template <class... T> struct Ov : T... { using T::operator()...; };"
    "template <class... T> Ov(T...) -> Ov<T...>;",
    "__attribute__((weak)) int wk() { return 1; }",
    'int aliased() { return 1; } extern "C" int ali() __attribute__((alias("_Z7aliasedv")));',
    "void lam() { static int n = 0; struct L { int a; }; auto f = [] {}; }",
    "int arr[3] = {1, 2, 3}; int (&arr_ref)[3] = arr;",
    "typedef struct { int a; } *Anon; Anon anon_p; enum { E1, E2 } en; struct { int a; } noname;",
    "using FnT = int(int); FnT fnt; int fnt(int a) { return a; }",
)


def test_every_cell_can_be_run_again(session: Session) -> None:
    for _ in range(3):
        for cell in AGAIN:
            session.run(cell)
    assert shown_by(session, "W<int>::s + v<int> + Q::x + anon + con('a') + Q().f()") == "8"


def test_without_a_precompiled_library(new_session: NewSession) -> None:
    session = new_session(use_pch=False)
    for value in (3, 5):
        session.run(f"namespace a {{ int only = {value}; }} struct S {{ int v = {value}; }};")
    assert shown_by(session, "a::only + S().v") == "10"


def test_it_can_be_switched_off(new_session: NewSession) -> None:
    session = new_session(redefinition=False)
    session.run("int x = 1;\n#define M 1")
    with pytest.raises(CompileError, match="redefinition of 'x'"):
        session.run("double x = 2;")
    assert [each.option for each in session.run("#define M 2").diagnostics] == ["-Wmacro-redefined"]


@pytest.mark.parametrize("opt", [0, 2])
def test_in_c(new_session: NewSession, opt: int) -> None:
    session = new_session(language="c", opt=opt)
    session.run("int f(void) { return 1; } int x = 1; struct S { int a; };")
    session.run("int g(void) { return f() + x; }")
    session.run("int f(void) { return 20; } double x = 2.5; struct S { double b; };")
    session.run("struct S s = {4.5};")
    assert [shown_by(session, code) for code in ("g()", "f()", "x", "s.b")] == [
        "21",
        "20",
        "2.5000000",
        "4.5000000",
    ]


def test_a_function_of_c_comes_back(new_session: NewSession) -> None:
    session = new_session(language="c")
    session.run("int f(void) { static int n = 1; return n; }")
    session.run("int g(void) { return f(); }")
    session.run("double f(void) { return 2.5; }")
    session.run("double h(void) { return f(); }")
    session.run("int f(void);")
    assert shown_by(session, "f()") == "1"
    session.run("int f(void) { static int n = 3; return n; }")
    session.run("double f(void) { return 4.5; }")
    assert [shown_by(session, code) for code in ("g()", "h()", "f()")] == ["3", *2 * ["4.5000000"]]


def test_a_variable_of_c_is_given_a_value(new_session: NewSession) -> None:
    session = new_session(language="c")
    session.run("int x; int get(void) { return x; }")
    session.run("int x;")
    session.run("x = 3;")
    assert shown_by(session, "get()") == "3"
    session.run("int x = 5; int y; int y = 6;")
    assert [shown_by(session, code) for code in ("x", "get()", "y")] == ["5", "3", "6"]
    session.run("int x = 7;")
    session.run("extern int x; int x;")
    assert shown_by(session, "x") == "7"
    strict = new_session(language="c", redefinition=False)
    strict.run("int x;")
    with pytest.raises(CompileError, match="redefinition of 'x'"):
        strict.run("int x = 5;")


def test_after_the_compiler_and_the_program_were_started_again(session: Session) -> None:
    session.run("int f() { return 1; } struct S { int a = 1; };")
    session.run("int g() { return f() + S().a; }")
    session.run("int f() { return 20; } struct S { int b = 2; };")
    for pid in (supervisor_of(session), session.compiler_pid):
        os.kill(pid, signal.SIGKILL)
    for _ in range(3):
        try:
            session.run("int other = 0;")
        except FarsideError:
            continue
    assert [shown_by(session, code) for code in ("g()", "f()", "S().b")] == ["21", "20", "2"]


def test_what_is_ambiguous_without_a_redefinition_is_an_error(session: Session) -> None:
    session.run("template <class T> concept A = true; template <class T> concept B = true;")
    session.run("template <A T> int f(T) { return 1; } int g(long) { return 1; }")
    session.run("template <B T> int f(T) { return 2; } int g(char) { return 2; }")
    for call in ("f(1)", "g(1)"):
        with pytest.raises(CompileError, match="ambiguous"):
            session.run(call)


def test_names_are_those_that_the_programmer_wrote(session: Session) -> None:
    code = "struct B { virtual ~B() {} }; struct E : B { int i = 1; };"
    session.run(code)
    session.run(code)
    assert str(session.run("B &b = *new E; b").value) == "(B &) (E) {}"
    with pytest.raises(CppException, match=r"threw E$"):
        session.run("throw E();")
    with pytest.raises(UndefinedSymbols, match=r"^nowhere\(E\) is undefined"):
        session.run("int nowhere(E); nowhere(E());")
    session.run("void g(E) { __builtin_trap(); }")
    with pytest.raises(Crashed, match=r"#0 g\(E\) cell 6"):
        session.run("g(E());")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("int x = 1;", "int x = 2; x", "2"),
        ("int x = 1;", "double x = 2.5; x", "2.5000000"),
        ("int x = 1; x", "int x = 1; x", "1"),
        ("int x = 1;", "int x = 2; x = 3; x", "3"),
        ("constexpr int x = 1;", "constexpr int x = 2; x + 1", "3"),
        ("struct A { int a = 1; };", "struct A { int b = 2; }; A{}.b", "2"),
        ("int c = 1; int &x = c;", "int d = 5; int &x = d; int e = 6; e", "6"),
    ],
)
def test_what_is_defined_again_is_shown_by_the_same_cell(
    session: Session, old: str, new: str, text: str
) -> None:
    session.run(old)
    assert shown_by(session, new) == text


def test_an_error_before_a_value_is_an_error(session: Session) -> None:
    session.run("int x = 1;")
    with pytest.raises(CompileError, match="nope"):
        session.run("int y = nope; x")
    with pytest.raises(CompileError, match="nope"):
        session.eval("int y = nope; x")
    assert shown_by(session, "int y = 2; y") == "2"


@pytest.mark.parametrize(
    "code",
    [
        "S z = s;",
        "S *p = &s;",
        "p = new S;",
        "s = S();",
        "g(s)",
        "k(vs)",
        "h(vs, S())",
        "W(S()).m(s)",
    ],
)
def test_an_object_of_the_old_class_is_said_to_be_one(session: Session, code: str) -> None:
    session.run("#include <vector>\nstruct S {}; S s; S *p = &s; std::vector<S> vs(1);")
    session.run(
        "struct S { int b; }; int g(const S &) { return 1; } int k(std::vector<S>) { return 1; }"
        "template <class T> int h(std::vector<T>, T) { return 1; }"
        "struct W { W(S) {} int m(S) { return 1; } };"
    )
    with pytest.raises(CompileError) as caught:
        session.run(code)
    (note,) = caught.value.__notes__
    assert "two types" in note
    assert "was defined again" in note


@pytest.mark.parametrize(
    "code", ["int n::f(S *) { return 2; }", "int C::f(S *) { return 2; }", "S C::s;", "S n::s;"]
)
def test_a_declaration_with_the_old_class_is_said_to_be_one(session: Session, code: str) -> None:
    declarations = "namespace n { int f(S *); extern S s; } struct C { int f(S *); static S s; };"
    session.run("struct S {};")
    session.run(declarations)
    session.run("int n::f(S *) { return 1; } int C::f(S *) { return 1; } S C::s; S n::s;")
    session.run("struct S { int b; };")
    with pytest.raises(CompileError) as caught:
        session.run(code)
    (note,) = caught.value.__notes__
    assert "two types S" in note
    assert "run the cell again that declares this" in note
    session.run(declarations)
    session.run(code)


@pytest.mark.parametrize(
    "code", ["S z = 1;", "const S c; S *p = &c;", "S &r = S();", "g(1)", "s.nope", "s + 1"]
)
def test_other_errors_are_not_laid_to_a_definition(session: Session, code: str) -> None:
    session.run("struct S {}; S s; int g(const S &) { return 1; }")
    with pytest.raises(CompileError) as caught:
        session.run(code)
    assert not hasattr(caught.value, "__notes__")


WITH_MACROS = (
    "struct Sized { int a[SIZE]; };",
    "int sized[SIZE] = {1};",
    "template <class T> struct Holds { T a[SIZE]; };",
    "class Logs { int x; void f() { LOG(x); } };",
)


@pytest.mark.parametrize("cell", WITH_MACROS)
def test_macros_of_earlier_cells_in_what_is_defined_again(session: Session, cell: str) -> None:
    session.run("#define SIZE 10\n#define LOG(x) (void)(x)")
    for _ in range(3):
        session.run(cell)


def test_an_array_gets_another_size_by_a_macro(session: Session) -> None:
    session.run("int arr[10];")
    session.run("#define N 20\n#define size 3")
    session.run("int arr[N];")
    assert shown_by(session, "sizeof arr / sizeof(int)") == "20"
    session.run("int size[N];")  # which is a macro's name no more
    assert shown_by(session, "sizeof size / sizeof(int)") == "20"


def test_a_name_and_the_macro_in_the_way_of_another(session: Session) -> None:
    session.run("struct Both { int a; };")
    session.run("#define named 3")
    session.run("struct Both { int a, b; }; int named = 4;")
    assert shown_by(session, "sizeof(Both) + named") == "12"


def test_only_what_is_wrong_is_told_of_what_is_defined_again(session: Session) -> None:
    session.run("#define SIZE 10\nstruct Sized { int a[SIZE]; };")
    with pytest.raises(CompileError) as error:
        session.run("struct Sized { int a[SIZE]; }; int wrong = nowhere;")
    messages = [each.message for each in error.value.diagnostics]
    assert messages == ["use of undeclared identifier 'nowhere'"]
