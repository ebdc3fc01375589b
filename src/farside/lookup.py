"""What names mean to a link in one JITDylib: the `Resolver` that `farside.link.link` is given.

As in ORC, a name is looked for in the JITDylib itself, then in those of its link order, one after
the other, and then in the far side's libraries. The link order is not transitive. Only definitions
of the JITDylib itself count when it defines a name again.

An archive of another JITDylib gives its members to that one. So a link that needs one cannot go on:
it ends with `MembersNeeded` before it has allocated anything, the members are linked, and it begins
again.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.link import Definition
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from farside.object import Archive
    from farside.orc.jitdylib import JitDylib


class MembersNeeded(Exception):
    """A link needs archive members of other JITDylibs. It never leaves an `ExecutionSession`.

    Attributes:
        members: for each JITDylib, its archives and the headers of the members, without repetition.
    """

    def __init__(self, members: Mapping[str, Sequence[tuple[Archive, int]]]) -> None:
        super().__init__()
        self.members = members


class Lookup(NamedTuple):
    """The names that code in a JITDylib can refer to.

    Attributes:
        dylib: the JITDylib.
        archives: of all JITDylibs, by their names.
        libraries: returns what the far side's libraries define of some names.
    """

    dylib: JitDylib[Definition]
    archives: Mapping[str, Sequence[Archive]]
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

    def require(self, names: Collection[str]) -> None:
        """Stop the link if archives of the link order define some of `names`.

        Raises:
            MembersNeeded: they do.
            ObjectError: an archive without index has a malformed member.
        """
        if any(self.archives.get(each.name) for each in self.dylib.link_order):
            members = members_for(self.dylib, self.archives, names)
            if members:
                raise MembersNeeded(members)

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


def members_for(
    dylib: JitDylib[Definition], archives: Mapping[str, Sequence[Archive]], names: Collection[str]
) -> dict[str, list[tuple[Archive, int]]]:
    """Return the archive members of a link order that define some of `names`, by JITDylib."""
    found: dict[str, list[tuple[Archive, int]]] = {}
    for name in names:
        for other in dylib.link_order:
            if name in other:
                break
            archive = next((a for a in archives.get(other.name, ()) if name in a.symbols()), None)
            if archive is not None:
                member = archive, archive.symbols()[name]
                if member not in (members := found.setdefault(other.name, [])):
                    members.append(member)
                break
    return found
