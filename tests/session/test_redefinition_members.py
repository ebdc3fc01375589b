"""A template or class that is defined again together with what is written outside of it.

Members of the old stay those of the old: objects of it, and code for them, go on as they were.
"""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from tests.session.conftest import NewSession, run_all, shown

STACK = """#include <vector>
template <class T> struct Stack { std::vector<T> v; void push(T x); T pop(); };
template <class T> void Stack<T>::push(T x) { v.push_back(x); }
template <class T> T Stack<T>::pop() { T x = v.back(); v.pop_back(); return x; }
"""
TEMPLATE = "template <class T> struct S"
OF_S = "template <class T>"

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    (
        "class template with its member",
        [
            f"{TEMPLATE} {{ int f(); }}; {OF_S} int S<T>::f() {{ return 1; }}",
            "S<int> s; int r = s.f();",
            "int g() { return s.f(); }",
            f"{TEMPLATE} {{ int f(); }}; {OF_S} int S<T>::f() {{ return 2; }}",
        ],
        {"s.f()": "1", "g()": "1", "S<int>().f()": "2"},
    ),
    (
        "class template with its constructor",
        [
            f"{TEMPLATE} {{ T v; S(); }}; {OF_S} S<T>::S() {{ v = 1; }}",
            "S<int> s;",
            f"{TEMPLATE} {{ T v; S(); }}; {OF_S} S<T>::S() {{ v = 2; }}",
        ],
        {"(new decltype(s))->v": "1", "S<int>().v": "2"},
    ),
    (
        "class template with its static member",
        [
            f"{TEMPLATE} {{ static int n; }}; {OF_S} int S<T>::n = 1;",
            "S<int> s; int g() { return s.n; }",
            f"{TEMPLATE} {{ static int n; }}; {OF_S} int S<T>::n = 2;",
        ],
        {"s.n": "1", "g()": "1", "S<int>::n": "2"},
    ),
    (
        "class with its static member",
        [
            "struct S { static int n; }; int S::n = 1;",
            "S s;",
            "struct S { static int n; }; int S::n = 2;",
        ],
        {"s.n": "1", "S::n": "2"},
    ),
    (
        "the same cell again while objects live",
        [
            STACK,
            "Stack<int> old; old.push(1);",
            STACK,
            "old.push(3); int popped = old.pop();",
            "Stack<int> now; now.push(4);",
        ],
        {"popped": "3", "now.pop()": "4"},
    ),
    (
        "member of a template and the class that it is made for",
        [
            f"{TEMPLATE} {{ T v; int f(); }}; {OF_S} int S<T>::f() {{ return v.a; }}",
            "struct X { int a = 1; }; int r = S<X>().f();",
            "struct X { int b = 2; };",
            f"{OF_S} int S<T>::f() {{ return v.b; }}",
        ],
        {"S<X>().f()": "2"},
    ),
    (
        "member of a template and its specialisation",
        [
            f"{TEMPLATE} {{ int f(); }};",
            f"{OF_S} int S<T>::f() {{ return 1; }}",
            "template <> int S<char>::f() { return 5; }",
            "int r = S<char>().f() + S<int>().f();",
            f"{OF_S} int S<T>::f() {{ return 2; }}",
            "template <> int S<char>::f() { return 6; }",
        ],
        {"S<char>().f()": "6", "S<int>().f()": "2"},
    ),
    (
        "default argument of a class",
        [
            "struct P { int a = 0; };",
            "int take(P p = {}) { return 1; }",
            "struct P { int a = 0; };",
            "int take(P p = {}) { return 2; }",
        ],
        {"take()": "2", "take({})": "2", "take(P{})": "2"},
    ),
]


@pytest.mark.parametrize("opt", [0, 2])
@pytest.mark.parametrize(("cells", "values"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_what_belongs_to_the_old_stays_with_it(
    new_session: NewSession, cells: list[str], values: dict[str, str], opt: int
) -> None:
    session = new_session(opt=opt)
    run_all(session, *cells)
    assert {code: shown(session.run(code)) for code in values} == values


def test_types_of_one_name_in_two_functions_do_not_stand_aside(new_session: NewSession) -> None:
    session = new_session()
    run_all(
        session,
        "auto a() { struct L { int x; }; return L{1}; }",
        "auto b() { struct L { int x; }; return L{2}; }",
        "int f(decltype(a())) { return 1; }",
        "int f(decltype(b())) { return 2; }",
    )
    with pytest.raises(CompileError, match="call to 'f' is ambiguous"):
        session.run("f({1})")
    assert [shown(session.run(code)) for code in ("f(a())", "f(b())")] == ["1", "2"]
