"""Names that come to mean another kind of thing, or are those of a namespace or a macro."""

from __future__ import annotations

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    ("var to fn", ["int f = 1;", "int f() { return 2; }"], {"f()": "2"}),
    ("fn to var", ["int f() { return 1; }", "int f = 2;"], {"f": "2"}),
    ("class to fn", ["struct f {};", "int f(int a) { return a; }"], {"f(3)": "3"}),
    ("fn to class", ["int f(int a) { return a; }", "struct f { int a = 5; };"], {"(f().a)": "5"}),
    ("class to enum", ["struct S {};", "enum S { X = 3 };"], {"(int)X": "3"}),
    ("class to alias", ["struct S {};", "using S = double;"], {"S(1.5)": "1.5000000"}),
    ("var to class", ["int S = 1;", "class S { public: int a = 3; };"], {"S().a": "3"}),
    (
        "template to class",
        ["template <class T> struct S {};", "struct S { int a = 3; };"],
        {"S().a": "3"},
    ),
    (
        "class to template",
        ["struct S {};", "template <class T> struct S { T a = 3; };"],
        {"S<int>().a": "3"},
    ),
    ("typedef to class", ["typedef int T;", "struct T { int a = 4; };"], {"T().a": "4"}),
    (
        "enumerator to var",
        ["enum E { A, B };", "double A = 1.5;"],
        {"A": "1.5000000", "(int)B": "1"},
    ),
    (
        "namespace member",
        [
            "namespace n { int f() { return 1; } int x = 1; }",
            "namespace n { int f() { return 2; } double x = 2.5; }",
        ],
        {"n::f()": "2", "n::x": "2.5000000"},
    ),
    (
        "member of an inline namespace",
        2
        * [
            "namespace n { inline namespace v { template <class T> struct S { T a = 3; };"
            " int x = 1; } } using n::S; using n::x;"
            "namespace n { inline namespace v { int f() { return x; } } }",
        ],
        {"S<int>().a + x + n::f() + n::v::x": "6"},
    ),
    (
        "namespace class",
        ["namespace n { struct S { int a = 1; }; }", "namespace n { struct S { int b = 2; }; }"],
        {"n::S().b": "2"},
    ),
    (
        "ns alias",
        [
            "namespace a { int x = 1; } namespace b { int x = 2; } namespace q = a;",
            "namespace q = b;",
        ],
        {"q::x": "2"},
    ),
    (
        "namespace and back",
        ["namespace n { int x = 1; }", "int n = 2;", "namespace n { int y = x + 2; }"],
        {"n::x + n::y": "4"},
    ),
    (
        "namespace and back by way of an unnamed one",
        [
            "namespace n { int x = 1; }",
            "namespace { int n = 2; }",
            "namespace n { int x = 3, y = 4; }",
        ],
        {"n::x + n::y": "7"},
    ),
    (
        "using decl",
        ["namespace n { int z() { return 1; } } int z() { return 3; }", "using n::z;"],
        {"z()": "1"},
    ),
    (
        "using declaration of a like function",
        [
            "namespace a { int f(int) { return 1; } template <class T> int g(T) { return 1; } }"
            "namespace b { int f(int) { return 2; } template <class T> int g(T) { return 2; } }",
            *(f"using {n}::f, {n}::g;" for n in ("a", "b")),
            "int second = f(1) * 10 + g(1);",
            *(f"using {n}::f, {n}::g;" for n in ("b", "a")),
        ],
        {"second": "22", "f(1) * 10 + g(1)": "11"},
    ),
    ("macro", ["#define M 1", "#define M 2"], {"M": "2"}),
    (
        "macro for a name",
        ["#define limit 10", "struct limit { int value = 3; };"],
        {"limit().value": "3"},
    ),
]
