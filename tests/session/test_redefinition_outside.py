"""What is defined outside of the class or namespace that declares it, again and again."""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from tests.session.conftest import NewSession, run_all, shown

OF_V = "template <class T>"

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    (
        "variable of a namespace",
        [
            "namespace n { extern int x; }",
            "int n::x = 5;",
            "int &r = n::x; int g() { return n::x; } inline int h() { return n::x; }",
            "int n::x = 5;",
            "int n::x = 7;",
        ],
        {"n::x": "7", "r": "5", "g()": "5", "h()": "5"},
    ),
    (
        "constants, arrays and thread-local variables of a namespace",
        [
            "namespace n { extern const int c; extern int a[]; extern thread_local int t; }",
            *(
                f"const int n::c = {i}; int n::a[{i}] = {{{i}}}; thread_local int n::t = {i};"
                for i in (1, 2, 3)
            ),
        ],
        {"n::c": "3", "sizeof n::a": "12", "n::t": "3"},
    ),
    (
        "variable of a nested namespace, within it and outside in turn",
        [
            "namespace n { inline namespace v { extern int x; } }",
            "int n::v::x = 1;",
            "int n::x = 2;",
            "namespace n { inline namespace v { double x = 3; } }",
            "namespace n { inline namespace v { int x = 4; } }",
            "int n::x = 5;",
            "int n::x = 6;",
        ],
        {"n::x": "6", "n::v::x": "6"},
    ),
    (
        "variable that is declared in the same cell",
        3 * ["namespace n { extern int x; } int n::x = 3;"],
        {"n::x++": "3"},
    ),
    (
        "variable with a symbol of C",
        [
            'namespace n { extern "C" int farside_x; }',
            "int n::farside_x = 1; int *old = &n::farside_x;",
            "int n::farside_x = 2;",
        ],
        {"n::farside_x": "2", "*old": "1"},
    ),
    (
        "global variable with a qualified name",
        ["extern int x;", "int ::x = 1;", "int &old = x;", "int ::x = 2;"],
        {"x": "2", "old": "1"},
    ),
    (
        "type of a namespace, within it and outside in turn",
        [
            "namespace n { struct S; enum class E : int; }",
            "struct n::S { int a = 1; }; enum class n::E : int { a = 1 };",
            "struct n::S { int b = 2; }; enum class n::E : int { b = 2 };",
            "namespace n { struct S { int c = 3; }; enum E { c = 3 }; }",
            "namespace n { struct S; enum class E : int { d = 4 }; }",
            "struct n::S { int d = 4; };",
            "enum class n::E : int { e = 5 };",
        ],
        {"n::S().d": "4", "(int)n::E::e": "5"},
    ),
    (
        "templates of a namespace",
        [
            f"namespace n {{ {OF_V} struct K; {OF_V} [[gnu::noinline]] int f(T); }}",
            f"{OF_V} struct n::K {{ int a = 1; }}; {OF_V} int n::f(T) {{ return 1; }}",
            "n::K<int> old; int g() { return n::f(1); }",
            f"{OF_V} struct n::K {{ int b = 2; }}; {OF_V} int n::f(T) {{ return 2; }}",
        ],
        {"n::K<int>().b": "2", "old.a": "1", "n::f(1)": "2", "g()": "2"},
    ),
    (
        "class template of a class",
        [
            f"struct O {{ {OF_V} struct K; }};",
            f"{OF_V} struct O::K {{ int a = 1; }};",
            "O::K<int> old;",
            f"{OF_V} struct O::K {{ int b = 2; }};",
            f"{OF_V} struct O::K {{ int c = 3; }};",
        ],
        {"O::K<int>().c": "3", "old.a": "1"},
    ),
    (
        "class template of a class template",
        [
            f"{OF_V} struct A {{ template <class U> struct B; }};",
            f"{OF_V} template <class U> struct A<T>::B {{ T a = 1; }};",
            "A<int>::B<char> old;",
            f"{OF_V} template <class U> struct A<T>::B {{ T b = 2; }};",
            "A<int>::B<char> second; A<char>::B<int> other;",
            f"{OF_V} template <class U> struct A<T>::B {{ U c = 3; }};",
        ],
        {"old.a": "1", "second.b": "2", "other.b": r"'\x02'", "A<int>::B<long>().c": "3"},
    ),
    (
        "class of a class template",
        [
            f"{OF_V} struct V {{ struct I; }};",
            f"{OF_V} struct V<T>::I {{ int a = 1; }};",
            "V<int>::I old;",
            f"{OF_V} struct V<T>::I {{ int b = 2; }};",
        ],
        {"old.a": "1", "V<int>::I().b": "2", "V<char>::I().b": "2"},
    ),
]


@pytest.mark.parametrize("opt", [0, 2])
@pytest.mark.parametrize(("cells", "values"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_the_name_means_the_newest(
    new_session: NewSession, cells: list[str], values: dict[str, str], opt: int
) -> None:
    session = new_session(opt=opt)
    run_all(session, *cells)
    assert {code: shown(session.run(code)) for code in values} == values


def test_a_variable_has_the_type_that_its_namespace_says(new_session: NewSession) -> None:
    session = new_session()
    run_all(session, "namespace n { extern int x; }", "int n::x = 1;")
    with pytest.raises(CompileError, match="different type: 'double' vs 'int'"):
        session.run("double n::x = 2;")
    assert shown(session.run("n::x")) == "1"


def test_undo_brings_the_old_back(new_session: NewSession) -> None:
    session = new_session()
    run_all(session, "namespace n { extern int x; }", "int n::x = 1;", "int n::x = 2;")
    session.undo()
    assert shown(session.run("n::x")) == "1"
