"""Initialiser and finaliser arrays: which they are, in which order they run, what they point to.

Order, as the GNU linker's default script and ORC have it: ``.preinit_array``; then
``.init_array.N`` by ascending N and ``.ctors.N`` by descending N, as 65535 − N is its priority;
then ``.init_array`` and ``.ctors``. Within one array the pointers run forwards; those of ``.ctors``
and ``.dtors``, whose direction is the other, were turned round when the graph was built. Finalisers
are listed in the order in which they are to be run, which is the reverse of their arrays' order.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from farside.annotations import TYPE_CHECKING, Final
from farside.errors import LinkError
from farside.object.elf import SHT_FINI_ARRAY, SHT_INIT_ARRAY, SHT_PREINIT_ARRAY
from farside.records import NamedTuple

if TYPE_CHECKING:
    from farside.link.graph import Block, LinkGraph, Section

ARRAY_TYPES: Final = frozenset((SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY))
ARRAY_NAMES: Final = (".init_array", ".ctors", ".preinit_array", ".fini_array", ".dtors")
LOWEST_PRIORITY: Final = 65536
_STAGES: Final = {"preinit_array": 0, "init_array": 1, "ctors": 1, "fini_array": 2, "dtors": 2}
_TYPE_STAGES: Final = {SHT_PREINIT_ARRAY: 0, SHT_INIT_ARRAY: 1, SHT_FINI_ARRAY: 2}
_STATEMENTS: Final = "__stmts__"
_POINTER = Struct("<Q")
_R_NONE: Final = 0  # R_X86_64_NONE
_R_64: Final = 1  # R_X86_64_64
_EXECUTABLE: Final = 4  # of the bits of `graph.Prot`
_NO_FUNCTION: Final = (0, (1 << 64) - 1)  # what crtbegin.o and crtend.o put around .ctors


class Initialiser(NamedTuple):
    """One function to be run when the image is in place.

    Attributes:
        address: of the function.
        symbol: its name, or empty where it has none.
        is_statement: whether it runs statements of a cell rather than initialises a variable.
        priority: 1 to 65535 as given, 65536 without one, 0 for ``.preinit_array``.
        slot: where the pointer to it lies.
    """

    address: int
    symbol: str
    is_statement: bool
    priority: int
    slot: int


class Range(NamedTuple):
    """Addresses from `start` up to, not including, `end`."""

    start: int
    end: int


def order_of(section: Section) -> tuple[int, int] | None:
    """Return where among the arrays a section belongs, or None if it is none of them."""
    return _order_of(section.name, section.type)


@lru_cache(maxsize=256)  # sections of all cells have the same few names
def _order_of(name: str, kind: int) -> tuple[int, int] | None:
    _, _, rest = name.partition(".")
    stem, _, number = rest.partition(".")
    stage = _STAGES.get(stem)
    if stage is None or not name.startswith("."):
        stage = _TYPE_STAGES.get(kind)
        return None if stage is None else (stage, LOWEST_PRIORITY)
    if stage == 0:
        return (0, 0)
    priority = LOWEST_PRIORITY
    if number.isdecimal() and len(number) <= 5:
        priority = int(number)
        if stem in ("ctors", "dtors"):
            priority = 65535 - priority
    return (stage, priority)


class Arrays(NamedTuple):
    """What `collect` found.

    Attributes:
        initialisers, finalisers: in the order in which they are to be run.
        init_ranges: the initialiser arrays' ranges, in that order, as ORC wants them registered.
        fini_ranges: the same of the finaliser arrays.
    """

    initialisers: tuple[Initialiser, ...]
    finalisers: tuple[Initialiser, ...]
    init_ranges: tuple[Range, ...]
    fini_ranges: tuple[Range, ...]


NONE: Final = Arrays((), (), (), ())


def collect(graph: LinkGraph) -> Arrays:
    """List the initialisers and finalisers of a graph whose fix-ups are done.

    Raises:
        LinkError: an array's size is no multiple of a pointer's, or a pointer in it is to no code.
    """
    found = [
        (order, block)
        for block in graph.arrays
        if block.live and (order := order_of(block.section)) is not None
    ]
    if not found:
        return NONE
    if len(found) > 1:
        found.sort(key=lambda pair: (pair[0], pair[1].address))
    names = _Names(graph)
    initialisers: list[Initialiser] = []
    finalisers: list[Initialiser] = []
    ranges: tuple[list[Range], list[Range]] = ([], [])
    for (stage, priority), block in found:
        if block.size % 8:
            section = block.section
            raise LinkError(
                f"{section.object_name}: section {section.name} of {block.size} bytes "
                "is not a whole number of pointers."
            )
        if not block.size:
            continue
        last = stage == 2
        (finalisers if last else initialisers).extend(_pointers(block, priority, names))
        _extend(ranges[last], block.address, block.address + block.size)
    finalisers.reverse()
    return Arrays(tuple(initialisers), tuple(finalisers), tuple(ranges[0]), tuple(ranges[1]))


def _extend(ranges: list[Range], start: int, end: int) -> None:
    """Append a range, joining it to the last one where they touch."""
    if ranges and ranges[-1].end == start:
        ranges[-1] = Range(ranges[-1].start, end)
    else:
        ranges.append(Range(start, end))


def _pointers(block: Block, priority: int, names: _Names) -> list[Initialiser]:
    """Read the pointers of one array, after their fix-ups."""
    if block.buffer is None:  # zeros: no function at all
        return []
    raw = block.buffer[block.offset : block.offset + block.size]
    # Only a whole address makes a pointer; whatever else a fix-up stores there is none.
    targets = {edge[0]: edge for edge in block.edges if edge[1] == _R_64}
    for offset, kind, _, _ in block.edges:
        if kind != _R_NONE and (kind != _R_64 or offset % 8):
            raise _no_code(block, offset & -8, _POINTER.unpack_from(raw, offset & -8)[0])
    result: list[Initialiser] = []
    for number, (address,) in enumerate(_POINTER.iter_unpack(bytes(raw))):
        if address in _NO_FUNCTION:
            continue
        edge = targets.get(number * 8)
        if edge is None:
            raise _no_code(block, number * 8, address)
        _, _, target, addend = edge
        if target.block is not None and not (
            0 <= target.value + addend < target.block.size
            and target.block.section.prot & _EXECUTABLE
        ):
            raise _no_code(block, number * 8, address)
        name = target.name or names.at(target.block, target.value + addend)
        statement = name.startswith(_STATEMENTS)
        result.append(Initialiser(address, name, statement, priority, block.address + number * 8))
    return result


def _no_code(block: Block, offset: int, address: int) -> LinkError:
    section = block.section
    return LinkError(
        f"{section.object_name}: {section.name}+{offset:#x} is a pointer to {address:#x}, "
        "which is no code of the object and no symbol."
    )


class _Names:
    """Names of places, for pointers that refer to a function by its section; made when needed."""

    def __init__(self, graph: LinkGraph) -> None:
        self._graph = graph
        self._names: dict[tuple[int, int], str] | None = None

    def at(self, block: Block | None, offset: int) -> str:
        if block is None:
            return ""
        if self._names is None:
            graph = self._graph
            self._names = {}
            for symbols in (graph.locals, graph.globals.values()):
                for symbol in symbols:
                    if symbol.name and symbol.block is not None:
                        self._names.setdefault((id(symbol.block), symbol.value), symbol.name)
        return self._names.get((id(block), offset), "")
