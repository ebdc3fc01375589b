"""Cells of C."""

from __future__ import annotations

import pytest

from farside.errors import UndefinedName
from farside.session import Session

from .conftest import NewSession, run_all, shown


@pytest.fixture(params=[None, 0], ids=["default", "O0"])
def c(new_session: NewSession, request: pytest.FixtureRequest) -> Session:
    return new_session(language="c", opt=request.param)


def test_a_tentative_definition_means_the_same_variable_each_time(c: Session) -> None:
    c.run("int x;")
    c.run("x = 7;")
    c.run("int x; int *p = &x;")
    assert shown(run_all(c, "extern int x;", "int x;", "x + *p")) == "14"
    assert shown(run_all(c, "int y = 5;", "int y;", "int y; y")) == "5"
    assert shown(run_all(c, "static int s;", "s = 3;", "static int s;", "s")) == "3"


def test_a_tentative_definition_of_a_header_is_a_definition(
    c: Session, tmp_path_factory: pytest.TempPathFactory
) -> None:
    header = tmp_path_factory.mktemp("include") / "x.h"
    header.write_text("int x;\n")
    c.run(f'#include "{header}"\nint x;\nint *p = &x;')
    assert shown(run_all(c, "x = 4;", "*p")) == "4"


def test_a_variable_that_is_there_is_given_another_value(c: Session) -> None:
    c.run("int x; int *p = &x;")
    assert shown(run_all(c, "int x = 5;", "x + *p")) == "5"
    assert shown(run_all(c, "double x;", "x")) == "0.0"


def test_the_language_across_cells(c: Session) -> None:
    c.run("struct S { int a; }; struct S s; typedef int T; enum E { A, B = 5 };")
    c.run("static inline int next(void) { static T n = 3; return n++; }")
    c.run("_Thread_local int local = 4; int list[3] = {[1] = 5};")
    c.run("next(); s.a = next(); local++;")
    assert shown(c.run("s.a * 100 + list[1] * 10 + local + B")) == "460"
    assert shown(c.run("_Generic(s.a, int: 1, default: 2) + (struct S){3}.a")) == "4"
    assert c.run('#include <stdio.h>\nprintf("%d\\n", A); fflush(stdout);').stdout == "0\n"


def test_names_end_with_their_scopes(c: Session) -> None:
    c.run("int n = 3; int take(int n); int same(int n) { return n; } int get(void) { return n; }")
    c.run(
        "int inner(void) { int n = 1; { int n = 2; n++; } for (int n = 0; n < 9;) n++; return n; }"
    )
    assert shown(run_all(c, "n * 100 + get() * 10 + inner()")) == "331"
    c.run("int count(void) { static int n = 7; enum { e = 5 }; typedef char t; return n++; }")
    assert shown(run_all(c, "for (int n = 0; n < 2; n++) { int e; }", "count() * 10 + n")) == "73"
    assert (
        shown(run_all(c, "int n = 4; double e = 2.5; int t = 6;", "n * 10 + e + t")) == "48.500000"
    )
    for value in (1, 2):  # with the last token of a cell, and one that is read twice
        c.run(f"int last(int n) {{ return n + {value}; }}")
        assert shown(c.run("n + last(n)")) == str(8 + value)


def test_a_local_name_is_not_known_after_its_scope(c: Session) -> None:
    for cell in ("int f(int a) { int b = a; return b; }", "{ int a, b; }"):
        c.run(cell)
        for name in ("a", "b"):
            with pytest.raises(UndefinedName):
                c.run(name)
