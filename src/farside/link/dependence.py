"""What depends on what: readiness of symbols over the transitive dependence of blocks.

A symbol may be used when its block is in place and everything that its block needs, however far
away, is in place too. The relation is first recorded *whole*, and only then followed. (A system
before this one filled its worklist in the loop that was still recording dependants: of
``int f1() { return f(); }`` it saw ``f1`` ready before ``f``, and the program jumped into the
void.) So nothing here depends on the order in which blocks or edges were seen, and cycles are no special
case: the answer is the least fixed point, computed backwards from what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from farside.link.graph import Block


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


def dependence_of(blocks: Sequence[Block], symbols: Mapping[str, Block]) -> Dependence:
    """Record the dependence between `blocks`, from all of their edges.

    Args:
        blocks: all blocks of the graph that matter; unwind tables do not.
        symbols: the block of each symbol of interest.
    """
    numbers = {id(block): number for number, block in enumerate(blocks)}
    successors: list[Collection[int]] = []
    externals: dict[int, set[str]] = {}
    for number, block in enumerate(blocks):
        needed: set[int] = set()
        for edge in block.edges:
            target = edge[2]
            home = target.block
            if home is not None:
                other = numbers.get(id(home))
                if other is not None:
                    needed.add(other)
            elif not target.defined:
                externals.setdefault(number, set()).add(target.name)
        successors.append(needed)
    homes = {name: numbers[id(block)] for name, block in symbols.items() if id(block) in numbers}
    return Dependence(successors, externals, homes)
