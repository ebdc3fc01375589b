"""Functions that are defined again, and what their callers get."""

from __future__ import annotations

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    (
        "function",
        ["int f() { return 1; }", "int g() { return f() + 10; }", "int f() { return 2; }"],
        {"f()": "2", "g()": "12"},
    ),
    (
        "function same cell",
        ["int f() { return 1; } int g() { return f() + 10; }", "int f() { return 2; }"],
        {"f()": "2", "g()": "11"},
    ),
    (
        "fptr",
        ["int f() { return 1; }", "int (*p)() = f;", "int f() { return 2; }"],
        {"p()": "2", "f()": "2"},
    ),
    (
        "thrice",
        [
            "int f() { return 1; }",
            "int g() { return f(); }",
            "int f() { return 2; }",
            "int h() { return f(); }",
            "int f() { return 3; }",
        ],
        {"f()": "3", "g()": "3", "h()": "3"},
    ),
    (
        "extern C with other parameters",
        ['extern "C" int f(int) { return 1; }', 'extern "C" { int f(double) { return 2; } }'],
        {"f(1)": "2"},
    ),
    (
        "extern C of another result, declared first in another cell",
        [
            'extern "C" int f();',
            'extern "C" int f() { return 1; }',
            "int g() { return f(); }",
            'extern "C" double f() { return 2.5; }',
            "double h() { return f(); }",
            'extern "C" { int f(); }',
            'extern "C" int f() { return 3; }',
        ],
        {"f()": "3", "g()": "3", "h()": "2.5000000"},
    ),
    (
        "extern C of another result, declared first in the same cell and in a namespace",
        [
            'namespace n { extern "C" int f(); } extern "C" int f();',
            'extern "C" int f() { return 1; } int g() { return n::f(); }',
            'extern "C" double f() { return 2.5; }',
        ],
        {"f()": "2.5000000", "g()": "1"},
    ),
    (
        "extern C",
        [
            'extern "C" int cf() { return 1; }',
            "int g() { return cf(); }",
            'extern "C" int cf() { return 2; }',
        ],
        {"cf()": "2", "g()": "2"},
    ),
    (
        "ret type",
        ["int f() { return 1; }", "int g() { return f(); }", "double f() { return 2.5; }"],
        {"f()": "2.5000000", "g()": "1"},
    ),
    (
        "ret type and back",
        [
            "int f() { static int n = 0; return ++n; }",
            "int g() { return f(); }",
            "double f() { return 2.5; }",
            "double h() { return f(); }",
            "int f() { static int n = 20; return ++n; }",
            "int f_first = g();",
            "double f() { return 3.5; }",
            "int f();",
        ],
        {"f_first": "21", "f()": "22", "g()": "23", "h()": "3.5000000"},
    ),
    (
        "ret type and back by way of a class and a declaration",
        [
            "int f() { return 1; }",
            "int g() { return f(); }",
            "struct f {};",
            "double f() { return 2.5; }",
            "int f();",
            "int h() { return f(); }",
            "int f() { return 3; }",
        ],
        {"f()": "3", "g()": "3", "h()": "3"},
    ),
    (
        "ret types of inline, internal, weak and used functions in turn",
        [
            line.replace("KIND", kind).replace("gf(", f"g{name}(").replace(" f(", f" {name}(")
            for name, kind in (
                ("i", "[[gnu::noinline]] inline"),
                ("s", "[[gnu::noinline]] static"),
                ("w", "[[gnu::weak]]"),
                ("u", "[[gnu::used, gnu::noinline]] inline"),
                ("v", "[[gnu::used, gnu::noinline]] static"),
            )
            for line in (
                "KIND int f(int a = 1) { static int n = 0; return n += a; }",
                "int gf() { return f(); }",
                "KIND double f(int a = 2) { return a; }",
                "KIND int f(int a = 4) { static int n = 20; return n += a; }",
                "KIND int f(int a = 5) { static int n = 30; return n += a; }",
            )
        ],
        {f"{name}() * 100 + g{name}()": "3536" for name in "iswuv"},
    ),
    (
        "several ret types in turn",
        [
            "int f() { return 1; }",
            "long f() { return 2; }",
            "long g() { return f(); }",
            "double f() { return 3; }",
            "long f() { return 4; }",
            "long h() { return f() * 10; }",
            "int f() { return 5; }",
            "long f() { return 6; }",
        ],
        {"g() + h()": "66"},
    ),
    (
        "function that comes back after something else had the name",
        [
            "[[gnu::weak]] int f() { return 1; } int h() noexcept { return 2; }",
            "int gf() { return f(); } int gh() { return h(); }",
            "enum E { f = 3 }; struct P { int a, b; }; auto [h, i] = P{4, 5};",
            "[[gnu::weak]] int f() { return 6; } int h() noexcept { return 7; }",
        ],
        {"f() * 10 + h()": "67", "gf() * 10 + gh()": "67"},
    ),
    (
        "not constexpr, constexpr and not again",
        [
            "int f() { static int n = 1; return n; }",
            "constexpr int f() { return 2; }",
            "int two = f();",
            "int f() { static int n = 3; return n; }",
        ],
        {"two * 10 + f()": "23"},
    ),
    (
        "not constexpr, constexpr and not again, with callers of each",
        [
            "int f();",
            "int f() { return 1; }",
            "int g() { return f(); }",
            "constexpr int f() { return 2; }",
            "int g2 = g(); constexpr int two = f();",
            "int f() { return 3; }",
            "int h() { return f(); } int g3 = g();",
            "constexpr int f() { return 4; }",
            "int g4 = g(), h4 = h();",
            "f(); int f() { static int n = 5; return n; }",
            "int k() { return f(); } int g5 = g(), h5 = h();",
            "consteval int f() { return 6; }",
        ],
        {"g2 * 100 + g3 * 10 + two": "232", "g4 * 1000 + h4 * 100 + g5 * 10 + h5": "4455"}
        | {"f()": "6", "g() * 100 + h() * 10 + k()": "555"},
    ),
    (
        "constexpr fn",
        [
            "constexpr int sq(int a) { return a * a; }",
            "int arr[sq(2)];",
            "constexpr int sq(int a) { return a + 1; }",
        ],
        {"sq(5)": "6", "sizeof(arr)": "16"},
    ),
    (
        "inline to not inline",
        ["constexpr int f(int a) { return a; }", "int f(int a) { return a + 1; }"],
        {"f(1)": "2"},
    ),
    (
        "inline and not inline, with callers of each",
        [
            "inline int f() { return 1; }",
            "int g() { return f(); }",
            "int f() { return 2; }",
            "int h() { return f(); } int f2 = f();",
            "int f() { return 3; }",
            "int k() { return f(); } int f3 = f();",
            "inline int f() { return 4; }",
            "int f4 = f();",
            "f(); int f() { return 5; }",
            "int f5 = f();",
        ],
        {"h() * 10 + k()": "55", "f2 * 1000 + f3 * 100 + f4 * 10 + f5": "2345"},
    ),
    (
        "static fn",
        ["static int f() { return 1; }", "int g() { return f(); }", "static int f() { return 2; }"],
        {"f()": "2", "g()": "1"},
    ),
    (
        "inline fn",
        ["inline int f() { return 1; }", "int g() { return f(); }", "inline int f() { return 2; }"],
        {"f()": "2", "g()": "1"},
    ),
    (
        "weak function with a deduced result",
        [
            "[[gnu::weak]] auto f() { static int n = 10; return ++n; }",
            "int g() { return f(); }",
            "[[gnu::weak]] auto f() { static int n = 20; return ++n; }",
            "int first = g();",
            "[[gnu::weak]] auto f() { return 2.5; }",
            "double second = f();",
            "[[gnu::weak]] decltype(auto) f() { return [] { return 3; }(); }",
        ],
        {"f()": "3", "first": "21", "second": "2.5000000", "g()": "3"},
    ),
    (
        "default arguments given again",
        [
            "int f(int a, int b = 1); int f(int a, int b) { return a * 10 + b; }",
            "int g() { return f(1); }",
            "int f(int a, int b = 2) { return a * 100 + b; }",
            "int f(int a = 3, int b = 4);",
        ],
        {"f()": "304", "g()": "101"},
    ),
    (
        "default arg",
        ["int f(int a = 1) { return a; }", "int f(int a = 2) { return a; }"],
        {"f()": "2"},
    ),
    (
        "overload",
        ["int f(int) { return 1; } int f(double) { return 2; }", "int f(int) { return 3; }"],
        {"f(1)": "3", "f(1.0)": "2"},
    ),
    (
        "operator",
        [
            "struct V { int a; }; int operator+(V x, V y) { return x.a + y.a; }",
            "int operator+(V x, V y) { return x.a * y.a; }",
        ],
        {"V{3} + V{4}": "12"},
    ),
    (
        "literal",
        [
            'int operator""_k(unsigned long long n) { return n; }',
            'int operator""_k(unsigned long long n) { return n * 1000; }',
        ],
        {"5_k": "5000"},
    ),
    (
        "friend with a body",
        2 * ["struct S { friend int f(int a) { return a + 1; } }; int f(int);"],
        {"f(2)": "3"},
    ),
    (
        "friend",
        [
            "class A { friend int peek(const A &); int v = 3; };",
            "int peek(const A &a) { return a.v; }",
            "int peek(const A &a) { return a.v + 1; }",
            "A a;",
        ],
        {"peek(a)": "4"},
    ),
    (
        "function of a class that is defined again",
        [
            "struct S { int a; }; int f(S s) { return s.a; } int operator+(S s, S) { return s.a; }",
            "S old{5};",
            "struct S { int a; }; int f(S) { return 20; } int operator+(S, S) { return 7; }",
            "int of_old = f(old) + (old + old);",
            "template <class T> struct G { T a; }; template <class T> int g(G<T>, T) { return 8; }",
            "template <class T> struct G { T a; }; template <class T> int g(G<T>, T) { return 9; }",
        ],
        {"of_old": "10", "f({2})": "20", "S{1} + S{1}": "7", "g({1}, 2)": "9"},
    ),
]
