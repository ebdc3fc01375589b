"""The far side's memory: the slab next to the libraries, and the small one below 2 GiB.

Code that was compiled for a fixed address (``-fno-pic``) holds addresses in 32 bits. It is placed
in the low slab, and all else in the other. Both are one memory: a transaction spans them.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.remote.memory import MemoryMark, PendingChanges, SlabAllocator

if TYPE_CHECKING:
    from farside.orc.bootstrap import Setup


class Slabs:
    """The allocators of an executor's slabs, as one.

    Attributes:
        high: next to the libraries.
        low: below 2 GiB, or None where the executor has no such slab.
    """

    def __init__(self, high: SlabAllocator, low: SlabAllocator | None) -> None:
        self.high = high
        self.low = low
        self._all = (high,) if low is None else (high, low)

    @classmethod
    def of(cls, setup: Setup) -> Slabs:
        """Return the allocators of an executor that has a slab."""
        assert setup.slab is not None, "an executor without slab"
        page, low = setup.page_size, setup.low_slab
        return cls(
            SlabAllocator(setup.slab.base, setup.slab.size, page),
            None if low is None else SlabAllocator(low.base, low.size, page),
        )

    @property
    def allocated(self) -> int:
        """Bytes in blocks, rounding included."""
        return sum(each.allocated for each in self._all)

    def allocate(self, prot: int, size: int, alignment: int = 16) -> int:
        """Return the address of a new block in the high slab; see `SlabAllocator.allocate`."""
        return self.high.allocate(prot, size, alignment)

    def free(self, address: int, size: int) -> None:
        """Give a block of either back; see `SlabAllocator.free`."""
        low = self.low
        in_low = low is not None and low.base <= address < low.base + low.size
        (low if low is not None and in_low else self.high).free(address, size)

    def pending(self) -> PendingChanges:
        """Return what the next commit must do first."""
        changes = [each.pending() for each in self._all]
        return PendingChanges(
            tuple([protect for each in changes for protect in each.protect]),
            tuple([zero for each in changes for zero in each.zero]),
        )

    def mark(self) -> None:
        """Begin a transaction."""
        for each in self._all:
            each.mark()

    def commit(self) -> None:
        """End the transaction: the far side has done what was pending."""
        for each in self._all:
            each.commit()

    def rollback(self) -> None:
        """End the transaction and take back its allocations."""
        for each in self._all:
            each.rollback()

    def state(self) -> tuple[MemoryMark, ...]:
        """Describe the far side's memory as it is between two transactions."""
        return tuple([each.state() for each in self._all])

    def return_to(self, mark: tuple[MemoryMark, ...]) -> None:
        """Take note that the far side's memory is as it was at `mark`."""
        for each, state in zip(self._all, mark, strict=True):
            each.return_to(state)
