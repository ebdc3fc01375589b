"""What a killed supervisor leaves behind, found and ended.

While it lives, the supervisor ends every process below it. When it has been killed, they are
children of others. They are known by what the executor was started with and what all that it starts
inherits, each by itself enough: a variable of the environment, which a program may be started
without, and a limit that limits nothing, a number of its own for ``RLIMIT_RTTIME`` of some hundred
thousand years, which nothing changes but a process that sets just this.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from itertools import count

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple
from farside.remote.process import has_ended, is_corpse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

MARK_NAME = "FARSIDE_FAR_SIDE"
_PATIENCE = 5.0  # seconds for killed processes to end


_numbers = count()


class Mark(NamedTuple):
    """What the processes of one executor have in common.

    Attributes:
        text: the value of their variable `MARK_NAME`.
        limit: microseconds, their hard ``RLIMIT_RTTIME``. A later one is lower, as an executor
            within another's program may not raise it.
    """

    text: str
    limit: int


def new_mark() -> Mark:
    """Return a mark that no other executor has."""
    now, pid = time.monotonic_ns(), os.getpid()
    unique = (now >> 22) % (1 << 34) << 28 | pid % (1 << 22) << 6 | next(_numbers) % (1 << 6)
    return Mark(f"{pid}.{now}", (1 << 63) - 1 - unique)


def end_leftovers(mark: Mark | None, keep: Collection[int]) -> None:
    """Kill the processes that have a mark, and wait until they end.

    Args:
        mark: of the executor; without one nothing is done.
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


def resume(mark: Mark | None, pids: Collection[int]) -> None:
    """Continue processes that may have been stopped; those without the mark are not touched."""
    for pid in _marked(mark) if mark and pids else ():
        if pid in pids:
            with suppress(OSError):
                os.kill(pid, signal.SIGCONT)


def _marked(mark: Mark) -> Iterator[int]:
    from resource import RLIMIT_RTTIME, prlimit

    variable = f"{MARK_NAME}={mark.text}".encode()
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                if prlimit(int(entry), RLIMIT_RTTIME)[1] == mark.limit:
                    if not is_corpse(int(entry)):
                        yield int(entry)
                    continue
                with open(f"/proc/{entry}/environ", "rb") as environment:
                    variables = environment.read().split(b"\0")
            except OSError:
                continue  # it has ended, or is another user's
            if variable in variables:
                yield int(entry)
