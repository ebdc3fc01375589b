"""What snapshots may cost: forks a share of the time, copies a share of the memory."""

from __future__ import annotations

import os

import pytest

from farside.recovery import thrift
from farside.recovery.keeping import KeptStates
from farside.recovery.thrift import ForkBudget, MemoryWatch, held_by_snapshots


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(thrift, "monotonic", clock)
    return clock


def test_cheap_forks_are_always_allowed(clock: Clock) -> None:
    budget = ForkBudget()
    budget.seconds = 0.0005
    for _ in range(3):
        assert budget.allows()
        budget.spend()
    assert not budget.saved


def test_dear_forks_take_a_quarter_of_the_time(clock: Clock) -> None:
    budget = ForkBudget()
    budget.seconds = 0.1
    assert budget.allows()
    budget.spend()
    clock.now += 0.3
    assert not budget.allows()
    assert budget.saved
    assert "100 ms" in budget.notice()
    clock.now += 0.11
    assert budget.allows()


def test_memory_is_looked_at_in_proportion(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def held(worker: int, snapshots: object) -> int:
        looked.append(worker)
        return 1000

    monkeypatch.setattr(thrift, "held_by_snapshots", held)
    monkeypatch.setattr(thrift, "_resident", lambda _: 2000)
    times = iter([1.0, 1.2])
    monkeypatch.setattr(thrift, "perf_counter", lambda: next(times))
    watch = MemoryWatch(300)
    assert watch.excess(1, [2]) == 700
    clock.now += 19
    assert watch.excess(1, [2]) == 0
    assert looked == [1]


def test_memory_is_not_walked_where_all_that_is_mapped_is_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thrift, "held_by_snapshots", lambda *_: 1 << 60)
    assert MemoryWatch(1 << 50).excess(1, [os.getpid()]) == 0
    assert MemoryWatch(1).excess(1, [os.getpid()]) == (1 << 60) - 1


def test_a_process_alone_holds_nothing_for_others() -> None:
    assert held_by_snapshots(os.getpid(), []) == 0
    assert MemoryWatch(None).excess(os.getpid(), []) == 0


class FakeState:
    def __init__(self, images: int) -> None:
        self.images = images
        self.pins = 0
        self.closed = False

    def close(self) -> None:
        self.closed = True


def test_thinning_spares_the_newest_and_pinned() -> None:
    kept: KeptStates[FakeState] = KeptStates(10)
    states = [FakeState(n) for n in range(6)]
    for state in states:
        kept.add(state)
    states[1].pins = 1
    assert kept.thin(25, lambda _: 10) == 3
    assert len(kept) == 3
    assert kept.thin(1 << 40, lambda _: 10) == 1
    assert list(kept) == [states[1], states[5]]
    assert kept.thin(1, lambda _: 10) == 0
