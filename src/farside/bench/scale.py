"""Large and many: heaps, objects, zero data, sessions; and what a far side that waits takes."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from functools import partial
from time import perf_counter

from farside.annotations import TYPE_CHECKING
from farside.bench.machine import children, pss_kib
from farside.bench.objects import assemble, duplicates, symbols
from farside.bench.python_session import PythonSession
from farside.bench.repl import Repl
from farside.bench.rows import FARSIDE, PeerFailed
from farside.bench.run import Group
from farside.errors import FarSideError

if TYPE_CHECKING:
    from farside.bench.run import Run
    from farside.session import Session

NAME = "scale"
IDLE = "an idle far side: supervisor and worker"
SNAPSHOT = "each snapshot of a small program"
HEAP = "crash and restore with a heap of 1 GB"
_ASLEEP = 60.0  # seconds for a snapshot to be there


def measure(run: Run) -> None:
    """Add the rows of this group."""
    idle(run)
    heaps(run)
    supervisor(run)
    large_objects(run)
    zeros(run)
    many_sessions(run)


def idle(run: Run) -> None:
    """Add what a far side takes while nothing runs, and each of its snapshots."""
    count = 20 if run.quick else 100

    def far_side(snapshots: int) -> int:
        prompt = PythonSession(run.opt, snapshots=snapshots)
        try:
            prompt.run("int x = 0;", *["x = x + 1;"] * (snapshots + 1))
            if snapshots:
                _wait_for_snapshot(prompt.session)
            family = [prompt.session.supervisor_pid]
            for each in family:
                family += children(each)
            return sum(map(pss_kib, family))
        finally:
            prompt.close()

    def peer() -> float:
        with Repl(run.peers.repls["clang-repl-oop"]) as prompt:
            prompt.run("int x = 0;", "x = x + 1;", "{mark};")
            return float(sum(map(pss_kib, children(prompt.pid))))

    row = run.row(NAME, IDLE, "KiB", "PSS, without snapshots; clang-repl: LLVM's executor")
    actions = {FARSIDE: lambda: float(far_side(0))}
    if "clang-repl-oop" in run.peers.repls:
        actions["clang-repl-oop"] = peer
    run.measure(row, actions, run.rounds(5, 2), ("clang-repl-oop",))
    each = run.row(NAME, SNAPSHOT, "KiB", f"PSS, the difference that {count} of them make")
    run.measure(each, {FARSIDE: lambda: (far_side(count) - far_side(0)) / count}, run.rounds(3, 1))


def _wait_for_snapshot(session: Session) -> None:
    """Wait until the program is asleep in its present state, as it is while a user thinks."""
    execution = session._execution
    state = execution.present
    if state is None:
        execution.keep()
        state = execution.present
    if state is None or not state.snapshot.ready(_ASLEEP):
        raise PeerFailed("no snapshot was made")


def heaps(run: Run) -> None:
    """Add the time from a cell that crashes to a session that is ready, by size of the heap."""
    for megabytes, name in ((1, "crash and restore with a heap of 1 MB"), (1024, HEAP)):
        with ExitStack() as stack:
            prompt = PythonSession(run.opt)
            stack.callback(prompt.close)
            prompt.run(
                "#include <cstdlib>\n#include <cstring>\nchar *heap = nullptr; int x = 0;",
                f"heap = (char *)malloc({megabytes}ul << 20);",
                f"memset(heap, 1, {megabytes}ul << 20);",
            )
            whole = run.row(NAME, name, note="the whole crashing cell, until the next may come")
            woken = run.row(NAME, f"{name}: of it waking", note="from the death to a ready worker")
            run.measure(whole, {FARSIDE: partial(_crash, prompt)}, run.rounds(11, 3))
            if FARSIDE in whole.samples:
                seconds = prompt.session.recovery_seconds
                woken.samples[FARSIDE] = [1e3 * each for each in seconds]
            run.done(woken)


def _crash(prompt: PythonSession) -> float:
    """Return the milliseconds of a cell that crashes, and check that the heap is as it was."""
    prompt.run("x = x + 1;")
    _wait_for_snapshot(prompt.session)
    started = perf_counter()
    try:
        prompt.session.run("heap[0] = 2; *(volatile int *)0 = 1;")
    except FarSideError:
        took = perf_counter() - started
    else:
        raise PeerFailed("the cell did not crash")
    result = prompt.session.run("heap[0] == 1")
    if result.value is None or result.value.text != "true":
        raise PeerFailed("the heap is not as it was")
    return took * 1e3


def supervisor(run: Run) -> None:
    """Add the time from the supervisor's death to a session that is ready."""
    row = run.row(NAME, "restore after the death of the supervisor", note="of it waking")
    with ExitStack() as stack:
        prompt = PythonSession(run.opt)
        stack.callback(prompt.close)
        prompt.run("int x = 1;")

        def once() -> float:
            _wait_for_snapshot(prompt.session)
            os.kill(prompt.session.supervisor_pid, signal.SIGKILL)
            try:
                prompt.session.run("x = 2;")
            except FarSideError as error:
                if "as it was" not in error.recovery[0]:
                    raise PeerFailed("the program is not as it was") from error
            return prompt.session.recovery_seconds[-1] * 1e3

        run.measure(row, {FARSIDE: once}, run.rounds(11, 3))


def large_objects(run: Run) -> None:
    """Add the time to load objects with very many symbols."""
    count, weak = (10_000, 1_000) if run.quick else (100_000, 10_000)
    rounds = run.rounds(3, 2)
    many = run.row(NAME, f"load an object with {count:,} symbols")
    twice = run.row(NAME, f"load an object of {weak:,} weak functions that are there already")
    try:
        one = assemble(run, "many.s", symbols(count))
        first = assemble(run, "first.s", duplicates(weak, "first"))
        second = assemble(run, "second.s", duplicates(weak, "second"))
    except PeerFailed as error:
        many.missing[FARSIDE] = twice.missing[FARSIDE] = str(error)
        return

    def load(*paths: object) -> float:
        prompt = PythonSession(run.opt)
        try:
            prompt.run("int x = 0;")
            for path in paths:
                started = perf_counter()
                prompt.session.load(str(path))
                took = perf_counter() - started
            return took * 1e3
        finally:
            prompt.close()

    run.measure(many, {FARSIDE: lambda: load(one)}, rounds)
    run.measure(twice, {FARSIDE: lambda: load(first, second)}, rounds)


def zeros(run: Run) -> None:
    """Add what a gigabyte of zero data costs: it is memory only where it is written."""
    row = run.row(NAME, "a cell with 1 GB of zero data")
    memory = run.row(NAME, "the same: memory of the worker", "KiB", "PSS")
    held: list[float] = []

    def once() -> float:
        prompt = PythonSession(run.opt, slab_bytes=(1 << 30) + (256 << 20))
        try:
            prompt.run("int x = 0;")
            took = prompt.run("char zeros[1ul << 30];", "zeros[12345] == 0 ? x = 1 : x = 2;")
            held.append(float(pss_kib(prompt.session.worker_pid)))
            return took * 1e3
        finally:
            prompt.close()

    run.measure(row, {FARSIDE: once}, run.rounds(5, 2))
    if FARSIDE in row.samples:
        memory.samples[FARSIDE] = held
    run.done(memory)


def many_sessions(run: Run) -> None:
    """Add the time and memory of many sessions at once, each with a cell that was run."""
    count = 10 if run.quick else 100
    start = run.row(NAME, f"{count} sessions at once: start and first cell of each")
    cell = run.row(NAME, f"{count} sessions at once: a cell in each in turn, one of them")
    memory = run.row(
        NAME, f"{count} sessions at once: memory of each", "KiB", "PSS of all its processes"
    )
    peers = {key: run.peers.repls[key] for key in run.peers.repls if key != "cppyy"}

    def once(key: str) -> float:
        with ExitStack() as stack:
            started = perf_counter()
            prompts = []
            for _ in range(count):
                prompt = Repl(peers[key])
                stack.callback(prompt.close)
                prompts.append(prompt)
            for prompt in prompts:
                prompt.run("int x = 1;", "{mark};")
            took = (perf_counter() - started) / count
            begun = perf_counter()
            for prompt in prompts:
                prompt.run("x = x + 1; {mark};")
            cell.samples.setdefault(key, []).append((perf_counter() - begun) / count * 1e3)
            family = [prompt.pid for prompt in prompts]
            for each in family:
                family += children(each)
            held = sum(map(pss_kib, family)) / count
            memory.samples.setdefault(key, []).append(held)
            return took * 1e3

    run.measure(start, {key: partial(once, key) for key in peers}, run.rounds(1, 1))
    for row in (cell, memory):
        row.missing.update(start.missing)
        for key in start.missing:
            row.samples.pop(key, None)
        run.done(row)


GROUP = Group(NAME, "Scale", measure)
