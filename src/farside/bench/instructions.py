"""Instructions that each process takes for fixed lists of cells, counted by Valgrind.

A machine that does other work makes times useless, but hardly changes how many instructions a
program executes: without address randomisation, and with Python's hashes seeded, two counts differ
by some hundredths of a per cent. Each figure for a cell is the difference that many of them make.
They are compared with figures that were accepted before, from a file; other versions of Python,
Clang or the C library give others, so a difference is told and nothing more.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which

from farside.annotations import TYPE_CHECKING
from farside.bench.counted import BEFORE, CELLS
from farside.bench.rows import FARSIDE, PeerFailed
from farside.bench.run import Group
from farside.frontend.client import find_compiler
from farside.frontend.pch import build_pch, find_pch
from farside.frontend.process import environment
from farside.frontend.wire import Channel, Disconnected, TimeUp
from farside.options import Options
from farside.records import NamedTuple
from farside.remote.spawn import find_executor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farside.bench.run import Run

NAME = "instructions"
GROWTH = 0.05  # beyond which it is told
_MANY, _FEW = 20, 2
_PATIENCE = 600.0
_TOTAL = re.compile(r"^totals: (\d+)$", re.MULTILINE)
# Valgrind shows programs another processor than this machine's.
_PROCESSOR = "-march=x86-64-v3"


class Change(NamedTuple):
    """A figure beside the accepted one; see `compare`."""

    name: str
    accepted: int
    found: int

    @property
    def growth(self) -> float:
        """By which part of the accepted figure it has grown."""
        return self.found / self.accepted - 1

    def __str__(self) -> str:
        more = f"{abs(self.growth) * 100:.1f} % {'more' if self.growth > 0 else 'less'} than"
        return f"{self.name}: {self.found:,} instructions, {more} the accepted {self.accepted:,}"


def measure(run: Run) -> None:
    """Add the rows of this group."""
    row = run.row(NAME, "a cell of each kind", "instructions")
    if which("valgrind") is None:
        row.missing[FARSIDE] = "valgrind is not installed"
        run.done(row)
        return
    try:
        counts = _count(run)
    except PeerFailed as error:
        row.missing[FARSIDE] = str(error)
        run.done(row)
        return
    run.rows.remove(row)
    for name, (own, peer) in counts.items():
        each = run.row(NAME, name, "instructions")
        each.samples[FARSIDE] = [own]
        if peer is not None:
            each.samples["clang-repl"] = [peer]
        run.done(each)


def _count(run: Run) -> dict[str, tuple[int, int | None]]:
    """Return the instructions of farside, and of clang-repl where they can be compared."""
    near: dict[str, dict[str, int]] = {}
    compiler: dict[str, int] = {}
    repl: dict[str, int] = {}
    kinds = ("trivial", "function") if run.quick else ("trivial", "function", "display")
    options = Options(xcc=(_PROCESSOR,))
    build_pch(options, find_compiler(), wait=True)

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        sessions = {"": pool.submit(_session, run, "trivial", 0)}
        sessions |= {kind: pool.submit(_session, run, kind, _MANY) for kind in kinds}
        compilers = {"": pool.submit(_compiler, run, options, BEFORE)}
        for kind in kinds:
            cells = [*BEFORE, *map(CELLS[kind], range(_MANY))]
            compilers[kind] = pool.submit(_compiler, run, options, cells)
        if not run.quick:
            headers = [*BEFORE, "#include <vector>"]
            compilers["vector"] = pool.submit(_compiler, run, options, headers)
            cells = [*headers, *map(CELLS["container"], range(_FEW))]
            compilers["container"] = pool.submit(_compiler, run, options, cells)
        repls = {}
        if "clang-repl" in run.peers.repls and not run.quick:
            repls[""] = pool.submit(_clang_repl, run, BEFORE)
            for kind in kinds:
                cells = [*BEFORE, *map(CELLS[kind], range(_MANY))]
                repls[kind] = pool.submit(_clang_repl, run, cells)
        near = {kind: each.result() for kind, each in sessions.items()}
        compiler = {kind: each.result() for kind, each in compilers.items()}
        repl = {kind: each.result() for kind, each in repls.items()}
    found: dict[str, tuple[int, int | None]] = {
        "near side: start and five cells": (near[""]["near side"], None),
        "compiler: start and five cells": (compiler[""], None),
        "worker: start and five cells": (near[""]["worker"], None),
    }
    if not run.quick:
        container = (compiler["container"] - compiler["vector"]) // _FEW
        found["compiler: a container of a new type"] = container, None
    for kind in kinds:
        parts = {
            part: (near[kind][part] - near[""][part]) // _MANY for part in ("near side", "worker")
        }
        parts["compiler"] = (compiler[kind] - compiler[""]) // _MANY
        peer = (repl[kind] - repl[""]) // _MANY if repl else None
        found |= {f"{part}: {kind}": (count, None) for part, count in parts.items()}
        found[f"all three processes: {kind}"] = sum(parts.values()), peer
    return found


def _valgrind(out: str) -> list[str]:
    """Return the words before a command that is to be counted, into a file for each process."""
    fixed = ["setarch", "-R"] if which("setarch") is not None else []
    return [*fixed, "valgrind", "--tool=callgrind", "-q", f"--callgrind-out-file={out}.%p"]


def _total(path: Path) -> int:
    try:
        found = _TOTAL.search(path.read_text(errors="replace"))
    except OSError as error:
        raise PeerFailed(f"valgrind wrote no {path.name}") from error
    if found is None:
        raise PeerFailed(f"valgrind's {path.name} has no total")
    return int(found[1])


def _session(run: Run, kind: str, count: int) -> dict[str, int]:
    """Return the instructions of the near side and of the worker for a session.

    They are counted one after the other, in sessions of their own.
    """
    here = Path(run.directory, f"session-{kind}-{count}")
    here.mkdir(exist_ok=True)
    executor = here / "executor"
    words = " ".join([*_valgrind(str(here / "worker")), str(find_executor())])
    executor.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    executor.chmod(0o700)
    command = [sys.executable, "-m", "farside.bench.counted", kind, str(count)]
    worker = _said([*command], {"FARSIDE_EXECUTOR": str(executor)})
    _said([*_valgrind(str(here / "near")), *command, "leave"], {})
    (near,) = here.glob("near.*")
    return {"near side": _total(near), "worker": _total(here / f"worker.{worker}")}


def _said(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command to its end and return what it printed."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0", **environment},
            timeout=_PATIENCE,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise PeerFailed("a session under valgrind does not end") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"status {error.returncode}"]
        raise PeerFailed(f"a session under valgrind failed: {lines[-1][:120]}") from error
    return done.stdout.strip()


def _compiler(run: Run, options: Options, cells: Sequence[str]) -> int:
    """Return the instructions of a compiler that is given these cells and then ends by itself."""
    program = find_compiler()
    pch = find_pch(options, program)
    near, far = socket.socketpair()
    out = os.path.join(run.directory, "compiler")
    with far:
        process = subprocess.Popen(
            [*_valgrind(out), str(program), f"--fd={far.fileno()}"],
            pass_fds=(far.fileno(),),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    channel = Channel(near)
    try:
        _ask(
            channel,
            {
                "op": "start",
                "args": list(options.clang_args()),
                "pch": None if pch is None else str(pch),
                "values": True,
                "elements": options.elements,
                "redefinition": True,
            },
        )
        for number, code in enumerate(cells, 1):
            request = {"op": "compile", "cell": number, "code": code, "hidden": [], "plain": False}
            _ask(channel, request)
        channel.close()
        process.wait(_PATIENCE)
    except (Disconnected, TimeUp, subprocess.TimeoutExpired) as error:
        raise PeerFailed("the compiler under valgrind failed") from error
    finally:
        channel.close()
        process.kill()
        process.wait()
    return _total(Path(f"{out}.{process.pid}"))


def _ask(channel: Channel, request: dict[str, object]) -> None:
    """Send a request and take its answer; what is announced before it is refused."""
    channel.send(request)
    while True:
        message = channel.receive(None)
        if "event" not in message.body:
            break
        if message.descriptor is not None:
            os.close(message.descriptor)
    if message.body.get("ok") is not True:
        raise PeerFailed(f"the compiler rejects {str(request.get('code', 'its options'))[:60]}")


def _clang_repl(run: Run, cells: Sequence[str]) -> int:
    """Return the instructions of Clang-Repl in process for these cells."""
    out = os.path.join(run.directory, "repl")
    command = [*_valgrind(out), *run.peers.repls["clang-repl"], f"--Xcc={_PROCESSOR}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        process.communicate("\n".join([*cells, "%quit", ""]).encode(), _PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise PeerFailed("clang-repl under valgrind does not end") from None
    return _total(Path(f"{out}.{process.pid}"))


def figures(run: Run) -> dict[str, int]:
    """Return what was counted of farside in a run, by name."""
    return {
        row.name: int(row.samples[FARSIDE][0])
        for row in run.rows
        if row.group == NAME and FARSIDE in row.samples
    }


def read_accepted(path: Path) -> dict[str, int]:
    """Return accepted figures from a file.

    Raises:
        PeerFailed: it is not there or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["instructions"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PeerFailed(f"{path} holds no accepted figures") from error
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and type(count) is int and count > 0 for name, count in found.items()
    ):
        raise PeerFailed(f"{path} holds no accepted figures")
    return found


def write_accepted(path: Path, found: Mapping[str, int], versions: Mapping[str, str]) -> None:
    """Write figures as accepted ones, with the versions that they depend on."""
    text = json.dumps({"versions": dict(versions), "instructions": dict(found)}, indent=1)
    path.write_text(text + "\n", encoding="utf-8")


def compare(accepted: Mapping[str, int], found: Mapping[str, int]) -> list[Change]:
    """Return the figures that both have, those that have grown most first."""
    both = [Change(name, accepted[name], found[name]) for name in found if name in accepted]
    return sorted(both, key=lambda change: -change.growth)


GROUP = Group(NAME, "Instructions", measure)
