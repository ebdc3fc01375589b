"""Whether a session stays as fast and as small as it was: many thousand trivial cells."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median

from farside.annotations import TYPE_CHECKING
from farside.bench.machine import children, pss_kib
from farside.bench.repl import Repl
from farside.bench.rows import FARSIDE, Row
from farside.bench.run import BETWEEN, Group, standing
from farside.bench.sources import TRIVIAL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farside.bench.run import Run, Standing

NAME = "growth"
LATE = "a trivial cell in the old session, of one in a young one"
CHECKPOINTS = (10, 100, 1_000, 10_000, 50_000)
QUICK = (10, 100, 1_000)
_CAPS = {"clang-repl-oop": 10_000, "cppyy": 10_000}  # more would take many minutes
_PEERS = ("clang-repl", "clang-repl-oop", "cppyy")
_BLOCK = 100
_CHUNK = 500
_PATIENCE = 600


def row_name(cells: int) -> str:
    """Return the name of the row of a checkpoint."""
    return f"a trivial cell after {cells:,}"


def curve(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Return the median time of a cell over the cells before it, by column."""
    named = {row_name(count): count for count in CHECKPOINTS}
    found: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if row.name in named:
            for key, samples in row.samples.items():
                found.setdefault(key, []).append((named[row.name], median(samples)))
    return found


def measure(run: Run) -> None:
    """Add the rows of this group."""
    checkpoints = QUICK if run.quick else CHECKPOINTS
    with ExitStack() as stack:
        prompts = standing(run, stack, ("int x = 0;",))
        done = dict.fromkeys(prompts, 1)
        memory: dict[int, dict[str, dict[str, int]]] = {}
        for goal in checkpoints:
            capped = {key: cap for key, cap in _CAPS.items() if cap < goal and key in prompts}
            lost = {key: f"not run beyond {cap:,} cells" for key, cap in capped.items()}
            lost |= _fill(run, prompts, done, goal, capped)
            row = run.row(NAME, row_name(goal))
            actions = {
                key: partial(_block, prompt, done, key)
                for key, prompt in prompts.items()
                if key not in lost
            }
            run.measure(row, actions, run.rounds(11, 5), _PEERS)
            row.missing |= lost
            for key in row.missing:
                prompts.pop(key, None)  # one that was started again would be a young one
            memory[goal] = {key: _memory(prompts[key]) for key in prompts if key != "session"}
        _beside_young(run, prompts, done)
        _memory_rows(run, memory)


def _beside_young(run: Run, prompts: Mapping[str, Standing], done: dict[str, int]) -> None:
    """Compare sessions with young ones in the same rounds.

    It takes minutes to run all those cells, and meanwhile the machine may become another.
    """
    with ExitStack() as stack:
        young = standing(run, stack, ("int x = 0;",))
        ages = dict.fromkeys(young, 1)

        def quotient(key: str) -> float:
            if ages[key] == 1:
                _block(young[key], ages, key)
            early = _block(young[key], ages, key)
            time.sleep(BETWEEN)
            return _block(prompts[key], done, key) / early

        actions = {key: partial(quotient, key) for key in (FARSIDE, "session") if key in prompts}
        row = run.row(NAME, LATE, "times", "two sessions in turn")
        run.measure(row, actions, run.rounds(21, 5))


def _block(prompt: Standing, done: dict[str, int], key: str) -> float:
    """Run a block of cells and return the milliseconds of one."""
    done[key] += _BLOCK
    return prompt.run(*[TRIVIAL] * (_BLOCK - 1), TRIVIAL + " {mark};") / _BLOCK * 1e3


def _fill(
    run: Run,
    prompts: Mapping[str, Standing],
    done: dict[str, int],
    goal: int,
    capped: Mapping[str, int],
) -> dict[str, str]:
    """Bring every prompt to so many cells, in turn, a chunk at a time.

    Returns:
        by column, what became of those that did not get there.
    """
    keys = [key for key in prompts if key not in capped]

    def chunk(key: str) -> float:
        count = min(_CHUNK, goal - done[key])
        if count <= 0:
            return 0.0
        done[key] += count
        cells = [TRIVIAL] * (count - 1)
        return prompts[key].run(*cells, TRIVIAL + " {mark};", patience=_PATIENCE)

    missing = goal - min((done[key] for key in keys), default=goal)
    rounds = -(-missing // _CHUNK)
    way = Row(NAME, f"on the way to {goal:,} cells, {_CHUNK} at once", "s")
    if rounds > 0:
        run.measure(way, {key: partial(chunk, key) for key in keys}, rounds)
    return {key: f"{why}, before cell {done[key]:,}" for key, why in way.missing.items()}


def _memory(standing: Standing) -> dict[str, int]:
    """Return the memory (PSS) of a program's processes in KiB, by what they do."""
    prompt = standing.prompt
    assert isinstance(prompt, Repl)
    found = {"near side": pss_kib(prompt.pid)}
    for child in children(prompt.pid):
        part = "compiler" if _name(child).startswith("farside-compile") else "far side"
        family = [child]
        for each in family:
            family += children(each)
        found[part] = found.get(part, 0) + sum(map(pss_kib, family))
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _memory_rows(run: Run, memory: Mapping[int, Mapping[str, Mapping[str, int]]]) -> None:
    """Add rows of what each part holds at the end, and of how much each cell added to it."""
    notes = {
        "near side": "clang-repl: its one process, compiler and linker in it",
        "compiler": "with its sleeping forks",
        "far side": "supervisor, worker and snapshots; clang-repl: LLVM's executor",
    }
    for part, note in notes.items():
        total = run.row(NAME, f"memory of the {part} at the end", "KiB", note)
        growth = run.row(NAME, f"memory of the {part}, growth", "bytes a cell", note)
        for key in ("farside", *_PEERS):
            held = {
                goal: found[key][part]
                for goal, found in memory.items()
                if part in found.get(key, ())
            }
            if len(held) < 2:
                continue
            last = max(held)
            first = max(goal for goal in held if goal < last and goal <= max(last // 10, min(held)))
            total.samples[key] = [float(held[last])]
            growth.samples[key] = [(held[last] - held[first]) * 1024 / (last - first)]
        run.done(total)
        run.done(growth)


GROUP = Group(NAME, "Many cells", measure)
