"""Functions that cells use before a cell defines them."""

from __future__ import annotations

import pytest

from farside.errors import Crashed, FarSideError, UndefinedSymbols
from farside.session import Session

from .conftest import NewSession, run_all, shown

PARSER = (
    "const char *at; int sum(); int product();",
    "int atom() { if (*at != '(') return *at++ - '0'; ++at; int v = sum(); ++at; return v; }",
    "int sum() { int v = product(); while (*at == '+') { ++at; v += product(); } return v; }",
    "int product() { int v = atom(); while (*at == '*') { ++at; v *= atom(); } return v; }",
)


@pytest.mark.parametrize("opt", [0, 2])
def test_functions_that_need_each_other(new_session: NewSession, opt: int) -> None:
    session = new_session(opt=opt)
    waits = [session.run(code).notices for code in PARSER]
    assert waits[0] == waits[3] == ()
    assert waits[1][0].startswith("sum() is not defined yet")
    assert waits[2][0].startswith("product() is not defined yet")
    assert shown(session.run('at = "2*(3+4)+1"; sum()')) == "15"


def test_members_of_classes(session: Session) -> None:
    run_all(
        session,
        "namespace n { struct A { int a(); int b() const; int v = 1; ~A();"
        " struct B { int c(); }; }; }",
        "int nested(n::A::B b) { return b.c(); }",
        "int n::A::a() { return b() + 1; }",
        "int use(n::A &a) { int of = a.a(); a.~A(); return of; }",
        "int n::A::b() const { return v + 1; } n::A::~A() { v = 5; }",
        "int n::A::B::c() { return 4; }",
    )
    assert shown(session.run("auto *a = new n::A; use(*a) * 100 + a->v * 10 + nested({})")) == "354"


@pytest.mark.parametrize("opt", [0, 2])
@pytest.mark.parametrize(
    ("declared", "defined", "again"),
    [
        ("int f();", "inline int f() { return 3; }", "int f() { return 5; }"),
        ("int f();", "inline int f() { return 3; }", "inline int f() { return 5; }"),
        (
            "struct S { int g(); }; inline int f() { return S().g(); }",
            "inline int S::g() { return 3; }",
            "int S::g() { return 5; }",
        ),
        (
            "struct S { S(); ~S(); int v = 3; }; int f() { return S().v; }",
            "inline S::S() = default; inline S::~S() = default;",
            "int f() { return 5; }",
        ),
        (
            "namespace n { struct S; int g(S *); } int f() { return n::g(nullptr); }",
            "namespace n { struct S { friend int g(S *) { return 3; } }; }",
            "int f() { return 5; }",
        ),
    ],
)
def test_inline_definitions(
    new_session: NewSession, opt: int, declared: str, defined: str, again: str
) -> None:
    session = new_session(opt=opt)
    run_all(session, declared, "int use() { return f(); }", defined)
    assert shown(session.run("use()")) == "3"
    assert shown(run_all(session, again, "use()")) == "5"
    session.undo(2)
    assert shown(session.run("use()")) == "3"


def test_a_call_before_the_definition_costs_its_cell(session: Session) -> None:
    run_all(session, "int n = 1; int later(int); struct S { void f(); };")
    run_all(session, "int use() {\n  return 1 + later(1);\n}", "void uses(S s) { s.f(); }")
    with pytest.raises(Crashed, match=r"later\(int\) was called, which was not de") as caught:
        session.run("n = 2;\nuse();")
    assert [frame.function for frame in caught.value.report.frames][:2] == ["later(int)", "use()"]
    assert caught.value.report.line == 2
    assert shown(session.run("n")) == "1"
    with pytest.raises(Crashed, match=r"S::f\(\) was called"):
        session.run("uses({})")
    assert shown(run_all(session, "int later(int n) { return n + 4; }", "use()")) == "6"


def test_what_runs_at_once_must_be_defined(session: Session) -> None:
    session.run("int later(int);")
    for code in ("later(1)", "int x = later(1);", "int use() { return later(1); } int y = use();"):
        with pytest.raises(UndefinedSymbols) as caught:
            session.run(code)
        assert any("code that runs at once" in note for note in caught.value.__notes__)
    assert shown(session.run("int use() { return later(1); } int z = 3; z")) == "3"


def test_the_first_cell(session: Session) -> None:
    """It brings the initialisers of the headers, which run."""
    session.run("int later(); int use() { return later(); }")
    assert shown(run_all(session, "int later() { return 2; }", "use()")) == "2"


@pytest.mark.parametrize(
    "code",
    [
        "static int later(); int use() { return later(); }",
        "namespace { int later(); } int use() { return later(); }",
        "inline int later(); int use() { return later(); }",
        "constexpr int later(); int use() { return later(); }",
        "template <class T> T later(); int use() { return later<int>(); }",
        "template <class T> struct A { T later(); }; int use() { return A<int>().later(); }",
    ],
)
def test_what_no_later_cell_can_define(session: Session, code: str) -> None:
    session.run("1")
    with pytest.raises(UndefinedSymbols):
        session.run(code)


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("static int later();", "it has internal linkage, so the cell that uses it first must"),
        ("namespace { int later(); }", "it has internal linkage, so the cell that uses it first"),
        ("inline int later();", "it is inline, so the cell that uses it first must define it"),
        ("constexpr int later();", "it is inline, so the cell that uses it first must define it"),
    ],
)
def test_no_library_is_blamed_for_what_only_a_cell_can_define(
    session: Session, declared: str, why: str
) -> None:
    session.run(declared)
    with pytest.raises(UndefinedSymbols, match=r"later\(\) is declared and not defined") as caught:
        session.run("int use() { return later(); }")
    assert why in str(caught.value)
    assert "librar" not in str(caught.value)


def test_data_is_not_awaited(session: Session) -> None:
    session.run("extern int later; struct S { static int n; };")
    for code in ("int use() { return later; }", "int of() { return S::n; }"):
        with pytest.raises(UndefinedSymbols):
            session.run(code)


def test_a_library_comes_first(session: Session) -> None:
    assert (
        session.run('extern "C" double cos(double); double of() { return cos(0); }').notices == ()
    )
    assert shown(session.run("of()")) == "1.0"


def test_undo_and_definitions_that_follow(session: Session) -> None:
    run_all(session, "int later();", "int use() { return later(); }")
    run_all(session, "int later() { return 1; }", "int later() { return 2; }")
    assert shown(session.run("use()")) == "2"
    session.undo(2)
    assert shown(session.run("use()")) == "1"
    session.undo(2)
    run_all(session, "int again() { return later(); }", "int later() { return 3; }")
    assert shown(session.run("use() * 10 + again()")) == "33"


def test_undo_without_snapshots(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    run_all(session, "int later();", "int use() { return later(); }", "int later() { return 1; }")
    session.undo()
    run_all(session, "int later() { return 2; }")
    assert shown(session.run("use()")) == "2"


@pytest.mark.parametrize("defined", [False, True])
def test_all_cells_run_again(new_session: NewSession, defined: bool) -> None:
    session = new_session(snapshots=0, on_loss="replay")
    run_all(session, "int later();", "int use() { return later(); }")
    if defined:
        session.run("int later() { return 4; }")
    with pytest.raises(FarSideError):
        session.run("__builtin_trap();")
    if not defined:
        session.run("int later() { return 4; }")
    assert shown(session.run("use()")) == "4"
