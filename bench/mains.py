"""The mains of the four programs alone, in a cell and compiled ahead of time, turn by turn.

``python bench/mains.py [ROUNDS]``: seconds, and quotients to ``clang++ -O2``, as it is and with the
standard and the processor that farside compiles for. It takes two minutes with 21 rounds.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from farside import Session
from farside.bench.figures import interval
from farside.bench.sources import PROGRAMS, TIMED_PROGRAM

COMPILED = {"clang++ -O2": [], "the same, like settings": ["-std=c++23", "-march=native"]}


def seconds(printed: str) -> float:
    """Return what a program says that its main took."""
    found = re.search(r"status 0 after ([0-9.]+) s", printed)
    assert found is not None, printed
    return float(found[1])


def measure(name: str, rounds: int, directory: Path) -> None:
    """Print the times of one program."""
    timed = TIMED_PROGRAM.format(path=PROGRAMS / f"{name}.cpp")
    source = directory / f"{name}.cpp"
    source.write_text(f"{timed}int main() {{ return timed_main(); }}\n")
    programs = {}
    for title, options in COMPILED.items():
        programs[title] = str(directory / f"{name}{len(options)}")
        command = ["clang++-22", "-O2", *options, str(source), "-o", programs[title]]
        subprocess.run(command, check=True)
    times: dict[str, list[float]] = {title: [] for title in programs}
    own = []
    with Session(output="capture") as session:
        session.run(timed)
        for _ in range(rounds):
            own.append(seconds(session.run("timed_main();").stdout))
            for title, program in programs.items():
                done = subprocess.run([program], check=True, capture_output=True, text=True)
                times[title].append(seconds(done.stdout))
    print(f"{name}: farside {median(own):.3f} s", end="")
    for title, theirs in times.items():
        found = interval([mine / other for mine, other in zip(own, theirs, strict=True)])
        print(f"; {found.median:.2f} [{found.low:.2f}-{found.high:.2f}] x {title}", end="")
        print(f" (the shortest of each: {min(own) / min(theirs):.2f} x)", end="")
    print(flush=True)


def main() -> None:
    """Measure all programs."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else 21
    with tempfile.TemporaryDirectory() as directory:
        for path in sorted(PROGRAMS.glob("*.cpp")):
            measure(path.stem, rounds, Path(directory))


if __name__ == "__main__":
    main()
