"""Edge kinds of x86-64: for each relocation its fix-up expression, its field and its errors.

Expressions are the psABI's, table 4.9:

=======  ==========================================================================================
``S``    the symbol's address
``A``    the addend
``P``    the address of the place that is fixed up
``Z``    the symbol's size
``L``    the address of the symbol's stub, or of the symbol itself where it has no stub
``G``    the distance of the symbol's GOT slot from ``GOT``
``GOT``  an address that all of an image's GOT-relative fix-ups count from
``E``    the address of the symbol's TLS entry (`farside.link.tls`), ``D`` of its TLS descriptor,
         ``T`` of the slot with its offset from the thread pointer; ``M`` the TLS entry of the image
``TP``   the variable's offset from the thread pointer, ``DTP`` the start of the image's TLS data
=======  ==========================================================================================

Every fix-up stores the whole value or raises `RelocationError`; 64-bit fields wrap. A fix-up
outside its section is an `ObjectError`.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812

from farside.annotations import TYPE_CHECKING, Final
from farside.errors import ObjectError, RelocationError
from farside.link.graph import MASK64
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from farside.link.graph import Block, Edge, LinkGraph, Symbol

    Expression = Callable[[Symbol, int, int, LinkGraph], int]


class Kind(NamedTuple):
    """One edge kind.

    Attributes:
        name: the psABI's, such as ``R_X86_64_PC32``.
        expression: what is stored, as text.
        width: of the field, in bytes.
        low, high: what the field can hold; a value outside is an error.
        evaluate: the expression, of symbol, addend, place and graph.
    """

    name: str
    expression: str
    width: int
    low: int
    high: int
    evaluate: Expression


_RANGES: Final = {
    "signed8": (1, -(1 << 7), (1 << 7) - 1),
    "any8": (1, -(1 << 7), (1 << 8) - 1),
    "signed16": (2, -(1 << 15), (1 << 15) - 1),
    "any16": (2, -(1 << 15), (1 << 16) - 1),
    "signed32": (4, -(1 << 31), (1 << 31) - 1),
    "unsigned32": (4, 0, (1 << 32) - 1),
    "word64": (8, -(1 << 127), (1 << 127)),
    "none": (0, 0, 0),
}


def _stub(symbol: Symbol) -> int:
    return symbol.address if symbol.stub is None else symbol.stub


def _dtp(graph: LinkGraph) -> int:
    return graph.thread_data.address if graph.thread_data is not None else 0


_EXPRESSIONS: Final[dict[str, Expression]] = {
    "none": lambda s, a, p, g: 0,
    "S + A": lambda s, a, p, g: s.address + a,
    "S + A - P": lambda s, a, p, g: s.address + a - p,
    "L + A - P": lambda s, a, p, g: (s.address if s.stub is None else s.stub) + a - p,
    "Z + A": lambda s, a, p, g: s.size + a,
    "G + A": lambda s, a, p, g: (s.got or 0) - g.got_base + a,
    "G + GOT + A - P": lambda s, a, p, g: (s.got or 0) + a - p,
    "S + A - GOT": lambda s, a, p, g: s.address + a - g.got_base,
    "GOT + A - P": lambda s, a, p, g: g.got_base + a - p,
    "L + A - GOT": lambda s, a, p, g: _stub(s) + a - g.got_base,
    "E + A - P": lambda s, a, p, g: (s.tls or 0) + a - p,
    "M + A - P": lambda s, a, p, g: (g.tls_module or 0) + a - p,
    "T + A - P": lambda s, a, p, g: (s.tls_got or 0) + a - p,
    "D + A - P": lambda s, a, p, g: (s.descriptor or 0) + a - p,
    "S + A - DTP": lambda s, a, p, g: s.address + a - _dtp(g),
    "TP + A": lambda s, a, p, g: (s.tls_offset or 0) + a,
    "key of E": lambda s, a, p, g: s.tls_words[0],
}

_TABLE: Final = (
    (0, "NONE", "none", "none"),
    (1, "64", "S + A", "word64"),
    (2, "PC32", "S + A - P", "signed32"),
    (3, "GOT32", "G + A", "signed32"),
    (4, "PLT32", "L + A - P", "signed32"),
    (9, "GOTPCREL", "G + GOT + A - P", "signed32"),
    (10, "32", "S + A", "unsigned32"),
    (11, "32S", "S + A", "signed32"),
    (12, "16", "S + A", "any16"),
    (13, "PC16", "S + A - P", "signed16"),
    (14, "8", "S + A", "any8"),
    (15, "PC8", "S + A - P", "signed8"),
    (16, "DTPMOD64", "key of E", "word64"),
    (17, "DTPOFF64", "S + A - DTP", "word64"),
    (18, "TPOFF64", "TP + A", "word64"),
    (19, "TLSGD", "E + A - P", "signed32"),
    (20, "TLSLD", "M + A - P", "signed32"),
    (21, "DTPOFF32", "S + A - DTP", "signed32"),
    (22, "GOTTPOFF", "T + A - P", "signed32"),
    (23, "TPOFF32", "TP + A", "signed32"),
    (24, "PC64", "S + A - P", "word64"),
    (25, "GOTOFF64", "S + A - GOT", "word64"),
    (26, "GOTPC32", "GOT + A - P", "signed32"),
    (27, "GOT64", "G + A", "word64"),
    (28, "GOTPCREL64", "G + GOT + A - P", "word64"),
    (29, "GOTPC64", "GOT + A - P", "word64"),
    (30, "GOTPLT64", "G + A", "word64"),
    (31, "PLTOFF64", "L + A - GOT", "word64"),
    (32, "SIZE32", "Z + A", "unsigned32"),
    (33, "SIZE64", "Z + A", "word64"),
    (34, "GOTPC32_TLSDESC", "D + A - P", "signed32"),
    (35, "TLSDESC_CALL", "none", "none"),
    (41, "GOTPCRELX", "G + GOT + A - P", "signed32"),
    (42, "REX_GOTPCRELX", "G + GOT + A - P", "signed32"),
    (43, "CODE_4_GOTPCRELX", "G + GOT + A - P", "signed32"),
    (44, "CODE_4_GOTTPOFF", "T + A - P", "signed32"),
    (45, "CODE_4_GOTPC32_TLSDESC", "D + A - P", "signed32"),
    (46, "CODE_5_GOTPCRELX", "G + GOT + A - P", "signed32"),
    (47, "CODE_5_GOTTPOFF", "T + A - P", "signed32"),
    (48, "CODE_5_GOTPC32_TLSDESC", "D + A - P", "signed32"),
    (49, "CODE_6_GOTPCRELX", "G + GOT + A - P", "signed32"),
    (50, "CODE_6_GOTTPOFF", "T + A - P", "signed32"),
    (51, "CODE_6_GOTPC32_TLSDESC", "D + A - P", "signed32"),
)

KINDS: Final[Mapping[int, Kind]] = {
    number: Kind("R_X86_64_" + name, expression, *_RANGES[field], _EXPRESSIONS[expression])
    for number, name, expression, field in _TABLE
}

# Kinds that only a linker's output holds.
_DYNAMIC: Final = {
    5: "COPY",
    6: "GLOB_DAT",
    7: "JUMP_SLOT",
    8: "RELATIVE",
    36: "TLSDESC",
    37: "IRELATIVE",
}

PC32, PLT32 = 2, 4
_64, _DTPOFF64, _TLSDESC_CALL = 1, 17, 35
_GOTPCRELX, _REX_GOTPCRELX, _CODE_4_GOTPCRELX = 41, 42, 43
_RELAXABLE: Final = frozenset((_GOTPCRELX, _REX_GOTPCRELX, _CODE_4_GOTPCRELX))

_SIGNED: Final = Struct("<i")
_UNSIGNED: Final = {1: Struct("<B"), 2: Struct("<H"), 4: Struct("<I"), 8: Struct("<Q")}
# How many bytes of the instruction lie before the field.
_BYTES_BEFORE: Final = {_GOTPCRELX: 2, _REX_GOTPCRELX: 3, _CODE_4_GOTPCRELX: 4}
_MIN32, _MAX32 = -(1 << 31), (1 << 31) - 1


def kinds_of(start: str) -> list[int]:
    """Return the kinds whose expression starts so, such as ``G +``: those that need a GOT slot."""
    return [number for number, kind in KINDS.items() if kind.expression.startswith(start)]


def kind_name(number: int) -> str:
    """Return the psABI's name of a relocation, known or not."""
    kind = KINDS.get(number)
    if kind is not None:
        return kind.name
    return "R_X86_64_" + _DYNAMIC.get(number, f"<{number}>")


def is_branch(block: Block, offset: int) -> bool:
    """Return whether the 32-bit field at `offset` is the distance of a call or jump."""
    if block.buffer is None or not block.section.prot & 4 or not 0 < offset < block.size:
        return False
    at = block.offset + offset
    code = block.buffer
    if code[at - 1] in (0xE8, 0xE9):
        return True
    return offset > 1 and code[at - 2] == 0x0F and code[at - 1] & 0xF0 == 0x80


class Relaxation(NamedTuple):
    """A load from a GOT slot as an instruction that needs no slot.

    Attributes:
        at: where in the block the instruction's bytes are replaced from.
        code: the new bytes, with zeros for the field.
        field: where in the block the new field is.
        value: what it holds.
    """

    at: int
    code: bytes
    field: int
    value: int


def relaxation(block: Block, edge: Edge) -> Relaxation | None:
    """Return how a GOTPCRELX load can do without its slot, or None where it cannot.

    The psABI's section B.2: ``mov`` becomes ``lea``, indirect calls and jumps become direct ones,
    and ``test`` and arithmetic take the address as an immediate where that fits 31 bits. The code
    of functions that may be redefined, and of IFUNCs, is only known at run time.
    """
    offset, kind, target, addend = edge
    if kind not in _RELAXABLE or not (target.block is not None or target.direct):
        return None
    if target.kind == "ifunc" or addend != -4 or block.buffer is None:
        return None
    if offset < _BYTES_BEFORE[kind] or offset + 4 > block.size:
        return None
    code = block.buffer
    at = block.offset + offset
    opcode, modrm = code[at - 2], code[at - 1]
    if modrm & 0xC7 != 0x05 and opcode != 0xFF:
        return None
    distance = target.address - 4 - block.address - offset
    if _MIN32 <= distance <= _MAX32:
        if opcode == 0x8B:
            return Relaxation(offset - 2, bytes((0x8D, modrm, 0, 0, 0, 0)), offset, distance)
        if kind == _GOTPCRELX and opcode == 0xFF and modrm == 0x15:
            # Before a direct call REX.W would count no more, as another prefix comes between, but
            # the operand-size prefix would: AMD's processors call a 16-bit address then.
            if offset >= 4 and code[at - 4 : at - 2] == b"\x66\x48":
                return None
            return Relaxation(offset - 2, b"\x67\xe8\0\0\0\0", offset, distance)
        if kind == _GOTPCRELX and opcode == 0xFF and modrm == 0x25 and distance < _MAX32:
            return Relaxation(offset - 2, b"\xe9\0\0\0\0\x90", offset - 1, distance + 1)
    if kind == _CODE_4_GOTPCRELX or opcode == 0xFF or target.address > _MAX32:
        return None
    return _immediate(code, at, offset, kind, target.address)


def _immediate(code: bytearray, at: int, offset: int, kind: int, address: int) -> Relaxation | None:
    """Return ``test`` or an arithmetic instruction with the address in place of the load."""
    opcode, modrm = code[at - 2], code[at - 1]
    register = modrm >> 3 & 7
    if opcode == 0x85:
        new = bytes((0xF7, 0xC0 | register))
    elif opcode & 0xC7 == 0x03:
        new = bytes((0x81, 0xC0 | opcode & 0x38 | register))
    else:
        return None
    if kind == _REX_GOTPCRELX:
        # The register moves from ModRM.reg to ModRM.rm, so its high bit moves from REX.R to REX.B.
        rex = code[at - 3]
        return Relaxation(
            offset - 3, bytes((rex & ~5 | rex >> 2 & 1,)) + new + b"\0\0\0\0", offset, address
        )
    return Relaxation(offset - 2, new + b"\0\0\0\0", offset, address)


def _relax_descriptor(block: Block, edge: Edge) -> Relaxation | None:
    """Return how a TLS descriptor access to static data becomes a move of the offset."""
    offset, _, target, addend = edge
    if target.descriptor is not None or block.buffer is None or offset < 3:
        return None
    at = block.offset + offset
    rex, opcode, modrm = block.buffer[at - 3 : at]
    if opcode != 0x8D or modrm & 0xC7 != 0x05:
        return None
    new = bytes((rex & ~5 | rex >> 2 & 1, 0xC7, 0xC0 | modrm >> 3 & 7, 0, 0, 0, 0))
    return Relaxation(offset - 3, new, offset, (target.tls_offset or 0) + addend + 4)


def fix_up(graph: LinkGraph) -> None:
    """Store the value of every edge; afterwards the segments' bytes are final.

    Raises:
        RelocationError: a value does not fit its field, or a kind is not known.
        ObjectError: a fix-up lies outside its section.
    """
    kinds = KINDS
    plain = _PLAIN
    signed = _SIGNED.pack_into
    quad = _UNSIGNED[8].pack_into
    for block in graph.blocks:
        edges = block.edges
        if not edges:
            continue
        buffer = block.buffer
        start = block.address
        shift = block.offset
        size = block.size
        for edge in edges:
            offset, number, target, addend = edge
            evaluate = plain.get(number)
            if evaluate is not None and offset + 4 <= size and buffer is not None:
                # The common case: a 32-bit signed field of an expression that needs no rewriting.
                try:
                    signed(buffer, shift + offset, evaluate(target, addend, start + offset, graph))
                except StructError:
                    raise _overflow(block, edge, kinds[number], graph) from None
            elif number == _64 and offset + 8 <= size and buffer is not None:
                quad(buffer, shift + offset, (target.address + addend) & MASK64)
            else:
                _store(graph, block, edge)


def _store(graph: LinkGraph, block: Block, edge: Edge) -> None:
    """Store the value of one edge of any kind."""
    offset, number, target, addend = edge
    kind = KINDS.get(number)
    if kind is None:
        raise _unknown(block, edge)
    width = kind.width
    if not width:
        if number == _TLSDESC_CALL and target.descriptor is None:
            _store_descriptor_call(block, offset)
        return
    if offset + width > block.size or block.buffer is None:
        section = block.section
        raise ObjectError(
            section.object_name,
            f"{kind.name} at {section.name}+{offset:#x} lies outside the section's bytes",
        )
    relaxed = None
    if number in _RELAXABLE:
        relaxed = graph.relaxed.get((block.number, offset))
    elif number in _DESCRIPTORS:
        relaxed = _relax_descriptor(block, edge)
    if number == _DTPOFF64 and (block.number, offset) in graph.tls_pairs:
        value = target.tls_words[1] + addend
    elif relaxed is not None:
        at = block.offset + relaxed.at
        block.buffer[at : at + len(relaxed.code)] = relaxed.code
        offset, value = relaxed.field, relaxed.value
    else:
        value = kind.evaluate(target, addend, block.address + offset, graph)
    if not kind.low <= value <= kind.high:
        raise _overflow(block, edge, kind, graph)
    if width == 8:
        value &= MASK64
    elif value < 0:
        value += 1 << width * 8
    _UNSIGNED[width].pack_into(block.buffer, block.offset + offset, value)


def _store_descriptor_call(block: Block, offset: int) -> None:
    """Replace ``call *(%rax)`` by a two-byte nop where the descriptor access was rewritten."""
    if block.buffer is not None and offset + 2 <= block.size:
        at = block.offset + offset
        block.buffer[at : at + 2] = b"\x66\x90"


_DESCRIPTORS: Final = frozenset(kinds_of("D +"))
_PLAIN: Final = {
    number: kind.evaluate
    for number, kind in KINDS.items()
    if kind.low == _MIN32 and number not in _RELAXABLE and number not in _DESCRIPTORS
}


def _unknown(block: Block, edge: Edge) -> RelocationError:
    section = block.section
    offset, number, target, _ = edge
    name = kind_name(number)
    what = "belongs in a linker's output" if number in _DYNAMIC else "is not known"
    return RelocationError(
        f"{section.object_name}: {section.name}+{offset:#x}: relocation {name} "
        f"({target.name or 'a section symbol'}) {what}.",
        object_name=section.object_name,
        section=section.name,
        offset=offset,
        relocation=name,
        symbol=target.name,
    )


def _overflow(block: Block, edge: Edge, kind: Kind, graph: LinkGraph) -> RelocationError:
    section = block.section
    offset, number, target, addend = edge
    value = kind.evaluate(target, addend, block.address + offset, graph)
    advice = ""
    if kind.name in ("R_X86_64_32", "R_X86_64_32S"):
        advice = "; compile with -fPIC or -fPIE"
    elif number == PC32 and target.block is None:
        advice = "; compile with -fPIC, so that what lies far away is reached through the GOT"
    shown = target.name or "an absolute address"
    if not target.name and target.block is not None:
        shown = target.block.section.name
    return RelocationError(
        f"{section.object_name}: {section.name}+{offset:#x}: {kind.name} ({kind.expression}) to "
        f"{shown} gives {value:#x}, which is not between {kind.low:#x} and {kind.high:#x}{advice}.",
        object_name=section.object_name,
        section=section.name,
        offset=offset,
        relocation=kind.name,
        symbol=target.name,
        value=value,
        low=kind.low,
        high=kind.high,
    )
