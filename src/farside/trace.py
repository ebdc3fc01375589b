"""The path of each cell as a picture: events in the trace event format of Chrome and Perfetto.

`Stages` notes when each stage of a cell ended, and for a `Trace` also when its parts did. The trace
makes spans of that, and of what the two other processes have told: the compiler's answer holds the
durations of its phases, the executor's that of the run. What was measured by another process's
clock is placed in the middle of the near side's wait for it; its duration is exact.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU has the format. A
file that was not ended in order lacks the last bracket, which both viewers allow.
"""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from time import perf_counter

from farside.annotations import TYPE_CHECKING, Any, Protocol, TypeAlias
from farside.errors import OptionError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

NEAR_SIDE = "farside (near side)"
COMPILER = "farside-compiler"
WORKER = "farside-executor (worker)"
# The parts by which the other processes' times are placed, and the time after a failure.
ANSWER = "wait for the compiler"
ROUND_TRIP = "round trip to the far side"
RECOVERY = "recovery"
START = "start of the session, until the first cell"
_PHASES = ("parse", "optimise", "emit")  # of the compiler, in the order of a cell's path
_TITLE = 60  # characters of a cell that are shown


Passed: TypeAlias = "Callable[[str], object]"  # is told the name of what has ended


class Mark(NamedTuple):
    """The end of a stage of a cell, or of a part of one.

    Attributes:
        name: of the stage or part.
        seconds: when it ended, on the clock of `time.perf_counter`.
        whole: whether it is a stage; the parts before it are its own.
    """

    name: str
    seconds: float
    whole: bool


class Stages:
    """When the stages of one cell ended, one after the other.

    Attributes:
        began: when the first began, in seconds of `time.perf_counter`.
        marks: the ends in order.
        answers: microseconds of each phase in the compiler, for each mark that is an `ANSWER`.
        run: seconds that the code ran.
        fork: seconds that a snapshot of the program takes, 0 if none was made.
    """

    __slots__ = ("answers", "began", "fork", "marks", "run")

    def __init__(self) -> None:
        self.began = perf_counter()
        self.marks: list[Mark] = []
        self.answers: list[Mapping[str, int]] = []
        self.run = 0.0
        self.fork = 0.0

    def part(self, name: str) -> None:
        """Note that a part of a stage has ended; it began where the mark before it is."""
        self.marks.append(Mark(name, perf_counter(), False))

    def answered(self, phases: Mapping[str, int]) -> None:
        """Note that the compiler has answered, and how long it says its phases took."""
        self.answers.append(phases)
        self.part(ANSWER)

    def end(self, name: str) -> None:
        """Note that a stage has ended; it began where the stage before it ended."""
        self.marks.append(Mark(name, perf_counter(), True))

    def timings(self) -> dict[str, float]:
        """Return the seconds of each stage, and of the run as ``run``."""
        found: dict[str, float] = {}
        before = self.began
        for mark in self.marks:
            if mark.whole:
                found[mark.name] = mark.seconds - before
                before = mark.seconds
        found["run"] = self.run
        return found


class Processes(NamedTuple):
    """The processes of a session; 0 for one that is not running."""

    near: int
    compiler: int
    worker: int


class Trace:
    """Writes events. One cell at a time."""

    def __init__(self, write: Callable[[dict[str, Any]], object]) -> None:
        """Begin a trace.

        Args:
            write: takes each event as it comes.
        """
        self._write = write
        self._named: set[int] = set()

    def cell(
        self, number: int, code: str, stages: Stages, who: Processes, failure: str | None = None
    ) -> None:
        """Write the spans of one cell.

        Args:
            number: the cell's.
            code: its text.
            stages: of it.
            who: did it.
            failure: what ended it early, if anything; the time since the last mark is its
                `RECOVERY`.
        """
        now = perf_counter()
        for order, (pid, name) in enumerate(
            ((who.near, NEAR_SIDE), (who.compiler, COMPILER), (who.worker, WORKER))
        ):
            self._process(pid, name, order)
        title = code if len(code) <= _TITLE else code[:_TITLE] + "…"
        about: dict[str, object] = {"code": title}
        if failure is not None:
            about["failure"] = failure
        self._span(f"cell {number}", who.near, stages.began, now, about)
        answers = iter(stages.answers)
        before = inner = stages.began
        for name, seconds, whole in stages.marks:
            if whole:
                self._span(name, who.near, before, seconds)
                before = inner = seconds
                continue
            self._span(name, who.near, inner, seconds)
            if name == ANSWER:
                self._compiler(next(answers), who.compiler, inner, seconds)
            elif name == ROUND_TRIP:
                self._worker(stages, who.worker, inner, seconds, failed=failure is not None)
            inner = seconds
        if failure is not None:
            self._span(RECOVERY, who.near, inner, now)

    def start(self, began: float, ended: float) -> None:
        """Write the time from the making of a session to its first cell, in `perf_counter`."""
        self._process(os.getpid(), NEAR_SIDE, 0)
        self._span(START, os.getpid(), began, ended)

    def _compiler(self, phases: Mapping[str, int], pid: int, began: float, ended: float) -> None:
        took = sum(phases.values()) * 1e-6
        at = began + max(0.0, ended - began - took) / 2
        for name, micros in sorted(phases.items(), key=lambda phase: _order(phase[0])):
            self._span(name, pid, at, at + micros * 1e-6)
            at += micros * 1e-6

    def _worker(
        self, stages: Stages, pid: int, began: float, ended: float, *, failed: bool
    ) -> None:
        at = began + max(0.0, ended - began - stages.run) / 2
        self._span("run", pid, at, at + stages.run)
        if stages.fork and not failed:
            about = {"duration": "of the snapshot before this one"}
            self._span("snapshot", pid, ended, ended + stages.fork, about)

    def _process(self, pid: int, name: str, order: int) -> None:
        if not pid or pid in self._named:
            return
        self._named.add(pid)
        for kind, about in (
            ("process_name", {"name": name}),
            ("process_sort_index", {"sort_index": order}),
        ):
            self._write({"name": kind, "ph": "M", "pid": pid, "tid": pid, "args": about})

    def _span(
        self,
        name: str,
        pid: int,
        began: float,
        ended: float,
        about: Mapping[str, object] | None = None,
    ) -> None:
        event: dict[str, Any] = {
            "name": name,
            "ph": "X",
            "pid": pid,
            "tid": pid,
            "ts": round(began * 1e6, 3),
            "dur": round(max(0.0, ended - began) * 1e6, 3),
        }
        if about:
            event["args"] = about
        self._write(event)


def _order(phase: str) -> int:
    return _PHASES.index(phase) if phase in _PHASES else len(_PHASES)


class TraceFile(Trace):
    """A trace in a file, which can be looked at while the session goes on.

    Raises:
        OptionError: the file cannot be written.
    """

    def __init__(self, path: str, complain: Callable[[str], object]) -> None:
        """Begin a file.

        Args:
            path: of it; one that is there is replaced.
            complain: is told why the file ends early, if it does.
        """
        self._path = path
        self._complain = complain
        self._broken = False
        try:
            # Unbuffered: each write is whole events, and a full disk is told at once.
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise OptionError(f"--trace={path}: {error.strerror}") from error
        self._begin = "[\n"
        super().__init__(self._append)

    def _append(self, event: dict[str, Any]) -> None:
        self._put(self._begin + json.dumps(event))
        self._begin = ",\n"

    def _put(self, text: str) -> None:
        if self._broken:
            return
        try:
            self._file.write(text.encode())
        except OSError as error:
            self._broken = True
            self._complain(f"the trace {self._path} ends here: {error.strerror}")

    def close(self) -> None:
        """End the file in order."""
        if not self._file.closed:
            self._put("\n]\n" if self._begin != "[\n" else "[]\n")
            self._file.close()


class _Compiler(Protocol):
    @property
    def pid(self) -> int: ...


class _FarSide(Protocol):
    def running(self) -> tuple[int, float]: ...


class Tracing:
    """What a session times its cells with, and the trace if there is one.

    Attributes:
        trace: where spans go; None for nowhere.
        part: is told the name of what has ended, as `Stages.part` of the cell that is being run;
            without a trace nobody wants to know.
    """

    def __init__(self, path: str | None, complain: Callable[[str], object]) -> None:
        """Begin; see `TraceFile`."""
        self.trace: Trace | None = None if path is None else TraceFile(path, complain)
        self.part: Passed = str
        self._stages = Stages()
        self._made: float | None = perf_counter()

    def answered(self, phases: Mapping[str, int]) -> None:
        """See `Stages.answered`, of the cell that is being run."""
        if self.trace is not None:
            self._stages.answered(phases)

    @contextmanager
    def cell(
        self, number: int, code: str, compiler: _Compiler, far_side: _FarSide
    ) -> Iterator[Stages]:
        """Give the stages of a cell to be noted; write them down when the block ends."""
        self._stages = stages = Stages()
        self.part = str if self.trace is None else stages.part
        failure: str | None = None
        try:
            yield stages
        except BaseException as error:
            failure = type(error).__name__
            raise
        finally:
            if self.trace is not None:
                if self._made is not None:
                    self.trace.start(self._made, stages.began)
                    self._made = None
                worker, stages.fork = far_side.running()
                who = Processes(os.getpid(), compiler.pid, worker)
                self.trace.cell(number, code, stages, who, failure)

    def close(self) -> None:
        """End the trace in order."""
        if isinstance(self.trace, TraceFile):
            self.trace.close()
