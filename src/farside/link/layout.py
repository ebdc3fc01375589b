"""Placing blocks: one segment for each protection, zeros last and never as bytes.

Within a segment come, in this order: initialiser pointers (in the order in which they are to be
run), other bytes in the objects' order, thread-local data, zeros. Thread-local data is the initial
image that threads copy, so it is read-only, and its zero part lies right behind it. Sections of the
large model come last, so that they do not put distance between the others.

The unwind table is one: the ``.eh_frame`` blocks of all objects, one after the other, and four zero
bytes, on which libgcc's ``__register_frame`` relies.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Protocol
from farside.errors import LinkError, OutOfAddressSpace
from farside.link.graph import PROTS, Block, Section, ThreadData
from farside.link.initialisers import order_of
from farside.object.elf import SHF_TLS, SHF_X86_64_LARGE, SHT_NOBITS, SHT_X86_64_UNWIND

if TYPE_CHECKING:
    from farside.link.graph import LinkGraph, Prot

# No machine gives one process more, and no arithmetic below needs more.
_MAX_SEGMENT = 1 << 46
# Alignment may add this much to a segment's bytes, and as much as the bytes themselves.
_MAX_PADDING = 16 << 20


class Allocator(Protocol):
    """Gives out addresses on the far side."""

    def allocate(self, prot: Prot, size: int, alignment: int) -> int:
        """Return the address of `size` free bytes of one protection.

        Raises:
            OutOfAddressSpace: there is no such range.
        """


class Segment:
    """Bytes of one protection at one address, and zeros behind them.

    Attributes:
        prot: the protection, as `Prot` bits.
        address: of its first byte.
        content: its bytes; fixed up in place.
        zero_fill: how many zero bytes follow them.
        size: of both.
    """

    __slots__ = ("address", "alignment", "content", "prot", "size", "zero_fill")

    def __init__(self, prot: int, content: bytearray, zero_fill: int, alignment: int) -> None:
        self.prot = prot
        self.address = 0
        self.content = content
        self.zero_fill = zero_fill
        self.alignment = alignment
        self.size = len(content) + zero_fill


def lay_out(graph: LinkGraph, allocator: Allocator) -> list[Segment]:
    """Give every block its address and copy its bytes to its segment.

    Raises:
        LinkError: alignment alone would make the image many times its objects' size.
        OutOfAddressSpace: the far side has no room for it.
    """
    if graph.unwind:
        _join_unwind(graph)
    shares: dict[int, list[Block]] = {}
    for block in graph.blocks:
        section = block.section
        prot = section.prot
        if prot in shares:
            shares[prot].append(block)
        else:
            shares[prot] = [block]
    segments: list[Segment] = []
    for prot in sorted(shares):
        blocks = shares[prot]
        segment = _place(graph, prot, blocks)
        if segment.size or _named(graph, blocks):
            size = segment.size or 1  # a name for nothing still needs an address of its own
            base = segment.address = allocator.allocate(PROTS[prot], size, segment.alignment)
            for block in blocks:
                block.address += base
        if segment.size:
            segments.append(segment)
    _note_thread_data(graph)
    return segments


def _place(graph: LinkGraph, prot: int, blocks: list[Block]) -> Segment:
    """Give the blocks of one protection their offsets, and copy their bytes."""
    plain: list[Block] = []
    zeros: list[Block] = []
    thread: list[Block] = []
    thread_zeros: list[Block] = []
    # Only these need another order than the objects'.
    special = bool(graph.boundaries or graph.arrays or graph.large)
    for block in blocks:
        section = block.section
        zero = section.type == SHT_NOBITS
        if section.flags & SHF_TLS:
            (thread_zeros if zero else thread).append(block)
        elif zero:
            zeros.append(block)
        else:
            plain.append(block)
    if special:
        plain.sort(key=_rank)
        zeros.sort(key=_rank)
    end, alignment = _stack(plain, 0)
    content = end
    if thread or thread_zeros:
        graph.thread_blocks = [*thread, *thread_zeros]
        widest = max(block.alignment for block in graph.thread_blocks)
        alignment = max(alignment, widest)
        end = (end + widest - 1) & -widest
        end, _ = _stack(thread, end)
        content = end
        end, _ = _stack(thread_zeros, end)
    if zeros:
        end, widest = _stack(zeros, end)
        alignment = max(alignment, widest)
    if end > _MAX_SEGMENT:
        largest = max(blocks, key=lambda block: block.size)
        raise OutOfAddressSpace(
            f"{largest.section.object_name}: section {largest.section.name} of {largest.size} "
            "bytes is more than any address range holds."
        )
    return _fill(prot, plain + thread, content, end, alignment)


def _stack(blocks: list[Block], end: int) -> tuple[int, int]:
    """Put blocks one after the other from `end` on; return the new end and the widest alignment."""
    widest = 1
    for block in blocks:
        alignment = block.alignment
        if alignment > 1:
            end = (end + alignment - 1) & -alignment
            widest = max(widest, alignment)
        block.address = end
        end += block.size
    return end, widest


def _fill(prot: int, blocks: list[Block], content: int, end: int, alignment: int) -> Segment:
    """Copy the blocks' bytes to a new segment."""
    if content > _MAX_PADDING:
        used = sum([block.size for block in blocks])
        if content - used > _MAX_PADDING + used:
            raise LinkError(
                f"The alignment of {len(blocks)} sections with {used} bytes takes {content} bytes."
            )
    # Between functions lies int3, so that a jump astray is caught where it happens.
    buffer = bytearray(b"\xcc") * content if prot & 4 else bytearray(content)
    for block in blocks:
        at = block.offset = block.address
        buffer[at : at + block.size] = block.content
        block.buffer = buffer
    return Segment(prot, buffer, end - content, alignment)


def _rank(block: Block) -> tuple[int, int, int, str]:
    """Sort key: initialisers in running order, then the rest, sections of the large model last."""
    section = block.section
    order = order_of(section)
    if order is not None:
        return (0, *order, "")
    if section.flags & SHF_X86_64_LARGE:
        return (3, 0, 0, "")
    if section.name.isidentifier():
        return (2, 0, 0, section.name)  # together, for __start_ and __stop_
    return (1, 0, 0, "")


def _named(graph: LinkGraph, blocks: list[Block]) -> bool:
    """Return whether a global symbol lies in one of the blocks, which are all empty."""
    homes = {id(block) for block in blocks}
    return any(id(symbol.block) in homes for symbol in graph.globals.values())


def _join_unwind(graph: LinkGraph) -> None:
    """Put the unwind records of all objects behind each other and end them with a zero length.

    No padding may come between two blocks: the zeros would end the table there.
    """
    tables = [block for block in graph.unwind if block.live and block.size]
    homes = {id(block) for block in graph.unwind}
    graph.blocks = [block for block in graph.blocks if id(block) not in homes]
    graph.unwind = tables
    if not tables:
        return
    for number, block in enumerate(tables):
        block.section.prot = 1
        block.alignment = 1 if number else 8
    section = Section(".eh_frame", graph.name, 1, SHT_X86_64_UNWIND, 0)
    tables.append(Block(section, b"\0\0\0\0", 4, 1))
    graph.blocks += tables


def _note_thread_data(graph: LinkGraph) -> None:
    """Note the range of the initial thread-local data, if there is any."""
    blocks = graph.thread_blocks
    if blocks:
        start = blocks[0].address
        stop = max(block.address + block.size for block in blocks)
        filled = [b.address + b.size for b in blocks if b.section.type != SHT_NOBITS]
        graph.thread_data = ThreadData(
            start,
            stop - start,
            max(filled, default=start) - start,
            max(block.alignment for block in blocks),
        )
