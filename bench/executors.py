"""Latency of a trivial cell on each far side, beside clang-repl with LLVM's own executor.

    .venv/bin/python bench/executors.py [--cells 200] [--rounds 5] [FAR-SIDE ...]

Every far side keeps one session; in turn each runs a block of cells, so that a change of the
machine's speed falls on all of them. Figures are milliseconds a cell: the median, lowest and
highest over the rounds. Far sides: native, stock, tcp, tls, ssh (a shell instead of an ssh), and
clang-repl (out of process, with LLVM's executor and ORC runtime).
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from time import perf_counter

from farside.options import Options
from farside.session import Session
from farside.stock import find_runtime

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.far_sides import STOCK, far_side

CELL = "x = x + 1;"


class ClangRepl:
    """clang-repl, driven line by line; a block ends when what it prints arrives."""

    def __init__(self, stack: ExitStack) -> None:
        program = which("clang-repl-22")
        if program is None:
            raise SystemExit("clang-repl-22 is not installed")
        words = [program, f"--oop-executor={STOCK}", f"--orc-runtime={find_runtime(Options())}"]
        self._process = stack.enter_context(
            subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        )
        stack.callback(self._process.kill)
        self._say('extern "C" int puts(const char *);', 'extern "C" int fflush(void *);')
        self._say("int x = 0;")
        self.run(1)

    def _say(self, *lines: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n".join(lines) + "\n")
        self._process.stdin.flush()

    def run(self, cells: int) -> None:
        """Run so many cells, the last of which prints."""
        assert self._process.stdout is not None
        self._say(*[CELL] * (cells - 1), 'puts("end"); fflush(nullptr);')
        while "end" not in self._process.stdout.readline():
            pass


def farside_runner(name: str, stack: ExitStack) -> Callable[[int], None]:
    """Start a session on a far side and return what runs a block of cells."""
    options = stack.enter_context(far_side(name))
    session = stack.enter_context(Session(Options(output="capture", **options)))
    session.run("int x = 0;")

    def run(cells: int) -> None:
        for _ in range(cells):
            session.run(CELL)

    return run


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("far_sides", nargs="*", metavar="FAR-SIDE")
    wish = parser.parse_args()
    names = wish.far_sides or ["native", "stock", "tcp", "tls", "ssh", "clang-repl"]
    with ExitStack() as stack:
        runners = {
            name: ClangRepl(stack).run if name == "clang-repl" else farside_runner(name, stack)
            for name in names
        }
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(wish.rounds):
            for name, run in runners.items():
                started = perf_counter()
                run(wish.cells)
                times[name].append((perf_counter() - started) / wish.cells * 1e3)
        print(f"{'far side':12} {'median':>8} {'lowest':>8} {'highest':>8}   ms a cell")
        for name, found in times.items():
            middle = statistics.median(found)
            print(f"{name:12} {middle:8.2f} {min(found):8.2f} {max(found):8.2f}")


if __name__ == "__main__":
    main()
