"""Addresses for every symbol.

`look_up` asks for those of external symbols before anything is allocated, so that a link that fails
for want of a definition takes nothing from the allocator. `settle` computes the others when the
blocks have been placed, and decides for each symbol whether code may refer to it directly.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Final, Protocol
from farside.errors import RelocationError, UndefinedSymbols
from farside.link.dependence import relate
from farside.link.graph import MASK64
from farside.link.tls import entry_words, image_words, locate, place_static
from farside.link.x86_64 import kind_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from farside.link.dependence import Relation
    from farside.link.graph import Block, Definition, Edge, LinkGraph, Symbol
    from farside.link.layout import Segment
    from farside.link.tls import TlsModel

GOT_SYMBOL: Final = "_GLOBAL_OFFSET_TABLE_"
TLS_BASE: Final = "_TLS_MODULE_BASE_"
TLS_GET_ADDR: Final = "__tls_get_addr"
_BOUNDARIES: Final = ("__start_", "__stop_")
# How far from every byte of the image something may lie to be reached without an entry. Less than
# 2 GiB by more than any instruction's length and any addend that a compiler makes.
_REACH: Final = (1 << 31) - (1 << 16)


class Resolver(Protocol):
    """Answers what names mean outside the link."""

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        """Return those of `names` that earlier links of this JITDylib (and its order) defined."""

    def require(self, names: Collection[str]) -> None:
        """Take note of names that somebody else has to define, before libraries are asked.

        It may raise whatever is to end the link, which has allocated nothing so far.
        """

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        """Return addresses in the far side's libraries; a name that is absent is undefined."""


def look_up(
    graph: LinkGraph, resolver: Resolver, tls: TlsModel, demangle: Callable[[str], str]
) -> Relation:
    """Find the addresses of all external symbols that the graph's edges refer to.

    Returns:
        What its blocks refer to, for those who ask later.

    Raises:
        RelocationError: an edge refers to what was dropped, or is not part of any image.
        UndefinedSymbols: names that are referred to and that nothing defines.
    """
    relation = relate(graph.blocks)
    if relation.broken:
        raise _unusable(*relation.broken[0])
    if relation.symbols:
        _externals(graph, relation.symbols, resolver, tls, demangle)
    return relation


def settle(graph: LinkGraph, segments: list[Segment], tls: TlsModel) -> None:
    """Give every symbol its address, now that the blocks have theirs.

    Raises:
        LinkError: thread-local data that must be static, and no room for it.
    """
    if segments:
        graph.low = min([segment.address for segment in segments])
        graph.high = max([segment.address + segment.size for segment in segments])
    low, high = graph.low, graph.high
    graph.got_base = low
    graph.compact = high - low < _REACH
    for symbol in graph.locals:
        symbol.address = symbol.block.address + symbol.value  # type: ignore[union-attr]
    for symbol in graph.globals.values():
        block = symbol.block
        if block is not None:
            symbol.address = block.address + symbol.value
        elif symbol.defined:
            symbol.address = symbol.value
            symbol.direct = high - _REACH <= symbol.value <= low + _REACH
    if graph.thread_data is not None:
        place_static(graph, tls)
        locate(graph, tls)
    if graph.boundaries:
        _set_boundaries(graph)
    for symbol in graph.externals:
        if symbol.name == GOT_SYMBOL:
            symbol.address = low
        elif symbol.name == TLS_BASE and graph.thread_data is not None:
            # What local-dynamic descriptor code calls the start of the image's thread-local data.
            symbol.address = graph.thread_data.address
            symbol.tls_offset = graph.static_tls
            symbol.tls_words = image_words(graph, tls)
        earlier = symbol.earlier
        symbol.direct = high - _REACH <= symbol.address <= low + _REACH and not (
            earlier is not None and earlier.redefinable
        )


def _unusable(block: Block, edge: Edge) -> RelocationError:
    section = block.section
    offset, kind, target, _ = edge
    where = "a section that is not loaded"
    if target.block is not None:
        where = f"{target.block.section.name}, which was dropped"
    name = target.name or "a section symbol"
    return RelocationError(
        f"{section.object_name}: {section.name}+{offset:#x} refers to {name} in {where}.",
        object_name=section.object_name,
        section=section.name,
        offset=offset,
        relocation=kind_name(kind),
        symbol=target.name,
    )


def _externals(
    graph: LinkGraph,
    external: Mapping[str, Symbol],
    resolver: Resolver,
    tls: TlsModel,
    demangle: Callable[[str], str],
) -> None:
    """Find the addresses of external symbols, in one question to each of those who know."""
    wanted: dict[str, Symbol] = {}
    threads: dict[str, Symbol] = {}
    boundaries: list[Symbol] = []
    for name, symbol in external.items():
        graph.externals.append(symbol)
        if symbol.earlier is not None:
            symbol.address = symbol.earlier.address
            symbol.tls_offset = symbol.earlier.tls_offset
            symbol.tls_words = entry_words(symbol, None, tls)
        elif name == GOT_SYMBOL or (name == TLS_BASE and graph.has_thread_data()):
            symbol.own = True
        elif name == TLS_GET_ADDR and tls.get_addr is not None:
            symbol.address = tls.get_addr
        elif name.startswith(_BOUNDARIES):
            boundaries.append(symbol)
        elif symbol.kind == "thread":
            threads[name] = symbol
        else:
            wanted[name] = symbol
    if boundaries:
        names = {block.section.name for block in graph.blocks}
        for symbol in boundaries:
            if _section_of(symbol) in names:
                symbol.own = True
                graph.boundaries.append(symbol)
            else:
                wanted[symbol.name] = symbol
    strong = [s.name for s in (*wanted.values(), *threads.values()) if not s.weak]
    if strong:
        resolver.require(strong)
    missing: list[Symbol] = []
    if wanted:
        found = resolver.lookup(wanted.keys())
        for name, symbol in wanted.items():
            value = found.get(name)
            if value is None:
                missing.append(symbol)
            else:
                symbol.address = value & MASK64
    if threads:
        found = tls.offsets(threads.keys())
        rest = [name for name in threads if name not in found]
        modules = tls.modules(rest) if rest else {}
        for name, symbol in threads.items():
            symbol.tls_offset = found.get(name)
            if symbol.tls_offset is not None:
                symbol.tls_words = (0, symbol.tls_offset)
            elif name in modules:
                symbol.tls_words = modules[name]
            else:
                missing.append(symbol)
    for symbol in missing:
        symbol.absent = True
    strong = sorted([symbol.name for symbol in missing if not symbol.weak])
    if strong:
        raise undefined(strong, graph, demangle)


def undefined(
    names: list[str], graph: LinkGraph, demangle: Callable[[str], str]
) -> UndefinedSymbols:
    """Return the error that says which names nothing defines, and who refers to them."""
    users: dict[str, str] = {}
    for block in graph.blocks:
        for edge in block.edges:
            users.setdefault(edge[2].name, block.section.object_name)
    shown = [demangle(name) for name in names[:20]]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    referrer = users.get(names[0], graph.name)
    what = "is" if len(names) == 1 else "are"
    text = ", ".join(shown)
    return UndefinedSymbols(f"{text} {what} undefined (used in {referrer}).", names, referrer)


def _section_of(symbol: Symbol) -> str:
    """Return the name of the sections that ``__start_NAME`` or ``__stop_NAME`` speaks of."""
    return symbol.name.removeprefix("__start_").removeprefix("__stop_")


def _set_boundaries(graph: LinkGraph) -> None:
    """Give each ``__start_NAME`` and ``__stop_NAME`` the end that it speaks of."""
    spans: dict[str, tuple[int, int]] = {}
    for block in graph.blocks:
        start, end = block.address, block.address + block.size
        low, high = spans.get(block.section.name, (start, end))
        spans[block.section.name] = (min(low, start), max(high, end))
    for symbol in graph.boundaries:
        stop = symbol.name.startswith("__stop_")
        symbol.address = spans[_section_of(symbol)][stop]
