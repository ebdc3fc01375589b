"""One generated session: random changes and disasters, each compared with the model."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from farside.errors import (
    CompileError,
    CompilerCrashed,
    CppException,
    FarSideError,
    FarsideError,
    Interrupted,
    LinkError,
)
from farside.options import Options
from farside.recovery.sentences import CAUGHT_UP, RUN_AGAIN, STARTED_AGAIN, TAKEN_BACK_TOO
from farside.session import Session
from tests.chaos import disk, events, model, saboteur
from tests.traces import wait_for_end

Change = Callable[[model.State, Random, Path], str]

WEIGHTS = {
    "change": 30,
    "define": 4,
    "redefine": 3,
    "touch": 5,
    "exception": 4,
    "death": 25,
    "hang": 4,
    "refused": 6,
    "harmless": 5,
    "killed": 4,
    "killed_midway": 6,
    "killed_in_a_message": 12,
    "compiler_stopped": 1,
    "all_killed": 2,
    "near_side_lost": 1,
    "small_disk": 3,
    "undo": 5,
    "checkpoint": 2,
    "restore": 2,
}


LONGEST_CELL = 0.005  # seconds from its text to its outcome, more or less
LONGEST_MESSAGE = 400_000  # bytes


@dataclass
class Tally:
    """What came of all events.

    Attributes:
        events: how many of each kind.
        caught_up: how often cells were run again that no snapshot had the effects of.
        run_again, started_again: how often another executor was filled, with and without
            statements.
        recoveries: seconds from the report of an end to a program in the state before.
        lost: sessions that could not go on, a description each.
        different: states that were not the model's, a description each.
    """

    events: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    caught_up: int = 0
    run_again: int = 0
    started_again: int = 0
    shown: int = 0
    lost: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)


class ChaosSession:
    """A session, the model of its program, and the states that can be gone back to."""

    def __init__(self, seed: int, directory: Path, tally: Tally, *, own_mounts: bool) -> None:
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
        self.struck = False  # whether a process may still be ending
        # Whether the accepted cells, run from the beginning, give the present state.
        self.is_sum_of_cells = True
        options = Options(
            output="capture",
            output_limit=events.MOST_OUTPUT,
            process_limit=events.MOST_PROCESSES,
            memory_limit=events.MOST_MEMORY,
            on_loss="replay" if seed % 3 == 0 else "definitions",
        )
        self.disk = directory / "disk"
        self.has_disk = own_mounts and disk.mount(self.disk)
        self.session = Session(options)
        # A journal on a disk that is full cannot follow, which is told, and not to be resumed from.
        self.resumes = not self.has_disk or seed % 2 == 0
        self.journal = (directory if self.resumes else self.disk) / "journal"
        self.session.save(str(self.journal))
        self.pipe = os.pipe()

    def close(self) -> None:
        """End the session."""
        self.tally.recoveries += self.session.recovery_seconds
        self.session.close()
        for end in self.pipe:
            os.close(end)
        if self.has_disk:
            disk.unmount(self.disk)

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

    def redefine(self) -> None:
        """Define a function again."""
        self.cell(model.redefine(self.state, self.random))

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
        self.kill(victim)
        if victim == "compiler":  # which costs nothing, not even the cell
            self.change_and_last(self.last)
        else:
            self.may_fail(model.change, large=False)  # where the state does not come back

    def kill(self, victim: str) -> None:
        """Kill one of the session's processes, and wait until it has ended."""
        pid = getattr(self.session, f"{victim}_pid")
        if pid == 0:  # between two workers
            return
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for_end(pid)

    def change_and_last(self, last: str) -> None:
        """Alter the program's variables, in an event with another name."""
        self.change()
        self.last = last

    def killed_midway(self) -> None:
        """Kill one of the processes at some moment while a cell is compiled, linked and run."""
        victim = self.random.choice(events.KILLED)
        self.last = f"{victim} killed midway"
        timer = threading.Timer(self.random.random() * LONGEST_CELL, self.kill, (victim,))
        timer.start()
        self.may_fail(model.change, large=False)
        timer.join()
        self.notice()

    def killed_in_a_message(self) -> None:
        """Kill one of the processes when so many bytes of a conversation have passed."""
        victim = self.random.choice(events.KILLED)
        place = self.random.choice(saboteur.PLACES)
        self.last = f"{victim} killed in a message, {place}"
        large = self.random.random() < 0.5
        most = LONGEST_MESSAGE if large else 4000
        after = int(most ** self.random.random())
        cut = saboteur.lay(self.session, place, after, lambda: self.kill(victim))
        if place.startswith("supervisor"):
            # It is spoken to when the worker has died.
            self.fails(self.spoilt("*(volatile int *)nullptr = 1;"))
        else:
            self.may_fail(model.change, large=large)
        cut.disarm()
        self.notice()

    def may_fail(self, change: Change, *, large: bool) -> None:
        """Run a cell that is accepted or fails, which the far side's death may be the cause of."""
        before = self.state.copy()
        number = self.session.next_cell
        code = change(self.state, self.random, self.directory)
        try:
            result = self.session.run(model.large(code) if large else code)
            self.recovered(result.notices)
            self.past.append((number, self.state.copy()))
        except FarSideError as error:
            self.state = before
            self.recovered(error.recovery)
        except CompilerCrashed as error:
            self.state = before
            self.tally.different.append(f"seed {self.seed}, {self.last}: cost the cell: {error}")

    def notice(self) -> None:
        """Run a cell that notices what was struck since the last, if it has come to an end."""
        self.struck = True
        try:
            self.cell("(void)counter;")
        except FarSideError as error:
            self.recovered(error.recovery)

    def compiler_stopped(self) -> None:
        """Stop the compiler; the cell that waits for it is interrupted."""
        os.kill(self.session.compiler_pid, signal.SIGSTOP)
        ended = threading.Event()

        def strike() -> None:
            while not ended.wait(0.02):
                self.session.interrupt()

        thread = threading.Thread(target=strike)
        thread.start()
        with suppress(Interrupted):
            self.session.run(self.spoilt("counter = 1;"))
            self.tally.different.append(f"seed {self.seed}: a stopped compiler has answered")
        ended.set()
        thread.join()

    def all_killed(self) -> None:
        """Kill the far side with all that sleeps."""
        if not self.is_sum_of_cells:
            return
        supervisor = self.session.supervisor_pid
        children = f"/proc/{supervisor}/task/{supervisor}/children"
        for pid in (supervisor, *map(int, Path(children).read_text().split())):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.may_fail(model.change, large=False)  # where the state does not come back

    def near_side_lost(self) -> None:
        """Start from the journal, as after the near side's death."""
        if not (self.resumes and self.is_sum_of_cells):
            return
        for victim in events.KILLED:
            self.kill(victim)
        self.tally.recoveries += self.session.recovery_seconds
        self.session.close()
        self.session = Session.resume(str(self.journal), output="capture")
        resumed = self.session.resumed
        if resumed is None or resumed.failed:
            self.tally.different.append(f"seed {self.seed}: not all was resumed: {resumed}")
        self.checkpoints.clear()

    def small_disk(self) -> None:
        """Fill the small disk, where the journal may be, or make room on it."""
        if not self.has_disk:
            return
        code = events.FREE if (self.disk / "fill").exists() else events.FILL
        self.last = "small disk freed" if code == events.FREE else "small disk filled"
        self.cell(code.format(self.disk))

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
            self.state.twist = self.past[-1][1].twist
            self.is_sum_of_cells = False
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
            result = self.session.run(code)
            self.recovered(result.notices)
            printed = result.stdout
        except CppException as error:
            self.recovered(error.recovery)
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
        self.tally.caught_up += any(each.startswith(CAUGHT_UP) for each in recovery)
        if RUN_AGAIN in recovery:
            self.tally.run_again += 1
            self.checkpoints.clear()
        if STARTED_AGAIN in recovery:
            self.tally.started_again += 1
            self.is_sum_of_cells = False
            self.state = self.past[-1][1].started_again(self.near)
            self.past = [(cell, past.started_again(self.near)) for cell, past in self.past]
            self.past[-1] = (self.past[-1][0], self.state.copy())
            self.checkpoints.clear()
        for notice in recovery:
            if gone := re.fullmatch("the checkpoint (.) is gone", notice):
                self.checkpoints.pop(gone[1], None)
            if notice.startswith(TAKEN_BACK_TOO):
                cells = [int(n) for n in re.findall(r"\d+", notice)]
                self.past = [each for each in self.past if each[0] not in cells]
                self.state = self.past[-1][1].copy()

    def compare(self) -> bool:
        """Compare every value with the model."""
        try:
            printed = self.cell(model.show(self.state))
        except FarSideError as error:
            if not self.struck:
                raise
            self.recovered(error.recovery)  # what was killed has ended only now
            printed = self.cell(model.show(self.state))
        self.struck = False
        if printed == self.state.text():
            return True
        self.tally.different.append(
            f"seed {self.seed}, after {self.last}:\n  is       {printed}\n  must be  "
            + self.state.text()
        )
        return False
