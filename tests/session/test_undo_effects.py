"""What undoing a cell runs, and what becomes of a session when that goes wrong."""

from __future__ import annotations

import pytest

from farside.errors import RemoteError

from .conftest import NewSession, run_all, shown

THROWING = "struct T { ~T() noexcept(false) { throw 3; } };"


def test_a_destructor_that_throws_does_not_matter_where_the_state_is_kept(
    new_session: NewSession,
) -> None:
    session = new_session()
    session.run(THROWING)
    session.run("int x = 1;")
    session.run("T t; x = 2;")
    session.undo()
    assert shown(session.run("x")) == "1"
    assert shown(run_all(session, "int t = 5;", "t + x")) == "6"


def test_a_destructor_that_throws_is_reported_where_the_state_is_not_kept(
    new_session: NewSession,
) -> None:
    session = new_session(snapshots=0)
    session.run(THROWING)
    session.run("int x = 1;")
    session.run("T t;")
    with pytest.raises(RemoteError):
        session.undo()
    assert shown(run_all(session, "int t = 5;", "t + x")) == "6"


def test_a_destructor_that_crashes_in_an_undo(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    session.run("struct C { ~C() { *(volatile int *)nullptr = 1; } };\nint x = 1;")
    session.run("C c;")
    with pytest.raises(Exception, match="SIGSEGV"):
        session.undo()
    assert shown(run_all(session, "int c = 5;", "c + x")) == "6"
