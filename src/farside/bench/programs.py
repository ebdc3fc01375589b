"""The four classic programs: primes, Fibonacci, matrices, sorting; compilers ahead of time too."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from time import perf_counter

from farside.annotations import TYPE_CHECKING
from farside.bench.peers import Peers
from farside.bench.repl import Repl
from farside.bench.rows import PeerFailed
from farside.bench.run import Group
from farside.bench.sources import PROGRAMS, TIMED_PROGRAM

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from farside.bench.run import Run

NAME = "programs"
_COLUMNS = ("clang-repl", "clang-repl-oop", "clang++", "g++")
_PATIENCE = 300
_REPORT = re.compile(rb"status (\d+) after ([0-9.]+) s\.\n")


@dataclass
class _Totals:
    """What the same executions took in all, to become a row of their own.

    Attributes:
        seconds: by column.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def note(self, key: str, began: float) -> None:
        self.seconds.setdefault(key, []).append(perf_counter() - began)


def measure(run: Run) -> None:
    """Add the rows of this group."""
    levels = (2,) if run.quick else (2, 0)
    for level in levels:
        for source in sorted(PROGRAMS.glob("*.cpp")):
            one(run, source, level)


def row_name(program: str, level: int) -> str:
    """Return the name of the row that has the run time of a program."""
    return f"{program} -O{level}, its main alone"


def one(run: Run, source: Path, level: int) -> None:
    """Measure one program at one level: two rows, in the same executions."""
    path = run.file(f"{source.stem}.cpp", TIMED_PROGRAM.format(path=source))
    ahead_path = run.file(
        f"{source.stem}_main.cpp", f'#include "{path}"\nint main() {{ return timed_main(); }}\n'
    )
    totals = _Totals()
    peers = Peers(level)
    actions: dict[str, Callable[[], float]] = {}
    for key, command in peers.repls.items():
        if key != "cppyy":
            actions[key] = _prompt(key, command, path, totals)
    for key, compiler in peers.compilers.items():
        actions[key] = _ahead(key, [compiler, f"-O{level}", "-std=c++20"], ahead_path, totals)
    row = run.row(NAME, row_name(source.stem, level), "s")
    rounds = run.rounds(7 if level else 2, 2)
    run.measure(row, actions, rounds, _COLUMNS)
    total = run.row(
        NAME, f"{source.stem} -O{level}, in all", "s", "from the source: start or compilation too"
    )
    total.samples.update({key: totals.seconds[key] for key in row.samples})
    total.missing.update(row.missing)
    run.done(total)


def _prompt(key: str, command: list[str], path: str, totals: _Totals) -> Callable[[], float]:
    """Return what runs a program at a prompt and returns how long its `main` took."""

    def action() -> float:
        began = perf_counter()
        with Repl(command) as prompt:
            seen = prompt.converse(f'#include "{path}"\ntimed_main();\n', " s.\n", _PATIENCE)
            totals.note(key, began)
        return _seconds(seen)

    return action


def _ahead(key: str, command: list[str], path: str, totals: _Totals) -> Callable[[], float]:
    """Return what compiles and runs a program and returns how long its `main` took."""
    program = f"{path}.{key}"

    def action() -> float:
        began = perf_counter()
        try:
            subprocess.run(
                [*command, path, "-o", program], check=True, capture_output=True, timeout=_PATIENCE
            )
            done = subprocess.run([program], check=True, capture_output=True, timeout=_PATIENCE)
        except subprocess.CalledProcessError as error:
            lines = error.stderr.decode(errors="replace").splitlines() or ["failed"]
            raise PeerFailed(lines[0]) from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PeerFailed(str(error)) from error
        totals.note(key, began)
        return _seconds(done.stdout)

    return action


def _seconds(printed: bytes) -> float:
    found = _REPORT.search(printed)
    if found is None:
        raise PeerFailed("did not say how long it took")
    if found[1] != b"0":
        raise PeerFailed(f"the program failed with status {found[1].decode()}")
    return float(found[2])


GROUP = Group(NAME, "The four programs", measure)
