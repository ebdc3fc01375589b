"""Addresses for every symbol, after the layout: own definitions, earlier ones, libraries'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from farside.errors import RelocationError, UndefinedSymbols
from farside.link.graph import MASK64
from farside.link.tls import entry_words, locate, place_static
from farside.link.x86_64 import kind_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from farside.link.graph import Block, Definition, Edge, LinkGraph, Symbol
    from farside.link.layout import Segment
    from farside.link.tls import TlsModel

GOT_SYMBOL: Final = "_GLOBAL_OFFSET_TABLE_"
TLS_GET_ADDR: Final = "__tls_get_addr"
# How far from every byte of the image something may lie to be reached without an entry. Less than
# 2 GiB by more than any instruction's length and any addend that a compiler makes.
_REACH: Final = (1 << 31) - (1 << 16)


class Resolver(Protocol):
    """Answers what names mean outside the link."""

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        """Return those of `names` that earlier links of this JITDylib (and its order) defined."""

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        """Return addresses in the far side's libraries; a name that is absent is undefined."""


def resolve(
    graph: LinkGraph,
    segments: list[Segment],
    resolver: Resolver,
    tls: TlsModel,
    demangle: Callable[[str], str],
) -> tuple[int | None, list[str]]:
    """Give every symbol its address.

    Returns:
        The thread-pointer offset of the image's static thread-local data, or None, and the names
        of weak references that nothing defines.

    Raises:
        UndefinedSymbols: names that are referred to and that nothing defines.
        LinkError: thread-local data that must be static, and no room for it.
    """
    low = min([segment.address for segment in segments], default=0)
    high = max([segment.address + segment.size for segment in segments], default=0)
    graph.got_base = low
    graph.compact = high - low < _REACH
    offset = place_static(graph, tls)
    graph.static_tls = offset is not None
    for symbol in graph.locals:
        symbol.address = symbol.block.address + symbol.value  # type: ignore[union-attr]
    for symbol in graph.globals.values():
        block = symbol.block
        if block is not None:
            symbol.address = block.address + symbol.value
        elif symbol.defined:
            symbol.address = symbol.value
            symbol.direct = high - _REACH <= symbol.value <= low + _REACH
    locate(graph, tls, offset)
    external = references(graph)
    undefined_weak: list[str] = []
    if external:
        undefined_weak = _externals(graph, external, resolver, tls, demangle)
        for symbol in external:
            symbol.direct = high - _REACH <= symbol.address <= low + _REACH and not (
                symbol.earlier is not None and symbol.earlier.redefinable
            )
    return offset, undefined_weak


def references(graph: LinkGraph) -> list[Symbol]:
    """Return the external symbols that the image refers to, each once.

    Raises:
        RelocationError: an edge refers to what was dropped, or is not part of any image.
    """
    found: dict[str, Symbol] = {}
    for block in graph.blocks:
        for edge in block.edges:
            target = edge[2]
            home = target.block
            if home is None:
                if not target.defined:
                    if target.local:
                        raise _unusable(block, edge, "a section that is not loaded")
                    found[target.name] = target
            elif not home.live:
                raise _unusable(block, edge, f"{home.section.name}, which was dropped")
    return list(found.values())


def _unusable(block: Block, edge: Edge, where: str) -> RelocationError:
    section = block.section
    name = edge.target.name or "a section symbol"
    return RelocationError(
        f"{section.object_name}: {section.name}+{edge.offset:#x} refers to {name} in {where}.",
        object_name=section.object_name,
        section=section.name,
        offset=edge.offset,
        relocation=kind_name(edge.kind),
        symbol=edge.target.name,
    )


def _externals(
    graph: LinkGraph,
    external: list[Symbol],
    resolver: Resolver,
    tls: TlsModel,
    demangle: Callable[[str], str],
) -> list[str]:
    """Find the addresses of external symbols; return the names of weak ones without any."""
    wanted: dict[str, Symbol] = {}
    threads: dict[str, Symbol] = {}
    for symbol in external:
        name = symbol.name
        if symbol.earlier is not None:
            symbol.address = symbol.earlier.address
            symbol.tls_offset = symbol.earlier.tls_offset
            symbol.tls_words = entry_words(symbol, None, tls)
        elif name == GOT_SYMBOL:
            symbol.address = graph.got_base
        elif name == TLS_GET_ADDR and tls.get_addr is not None:
            symbol.address = tls.get_addr
        elif name.startswith(("__start_", "__stop_")) and _boundary(graph, symbol):
            pass
        elif symbol.kind == "thread":
            threads[name] = symbol
        else:
            wanted[name] = symbol
    missing: list[Symbol] = []
    for symbols, found in (
        (wanted, resolver.lookup(wanted.keys()) if wanted else {}),
        (threads, tls.offsets(threads.keys()) if threads else {}),
    ):
        for name, symbol in symbols.items():
            value = found.get(name)
            if value is None:
                missing.append(symbol)
            elif symbol.kind == "thread":
                symbol.tls_offset = value
                symbol.tls_words = (0, value)
            else:
                symbol.address = value & MASK64
    strong = sorted(symbol.name for symbol in missing if not symbol.weak)
    if strong:
        raise undefined(strong, graph, demangle)
    for symbol in missing:
        symbol.absent = True
    return sorted(symbol.name for symbol in missing)


def undefined(
    names: list[str], graph: LinkGraph, demangle: Callable[[str], str]
) -> UndefinedSymbols:
    """Return the error that says which names nothing defines, and who refers to them."""
    users: dict[str, str] = {}
    for block in graph.blocks:
        for edge in block.edges:
            users.setdefault(edge.target.name, block.section.object_name)
    shown = [demangle(name) for name in names[:20]]
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    referrer = users.get(names[0], graph.name)
    what = "is" if len(names) == 1 else "are"
    text = ", ".join(shown)
    return UndefinedSymbols(f"{text} {what} undefined (used in {referrer}).", names, referrer)


def _boundary(graph: LinkGraph, symbol: Symbol) -> bool:
    """Define ``__start_NAME`` or ``__stop_NAME`` for the sections called NAME, if there are any."""
    start = symbol.name.startswith("__start_")
    name = symbol.name.removeprefix("__start_" if start else "__stop_")
    blocks = [block for block in graph.blocks if block.section.name == name]
    if not blocks:
        return False
    ends = [block.address + (0 if start else block.size) for block in blocks]
    symbol.address = min(ends) if start else max(ends)
    symbol.absent = symbol.weak = False
    symbol.own = True
    return True
