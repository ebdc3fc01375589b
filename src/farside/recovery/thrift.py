"""How much the snapshots may cost: the time of forks, and memory that only snapshots hold.

A fork copies page tables. That takes a fraction of a millisecond for most programs and a tenth of a
second for a heap of 4 GB in small pages, and the next cell waits for it. `ForkBudget` lets forks
take a quarter of the time at most, so that cells which follow each other quickly are not slowed
down; what is not kept then is told.

Pages that the program has changed since live on in the snapshots. `held_by_snapshots` counts them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic, perf_counter

from farside.annotations import TYPE_CHECKING, Generic, Protocol, TypeVar
from farside.recovery.keeping import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.recovery.keeping import KeptStates

_CHEAP = 0.010  # seconds that nobody minds
_SHARE = 4  # forks take no more than one part in so many of the time
_MEASURING_SHARE = 100  # and looking at memory one in so many
_PAGE = os.sysconf("SC_PAGE_SIZE")


class ForkBudget:
    """When the program may be copied next.

    Attributes:
        seconds: what the last fork of which that is known took of a processor.
        saved: whether a copy was ever left out.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.saved = False
        self._last = 0.0

    def allows(self) -> bool:
        """Tell whether a copy may be made now."""
        if self.seconds <= _CHEAP or monotonic() - self._last >= _SHARE * self.seconds:
            return True
        self.saved = True
        return False

    def spend(self) -> None:
        """Note that a copy is made now."""
        self._last = monotonic()

    def notice(self) -> str:
        """Return what the user should know once copies are left out."""
        return (
            f"copying the program takes {self.seconds * 1e3:.0f} ms, so while cells follow each"
            " other quickly not every state is kept; after a crash a few cells are run again"
        )


class MemoryWatch:
    """When to look at the memory of the snapshots, and how much of it there may be."""

    def __init__(self, limit: int | None) -> None:
        """Set the limit, in bytes; None for half of what the machine has to give at the time."""
        self._limit = limit
        self._next = 0.0

    def excess(self, worker: int, snapshots: Sequence[int]) -> int:
        """Return by how many bytes the snapshots hold more than they may; 0 if not looked at.

        Args:
            worker: pid of the program.
            snapshots: pids of its copies.
        """
        if monotonic() < self._next:
            return 0
        started = perf_counter()
        limit = _available() // 2 if self._limit is None else self._limit
        # The kernel counts what a process has mapped, but must walk it all to tell what is shared.
        mapped = sum([_resident(pid) for pid in snapshots])
        held = held_by_snapshots(worker, snapshots) if mapped > limit else 0
        self._next = monotonic() + _MEASURING_SHARE * (perf_counter() - started)
        return max(0, held - limit)


class Copy(Protocol):
    """A sleeping copy of the program."""

    pid: int
    seconds: float

    def ready(self, timeout: float) -> bool:
        """Tell whether it is there; waits for it so many seconds."""


class CopiedState(State, Protocol):
    """A kept state with its copy."""

    @property
    def snapshot(self) -> Copy:
        """The copy."""


S = TypeVar("S", bound=CopiedState)


class Thrift(Generic[S]):
    """Keeps the cost of a program's states in bounds.

    Attributes:
        forks: the budget of time.
        memory: the watch on memory.
    """

    def __init__(self, states: KeptStates[S], memory_limit: int | None) -> None:
        self.forks = ForkBudget()
        self.memory = MemoryWatch(memory_limit)
        self._states = states
        self._notices: list[str] = []

    def may_fork(self) -> bool:
        """Tell whether the program may be copied now; the first time that it may not is told."""
        for state in list(self._states)[-2:]:  # the newest may still be being made
            if state.snapshot.pid or state.snapshot.ready(0):  # one with a pid has told
                self.forks.seconds = state.snapshot.seconds
        said = self.forks.saved
        allowed = self.forks.allows()
        if self.forks.saved and not said:
            self._notices.append(self.forks.notice())
        return allowed

    def kept(self, worker: int | None) -> None:
        """Note that a copy is made now; forget states while they hold too much memory."""
        self.forks.spend()
        asleep = [each.snapshot.pid for each in self._states if each.snapshot.pid]
        excess = self.memory.excess(worker, asleep) if worker is not None and asleep else 0
        forgotten = self._states.thin(excess, lambda state: share_of(state.snapshot.pid))
        if forgotten:
            were = "a state was" if forgotten == 1 else f"{forgotten} states were"
            self._notices.append(
                f"{were} forgotten, as copies of the program took too much memory (snapshot_memory)"
            )

    def take_notices(self) -> tuple[str, ...]:
        """Return and forget what the user should know."""
        notices = tuple(self._notices)
        self._notices.clear()
        return notices


def held_by_snapshots(worker: int, snapshots: Sequence[int]) -> int:
    """Return how many bytes would be free without the snapshots.

    The proportional shares (PSS) of all add up to the pages that they have together; what the
    program itself has mapped is not the snapshots'.
    """
    total = sum([_rollup(pid, b"Pss:") for pid in (worker, *snapshots)])
    return max(0, total - _rollup(worker, b"Rss:"))


def share_of(pid: int) -> int:
    """Return a process's proportional share of memory, in bytes."""
    return _rollup(pid, b"Pss:")


def _rollup(pid: int, field: bytes) -> int:
    with suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as rollup:
        for line in rollup:
            if line.startswith(field):
                return int(line.split()[1]) << 10
    return 0


def _resident(pid: int) -> int:
    """Return how much a process has mapped of what is in memory, in bytes; 0 for none."""
    with suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb") as counts:
        return int(counts.read().split()[1]) * _PAGE
    return 0


def _available() -> int:
    with suppress(OSError, ValueError), open("/proc/meminfo", "rb") as meminfo:
        for line in meminfo:
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) << 10
    return 1 << 40
