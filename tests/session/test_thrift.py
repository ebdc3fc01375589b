"""Snapshots that would cost too much are left out, and the session says so."""

from __future__ import annotations

import pytest

from farside.errors import Crashed
from farside.recovery.sentences import CAUGHT_UP
from farside.recovery.thrift import ForkBudget
from farside.session import Session

from .conftest import NewSession, shown


def test_what_is_not_kept_is_run_again_after_a_crash(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("int x = 1;")
    session.run("x = 2;")
    with monkeypatch.context() as dear:

        def never(budget: ForkBudget) -> bool:
            budget.saved = True
            return False

        dear.setattr(ForkBudget, "allows", never)
        first, second = session.run("x = 3;"), session.run("int y = 4;")
        assert [len(each.notices) for each in (first, second)] == [1, 0]
        assert "not every state is kept" in first.notices[0]
        assert [past.kept for past in session.history()] == [True, True, False, False]
        with pytest.raises(Crashed) as caught:
            session.run("*(volatile int *)nullptr = 1;")
        assert caught.value.recovery[1] == f"{CAUGHT_UP}: {first.cell}, {second.cell}"
    assert shown(session.run("x + y")) == "7"
    assert session.undo(3) == ()
    assert shown(session.run("x")) == "2"


def test_the_next_cell_makes_up_for_what_was_left_out(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("int x = 1;")
    with monkeypatch.context() as dear:
        dear.setattr(ForkBudget, "allows", lambda _: False)
        session.run("x = 2;")
    with pytest.raises(Crashed) as caught:
        session.run("x = 3; *(volatile int *)nullptr = 1;")
    assert caught.value.recovery == ("the program's state is as it was before the cell",)
    assert shown(session.run("x")) == "2"


def test_memory_of_snapshots_is_bounded(new_session: NewSession) -> None:
    session = new_session(snapshot_memory=20 << 20)
    session.run("#include <cstring>\n#include <vector>\nstd::vector<char> heap(8 << 20);")
    said: list[str] = []
    for n in range(12):
        said += session.run(f"memset(heap.data(), {n + 1}, heap.size());").notices
        session._execution._thrift.memory._next = 0.0
        state = session._execution.present
        assert state is not None
        assert state.snapshot.ready(10)
    assert any("too much memory" in each for each in said)
    kept = [past.kept for past in session.history()]
    assert kept[-1]
    assert kept.count(True) < 6
    with pytest.raises(Crashed):
        session.run("heap[0] = 99; *(volatile int *)nullptr = 1;")
    assert shown(session.run("(int)heap[0]")) == "12"


def test_the_programs_environment_is_its_own(
    new_session: NewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for before in (None, "glibc.malloc.check=0"):
        if before is None:
            monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
        else:
            monkeypatch.setenv("GLIBC_TUNABLES", before)
        session = new_session()
        session.run("#include <cstdlib>\n#include <string>")
        value = 'const char *v = getenv("GLIBC_TUNABLES"); std::string(v ? v : "none")'
        assert shown(session.run(value)) == f'"{before or "none"}"'
