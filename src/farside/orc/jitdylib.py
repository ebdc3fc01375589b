"""JITDylibs on the near side: which names linked code defines, and where.

A JITDylib is to linked code what a shared library is to the dynamic loader. The far side knows it
by its **header**, the address of its ``__dso_handle``. Here it is a symbol table. Each definition
has an owner, the resource tracker of ORC: a cell, an object, whatever goes as a whole. A name may
be defined again by a later owner; the newest definition is the one found, and when its owner is
removed the one before it shows again.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Generic, TypeVar
from farside.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

D = TypeVar("D")


class JitDylib(Generic[D]):
    """A symbol table with owners; `D` is what it keeps for each definition.

    Attributes:
        name: unique in its session.
        header: the address of its ``__dso_handle`` on the far side.
        link_order: where code in it finds what it does not define itself, first to last.
    """

    def __init__(self, name: str, header: int) -> None:
        self.name = name
        self.header = header
        self.link_order: tuple[JitDylib[D], ...] = ()
        self._symbols: dict[str, list[tuple[str, D]]] = {}
        self._names: dict[str, list[str]] = {}

    def __len__(self) -> int:
        """Return how many names are defined."""
        return len(self._symbols)

    def __contains__(self, name: object) -> bool:
        return name in self._symbols

    def __iter__(self) -> Iterator[str]:
        return iter(self._symbols)

    def define(self, owner: str, symbols: Mapping[str, D]) -> None:
        """Add the definitions of an owner, which may come in several calls.

        Raises:
            InternalError: the owner defines one of the names already; nothing is added.
        """
        if not symbols:
            return
        for name in symbols:
            if any(found[0] == owner for found in self._symbols.get(name, ())):
                raise InternalError(f"{name} is defined twice by {owner} of {self.name}.")
        names = self._names.setdefault(owner, [])
        for name, definition in symbols.items():
            self._symbols.setdefault(name, []).append((owner, definition))
            names.append(name)

    def lookup(self, name: str) -> D | None:
        """Return the newest definition of a name."""
        found = self._symbols.get(name)
        return found[-1][1] if found else None

    def names_of(self, owner: str) -> tuple[str, ...]:
        """Return what an owner defines, in order."""
        return tuple(self._names.get(owner, ()))

    def owners(self) -> tuple[str, ...]:
        """Return all owners that define something, oldest first."""
        return tuple(self._names)

    def remove(self, owner: str) -> None:
        """Remove the definitions of an owner; one without any is fine."""
        for name in self._names.pop(owner, ()):
            rest = [found for found in self._symbols[name] if found[0] != owner]
            if rest:
                self._symbols[name] = rest
            else:
                del self._symbols[name]
