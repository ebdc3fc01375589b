"""``farside bench``: measure, show, and write down."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import farside
from farside.annotations import TYPE_CHECKING, Any
from farside.bench import budgets, growth, instructions, latency, parts, programs, scale
from farside.bench.machine import describe_machine, versions
from farside.bench.peers import Peers
from farside.bench.report import (
    EXPLANATION,
    as_json,
    budget_markdown,
    budget_table,
    machine_lines,
    markdown,
    table,
)
from farside.bench.rows import PeerFailed
from farside.bench.run import Run

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from rich.console import Console

    from farside.bench.budgets import Verdict
    from farside.bench.rows import Row
    from farside.bench.run import Group

GROUPS: dict[str, Group] = {
    each.name: each
    for each in (
        programs.GROUP,
        latency.GROUP,
        growth.GROUP,
        parts.GROUP,
        scale.GROUP,
        budgets.GROUP,
        instructions.GROUP,
    )
}
# What is measured unless groups are named; instructions are counted, which takes Valgrind.
_MEASURED = [name for name in GROUPS if name != instructions.NAME]
_DONE, _MISUSED, _INTERRUPTED = 0, 2, 130
_WIDTH = 160  # columns of a table that goes into a file or a pipe


def main(argv: Sequence[str]) -> int:
    """Run ``farside bench`` with the arguments after the subcommand's name."""
    parser = _parser()
    try:
        wish = parser.parse_args(argv)
        unknown = [name for name in wish.groups if name not in GROUPS]
        if unknown:
            parser.error(f"no group {unknown[0]}; there are {', '.join(GROUPS)}")
        if wish.repeat is not None and wish.repeat < 1:
            parser.error(f"--repeat={wish.repeat}: at least one repetition is needed")
        if wish.accept and wish.accepted is None:
            parser.error("--accept needs --accepted=FILE")
        if wish.priority:
            try:
                os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
            except PermissionError:
                parser.error("--priority: only root may take precedence")
    except SystemExit as end:
        return _MISUSED if end.code else _DONE
    return _measure(wish)


def _parser() -> ArgumentParser:
    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="farside bench",
        description="Measure farside beside its peers: clang-repl, clang++, g++, cppyy.",
        epilog="groups: "
        + "; ".join(f"{each.name} ({each.title})" for each in GROUPS.values())
        + ". Without any, all but instructions are measured. "
        + EXPLANATION,
        allow_abbrev=False,
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help="what to measure")
    parser.add_argument("--quick", action="store_true", help="few repetitions; a minute or two")
    parser.add_argument("--repeat", type=int, metavar="N", help="repetitions of each row")
    parser.add_argument(
        "--opt",
        choices=("0", "1", "2", "3", "own"),
        default="2",
        help="-O level of every prompt (default 2, which is farside's); own: each as it is started"
        " without such an option",
    )
    parser.add_argument(
        "--priority",
        action="store_true",
        help="take precedence over all other work, by real-time scheduling (needs root)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements there")
    parser.add_argument(
        "--accepted",
        type=Path,
        metavar="FILE",
        help="compare counts of instructions with those in it",
    )
    parser.add_argument(
        "--accept", action="store_true", help="write the counts to the file of --accepted"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables there")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="write pictures there, as SVG")
    return parser


def _measure(wish: Namespace) -> int:
    from rich.console import Console

    said = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    told = Console(stderr=True)
    groups = [GROUPS[name] for name in dict.fromkeys(wish.groups or _MEASURED)]
    started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    opt = None if wish.opt == "own" else int(wish.opt)
    peers = Peers(opt)
    status = _DONE
    from farside.bench.progress import Bar

    with Bar(told) as bar:
        run = Run(peers, progress=bar, quick=wish.quick, repeat=wish.repeat, opt=opt)
        with run:
            prepare(opt)
            for group in groups:
                try:
                    group.measure(run)
                except KeyboardInterrupt:
                    status = _INTERRUPTED
                    break
    for group in GROUPS.values():
        rows = [row for row in run.rows if row.group == group.name]
        if rows:
            said.print(table(group.title, rows))
    found = budgets.verdicts(run) if budgets.GROUP in groups else []
    if found:
        said.print(budget_table(found))
    if status == _INTERRUPTED:
        told.print("interrupted: this is what was measured until then")
    if instructions.GROUP in groups and wish.accepted is not None:
        _compare(wish, run, said)
    about = _about(wish, peers, run, started)
    for line in (EXPLANATION, *machine_lines(about)):
        said.print(line)
    _write(wish, about, run.rows, found)
    if wish.plots is not None:
        _draw(wish.plots, run)
    return status


def _compare(wish: Namespace, run: Run, said: Console) -> None:
    """Say which counts of instructions have changed; nothing fails by it."""
    found = instructions.figures(run)
    if wish.accept:
        if found:
            said.print(f"accepted: {len(found)} figures in {wish.accepted}", markup=False)
            programs = {**run.peers.programs, "python": sys.executable}
            if run.quick:  # which counts some of them; the others stay
                with suppress(PeerFailed):
                    found = {**instructions.read_accepted(wish.accepted), **found}
            instructions.write_accepted(wish.accepted, found, versions(programs))
        return
    try:
        accepted = instructions.read_accepted(wish.accepted)
    except PeerFailed as error:
        said.print(str(error), markup=False)
        return
    changes = instructions.compare(accepted, found)
    grown = [each for each in changes if each.growth > instructions.GROWTH]
    for each in changes:
        mark = "GROWN  " if each in grown else "       "
        said.print(f"{mark}{each}", markup=False, highlight=False)
    limit = f"{instructions.GROWTH:.0%}"
    said.print(
        f"{len(grown)} of {len(changes)} figures have grown by more than {limit}"
        if changes
        else "nothing could be compared",
        markup=False,
    )


def _draw(directory: Path, run: Run) -> None:
    """Write a picture of each group and unit, of the growth, and of the path of single cells."""
    from farside.bench import plots

    directory.mkdir(parents=True, exist_ok=True)
    pictures: dict[str, str] = {}
    for group in GROUPS.values():
        rows = [row for row in run.rows if row.group == group.name and row.samples]
        units = dict.fromkeys(row.unit for row in rows)
        for unit in units:
            name = group.name if len(units) == 1 else f"{group.name}-{unit.replace(' ', '-')}"
            pictures[name] = plots.bars(group.title, [row for row in rows if row.unit == unit])
    points = growth.curve(run.rows)
    if points:
        pictures["growth-curve"] = plots.curves("A trivial cell after many", "ms", points)
    for what, events in run.paths.items():
        pictures[f"path-of-{what.replace(' ', '-')}"] = plots.flame(f"The path of {what}", events)
    for name, text in pictures.items():
        (directory / f"{name.replace('µ', 'u')}.svg").write_text(text, encoding="utf-8")


def prepare(opt: int | None) -> None:
    """Have the precompiled standard library in place, as it is from the second session on."""
    from farside.bench.latency import alike_options
    from farside.frontend.client import find_compiler
    from farside.frontend.pch import build_pch
    from farside.options import Options

    for options in (Options(opt=opt), alike_options(opt)):
        build_pch(options, find_compiler(options), wait=True)


def _about(wish: Namespace, peers: Peers, run: Run, started: str) -> dict[str, Any]:
    level = "each program at its own level of optimisation"
    return {
        "farside": farside.__version__,
        "started": started,
        "machine": describe_machine(),
        "versions": versions(peers.programs),
        "commands": peers.repls | {key: [path] for key, path in peers.compilers.items()},
        "missing": peers.missing,
        "flags": level if wish.opt == "own" else f"prompts at -O{wish.opt}",
        "quick": wish.quick,
        "priority": wish.priority,
        "loads": [round(load, 2) for load in (*run.loads, os.getloadavg()[0])],
    }


def _write(
    wish: Namespace, about: dict[str, Any], rows: list[Row], verdicts: list[Verdict]
) -> None:
    for path in (wish.json, wish.markdown):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    if wish.json is not None:
        text = json.dumps(as_json(about, rows, verdicts), indent=1, ensure_ascii=False)
        wish.json.write_text(text + "\n", encoding="utf-8")
    if wish.markdown is not None:
        parts = ["# farside bench\n", *[line + "\n" for line in machine_lines(about)], EXPLANATION]
        for group in GROUPS.values():
            found = [row for row in rows if row.group == group.name]
            if found:
                parts.append("\n" + markdown(group.title, found))
        if verdicts:
            parts.append("\n" + budget_markdown(verdicts))
        wish.markdown.write_text("\n".join(parts), encoding="utf-8")
