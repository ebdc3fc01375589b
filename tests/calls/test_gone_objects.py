"""Objects and compiled calls whose meaning has changed, and programs that end between calls."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from farside.calls import history
from farside.errors import ArgumentMismatch, Crashed, ValueGone
from farside.result.value import Value
from farside.session import Session
from tests.session.conftest import NewSession, end_between_cells, end_snapshot, shown


def test_a_class_that_is_defined_again(session: Session) -> None:
    session.run("struct Q { int a = 1; int get() { return a; } }; int of(Q &q) { return q.a; }")
    old = session.new("Q")
    assert (session.of(old).get(), session.fn.of(old)) == (1, 1)
    session.run("struct Q { double d = 0.5; int a = 4; int get() { return a; } };")
    new = session.new("Q")
    assert session.of(new).get() == 4
    with pytest.raises(ArgumentMismatch):
        session.fn.of(new)
    for use in (lambda: session.fn.of(old), session.of(old).get, lambda: session.eval(f"{old}")):
        with pytest.raises(ValueGone, match="defined again"):
            use()


@pytest.mark.parametrize("before", ["using T = int; ", "namespace n { int a; } "])
def test_a_class_that_is_defined_again_beside_something_else(session: Session, before: str) -> None:
    session.run("struct Q { int a = 1; int get() { return a; } };")
    old = session.new("Q")
    assert session.of(old).get() == 1
    session.run(f"{before}struct Q {{ double d = 0.5; int a = 4; int get() {{ return a; }} }};")
    with pytest.raises(ValueGone, match="defined again"):
        session.of(old).get()
    assert session.of(session.new("Q")).get() == 4


def test_an_object_in_the_place_of_one_that_is_gone(session: Session) -> None:
    session.run("struct A { int n; A(int n) : n(n) {} }; int n_of(A &a) { return a.n; }")
    session.run("int later = 1;")
    gone = session.new("A", 5)
    session.undo()
    session.run("int later = 1;")
    assert session.fn.n_of(session.new("A", 77)) == 77
    with pytest.raises(ValueGone):
        session.fn.n_of(gone)
    with pytest.raises(ValueGone):
        session.eval(f"{gone}.n")


def test_an_object_of_another_session(session: Session, new_session: NewSession) -> None:
    session.run("struct A { int n = 3; };")
    with pytest.raises(ValueGone, match="another session"):
        new_session().eval(f"{session.new('A')}.n")


def test_a_program_that_is_killed_between_calls(session: Session) -> None:
    session.run("int n = 0; int next() { return ++n; }")
    assert [session.fn.next(), session.fn.next()] == [1, 2]
    end_between_cells(session, session.worker_pid)
    assert session.fn.next() == 3
    assert any("made again" in each for each in session.run("0").notices)


def test_calls_since_the_state_before_the_newest(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest may never have come to be, if the program had ended when it was asked for."""
    monkeypatch.setattr(history, "_PAUSE", 0.0)  # a state is kept before each call
    session.run("int n = 0; int next() { return ++n; }")
    assert [session.fn.next() for _ in range(3)] == [1, 2, 3]
    newest = session._execution._kept.newest
    assert newest is not None
    end_between_cells(session, session.worker_pid)
    end_snapshot(newest.snapshot)
    assert session.fn.next() == 4


def test_a_checkpoint_is_of_what_calls_have_left(session: Session) -> None:
    session.run("int n = 1; void set(int to) { n = to; } struct A { int n = 3; };")
    session.fn.set(50)
    made = session.new("A")
    session.checkpoint("50")
    session.run("n = 2;")
    assert session.restore("50") == ()
    assert session.eval("n") == 50
    assert session.eval(f"{made}.n") == 3


def test_a_callable_is_not_called_again_after_a_crash(session: Session) -> None:
    session.run("#include <functional>\nint n; std::function<int(int)> next;")
    session.run("void keep(std::function<int(int)> given) { next = given; }")
    given: list[int] = []

    def give(number: int) -> int:
        given.append(number)
        return len(given)

    session.fn.keep(give)
    session.run("n = next(7);")
    with pytest.raises(Crashed) as caught:
        session.run("*(volatile int *)nullptr = 1;")
    assert caught.value.recovery == ("the program's state is as it was before the cell",)
    assert session.eval("n") == 1
    assert given == [7]


def test_large_arguments_of_callbacks(session: Session) -> None:
    session.run("""
        #include <functional>
        #include <vector>
        double ask(std::function<double(std::vector<double>)> f, int n) {
          return f(std::vector<double>(n, 0.5));
        }
    """)
    assert session.fn.ask(lambda numbers: float(sum(numbers)), 40_000) == 20_000


def test_what_is_no_code(session: Session) -> None:
    number: Any = 3
    for use in (session.run, session.eval, session.new):
        with pytest.raises(TypeError, match="C\\+\\+ code is a str, not int"):
            use(number)


def test_times_that_nanoseconds_cannot_hold(session: Session) -> None:
    session.run("#include <chrono>\nusing namespace std::chrono;")
    assert shown(session.run("sys_days(year(2300) / 1 / 1)")) == "a time before 1678 or after 2261"
    far = session.eval("(system_clock::time_point::max())")
    assert isinstance(far, Value)
    assert far.text == "a time before 1678 or after 2261"
    assert shown(session.run("sys_days(year(2023) / 1 / 1)")) == "2023-01-01 00:00:00 UTC"


def test_a_session_that_outlives_the_interpreter_says_that_it_is_closed() -> None:
    code = (
        "from farside.session import Session\n"
        "class Late:\n"
        "    def __init__(self, session): self.session = session\n"
        "    def __del__(self):\n"
        "        try: self.session.eval('1')\n"
        "        except Exception as error: print(type(error).__name__, flush=True)\n"
        "late = Late(Session())\n"
    )
    made = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert (made.stdout, made.stderr) == ("SessionClosed\n", "")
