"""What `dlupdate` with one new initialiser costs after many that have run: it must not grow."""

from __future__ import annotations

import struct
from time import perf_counter

from farside.annotations import TYPE_CHECKING
from farside.bench.rows import FARSIDE
from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall
from farside.remote.executor import Executor
from farside.remote.spawn import find_executor

if TYPE_CHECKING:
    from farside.bench.run import Run

_PAGE = 4096
_SECTIONS = sps.Sequence(sps.ADDR_RANGE)
_RETURN = b"\xc3"  # x86-64


def updates(run: Run, group: str) -> None:
    """Add a row for each number of earlier initialisers."""
    for earlier in (10, 1_000) if run.quick else (10, 1_000, 100_000):
        row = run.row(group, f"dlupdate with one new initialiser after {earlier:,}", "µs")
        executor, header = _start()
        with executor:
            _push(executor, header, earlier)
            _update(executor, header)

            def once(executor: Executor = executor, header: int = header) -> float:
                _push(executor, header, 1)
                return _update(executor, header) * 1e6

            run.measure(row, {FARSIDE: once}, run.rounds(100, 20))


def _start() -> tuple[Executor, int]:
    """Return an executor with a JITDylib in which lies an empty function, and its header."""
    executor = Executor.spawn(find_executor())
    header = executor.slab.base
    function = header + _PAGE
    call = WrapperCall(
        executor.address(bootstrap.REGISTER_JITDYLIB),
        sps.pack((sps.STRING, sps.ADDR), ("main", header)),
    )
    hold = WrapperCall(executor.address(bootstrap.HOLD_JITDYLIB), sps.pack((sps.ADDR,), (header,)))
    executor.commit(
        CommitRequest(
            [(3, header, _PAGE), (5, function, _PAGE)],
            [(header, struct.pack("<QQ", header, function)), (function, _RETURN)],
            [(call, NO_CALL), (hold, NO_CALL)],
        )
    )
    return executor, header


def _push(executor: Executor, header: int, count: int) -> None:
    """Register the pointer behind the header as `count` initialiser sections of their own."""
    section = sps.AddrRange(header + 8, header + 16)
    payload = sps.pack((sps.ADDR, _SECTIONS), (header, [section] * count))
    executor.call_for_error(bootstrap.REGISTER_INIT_SECTIONS, payload)


def _update(executor: Executor, header: int) -> float:
    """Return the seconds that one `dlupdate` takes, the way there and back included."""
    payload = sps.pack((sps.ADDR,), (header,))
    begin = perf_counter()
    executor.call(bootstrap.JIT_DLUPDATE, payload)
    return perf_counter() - begin
