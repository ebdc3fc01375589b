"""What the two kinds of executor have in common, as the rest of a session sees it.

farside's own executor brings all of it. Another ORC executor is brought up to it when it starts;
see `farside.stock`.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Protocol
from farside.errors import OptionError
from farside.remote.process import limit_memory
from farside.remote.slabs import Slabs
from farside.remote.static_tls import StaticTlsPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.options import Options
    from farside.remote.executor import Executor


class FarSide(Protocol):
    """An executor that is ready for cells.

    Attributes:
        memory: allocates in its address range.
        tls: its thread-local storage.
        known: names that cells find before they are looked for in libraries.
        notices: what it cannot do, a sentence each.
    """

    memory: Slabs
    tls: StaticTlsPool
    known: Mapping[str, int]
    notices: tuple[str, ...]

    def close(self, patience: float) -> str | None:
        """End the program in order; returns what went wrong, or None.

        Raises:
            TimedOut: exit handlers had not ended after `patience` seconds.
        """


class NativeFarSide:
    """farside's own executor."""

    def __init__(self, executor: Executor, *, in_process: bool = False) -> None:
        self.memory = Slabs.of(executor.setup)
        self.tls = StaticTlsPool(executor)
        self.known: Mapping[str, int] = {}
        self.notices: tuple[str, ...] = ()
        if in_process:
            from farside.remote.in_process import NOTICE

            self.notices = (NOTICE,)

    def close(self, patience: float) -> str | None:
        """Leave all to the executor, which does it when it is told of the end."""
        return None


def make_far_side(executor: Executor, options: Options) -> FarSide:
    """Return what an executor that has sent its Setup is for a session, with its limits set.

    Raises:
        SetupError: it is not farside's own, and cannot be brought up to what a session needs.
        OptionError: an option asks for what only farside's own can do.
    """
    worker, limit = executor.worker_pid, options.memory_limit
    if limit is not None and worker is not None and executor.is_child:
        limit_memory(worker, limit)
    if executor.is_native:
        if options.process_limit is not None:
            executor.family.limit_processes(options.process_limit)
        return NativeFarSide(executor, in_process=options.in_process)
    if options.process_limit is not None:
        raise OptionError("--process-limit needs farside's own executor, which counts processes")
    from farside.stock import StockFarSide

    return StockFarSide(executor, options)
