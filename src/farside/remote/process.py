"""The end of a child process: waiting for it, learning how it was, collecting it."""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress

from farside.remote.death import DeathReport

_PF_EXITING = 4  # linux/sched.h, in the flags of /proc/PID/stat


def await_end(pid: int, deadline: float) -> DeathReport | None:
    """Wait for a child to end and tell how it did, without collecting it.

    Args:
        pid: of the child.
        deadline: on the monotonic clock, in seconds.

    Returns:
        None where it has not ended by then, or is no child that can be asked about.
    """
    try:
        if not has_ended(pid, max(0.0, deadline - time.monotonic())):
            return None
        end = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except (ChildProcessError, ProcessLookupError):  # somebody else has collected it
        return None
    return None if end is None else DeathReport(pid, end.si_code, end.si_status)


def collect(pid: int, grace: float) -> bool:
    """Wait for a child that is about to end, and collect it; after `grace` seconds kill it.

    Returns:
        False if it had to be killed.
    """
    in_order = True
    # Someone else in this process may wait for all children, and have taken this one. One that
    # snapshots founded is no child, and cannot be collected, but waited for.
    with suppress(ChildProcessError, ProcessLookupError):
        if not has_ended(pid, grace):
            in_order = False
            os.kill(pid, signal.SIGKILL)
            has_ended(pid, grace)
        os.waitpid(pid, 0)
    return in_order


def limit_memory(pid: int, limit: int) -> None:
    """Limit what a process may allocate, in bytes; its children and snapshots inherit it."""
    from resource import RLIMIT_DATA, prlimit

    with suppress(ProcessLookupError):  # it may have died meanwhile; the next call says so
        prlimit(pid, RLIMIT_DATA, (limit, limit))


def is_living(worker: int | None, supervisor: int) -> bool:
    """Tell whether a worker is certainly not about to end.

    A process that ends is marked so by the kernel before its sockets close, and one that executes
    another program than its supervisor's, which may end soon, has that program's name by then.
    """
    try:
        with open(f"/proc/{worker}/stat", "rb") as stat:
            fields = stat.read().rpartition(b")")[2].split()
        program = os.readlink(f"/proc/{supervisor}/exe")
        if os.readlink(f"/proc/{worker}/exe") != program:
            return False
    except OSError:
        return False
    return fields[0] not in b"ZX" and not int(fields[6]) & _PF_EXITING


def is_stopped(pid: int) -> bool:
    """Tell whether a process is stopped, by a signal or a debugger."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b")")[2].split()[0] in b"Tt"
    except (OSError, IndexError):
        return False


def is_corpse(pid: int) -> bool:
    """Tell whether a process has ended, with all its threads, and was not collected.

    Raises:
        OSError: there is no such process.
    """
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return fields[0] in b"ZX" and int(fields[17]) <= 1  # state, number of threads


def kill_group(pid: int) -> None:
    """Kill a child that leads a process group, and all that is in the group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def has_ended(pid: int, seconds: float) -> bool:
    """Wait for a process to end, `seconds` at most, and tell whether it did.

    Raises:
        OSError: there is no such process.
    """
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(handle)
