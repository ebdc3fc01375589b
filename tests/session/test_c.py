"""Cells of C."""

from __future__ import annotations

import pytest

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
