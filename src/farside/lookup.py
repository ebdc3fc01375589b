"""What names mean to a link in one JITDylib: the `Resolver` that `farside.link.link` is given.

As in ORC, a name is looked for in the JITDylib itself, then in those of its link order, one after
the other, and then in the far side's libraries. The link order is not transitive. Only definitions
of the JITDylib itself count when it defines a name again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from farside.link import Definition

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from farside.orc.jitdylib import JitDylib


class Lookup(NamedTuple):
    """The names that code in a JITDylib can refer to.

    Attributes:
        dylib: the JITDylib.
        libraries: returns what the far side's libraries define of some names.
    """

    dylib: JitDylib[Definition]
    libraries: Callable[[Collection[str]], Mapping[str, int]]

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        """Return what earlier images define of `names`."""
        own = self.dylib.lookup
        if not self.dylib.link_order:
            return {name: found for name in names if (found := own(name)) is not None}
        result: dict[str, Definition] = {}
        for name in names:
            definition = find(self.dylib, name)
            if definition is not None:
                result[name] = definition
        return result

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        """Return addresses in the far side's libraries."""
        return self.libraries(names)


def find(dylib: JitDylib[Definition], name: str) -> Definition | None:
    """Return the definition of a name that code in a JITDylib would be linked to."""
    definition = dylib.lookup(name)
    if definition is not None or name == "__dso_handle":  # each has its own
        return definition
    for other in dylib.link_order:
        definition = other.lookup(name)
        if definition is not None:
            return definition._replace(elsewhere=True)
    return None
