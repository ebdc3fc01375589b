"""What depends on what: readiness of symbols over the transitive dependence of blocks.

A symbol may be used when its block is in place and everything that its block needs, however far
away, is in place too. The relation is first recorded *whole*, and only then followed. (A system
before this one filled its worklist in the loop that was still recording dependants: of ``int f1() {
return f(); }`` it saw ``f1`` ready before ``f``, and the program jumped into the void.) So nothing
here depends on the order in which blocks or edges were seen, and cycles are no special case: the
answer is the least fixed point, computed backwards from what is missing.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from farside.link.graph import Block, Edge, Symbol


class Dependence:
    """Blocks by number, what each needs of the others, and what it needs from outside.

    Attributes:
        successors: for each block, the blocks it refers to.
        externals: for each block that has any, the external names it refers to.
        symbols: the block of each symbol.
    """

    __slots__ = ("externals", "successors", "symbols")

    def __init__(
        self,
        successors: Sequence[Collection[int]],
        externals: Mapping[int, Collection[str]],
        symbols: Mapping[str, int],
    ) -> None:
        self.successors = successors
        self.externals = externals
        self.symbols = symbols

    def reachable(self, roots: Iterable[int]) -> set[int]:
        """Return the blocks that can be reached from `roots`, these included."""
        seen = set(roots)
        pending = list(seen)
        successors = self.successors
        while pending:
            for block in successors[pending.pop()]:
                if block not in seen:
                    seen.add(block)
                    pending.append(block)
        return seen

    def externals_of(self, symbol: str) -> frozenset[str]:
        """Return every external name that `symbol` depends on, directly or through other blocks.

        Raises:
            KeyError: the link does not define `symbol`.
        """
        names: set[str] = set()
        for block in self.reachable((self.symbols[symbol],)):
            names.update(self.externals.get(block, ()))
        return frozenset(names)

    def ready(self, available: Collection[str]) -> frozenset[str]:
        """Return the symbols that may be used when only `available` externals are in place."""
        dependants: list[list[int]] = [[] for _ in self.successors]
        for block, needed in enumerate(self.successors):
            for other in needed:
                dependants[other].append(block)
        blocked = {
            block
            for block, names in self.externals.items()
            if any(name not in available for name in names)
        }
        pending = list(blocked)
        while pending:
            for block in dependants[pending.pop()]:
                if block not in blocked:
                    blocked.add(block)
                    pending.append(block)
        return frozenset(name for name, block in self.symbols.items() if block not in blocked)


class Relation(NamedTuple):
    """What all edges of a graph say.

    Attributes:
        successors: for each block, by number, the numbers of the blocks that it refers to.
        externals: for each block that has any, the external names that it refers to.
        symbols: the external symbols that are referred to, by name.
        broken: pairs of a block and an edge of it that leads to what is not part of the image.
    """

    successors: list[Collection[int]]
    externals: dict[int, set[str]]
    symbols: dict[str, Symbol]
    broken: list[tuple[Block, Edge]]

    def dependence(self, symbols: Mapping[str, Symbol]) -> Dependence:
        """Return the relation as it concerns `symbols`."""
        homes = {name: s.block.number for name, s in symbols.items() if s.block is not None}
        return Dependence(self.successors, self.externals, homes)


def relate(blocks: Iterable[Block]) -> Relation:
    """Number the blocks, and record what each of them refers to, from all of their edges."""
    for number, block in enumerate(blocks):
        block.number = number
    successors: list[Collection[int]] = []
    externals: dict[int, set[str]] = {}
    symbols: dict[str, Symbol] = {}
    broken: list[tuple[Block, Edge]] = []
    for number, block in enumerate(blocks):
        needed: Collection[int] = ()
        edges = block.edges
        if edges:
            needed = set()
            for edge in edges:
                target = edge[2]
                home = target.block
                if home is not None:
                    if home.live:
                        needed.add(home.number)
                    else:
                        broken.append((block, edge))
                elif not target.defined:
                    if target.local:
                        broken.append((block, edge))
                    elif number in externals:
                        externals[number].add(target.name)
                    else:
                        externals[number] = {target.name}
                    symbols[target.name] = target
        successors.append(needed)
    return Relation(successors, externals, symbols, broken)
