"""Allocation within the far side's slab, done by the near side alone.

The slab is one reserved range of addresses. It is divided twice. **Page runs** come from the high
end, where the libraries are near. Large blocks are page runs of their own. Small ones share the
pages of an **arena**; there is one arena for each protection, and it grows by chunks of pages. So a
cell of a few hundred bytes costs a few hundred bytes.

Free memory is zero, always, because images do not send their zeros. Pages that are taken are mapped
afresh by the next commit (`PendingChanges.protect`), and small blocks that are given back are
overwritten by it (`PendingChanges.zero`).

A cell is one transaction: `mark`, allocations, then `commit` when the far side has confirmed, or
`rollback`, after which everything is as it was at `mark`. Blocks freed within a transaction stay
until `commit`.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from farside.annotations import TYPE_CHECKING
from farside.errors import InternalError, OutOfAddressSpace
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.remote.commit import Buffer

_GRANULE = 16
_LARGE = 32768
_FIRST_CHUNK = 65536
_MAX_CHUNK = 4 << 20


class PendingChanges(NamedTuple):
    """What the next commit must do before its own stores.

    Attributes:
        protect: (protection, address, size) of pages to map afresh, in order.
        zero: (address, size) of bytes to overwrite with zeros.
    """

    protect: tuple[tuple[int, int, int], ...]
    zero: tuple[tuple[int, int], ...]

    def writes(self, stores: Sequence[tuple[int, Buffer]]) -> list[tuple[int, Buffer]]:
        """Return the stores of an image for a commit request, and before them those of `zero`.

        Where a block takes the place of one of its size, as each of a row of similar cells does,
        the two stores become one.
        """
        zero: dict[int, int] = {}
        for address, size in self.zero:
            zero[address] = max(size, zero.get(address, 0))
        merged: list[tuple[int, Buffer]] = []
        for address, content in stores:
            room = zero.get(address)
            if room is None or room - len(content) >= _GRANULE:
                merged.append((address, content))
            else:
                del zero[address]
                merged.append((address, bytes(content).ljust(room, b"\0")))
        return [*((address, bytes(room)) for address, room in zero.items()), *merged]


class MemoryMark(NamedTuple):
    """What a later `SlabAllocator.return_to` must know of the far side at this moment.

    Attributes:
        commits: how many it had done.
        zero: what it had been left to overwrite.
    """

    commits: int
    zero: tuple[tuple[int, int], ...]


class FreeRanges:
    """Free ranges of addresses, coalesced; the best fit is found by bisection.

    A range is found by its start, by its end (for coalescing) and by its size.
    """

    __slots__ = ("_by_end", "_by_size", "_by_start")

    def __init__(self) -> None:
        self._by_start: dict[int, int] = {}
        self._by_end: dict[int, int] = {}
        self._by_size: list[tuple[int, int]] = []

    @property
    def total(self) -> int:
        """Free bytes in all."""
        return sum(size for size, _ in self._by_size)

    def ranges(self) -> list[tuple[int, int]]:
        """Return (start, end) of each range, sorted."""
        return sorted(self._by_start.items())

    def _add(self, start: int, end: int) -> None:
        self._by_start[start] = end
        self._by_end[end] = start
        insort(self._by_size, (end - start, start))

    def _remove(self, start: int, end: int) -> None:
        del self._by_start[start]
        del self._by_end[end]
        del self._by_size[bisect_left(self._by_size, (end - start, start))]

    def give(self, start: int, size: int) -> None:
        """Add a range that overlaps none."""
        end = start + size
        before = self._by_end.get(start)
        after = self._by_start.get(end)
        if before is not None:
            self._remove(before, start)
            start = before
        if after is not None:
            self._remove(end, after)
            end = after
        self._add(start, end)

    def take(self, size: int, alignment: int) -> int | None:
        """Remove `size` bytes from the high end of a fitting range; None if there is none."""
        # The best fits may be aligned badly. A few are tried; beyond them only a range that is
        # large enough for any alignment is certain.
        best = bisect_left(self._by_size, (size, 0))
        certain = bisect_left(self._by_size, (size + alignment - 1, 0))
        for index in (*range(best, min(best + 4, certain)), certain):
            if index == len(self._by_size):
                break
            length, start = self._by_size[index]
            address: int = (start + length - size) & -alignment
            if address >= start:
                self._split(start, start + length, address, address + size)
                return address
        return None

    def carve(self, start: int, size: int) -> None:
        """Remove this very range, which must be free."""
        # The range that holds it: its own, as found by start, or one that coalescing made.
        end = start + size
        for low, high in self._by_start.items():
            if low <= start and end <= high:
                self._split(low, high, start, end)
                return
        raise InternalError(f"The range {start:#x} to {end:#x} is not free.")

    def _split(self, low: int, high: int, start: int, end: int) -> None:
        self._remove(low, high)
        if low < start:
            self._add(low, start)
        if end < high:
            self._add(end, high)


class _Arena:
    """The pages of one protection that small blocks share."""

    __slots__ = ("chunk", "free")

    def __init__(self) -> None:
        self.free = FreeRanges()
        self.chunk = _FIRST_CHUNK


class _Transaction:
    """What must be taken back: blocks, chunks and page runs, in order."""

    __slots__ = ("blocks", "chunks", "frees", "protect")

    def __init__(self, protect: int) -> None:
        self.blocks: list[int] = []
        self.chunks: list[tuple[int, int, int, int]] = []  # protection, start, size, chunk before
        self.frees: list[int] = []
        self.protect = protect  # entries that were pending before


class SlabAllocator:
    """Allocates in one slab.

    Attributes:
        base, size: the slab, in bytes, both multiples of `page_size`.
    """

    def __init__(self, base: int, size: int, page_size: int = 4096) -> None:
        self.base = base
        self.size = size
        self._page = page_size
        self._pages = FreeRanges()
        self._pages.give(base, size)
        self._arenas: dict[int, _Arena] = {}
        self._blocks: dict[int, tuple[int, int, bool]] = {}  # address -> size, protection, large
        self._protect: list[tuple[int, int, int]] = []
        self._zero: list[tuple[int, int]] = []
        self._transaction: _Transaction | None = None
        self._commits = 0
        # Of each chunk, by its start: the commit that maps it, counted from 0; protection; size.
        self._chunks: dict[int, tuple[int, int, int]] = {}

    @property
    def allocated(self) -> int:
        """Bytes in blocks, rounding included."""
        return sum(size for size, _, _ in self._blocks.values())

    def allocate(self, prot: int, size: int, alignment: int = _GRANULE) -> int:
        """Return the address of a new block of zero bytes.

        Args:
            prot: ORC's protection bits: read 1, write 2, execute 4.
            size: in bytes; 0 gives a block of its own all the same.
            alignment: in bytes, a power of two.

        Raises:
            OutOfAddressSpace: the slab has no room.
        """
        if size < 0 or alignment <= 0 or alignment & (alignment - 1) or not 0 <= prot <= 7:
            raise InternalError(f"Allocation of {size} bytes, alignment {alignment}, {prot}.")
        alignment = max(alignment, _GRANULE)
        size = max(size + _GRANULE - 1, _GRANULE) & -_GRANULE
        large = size >= _LARGE or alignment > self._page
        if large:
            size = (size + self._page - 1) & -self._page
            address = self._take_pages(prot, size, max(alignment, self._page))
        else:
            address = self._take_small(prot, size, alignment)
        self._blocks[address] = (size, prot, large)
        if self._transaction is not None:
            self._transaction.blocks.append(address)
        return address

    def free(self, address: int, size: int) -> None:
        """Give a block back. `size` is what `allocate` was asked for, as a check.

        Raises:
            InternalError: there is no such block.
        """
        found = self._blocks.get(address)
        if found is None or not size <= found[0]:
            raise InternalError(f"No block of {size} bytes lies at {address:#x}.")
        if self._transaction is None:
            self._release(address)
        elif address in self._transaction.frees:
            raise InternalError(f"The block at {address:#x} is freed twice.")
        else:
            self._transaction.frees.append(address)

    def pending(self) -> PendingChanges:
        """Return what the next commit must do first."""
        return PendingChanges(tuple(self._protect), tuple(self._zero))

    def mark(self) -> None:
        """Begin a transaction. Raises InternalError within one."""
        if self._transaction is not None:
            raise InternalError("A transaction of the slab is open already.")
        self._transaction = _Transaction(len(self._protect))

    def commit(self) -> None:
        """End the transaction: the far side has done what was pending."""
        transaction = self._end()
        self._commits += 1
        self._protect.clear()
        self._zero.clear()
        for address in transaction.frees:
            self._release(address)

    def rollback(self) -> None:
        """End the transaction and take back its allocations, whether or not they were sent."""
        transaction = self._end()
        del self._protect[transaction.protect :]
        chunks = [(start, start + size) for _, start, size, _ in transaction.chunks]
        for address in reversed(transaction.blocks):
            in_new_chunk = any(low <= address < high for low, high in chunks)
            self._release(address, zero=not in_new_chunk)
        for prot, start, size, growth in reversed(transaction.chunks):
            arena = self._arenas[prot]
            arena.free.carve(start, size)
            arena.chunk = growth
            del self._chunks[start]
            self._give_pages(start, size)

    def state(self) -> MemoryMark:
        """Describe the far side's memory as it is between two transactions."""
        return MemoryMark(self._commits, tuple(self._zero))

    def return_to(self, mark: MemoryMark) -> None:
        """Take note that the far side's memory is as it was at `mark`.

        To be called when all blocks allocated since have been freed. The chunks that were mapped
        since are kept, but must be mapped again.
        """
        for start, (commit, prot, size) in self._chunks.items():
            if commit >= mark.commits:
                self._chunks[start] = (self._commits, prot, size)
                if (prot, start, size) not in self._protect:
                    self._protect.append((prot, start, size))
        self._zero += [each for each in mark.zero if each not in self._zero]

    def _end(self) -> _Transaction:
        transaction = self._transaction
        if transaction is None:
            raise InternalError("No transaction of the slab is open.")
        self._transaction = None
        return transaction

    def _take_pages(self, prot: int, size: int, alignment: int) -> int:
        address = self._pages.take(size, alignment)
        if address is None:
            raise OutOfAddressSpace(
                f"The far side's address range of {self.size} bytes has no room for a block of"
                f" {size} bytes; start the session with a larger one (--slab-allocate)."
            )
        self._protect.append((prot, address, size))
        return address

    def _give_pages(self, address: int, size: int) -> None:
        """Their memory goes back to the far side's system at the next commit."""
        self._pages.give(address, size)
        self._protect.append((0, address, size))

    def _take_small(self, prot: int, size: int, alignment: int) -> int:
        arena = self._arenas.get(prot)
        if arena is None:
            arena = self._arenas[prot] = _Arena()
        address = arena.free.take(size, alignment)
        if address is None:
            growth = arena.chunk
            start = self._take_pages(prot, growth, self._page)
            arena.free.give(start, growth)
            arena.chunk = min(growth * 2, _MAX_CHUNK)
            self._chunks[start] = (self._commits, prot, growth)
            if self._transaction is not None:
                self._transaction.chunks.append((prot, start, growth, growth))
            address = arena.free.take(size, alignment)
            if address is None:
                raise InternalError(f"A new chunk has no room for {size} bytes.")
        return address

    def _release(self, address: int, *, zero: bool = True) -> None:
        size, prot, large = self._blocks.pop(address)
        if large:
            self._give_pages(address, size)
            return
        self._arenas[prot].free.give(address, size)
        if zero:
            self._zero.append((address, size))
