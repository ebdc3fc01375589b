"""Time the classic programs: farside beside clang++ -O2, alternating, median of each.

    python bench/programs/compare.py [ROUNDS]

"farside" is the call of ``main`` in a session that has compiled the program; "farside FILE" is the
whole command, from the shell to its end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

HERE = Path(__file__).parent


def timed(command: list[str]) -> float:
    started = perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started


def run_in_farside(source: Path) -> float:
    """Return the seconds that `main` takes in a session."""
    from farside.options import Options
    from farside.session import Session

    with Session(Options(output="capture", opt=2)) as session:
        session.run(source.read_text())
        started = perf_counter()
        status = session.call_main([source.name])
        taken = perf_counter() - started
    if status != 0:
        raise SystemExit(f"{source.name} returned {status}")
    return taken


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    compiler = shutil.which("clang++-22")
    if compiler is None:
        raise SystemExit("clang++-22 is missing; scripts/setup installs it")
    print(f"{'program':12} {'clang++ -O2':>12} {'farside':>12} {'ratio':>7} {'farside FILE':>14}")
    with tempfile.TemporaryDirectory() as directory:
        for source in sorted(HERE.glob("*.cpp")):
            program = Path(directory) / source.stem
            subprocess.run([compiler, "-O2", str(source), "-o", str(program)], check=True)
            ahead, inside, whole = [], [], []
            for _ in range(rounds):
                ahead.append(timed([str(program)]))
                inside.append(run_in_farside(source))
                whole.append(timed([sys.executable, "-m", "farside.cli", str(source)]))
            ratio = median(inside) / median(ahead)
            print(
                f"{source.stem:12} {median(ahead):10.3f} s {median(inside):10.3f} s {ratio:7.2f}"
                f" {median(whole):12.3f} s"
            )


if __name__ == "__main__":
    main()
