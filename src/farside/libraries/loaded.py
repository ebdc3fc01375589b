"""The libraries that a program has loaded, and the addresses of their symbols that are known."""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from farside.remote.executor import Executor


class LibrariesMark(NamedTuple):
    """How many libraries were loaded, and addresses known, when a state was kept."""

    libraries: int
    addresses: int


class LoadedLibraries:
    """What a session has loaded into one executor, besides what was there at its start."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        # Handles; 0 for those that were found by themselves, whose names the whole process shows.
        self._handles: list[int] = []
        self._addresses: dict[str, int] = {}  # in the order in which they became known

    def open(self, path: str) -> None:
        """Load a library, by its path or a name on the loader's search path.

        Raises:
            RemoteError: the loader refused it.
        """
        # The loader looks for a bare name on its search path only, and the program may be in
        # another directory by now.
        found = os.path.abspath(path) if os.path.exists(path) else path
        self._handles.append(self._executor.open_library(found))

    def open_found(self, path: str, timeout: float | None) -> None:
        """Load a library that was found by itself; after `timeout` seconds its initialisers end."""
        self._executor.open_library(path, timeout=timeout)
        self._handles.append(0)

    def know(self, addresses: Mapping[str, int]) -> None:
        """Take symbols for found."""
        self._addresses.update(addresses)

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        """Return what the far side's libraries define of `names`; hits are remembered."""
        known = self._addresses
        asked = [name for name in names if name not in known]
        if asked:
            known.update(self._executor.resolve(asked))
            for library in filter(None, reversed(self._handles)):
                missing = [name for name in asked if name not in known]
                if not missing:
                    break
                known.update(self._executor.resolve(missing, library))
        return {name: known[name] for name in names if name in known}

    def mark(self) -> LibrariesMark:
        """Return what there is now, for `return_to`."""
        return LibrariesMark(len(self._handles), len(self._addresses))

    def return_to(self, mark: LibrariesMark) -> None:
        """Forget what came later, after the program went back.

        So with addresses that became known later: a cell may have loaded libraries, too.
        """
        del self._handles[mark.libraries :]
        while len(self._addresses) > mark.addresses:
            self._addresses.popitem()
