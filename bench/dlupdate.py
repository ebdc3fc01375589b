#!/usr/bin/env python3
"""Cost of `dlupdate` with one new initialiser, after many that ran before.

For each number of earlier initialisers it pushes that many, runs them, and then measures `dlupdate`
with one more, several times. The cost must not depend on the number.

    bench/dlupdate.py [--rounds N]
"""

from __future__ import annotations

import argparse
import struct
from statistics import median
from time import perf_counter

from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall
from farside.remote.executor import Executor
from farside.remote.spawn import find_executor

COUNTS = (10, 100, 1_000, 10_000, 100_000)
PAGE = 4096
SECTIONS = sps.Sequence(sps.ADDR_RANGE)


def start() -> tuple[Executor, int, int]:
    """Return an executor, the header of its JITDylib, and the address of an empty function."""
    executor = Executor.spawn(find_executor())
    header = executor.slab.base
    function = header + PAGE
    call = WrapperCall(
        executor.address(bootstrap.REGISTER_JITDYLIB),
        sps.pack((sps.STRING, sps.ADDR), ("main", header)),
    )
    hold = WrapperCall(executor.address(bootstrap.HOLD_JITDYLIB), sps.pack((sps.ADDR,), (header,)))
    executor.commit(
        CommitRequest(
            [(3, header, PAGE), (5, function, PAGE)],
            [(header, struct.pack("<QQ", header, function)), (function, b"\xc3")],
            [(call, NO_CALL), (hold, NO_CALL)],
        )
    )
    return executor, header, function


def push(executor: Executor, header: int, count: int) -> None:
    """Register the pointer behind the header as `count` initialiser sections of their own."""
    section = sps.AddrRange(header + 8, header + 16)
    payload = sps.pack((sps.ADDR, SECTIONS), (header, [section] * count))
    executor.call_for_error(bootstrap.REGISTER_INIT_SECTIONS, payload)


def update(executor: Executor, header: int) -> float:
    """Return the seconds that one `dlupdate` takes, the way there and back included."""
    payload = sps.pack((sps.ADDR,), (header,))
    begin = perf_counter()
    result = executor.call(bootstrap.JIT_DLUPDATE, payload)
    end = perf_counter()
    assert sps.unpack((sps.I32,), result) == (0,)
    return end - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print(f"{'earlier initialisers':>20}  {'dlupdate with one new':>21}")
    for count in COUNTS:
        executor, header, _ = start()
        with executor:
            push(executor, header, count)
            update(executor, header)
            times = []
            for _ in range(rounds):
                push(executor, header, 1)
                times.append(update(executor, header))
            print(f"{count:>20,}  {median(times) * 1e6:>18.1f} µs")


if __name__ == "__main__":
    main()
