"""What showing values costs, beside clang-repl where that can show something.

    .venv/bin/python bench/display.py [--rounds 5] [--cells 200]

Three figures: what the display of an int adds to a trivial cell; the first display of a
std::map<std::string, std::vector<int>> in a session that has the headers and the map; the display
of a vector of a million elements, and the bytes that it sends. Each is the median over rounds, with
the lowest and the highest. clang-repl 22 shows a number in process, and of a container its address.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
from shutil import which
from time import perf_counter

from farside.frontend.client import find_compiler
from farside.frontend.pch import build_pch
from farside.options import Options
from farside.session import Session

HEADERS = "#include <map>\n#include <string>\n#include <vector>"
MAP = 'std::map<std::string, std::vector<int>> m{{"a", {1, 2}}, {"b", {3}}};'


def timed(session: Session, code: str) -> float:
    """Return the milliseconds that a cell takes."""
    started = perf_counter()
    session.run(code)
    return (perf_counter() - started) * 1e3


def int_display(rounds: int, cells: int) -> list[float]:
    """Return what the display of an int adds, in milliseconds, for each round."""
    with Session(Options(output="capture")) as session:
        session.run("int x = 0;")
        session.run("x")
        added = []
        for _ in range(rounds):
            silent, shown = [], []
            for _ in range(cells):
                silent.append(timed(session, "x = x + 1;"))
                shown.append(timed(session, "x = x + 1"))
            added.append(statistics.median(shown) - statistics.median(silent))
    return added


def first_map(rounds: int) -> tuple[list[float], list[float]]:
    """Return the milliseconds of the first and of the second display of the map."""
    first, second = [], []
    for _ in range(rounds):
        with Session(Options(output="capture")) as session:
            session.run(HEADERS)
            session.run(MAP)
            first.append(timed(session, "m"))
            second.append(timed(session, "m"))
    return first, second


def million(rounds: int) -> tuple[list[float], list[float], int]:
    """Return the milliseconds of a large vector's first and later displays, and its text's size."""
    first, later, size = [], [], 0
    for _ in range(rounds):
        with Session(Options(output="capture")) as session:
            session.run(HEADERS)
            session.run("std::vector<int> big(1'000'000, 123'456);")
            first.append(timed(session, "big"))
            later.append(timed(session, "big"))
            value = session.run("big").value
            assert value is not None
            size = len(value.text)
    return first, later, size


def clang_repl(setup: str, code: str, cells: int) -> float:
    """Return the milliseconds that each of many equal cells takes in clang-repl."""
    program = which("clang-repl-22")
    if program is None:
        return float("nan")

    def run(count: int) -> float:
        text = setup + "\n" + (code + "\n") * count
        started = perf_counter()
        subprocess.run([program], input=text, text=True, capture_output=True, check=False)
        return (perf_counter() - started) * 1e3

    return (run(cells + 1) - run(1)) / cells


def line(name: str, figures: list[float], goal: str) -> str:
    low, high = min(figures), max(figures)
    return f"{name:46}{statistics.median(figures):8.2f} ms  ({low:.2f} to {high:.2f})  goal {goal}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", type=int, default=200)
    options = parser.parse_args()
    build_pch(Options(), find_compiler(Options()), wait=True)

    print(line("display of an int adds", int_display(options.rounds, options.cells), "0.5"))
    first, second = first_map(options.rounds)
    print(line("first display of map<string, vector<int>>", first, "150"))
    print(line("second", second, "-"))
    first, later, size = million(options.rounds)
    print(line("first display of a million ints", first, "-"))
    print(line("again", later, "20"))
    print(f"{'its text':46}{size:8} characters")

    silent = clang_repl("int x = 0;", "x = x + 1;", options.cells)
    shown = clang_repl("int x = 0;", "x = x + 1", options.cells)
    print(f"clang-repl 22: a cell {silent:.2f} ms, with an int shown {shown:.2f} ms")


if __name__ == "__main__":
    main()
