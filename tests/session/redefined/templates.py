"""Templates and concepts that are defined again, and what was made of the old."""

from __future__ import annotations

ROWS: list[tuple[str, list[str], dict[str, str]]] = [
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
        "concept2",
        [
            "template<class T> struct W { T t; W(T x) : t(x) {} };",
            "template<class T> struct W { T t; W(T x) : t(x + 1) {} };",
            "W w(3);",
        ],
        {"w.t": "4"},
    ),
    (
        "concept",
        ["template <class T> concept C = true;", "template <class T> concept C = sizeof(T) == 4;"],
        {"C<int>": "true", "C<char>": "false"},
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
        "var template",
        ["template <class T> T pi = 3;", "template <class T> T pi = T(3.25);"],
        {"pi<double>": "3.2500000"},
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
]
