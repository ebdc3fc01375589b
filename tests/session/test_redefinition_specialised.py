"""Templates that are specialised after they have been used for those arguments."""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from tests.session.conftest import NewSession, run_all, shown

OF = "template <class T>"
OUT = "[[gnu::noinline]]"  # of line: what the optimiser has put into a caller stays there

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    (
        "constant of a class",
        [
            f"{OF} struct Tr {{ static constexpr int v = 0; }};",
            "int first = Tr<int>::v; int g() { return Tr<int>::v; }",
            "template <> struct Tr<int> { static constexpr int v = 1; };",
            "int second = Tr<int>::v;",
            "template <> struct Tr<int> { static constexpr int v = 2; };",
        ],
        {"first": "0", "g()": "0", "second": "1", "Tr<int>::v": "2", "Tr<char>::v": "0"},
    ),
    (
        "class of which there are objects",
        [
            "#include <vector>",
            f"{OF} struct S {{ int a = 1; int f() {{ return a; }} }};",
            "S<int> old; std::vector<S<int>> v(2); int r = old.f();",
            "template <> struct S<int> { double b = 2; int f() { return 7; } };",
            "std::vector<S<int>> w(1);",
        ],
        {"old.f()": "1", "v[1].a": "1", "S<int>().f()": "7", "w[0].b": "2.0"},
    ),
    (
        "class that was instantiated on request",
        [
            f"{OF} struct S {{ int f() {{ return 1; }} }}; template struct S<int>; S<int> old;",
            "template <> struct S<int> { int f() { return 2; } };",
        ],
        {"old.f()": "1", "S<int>().f()": "2"},
    ),
    (
        "class of the library",
        [
            "#include <functional>\n#include <type_traits>\nstruct P {};",
            "bool before = std::is_default_constructible_v<std::hash<P>>;",
            "template <> struct std::hash<P> { size_t operator()(P) const { return 1; } };",
        ],
        {"before": "false", "std::hash<P>()(P())": "1"},
    ),
    (
        "functions",
        [
            f"{OF} {OUT} int f(T) {{ return 1; }} {OF} {OUT} inline int h(T) {{ return 1; }}",
            "int g() { return f(1) * 10 + h(1); } int (*p)(int) = f; int (*q)(int) = h;",
            "int first = g(), second = p(1) + q(1);",
            "template <> int f(int) { return 2; } template <> int h(int) { return 3; }",
            "int third = g() * 100 + p(1) * 10 + q(1);",
            "template <> int f(int) { return 4; } template <> inline int h(int) { return 5; }",
            "int fourth = g() * 100 + p(1) * 10 + q(1);",
        ],
        {
            "first": "11",
            "second": "2",
            "third": "2323",
            "fourth": "4545",
            "f(1) * 10 + h(1)": "45",
            "f('a') * 10 + h('a')": "11",
        },
    ),
    (
        "function that is declared first",
        [
            f"{OF} {OUT} int f(T) {{ return 1; }} int g() {{ return f(1); }}",
            "template <> int f(int); int h() { return f(1); } template <> int f(int) { return 2; }",
            "int k() { return f(1); } int f(int);",
        ],
        {"g()": "2", "h()": "2", "k()": "2", "f<int>(1)": "2"},
    ),
    (
        "function of which there is no code",
        [
            f"{OF} constexpr int f(T a) {{ return a; }} int array[f(3)];",
            "template <> constexpr int f(int a) { return a + 1; }",
        ],
        {"sizeof array": "12", "f(3)": "4", "(new char[f(3)]{1}) != nullptr": "true"},
    ),
    (
        "partial specialisations",
        [
            f"{OF} struct S {{ int a = 1; }}; {OF} constexpr int v = 1;",
            "S<int *> old; S<int> other; int first = v<int *> + v<int>;",
            f"{OF} struct S<T *> {{ int b = 2; }}; {OF} constexpr int v<T *> = 3;",
            "S<int> same; same = other; S<int *> second;",
            f"{OF} struct S<T **> {{ int c = 4; }}; {OF} constexpr int v<T **> = 5;",
        ],
        {"old.a": "1", "first": "2", "S<int *>().b": "2", "v<int *> * 10 + v<int>": "31"}
        | {"S<int **>().c * 10 + v<int **>": "45", "second.b": "2"},
    ),
    (
        "variables",
        [
            f"{OF} int v = 1; {OF} constexpr int c = 1;",
            "int g() { return v<int>++ * 10 + c<int>; } int first = g();",
            "template <> int v<int> = 5; template <> constexpr int c<int> = 6;",
        ],
        {"first": "11", "v<int> * 10 + c<int>": "56", "g()": "21", "v<char> + c<char>": "2"},
    ),
    (
        "members of a class template",
        [
            f"{OF} struct W {{ {OUT} int f() {{ return 1; }} {OUT} int h(); static int s;"
            f" template <class U> {OUT} int t(U) {{ return 1; }} struct I {{ int a = 1; }}; }};"
            f"{OF} int W<T>::s = 1; {OF} int W<T>::h() {{ return 1; }}",
            "W<int> w; W<int>::I i;"
            "int g() { return w.f() * 1000 + w.h() * 100 + w.t(1) * 10 + w.s; } int first = g();",
            "template <> int W<int>::f() { return 2; } template <> int W<int>::h() { return 3; }"
            "template <> template <> int W<int>::t(int) { return 4; }",
            "template <> struct W<int>::I { int b = 6; };",
        ],
        {
            "first": "1111",
            "g()": "2341",
            "W<int>::I().b": "6",
            "i.a": "1",
            "W<char>().f() + W<char>::s + W<char>::I().a": "3",
        },
    ),
    (
        "member template of a class",
        [
            f"struct W {{ {OF} {OUT} int f(T) {{ return 1; }} }}; int g() {{ return W().f(1); }}",
            "template <> int W::f(int) { return 2; }",
        ],
        {"W().f(1)": "2", "W().f('a')": "1", "g()": "2"},
    ),
]


@pytest.mark.parametrize("opt", [0, None])
@pytest.mark.parametrize(("cells", "values"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_after_it_was_used(
    new_session: NewSession, cells: list[str], values: dict[str, str], opt: int | None
) -> None:
    session = new_session() if opt is None else new_session(opt=opt)
    run_all(session, *cells)
    assert {code: shown(session.run(code)) for code in values} == values


@pytest.mark.parametrize("snapshots", [10, 0])
def test_undo_brings_the_template_back(new_session: NewSession, snapshots: int) -> None:
    session = new_session(snapshots=snapshots)
    run_all(
        session,
        f"{OF} struct S {{ int a = 1; }}; {OF} {OUT} int f(T) {{ return 1; }}",
        "int g() { return f(1) + S<int>().a; } int first = g();",
        "template <> struct S<int> { int b = 5; }; template <> int f(int) { return 2; }",
    )
    assert [shown(session.run(code)) for code in ("g()", "f(1) + S<int>().b")] == ["3", "7"]
    session.undo(3)
    assert [shown(session.run(code)) for code in ("g()", "f(1) + S<int>().a")] == ["2", "2"]


def test_what_is_an_error(new_session: NewSession) -> None:
    session = new_session()
    with pytest.raises(CompileError, match="specialization of 'S<int>' after instantiation"):
        session.run(f"{OF} struct S {{ int a = 1; }}; S<int> s; template <> struct S<int> {{}};")
    session.run(f"{OF} struct S {{ int a = 1; }}; {OF} int f(T) {{ return 1; }}")
    session.run("S<int> s; f(1);")
    with pytest.raises(CompileError, match="specialization of 'S<int>' after instantiation"):
        session.run("S<int> t; template <> struct S<int> { int b = 2; };")
    assert shown(session.run("s.a")) == "1"
    with pytest.raises(CompileError, match="specialization of 'f<int>' after instantiation"):
        session.run("template <> int f(int);")
    assert shown(session.run("f(1)")) == "1"
