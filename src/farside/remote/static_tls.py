"""The far side's static thread-local storage: who gets which offset from the thread pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farside.orc import bootstrap

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from farside.remote.executor import Executor


class StaticTlsPool:
    """Gives out pieces of the far side's static thread-local storage; the `TlsModel` of a link."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        setup = executor.setup
        pool = setup.static_tls
        self.get_addr = setup.symbols.get(bootstrap.TLS_GET_ADDR)
        self.descriptor = setup.symbols.get(bootstrap.TLSDESC)
        self.key: int | None = None
        self._next = pool.offset if pool else 0
        self._end = pool.offset + pool.size if pool else 0
        self._kept = self._next

    def static_allocate(self, size: int, alignment: int) -> int | None:
        """Return the thread-pointer offset of `size` bytes in every thread, None without room."""
        start = (self._next + alignment - 1) & -alignment
        if start + size > self._end:
            return None
        self._next = start + size
        return start

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the thread-pointer offsets of libraries' variables that have a constant one."""
        return self._executor.tls_offsets(sorted(names))

    def keep(self) -> int:
        """Make what has been given out permanent; return where the rest starts."""
        self._kept = self._next
        return self._kept

    def return_to(self, start: int) -> None:
        """Take back what has been given out since `keep` returned `start`."""
        self._next = self._kept = start

    def take_back(self) -> None:
        """Take back what has been given out since the last `keep`."""
        self._next = self._kept
