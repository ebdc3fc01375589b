"""GOT slots, call stubs and TLS entries: what code needs to reach what is not within its reach.

The pass runs when all addresses are known, so it makes an entry only where one is needed:

* a **GOT slot** (8 bytes, read-only: the far side's memory writer honours no page protection) holds
  an address, where code loads one and the load could not be relaxed;
* a **stub** ``jmp *slot(%rip)`` stands for a function that lies too far away, or that may be
  redefined, so that the slot can be pointed anew and every caller follows;
* a **TLS entry**, **descriptor** or slot with an **offset**: see `farside.link.tls`;
* an **IFUNC** gets a slot, which the far side fills with what the resolver returns, and a stub on
  it, whose address is the function's.

Entries for what lies outside the image are shared by the whole session, through `EntryTable`.
"""

from __future__ import annotations

from struct import Struct

from farside.annotations import TYPE_CHECKING, Final, Literal
from farside.errors import OutOfAddressSpace
from farside.link.graph import MASK64, PROTS
from farside.link.layout import Segment
from farside.link.tls import image_words, require_static
from farside.link.x86_64 import PC32, PLT32, is_branch, kinds_of, relaxation
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from farside.link.graph import Block, Edge, LinkGraph, Symbol
    from farside.link.layout import Allocator
    from farside.link.tls import TlsModel

EntryKind = Literal["got", "stub", "tls", "tls_offset", "descriptor"]

_WORDS = Struct("<QQ")
_WORD = Struct("<Q")
_JUMP = Struct("<Hi2s")
_JMP_INDIRECT: Final = 0x25FF
STUB_SIZE: Final = 8


class Entry(NamedTuple):
    """One entry that a link made.

    Attributes:
        kind: what it is.
        symbol: what it is for; empty for the start of the image's thread-local data.
        address: where it lies.
        value: a slot's or TLS entry's last word; the address a stub jumps to.
        shared: whether later links may use it.
        object_name: the object that first needed it.
    """

    kind: EntryKind
    symbol: str
    address: int
    value: int
    shared: bool
    object_name: str


class EntryTable:
    """The session's shared entries, by kind and symbol.

    `link` only reads it; the session adds an image's new entries when the far side has taken the
    image, and removes them when the image goes.
    """

    __slots__ = ("_addresses",)

    def __init__(self) -> None:
        self._addresses: dict[tuple[str, str], list[tuple[int, int]]] = {}  # address, value

    def addresses(self, kind: EntryKind, symbol: str) -> tuple[int, ...]:
        """Return where entries of that kind for the symbol lie, oldest first."""
        return tuple(address for address, _ in self._addresses.get((kind, symbol), ()))

    def find(
        self, kind: EntryKind, symbol: str, low: int, high: int, value: int | None = None
    ) -> int | None:
        """Return the address of such an entry between `low` and `high`, or None.

        One name may mean several things: in JITDylibs with different link orders, and before and
        after a cell defines what had been a library's. So the entry must have this `value`; None
        is for a symbol that may be redefined, whose entries are pointed anew.
        """
        for address, present in self._addresses.get((kind, symbol), ()):
            if low <= address <= high and value in (None, present):
                return address
        return None

    def add(self, entries: Iterable[Entry]) -> None:
        """Enter those of `entries` that are shared."""
        for entry in entries:
            if entry.shared:
                self._addresses.setdefault((entry.kind, entry.symbol), []).append(
                    (entry.address, entry.value)
                )

    def remove(self, entries: Iterable[Entry]) -> None:
        """Take out what `add` entered; entries that are not in the table do not matter."""
        for entry in entries:
            known = self._addresses.get((entry.kind, entry.symbol))
            if known is None:
                continue
            known[:] = [each for each in known if each[0] != entry.address]
            if not known:
                del self._addresses[entry.kind, entry.symbol]

    def __len__(self) -> int:
        return sum(map(len, self._addresses.values()))


class _Pending(NamedTuple):
    kind: EntryKind
    symbol: Symbol | None
    size: int
    user: str


class EntryMaker:
    """Collects what a graph needs, and then places it."""

    def __init__(self, graph: LinkGraph, table: EntryTable, tls: TlsModel) -> None:
        self._graph = graph
        self._table = table
        self._tls = tls
        self._low = graph.high - (1 << 31) + (1 << 16)
        self._high = graph.low + (1 << 31) - (1 << 16)
        self._slots: list[_Pending] = []
        self._stubs: list[_Pending] = []
        self._ifuncs: list[Symbol] = []
        self._asked: set[tuple[EntryKind, int]] = set()

    def survey(self) -> None:
        """Find what the graph's edges need.

        Raises:
            LinkError: code reaches a variable at a fixed offset that does not have one.
        """
        graph = self._graph
        if graph.has_ifuncs:
            self._indirect_functions()
        needs = _NEEDS
        compact = graph.compact
        for block in graph.blocks:
            branches: list[Edge] = []
            for edge in block.edges:
                need = needs.get(edge[1])
                if need is not None:
                    need(self, block, edge)
                elif (
                    (edge[2].block is None or not compact)
                    and edge[1] in _CALLS
                    and self._call(block, edge)
                    and edge[1] == PC32
                ):
                    branches.append(edge)
            if branches:
                _through_stubs(block, branches)

    def _indirect_functions(self) -> None:
        """Every IFUNC of the image gets a slot and a stub: later links may refer to it, too."""
        graph = self._graph
        for symbol in (*graph.globals.values(), *graph.locals):
            if symbol.kind == "ifunc" and symbol.block is not None and symbol.block.live:
                self._ifuncs.append(symbol)
                self._want("got", symbol, symbol.object_name)
                self._want("stub", symbol, symbol.object_name)

    def _call(self, block: Block, edge: Edge) -> bool:
        """A call or jump: through a stub if the function is far or may be redefined.

        Returns:
            Whether it goes through a stub.
        """
        target = edge[2]
        if edge[1] == PC32 and not is_branch(block, edge[0]):
            return False
        if target.block is not None:
            distance = target.address + edge[3] - block.address - edge[0]
            if -(1 << 31) <= distance < 1 << 31:
                return False
        elif target.direct:
            return False
        self._want("stub", target, block.section.object_name)
        if target.stub is None:
            self._want("got", target, block.section.object_name)
        return True

    def _got(self, block: Block, edge: Edge) -> None:
        relaxed = relaxation(block, edge)
        if relaxed is None:
            self._want("got", edge[2], block.section.object_name)
        else:
            self._graph.relaxed[block.number, edge[0]] = relaxed

    def _plt(self, block: Block, edge: Edge) -> None:
        """PLTOFF64: a 64-bit distance reaches everything, so only redefinition needs a stub."""
        earlier = edge[2].earlier
        if earlier is not None and earlier.redefinable:
            self._want("stub", edge[2], block.section.object_name)
            self._want("got", edge[2], block.section.object_name)

    def _key(self, block: Block, edge: Edge) -> None:
        """DTPMOD64: a TLS entry that stands in data; the word behind it is its second one."""
        self._graph.tls_pairs.add((block.number, edge[0] + 8))

    def _tls_entry(self, block: Block, edge: Edge) -> None:
        self._want("tls", edge[2], block.section.object_name)

    def _tls_module(self, block: Block, edge: Edge) -> None:
        if ("tls", 0) not in self._asked:
            self._asked.add(("tls", 0))
            self._slots.append(_Pending("tls", None, 16, block.section.object_name))

    def _tls_slot(self, block: Block, edge: Edge) -> None:
        if not edge[2].absent:
            require_static(edge[2], block.section.object_name)
        self._want("tls_offset", edge[2], block.section.object_name)

    def _descriptor(self, block: Block, edge: Edge) -> None:
        if self._tls.descriptor is None:
            require_static(edge[2], block.section.object_name)
            return
        self._want("tls", edge[2], block.section.object_name)
        self._want("descriptor", edge[2], block.section.object_name)

    def _want(self, kind: EntryKind, symbol: Symbol, user: str) -> None:
        """Reuse the session's entry, or plan a new one."""
        key = (kind, id(symbol))
        if key in self._asked:
            return
        self._asked.add(key)
        if _shared(symbol):
            value = _value(symbol, kind)
            found = self._table.find(kind, symbol.name, self._low, self._high, value)
            if found is not None:
                _assign(symbol, kind, found)
                return
        pending = _Pending(kind, symbol, _SIZES[kind], user)
        (self._stubs if kind == "stub" else self._slots).append(pending)

    def place(self, allocator: Allocator) -> tuple[list[Segment], tuple[Entry, ...]]:
        """Give the planned entries their addresses and contents.

        Raises:
            OutOfAddressSpace: the far side has no room for them.
        """
        segments: list[Segment] = []
        places: list[tuple[_Pending, int, Segment]] = []
        for pendings, prot, alignment in ((self._slots, 1, 16), (self._stubs, 5, STUB_SIZE)):
            if not pendings:
                continue
            size = sum([pending.size for pending in pendings])
            segment = Segment(prot, bytearray(size), 0, alignment)
            segment.address = allocator.allocate(PROTS[prot], size, alignment)
            segments.append(segment)
            at = 0
            for pending in sorted(pendings, key=lambda pending: -pending.size):
                places.append((pending, at, segment))
                if pending.symbol is None:
                    self._graph.tls_module = segment.address + at
                else:
                    _assign(pending.symbol, pending.kind, segment.address + at)
                at += pending.size
        entries = tuple([self._write(*place) for place in places])
        for symbol in self._ifuncs:
            if symbol.got is not None and symbol.stub is not None:
                self._graph.ifuncs.append((symbol.got, symbol.address))
                symbol.address = symbol.stub
        return segments, entries

    def _write(self, pending: _Pending, at: int, segment: Segment) -> Entry:
        """Store an entry's content."""
        kind, symbol, _, user = pending
        address = segment.address + at
        if symbol is None:
            words = image_words(self._graph, self._tls)
            _WORDS.pack_into(segment.content, at, words[0] & MASK64, words[1] & MASK64)
            return Entry(kind, "", address, words[1] & MASK64, False, user)
        if kind == "stub":
            value = symbol.address
            assert symbol.got is not None
            distance = symbol.got - address - 6
            if not -(1 << 31) <= distance < 1 << 31:
                raise OutOfAddressSpace(
                    f"The stub for {symbol.name} at {address:#x} cannot reach its slot."
                )
            _JUMP.pack_into(segment.content, at, _JMP_INDIRECT, distance, b"\xcc\xcc")
        elif kind == "got":
            value = 0 if symbol.kind == "ifunc" and symbol.defined else symbol.address
            _WORD.pack_into(segment.content, at, value)
        elif kind == "tls_offset":
            value = (symbol.tls_offset or 0) & MASK64
            _WORD.pack_into(segment.content, at, value)
        else:
            first, value = symbol.tls_words
            if kind == "descriptor":
                first, value = self._tls.descriptor or 0, symbol.tls or 0
            value &= MASK64
            _WORDS.pack_into(segment.content, at, first & MASK64, value)
        return Entry(kind, symbol.name, address, value, _shared(symbol), user)


def _through_stubs(block: Block, branches: list[Edge]) -> None:
    """Make PLT32 of the PC32 edges of branches, as assemblers before 2018 did not write it."""
    chosen = {id(edge) for edge in branches}
    block.edges = [
        (edge[0], PLT32, edge[2], edge[3]) if id(edge) in chosen else edge for edge in block.edges
    ]


def _shared(symbol: Symbol) -> bool:
    """Return whether an entry means the same in every image: it is for what no image owns."""
    return not (symbol.defined or symbol.absent or symbol.own or symbol.local)


def _value(symbol: Symbol, kind: EntryKind) -> int | None:
    """Return what `Entry.value` must be for an entry to serve a symbol; None if it may change."""
    if symbol.earlier is not None and symbol.earlier.redefinable:
        return None
    if kind == "tls":
        return symbol.tls_words[1] & MASK64
    if kind == "tls_offset":
        return (symbol.tls_offset or 0) & MASK64
    if kind == "descriptor":
        return -1 if symbol.tls is None else symbol.tls
    return symbol.address


def _assign(symbol: Symbol, kind: EntryKind, address: int) -> None:
    if kind == "got":
        symbol.got = address
    elif kind == "stub":
        symbol.stub = address
    elif kind == "tls":
        symbol.tls = address
    elif kind == "tls_offset":
        symbol.tls_got = address
    else:
        symbol.descriptor = address


_SIZES: Final = {"got": 8, "stub": STUB_SIZE, "tls": 16, "tls_offset": 8, "descriptor": 16}
_CALLS: Final = frozenset((PC32, PLT32))
_NEEDS: Final[dict[int, Callable[[EntryMaker, Block, Edge], None]]] = {
    number: need
    for start, need in (
        ("G +", EntryMaker._got),
        ("L + A - GOT", EntryMaker._plt),
        ("key", EntryMaker._key),
        ("E +", EntryMaker._tls_entry),
        ("M +", EntryMaker._tls_module),
        ("T +", EntryMaker._tls_slot),
        ("D +", EntryMaker._descriptor),
    )
    for number in kinds_of(start)
}
