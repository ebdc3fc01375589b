"""When an answer is looked for before the thread sleeps."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from farside.remote import pace

if TYPE_CHECKING:
    from farside.remote.pace import Pace


class Clock:
    """A clock that a test sets, on a machine with so many processors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, processors: int = 2) -> None:
        self.now = 10**12
        monkeypatch.setattr(pace, "perf_counter_ns", lambda: self.now)
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(processors)))

    def calls(self, pace: Pace, count: int, *, takes: int = 5_000, slept: bool = True) -> int:
        """Make calls one after the other; return how many of their answers were looked for."""
        looked = 0
        for _ in range(count):
            patient = pace.patience() > 0
            looked += patient
            self.now += 20_000 + takes
            pace.answered(slept=slept or not patient, nanoseconds=takes)
        return looked


def test_short_calls_in_a_row_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(monkeypatch), pace.Pace()
    assert clock.calls(found, 4, slept=False) == 0
    assert clock.calls(found, 100, slept=False) == 100


def test_not_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(monkeypatch), pace.Pace()
    clock.calls(found, 10, slept=False)
    for _ in range(20):
        clock.now += 10**9
        assert clock.calls(found, 1, slept=False) == 0


def test_not_calls_that_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(monkeypatch), pace.Pace()
    assert clock.calls(found, 1000, takes=100_000) == 0


def test_not_on_one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(monkeypatch, processors=1), pace.Pace()
    assert clock.calls(found, 1000, slept=False) == 0


def test_rarely_where_it_is_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, found = Clock(monkeypatch), pace.Pace()
    assert clock.calls(found, 10_000) < 20
