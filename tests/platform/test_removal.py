"""Undo gives everything back, on both sides."""

from __future__ import annotations

import pytest

from farside.errors import CompileError, UndefinedSymbols
from farside.options import Options
from farside.session import Session
from tests.platform.conftest import Build

ROUND = """
struct Guard { int v; Guard(int v) : v(v) { ++alive; } ~Guard() { --alive; } };
Guard guard(ROUND_NUMBER);
thread_local int local = ROUND_NUMBER;
static int handler = atexit([] { ++handled; });
__attribute__((constructor(200))) void early() { ++started; }
__attribute__((destructor)) void late() { ++finished; }
int thrower(int x) { if (x) throw x; return x; }
const char *text = "some text";
int *numbers = new int[10];
"""


def number(session: Session, code: str) -> int:
    value = session.run(code).value
    assert value is not None
    return int(value.text)


def test_five_hundred_rounds_of_define_use_undo() -> None:
    # Without kept states undo takes the cells' code and handlers back one by one.
    with Session(Options(output="capture", snapshots=0)) as session:
        five_hundred_rounds(session)


def five_hundred_rounds(session: Session) -> None:
    session.run("#include <cstdlib>\nint alive, handled, started, finished, caught;")
    before = after = session.statistics()
    for i in range(500):
        session.run(ROUND.replace("ROUND_NUMBER", str(i)))
        session.run(
            "try { thrower(local + 1); } catch (int x) { caught += x == guard.v + 1; }"
            "delete[] numbers;"
        )
        session.undo(2)
        if i == 0:  # the first round makes tables that stay
            before = session.statistics()
    after = session.statistics()
    assert after == before
    assert number(session, "alive") == 0
    assert number(session, "handled") == 500
    assert number(session, "started") == 500
    assert number(session, "finished") == 500
    assert number(session, "caught") == 500


def memory(session: Session) -> int:
    """Return the worker's share, in KiB, of memory that is of no file.

    Pages of a library are shared with other tests' executors, which come and go.
    """
    with open(f"/proc/{session.worker_pid}/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Pss_Anon:"))


def test_memory_of_the_far_side_does_not_grow(session: Session) -> None:
    def rounds(count: int) -> None:
        for _ in range(count):
            session.run("int big[20000] = {1}; thread_local int wide[5000] = {2}; int *p = wide;")
            session.undo()

    rounds(20)
    before = memory(session)
    rounds(200)
    assert memory(session) < before + 400  # one round takes 100 KiB


def test_removed_names_are_unknown(session: Session) -> None:
    session.run("int gone() { return 1; }")
    session.run("int kept = gone();")
    session.undo(2)
    with pytest.raises(CompileError, match="undeclared identifier 'gone'"):
        session.run("gone()")
    session.run("int gone();")
    with pytest.raises(UndefinedSymbols, match=r"gone\(\) is undefined") as caught:
        session.run("gone()")
    assert caught.value.symbols == ("_Z4gonev",)
    session.run("int gone() { return 2; }")
    assert number(session, "gone()") == 2


def test_an_undone_initialiser_never_runs_again(session: Session) -> None:
    lib = session.jitdylib("lib")
    lib.run("#include <cstdio>")
    lib.run('int first = printf("first ");')
    lib.run('int second = printf("second ");')
    session.undo()
    lib.close()
    assert lib.open().stdout == "first "


def test_a_failed_cell_leaves_nothing(session: Session, build: Build) -> None:
    session.run("int base = 1;")
    before = session.statistics()
    for _ in range(3):
        with pytest.raises(UndefinedSymbols):
            session.run("int nowhere(); thread_local int t = 5; int x = nowhere() + t;")
    assert session.statistics() == before
