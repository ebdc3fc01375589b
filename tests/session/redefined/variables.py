"""Variables and static members that are defined again."""

from __future__ import annotations

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    ("var same", ["int x = 1;", "int g() { return x; }", "int x = 2;"], {"x": "2", "g()": "1"}),
    (
        "var type",
        ["int x = 1;", "inline int g() { return x; }", "double x = 2.5;"],
        {"x": "2.5000000", "g()": "1"},
    ),
    (
        "variant",
        ["int x = 1;", "int x = 1; int y = 2;", "int y = 3; int x = 5;"],
        {"x": "5", "y": "3"},
    ),
    ("static var", ["static int x = 1;", "static int x = 2;"], {"x": "2"}),
    ("constexpr", ["constexpr int N = 3;", "constexpr int N = 4;"], {"N": "4"}),
    ("tl", ["thread_local int t = 1;", "thread_local double t = 2.5;"], {"t": "2.5000000"}),
    (
        "static and declared extern",
        ["static int x = 1;", "int g() { return x; }", "extern int x; int x = 2;"],
        {"x": "2", "g()": "1"},
    ),
    (
        "bindings",
        ["#include <utility>\nauto [a, b] = std::pair(1, 2);", "auto [a, b] = std::pair(3, 4);"],
        {"a": "3", "b": "4"},
    ),
    (
        "lambda",
        ["auto f = [](int a) { return a; };", "auto f = [](int a) { return a * 2; };"],
        {"f(4)": "8"},
    ),
    (
        "static member",
        [
            "struct S { static int n; int get() { return n; } }; int S::n = 1;",
            "int old() { return S::n; }",
            "int S::n = 2;",
        ],
        {"S::n": "2", "old()": "1"},
    ),
    (
        "union without a name",
        [
            "static union { int a = 1; double b; struct { int c; }; };"
            "namespace n { static union { int a = 7; }; }",
            "int &old = a; int &old_of_n() { return n::a; }",
            "static union { int a = 2; double b; struct { int c; }; };"
            "namespace n { static union { int a = 8; }; }",
            "a += 1;",
            "int b = 9;",
        ],
        {"old * 100 + a * 10 + b": "139", "old_of_n() * 10 + n::a": "78", "c": "3"},
    ),
    (
        "union without a name and back",
        ["static union { int a = 1; };", "int a = 2;", "static union { int a = 3; };"],
        {"a": "3"},
    ),
]
