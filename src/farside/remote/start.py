"""Starts the executor that the user chose: a program here, one elsewhere, or none."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.errors import OptionError
from farside.remote.spawn import find_executor, spawn_executor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.options import Options
    from farside.remote.commit import WrapperCall
    from farside.remote.executor import Executor
    from farside.remote.shared import SharedMemory, Stores
    from farside.remote.spawn import Spawned

_LEAST_SLAB = 1 << 20  # holds a few cells; each kind of page takes 64 KB at a time


def start_executor(options: Options, *, capture: bool) -> Spawned:
    """Start an executor, or connect to one that listens.

    Args:
        options: say which, and how large.
        capture: whether its stdout and stderr come through pipes.

    Raises:
        SetupError: it cannot be started or reached, or does not let us in.
        OptionError: an address or file is none, the address range is too small, or a choice
            excludes another.
        FarSideLost: it is not who it was before.
    """
    if options.slab_bytes is not None and options.slab_bytes < _LEAST_SLAB:
        raise OptionError(
            f"an address range of {options.slab_bytes} bytes is too small (--slab-allocate); "
            f"the least is {_LEAST_SLAB >> 20}MB"
        )
    if options.in_process:
        from farside.remote.in_process import start_in_process

        return start_in_process(options, capture=capture)
    if options.connect is not None:
        from farside.remote.connect import connect

        return connect(options, capture=capture)
    if options.ssh is not None:
        from farside.remote.connect import connect_by_ssh

        return connect_by_ssh(options, find_executor(options), capture=capture)
    return spawn_executor(find_executor(options), slab_bytes=options.slab_bytes, capture=capture)


def shared_memory_of(executor: Executor, options: Options) -> SharedMemory | None:
    """Make memory that is shared with an executor, if it is wanted.

    Raises:
        SetupError: there can be none.
    """
    if not options.shared_memory:
        return None
    from farside.remote.shared import share_memory

    return share_memory(executor)


def carried(
    stores: Stores, memory: SharedMemory | None
) -> tuple[Stores, Sequence[tuple[WrapperCall, WrapperCall]]]:
    """Put an image's bytes into shared memory, where there is any; see `SharedMemory.carry`."""
    return (stores, ()) if memory is None else memory.carry(stores)
