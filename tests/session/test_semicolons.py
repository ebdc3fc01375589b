"""A `;` that is missing at the end of a cell, where there can only have been one."""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from farside.session import Session

from .conftest import run_all, shown


@pytest.mark.parametrize(
    ("code", "then", "text"),
    [
        ("int g = 4", "g", "4"),
        ("int a = 1, b = a + 1 // two", "b", "2"),
        ("int g = 4 /* ; */ // and\n\n  /* more */", "g", "4"),
        ("struct P { int a = 3; }", "P().a", "3"),
        ("enum E { A = 7 }", "(int)A", "7"),
        ("using T = int", "(int)sizeof(T)", "4"),
        ("int x = 1; ++x; do { ++x; } while (x < 5)", "x", "5"),
        ("namespace n { int x = 8; }\nusing namespace n", "x", "8"),
        ("int y = 3\n#define FOO 3", "y + FOO", "6"),
        ("int y = 3 // three\n#if 1\n#define FOO \\\n 4\n#endif\n", "y + FOO", "7"),
        ("int y = 3\n#if 0\nit's \"no (code\n#endif\n", "y", "3"),
        (
            "struct P { int a = 3; } // p\n # if 0\n)\n# else\n#define FOO 6\n#endif",
            "P().a + FOO",
            "9",
        ),
        ("int y = 3\n#if 0\n#else\n#endif\n#if 0 // none\nx\n#endif", "y", "3"),
        ("struct Later", "(Later *)nullptr == nullptr", "true"),
        ("long later(int)", "sizeof(later(1))", "8"),
        ('extern "C" int abs(int) // of C', "abs(-3)", "3"),
        ("long later(int)\n#define ONE 1", "sizeof(later(ONE))", "8"),
        ("int x = 1;\nint grüße = x + 1; int größer = grüße", "größer", "2"),
    ],
)
def test_declarations(session: Session, code: str, then: str, text: str) -> None:
    result = session.run(code)
    assert (result.value, result.diagnostics, result.cell) == (None, (), 1)
    assert shown(session.run(then)) == text


def test_what_is_defined_again(session: Session) -> None:
    run_all(session, "int g = 4", "int f() { return g; }", "long g = 25")
    assert str(session.run("g").value) == "(long) 25"


def test_it_is_kept_where_the_cell_is_brought_back(session: Session) -> None:
    run_all(session, "int g = 4", "int h = g", "int k = 1")
    session.undo()
    assert shown(session.run("g + h")) == "8"
    assert session.eval("int k = 5") is None
    assert session.eval("k") == 5


@pytest.mark.parametrize(
    "code",
    [
        "int x = 1 int y = 2;",  # in the middle
        "int x = 1 // one\nint y = 2",  # twice
        "int x = nothing",
        "int f() { return 1 }",
        "struct P { int a }",
        "int x = 1 /* never closed",
    ],
)
def test_what_lacks_more(session: Session, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        session.run(code)
    assert caught.value.diagnostics
    assert shown(session.run("1")) == "1"


def test_comments_without_end_of_hope_take_no_time(session: Session) -> None:
    with pytest.raises(CompileError):
        session.run("int x = 1 " + "/**/" * 5000 + " int y = 2;")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("int bad = nope", "use of undeclared identifier 'nope'"),
        ("static_assert(false)", "static assertion failed"),
        ("int x = 1 // one\nint y = 2", "expected ';' after top level declarator"),
    ],
)
def test_it_is_not_told_beside_what_else_is_wrong(
    session: Session, code: str, message: str
) -> None:
    with pytest.raises(CompileError) as caught:
        session.run(code)
    assert [each.message for each in caught.value.diagnostics] == [message]


@pytest.mark.parametrize("code", ["int", "const", "template <class T>", "typedef int"])
def test_what_a_semicolon_would_make_nothing_of(session: Session, code: str) -> None:
    with pytest.raises(CompileError) as caught:
        session.run(code)
    assert [each.severity for each in caught.value.diagnostics].count("error") == 1
    assert shown(session.run("1")) == "1"


@pytest.mark.parametrize(
    ("code", "marks"),
    [
        ("int a = missing", "        ^~~~~~~"),
        ("int a = missing /* a */ // b", "        ^~~~~~~"),
        ("int a = 1 +", "           ^"),
        ('int n = 1; int a = "x"', "               ^   ~~~"),
        ("int größe = missing", "            ^~~~~~~"),
    ],
)
def test_an_error_shows_the_cell_as_it_is_written(session: Session, code: str, marks: str) -> None:
    with pytest.raises(CompileError) as caught:
        session.run(code)
    assert f"    1 | {code}\n      | {marks}\n" in str(caught.value)
    with pytest.raises(CompileError) as caught:
        session.eval(code)
    assert f"    1 | {code}\n      | {marks}\n" in str(caught.value)


def test_a_warning_shows_the_cell_as_it_is_written(session: Session) -> None:
    (warning,) = session.run("int half = 0.5").diagnostics
    assert (warning.source, warning.line, warning.column) == ("int half = 0.5", 1, 12)
