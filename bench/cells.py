"""Time and memory of trivial cells, farside beside clang-repl, in one interleaved run.

    .venv/bin/python bench/cells.py [--cells 10000] [--block 500] [--opt LEVEL] [--json FILE]

Every program keeps one session. In turn each runs a block of cells, so that a change of the
machine's speed falls on all of them. clang-repl is driven through its standard input; a block ends
when the line that its last cell prints arrives. Figures are per cell: the median, lowest and
highest over the blocks of each tenth of the run, and the resident memory (PSS) of every process at
the end of it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from shutil import which
from time import perf_counter
from typing import Any, Protocol

from farside.options import Options
from farside.session import Session

ORC_RUNTIME = "/usr/lib/llvm-22/lib/clang/22/lib/linux/liborc_rt-x86_64.a"


class Peer(Protocol):
    """A session of some program that runs blocks of trivial cells."""

    name: str

    def block(self, cells: int) -> None:
        """Run that many cells and return when the last has run."""

    def processes(self) -> dict[str, int]:
        """Return the pid of each of its processes by role."""

    def close(self) -> None:
        """End it."""


class Farside:
    """A farside session in this Python process."""

    def __init__(self, opt: int | None) -> None:
        self.name = "farside"
        self._session = Session(Options(opt=opt))
        self._session.run("int x = 0;")

    def block(self, cells: int) -> None:
        run = self._session.run
        for _ in range(cells):
            run("x = x + 1;")

    def processes(self) -> dict[str, int]:
        return {
            "near side": os.getpid(),
            "compiler": self._session.compiler_pid,
            "worker": self._session.worker_pid,
        }

    def close(self) -> None:
        self._session.close()


class ClangRepl:
    """clang-repl-22, in process or with LLVM's own executor."""

    def __init__(self, out_of_process: bool, opt: int | None) -> None:
        self.name = "clang-repl out of process" if out_of_process else "clang-repl in process"
        command = ["clang-repl-22"]
        if opt is not None:
            command.append(f"--Xcc=-O{opt}")
        if out_of_process:
            executor = which("llvm-jitlink-executor-22") or "llvm-jitlink-executor"
            command += [f"--oop-executor={executor}", f"--orc-runtime={ORC_RUNTIME}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1 << 16
        )
        self._blocks = 0
        self._send('extern "C" int printf(const char *, ...); extern "C" int fflush(void *);\n')
        self._send("int x = 0;\n")
        self.block(1)

    def _send(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)

    def block(self, cells: int) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._blocks += 1
        self._send("x = x + 1;\n" * cells)
        self._send(f'printf("block {self._blocks}\\n"), fflush(nullptr);\n')
        self._process.stdin.flush()
        while f"block {self._blocks}" not in (line := self._process.stdout.readline()):
            if not line:
                raise SystemExit(f"{self.name} ended early")

    def processes(self) -> dict[str, int]:
        pid = self._process.pid
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {"repl": pid} | {f"executor {i}": int(p) for i, p in enumerate(below)}

    def close(self) -> None:
        self._send("%quit\n")
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def pss_kib(pid: int) -> int:
    """Return the proportional set size of a process in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--block", type=int, default=100)
    parser.add_argument("--opt", type=int, default=None, help="-O level for every program")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    peers: list[Peer] = [Farside(arguments.opt)]
    if which("clang-repl-22"):
        peers.append(ClangRepl(out_of_process=False, opt=arguments.opt))
        if Path(ORC_RUNTIME).exists():
            peers.append(ClangRepl(out_of_process=True, opt=arguments.opt))
    blocks = arguments.cells // arguments.block
    tenth = max(1, blocks // 10)
    times: dict[str, list[float]] = {peer.name: [] for peer in peers}
    rows: list[dict[str, Any]] = []
    print(
        f"{'cells':>7}  {'program':<26} {'ms/cell':>8} {'lowest':>7} {'highest':>8}"
        "  memory (PSS, MiB)"
    )
    for done in range(1, blocks + 1):
        for peer in peers:
            started = perf_counter()
            peer.block(arguments.block)
            times[peer.name].append((perf_counter() - started) / arguments.block * 1e3)
        if done % tenth and done != blocks:
            continue
        for peer in peers:
            recent = times[peer.name][-tenth:]
            memory = {role: pss_kib(pid) / 1024 for role, pid in peer.processes().items()}
            row = {
                "cells": done * arguments.block,
                "program": peer.name,
                "median_ms": statistics.median(recent),
                "lowest_ms": min(recent),
                "highest_ms": max(recent),
                "pss_mib": memory,
            }
            rows.append(row)
            shown = ", ".join(f"{role} {mib:.1f}" for role, mib in memory.items())
            print(
                f"{row['cells']:>7}  {peer.name:<26} {row['median_ms']:>8.3f} "
                f"{row['lowest_ms']:>7.3f} {row['highest_ms']:>8.3f}  {shown}",
                flush=True,
            )
    base = statistics.median(times["farside"])
    for peer in peers[1:]:
        ratios = [b / a for a, b in zip(times["farside"], times[peer.name], strict=True)]
        print(f"{peer.name}: {statistics.median(ratios):.2f} times farside's {base:.3f} ms a cell")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1))
    for peer in peers:
        peer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
