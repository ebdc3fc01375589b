"""The far side's static thread-local storage: who gets which offset from the thread pointer."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, TypeVar
from farside.orc import bootstrap, sps

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from collections.abc import Sequence as AbstractSequence

    from farside.remote.executor import Executor

Pieces = tuple[tuple[int, int], ...]
"""(start, end) of what is in use, as offsets from the thread pointer, in ascending order."""

T = TypeVar("T")

_NAMES = sps.Sequence(sps.STRING)
_OFFSETS = sps.Sequence(sps.Optional(sps.I64))
_MODULES = sps.Sequence(sps.Optional(sps.Tuple(sps.U64, sps.U64)))
_PATIENCE = 60.0  # seconds for what the executor does without the program's code


class StaticTlsPool:
    """Gives out pieces of the far side's static thread-local storage; the `TlsModel` of a link."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        setup = executor.setup
        pool = setup.static_tls
        self.get_addr = setup.symbols.get(bootstrap.TLS_GET_ADDR)
        self.descriptor = setup.symbols.get(bootstrap.TLSDESC)
        self.key: int | None = None
        self._start = pool.offset if pool else 0
        self._end = pool.offset + pool.size if pool else 0
        self._used: Pieces = ()
        self._kept: Pieces = ()

    def static_allocate(self, size: int, alignment: int) -> int | None:
        """Return the thread-pointer offset of `size` bytes in every thread, None without room."""
        low = self._start
        for position, (start, end) in enumerate((*self._used, (self._end, self._end))):
            at = (low + alignment - 1) & -alignment
            if at + size <= start:
                piece = (at, at + size)
                self._used = (*self._used[:position], piece, *self._used[position:])
                return at
            low = end
        return None

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the thread-pointer offsets of libraries' variables that have a constant one."""
        return self._ask(bootstrap.TLS_OFFSETS, _OFFSETS, sorted(names))

    def modules(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        """Return the entries' words of libraries' variables that each thread allocates."""
        return self._ask(bootstrap.TLS_MODULES, _MODULES, sorted(names))

    def _ask(
        self, function: str, codec: sps.Codec[AbstractSequence[T | None]], names: list[str]
    ) -> dict[str, T]:
        payload = self._executor.call(function, sps.pack((_NAMES,), (names,)), timeout=_PATIENCE)
        found = self._executor.decoded(codec, payload)
        return {name: each for name, each in zip(names, found, strict=False) if each is not None}

    def keep(self) -> Pieces:
        """Make what has been given out permanent; return what is in use."""
        self._kept = self._used
        return self._kept

    def release(self, start: int, size: int) -> None:
        """Take a piece back whose image has gone; it is given out again."""
        piece = (start, start + size)
        self._used = self._kept = tuple([each for each in self._kept if each != piece])

    def return_to(self, used: Pieces) -> None:
        """Go back to what was in use when `keep` returned `used`."""
        self._used = self._kept = used

    def take_back(self) -> None:
        """Take back what has been given out since the last `keep`."""
        self._used = self._kept
