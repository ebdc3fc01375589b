"""Where the time of a cell goes: the stages of its path, and the linker by size of object."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import defaultdict
from functools import partial
from shutil import which
from time import perf_counter

from farside.annotations import TYPE_CHECKING, Any
from farside.bench.objects import ENTRY, ONE_STATEMENT, assemble, functions
from farside.bench.python_session import PythonSession
from farside.bench.repl import announce
from farside.bench.rows import FARSIDE, PeerFailed
from farside.bench.run import Group
from farside.bench.sources import HEADERS, TRIVIAL, function, templates
from farside.bench.updates import updates
from farside.link import EntryTable, NoTls, link
from farside.object import parse_object
from farside.trace import ANSWER, ROUND_TRIP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from farside.bench.run import Run
    from farside.link import Definition

NAME = "parts"
JITLINK = "llvm-jitlink"
_PATIENCE = 120
_OBJECTS = {
    "one statement": (ONE_STATEMENT, ("-O0",)),
    "85 KB": (functions(210), ("-O1", "-ffunction-sections")),
    "1.2 MB": (functions(2500), ("-O1", "-ffunction-sections")),
    "10 MB": (functions(20_000), ("-O0", "-ffunction-sections")),
}
_BETWEEN = {
    ANSWER: ("parse", "optimise", "emit"),
    ROUND_TRIP: ("run",),
}
_NAMES = {
    ANSWER: "to the compiler and back, besides",
    ROUND_TRIP: "to the far side and back, besides",
    "parse": "parse",
    "optimise": "optimise",
    "emit": "emit",
    "read object": "read the object",
    "link": "link, in all",
    "make request": "make the request",
    "run": "run",
    "accept": "accept",
}


def measure(run: Run) -> None:
    """Add the rows of this group."""
    count = run.rounds(200, 50)
    stages(run, "a trivial cell", (), lambda _: TRIVIAL, count)
    stages(run, "a function", (), function, count)
    stages(run, "templates", HEADERS, templates, max(1, count // 10))
    snapshots(run)
    links(run)
    updates(run, NAME)


def stages(
    run: Run, what: str, prelude: Iterable[str], cell: Callable[[int], str], count: int
) -> None:
    """Add a row for each stage of a kind of cell, from the trace of a session."""
    path = os.path.join(run.directory, f"{what}.trace.json".replace(" ", "-"))
    session = PythonSession(run.opt, trace=path)
    try:
        for line in ("int x = 0;", *prelude):
            session.run(line)
        warm = 3  # those whose path through farside is the first of its kind
        for number in range(warm + count):
            session.run(cell(number).replace("{mark}", announce("mark")))
    finally:
        session.close()
    run.paths[what] = last_cell(path)
    spent = spans(path)[-count:]
    for key, name in _NAMES.items():
        row = run.row(NAME, f"{what}: {name}", "µs")
        row.samples[FARSIDE] = [each.get(key, 0.0) for each in spent]
        run.done(row)
    row = run.row(NAME, f"{what}: the whole cell", "µs")
    row.samples[FARSIDE] = [each["cell"] for each in spent]
    run.done(row)


def snapshots(run: Run) -> None:
    """Add a trivial cell in a session that keeps its states and in one that does not."""
    row = run.row(NAME, "a trivial cell, with snapshots", "ms", "turn by turn with the next")
    bare = run.row(NAME, "a trivial cell, without snapshots", "ms")
    prompts = [PythonSession(run.opt, snapshots=count) for count in (10, 0)]
    try:
        for prompt in prompts:
            prompt.run("int x = 0;")

        def once() -> float:
            with_them, without = (prompt.run(TRIVIAL) * 1e3 for prompt in prompts)
            bare.samples.setdefault("session", []).append(without)
            return with_them

        run.measure(row, {"session": once}, run.rounds(200, 50))
        run.done(bare)
    finally:
        for prompt in prompts:
            prompt.close()


def spans(path: str) -> list[dict[str, float]]:
    """Return the microseconds of each span of each cell in a trace, those around others less them.

    A cell's own is called ``cell``.
    """
    with open(path, encoding="utf-8") as file:
        events = json.load(file)
    cells: list[dict[str, float]] = []
    for event in events:
        if event["ph"] != "X":
            continue
        if event["name"].startswith("cell "):
            cells.append(defaultdict(float, cell=event["dur"]))
        elif cells:
            cells[-1][event["name"]] += event["dur"]
    for each in cells:
        for around, within in _BETWEEN.items():
            each[around] = max(0.0, each[around] - sum(each[name] for name in within))
    return cells


def last_cell(path: str) -> list[dict[str, Any]]:
    """Return the events of a trace's last cell, with the names of the processes."""
    with open(path, encoding="utf-8") as file:
        events: list[dict[str, Any]] = json.load(file)
    begin = max(each["ts"] for each in events if each["name"].startswith("cell "))
    return [each for each in events if each["ph"] == "M" or each["ts"] >= begin]


class _Bump:
    def __init__(self) -> None:
        self.next = 0x10000000

    def allocate(self, prot: int, size: int, alignment: int) -> int:
        address = (self.next + alignment - 1) & -alignment
        self.next = address + size
        return address


class _Everything:
    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        return {}

    def require(self, names: Collection[str]) -> None:
        pass

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        return dict.fromkeys(names, 0x10400000)


def links(run: Run) -> None:
    """Add rows for the linker alone, beside LLVM's, and for loading the object into a session."""
    for label, (text, flags) in _OBJECTS.items():
        large = label == "10 MB"
        if run.quick and large:
            continue
        linked = run.row(NAME, f"link an object: {label}", note="")
        try:
            path = assemble(run, f"{label}.cpp".replace(" ", "-"), text, *flags)
        except PeerFailed as error:
            linked.missing[FARSIDE] = str(error)
            continue
        data = path.read_bytes()
        linked.note = (
            f"{len(data):,} bytes, read and linked; llvm-jitlink by its own clock, memory too"
        )
        rounds = run.rounds(3, 2) if large else run.rounds(15, 3)
        run.measure(
            linked,
            {FARSIDE: partial(_link, data), JITLINK: partial(_jitlink, path)},
            rounds,
        )
        loaded = run.row(NAME, f"load an object: {label}", note="into a session: linked and sent")
        run.measure(loaded, {FARSIDE: partial(_load, path)}, max(2, rounds // 3))


def _link(data: bytes) -> float:
    """Return the milliseconds that reading and linking an object take."""
    started = perf_counter()
    link(
        [parse_object(data, "bench")],
        name="bench",
        allocator=_Bump(),
        resolver=_Everything(),
        entries=EntryTable(),
        tls=NoTls(),
    )
    return (perf_counter() - started) * 1e3


def _jitlink(path: Path) -> float:
    """Return the milliseconds that LLVM's JITLink takes by its own clock, reading included."""
    program = which("llvm-jitlink-22") or which("llvm-jitlink")
    if program is None:
        raise PeerFailed("not installed")
    # Without a name that is looked up nothing would be linked at all.
    command = [program, "-noexec", "-phony-externals", "-show-times", f"-entry={ENTRY}", str(path)]
    try:
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=_PATIENCE
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PeerFailed("llvm-jitlink fails") from error
    said = done.stderr + done.stdout
    found = re.findall(r"([0-9.]+) \( *[0-9.]+%\)  time to (load/add|link) object files", said)
    times = {what: float(seconds) for seconds, what in found}
    if len(times) != 2:
        raise PeerFailed("llvm-jitlink tells no times")
    return sum(times.values()) * 1e3


def _load(path: Path) -> float:
    """Return the milliseconds that loading an object into a new session takes."""
    session = PythonSession()
    try:
        session.run("int outside(int a) { return a; } int variable = 0; int x = 0;")
        started = perf_counter()
        session.session.load(str(path))
        return (perf_counter() - started) * 1e3
    finally:
        session.close()


GROUP = Group(NAME, "Parts", measure)
