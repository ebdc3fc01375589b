"""What is made of templates while a definition is read has the symbols of the new definition.

Clang makes what a constant expression may need, and so every constexpr function that a body in a
class mentions, at once: before the class that is defined again has been read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.session.conftest import shown_by

if TYPE_CHECKING:
    from tests.session.conftest import NewSession

TEMPLATES = """
template<class T> constexpr int g(T *) { return 4; }
template<auto V> constexpr int given() { return 5; }
template<class T> struct Held { static constexpr int value = 6; };
template<class T> constexpr int variable = 7;
template<class T> struct Special { int n; };
"""
ROWS: dict[str, tuple[str, dict[str, str]]] = {
    "member": (
        "struct N { int e() { return 1; } int f() { return g(this); } };",
        {"N().f()": "4", "N().e()": "1", "g((N *)nullptr)": "4"},
    ),
    "class not complete": (
        "struct N { int n[g((N *)nullptr)]; enum { v = g((N *)nullptr) };"
        " static_assert(g((N *)nullptr) == 4); };",
        {"sizeof(N)": "16", "g((N *)nullptr)": "4"},
    ),
    "member initialiser": ("struct N { int n = g((N *)nullptr); };", {"N().n": "4"}),
    "inner class": (
        "namespace q { struct N { struct I { int f() { return g(this) + g((N *)nullptr); } }; }; }",
        {"q::N::I().f()": "8", "g((q::N::I *)nullptr)": "4"},
    ),
    "friend": (
        "struct N { friend constexpr int f(N *p) { return g(p); } };",
        {"f((N *)nullptr)": "4"},
    ),
    "closure": (
        "struct N { int f() { return [this] { auto in = [] {}; return g(this) + g(&in); }(); } };",
        {"N().f()": "8"},
    ),
    "local class": (
        "struct N { int f() { struct L { int f() { return g(this); } }; return L().f(); } };",
        {"N().f()": "4"},
    ),
    "returned class": (
        "auto f() { struct L { int f() { return g(this); } }; return L(); }",
        {"f().f()": "4"},
    ),
    "enumeration": (
        "enum class E : int { a = g((E *)nullptr) };",
        {"(int)E::a": "4", "g((E *)nullptr)": "4"},
    ),
    "own address": ("inline int x = given<&x>();", {"x": "5", "given<&x>()": "5"}),
    "address of a member": (
        "struct N { static constexpr int k = 3; int f() { return given<&k>(); } };",
        {"N().f()": "5"},
    ),
    "static member": (
        "struct N { const int *f() { return &Held<N>::value; }"
        " static_assert(Held<N>::value == 6); };",
        {"*N().f()": "6", "N().f() == &Held<N>::value": "true"},
    ),
    "variable template": (
        "struct N { const int *f() { return &variable<N>; } static_assert(variable<N> == 7); };",
        {"*N().f()": "7", "N().f() == &variable<N>": "true"},
    ),
    "specialisation": (
        "template<> struct Special<int> { int f() { return g(this); }"
        " enum { v = g((Special<int> *)nullptr) }; };",
        {"Special<int>().f()": "4", "g((Special<int> *)nullptr)": "4"},
    ),
    "member before a library's function": (
        "#include <string>\n"
        'struct N { int e() { return 1; } int f() { return std::stoi("12"); } };',
        {"N().e()": "1", "N().f()": "12"},
    ),
    "vector of itself": (
        "#include <vector>\n"
        "struct Node { int v; std::vector<Node> ch; int sum() const"
        " { int s = v; for (auto &c : ch) s += c.sum(); return s; } };",
        {"Node{1, {{2, {}}}}.sum()": "3", "Node().ch.begin() == Node().ch.end()": "true"},
    ),
    "map of itself": (
        "#include <map>\n#include <string>\n"
        "struct J { std::map<std::string, J> m; int v = 1; int sum() const"
        " { int s = v; for (auto &[k, j] : m) s += j.sum(); return s; } };",
        {'J{{{"a", J{}}}}.sum()': "2"},
    ),
}


@pytest.mark.parametrize("opt", [0, None])
@pytest.mark.parametrize("kind", ROWS)
def test_what_is_made_while_it_is_read(new_session: NewSession, opt: int | None, kind: str) -> None:
    session = new_session() if opt is None else new_session(opt=opt)
    session.run(TEMPLATES)
    definition, expected = ROWS[kind]
    for _ in range(3):
        session.run(definition)
        for expression, text in expected.items():
            assert (expression, shown_by(session, expression)) == (expression, text)


@pytest.mark.parametrize("opt", [0, None])
@pytest.mark.parametrize("times", [2, 3])
def test_first_used_after_all(new_session: NewSession, opt: int | None, times: int) -> None:
    """No cell between has code of it."""
    session = new_session() if opt is None else new_session(opt=opt)
    session.run(TEMPLATES)
    rows = [ROWS[kind] for kind in ("vector of itself", "map of itself", "friend")]
    for definition, _ in rows:
        for _ in range(times):
            session.run(definition)
    session.run("bool h(Node n) { return n.ch.begin() == n.ch.end(); }")
    session.run("int first = f((N *)nullptr);")
    assert shown_by(session, "h(Node{})") == "true"
    assert shown_by(session, "first") == "4"
    for _, expected in rows:
        for expression, text in expected.items():
            assert shown_by(session, expression) == text
