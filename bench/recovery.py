"""What snapshots cost, and how fast a session recovers.

    python bench/recovery.py [LARGEST_HEAP_MB]

Prints medians: time of a trivial cell with and without snapshots (the same cells in two sessions,
turn by turn); time from a fault to a session that is ready, for heaps of several sizes, in huge
pages as the allocator gets them and in small ones; the same after the supervisor's death; memory
that snapshots of a small program take, with pages that they share counted once (PSS).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from farside.errors import FarSideError
from farside.options import Options
from farside.session import Session

QUIET = Options(output="capture")


def trivial_cells(rounds: int = 300) -> None:
    """Interleave a cell in a session with snapshots and in one without."""
    times: dict[int, list[float]] = {10: [], 0: []}
    commits: dict[int, list[float]] = {10: [], 0: []}
    with Session(QUIET.with_(snapshots=10)) as kept, Session(QUIET.with_(snapshots=0)) as bare:
        sessions = {10: kept, 0: bare}
        for session in sessions.values():
            session.run("int x = 0;")
        for _ in range(rounds):
            for snapshots, session in sessions.items():
                started = perf_counter()
                result = session.run("x = x + 1;")
                times[snapshots].append(perf_counter() - started)
                commits[snapshots].append(result.timings["commit"])
    for snapshots in (0, 10):
        print(
            f"trivial cell, snapshots={snapshots:2}: {median(times[snapshots]) * 1e3:6.3f} ms"
            f" (commit {median(commits[snapshots]) * 1e3:.3f} ms)"
        )
    cost = median(times[10]) - median(times[0])
    print(f"cost of the snapshot to the cell: {cost * 1e3:.3f} ms")


def recovery(megabytes: int, rounds: int = 7, *, small_pages: bool = False) -> None:
    """Fill a heap, then crash again and again."""
    with Session(QUIET) as session:
        session.run(
            "#include <cstdlib>\n#include <cstring>\n#include <sys/mman.h>\n"
            "char *heap = nullptr; int x = 0;"
        )
        session.run(f"heap = (char *)malloc({megabytes}ul << 20);")
        if small_pages:
            session.run(
                f"const unsigned long size = {megabytes}ul << 20;"
                " heap = (char *)mmap(0, size, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);"
                " madvise(heap, size, MADV_NOHUGEPAGE);"
            )
        session.run(f"memset(heap, 1, {megabytes}ul << 20);")
        cells, crashes, far_side, next_cells = [], [], [], []
        for _ in range(rounds):
            await_snapshot(session)
            started = perf_counter()
            session.run("x = x + 1;")
            cells.append(perf_counter() - started)
            await_snapshot(session)
            started = perf_counter()
            try:
                session.run("heap[0] = 2; *(volatile int *)0 = 1;")
            except FarSideError as error:
                if "as it was" not in error.recovery[0]:
                    raise
            crashes.append(perf_counter() - started)
            far_side.append(session.recovery_seconds[-1])
            started = perf_counter()
            result = session.run("heap[0] == 1")
            next_cells.append(perf_counter() - started)
            assert result.value is not None
            assert result.value.text == "true"
        pages = " in small pages" if small_pages else ""
        fork = session._execution._thrift.forks.seconds
        print(
            f"heap of {megabytes:5} MB{pages}: fork {fork * 1e3:.2f} ms of a processor;"
            f" cell {median(cells) * 1e3:7.2f} ms; crashing cell, in all"
            f" {median(crashes) * 1e3:7.2f} ms, of it waking {median(far_side) * 1e3:7.2f} ms;"
            f" next cell {median(next_cells) * 1e3:7.2f} ms"
        )


def await_snapshot(session: Session) -> None:
    """Wait until the program is asleep in its present state, as it is when a user thinks."""
    state = session._execution.present
    if state is None:
        session._execution.keep()
        state = session._execution.present
    assert state is not None
    assert state.snapshot.ready(60)


def supervisor(rounds: int = 15) -> None:
    """Kill the supervisor again and again."""
    with Session(QUIET) as session:
        session.run("int x = 1;")
        for _ in range(rounds):
            await_snapshot(session)
            os.kill(session.supervisor_pid, signal.SIGKILL)
            try:
                session.run("x = 2;")
            except FarSideError as error:
                if "as it was" not in error.recovery[0]:
                    raise
        seconds = session.recovery_seconds
    print(f"after the supervisor's death: median {median(seconds) * 1e3:.2f} ms")


def pss(pid: int) -> int:
    """Return a process's proportional memory in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def memory(count: int = 100) -> None:
    """Compare the memory of a far side with and without many snapshots."""
    totals = {}
    for snapshots in (0, count):
        with Session(QUIET.with_(snapshots=snapshots)) as session:
            session.run("int x = 0;")
            for _ in range(count + 1):
                session.run("x = x + 1;")
            below = [session.supervisor_pid]
            children = f"/proc/{session.supervisor_pid}/task/{session.supervisor_pid}/children"
            below += map(int, Path(children).read_text().split())
            totals[snapshots] = sum(map(pss, below))
            print(f"far side with {len(below) - 2:3} snapshots: PSS {totals[snapshots]} KiB")
    each = (totals[count] - totals[0]) / count
    print(f"one snapshot of a small program: {each:.0f} KiB")


def main() -> None:
    """Run all; the largest heap is 4096 MB unless told otherwise."""
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 4096
    trivial_cells()
    for megabytes in (1, 100, 4096):
        if megabytes <= largest:
            recovery(megabytes)
    recovery(min(largest, 1024), small_pages=True)
    supervisor()
    memory()


if __name__ == "__main__":
    main()
