"""The libraries that a program has loaded, and the addresses of their symbols that are known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from farside.remote.executor import Executor


class LoadedLibraries:
    """What a session has loaded into one executor, besides what was there at its start."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        # Handles; 0 for those that were found by themselves, whose names the whole process shows.
        self._handles: list[int] = []
        self._addresses: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._handles)

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

    def return_to(self, count: int) -> None:
        """Forget all but the first `count` libraries, after the program went back."""
        del self._handles[count:]
        self._addresses.clear()  # a cell may have loaded libraries, too
