"""The precompiled standard library is never in the user's way."""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from farside.session import Session

from .conftest import run_all, shown


@pytest.mark.parametrize(
    ("definition", "expression", "value"),
    [
        ("int y1 = 3;", "y1", "3"),
        ("int index = 0;", "index + 1", "1"),
        ("double gamma = 1;", "gamma == 1", "true"),
        ("struct time {}; int after = 2;", "after", "2"),
        ("struct time { int t; }; struct time now {4};", "now.t", "4"),
        ("int signal(double d) { return 7; }", "signal(1.0)", "7"),
        ("enum { remove, rename = 5 };", "rename + 0", "5"),
        ("int abs = 1, div = 2, log = 3;", "abs + div + log", "6"),
        ("typedef int y0; y0 v = 4;", "v", "4"),
        ("int EOF = 3;", "EOF", "3"),
        ("template <class T> T round(T t) { return t + 1; }", "round(1)", "2"),
        ("int remainder(int a) { return a; }", "remainder(2)", "2"),
    ],
)
def test_names_that_only_c_headers_know_are_free(
    session: Session, definition: str, expression: str, value: str
) -> None:
    assert session.run(definition).diagnostics == ()
    assert shown(session.run(expression)) == value


def test_free_after_an_unrelated_include(session: Session) -> None:
    session.run("#include <vector>\nstd::vector<int> v{1, 2};")
    session.run("int y1 = 3; int yn = 4;")
    assert shown(session.run("y1 + yn + (int)v.size()")) == "9"


def test_including_the_header_afterwards_says_what_clang_says(session: Session) -> None:
    session.run("int y1 = 3;")
    with pytest.raises(CompileError) as caught:
        session.run("#include <cmath>")
    errors = [d for d in caught.value.diagnostics if d.severity == "error"]
    assert [d.message for d in errors] == ["redefinition of 'y1' as different kind of symbol"]
    assert shown(session.run("y1")) == "3"


def test_a_name_that_is_included_is_taken(session: Session) -> None:
    session.run("#include <cmath>")
    with pytest.raises(CompileError, match="redefinition of 'y1' as different kind of symbol"):
        session.run("int y1 = 3;")
    assert shown(session.run("std::abs(-2.5) == 2.5")) == "true"


def test_names_of_std_are_free_behind_using_namespace(session: Session) -> None:
    assert (
        shown(
            run_all(
                session,
                "#include <vector>\nusing namespace std;",
                "int count = 0; int distance_ = 3; int midpoint = 4;",
                "++count;",
                "count + midpoint",
            )
        )
        == "5"
    )
