"""A trivial cell after many others, in succession and after pauses, by its parts.

    .venv/bin/python bench/pauses.py [--after CELLS ...] [--pause 0.03] [--cells 60]

In a pause, of so many seconds, the compiler forks, and the next cell copies what it writes to: the
last column counts the compiler's page faults. Figures are medians, in milliseconds. With the
defaults it takes about a minute.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from farside import Session

AFTER = (100, 10_000, 40_000)
PARTS = ("compile", "link", "commit")


def faults(pid: int) -> int:
    """How many page faults a process has had that needed no disk, from proc(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[7])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--after", type=int, nargs="+", default=AFTER, metavar="CELLS")
    parser.add_argument("--pause", type=float, default=0.03)
    parser.add_argument("--cells", type=int, default=60)
    chosen = parser.parse_args()
    print("after cells  pause (s)  whole  " + "  ".join(PARTS) + "  page faults")
    with Session() as session:
        for after in chosen.after:
            while session.next_cell <= after:
                session.run(f"int cell{session.next_cell} = 1;")
            for pause in (0.0, chosen.pause):
                figures: defaultdict[str, list[float]] = defaultdict(list)
                for _ in range(chosen.cells):
                    time.sleep(pause)
                    before = faults(session.compiler_pid)
                    started = time.perf_counter()
                    timings = session.run(f"int cell{session.next_cell} = 1;").timings
                    figures["whole"].append((time.perf_counter() - started) * 1e3)
                    figures["faults"].append(faults(session.compiler_pid) - before)
                    for part in PARTS:
                        figures[part].append(timings[part] * 1e3)
                found = [f"{median(figures[each]):.2f}" for each in ("whole", *PARTS)]
                print(
                    after, pause, *found, f"{median(figures['faults']):.0f}", sep="  ", flush=True
                )


if __name__ == "__main__":
    main()
