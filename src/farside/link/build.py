"""The first pass: objects become blocks, symbols and edges of one graph.

Among the definitions of a name the gABI's order holds: a strong definition before a common one
before a weak one, and of two equal ones the first; two strong ones are an error. Of COMDAT groups
with one signature the first is kept, and what the others define refers to it. A name has one
visibility in the whole link, the most constraining that any object gives it. Hidden names are seen
by all objects of the link, and by nothing else.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Final
from farside.errors import DuplicateDefinition, LinkError, ObjectError
from farside.link.graph import Block, Group, LinkGraph, Section, Symbol, SymbolKind
from farside.link.initialisers import ARRAY_NAMES, ARRAY_TYPES
from farside.object.elf import (
    ABSOLUTE,
    COMMON,
    LARGE_COMMON,
    SHF_EXECINSTR,
    SHF_TLS,
    SHF_WRITE,
    SHF_X86_64_LARGE,
    SHT_NOBITS,
    STB_GNU_UNIQUE,
    STB_LOCAL,
    STB_WEAK,
    STT_FILE,
    STT_GNU_IFUNC,
    STT_TLS,
    UNDEFINED,
)

if TYPE_CHECKING:
    from farside.object.elf import ObjectFile, ObjectSymbol

_KINDS: Final[dict[int, SymbolKind]] = {
    0: "unknown",
    1: "data",
    2: "function",
    3: "unknown",
    5: "common",
    6: "thread",
    10: "ifunc",
}


def add_object(graph: LinkGraph, obj: ObjectFile) -> None:
    """Add an object's sections, symbols and relocations to the graph.

    Raises:
        DuplicateDefinition: a strong definition of a name that already has one in this link.
        LinkError: a section that is to be both written and executed.
        ObjectError: a relocation refers to a symbol that is not in the table.
    """
    graph.objects.append(obj)
    blocks = _add_sections(graph, obj)
    if obj.groups:
        _add_groups(graph, obj, blocks)
    symbols = _add_symbols(graph, obj, blocks)
    for index, block in blocks.items():
        if block.live:
            relocations = obj.relocations(index)
            if relocations:
                try:
                    block.edges = [(o, k, symbols[s], a) for o, k, s, a in relocations]
                except IndexError:
                    reason = f"a relocation of {block.section.name} refers to no symbol"
                    raise ObjectError(obj.name, reason) from None
            if block.section.name.startswith((".ctors", ".dtors")):
                _turn_round(block)


def _add_sections(graph: LinkGraph, obj: ObjectFile) -> dict[int, Block]:
    """Make a section and its block of every loaded section of the object."""
    blocks: dict[int, Block] = {}
    owner = obj.name
    for section in obj.sections.values():
        index, name, kind, flags, offset, size, alignment, _, _ = section
        prot = 1
        if flags & SHF_WRITE and not flags & SHF_TLS:
            prot = 3
            if flags & SHF_EXECINSTR:
                raise LinkError(
                    f"{owner}: section {name} is to be written and executed; "
                    "farside maps no memory that is both."
                )
        elif flags & SHF_EXECINSTR:
            prot = 5
        if flags & SHF_X86_64_LARGE:
            graph.large = True
        made = Section(name, owner, prot, kind, flags)
        content = obj.data[:0] if kind == SHT_NOBITS else obj.data[offset : offset + size]
        block = blocks[index] = Block(made, content, size, alignment)
        if name == ".eh_frame":
            graph.unwind.append(block)
        elif kind in ARRAY_TYPES or name.startswith(ARRAY_NAMES):
            graph.arrays.append(block)
    graph.blocks += blocks.values()
    return blocks


def _add_groups(graph: LinkGraph, obj: ObjectFile, blocks: dict[int, Block]) -> None:
    """Keep the first COMDAT group of each signature; the blocks of the others are not live."""
    for signature, comdat, members in obj.groups:
        if not comdat:
            continue
        mine = [blocks[member] for member in members if member in blocks]
        if signature in graph.comdats:
            graph.frames_changed = True
            for block in mine:
                block.live = False
        else:
            number = graph.comdats[signature] = len(graph.groups)
            graph.groups.append(Group(signature, mine, []))
            for block in mine:
                block.group = number


def _add_symbols(graph: LinkGraph, obj: ObjectFile, blocks: dict[int, Block]) -> list[Symbol]:
    """Return the graph's symbol for each entry of the object's symbol table."""
    symbols: list[Symbol] = []
    add = symbols.append
    owner = obj.name
    for entry in obj.symbols:
        name, value, size, section, binding, kind, _ = entry
        if binding != STB_LOCAL and name:
            add(_global(graph, owner, entry, blocks))
            continue
        block = blocks.get(section)
        if block is not None:
            if (kind == STT_TLS) != bool(block.section.flags & SHF_TLS) and kind != 3 and kind:
                raise _misplaced(owner, entry, block)
            if kind == STT_GNU_IFUNC:
                graph.has_ifuncs = True
            symbol = Symbol(
                name,
                owner,
                block,
                value,
                size,
                _KINDS.get(kind, "unknown"),
                True,
                False,
                False,
                True,
            )
            graph.locals.append(symbol)
        else:
            # Absolute, or the empty symbol 0, or in a section that is not loaded.
            absolute = section in (ABSOLUTE, UNDEFINED) and kind != STT_FILE
            symbol = Symbol(
                name, owner, None, value, size, "absolute", absolute, False, False, True
            )
            symbol.address = value
            symbol.direct = False
        add(symbol)
    return symbols


def _misplaced(owner: str, entry: ObjectSymbol, block: Block) -> ObjectError:
    where = "outside thread-local data" if entry.type == STT_TLS else "in thread-local data"
    return ObjectError(
        owner, f"symbol {entry.name!r} of type {entry.type} lies {where} ({block.section.name})"
    )


def _global(graph: LinkGraph, owner: str, entry: ObjectSymbol, blocks: dict[int, Block]) -> Symbol:
    """Enter a global or weak symbol, merging it with what the link knows of its name."""
    name, value, size, section, binding, kind, visibility = entry
    block: Block | None = None
    defines = section != UNDEFINED
    what = _KINDS.get(kind, "unknown")
    if section > 0:
        block = blocks.get(section)
        if block is None:  # in a section that is not loaded: nothing loaded may refer to it
            return Symbol(name, owner, None, value, size, what, False, False, False, True)
        if (kind == STT_TLS) != bool(block.section.flags & SHF_TLS) and kind:
            raise _misplaced(owner, entry, block)
        if not block.live:
            defines = False
            block = None
    elif section == ABSOLUTE:
        what = "absolute"
    elif section in (COMMON, LARGE_COMMON):
        what = "common"
        graph.commons = True
        if value & (value - 1) or value > 1 << 30:
            raise ObjectError(owner, f"common symbol {name!r} has alignment {value:#x}")
    if kind == STT_GNU_IFUNC:
        graph.has_ifuncs = True
    weak = binding in (STB_WEAK, STB_GNU_UNIQUE)
    visible = visibility in (0, 3)
    symbol = graph.globals.get(name)
    if symbol is None:
        symbol = graph.globals[name] = Symbol(
            name, owner, block, value, size, what, defines, weak, visible, False
        )
    else:
        if not visible:
            symbol.exported = False
        if not defines:
            if not symbol.defined and not weak:
                symbol.weak = False
            return symbol
        if symbol.defined and not _takes_over(symbol, owner, entry, what, weak):
            return symbol
        symbol.block = block
        symbol.value = value
        symbol.size = size
        symbol.kind = what
        symbol.defined = True
        symbol.weak = weak
        symbol.object_name = owner
    if section == LARGE_COMMON:
        graph.large = True
        graph.large_commons.add(name)
    if block is not None and block.group >= 0:
        graph.groups[block.group].symbols.append(symbol)
    return symbol


def _takes_over(old: Symbol, owner: str, entry: ObjectSymbol, kind: SymbolKind, weak: bool) -> bool:
    """Return whether a further definition of `old` takes its place."""
    if weak:
        return False
    if old.weak:
        return True
    if old.kind == "common":
        if kind != "common":
            return True
        # Two commons become one that is large and aligned enough for both.
        old.size = max(old.size, entry.size)
        old.value = max(old.value, entry.value)
        return False
    if kind == "common":
        return False
    raise DuplicateDefinition(
        f"{old.name} is defined in {old.object_name} and again in {owner}.",
        old.name,
        old.object_name,
        owner,
    )


def place_commons(graph: LinkGraph) -> None:
    """Give every common symbol that is this link's own a block of zeros."""
    if not graph.commons:
        return
    for symbol in graph.globals.values():
        if symbol.kind == "common" and symbol.defined and symbol.block is None:
            large = SHF_X86_64_LARGE if symbol.name in graph.large_commons else 0
            section = Section("COMMON", symbol.object_name, 3, SHT_NOBITS, SHF_WRITE | large)
            block = Block(section, b"", symbol.size, symbol.value or 1)
            graph.blocks.append(block)
            symbol.block = block
            symbol.value = 0
            symbol.kind = "data"


def _turn_round(block: Block) -> None:
    """Reverse the pointers of a ``.ctors`` or ``.dtors`` section.

    Start-up code runs the former backwards and the latter forwards, ``.init_array`` forwards and
    ``.fini_array`` backwards. After this the old kind is run as the new one is.
    """
    size = block.size
    if size & 7:
        return
    raw = bytes(block.content)
    block.content = b"".join(raw[at : at + 8] for at in range(size - 8, -8, -8))
    block.edges = [
        (size - 8 - (at & ~7) + (at & 7) if at < size else at, kind, target, addend)
        for at, kind, target, addend in block.edges
    ]
