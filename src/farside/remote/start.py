"""Starts the executor that the user chose: a program here, one elsewhere, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farside.remote.spawn import find_executor, spawn_executor

if TYPE_CHECKING:
    from farside.options import Options
    from farside.remote.spawn import Spawned


def start_executor(options: Options, *, capture: bool) -> Spawned:
    """Start an executor, or connect to one that listens.

    Args:
        options: say which, and how large.
        capture: whether its stdout and stderr come through pipes.

    Raises:
        SetupError: it cannot be started or reached, or does not let us in.
        OptionError: an address or file is none, or a choice excludes another.
        FarSideLost: it is not who it was before.
    """
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
