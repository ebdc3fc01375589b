"""Which states of the program are kept, and for how long.

A state is known by the number of images that the program had: states are taken one after the
other, and going back to one ends all that came later, so each number means one state. Of several
with the same number the newest counts (a library was loaded in between, or ``main`` has run), and
the one before it if the newest is not there.

The newest is what a crash goes back to and always kept. The others serve ``%undo``: many of the
last few cells, fewer the older they are, so that the gaps grow with age. A pinned one is kept.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class State(Protocol):
    """What is kept."""

    pins: int

    @property
    def images(self) -> int:
        """How many images the program had."""

    def close(self) -> None:
        """Forget the state."""


S = TypeVar("S", bound=State)


class KeptStates(Generic[S]):
    """States, oldest first; at most `limit`, pinned ones not counted."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._states: list[S] = []

    def __iter__(self) -> Iterator[S]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    @property
    def newest(self) -> S | None:
        """The state that was kept last."""
        return self._states[-1] if self._states else None

    def add(self, state: S) -> None:
        """Keep a new state, and forget another where there are too many."""
        # The last stays for the time being: the new one does not come to be if the program has
        # ended, which is known later.
        for replaced in self._states[-2:-1]:
            if replaced.images == state.images and not replaced.pins:
                self.remove(replaced)
        self._states.append(state)
        free = [each for each in self._states if not each.pins]
        if len(free) > self._limit:
            self.remove(self._dispensable(free))

    def thin(self, excess: int, size: Callable[[S], int]) -> int:
        """Forget states, but for the newest and pinned ones, until `excess` bytes are saved.

        Returns:
            how many were forgotten.
        """
        count = 0
        while excess > 0:
            free = [each for each in self._states if not each.pins and each is not self.newest]
            if not free:
                break
            state = self._dispensable([*free, self._states[-1]])
            excess -= size(state)
            self.remove(state)
            count += 1
        return count

    def find(self, images: int) -> S | None:
        """Return the newest state with this number of images."""
        for state in reversed(self._states):
            if state.images == images:
                return state
        return None

    def remove(self, state: S) -> None:
        """Forget a state."""
        self._states.remove(state)
        state.close()

    def end_beyond(self, images: int) -> None:
        """Forget those that had more images: some of theirs have been removed since."""
        for state in [each for each in self._states if each.images > images]:
            self.remove(state)

    def take_after(self, state: S) -> list[S]:
        """Forget all that came later and return them, for the caller to close."""
        later: list[S] = []
        while self._states and self._states[-1] is not state:
            later.append(self._states.pop())
        return later

    def close(self) -> None:
        """Forget all."""
        while self._states:
            self._states.pop().close()

    @staticmethod
    def _dispensable(free: list[S]) -> S:
        """Return the one whose loss leaves the smallest gap for its age; never the newest."""
        newest = free[-1].images

        def cost(index: int) -> float:
            before = free[index - 1].images if index else -1
            return (free[index + 1].images - before) / (newest - free[index].images + 1)

        return free[min(range(len(free) - 1), key=cost)] if len(free) > 1 else free[0]
