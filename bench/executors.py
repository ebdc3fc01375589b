"""Latency of a trivial cell on each far side, beside clang-repl with LLVM's own executor.

    .venv/bin/python bench/executors.py [--cells 200] [--rounds 5] [FAR-SIDE ...]

Every far side keeps one session; in turn each runs a block of cells, so that a change of the
machine's speed falls on all of them. Figures are milliseconds a cell; the last column is the
median, over the rounds, of how much of clang-repl's time a far side takes. Far sides: native,
in-process, stock, tcp, tls, ssh (a real sshd on loopback), and clang-repl (out of process, with
LLVM's executor and ORC runtime). With the defaults it takes about a minute. It is not a part of
``farside bench`` because the far sides are those of the tests.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from farside.bench.figures import spread
from farside.bench.peers import Peers
from farside.bench.python_session import PythonSession
from farside.bench.repl import Repl
from farside.bench.report import number
from farside.bench.rows import Row, interleave
from farside.bench.sources import TRIVIAL

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.far_sides import far_side

if TYPE_CHECKING:
    from farside.bench.run import Prompt

PEER = "clang-repl"
NAMES = ("native", "in-process", "stock", "tcp", "tls", "ssh", PEER)


def start(name: str, stack: ExitStack) -> Prompt:
    """Start a session on a far side."""
    prompt: Prompt
    if name == PEER:
        peers = Peers(2)
        if "clang-repl-oop" not in peers.repls:
            raise SystemExit(f"clang-repl: {peers.missing['clang-repl-oop']}")
        prompt = Repl(peers.repls["clang-repl-oop"])
    else:
        prompt = PythonSession(2, **stack.enter_context(far_side(name)))
    stack.callback(prompt.close)
    prompt.run("int x = 0;", "{mark};")
    return prompt


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("far_sides", nargs="*", metavar="FAR-SIDE")
    wish = parser.parse_args()
    cells = [*[TRIVIAL] * (wish.cells - 1), TRIVIAL + " {mark};"]

    def block(prompt: Prompt) -> float:
        return prompt.run(*cells) / wish.cells * 1e3

    row = Row("executors", "a trivial cell")
    with ExitStack() as stack:
        prompts = {name: start(name, stack) for name in wish.far_sides or NAMES}
        actions = {name: partial(block, prompt) for name, prompt in prompts.items()}
        interleave(row, actions, wish.rounds)
    print("| far side | ms a cell | quartiles | of clang-repl's |\n|---|---|---|---|")
    peer = row.samples.get(PEER, [])
    for name in prompts:
        if name in row.missing:
            print(f"| {name} | {row.missing[name]} | | |")
            continue
        mine = row.samples[name]
        found = spread(mine)
        quartiles = f"{number(found.first)}–{number(found.third)}"
        ratio = f"{median(a / b for a, b in zip(mine, peer, strict=False)):.0%}" if peer else ""
        print(f"| {name} | {number(found.median)} | {quartiles} | {ratio} |")


if __name__ == "__main__":
    main()
