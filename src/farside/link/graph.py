"""LinkGraph: what the passes of a link work on, in JITLink's words.

A **Section** is one loaded section of one object. A **Block** is a run of bytes (or of zeros) that
is placed as a whole. A **Symbol** names a place in a block, an absolute address, or something
external. An **Edge** is a relocation: a place in a block, a kind, the symbol it refers to and an
addend. Kinds are the psABI's relocation numbers; `farside.link.x86_64` documents each.

These are mutable and live as long as one call of `link`; what leaves it is `LinkedImage`.
"""

from __future__ import annotations

import enum

from farside.annotations import TYPE_CHECKING, Final, Literal, TypeAlias
from farside.object.elf import SHF_TLS
from farside.records import NamedTuple

if TYPE_CHECKING:
    from farside.link.x86_64 import Relaxation
    from farside.object.elf import ObjectFile

MASK64: Final = (1 << 64) - 1


class Prot(enum.IntFlag):
    """Memory protection; the values are the bits of ORC's ``RemoteAllocGroup``."""

    READ = 1
    WRITE = 2
    EXEC = 4


# `Prot` by its bits; calling the class costs much more.
PROTS: Final = tuple(Prot(bits) for bits in range(8))

SymbolKind = Literal["unknown", "data", "function", "thread", "ifunc", "absolute", "common"]


class Definition(NamedTuple):
    """What the session knows of a symbol that an earlier link defined.

    Attributes:
        address: where it lies; for a thread-local variable, where its initial datum lies.
        owner: the cell or object that defined it, for messages.
        weak: whether a strong definition may take its place.
        callable: whether it is code.
        redefinable: whether later cells may define it again; calls then go through a stub.
        size: in bytes, 0 where unknown.
        tls_key: for a thread-local variable in dynamic storage, the first word of its TLS entry.
        tls_offset: for one in static storage, its offset from the thread pointer.
        elsewhere: whether it belongs to another JITDylib of the link order: it answers references,
            and stands in no definition's way.
    """

    address: int
    owner: str
    weak: bool = False
    callable: bool = False
    redefinable: bool = False
    size: int = 0
    tls_key: int | None = None
    tls_offset: int | None = None
    elsewhere: bool = False


class Section:
    """One loaded section of one object.

    Attributes:
        name: such as ``.text.startup``.
        object_name: the object it came from.
        prot: the protection of its bytes, as `Prot` bits.
        type, flags: the ELF section's.
    """

    __slots__ = ("flags", "name", "object_name", "prot", "type")

    def __init__(self, name: str, object_name: str, prot: int, kind: int, flags: int) -> None:
        self.name = name
        self.object_name = object_name
        self.prot = prot
        self.type = kind
        self.flags = flags


class Block:
    """A run of bytes that is placed as a whole.

    Attributes:
        section: the section it is the content of.
        content: its bytes; empty for zeros.
        size: in bytes.
        alignment: of its address, a power of two.
        edges: its fix-ups.
        live: whether it is part of the image.
        number: its place in the graph's `Dependence`.
        group: the number of its COMDAT group in the link, or -1.
        address: where it lies; 0 before the layout.
        buffer, offset: the segment's bytes and its place in them; None before the layout, and for
            zeros.
    """

    group = -1
    live = True
    number = 0
    address = 0
    tls_offset = 0
    buffer: bytearray | None = None
    offset = 0

    def __init__(
        self, section: Section, content: memoryview | bytes, size: int, alignment: int
    ) -> None:
        self.section = section
        self.content = content
        self.size = size
        self.alignment = alignment
        self.edges: list[Edge] = []


class Symbol:
    """A name for a place, an address, or something that lies elsewhere.

    Attributes:
        name: mangled; empty for a section symbol.
        block: the block it lies in, or None if it is absolute, common or external.
        value: its offset in the block, or its absolute address, or a common's alignment.
        size: in bytes, 0 where unknown.
        kind: what it names.
        defined: whether this image defines it.
        weak: of a definition, that others may take its place; of an external, that it may be
            absent.
        exported: whether other images may refer to it.
        local: whether its binding is local.
        object_name: the object that defines it, or that first refers to it.
        earlier: the definition that an earlier link gave, if that is the one to use.
        absent: whether it is a weak reference that nothing defines.
        own: whether it is external in form but stands for a place in this image.
        address: its address; final after the resolve pass.
        direct: whether code of this image may refer to the address itself.
        got, stub, tls, tls_got, descriptor: addresses of its entries, or None where it has none;
            see `farside.link.entries` and `farside.link.tls`.
        tls_words: of a thread-local variable, the two words of its entry.
        tls_offset: of a variable in static storage, its offset from the thread pointer.
    """

    earlier: Definition | None = None
    absent = False
    own = False
    address = 0
    direct = True
    got: int | None = None
    stub: int | None = None
    tls: int | None = None
    tls_got: int | None = None
    tls_offset: int | None = None
    tls_words: tuple[int, int] = (0, 0)
    descriptor: int | None = None

    # One is made for every entry of a symbol table; keywords would take a fifth longer.
    def __init__(  # noqa: PLR0917
        self,
        name: str,
        object_name: str,
        block: Block | None,
        value: int,
        size: int,
        kind: SymbolKind,
        defined: bool,
        weak: bool,
        exported: bool,
        local: bool,
    ) -> None:
        self.name = name
        self.object_name = object_name
        self.block = block
        self.value = value
        self.size = size
        self.kind: SymbolKind = kind
        self.defined = defined
        self.weak = weak
        self.exported = exported
        self.local = local


# A fix-up: (offset in its block, kind, target, addend). A plain tuple, since there are many of them
# and most are looked at twice and thrown away.
Edge: TypeAlias = tuple[int, int, Symbol, int]


class Group(NamedTuple):
    """A COMDAT group that this link keeps, at first: its blocks and the symbols they define."""

    signature: str
    blocks: list[Block]
    symbols: list[Symbol]


class ThreadData(NamedTuple):
    """The initial thread-local data: ``.tdata`` and behind it ``.tbss``.

    Attributes:
        address, size: its range, the zero part included.
        content_size: how much of it is not the zero part.
        alignment: of its address and of every copy.
    """

    address: int
    size: int
    content_size: int
    alignment: int


class LinkGraph:
    """All that one link works on.

    Attributes:
        name: of the link, for messages.
        objects: the objects in it, archive members last.
        blocks: the blocks, in the objects' order; after pruning the live ones only.
        globals: the one symbol for each name that is not local.
        locals: local symbols that lie in blocks.
        commons: whether there may be common symbols, `large_commons` those of the large model.
        large: whether there are sections of the large model.
        groups: COMDAT groups by their number; `comdats` finds them by signature.
        arrays: the blocks that may hold pointers to initialisers or finalisers.
        unwind: the blocks of ``.eh_frame`` sections.
        frames_changed: whether something that unwind records may speak of was dropped.
        redefined: names whose earlier definition this image's takes the place of.
        low, high: the range of addresses that the blocks take.
        has_ifuncs: whether there may be IFUNCs; `ifuncs` has what is to be done about them.
        got_base: the address that GOT-relative fix-ups count from.
        externals: the external symbols that edges refer to.
        boundaries: those of the form ``__start_NAME`` and ``__stop_NAME``.
        compact: whether everything in the image reaches everything else in it.
        ifuncs: of each IFUNC the slot to be filled and the resolver that knows with what.
        thread_blocks, thread_data: the blocks of the initial thread-local data, and their range.
        static_tls: that data's offset from every thread pointer, or None if it has none.
        relaxed: by block's number and offset, the loads that need no GOT slot.
        tls_pairs: places (block's number, offset) of second words of TLS entries in data.
        tls_module: the address of the TLS entry for the start of that data, or None.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects: list[ObjectFile] = []
        self.blocks: list[Block] = []
        self.globals: dict[str, Symbol] = {}
        self.locals: list[Symbol] = []
        self.groups: list[Group] = []
        self.comdats: dict[str, int] = {}
        self.commons = False
        self.large = False
        self.large_commons: set[str] = set()
        self.arrays: list[Block] = []
        self.unwind: list[Block] = []
        self.frames_changed = False
        self.redefined: list[str] = []
        self.low = 0
        self.high = 0
        self.got_base = 0
        self.has_ifuncs = False
        self.compact = True
        self.ifuncs: list[tuple[int, int]] = []
        self.externals: list[Symbol] = []
        self.boundaries: list[Symbol] = []
        self.thread_blocks: list[Block] = []
        self.thread_data: ThreadData | None = None
        self.static_tls: int | None = None
        self.tls_module: int | None = None
        self.relaxed: dict[tuple[int, int], Relaxation] = {}
        self.tls_pairs: set[tuple[int, int]] = set()

    def has_thread_data(self) -> bool:
        """Return whether a block of thread-local data is part of the image."""
        return any(block.section.flags & SHF_TLS for block in self.blocks)
