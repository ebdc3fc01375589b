"""What a test leaves behind: processes, shared memory, temporary files.

Every process that a test starts, however deep, carries the test's mark in its environment, so that
tests can run beside each other. Waiting is for the end of a known process, never for a while.
"""

from __future__ import annotations

import os
import select
from pathlib import Path
from time import monotonic

MARK_NAME = "FARSIDE_TEST_MARK"
SHARED_MEMORY = Path("/dev/shm")


def marked_processes(mark: str) -> dict[int, str]:
    """Return the living processes that carry `mark`, by id, with their command."""
    wanted = f"{MARK_NAME}={mark}".encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(entry.name)] = command.decode(errors="replace").strip()
        except OSError:
            continue  # it has just ended, or is not ours
    return found


def parent_of(pid: int) -> int:
    """Return the parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_for_end(pid: int, seconds: float = 20) -> bool:
    """Wait until a process has ended, or for `seconds`; return whether it has."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def wait_for_all(mark: str, seconds: float = 20) -> dict[int, str]:
    """Wait for every process with `mark` to end; return those that did not within `seconds`."""
    deadline = monotonic() + seconds
    while left := marked_processes(mark):
        for pid in left:
            if not wait_for_end(pid, max(0, deadline - monotonic())):
                return marked_processes(mark)
    return {}


def shared_memory(where: Path = SHARED_MEMORY) -> set[str]:
    """Return the names of the shared memory files in `where` that no living process uses."""
    names = {entry.name for entry in where.iterdir()}
    return names - _names_in_use(where) if names else names


def _names_in_use(where: Path) -> set[str]:
    within = f"{where}/"
    used = set()
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            maps = (process / "maps").read_text(errors="replace")
            links = [_target(link) for link in (process / "fd").iterdir()]
        except OSError:
            continue
        lines = [line[line.find("/") :] for line in maps.splitlines() if within in line]
        used |= {Path(path).name for path in lines + links if path.startswith(within)}
    return used


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""  # closed since the directory was read
