"""What it costs to lose nothing: recovery by size of the heap, a cell's snapshot, memory of many.

    .venv/bin/python bench/snapshots.py [--heaps MIB ...] [--crashes 7] [--pairs 600] [--kept 100]

Three tables: milliseconds of a whole cell that writes to the heap, crashes and is taken back, from
the call of `run` to the exception; milliseconds of a trivial cell in two sessions that take turns,
one with snapshots and one without; and the proportional set size (PSS, shared pages counted once)
of the snapshots of a small program. After each crash the heap must be what it was before the cell.
With the defaults it takes less than a minute and needs some 5 GiB of memory.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from statistics import median
from time import perf_counter

from farside import Crashed, Session

HEAPS = (1, 100, 4096)  # MiB
WARM_UP = 30  # cells
_ASLEEP = 60.0  # seconds for a snapshot to be there


def recovery(mebibytes: int, crashes: int) -> list[float]:
    """Milliseconds of each of some crashing cells in a session with a heap of this size.

    Raises:
        RuntimeError: the heap was not restored.
    """
    times = []
    with Session() as session:
        session.run(f"#include <vector>\nstd::vector<char> heap({mebibytes}ull << 20, 1);")
        for number in range(crashes):
            session.run(f"int before{number} = {number};")
            started = perf_counter()
            try:
                session.run("heap[5] = 9; *(volatile int *)nullptr = 1;")
            except Crashed:
                times.append((perf_counter() - started) * 1e3)
            if (session.eval("+heap[5]"), session.eval(f"before{number}")) != (1, number):
                raise RuntimeError(f"a heap of {mebibytes} MiB was not restored")
    return times


def cost(pairs: int) -> tuple[list[float], list[float]]:
    """Milliseconds of trivial cells with snapshots, and without, in turns."""
    with Session(snapshots=10) as kept, Session(snapshots=0) as bare:
        times: dict[Session, list[float]] = {kept: [], bare: []}
        for number in range(WARM_UP + pairs):
            for session in (kept, bare) if number % 2 else (bare, kept):
                started = perf_counter()
                session.run(f"int cell{number} = {number};")
                times[session].append((perf_counter() - started) * 1e3)
        return times[kept][WARM_UP:], times[bare][WARM_UP:]


def memory(count: int) -> list[int]:
    """KiB of PSS of each of `count` snapshots, all made of one small program."""
    with Session(snapshots=count, snapshot_memory=None) as session:
        session.run("#include <vector>\nstd::vector<int> values;")
        for number in range(3 * count):
            session.run(f"values.push_back({number});")
        kept = [state.snapshot for state in session._execution._kept]
        return [_pss(each.pid) for each in kept if each.ready(_ASLEEP)]


def _pss(pid: int) -> int:
    """KiB of PSS of a process, from proc(5)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) if found else 0


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--heaps", type=int, nargs="+", default=HEAPS, metavar="MIB")
    parser.add_argument("--crashes", type=int, default=7)
    parser.add_argument("--pairs", type=int, default=600)
    parser.add_argument("--kept", type=int, default=100)
    chosen = parser.parse_args()
    print("heap (MiB)  crash to restored (ms): median, worst")
    for mebibytes in chosen.heaps:
        times = recovery(mebibytes, chosen.crashes)
        print(f"{mebibytes:10}  {median(times):.1f}, {max(times):.1f}", flush=True)
    kept, bare = cost(chosen.pairs)
    differences = [one - other for one, other in zip(kept, bare, strict=True)]
    print(
        f"a trivial cell (ms): {median(kept):.3f} with snapshots, {median(bare):.3f} without, "
        f"median difference {median(differences):.3f}",
        flush=True,
    )
    sizes = memory(chosen.kept)
    print(f"{len(sizes)} snapshots: {sum(sizes) / 1024:.1f} MiB of PSS, {median(sizes)} KiB each")


if __name__ == "__main__":
    main()
