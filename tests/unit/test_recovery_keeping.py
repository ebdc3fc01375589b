"""Which states of a program are kept."""

from __future__ import annotations

import pytest

from farside.recovery.keeping import KeptStates


class State:
    def __init__(self, images: int, pins: int = 0) -> None:
        self.images = images
        self.pins = pins
        self.closed = False

    def close(self) -> None:
        self.closed = True


def kept_after(count: int, limit: int) -> list[int]:
    states: KeptStates[State] = KeptStates(limit)
    for images in range(count):
        states.add(State(images))
    return [state.images for state in states]


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 100])
@pytest.mark.parametrize("count", [1, 5, 50, 300])
def test_the_newest_stays_and_the_number_is_bounded(limit: int, count: int) -> None:
    kept = kept_after(count, limit)
    assert len(kept) == min(limit, count)
    assert kept[-1] == count - 1


def test_gaps_grow_with_age() -> None:
    assert kept_after(200, 10) == [63, 127, 159, 175, 183, 191, 195, 197, 198, 199]


def test_a_newer_state_with_the_same_images_replaces_the_older() -> None:
    states: KeptStates[State] = KeptStates(5)
    old, new, newest = State(3), State(3), State(3)
    states.add(old)
    states.add(new)
    assert not old.closed  # what the newest asks for may never come to be
    assert states.find(3) is new
    states.add(newest)
    assert list(states) == [new, newest]
    assert old.closed
    assert states.find(3) is newest


def test_pinned_states_are_kept_and_not_counted() -> None:
    states: KeptStates[State] = KeptStates(2)
    pinned = State(0, pins=1)
    states.add(pinned)
    for images in range(10):
        states.add(State(images))
    assert len(states) == 3
    assert next(iter(states)) is pinned
    assert not pinned.closed


def test_ends() -> None:
    states: KeptStates[State] = KeptStates(10)
    every = [State(images) for images in range(6)]
    for state in every:
        states.add(state)
    for later in states.take_after(every[4]):
        later.close()
    states.end_beyond(2)
    assert [state.closed for state in every] == [False] * 3 + [True] * 3
    states.close()
    assert len(states) == 0
    assert states.newest is None
    assert all(state.closed for state in every)
