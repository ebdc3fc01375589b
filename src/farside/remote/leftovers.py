"""What a killed supervisor leaves behind, found and ended.

While it lives, the supervisor ends every process below it. When it has been killed, they are
children of others. They are known by a variable that the executor was started with, which forks
share and programs inherit; a program that was given another environment is not found.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from farside.remote.process import has_ended

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MARK_NAME = "FARSIDE_FAR_SIDE"
_PATIENCE = 5.0  # seconds for killed processes to end


def new_mark() -> str:
    """Return a value that no other executor has."""
    return f"{os.getpid()}.{time.monotonic_ns()}"


def end_leftovers(mark: bytes, keep: Collection[int]) -> None:
    """Kill the processes with this ``NAME=value`` in their environment, and wait until they end.

    Args:
        mark: of the executor; an empty one does nothing.
        keep: processes that stay, and the caller's own does in any case.
    """
    deadline = time.monotonic() + _PATIENCE
    spared = {*keep, os.getpid()}
    while mark and time.monotonic() < deadline:
        found = [pid for pid in _marked(mark) if pid not in spared]
        if not found:
            return
        # All are stopped first, or they might fork while they are killed one by one.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with suppress(OSError):
                    os.kill(pid, number)
        for pid in found:
            with suppress(OSError):
                has_ended(pid, max(0.0, deadline - time.monotonic()))


def _marked(mark: bytes) -> Iterator[int]:
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                with open(f"/proc/{entry}/environ", "rb") as environment:
                    variables = environment.read().split(b"\0")
            except OSError:
                continue  # it has ended, or is another user's
            if mark in variables:
                yield int(entry)
