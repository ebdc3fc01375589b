"""How long a user waits: from the cell that is sent to what it prints."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from itertools import count
from time import perf_counter

from farside.annotations import TYPE_CHECKING
from farside.bench.python_session import PythonSession
from farside.bench.repl import Repl
from farside.bench.rows import FARSIDE, PeerFailed, Row
from farside.bench.run import Group, Standing, standing
from farside.bench.sources import HEADERS, TRIVIAL, USE_HEADERS, function, long_cell, templates
from farside.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farside.bench.run import Run

NAME = "latency"
REPLS = ("clang-repl", "clang-repl-oop", "cppyy")
FIRST = "cold start to the first result"
FIRST_HEADERS = "cold start to the first cell with the standard library"
HEADERS_LATER = "first cell with the standard library in a running session"
CRASH = "crash, restore, next cell"
_BLOCK = 100  # so that the cell that prints the mark counts little
_SHOWN = 1_000_000
_CALLS = 1_000


def measure(run: Run) -> None:
    """Add the rows of this group."""
    cold(run, FIRST, ("{mark};",))
    cold(run, FIRST_HEADERS, (*HEADERS, USE_HEADERS))
    headers_later(run)
    with ExitStack() as stack:
        _steady(run, standing(run, stack, ("int x = 0;", f"int shown = {_SHOWN};")))
    with ExitStack() as stack:
        prompts = standing(run, stack, HEADERS)
        _timed(run, prompts, "a cell full of templates", run.rounds(11, 3), templates)
    alike(run)
    large_displays(run)
    from_python(run)
    crash(run)


def alike_options(opt: int | None) -> Options:
    """Return the options with which farside compiles as Clang-Repl does by default.

    By itself it compiles for a newer standard and for this processor, and says lines.
    """
    return Options(opt=opt, std="gnu++17", xcc=("-march=x86-64", "-g0"))


def alike(run: Run) -> None:
    """Measure cells that are Clang's work for the most part, with the same settings on both sides.

    These rows stand beside those with each program's own settings, and do not take their place.
    """
    peer = "clang-repl"
    if not {FARSIDE, peer} <= run.peers.repls.keys():
        return
    options = alike_options(None)
    more = [f"-std={options.std}", *[f"--Xcc={word}" for word in options.xcc]]
    commands = {FARSIDE: [*run.peers.repls[FARSIDE], *more], peer: run.peers.repls[peer]}
    with ExitStack() as stack:
        prompts = {key: Standing(partial(Repl, each), HEADERS) for key, each in commands.items()}
        for each in prompts.values():
            stack.callback(each.close)
        _timed(run, prompts, "a cell of 1,000 lines, like settings", run.rounds(5, 2), long_cell)
        _timed(
            run, prompts, "a cell full of templates, like settings", run.rounds(11, 3), templates
        )


def cold(run: Run, name: str, lines: Sequence[str]) -> None:
    """Measure from the start of the program to what the first cell prints."""

    def once(command: Sequence[str]) -> Callable[[], float]:
        def action() -> float:
            started = perf_counter()
            with Repl(command) as prompt:
                prompt.run(*lines)
                return (perf_counter() - started) * 1e3

        return action

    actions = {key: once(command) for key, command in run.peers.repls.items()}
    run.measure(run.row(NAME, name), actions, run.rounds(11, 3), REPLS)


def headers_later(run: Run) -> None:
    """Measure the first use of the standard library in a session that is there already."""

    def once(key: str) -> Callable[[], float]:
        def action() -> float:
            with ExitStack() as stack:
                prompt = standing(run, stack, ("int x = 0;", TRIVIAL))[key]
                prompt.run("{mark};")
                return prompt.run(*HEADERS, USE_HEADERS) * 1e3

        return action

    with ExitStack() as stack:
        keys = list(standing(run, stack))
    row = run.row(NAME, HEADERS_LATER)
    run.measure(row, {key: once(key) for key in keys}, run.rounds(11, 3), REPLS)


def _steady(run: Run, prompts: Mapping[str, Standing]) -> None:
    """Measure cells of several kinds, turn by turn in all programs."""
    numbers = {key: count(1) for key in prompts}

    def trivial(prompt: Standing) -> float:
        cells = [TRIVIAL] * (_BLOCK - 1)
        return prompt.run(*cells, "x = x + 1; {mark};") / _BLOCK * 1e3

    row = run.row(NAME, "a trivial cell")
    actions = {key: lambda prompt=prompt: trivial(prompt) for key, prompt in prompts.items()}
    run.measure(row, actions, run.rounds(15, 5), REPLS)
    few, many = run.rounds(5, 2), run.rounds(15, 5)
    _timed(run, prompts, "definition of a function", many, function)
    _timed(run, prompts, "a cell of 1,000 lines", few, long_cell)

    def show(key: str) -> Callable[[], float]:
        def action() -> float:
            number = next(numbers[key])
            prompt = prompts[key].prompt
            if key == "session":
                return prompt.run(f"shown + {number}") * 1e3
            assert isinstance(prompt, Repl)
            try:
                return prompt.send(f"shown + {number}\n", f"(int) {_SHOWN + number}\n") * 1e3
            except PeerFailed:
                prompts[key].close()
                raise

        return action

    row = run.row(NAME, "display of an int")
    run.measure(row, {key: show(key) for key in prompts if key != "cppyy"}, many, REPLS)

    def undo(key: str) -> Callable[[], float]:
        def action() -> float:
            prompts[key].run(f"int u{next(numbers[key])} = {{mark}};")
            return prompts[key].run("%undo", "{mark};") * 1e3

        return action

    row = run.row(NAME, "undo, next cell")
    run.measure(row, {key: undo(key) for key in prompts if key != "cppyy"}, many, REPLS)
    _timed(
        run,
        prompts,
        "compile error, next cell",
        many,
        lambda n: f"int e{n} = ;\n{{mark}};",
        faults=True,
    )


def _timed(
    run: Run,
    prompts: Mapping[str, Standing],
    name: str,
    rounds: int,
    cell: Callable[[int], str],
    *,
    patience: float = 60,
    faults: bool = False,
) -> None:
    """Measure a cell that is another one each time."""
    numbers = {key: count(1) for key in prompts}

    def once(key: str) -> Callable[[], float]:
        def action() -> float:
            text = cell(next(numbers[key]))
            return prompts[key].run(text, patience=patience, faults=faults) * 1e3

        return action

    run.measure(run.row(NAME, name), {key: once(key) for key in prompts}, rounds, REPLS)


def large_displays(run: Run) -> None:
    """Measure the first and the next display of containers; Clang-Repl shows their addresses."""
    variables = (
        'std::map<std::string, std::vector<int>> m{{"a", {1, 2}}, {"b", {3}}};',
        "std::vector<int> big(1'000'000, 123'456);",
    )
    for name, shown in (("a map of strings to vectors", "m"), ("a million ints", "big")):
        first = run.row(NAME, f"first display of {name}")
        again = run.row(NAME, f"the next display of {name}")

        def once(shown: str = shown, again: Row = again) -> float:
            prompt = PythonSession(run.opt)
            try:
                prompt.run(*HEADERS, *variables)
                took = prompt.run(shown) * 1e3
                again.samples.setdefault("session", []).append(prompt.run(shown) * 1e3)
                return took
            finally:
                prompt.close()

        run.measure(first, {"session": once}, run.rounds(7, 2))
        run.done(again)


def from_python(run: Run) -> None:
    """Measure calls from a Python program, and values that go there."""
    with ExitStack() as stack:
        prompt = PythonSession(run.opt)
        stack.callback(prompt.close)
        prompt.run("#include <vector>", "int twice(int a) { return 2 * a; }")
        prompt.run("std::vector<double> numbers(1'000'000, 0.5);")
        session = prompt.session
        first = run.row(NAME, "first call of a function from Python")
        run.measure(first, {"session": lambda: _milliseconds(lambda: session.fn.twice(21))}, 1)

        def call() -> float:
            for _ in range(_CALLS):
                session.fn.twice(21)
            return 0.0

        def calls() -> float:
            return _milliseconds(call) * 1e3 / _CALLS

        actions = {"session": calls}
        if "cppyy" in run.peers.repls:
            actions["cppyy"] = _cppyy_calls
        row = run.row(NAME, "a call of a function from Python", "µs")
        run.measure(row, actions, run.rounds(11, 3), ("cppyy",))
        for name, expression, rounds in (
            ("session.eval of an expression with a call", "twice(21)", run.rounds(50, 10)),
            ("session.eval of a million doubles", "numbers", run.rounds(7, 2)),
        ):
            evaluate = partial(_milliseconds, partial(session.eval, expression))
            run.measure(run.row(NAME, name), {"session": evaluate}, rounds)


def _milliseconds(action: Callable[[], object]) -> float:
    started = perf_counter()
    action()
    return (perf_counter() - started) * 1e3


def _cppyy_calls() -> float:
    """Return the microseconds of a call in another process: cppyy can end its own."""
    program = (
        "import cppyy, time\n"
        "cppyy.cppdef('int twice(int a) { return 2 * a; }')\n"
        "twice = cppyy.gbl.twice\n"
        "twice(21)\n"
        "started = time.perf_counter()\n"
        f"for _ in range({_CALLS}): twice(21)\n"
        f"print((time.perf_counter() - started) * 1e6 / {_CALLS})\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
        )
        return float(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise PeerFailed("cppyy fails") from error


def crash(run: Run) -> None:
    """Measure from a cell that crashes to what the next one prints."""
    with ExitStack() as stack:
        prompts = standing(run, stack, ("int x = 0;", "int *nowhere = nullptr;"))
        _timed(
            run,
            prompts,
            CRASH,
            run.rounds(11, 3),
            lambda _: "*(volatile int *)nowhere = 1;\n{mark};",
            patience=10,
            faults=True,
        )


GROUP = Group(NAME, "Latency", measure)
