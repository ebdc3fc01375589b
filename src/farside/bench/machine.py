"""The machine, the programs and their versions, as they are recorded with each run."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from shutil import which

_PATIENCE = 20.0  # seconds that a program may take to tell its version


def describe_machine() -> dict[str, object]:
    """Return what figures depend on: processor, memory, system, load."""
    return {
        "processor": _processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": _system(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def versions(programs: dict[str, str]) -> dict[str, str]:
    """Return the first line of each program's ``--version`` that has a digit; by name.

    Args:
        programs: names and paths; one that is missing or says nothing is left out.
    """
    found = {}
    for name, path in programs.items():
        if which(path) is None:
            continue
        try:
            said = subprocess.run(
                [path, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_PATIENCE,
                check=False,
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            continue
        lines = [line.strip() for line in said.splitlines() if any(map(str.isdigit, line))]
        if lines:
            found[name] = lines[0]
    return found


def pss_kib(pid: int) -> int:
    """Return the proportional set size of a process in KiB, 0 if it has ended.

    Each page counts divided by the number of processes that share it.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def children(pid: int) -> list[int]:
    """Return the children of a process, none if it has ended."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []
