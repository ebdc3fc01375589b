"""LinkedImage: what a link hands on. It is frozen, and knows no graph."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.link.dependence import Dependence, Relation
from farside.link.graph import PROTS, Prot
from farside.link.initialisers import Initialiser, Range, collect
from farside.link.tls import StaticTls, image_key
from farside.object.elf import SHT_NOBITS
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.link.entries import Entry
    from farside.link.graph import LinkGraph, Symbol, SymbolKind, ThreadData
    from farside.link.layout import Segment
    from farside.link.tls import TlsModel


class ImageSegment(NamedTuple):
    """Bytes of one protection, and zeros behind them.

    Attributes:
        prot: their protection.
        address: of the first byte.
        content: the bytes, final.
        zero_fill: how many zero bytes follow them; they are never sent.
    """

    prot: Prot
    address: int
    content: bytes
    zero_fill: int


class ImageSection(NamedTuple):
    """Where one section of one object lies."""

    object_name: str
    name: str
    prot: Prot
    address: int
    size: int
    zero_fill: bool


class SymbolDefinition(NamedTuple):
    """A symbol that the image defines.

    Attributes:
        address: of the code or datum; of a thread-local variable, of its initial datum; of an
            IFUNC, of the stub that stands for it.
        size: in bytes, 0 where unknown.
        weak: whether a later strong definition may take its place.
        exported: whether other images may refer to it.
        callable: whether it is code.
        kind: what it names.
        tls_key, tls_offset: of a thread-local variable; what `Definition` has to say of it.
    """

    address: int
    size: int
    weak: bool
    exported: bool
    callable: bool
    kind: SymbolKind
    tls_key: int | None = None
    tls_offset: int | None = None


class LocalSymbol(NamedTuple):
    """A symbol that stays in the image; known for the sake of backtraces."""

    address: int
    size: int
    name: str
    kind: SymbolKind


class Allocation(NamedTuple):
    """A range that the allocator gave to the image."""

    prot: Prot
    address: int
    size: int


class LinkedImage(NamedTuple):
    """Code and data at their final addresses, and what is to be done with them.

    Attributes:
        name: of the link.
        segments: in ascending order of protection, those with entries last.
        sections: every section of every object that is part of the image.
        defined: the names that others may refer to.
        hidden: global names that may not leave the image.
        local_symbols: local names, for backtraces.
        initialisers, finalisers: in the order in which they are to be run.
        init_ranges, fini_ranges: the address ranges of their pointers, as ORC registers them.
        eh_frame: the one unwind table, its four zero bytes at the end included, or None.
        thread_data: the initial thread-local data in dynamic storage, or None.
        thread_alignment: the alignment of each thread's copy, 1 without thread-local data.
        static_tls: the initial thread-local data in static storage, or None.
        ifuncs: pairs (slot, resolver): call the resolver, store its result in the slot.
        entries: the GOT slots, stubs and TLS entries that this link made.
        allocations: everything that the allocator was asked for, in order.
        undefined_weak: names of weak references that nothing defines; their address is 0.
        redefined: names whose earlier definition this image's takes the place of.
        uses: the owners of earlier definitions that this image refers to, sorted.
        dependence: what every symbol of `defined` depends on.
    """

    name: str
    segments: tuple[ImageSegment, ...]
    sections: tuple[ImageSection, ...]
    defined: Mapping[str, SymbolDefinition]
    hidden: Mapping[str, SymbolDefinition]
    local_symbols: tuple[LocalSymbol, ...]
    initialisers: tuple[Initialiser, ...]
    finalisers: tuple[Initialiser, ...]
    init_ranges: tuple[Range, ...]
    fini_ranges: tuple[Range, ...]
    eh_frame: Range | None
    thread_data: Range | None
    thread_alignment: int
    static_tls: StaticTls | None
    ifuncs: tuple[tuple[int, int], ...]
    entries: tuple[Entry, ...]
    allocations: tuple[Allocation, ...]
    undefined_weak: tuple[str, ...]
    redefined: tuple[str, ...]
    uses: tuple[str, ...]
    dependence: Dependence

    @property
    def new_entries(self) -> tuple[Entry, ...]:
        """The entries that later links may use, for `EntryTable.add`."""
        return tuple(entry for entry in self.entries if entry.shared)


def make_image(
    graph: LinkGraph,
    segments: list[Segment],
    entries: tuple[Entry, ...],
    relation: Relation,
    tls: TlsModel,
) -> LinkedImage:
    """Gather the image from a graph whose fix-ups are done.

    Raises:
        LinkError: an initialiser array's size is no multiple of a pointer's.
    """
    arrays = collect(graph)
    data = graph.thread_data
    defined: dict[str, SymbolDefinition] = {}
    hidden: dict[str, SymbolDefinition] = {}
    for symbol in graph.globals.values():
        if symbol.defined and (symbol.block is None or symbol.block.live):
            definition = _definition(symbol, data, tls)
            (defined if symbol.exported else hidden)[symbol.name] = definition
    static = None
    if data is not None and graph.static_tls is not None:
        content = _static_content(graph, data)
        static = StaticTls(graph.static_tls, data.address, content, data.size, data.alignment)
    eh_frame = None
    if graph.unwind:
        last = graph.unwind[-1]
        eh_frame = Range(graph.unwind[0].address, last.address + last.size)
    return LinkedImage(
        name=graph.name,
        segments=tuple(
            [
                ImageSegment(PROTS[s.prot], s.address, bytes(s.content), s.zero_fill)
                for s in segments
                if s.size
            ]
        ),
        sections=_sections(graph),
        defined=defined,
        hidden=hidden,
        local_symbols=tuple(
            [
                LocalSymbol(s.address, s.size, s.name, s.kind)
                for s in graph.locals
                if s.name and s.block is not None and s.block.live
            ]
        ),
        initialisers=arrays.initialisers,
        finalisers=arrays.finalisers,
        init_ranges=arrays.init_ranges,
        fini_ranges=arrays.fini_ranges,
        eh_frame=eh_frame,
        thread_data=None
        if data is None or static
        else Range(data.address, data.address + data.size),
        thread_alignment=1 if data is None else data.alignment,
        static_tls=static,
        ifuncs=tuple(graph.ifuncs),
        entries=entries,
        allocations=tuple([Allocation(PROTS[s.prot], s.address, s.size or 1) for s in segments]),
        undefined_weak=tuple(sorted([s.name for s in graph.externals if s.absent])),
        redefined=tuple(graph.redefined),
        uses=tuple(sorted({s.earlier.owner for s in graph.externals if s.earlier is not None})),
        dependence=relation.dependence(graph.globals),
    )


def _definition(symbol: Symbol, data: ThreadData | None, tls: TlsModel) -> SymbolDefinition:
    block = symbol.block
    kind = symbol.kind
    code = kind in ("function", "ifunc") or (
        kind == "unknown" and block is not None and block.section.prot & 4 != 0
    )
    key = None
    if kind == "thread" and data is not None and symbol.tls_offset is None:
        key = image_key(data, tls)
    return SymbolDefinition(
        symbol.address,
        symbol.size,
        symbol.weak,
        symbol.exported,
        code,
        kind,
        key,
        symbol.tls_offset,
    )


def _static_content(graph: LinkGraph, data: ThreadData) -> bytes:
    """Return the fixed-up bytes of the image's thread-local data, without its zero part."""
    first = graph.thread_blocks[0]
    if first.buffer is None:
        return b""
    return bytes(first.buffer[first.offset : first.offset + data.content_size])


def _sections(graph: LinkGraph) -> tuple[ImageSection, ...]:
    found = [
        ImageSection(s.object_name, s.name, PROTS[s.prot], b.address, b.size, s.type == SHT_NOBITS)
        for b in graph.blocks
        for s in (b.section,)
    ]
    return tuple(found)
