"""One generated session: random changes and disasters, each compared with the model."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from farside.errors import CompileError, CppException, FarSideError, FarsideError, LinkError
from farside.options import Options
from farside.rescue import STARTED_AGAIN, TAKEN_BACK_TOO
from farside.session import Session
from tests.chaos import events, model

WEIGHTS = {
    "change": 30,
    "define": 5,
    "touch": 5,
    "exception": 4,
    "death": 25,
    "hang": 4,
    "refused": 6,
    "harmless": 5,
    "killed": 4,
    "killed_midway": 6,
    "undo": 5,
    "checkpoint": 2,
    "restore": 2,
}


LONGEST_CELL = 0.005  # seconds from its text to its outcome, more or less


@dataclass
class Tally:
    """What came of all events.

    Attributes:
        events: how many of each kind.
        recoveries: seconds from the report of an end to a program in the state before.
        lost: sessions that could not go on, a description each.
        different: states that were not the model's, a description each.
    """

    events: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    started_again: int = 0
    shown: int = 0
    lost: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


class ChaosSession:
    """A session, the model of its program, and the states that can be gone back to."""

    def __init__(self, seed: int, directory: Path, tally: Tally) -> None:
        self.random = Random(seed)
        self.seed = seed
        self.directory = directory
        self.tally = tally
        self.near = os.getcwd()
        self.state = model.State(self.near)
        # The model after each accepted cell that can be taken back, oldest first.
        self.past: list[tuple[int, model.State]] = []
        self.checkpoints: dict[str, tuple[int, model.State]] = {}
        self.last = "start"
        self.session = Session(Options(output="capture"))
        self.pipe = os.pipe()

    def close(self) -> None:
        """End the session."""
        self.tally.recoveries += self.session.recovery_seconds
        self.session.close()
        for end in self.pipe:
            os.close(end)

    def run(self, count: int) -> None:
        """Have so many events happen; the first that breaks the session ends it."""
        try:
            announce = f"/proc/{os.getpid()}/fd/{self.pipe[1]}"
            for code in model.set_up(self.directory, announce):
                self.session.run(code)
            # All cells up to here stay.
            self.past = [(self.session.next_cell - 1, self.state.copy())]
            for _ in range(count):
                self.event()
                if not self.compare():
                    return
        except FarsideError as error:
            what = f"{type(error).__name__}: {error}"
            self.tally.lost.append(f"seed {self.seed}, {self.last}: {what}")

    # ------------------------------------------------------------------ events

    def event(self) -> None:
        """Let one thing happen."""
        kind = self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.last = kind
        getattr(self, kind)()
        self.tally.events[self.last] += 1

    def change(self) -> None:
        """Alter the program's variables."""
        self.cell(model.change(self.state, self.random, self.directory))

    def define(self) -> None:
        """Define something more."""
        self.cell(model.define(self.state, self.random, self.session.next_cell))

    def touch(self) -> None:
        """Alter what was defined."""
        if self.state.extras:
            self.cell(model.touch(self.state, self.random))

    def exception(self) -> None:
        """Throw after a change, which stays."""
        code = model.change(self.state, self.random, self.directory)
        self.cell(f'{code} throw std::runtime_error("chaos");')

    def death(self) -> None:
        """Change something and die."""
        self.last, code = self.random.choice(list(events.DEATHS.items()))
        self.fails(self.spoilt(code))

    def hang(self) -> None:
        """Change something and never end; be interrupted."""
        self.last, code = self.random.choice(list(events.HANGS.items()))
        by_signal = self.random.random() < 0.5
        self.empty_pipe()
        strike = threading.Thread(target=self.strike, args=(by_signal,))
        strike.start()
        self.fails(self.spoilt(f'(void)!write(announce, "x", 1); {code}'))
        strike.join()

    def empty_pipe(self) -> None:
        """Take out what a cell has written that writes to every descriptor."""
        os.set_blocking(self.pipe[0], False)
        with suppress(BlockingIOError):
            while os.read(self.pipe[0], 4096):
                pass
        os.set_blocking(self.pipe[0], True)

    def strike(self, by_signal: bool) -> None:
        """Interrupt the cell when it has announced itself."""
        os.read(self.pipe[0], 1)
        if by_signal:
            os.kill(os.getpid(), signal.SIGINT)
        else:
            self.session.interrupt()

    def refused(self) -> None:
        """Write what is no C++, or what cannot be linked."""
        self.last, code = self.random.choice(list(events.REFUSED.items()))
        with suppress(CompileError, LinkError):
            self.session.run(self.spoilt(code))
            self.tally.different.append(f"seed {self.seed}: {self.last} was accepted")

    def harmless(self) -> None:
        """Leave something behind."""
        self.last, code = self.random.choice(list(events.HARMLESS.items()))
        self.cell(code)

    def killed(self) -> None:
        """Kill one of the session's processes from outside."""
        victim = self.random.choice(events.KILLED)
        self.last = f"{victim} killed"
        os.kill(getattr(self.session, f"{victim}_pid"), signal.SIGKILL)
        if victim == "compiler":
            with suppress(CompileError):
                self.session.run(self.spoilt("counter = 1;"))
                self.tally.different.append(f"seed {self.seed}: the compiler outlived a kill")
        else:
            self.fails(self.spoilt("counter = 1;"))

    def killed_midway(self) -> None:
        """Kill one of the processes at some moment while a cell is compiled, linked and run."""
        victim = self.random.choice(events.KILLED)
        self.last = f"{victim} killed midway"
        pid = getattr(self.session, f"{victim}_pid")

        def strike() -> None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

        before = self.state.copy()
        number = self.session.next_cell
        code = model.change(self.state, self.random, self.directory)
        timer = threading.Timer(self.random.random() * LONGEST_CELL, strike)
        timer.start()
        try:
            self.session.run(code)
            self.past.append((number, self.state.copy()))
        except (FarSideError, CompileError) as error:
            self.state = before
            self.recovered(getattr(error, "recovery", ()))
        timer.join()
        # If it came after the cell, it is noticed now.
        try:
            self.cell("(void)counter;")
        except (FarSideError, CompileError) as error:
            self.recovered(getattr(error, "recovery", ()))

    def undo(self) -> None:
        """Take some cells back."""
        most = min(5, len(self.past) - 1)
        if most < 1:
            return
        count = self.random.randint(1, most)
        notices = self.session.undo(count)
        taken = self.past[len(self.past) - count :]
        del self.past[len(self.past) - count :]
        if any("only what" in notice for notice in notices):
            self.last = "undo of names"
            # What the cells did to older variables stays; their own variables go.
            known = self.past[-1][1].extras
            self.state.extras = {n: v for n, v in self.state.extras.items() if n in known}
            self.past[-1] = (self.past[-1][0], self.state.copy())
        else:
            self.state = self.past[-1][1].copy()
        first = taken[0][0]
        self.checkpoints = {n: c for n, c in self.checkpoints.items() if c[0] < first}

    def checkpoint(self) -> None:
        """Name the present state."""
        name = self.random.choice("pqr")
        self.session.checkpoint(name)
        self.checkpoints[name] = (self.past[-1][0], self.state.copy())

    def restore(self) -> None:
        """Go back to a named state."""
        if not self.checkpoints:
            return
        name = self.random.choice(sorted(self.checkpoints))
        self.session.restore(name)
        cell, state = self.checkpoints[name]
        self.state = state.copy()
        self.past = [each for each in self.past if each[0] <= cell]
        self.checkpoints = {n: c for n, c in self.checkpoints.items() if c[0] <= cell}

    # ------------------------------------------------------------------ cells

    def cell(self, code: str) -> str:
        """Run a cell that is accepted; return what it printed."""
        number = self.session.next_cell
        try:
            printed = self.session.run(code).stdout
        except CppException:
            printed = ""
        self.past.append((number, self.state.copy()))
        return printed

    def spoilt(self, code: str) -> str:
        """Return a cell that changes much before `code`, none of which may stay."""
        change = model.change(self.state.copy(), self.random, self.directory)
        return f"counter += 5; numbers.assign(9, 9); names.clear(); {change} {code}"

    def fails(self, code: str) -> None:
        """Run a cell that ends its process; find out from the report what is left."""
        try:
            self.session.run(code)
        except FarSideError as error:
            self.recovered(error.recovery)
        else:
            self.tally.different.append(f"seed {self.seed}: {self.last} was accepted")

    def recovered(self, recovery: tuple[str, ...]) -> None:
        """Bring the model to what the session says it has done."""
        if STARTED_AGAIN in recovery:
            self.tally.started_again += 1
            self.state = self.past[-1][1].started_again(self.near)
            self.past = [(cell, past.started_again(self.near)) for cell, past in self.past]
            self.past[-1] = (self.past[-1][0], self.state.copy())
            self.checkpoints.clear()
        for notice in recovery:
            if notice.startswith(TAKEN_BACK_TOO):
                gone = [int(n) for n in re.findall(r"\d+", notice)]
                self.past = [each for each in self.past if each[0] not in gone]
                self.state = self.past[-1][1].copy()

    def compare(self) -> bool:
        """Compare every value with the model."""
        printed = self.cell(model.show(self.state))
        if printed == self.state.text():
            return True
        self.tally.different.append(
            f"seed {self.seed}, after {self.last}:\n  is       {printed}\n  must be  "
            + self.state.text()
        )
        return False
