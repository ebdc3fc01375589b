"""What calls of C++ from Python cost: a call with numbers and its parts, arrays, callbacks.

Medians; `python bench/python_calls.py`, or with ``--brief`` fewer repetitions.
"""

from __future__ import annotations

import sys
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from farside import Session

if TYPE_CHECKING:
    from collections.abc import Callable

CODE = """
#include <functional>
#include <span>
#include <vector>
int add(int a, int b) { return a + b; }
double first(std::span<const double> v) { return v[0]; }
std::vector<double> ones(long n) { return std::vector<double>(n, 1.0); }
std::vector<double> kept;
const std::vector<double> &give() { return kept; }
int repeat(const std::function<int(int)> &f, int n) { int s = 0; while (n--) s += f(n); return s; }
"""


def seconds(action: Callable[[], object], times: int) -> float:
    found = []
    for _ in range(times):
        started = perf_counter()
        action()
        found.append(perf_counter() - started)
    return median(found)


def main() -> None:
    times = 500 if "--brief" in sys.argv else 5000
    with Session(output="capture") as session:
        session.run(CODE)
        started = perf_counter()
        session.fn.add(1, 2)
        print(f"first call, compiled           {(perf_counter() - started) * 1e3:9.2f} ms")
        add = session.fn.add
        whole = seconds(lambda: add(1, 2), times)
        print(f"a call with two numbers        {whole * 1e6:9.1f} µs")
        execution = session._execution
        stub = next(iter(session._calls.stubs._stubs.values()))  # type: ignore[union-attr]
        header = execution.platform.jitdylib("main").header
        payload = stub.pack(1, 2)  # type: ignore[misc]
        far = seconds(lambda: execution.calls.call(header, stub.address, payload), times)
        print(f"  of it message and answer     {far * 1e6:9.1f} µs")
        inside = [
            execution.calls.call(header, stub.address, payload).nanoseconds for _ in range(times)
        ]
        print(f"  of it the function           {median(inside) * 1e-3:9.2f} µs")
        count = 200
        session.fn.repeat(abs, 1)
        back = seconds(lambda: session.fn.repeat(abs, count), max(5, times // 500))
        print(f"a call back                    {back / count * 1e6:9.1f} µs")
        big = np.ones(100_000_000 // 8)
        session.fn.first(big)
        into = seconds(lambda: session.fn.first(big), 7)
        print(f"100 MB in                      {into * 1e3:9.1f} ms {0.1 / into:6.2f} GB/s")
        session.run("kept.assign(12'500'000, 2.0);")
        session.fn.give()
        out = seconds(session.fn.give, 7)
        print(f"100 MB out                     {out * 1e3:9.1f} ms {0.1 / out:6.2f} GB/s")


if __name__ == "__main__":
    main()
