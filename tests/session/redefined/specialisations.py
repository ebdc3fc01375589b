"""Specialisations and instantiations that are given again."""

from __future__ import annotations

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
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
        "two specialisations in one cell",
        [
            "template<class T> T p(int) { return 0; }",
            "template<> int p<int>(int) { return 1; } template<> char p<char>(int) { return 2; }",
            "template<> int p<int>(int) { return 10; } template<> char p<char>(int) { return 20; }",
        ],
        {"p<int>(1) + p<char>(1)": "30"},
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
]
