"""Choosing definitions and leaving out what is not needed.

Three reasons to leave a block out:

* an earlier link, or an earlier object of this one, already gave everything its COMDAT group
  defines;
* its COMDAT group defines nothing that others could ask for, and nothing here refers to it;
* roots were given, and it cannot be reached from them.

Unwind records refer to functions but do not need them: whether a function stays is decided without
them, and then the records of dropped functions go, too.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Protocol
from farside.errors import DuplicateDefinition, UndefinedSymbols
from farside.link.build import add_object
from farside.link.dependence import Dependence, relate
from farside.link.eh_frame import compact, described, records
from farside.object.elf import (
    SHF_GNU_RETAIN,
    SHT_FINI_ARRAY,
    SHT_INIT_ARRAY,
    SHT_NOTE,
    SHT_PREINIT_ARRAY,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from farside.link.graph import Block, Definition, LinkGraph, Symbol
    from farside.object.archive import Archive
    from farside.object.elf import ObjectFile

_ROOT_TYPES = frozenset((SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY, SHT_NOTE))
_ROOT_NAMES = (".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors")


class Definitions(Protocol):
    """The half of `Resolver` that answers from the session's own tables."""

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        """Return those of `names` that an earlier link defined."""


def choose_definitions(
    graph: LinkGraph,
    archives: Sequence[Archive],
    resolver: Definitions,
    roots: Collection[str] | None,
    redefines: Collection[str] = (),
) -> None:
    """Decide for every name which definition is used, pulling archive members in as needed.

    An earlier link's definition comes before an archive's, and an archive's before that of another
    JITDylib or of a library.

    Raises:
        DuplicateDefinition: a strong definition, where an earlier link gave one that is neither
            weak nor redefinable.
        UndefinedSymbols: a root that neither this nor an earlier link defines.
        ObjectError: an archive member that is needed is malformed.
    """
    earlier = dict(resolver.defined(graph.globals))
    if archives:
        pull_members(graph, archives, resolver, earlier, roots or ())
    if roots:
        _check_roots(graph, resolver, roots)
    overridden: set[str] = set()
    for name, definition in earlier.items():
        symbol = graph.globals.get(name)
        if symbol is None:
            continue
        if not symbol.defined:
            symbol.earlier = definition
        elif symbol.exported and not definition.elsewhere:
            if name in redefines:
                graph.redefined.append(name)
            elif symbol.weak or symbol.kind == "common" or _in_group(symbol):
                overridden.add(name)
            elif definition.weak or definition.redefinable:
                graph.redefined.append(name)
            else:
                raise DuplicateDefinition(
                    f"{name} is defined in {definition.owner} and again in {symbol.object_name}.",
                    name,
                    definition.owner,
                    symbol.object_name,
                )
    if overridden:
        _adopt(graph, overridden, earlier)


def _check_roots(graph: LinkGraph, resolver: Definitions, roots: Collection[str]) -> None:
    """Make sure that every root is defined, here or by an earlier link."""
    absent = [
        name for name in roots if name not in graph.globals or not graph.globals[name].defined
    ]
    known = resolver.defined(absent) if absent else {}
    missing = sorted(name for name in absent if name not in known)
    if missing:
        what = "is" if len(missing) == 1 else "are"
        text = ", ".join(missing)
        raise UndefinedSymbols(f"{text} {what} to be kept, but undefined.", missing, graph.name)


def _in_group(symbol: Symbol) -> bool:
    return symbol.block is not None and symbol.block.group >= 0


def _adopt(graph: LinkGraph, overridden: set[str], earlier: Mapping[str, Definition]) -> None:
    """Let overridden names mean their earlier definitions, and drop the groups left without use."""
    for group in graph.groups:
        exported = [symbol for symbol in group.symbols if symbol.exported]
        if exported and all(symbol.name in overridden for symbol in exported):
            graph.frames_changed = True
            for block in group.blocks:
                block.live = False
    for name in overridden:
        symbol = graph.globals[name]
        symbol.earlier = earlier[name]
        symbol.block = None
        symbol.defined = False
        symbol.weak = False


def pull_members(
    graph: LinkGraph,
    archives: Sequence[Archive],
    resolver: Definitions,
    earlier: dict[str, Definition],
    roots: Iterable[str],
) -> None:
    """Add the archive members that define what is still undefined, until nothing more is found.

    A weak reference does not pull a member in, nor does a common symbol. `earlier` grows by what
    the session knows of the members' names.
    """
    indexes = [(archive, archive.symbols()) for archive in archives]
    loaded: set[tuple[int, int]] = set()
    wanted = [name for name in roots if name not in graph.globals]
    wanted += [s.name for s in graph.globals.values() if not s.defined and not s.weak]
    while wanted:
        added: list[ObjectFile] = []
        for name in wanted:
            symbol = graph.globals.get(name)
            known = earlier.get(name)
            if (known and not known.elsewhere) or (symbol is not None and symbol.defined):
                continue
            for number, (archive, index) in enumerate(indexes):
                header = index.get(name)
                if header is not None and (number, header) not in loaded:
                    loaded.add((number, header))
                    member = archive.load(header)
                    add_object(graph, member)
                    added.append(member)
                    break
        names = {entry.name for member in added for entry in member.symbols if entry.binding}
        names.discard("")
        fresh = [name for name in names if name not in earlier]
        earlier.update(resolver.defined(fresh))
        wanted = sorted(
            name
            for name in fresh
            if name in graph.globals
            and not graph.globals[name].defined
            and not graph.globals[name].weak
        )


def prune(graph: LinkGraph, roots: Collection[str] | None) -> None:
    """Leave out what is not needed; afterwards every block of the graph is live.

    Args:
        graph: with its definitions chosen.
        roots: names that must stay, with what they need; None keeps all but dropped groups and
            groups that define only hidden names to which nothing refers.
    """
    hidden = [
        group
        for group in graph.groups
        if group.blocks and not any(s.exported for s in group.symbols)
    ]
    if roots is not None:
        _keep_reachable(graph, _root_blocks(graph, roots))
    elif hidden:
        optional = {id(block) for group in hidden for block in group.blocks}
        _keep_reachable(
            graph, [block for block in graph.blocks if block.live and id(block) not in optional]
        )
    for block in graph.unwind:
        found = records(block)
        # Where the records do not add up to the section, there is a terminator among them.
        if graph.frames_changed or sum(end - start for start, end, _, _ in found) != block.size:
            compact(block, found)
    graph.blocks = [block for block in graph.blocks if block.live]


def _root_blocks(graph: LinkGraph, roots: Collection[str]) -> list[Block]:
    """Return the blocks that stay because of a name, or because the run-time system looks there."""
    found: list[Block] = []
    for name in roots:
        symbol = graph.globals.get(name)
        if symbol is not None and symbol.block is not None:
            found.append(symbol.block)
    for block in graph.blocks:
        section = block.section
        if block.live and (
            section.type in _ROOT_TYPES
            or section.flags & SHF_GNU_RETAIN
            or section.name.startswith(_ROOT_NAMES)
        ):
            found.append(block)
    return found


def _keep_reachable(graph: LinkGraph, roots: list[Block]) -> None:
    """Mark the blocks dead that no root reaches, counting what unwind records add to functions."""
    blocks = [block for block in graph.blocks if block.live]
    successors = [set(needed) for needed in relate(blocks).successors]
    for table in graph.unwind:
        _add_unwind_needs(table, successors)
    first = [block.number for block in (*roots, *graph.unwind) if block.live]
    for table in graph.unwind:
        successors[table.number] = set()
    reached = Dependence(successors, {}, {}).reachable(first)
    for number, block in enumerate(blocks):
        if number not in reached:
            block.live = False
            graph.frames_changed = True


def _add_unwind_needs(table: Block, successors: list[set[int]]) -> None:
    """Enter what a function's FDE and its CIE refer to as needs of the function."""
    found = records(table)
    split = described(table, found)
    cies = {record.start: edges for record, edges in zip(found, split, strict=True)}
    for record, edges in zip(found, split, strict=True):
        if record.cie >= 0 and edges:
            function = edges[0][2].block
            if function is not None and function.live:
                for edge in (*edges, *cies[record.cie]):
                    needed = edge[2].block
                    if needed is not None and needed.live:
                        successors[function.number].add(needed.number)
