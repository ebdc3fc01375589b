"""Top-level statements where Clang expects declarations, and what it has to say of their names."""

from __future__ import annotations

import pytest

from farside.errors import CompileError, CompilerCrashed
from farside.session import Session

from .conftest import NewSession, run_all, shown


def messages(session: Session, code: str) -> list[str]:
    return [each.message for each in session.run(code).diagnostics]


@pytest.mark.parametrize("opt", [None, 0], ids=["default", "O0"])
def test_consteval_functions_in_statements(new_session: NewSession, opt: int | None) -> None:
    session = new_session(opt=opt)
    session.run("consteval int square(int x) { return x * x; }")
    session.run(
        "struct S { int v; consteval S(int x) : v(x) {} consteval int get() const { return v; } };"
    )
    session.run("int a = square(5);")
    session.run("a = square(6);")
    session.run("for (int i = 0; i < 3; ++i) a += square(2);")
    assert shown(session.run("a")) == "48"
    assert shown(session.run("square(7) + S(4).get()")) == "53"
    session.run("auto next = [](int x) consteval { return x + 1; };")
    assert shown(session.run("next(3)")) == "4"


DEPRECATED = (
    '[[deprecated("old")]] int f() { return 2; } [[deprecated]] int v = 7; '
    "struct [[deprecated]] S { int x = 4; };"
)


@pytest.mark.parametrize("use_pch", [True, False])
@pytest.mark.parametrize(
    ("code", "value", "said"),
    [
        ("f()", "2", ["'f' is deprecated: old"]),
        ("(f())", "2", ["'f' is deprecated: old"]),
        ("f();", None, ["'f' is deprecated: old"]),
        ("v", "7", ["'v' is deprecated"]),
        ("S s; s.x", "4", ["'S' is deprecated"]),
        ("if (f()) v = 1;", None, ["'f' is deprecated: old", "'v' is deprecated"]),
        ("[] { return f(); }()", "2", ["'f' is deprecated: old"]),
        ("int g() { return f(); }", None, ["'f' is deprecated: old"]),
        ("[[deprecated]] int h() { return f(); }", None, []),
    ],
)
def test_deprecated_names_are_warned_of(
    new_session: NewSession, use_pch: bool, code: str, value: str | None, said: list[str]
) -> None:
    session = new_session(use_pch=use_pch)
    session.run(DEPRECATED)
    result = session.run(code)
    assert shown(result) == value
    assert [each.message for each in result.diagnostics] == said


def test_deprecated_in_c(new_session: NewSession) -> None:
    session = new_session(language="c")
    session.run("__attribute__((deprecated)) int f(void) { return 3; }")
    assert messages(session, "f();") == ["'f' is deprecated"]


def test_unavailable_names_are_errors(session: Session) -> None:
    session.run('int gone() __attribute__((unavailable("gone")));')
    with pytest.raises(CompileError, match="'gone' is unavailable: gone"):
        session.run("gone()")


PRIVATE = "class P { int x = 3; static int s; friend int peek(P); friend struct F; }; P p;"


@pytest.mark.parametrize(
    "code",
    [
        "p.x",
        "P{}.x;",
        "int q = p.x;",
        "[] { return p.x; }()",
        "int f(P q) { return q.x; }",
        "auto l = [](P q) { return q.x; };",
        'extern "C" { int f() { return p.x; } }',
        "namespace n { int f() { return p.x; } }",
        "P::s",
        "{ struct L { int f() { return p.x; } }; }",
        "{ int y = p.x; }",
    ],
)
def test_private_members_are_private_to_statements(session: Session, code: str) -> None:
    session.run(PRIVATE)
    with pytest.raises(CompileError, match="is a private member of 'P'") as caught:
        session.run(code)
    errors = [each for each in caught.value.diagnostics if each.severity == "error"]
    assert len(errors) == 1
    assert shown(session.run("1")) == "1"


def test_friends_may_look(session: Session) -> None:
    session.run(PRIVATE)
    assert shown(session.run("int peek(P q) { return q.x; } peek(p)")) == "3"
    session.run("struct F { int get(P q) { return q.x; } int later(P); };")
    session.run("int F::later(P q) { auto l = [&] { return q.x + 1; }; return l(); }")
    session.run("int P::s = 5;")
    assert shown(session.run("F{}.get(p) * 10 + F{}.later(p)")) == "34"
    session.run("template <class T> concept HasX = requires(T t) { t.x; };")
    assert shown(session.run("HasX<P>")) == "false"


@pytest.mark.parametrize(
    "code", ["export module m;", "module m;", "int a; module m; int b;", "export module m.part;"]
)
def test_a_cell_cannot_be_a_module(session: Session, code: str) -> None:
    with pytest.raises(CompileError, match="a cell cannot declare a module"):
        session.run(code)
    assert shown(run_all(session, "int module_count = 2;", "module_count")) == "2"


@pytest.mark.parametrize("use_pch", [True, False])
@pytest.mark.parametrize("code", ["missing::name();", "missing::name x;", "missing::name<int> x"])
def test_an_undeclared_name_is_reported_once(
    new_session: NewSession, use_pch: bool, code: str
) -> None:
    with pytest.raises(CompileError) as caught:
        new_session(use_pch=use_pch).run(code)
    said = [each.message for each in caught.value.diagnostics]
    assert said.count("use of undeclared identifier 'missing'") == 1


def test_constructor_functions_run_with_their_cell(session: Session) -> None:
    session.run(
        "int order = 0; __attribute__((constructor)) static void f() { order = order * 10 + 1; }"
    )
    session.run("__attribute__((constructor(101))) void g() { order = order * 10 + 2; }")
    assert shown(session.run("order")) == "12"
    session.run(
        "#include <cstdio>\n"
        '__attribute__((destructor)) static void h() { puts("end"); fflush(stdout); }'
    )
    assert session.close().stdout == "end\n"


# A `return` that no function encloses, marked by `@`, however deep in blocks it stands.
OUTER = [
    "@return;",
    "if (true) @return;",
    "if (true) ; else @return;",
    "for (;;) @return;",
    "for (int i = 0; i < 3; ++i)\n  if (i == 1)\n    @return 5;",
    "for (int i : {1, 2}) @return;",
    "while (true) { @return 1; }",
    "do @return; while (0);",
    "{ @return 5; }",
    "switch (1) { case 1: { @return; } }",
    "label: { @return; }",
    "try { @return; } catch (...) { return; }",
    "void f() try { return; } catch (...) { return; } try { } catch (...) { @return; }",
    "void f() { return; } { @return; }",
    "if constexpr (true) { @return; }",
    "if consteval { @return; }",
    "if !consteval { @return; }",
    "if (true) [[likely]] { @return; }",
    "({ @return 1; })",
    "namespace n { @return; }",
    "namespace n::m { inline namespace k { @return; } }",
    'extern "C" { @return; }',
    "if (true) { [] { return 1; }(); } else { @return; }",
    "struct { int f() { return 1; } } s; { @return; }",
    "1 ? @return : 2;",
]


@pytest.mark.parametrize("marked", OUTER)
def test_a_return_outside_all_functions_is_one_error(session: Session, marked: str) -> None:
    before, after = marked.split("@")
    with pytest.raises(CompileError) as caught:
        session.run(before + after)
    errors = [each for each in caught.value.diagnostics if each.is_error]
    assert [each.message for each in errors] == ["'return' outside a function"]
    line = before.count("\n")
    column = len(before) - (before.rfind("\n") + 1)
    assert (errors[0].line, errors[0].column) == (line + 1, column + 1)
    assert shown(session.run("[] { return 4; }()")) == "4"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("namespace n { x = 3; }", "a type specifier is required for all declarations"),
        ("namespace n { int k; (k); }", "a type specifier is required for all declarations"),
        ("namespace n::m [[deprecated]] { if (x) x = 3; }", "expected unqualified-id"),
        ("inline namespace n { namespace { { x = 3; } } }", "expected unqualified-id"),
        ("namespace n { namespace m { return 1; } }", "'return' outside a function"),
        ("namespace n { int f() = delete; { co_return; } }", "expected unqualified-id"),
        ('extern "C" { x = 3; }', "a type specifier is required for all declarations"),
        ('extern "C" x = 3;', "a type specifier is required for all declarations"),
        ('extern "C++" { namespace n { else; } }', "expected unqualified-id"),
        ("#define OPEN namespace n {\nOPEN break; }", "expected unqualified-id"),
    ],
)
def test_no_statement_stands_in_a_namespace(session: Session, code: str, message: str) -> None:
    session.run("int x = 1;")
    with pytest.raises(CompileError, match=message) as caught:
        session.run(code)
    assert not isinstance(caught.value, CompilerCrashed)
    assert shown(session.run("namespace n { int f() { return x; } } x = 4; n::f()")) == "4"


def test_a_return_out_of_a_macro_outside_all_functions(session: Session) -> None:
    session.run("#define GIVE(x) return x\nint f() { GIVE(1); }")
    with pytest.raises(CompileError, match="'return' outside a function"):
        session.run("if (f()) GIVE(2);")
    assert shown(session.run("f()")) == "1"


@pytest.mark.parametrize(
    "code",
    [
        "if (true) { [] { return 1; }(); }",
        "{ struct L { int f() { return 1; } }; L().f(); }",
        "{ struct L { L() : a{1} { return; } int a; } l; }",
        "void f() try { return; } catch (...) { return; }",
        "namespace n { int f() { return 1; } int g() { return 2; } }",
        'extern "C" { int f() { return 1; } }',
        "auto l = [](auto x) requires requires { x; } { return x; };",
        "auto l = [](int x) -> decltype(int{}) { return x; };",
        "auto l = []() consteval { return 1; };",
        "auto l = [a = 1] [[nodiscard]] () mutable noexcept(true) { return a; };",
        "int a[]{[] { return 1; }(), 2};",
        "int n = [] { return ({ if (true) return 7; 1; }); }();",
        "enum { E = [] { return 2; }() };",
        "template <class T> auto f(T x) { if constexpr (true) { return x; } else return 1; }",
        'int f() __asm__("f"); int f() { return 1; }',
        'auto operator""_k(unsigned long long v) { return v; }',
    ],
)
def test_a_return_within_a_function_is_its_own_affair(session: Session, code: str) -> None:
    assert messages(session, code) == []


def test_a_return_outside_all_functions_of_c(new_session: NewSession) -> None:
    session = new_session(language="c", std="c17")
    session.run("int old(a) int a; { if (a) { return a; } return 2; }")
    assert shown(session.run("old(3)")) == "3"
    for code in ("if (1) return;", "{ return 1; }", "int f(int a) { return a; } { return 1; }"):
        with pytest.raises(CompileError, match="'return' outside a function"):
            session.run(code)


@pytest.mark.parametrize("use_pch", [True, False], ids=["pch", "no-pch"])
def test_a_lambda_in_a_lambda_is_given_to_templates(new_session: NewSession, use_pch: bool) -> None:
    """Clang makes some instances at once, when the outer lambda has no name yet."""
    session = new_session(use_pch=use_pch)
    session.run(
        "#include <algorithm>\n#include <functional>\n#include <vector>\nint n = 0;"
        "template <class F> struct Held { static inline int calls = n + 1; F f; };"
        "template <class F> constexpr int size() { return sizeof(F); }"
        "template <class F> int twice(F f) { static_assert(size<F>() > 0); return f() + f(); }"
    )
    run_all(
        session,
        "{ auto f = [] { return std::function<int()>([] { return 1; }); }; n = f()(); }",
        "{ auto f = [] { std::vector<int> v{1, 3, 2};"
        "  std::sort(v.begin(), v.end(), [](int a, int b) { return a > b; }); return v[0]; };"
        "  n = 10 * n + f(); }",
        "{ auto f = [] { auto g = [] { return twice([] { return 2; }); }; return g(); };"
        "  n = 10 * n + f(); }",
        "{ auto f = [] { Held h{[] { return 2; }}; return h.calls + h.f(); };"
        "  n = 1000 * n + f(); }",
    )
    assert shown(session.run("n")) == str(134 * 1000 + 137)
    code = "[] { return std::vector<std::function<int()>>(2, [] { return 3; }); }"
    assert shown(session.run(f"{code}().size()")) == "2"
    assert session.eval(f"{code}()[1]()") == 3


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("std::unique_pt<Base> mku() { return {}; }", "use of undeclared identifier 'std'"),
        ("std::unique_pt<Base> mku();", "use of undeclared identifier 'std'"),
        ("std::vectr<Base> all = {1, 2};", "use of undeclared identifier 'std'"),
        ("unique_pt<Base> *mku(Base &) { return nullptr; }", "no template named 'unique_pt'"),
        ("Bse &mku() { return *new Base; }", "unknown type name 'Bse'; did you mean 'Base'?"),
    ],
)
def test_after_a_type_that_is_not_known_the_rest_is_read(
    session: Session, wrong: str, said: str
) -> None:
    session.run("struct Base {};")
    with pytest.raises(CompileError) as caught:
        session.run(f"{wrong}\nclass Priv {{ int x; }};\nPriv mp() {{ return {{}}; }}")
    assert [each.message for each in caught.value.diagnostics] == [said]


def test_what_compares_is_no_declaration(session: Session) -> None:
    session.run("int a = 1, b = 2, c = 0; struct T { int n = 3; };")
    assert shown(session.run("(a < b) > c")) == "true"
    assert shown(session.run("a < b && a > c")) == "true"
    assert shown(session.run("T *t() { return new T; } t()->n")) == "3"
    assert shown(session.run("a * b")) == "2"
