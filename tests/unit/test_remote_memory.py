"""The slab's allocator, against a model that knows every byte."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from farside.errors import InternalError, OutOfAddressSpace
from farside.remote.memory import MemoryMark, SlabAllocator

BASE = 0x7F0000000000
PAGE = 4096


def test_blocks_come_from_the_high_end() -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    assert slab.allocate(5, 100) > BASE + (1 << 30) - 65536 - 1
    assert slab.allocate(3, 1 << 20) > BASE + (1 << 29)


def test_small_blocks_of_one_protection_share_pages() -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    addresses = [slab.allocate(5, 200) for _ in range(10)]
    assert len(slab.pending().protect) == 1
    assert max(addresses) - min(addresses) < 10 * 208
    slab.allocate(3, 200)
    assert [entry[0] for entry in slab.pending().protect] == [5, 3]


def test_a_large_block_has_its_own_pages() -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    address = slab.allocate(3, 100_000_000)
    assert slab.pending().protect == ((3, address, 100_003_840),)
    assert slab.pending().zero == ()


def test_freed_small_blocks_are_overwritten_and_freed_pages_given_back() -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    small, large = slab.allocate(3, 100), slab.allocate(3, 1 << 20)
    slab.mark()
    slab.commit()
    assert slab.pending() == ((), ())
    slab.free(small, 100)
    slab.free(large, 1 << 20)
    assert slab.pending().zero == ((small, 112),)
    assert slab.pending().writes([]) == [(small, bytes(112))]
    assert slab.pending().protect == ((0, large, 1 << 20),)


def test_a_store_over_what_is_to_be_zeroed_is_one_store() -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    small = slab.allocate(3, 100)
    slab.free(small, 100)
    full, short, elsewhere = b"x" * 100, b"x" * 96, b"y" * 100
    assert slab.pending().writes([(small, full)]) == [(small, full + bytes(12))]
    assert slab.pending().writes([(small, short)]) == [(small, bytes(112)), (small, short)]
    assert slab.pending().writes([(small + 112, elsewhere)]) == [
        (small, bytes(112)),
        (small + 112, elsewhere),
    ]


def test_no_room_is_an_error_that_changes_nothing() -> None:
    slab = SlabAllocator(BASE, 1 << 20)
    with pytest.raises(OutOfAddressSpace, match="no room"):
        slab.allocate(3, 2 << 20)
    assert slab.allocate(3, 1 << 20) == BASE
    with pytest.raises(OutOfAddressSpace):
        slab.allocate(3, 1)


@pytest.mark.parametrize("alignment", [16, 64, 4096, 1 << 16, 1 << 21])
def test_alignment(alignment: int) -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    slab.allocate(3, 24)
    assert slab.allocate(3, 24, alignment) % alignment == 0


def test_a_cell_taken_back_leaves_the_allocator_as_it_was() -> None:
    slab = SlabAllocator(BASE, 1 << 30)
    first = slab.allocate(5, 64)
    slab.mark()
    slab.commit()
    slab.mark()
    again = [slab.allocate(5, 64), slab.allocate(3, 64), slab.allocate(3, 1 << 20)]
    slab.free(first, 64)
    slab.rollback()
    slab.free(first, 64)
    slab.mark()
    assert [slab.allocate(3, 1 << 20)] == [again[2]] or slab.allocated == 1 << 20


@pytest.mark.parametrize(
    "wrong",
    [
        lambda slab: slab.free(BASE, 16),
        lambda slab: slab.allocate(3, 16, 24),
        lambda slab: slab.allocate(3, -1),
        lambda slab: slab.commit(),
        lambda slab: slab.rollback(),
        lambda slab: (slab.mark(), slab.mark()),
    ],
)
def test_misuse_is_an_internal_error(wrong: Any) -> None:
    with pytest.raises(InternalError):
        wrong(SlabAllocator(BASE, 1 << 20))


class SlabMachine(RuleBasedStateMachine):
    """Random use; blocks never overlap, and free memory that is handed out reads as zero."""

    size = 4 << 20

    @initialize()
    def start(self) -> None:
        self.slab = SlabAllocator(BASE, self.size)
        self.blocks: dict[int, tuple[int, int]] = {}  # address -> size, prot
        self.saved: tuple[dict[int, tuple[int, int]], list[int], Any] | None = None
        # What the far side's memory is: protection by page, and the bytes that are not zero.
        self.pages: dict[int, int] = {}
        self.dirty: set[int] = set()  # granules
        self.freed: list[int] = []
        # Kept states of the far side, oldest first: the allocator's mark, blocks, pages and bytes.
        self.kept: list[tuple[MemoryMark, dict[int, tuple[int, int]], dict[int, int], set[int]]]
        self.kept = []

    def granules(self, address: int, size: int) -> range:
        return range(address // 16, (address + max(size, 1) + 15) // 16)

    @rule(
        prot=st.sampled_from([1, 3, 5]),
        size=st.one_of(st.integers(0, 600), st.integers(0, 200_000)),
        alignment=st.sampled_from([1, 8, 16, 64, 4096, 8192]),
    )
    def allocate(self, prot: int, size: int, alignment: int) -> None:
        try:
            address = self.slab.allocate(prot, size, alignment)
        except OutOfAddressSpace:
            return
        assert address % alignment == 0
        assert address >= BASE
        assert address + size <= BASE + self.size
        for other, (other_size, _) in self.blocks.items():
            assert address + max(size, 1) <= other or other + max(other_size, 1) <= address
        self.blocks[address] = (size, prot)

    @precondition(lambda self: len(self.blocks) > len(self.freed))
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from([a for a in self.blocks if a not in self.freed]))
        self.slab.free(address, self.blocks[address][0])
        if self.saved is None:
            del self.blocks[address]
            self.gone(address)
        else:
            self.freed.append(address)

    @precondition(lambda self: self.saved is None)
    @rule()
    def mark(self) -> None:
        self.slab.mark()
        self.saved = (dict(self.blocks), [], None)
        self.freed = []

    @precondition(lambda self: self.saved is not None)
    @rule(sent=st.booleans())
    def rollback(self, sent: bool) -> None:
        assert self.saved is not None
        if sent:
            self.apply()
        self.slab.rollback()
        self.blocks = self.saved[0]
        self.saved, self.freed = None, []

    @precondition(lambda self: self.saved is not None)
    @rule(keep=st.booleans())
    def commit(self, keep: bool) -> None:
        self.apply()
        self.slab.commit()
        for address in self.freed:
            del self.blocks[address]
            self.gone(address)
        self.saved, self.freed = None, []
        if keep:
            state = self.slab.state()
            self.kept.append((state, dict(self.blocks), dict(self.pages), set(self.dirty)))

    def gone(self, address: int) -> None:
        """A state is not gone back to when one of its blocks has been freed."""
        self.kept = [each for each in self.kept if address not in each[1]]

    @precondition(lambda self: self.saved is None and self.kept)
    @rule(data=st.data())
    def return_to(self, data: st.DataObject) -> None:
        number = data.draw(st.integers(0, len(self.kept) - 1))
        mark, blocks, pages, dirty = self.kept[number]
        for address in [address for address in self.blocks if address not in blocks]:
            self.slab.free(address, self.blocks[address][0])
        self.slab.return_to(mark)
        self.blocks, self.pages, self.dirty = dict(blocks), dict(pages), set(dirty)
        del self.kept[number + 1 :]

    def apply(self) -> None:
        """Do what an executor does with a commit, then fill every block with ones."""
        assert self.saved is not None
        pending = self.slab.pending()
        for prot, address, size in pending.protect:
            for page in range(address // PAGE, (address + size) // PAGE):
                self.pages[page] = prot
                self.dirty.difference_update(range(page * 256, page * 256 + 256))
        for address, size in pending.zero:
            self.dirty.difference_update(self.granules(address, size))
        for address, (size, prot) in self.blocks.items():
            for page in range(address // PAGE, (address + max(size, 1) - 1) // PAGE + 1):
                assert self.pages[page] == prot
            if address not in self.saved[0]:
                assert self.dirty.isdisjoint(self.granules(address, size))
                self.dirty.update(self.granules(address, size))

    @invariant()
    def room_adds_up(self) -> None:
        if not hasattr(self, "slab"):
            return
        free = self.slab._pages.total + sum(a.free.total for a in self.slab._arenas.values())
        assert free + self.slab.allocated == self.size


TestSlabMachine = SlabMachine.TestCase
