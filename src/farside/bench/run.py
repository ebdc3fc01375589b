"""One run of the benchmark: what is measured, with what, how often, and what came of it so far."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial
from tempfile import TemporaryDirectory

from farside.annotations import TYPE_CHECKING, Any, Protocol
from farside.bench.rows import FARSIDE, TITLES, PeerFailed, Row, interleave
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from farside.bench.peers import Peers

# Seconds between turns. Farside's compiler gets ready for the next cell when it has had nothing to
# do for a while, which takes a processor for some milliseconds: its own turn is over by then, and
# the turn of another program must not pay for it.
BETWEEN = 0.03


class Group(NamedTuple):
    """Rows that are measured together.

    Attributes:
        name: as on the command line.
        title: a heading.
        measure: adds rows to a run.
    """

    name: str
    title: str
    measure: Callable[[Run], None]


class Progress(Protocol):
    """Who is told how far a run has come."""

    def row(self, row: Row, rounds: int) -> None:
        """Take notice that a row begins."""

    def column(self, title: str) -> None:
        """Take notice that a measurement begins."""

    def done(self, row: Row) -> None:
        """Take notice that a row is complete."""


class Run:
    """One run. A context manager, which owns a directory for what is compiled.

    Attributes:
        peers: the programs to measure.
        quick: whether to be content with few repetitions.
        repeat: repetitions of each row, if chosen.
        opt: the level of optimisation that was chosen for all, None for each program's own.
        rows: all that was measured so far.
        loads: the load average over one minute at the beginning of each row.
        directory: for files.
        paths: traces of single cells, by what they are.
    """

    def __init__(
        self,
        peers: Peers,
        *,
        progress: Progress | None = None,
        quick: bool = False,
        repeat: int | None = None,
        opt: int | None = None,
    ) -> None:
        self.peers = peers
        self.quick = quick
        self.repeat = repeat
        self.opt = opt
        self.rows: list[Row] = []
        self.loads: list[float] = []
        self.paths: dict[str, list[dict[str, Any]]] = {}
        self._progress = progress
        self._stack = ExitStack()
        self.directory = self._stack.enter_context(TemporaryDirectory(prefix="farside-bench-"))

    def rounds(self, full: int, quick: int) -> int:
        """Return how often to repeat a row."""
        return self.repeat or (quick if self.quick else full)

    def row(self, group: str, name: str, unit: str = "ms", note: str = "") -> Row:
        """Begin a row."""
        row = Row(group, name, unit, note=note)
        self.rows.append(row)
        self.loads.append(row.load)
        return row

    def measure(
        self,
        row: Row,
        actions: Mapping[str, Callable[[], float]],
        rounds: int,
        peers: Iterable[str] = (),
    ) -> None:
        """Measure a row.

        Args:
            row: from `row`.
            actions: by column, see `interleave`.
            rounds: how often.
            peers: columns that belong to the row even where the peer is missing.
        """
        for key in peers:
            if key in self.peers.missing:
                row.missing[key] = self.peers.missing[key]
        if self._progress is not None:
            self._progress.row(row, rounds * len(actions))
        interleave(row, actions, rounds, self._begin)
        self.done(row)

    def done(self, row: Row) -> None:
        """Tell that a row is complete."""
        if self._progress is not None:
            self._progress.done(row)

    def _begin(self, key: str) -> None:
        if self._progress is not None:
            self._progress.column(TITLES.get(key, key))
        time.sleep(BETWEEN)

    def find(self, group: str, name: str) -> Row | None:
        """Return a row that was measured, None if it was not."""
        found = [row for row in self.rows if (row.group, row.name) == (group, name)]
        return found[0] if found and found[0].samples else None

    def file(self, name: str, text: str) -> str:
        """Write a file for programs to read and return its path."""
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()


class Prompt(Protocol):
    """Something that takes cells."""

    def run(self, *lines: str, patience: float = ..., faults: bool = ...) -> float:
        """See `farside.bench.repl.Repl.run`."""

    def close(self) -> None:
        """End it."""


class Standing:
    """A prompt that is there when it is needed, with a few cells run.

    One that has failed is closed, and started anew for the next row.
    """

    def __init__(self, start: Callable[[], Prompt], prelude: Sequence[str] = ()) -> None:
        self._start = start
        self._prelude = tuple(prelude)
        self._prompt: Prompt | None = None

    @property
    def prompt(self) -> Prompt:
        """Return the prompt, started if it is not running."""
        if self._prompt is None:
            self._prompt = self._start()
            try:
                self._prompt.run(*self._prelude, "{mark};")
            except BaseException:
                self.close()
                raise
        return self._prompt

    def run(self, *lines: str, patience: float = 60, faults: bool = False) -> float:
        """Run cells; see `farside.bench.repl.Repl.run`."""
        prompt = self.prompt
        try:
            return prompt.run(*lines, patience=patience, faults=faults)
        except PeerFailed:
            self.close()
            raise

    def close(self) -> None:
        """End the prompt, if it is running."""
        if self._prompt is not None:
            self._prompt.close()
            self._prompt = None


def standing(
    run: Run, stack: ExitStack, prelude: Sequence[str] = (), *, session: bool = True
) -> dict[str, Standing]:
    """Return a prompt of every program, by column.

    Args:
        run: says which programs there are.
        stack: ends them.
        prelude: cells to run before anything is measured.
        session: whether a session of this Python process is to be among them.
    """
    from farside.bench.repl import Repl

    found: dict[str, Standing] = {}
    for key, command in run.peers.repls.items():
        found[key] = Standing(partial(Repl, command), prelude)
        if key == FARSIDE and session:
            from farside.bench.python_session import PythonSession

            found["session"] = Standing(lambda: PythonSession(run.opt), prelude)
    for each in found.values():
        stack.callback(each.close)
    return found
