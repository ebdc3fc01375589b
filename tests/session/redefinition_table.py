"""Cells that define again what others have defined, and what expressions show after them."""

from __future__ import annotations

RERUN = """#include <string>
struct P { std::string n; int f() { return n.size(); } };
P p{"abc"};
int total = p.f();
int h(int a) { return a + total; }
"""
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
        "enumeration with an alias",
        ["typedef enum E { p, q } E;", "typedef enum E { q, r, p } E;"],
        {"(int)p": "2"},
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
        "ret type of a template and back",
        [
            "template <class T> int f(T) { return 1; } int f2(auto) { return 1; }",
            "int g() { return f(1) + f2(1); }",
            "template <class T> double f(T) { return 2.5; } double f2(auto) { return 2.5; }",
            "double h() { return f(1) + f2(1); } auto p = &f<int>;",
            "template <class T> int f(T) { return 3; } int f2(auto) { return 4; }",
        ],
        {"f(1) * 10 + f2(1)": "34", "g()": "2", "h() + p(1)": "7.5000000", "f('a')": "3"},
    ),
    (
        "templates whose results exclude each other",
        [
            "#include <type_traits>\ntemplate <class T> std::enable_if_t<sizeof(T) == 1, int> f(T)"
            " { return 1; }",
            "template <class T> std::enable_if_t<sizeof(T) != 1, int> f(T) { return 2; }",
        ],
        {"f('a') * 10 + f(1)": "12"},
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
        "overload",
        ["int f(int) { return 1; } int f(double) { return 2; }", "int f(int) { return 3; }"],
        {"f(1)": "3", "f(1.0)": "2"},
    ),
    (
        "default arg",
        ["int f(int a = 1) { return a; }", "int f(int a = 2) { return a; }"],
        {"f()": "2"},
    ),
    ("var same", ["int x = 1;", "int g() { return x; }", "int x = 2;"], {"x": "2", "g()": "1"}),
    (
        "var type",
        ["int x = 1;", "inline int g() { return x; }", "double x = 2.5;"],
        {"x": "2.5000000", "g()": "1"},
    ),
    ("static var", ["static int x = 1;", "static int x = 2;"], {"x": "2"}),
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
    ("constexpr", ["constexpr int N = 3;", "constexpr int N = 4;"], {"N": "4"}),
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
    ("enum", ["enum E { A, B };", "enum E { B, A };"], {"(int)A": "1", "(int)B": "0"}),
    ("enum class", ["enum class E { A, B };", "enum class E { B, A };"], {"(int)E::A": "1"}),
    (
        "enumerator to var",
        ["enum E { A, B };", "double A = 1.5;"],
        {"A": "1.5000000", "(int)B": "1"},
    ),
    ("alias", ["using T = int;", "using T = double;", "T t = 1.5;"], {"t": "1.5000000"}),
    ("typedef to class", ["typedef int T;", "struct T { int a = 4; };"], {"T().a": "4"}),
    (
        "template fn",
        [
            "template <class T> T f(T a) { return a; }",
            "int g() { return f(1); }",
            "template <class T> T f(T a) { return a + 1; }",
        ],
        {"f(1)": "2", "g()": "1"},
    ),
    (
        "template class",
        [
            "template <class T> struct V { T a = 1; };",
            "V<int> o;",
            "template <class T> struct V { T b = 2; T c = 3; };",
            "V<int> n;",
        ],
        {"o.a": "1", "n.c": "3"},
    ),
    (
        "template params",
        [
            "template <class T> struct V { T a = 1; };",
            "template <class T, int N> struct V { T b = N; };",
        ],
        {"V<int, 5>().b": "5"},
    ),
    (
        "concept",
        ["template <class T> concept C = true;", "template <class T> concept C = sizeof(T) == 4;"],
        {"C<int>": "true", "C<char>": "false"},
    ),
    (
        "var template",
        ["template <class T> T pi = 3;", "template <class T> T pi = T(3.25);"],
        {"pi<double>": "3.2500000"},
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
        "using decl",
        ["namespace n { int z() { return 1; } } int z() { return 3; }", "using n::z;"],
        {"z()": "1"},
    ),
    ("macro", ["#define M 1", "#define M 2"], {"M": "2"}),
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
        "rerun cell",
        [
            RERUN,
            RERUN,
            RERUN,
        ],
        {"p.f()": "3", "h(1)": "4"},
    ),
    (
        "operator",
        [
            "struct V { int a; }; int operator+(V x, V y) { return x.a + y.a; }",
            "int operator+(V x, V y) { return x.a * y.a; }",
        ],
        {"V{3} + V{4}": "12"},
    ),
    ("tl", ["thread_local int t = 1;", "thread_local double t = 2.5;"], {"t": "2.5000000"}),
    (
        "spec fn",
        [
            "template <class T> int f() { return 1; }",
            "template <> int f<int>() { return 2; }",
            "template <> int f<int>() { return 3; }",
        ],
        {"f<int>()": "3"},
    ),
    (
        "spec class",
        [
            "template <class T> struct S { int a = 1; }; template <> struct S<int> { int b = 2; };",
            "S<int> old; S<char> other; int f(S<int>) { return 2; }",
            "template <> struct S<int> { int c = 3, d = 4; };",
            "int f(S<int>) { return 3; } S<char> same; same = other;",
        ],
        {"old.b": "2", "S<int>().d": "4", "f(old) * 10 + f(S<int>())": "23", "other.a": "1"},
    ),
    (
        "spec class in a container",
        [
            "#include <vector>\ntemplate <class T> struct S {};",
            "template <> struct S<int> { int b = 2; };",
            "std::vector<S<int>> v; v.push_back({}); v.push_back({});",
            "template <> struct S<int> { double c[9] = {3}; };",
            "std::vector<S<int>> w; w.push_back({}); w.push_back({});",
            "template <class T> int deduced(S<T>) { return sizeof(T); }",
        ],
        {"v[1].b": "2", "w[1].c[0]": "3.0", "deduced(w[0])": "4"},
    ),
    (
        "partial spec",
        [
            "template <class T> struct S { int a = 1; };",
            "template <class T> struct S<T *> { int b = 2; }; S<int *> old;",
            "template <class T> struct S<T *> { int c = 3; };",
        ],
        {"old.b": "2", "S<int *>().c": "3", "S<char *>().c": "3", "S<int>().a": "1"},
    ),
    (
        "spec of a library's template",
        [
            "#include <functional>\nstruct P { int a; };",
            "template <> struct std::hash<P> { size_t operator()(const P &) const { return 1; } };",
            "template <> struct std::hash<P> { size_t operator()(const P &) const { return 2; } };",
        ],
        {"std::hash<P>()(P{})": "2"},
    ),
    (
        "template with its specs",
        2
        * [
            "template <int N> struct F { static constexpr int v = N * F<N - 1>::v; };"
            "template <> struct F<0> { static constexpr int v = 1; };"
        ],
        {"F<5>::v": "120"},
    ),
    (
        "spec variable",
        [
            "template <class T> T v = 1; template <> int v<int> = 2; int old() { return v<int>; }",
            "template <> int v<int> = 3;",
        ],
        {"v<int>": "3", "old()": "2", "v<char>": "'\\x01'"},
    ),
    (
        "partial spec of a variable",
        [
            "template <class T> int v = 1; template <class T> int v<T *> = 2;",
            "int &old() { return v<int *>; } int first = v<int *>;",
            "template <class T> int v<T *> = 3;",
            "int second = v<int *>++;",
            "template <class T> int v<T *> = 5;",
        ],
        {"first * 10 + second": "23", "v<int *> * 10 + old()": "52", "v<char *> + v<int>": "6"},
    ),
    (
        "function that templates have as an argument",
        [
            "int f() { static int n = 1; return n; }",
            "template <auto *F> int call() { return F(); }"
            "template <auto *F> struct G { static inline int n = F();"
            " static int c() { return F(); } };",
            "int first = call<&f>() + G<&f>::n + G<&f>::c();",
            *(
                f"int f() {{ static int n = {n}; struct L {{ int a = 1; }};"
                " auto l = [] { return L().a; }; return n + l(); }"
                for n in (20, 30)
            ),
        ],
        {"call<&f>() + G<&f>::c()": "62", "G<&f>::n": "1"},
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
        "member of a class template",
        [
            "template <class T> struct S { S(); int f(); template <class U> int g(U); int v;"
            " struct N { int h(); }; }; int old();",
            "template <class T> S<T>::S() { v = [](auto a) { return a; }(1); }"
            "template <class T> int S<T>::f() { return v; }"
            "template <class T> template <class U> int S<T>::g(U) { static int n = 0; return ++n; }"
            "template <class T> int S<T>::N::h() { struct L { int a = 1; }; return L().a; }",
            "S<int>().f() + S<int>().g(1) + S<int>::N().h();",
            "template <class T> S<T>::S() { v = [](auto a) { return a; }(2); }"
            "template <class T> int S<T>::f() { return v + 1; }"
            "template <class T> template <class U> int S<T>::g(U) { static int n = 3; return ++n; }"
            "template <class T> int S<T>::N::h() { struct L { int a = 5; }; return L().a; }",
        ],
        {
            "S<int>().g(1) * 100 + S<int>().f() * 10 + S<int>::N().h()": "435",
            "S<char>().f()": "3",
            "S<int>().g('a')": "4",
        },
    ),
    (
        "static member of a class template",
        [
            "#include <string>\ntemplate <class T> struct S { static std::string s; static T n; };"
            "template <class T> std::string S<T>::s = {'a'}; template <class T> T S<T>::n = 1;",
            "int &old() { return S<int>::n; } std::string first = S<int>::s + S<char>::s;",
            "template <class T> std::string S<T>::s = {'b'}; template <class T> T S<T>::n = 2;",
            "S<int>::n++;",
        ],
        {"S<int>::s + S<char>::s + S<long>::s": '"bbb"', "S<int>::n * 10 + old()": "31"},
    ),
    (
        "static member of a class within a template",
        [
            "template <class T> struct S { struct I { static T n; };"
            " template <class U> struct J { static U n; }; };"
            "template <class T> T S<T>::I::n = 1;"
            "template <class T> template <class U> U S<T>::J<U>::n = 2;",
            "int &old() { return S<int>::I::n; } int first = S<int>::J<int>::n;",
            "template <class T> T S<T>::I::n = 3;"
            "template <class T> template <class U> U S<T>::J<U>::n = 4;",
        ],
        {"S<int>::I::n * 10 + S<int>::J<int>::n": "34", "old()": "1", "S<char>::I::n + 0": "3"},
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
        "types defined outside of their class template",
        [
            "template <class T> struct S { struct In; enum class E; T f(); In *p = nullptr; };",
            "template <class T> struct S<T>::In { T a = 1; }; template <class T> enum class"
            " S<T>::E { A = 2 }; template <class T> T S<T>::f() { return In().a; }",
            "S<int>::In old; int first = S<int>().f() + (int)S<int>::E::A;",
            "template <class T> struct S<T>::In { T b = 0, a = 4; };",
            "template <class T> enum class S<T>::E { B, A = 5 };"
            "template <class T> T S<T>::f() { return In().a; }",
        ],
        {
            "old.a": "1",
            "S<int>::In().a * 10 + (int)S<int>::E::A": "45",
            "S<long>::In().a * 10 + (long)S<long>::E::A": "45",
            "S<int>().f() + S<long>().f()": "8",
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
    (
        "static and declared extern",
        ["static int x = 1;", "int g() { return x; }", "extern int x; int x = 2;"],
        {"x": "2", "g()": "1"},
    ),
    (
        "instantiation asked for",
        [
            "template <class T> struct S { T a = 1; int f() { return a; } };",
            *(2 * ["template struct S<int>;"]),
            "template <class T> int f(T a) { return a; }",
            *(2 * ["template int f(int);"]),
        ],
        {"S<int>().f() + f(2)": "3"},
    ),
    (
        "instantiation of a variable asked for",
        [
            "template <class T> T v = 1; template <class T> struct S { static T n; T f(); };"
            "template <class T> T S<T>::n = 2; template <class T> T S<T>::f() { return n; }",
            *(2 * ["template int v<int>; template int S<int>::n;"]),
            "template <class T> T v = 3; template <class T> T S<T>::n = 4;",
            *(2 * ["template int v<int>; template int S<int>::n;"]),
        ],
        {"v<int> * 100 + S<int>::n * 10 + S<int>().f()": "344"},
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
    (
        "friend with a body",
        2 * ["struct S { friend int f(int a) { return a + 1; } }; int f(int);"],
        {"f(2)": "3"},
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
        "guide",
        [
            "template <class T> struct W { T t; W(T a) : t(a) {} }; W(char) -> W<int>;",
            "W(char) -> W<long>;",
        ],
        {"sizeof(W('a'))": "8"},
    ),
    (
        "guide that is a template",
        [
            "template <class T> struct W { T t; W(...) {} }; template <class T> W(T *) -> W<T>;",
            "W first((int *)0);",
            "template <class T> W(T *) -> W<T *>;",
            "W second((int *)0);",
            "template <class T> W(T *) -> W<T>;",
        ],
        {"sizeof(first) * 100 + sizeof(second) * 10 + sizeof(W((int *)0))": "484"},
    ),
    (
        "macro for a name",
        ["#define limit 10", "struct limit { int value = 3; };"],
        {"limit().value": "3"},
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
        "inline to not inline",
        ["constexpr int f(int a) { return a; }", "int f(int a) { return a + 1; }"],
        {"f(1)": "2"},
    ),
    (
        "variant",
        ["int x = 1;", "int x = 1; int y = 2;", "int y = 3; int x = 5;"],
        {"x": "5", "y": "3"},
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
        "recursive class",
        [
            "struct N { N *next = nullptr; int v = 1; };",
            "struct N { N *next = nullptr; int v = 2, w = 3; };",
            "N n;",
        ],
        {"n.w": "3"},
    ),
    (
        "concept2",
        [
            "template<class T> struct W { T t; W(T x) : t(x) {} };",
            "template<class T> struct W { T t; W(T x) : t(x + 1) {} };",
            "W w(3);",
        ],
        {"w.t": "4"},
    ),
    (
        "constrained template",
        [
            "template<class T> concept Num = sizeof(T) > 1;",
            "template<Num T> int of(T) { return 1; } int ab(Num auto x) { return x; }",
            "template<class T> concept Num = sizeof(T) > 2;",
            "template<Num T> int of(T) { return 2; } int ab(Num auto x) { return x; }",
        ],
        {"of(1) * 10 + ab(3)": "23"},
    ),
    (
        "template with a result that may not exist",
        [
            "template<bool> struct On {}; template<> struct On<true> { using type = int; };"
            " template<class T> struct Is { static constexpr bool value = true; };",
            "template<class T> typename On<Is<T>::value>::type of(T) { return 1; }",
            "template<class T> struct Is { static constexpr bool value = sizeof(T) > 1; };",
            "template<class T> typename On<Is<T>::value>::type of(T) { return 2; }",
        ],
        {"of(1)": "2"},
    ),
    (
        "two specialisations in one cell",
        [
            "template<class T> T p(int) { return 0; }",
            "template<> int p<int>(int) { return 1; } template<> char p<char>(int) { return 2; }",
            "template<> int p<int>(int) { return 10; } template<> char p<char>(int) { return 20; }",
        ],
        {"p<int>(1) + p<char>(1)": "30"},
    ),
    (
        "explicit instantiations of a class template, its member class and that one's members",
        [
            "template<class T> struct V { struct I; static int s; };"
            " template<class T> struct V<T>::I { int f() { return 1; } };"
            " template<class T> int V<T>::s = 2;",
            *2 * ["template struct V<int>;", "template struct V<int>::I;"],
            *2 * ["template struct V<int>::I;", "template int V<int>::I::f();"],
            *2 * ["template struct V<char>::I;"],
            "template<class T> struct V<T>::I { int f() { return 3; } };",
        ],
        {"V<int>::I().f() * 10 + V<int>::s": "32"},
    ),
    (
        "member of a template made for a class that holds an old one",
        [
            "struct X { int a = 1; }; struct H { X x; };"
            " template<class T> struct V { [[gnu::noinline]] int f(); };"
            " template<class T> int V<T>::f() { return T().x.a; }",
            "int g() { return V<H>().f(); } int first = g();",
            "struct X { int b = 5; }; struct N { X x; };",
            "template<class T> int V<T>::f() { return T().x.b; }",
            "int h() { return V<N>().f(); } int second = h();",
            "template<class T> int V<T>::f() { return T().x.b + 1; }",
        ],
        {"first * 10 + second": "15", "g() * 10 + h()": "16"},
    ),
    (
        "member of a template made for types that name an old one",
        [
            "struct X { int a = 1; }; template<class T> struct V;"
            " template<class T> struct V<T()> { int f(); };"
            " template<class T> struct V<int T::*> { int f(); };"
            " template<class T> int V<T()>::f() { return T().a; }"
            " template<class T> int V<int T::*>::f() { return T().a; }",
            "int g() { return V<X()>().f() * 10 + V<int X::*>().f(); } int first = g();",
            "struct X { int b = 5; };",
            "template<class T> int V<T()>::f() { return T().b; }"
            " template<class T> int V<int T::*>::f() { return T().b; }",
        ],
        {"first": "11", "g()": "11", "V<X()>().f() * 10 + V<int X::*>().f()": "55"},
    ),
]
