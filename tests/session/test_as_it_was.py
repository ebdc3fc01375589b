"""A cell that fails leaves the session as it was: names, types, overloads, macros, templates, values."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from farside.errors import CompileError, DuplicateDefinition, UndefinedSymbols
from farside.session import Session

from .conftest import NewSession, run_all, shown


@dataclass(frozen=True)
class Failure:
    """What was there before, a cell that fails to compile, and what must hold after it."""

    name: str
    before: tuple[str, ...]
    failing: str
    after: tuple[str, ...]
    value: str


FAILURES = [
    Failure(
        "variable", (), "int a = 1; int b = nope;", ('const char *a = "a";', "a[0] == 'a'"), "true"
    ),
    Failure("value_kept", ("int a = 7;",), "a = 8; nope();", ("a",), "7"),
    Failure(
        "function",
        (),
        "int f() { return 1; } int g() { return nope; }",
        ("double f() { return 2.5; }", "f() > 2"),
        "true",
    ),
    Failure(
        "overload",
        ("int f(double) { return 1; }",),
        "int f(int) { return 2; } oops",
        ("f(3)",),
        "1",
    ),
    Failure(
        "type",
        (),
        "struct S { int a; }; S s = 5;",
        ("struct S { double b; };", "(int)sizeof(S)"),
        "8",
    ),
    Failure(
        "type_completed",
        ("struct S;",),
        "struct S { int a; }; nope;",
        ("struct S { char c[3]; };", "(int)sizeof(S)"),
        "3",
    ),
    Failure(
        "enum", (), "enum E { A, B }; int A2 = nope;", ("int A = 4; int B = 5;", "A * B"), "20"
    ),
    Failure(
        "macro",
        (),
        "#define LIMIT 10\nint x = nope;",
        ("#ifdef LIMIT\nint m = 1;\n#else\nint m = 0;\n#endif\nm",),
        "0",
    ),
    Failure(
        "macro_redefined",
        ("#define LIMIT 10",),
        "#undef LIMIT\n#define LIMIT 20\nint x = nope;",
        ("LIMIT",),
        "10",
    ),
    Failure(
        "template",
        (),
        "template <class T> T t(T x) { return x; } int z = nope;",
        ("template <class T> int t(T) { return 9; }", "t(1.5)"),
        "9",
    ),
    Failure(
        "specialisation",
        ("template <class T> struct W { static int v() { return 1; } };",),
        "template <> struct W<int> { static int v() { return 2; } }; nope;",
        ("W<int>::v()",),
        "1",
    ),
    Failure(
        "failed_instantiation",
        ("template <class T> int size_of_value() { return sizeof(typename T::value_type); }",),
        "size_of_value<int>();",
        ("struct V { typedef short value_type; };", "size_of_value<V>()"),
        "2",
    ),
    Failure(
        "using_directive",
        ("namespace n { int inner = 3; }",),
        "using namespace n; int q = nope;",
        ("int inner = 4;", "inner"),
        "4",
    ),
    Failure(
        "namespace_member",
        ("namespace n { int one = 1; }",),
        "namespace n { int two = 2; int bad = nope; }",
        ("namespace n { double two = 2.5; }", "n::two > 2.2 && n::one == 1"),
        "true",
    ),
    Failure(
        "default_argument",
        ("int f(int a, int b);",),
        "int f(int a, int b = 5); nope;",
        ("int f(int a, int b = 6);", "int f(int a, int b) { return a + b; }", "f(1)"),
        "7",
    ),
    Failure(
        "alias", (), "using T = int; T t = nope;", ("using T = double;", "sizeof(T) == 8"), "true"
    ),
    Failure(
        "unclosed_brace",
        ("int a = 3;",),
        "int f() { if (a) { return 1; ",
        ("int f() { return a; }", "f()"),
        "3",
    ),
    Failure("stray_closer", ("int a = 3;",), "} int b = 4;", ("int b = 5;", "a + b"), "8"),
    Failure(
        "unclosed_string",
        ("int a = 3;",),
        'const char *s = "abc;',
        ('const char *s = "d";', "s[0] == 'd'"),
        "true",
    ),
    Failure(
        "missing_include",
        ("int a = 3;",),
        "#include <no/such/header>\nint b = 4;",
        ("int b = 5;", "a + b"),
        "8",
    ),
    Failure("unterminated_if", ("int a = 3;",), "#if 1\nint b = 4;", ("int b = 5;", "a + b"), "8"),
    Failure(
        "static_assert",
        (),
        'struct K {}; static_assert(sizeof(K) == 99, "no");',
        ("struct K { int x[2]; };", "(int)sizeof(K)"),
        "8",
    ),
    Failure(
        "lambda",
        ("int a = 3;",),
        "auto l = [] { return a + nope; };",
        ("auto l = [] { return a; };", "l()"),
        "3",
    ),
    Failure(
        "deduced_return", (), "auto f() { return nope; }", ("auto f() { return 5; }", "f()"), "5"
    ),
    Failure(
        "redefinition_of_class",
        ("struct S { int a = 1; };",),
        "struct R { S s; }; int S::*p = &S::b;",
        ("struct R { int q = 6; };", "R{}.q"),
        "6",
    ),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.name)
def test_failed_cell_leaves_no_trace(session: Session, failure: Failure) -> None:
    for code in failure.before:
        session.run(code)
    with pytest.raises(CompileError):
        session.run(failure.failing)
    assert shown(run_all(session, *failure.after)) == failure.value


def test_many_errors_in_a_row(session: Session) -> None:
    session.run("int total = 0;")
    for i in range(30):
        with pytest.raises(CompileError):
            session.run(f"int v{i} = nope{i};")
        session.run(f"int v{i} = {i}; total += v{i};")
    assert shown(session.run("total")) == str(sum(range(30)))


def test_compile_error_shows_message_line_and_caret(session: Session) -> None:
    session.run("int first = 1;")
    number = session.next_cell
    with pytest.raises(CompileError) as caught:
        session.run("int ok = 2;\nint bad = missing + 1;")
    text = str(caught.value)
    assert f"cell {number}:2:11: error: use of undeclared identifier 'missing'" in text
    assert "int bad = missing + 1;" in text
    assert "\n      |           ^" in text or "\n          ^" in text


def test_undefined_symbol_is_one_error_and_nothing_runs(session: Session) -> None:
    session.run("int x = 1; namespace deep { int gone(double, const char *); }")
    number = session.next_cell
    with pytest.raises(UndefinedSymbols) as caught:
        session.run('x = 2; int y = deep::gone(1.5, "z");')
    assert "deep::gone(double, char const*)" in str(caught.value)
    assert f"cell {number}" in str(caught.value)
    assert caught.value.symbols == ("_ZN4deep4goneEdPKc",)
    assert shown(session.run("x")) == "1"
    assert shown(run_all(session, "int y = 8;", "y")) == "8"


def test_undefined_symbol_can_be_defined_afterwards(session: Session) -> None:
    session.run("int later(int);")
    with pytest.raises(UndefinedSymbols):
        session.run("later(1);")
    session.run("int later(int v) { return v + 1; }")
    assert shown(session.run("later(1)")) == "2"


def test_warnings_come_with_the_result_and_only_once(session: Session) -> None:
    result = session.run("int shadowed(int v) { int unused; v == 2; return v; }")
    assert any(d.option == "-Wunused-comparison" for d in result.diagnostics)
    with pytest.raises(CompileError):
        session.run("nope")
    assert session.run("int a = 1;").diagnostics == ()


@pytest.mark.parametrize("language", ["c++", "c"])
def test_duplicate_definition_names_both_places(new_session: NewSession, language: str) -> None:
    session = new_session(language=language)
    first = session.next_cell
    session.run(
        '__attribute__((used)) int one(void) __asm__("same_name"); int one(void) { return 1; }'
    )
    second = session.next_cell
    with pytest.raises(DuplicateDefinition) as caught:
        session.run('int two(void) __asm__("same_name"); int two(void) { return 2; }')
    assert caught.value.symbol == "same_name"
    assert (caught.value.first, caught.value.second) == (f"cell {first}", f"cell {second}")
    session.run("int two(void) { return 3; }")
    assert shown(session.run("two() + one()")) == "4"
