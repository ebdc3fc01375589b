"""Types that a statement at the top level declares, given to templates as soon as they are."""

from __future__ import annotations

import pytest

from tests.session.conftest import NewSession, run_all, shown

HEADERS = "#include <algorithm>\n#include <functional>\n#include <memory>\n#include <vector>"
TEMPLATES = """
template <class T> struct Kept { inline static int size = sizeof(T); };
template <class T> constexpr int size() { return sizeof(T); }
"""
ROWS = [
    ("[] { struct N { int v; }; return std::make_unique<N>(N{1})->v; }()", "1"),
    ("[] { struct N { int v = 1; }; return std::vector<N>(2).size() + N().v; }()", "3"),
    (
        "[] { std::vector v{3, 1, 2}; std::sort(v.begin(), v.end(),"
        " [](int a, int b) { return a > b; }); return v[0]; }()",
        "3",
    ),
    ("[] { std::function<int(int)> f = [](int x) { return 2 * x; }; return f(4); }()", "8"),
    ("[] { struct N { int a[5]; }; return Kept<N>::size; }()", "20"),
    (
        "[] { struct N { virtual int f() { return 6; } }; return std::make_unique<N>()->f(); }()",
        "6",
    ),
    ("[](auto x) { struct N { decltype(x) y; }; return std::vector<N>{{x}}[0].y; }(7)", "7"),
    (
        "[&] { int n = 1; auto f = [&] { struct N { int v; };"
        " n += std::make_shared<N>(N{4})->v; }; std::function<void()> g = f; g(); return n; }()",
        "5",
    ),
    (
        "int sum = 0; { struct N { int q[size<N *>()]; int f() { return size<N>(); } };"
        " sum = N().f(); } sum",
        "32",
    ),
    (
        "int caught = 0; try { [] { std::function<void()> f = [] { throw 9; }; f(); }(); }"
        " catch (int n) { caught = n; } caught",
        "9",
    ),
]


@pytest.mark.parametrize("std", ["c++17", "c++20", "c++23"])
def test_a_type_of_a_statement_is_given_to_templates(new_session: NewSession, std: str) -> None:
    session = new_session(std=std)
    run_all(session, HEADERS, TEMPLATES)
    for _ in range(2):
        assert [shown(session.run(code)) for code, _ in ROWS] == [value for _, value in ROWS]


def test_types_of_one_name_in_two_statements_are_two(new_session: NewSession) -> None:
    session = new_session()
    run_all(session, HEADERS, TEMPLATES)
    code = "[] { struct N { @ a; }; return Kept<N>::size * 100 + std::vector<N>(3).size(); }()"
    sizes = [shown(session.run(code.replace("@", kind))) for kind in ("char", "double", "char")]
    assert sizes == ["103", "803", "103"]


def test_what_stands_before_a_local_type_is_still_there(new_session: NewSession) -> None:
    session = new_session()
    run_all(
        session,
        HEADERS,
        "int r = 0; { int i = 1; struct L { int q; }; r = i; }",
        "for (int i = 0; i < 3; ++i) { struct L { int q; }; r += L{i}.q; }",
        "if (int i = 10) { union U { int q; } u{i}; r += u.q; i = 20; r += i; }",
        "{ int i = 4; std::vector<int> v(i); struct L { int z; }; v.push_back(i);"
        " auto f = [&] { L l{i}; return l.z; }; r += 100 * f() + 1000 * v.size(); }",
        "{ int i = 1; enum E { first }; { struct { int q; } l{i}; r += 10000 * l.q + first; } }",
    )
    assert shown(session.run("r")) == str(1 + 3 + 30 + 400 + 5000 + 10000)
