"""Of a cell that only did something nothing is kept; what it may have handed on is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farside.errors import CppException, Crashed
from tests.session.conftest import shown_by

if TYPE_CHECKING:
    from farside.session import Session
    from tests.session.conftest import NewSession


@pytest.mark.parametrize(
    "code",
    ["x = x + 1;", "if (x >= 0) x = 2 * x + 1;", "p = &x;", "f();", "try { f(); } catch (...) {}"],
)
def test_nothing_is_left_of_statements(session: Session, code: str) -> None:
    session.run("#include <exception>\nint x = 0, *p; void f() { if (x == 5) throw x; }")
    session.run(code)  # what several cells share is made with the first
    before = session.statistics()
    for _ in range(10):
        session.run(code)
    assert session.statistics() == before


@pytest.mark.parametrize(
    ("code", "expression", "text"),
    [
        ('s = "kept";', "std::string(s)", "kept"),
        ("f = [](int a) { return a + 40; };", "f(2)", "42"),
        ("{ static int n = 42; p = &n; }", "*p", "42"),
        ("{ struct L : B { int v() override { return 42; } }; b = new L; }", "b->v()", "42"),
        ("{ thread_local int n = 42; p = &n; }", "*p", "42"),
        ("p = const_cast<int *>(&(const int &)g<42>());", "*p", "42"),
    ],
)
def test_what_was_handed_on_stays(session: Session, code: str, expression: str, text: str) -> None:
    session.run(
        "#include <string>\nconst char *s; int (*f)(int); int *p;"
        "struct B { virtual int v() { return 0; } virtual ~B() = default; }; B *b;"
        "template <int N> int &g() { static int n = N; return n; }"
    )
    session.run(code)
    session.run("int filler[64] = {1};")
    for _ in range(5):
        session.run("filler[1] += filler[0];")
    assert text in shown_by(session, expression)


def test_an_exit_handler_outlives_the_cell_that_registered_it(new_session: NewSession) -> None:
    session = new_session()
    session.run('#include <cstdio>\n#include <cstdlib>\nvoid bye() { std::puts("bye"); }')
    session.run("std::atexit(bye);")
    session.run("int x = 0;")
    session.run("x = 1;")
    assert session.close().stdout == "bye\n"


def test_an_exception_in_such_a_cell(session: Session) -> None:
    session.run("int x = 0;")
    for _ in range(3):
        with pytest.raises(CppException):
            session.run("++x; throw x;")
    assert shown_by(session, "x") == "3"


def test_such_cells_are_undone(session: Session) -> None:
    session.run("int x = 0;")
    session.run("x = 1;")
    session.run("x = 2;")
    session.run("int y = 7;")
    session.undo(2)
    assert shown_by(session, "x") == "1"


def test_such_cells_are_undone_without_snapshots(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    session.run("int x = 0;")
    session.run("x = 1;")
    session.run("int y = 7;")
    session.undo(2)
    session.run("int y = 8;")
    assert shown_by(session, "x + y") == "9"


def test_a_crash_in_such_a_cell_has_its_line(session: Session) -> None:
    session.run("int *p = nullptr;")
    with pytest.raises(Crashed) as crash:
        session.run("\n\n*p = 1;")
    assert crash.value.report.line == 3
    assert [frame.line for frame in crash.value.report.frames if frame.file == "cell 2"] == [3]
