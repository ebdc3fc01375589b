"""Calls that follow each other quickly, where both sides look for the next message before they sleep:
what interrupts such a burst, or comes in between, is as it is elsewhere."""

from __future__ import annotations

import threading
from array import array
from typing import TYPE_CHECKING

import pytest

from farside import Crashed, Interrupted, TimedOut
from farside.calls.wire import LARGE
from farside.errors import CppException

if TYPE_CHECKING:
    from farside import Session
    from tests.session.conftest import NewSession

CODE = """
#include <cstdio>
#include <functional>
#include <stdexcept>
int made = 0;
int step(int by) { return made += by; }
int fail(int) { throw std::runtime_error("no"); }
int die(int) { __builtin_trap(); }
int hang(int) { for (volatile int i = 0;; i = i + 1); }
int print(int n) { return std::printf("%d\\n", n); }
int ask(std::function<int(int)> f) { return f(20) + 1; }
"""
BURST = 200


def burst(session: Session) -> None:
    step = session.fn.step
    for _ in range(BURST):
        step(1)


def test_each_call_of_a_burst_is_made_once_and_in_order(session: Session) -> None:
    session.run(CODE)
    assert [session.fn.step(1) for _ in range(BURST)] == list(range(1, BURST + 1))
    assert session.eval("made") == BURST


def test_what_comes_between_the_calls_of_a_burst(session: Session) -> None:
    session.run(CODE)
    burst(session)
    assert session.fn.ask(lambda n: 2 * n) == 41
    burst(session)
    with pytest.raises(CppException, match="no"):
        session.fn.fail(1)
    burst(session)
    assert session.fn.print(7) == 2
    assert session.call_output == ("7\n", "")
    burst(session)
    assert session.eval("made") == 4 * BURST


def test_a_death_in_a_burst_takes_that_call_back(session: Session) -> None:
    session.run(CODE)
    burst(session)
    with pytest.raises(Crashed):
        session.fn.die(1)
    assert session.fn.step(1) == BURST + 1


def test_a_large_array_costs_no_later_call(session: Session) -> None:
    session.run(CODE)
    session.run("""
        #include <span>
        double total(std::span<const double> v) { return v.size(); }
        int die_if(int x) { if (x) __builtin_trap(); return 0; }
    """)
    assert session.fn.step(0) == session.fn.die_if(0) == 0  # later ones compile nothing
    numbers = array("d", [0.5]) * LARGE
    assert session.fn.total(numbers) == LARGE
    session.run("int later;")  # keeps the state
    assert [session.fn.step(1) for _ in range(3)] == [1, 2, 3]
    with pytest.raises(Crashed) as raised:
        session.fn.die_if(1)
    assert not any("taken back" in each for each in raised.value.recovery)
    assert session.fn.step(0) == 3


def test_a_time_limit_in_a_burst(new_session: NewSession) -> None:
    session = new_session(time_limit=1.0)
    session.run(CODE)
    burst(session)
    with pytest.raises(TimedOut):
        session.fn.hang(1)
    assert session.fn.step(1) == BURST + 1


def test_an_interrupt_in_a_burst(session: Session) -> None:
    session.run(CODE)
    burst(session)
    stops = threading.Event()

    def insist() -> None:
        while not stops.wait(0.02):
            session.interrupt()

    thread = threading.Thread(target=insist)
    thread.start()
    try:
        with pytest.raises(Interrupted):
            session.fn.hang(1)
    finally:
        stops.set()
        thread.join()
    assert session.fn.step(1) == BURST + 1


def test_bursts_in_two_sessions_at_once(new_session: NewSession) -> None:
    sessions = [new_session(), new_session()]
    for session in sessions:
        session.run(CODE)
    threads = [threading.Thread(target=burst, args=(each,)) for each in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.eval("made") for each in sessions] == [BURST, BURST]
