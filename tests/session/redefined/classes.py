"""Classes, enumerations and aliases that are defined again."""

from __future__ import annotations

RERUN = """#include <string>
struct P { std::string n; int f() { return n.size(); } };
P p{"abc"};
int total = p.f();
int h(int a) { return a + total; }
"""
ROWS: list[tuple[str, list[str], dict[str, str]]] = [
    (
        "class",
        [
            "struct S { int a = 1; int get() { return a; } };",
            "S old;",
            "struct S { double b = 2.5; int c = 7; int get() { return c; } };",
            "S neu;",
        ],
        {"old.get()": "1", "neu.get()": "7", "neu.b": "2.5000000"},
    ),
    (
        "class in vector",
        [
            "#include <vector>\nstruct S { int a = 1; };",
            "std::vector<S> v; v.push_back(S{}); v.push_back({});",
            "struct S { double a = 1; double b[10] = {3}; };",
            "std::vector<S> w; w.push_back(S{}); w.push_back({});",
        ],
        {"(int)v.size()": "2", "w.back().b[0]": "3.0", "sizeof(w[0])": "88"},
    ),
    (
        "thrice class",
        [
            "struct S { int a = 1; };",
            "S s1;",
            "struct S { int b = 2; };",
            "S s2;",
            "struct S { int c = 3; };",
            "S s3;",
        ],
        {"s1.a": "1", "s2.b": "2", "s3.c": "3"},
    ),
    (
        "recursive class",
        [
            "struct N { N *next = nullptr; int v = 1; };",
            "struct N { N *next = nullptr; int v = 2, w = 3; };",
            "N n;",
        ],
        {"n.w": "3"},
    ),
    (
        "coroutine class",
        [
            "struct S; int use(S &);",
            "struct S { int a = 1; };",
            "int use(S &s) { return s.a; }",
            "struct S { int a = 2; };",
            "int use(S &s) { return s.a * 10; }",
            "S s;",
        ],
        {"use(s)": "20"},
    ),
    (
        "virtual",
        [
            "struct B { virtual int v() { return 1; } virtual ~B() = default; };",
            "B *ob = new B;",
            "struct B { virtual int v() { return 2; } virtual ~B() = default; };",
            "B *nb = new B;",
        ],
        {"ob->v()": "1", "nb->v()": "2"},
    ),
    (
        "keyfn",
        [
            "struct K { virtual int v(); };",
            "int K::v() { return 1; }",
            "K *k = new K;",
            "int K::v() { return 2; }",
        ],
        {"k->v()": "2", "K().v()": "2"},
    ),
    (
        "method",
        ["struct S { int f(); };", "int S::f() { return 1; }", "S s;", "int S::f() { return 2; }"],
        {"s.f()": "2"},
    ),
    (
        "types defined outside of their class",
        [
            "struct S { struct In; enum E : int; enum class F; In *p; int f(); };",
            "struct S::In { int a = 1; int g(); static int n; }; int S::In::g() { return a; }"
            "int S::In::n = 2; enum S::E : int { A = 3 }; enum class S::F { B = 4 };"
            "int S::f() { return p->a; }",
            "S s; s.p = new S::In; S::In old; int first = old.g() + S::In::n + S::A;",
            "struct S::In { double b = 8; int a = 5; int g(); static int n; };"
            "int S::In::g() { return a; } int S::In::n = 6;"
            "enum S::E : int { A = 7 }; enum class S::F { B = 8 };",
        ],
        {
            "old.g() * 100 + s.f() * 10 + first": "116",
            "S::In().g() * 10 + S::In::n": "56",
            "S::A * 10 + (int)S::F::B": "78",
        },
    ),
    (
        "class defined outside of its namespace",
        ["namespace n { struct X; }", *(f"struct n::X {{ int a = {i}; }};" for i in (1, 2, 3))],
        {"n::X().a": "3"},
    ),
    (
        "class local to a constructor, without a name",
        [
            "struct S { int v; S(); };",
            *(
                f"S::S() {{ struct {{ int a = {n}; int f() {{ return a; }} }} u; v = u.f(); }}"
                f"int v{n} = S().v;"
                for n in (1, 2, 3)
            ),
        ],
        {"v1 * 100 + v2 * 10 + v3": "123"},
    ),
    (
        "rerun cell",
        [
            RERUN,
            RERUN,
            RERUN,
        ],
        {"p.f()": "3", "h(1)": "4"},
    ),
    ("enum", ["enum E { A, B };", "enum E { B, A };"], {"(int)A": "1", "(int)B": "0"}),
    ("enum class", ["enum class E { A, B };", "enum class E { B, A };"], {"(int)E::A": "1"}),
    (
        "enumeration with an alias",
        ["typedef enum E { p, q } E;", "typedef enum E { q, r, p } E;"],
        {"(int)p": "2"},
    ),
    ("alias", ["using T = int;", "using T = double;", "T t = 1.5;"], {"t": "1.5000000"}),
    (
        "alias of the same name",
        ["typedef struct G { int a; } G; G g{1};", "typedef struct G { int a, b; } G; G h{2, 3};"],
        {"g": "{ a = 1 }", "h": "{ a = 2, b = 3 }"},
    ),
    (
        "alias of the same name given later",
        ["struct G { int a; };", "typedef struct G G;", "struct G { int b = 2; };"],
        {"G()": "{ b = 2 }"},
    ),
    (
        "class that an alias names",
        [
            "#include <vector>",
            "typedef struct { int a; } A; std::vector<A> v{{1}};",
            "typedef struct { int a, b; } A; std::vector<A> w{{2, 3}};",
        ],
        {"v": "{ { a = 1 } }", "w": "{ { a = 2, b = 3 } }"},
    ),
]
