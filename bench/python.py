"""What values cost on their way to a Python program.

    .venv/bin/python bench/python.py [--rounds 7] [--megabytes 100]

The first `eval` of an int and those after it; a std::vector<double> of 100 MB, in GB/s, until every
number has been read by Python, and the same after the first; the floor: a memcpy of numpy's of the
same size; a vector of strings and a map, in values a second; the import of farside. Each is the
median over rounds, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from time import perf_counter

import numpy

from farside import Session


def told(name: str, values: list[float], unit: str) -> None:
    print(
        f"{name}: {statistics.median(values):.3f} {unit}"
        f" ({min(values):.3f} … {max(values):.3f}, {len(values)} times)"
    )


def numbers(session: Session, times: int) -> None:
    """Print what `eval` of an int takes."""
    session.run("int n = 1;")
    started = perf_counter()
    session.eval("n")
    print(f"first eval of an int: {(perf_counter() - started) * 1e3:.2f} ms")
    taken = []
    for _ in range(times):
        started = perf_counter()
        session.eval("n")
        taken.append((perf_counter() - started) * 1e3)
    told("eval of an int", taken, "ms")


def arrays(session: Session, megabytes: int, rounds: int) -> None:
    """Print at which speed a large vector arrives."""
    count = megabytes * 1_000_000 // 8
    session.run(f"#include <vector>\nstd::vector<double> v({count}, 1.5);")
    gigabytes = count * 8e-9
    session.eval("std::vector<double>{1}")  # numpy, and the code for this type
    arrived, read, copied = [], [], []
    for _ in range(rounds):
        started = perf_counter()
        found = session.eval("v")
        arrived.append(gigabytes / (perf_counter() - started))
        assert isinstance(found, numpy.ndarray)
        assert found.sum() == count * 1.5
        read.append(gigabytes / (perf_counter() - started))
        started = perf_counter()
        found.copy()
        copied.append(gigabytes / (perf_counter() - started))
        del found
    told(f"eval of a vector<double> of {megabytes} MB", arrived, "GB/s")
    told("  and the sum of its elements", read, "GB/s")
    told("  numpy's copy of the same", copied, "GB/s")


def containers(session: Session, rounds: int) -> None:
    """Print how many values of containers arrive in a second."""
    session.run(
        '#include <map>\n#include <string>\nstd::vector<std::string> words(100000, "word");'
    )
    session.run('std::map<int, std::string> m; for (int i = 0; i < 100000; ++i) m[i] = "value";')
    for name in ("words", "m"):
        rate = []
        for _ in range(rounds):
            started = perf_counter()
            session.eval(name)
            rate.append(0.1 / (perf_counter() - started))
        told(f"eval of 100,000 elements of {name}", rate, "million/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=100)
    arguments = parser.parse_args()
    code = "from time import perf_counter as t; s = t(); import farside; print((t() - s) * 1e3)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"import farside: {float(done.stdout):.2f} ms")
    with Session() as session:
        numbers(session, 100)
        arrays(session, arguments.megabytes, arguments.rounds)
        containers(session, arguments.rounds)


if __name__ == "__main__":
    main()
