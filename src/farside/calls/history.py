"""What calls have done to the program since the states of it that are kept.

A fork after each call would cost more than the call. Before a call the state is kept if there were
calls since the last kept state and that was more than `_PAUSE` ago. After a crash the calls made
since then, `_PAUSE` worth of work at most, are made again from their bytes, so that the program
comes back as it was before the call that crashed. Calls that cannot be made again (they called
back, or had large arrays) end the list; those are named as taken back. Objects that live on in the
program are gone where it went back to a state before them.
"""

from __future__ import annotations

from time import monotonic

from farside.annotations import TYPE_CHECKING, Any
from farside.calls.arguments import MADE
from farside.calls.compiled import VARIABLE_TYPE, words_of
from farside.errors import FarsideError, ValueGone
from farside.records import NamedTuple
from farside.recovery.sentences import NO_STATE_AFTER
from farside.remote.calls import NOTHING
from farside.result.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.calls.compiled import Stub, Stubs
    from farside.execution import ExecutionSession
    from farside.interrupts import InterruptGate
    from farside.remote.commit import RunOutcome
    from farside.rescue import Rescue
    from farside.result.output import Output

_PAUSE = 0.02  # seconds between two states that are kept in a burst of calls
_LONGEST = 2.0  # seconds of calls that are made again
_MOST_AGAIN = 10_000
_PATIENCE = 10  # times what a call took, and a second, for making it again


class Made(NamedTuple):
    """A call that was made since the last kept state, or the one before; None if not again.

    `cell` is the newest at that time: calls do not mix with cells that are run again. `after` is
    the number of the state that was the last to be kept.
    """

    stub: Stub
    payload: bytes | None
    seconds: float
    cell: int
    threw: str
    after: int


class History:
    """The calls since the kept states of a program, and the objects that live on in it."""

    def __init__(
        self,
        stubs: Stubs,
        *,
        execution: ExecutionSession,
        rescue: Rescue,
        output: Output,
        gate: InterruptGate,
    ) -> None:
        self._stubs = stubs
        self._execution = execution
        self._rescue = rescue
        self._output = output
        self._gate = gate
        self._since: list[Made] = []
        self._kept_at = 0.0
        self._states = execution.calls.states_kept
        self._alive: dict[str, int] = {}  # objects by name, with the number of states before them

    # ------------------------------------------------------------------ objects that live on

    def noted(self, result: Any) -> Any:
        """Return what a call gave; where it is an object that lives on, note since when."""
        self.note_living(self._states)
        if isinstance(result, Value) and result.name:
            self._alive[result.name] = self._states
        return result

    def note_living(self, states: int) -> None:
        """Note the objects that came within a value and live on, and how many states are older."""
        for name in self._execution.given.take_living():
            self._alive[name] = states

    def check_values(self, arguments: Sequence[object]) -> None:
        """Make sure that the objects among the arguments of a call are there.

        Raises:
            ValueGone: one was taken back, or belongs to another session.
        """
        for each in arguments:
            if isinstance(each, Value) and each.name.startswith("(*"):
                self._check(each.name, each.type)

    def check_code(self, code: str) -> None:
        """Make sure that the objects that C++ code mentions are there.

        Raises:
            ValueGone: one was taken back, or belongs to another session.
        """
        for found in MADE.finditer(code):
            self._check(found.group(), found.group(1))

    def _check(self, name: str, kind: str) -> None:
        if name not in self._alive:
            raise ValueGone(
                f"this object ({kind}) is gone: the call that made it was taken back, its class was"
                " defined again, or it belongs to another session; make it again",
                name,
                0,
            )

    def forget_declared(self, declared: set[str], *, types: bool) -> None:
        """Forget the objects whose types may be others now that a cell has declared some names.

        Args:
            declared: the names.
            types: whether there are types among what they name, and not only variables.
        """
        for name in list(self._alive):
            if (types or VARIABLE_TYPE in name) and not declared.isdisjoint(words_of(name)):
                del self._alive[name]

    # ------------------------------------------------------------------ calls

    def note(self, stub: Stub, payload: bytes | None, outcome: RunOutcome) -> None:
        """Note a call that was made.

        Args:
            stub: that was run.
            payload: its arguments; None where it cannot be made again.
            outcome: what came of it.
        """
        took = outcome.nanoseconds * 1e-9
        cell = self._rescue.journal.last_cell
        self._since.append(Made(stub, payload, took, cell, outcome.exception_type, self._states))

    def keep_state(self) -> None:
        """Keep the state before a call where that is due."""
        execution = self._execution
        self._note_state()
        since = self._since
        if (
            since
            and since[-1].after == self._states
            and (monotonic() - self._kept_at >= _PAUSE or len(since) >= _MOST_AGAIN)
        ):
            execution.settle()
            if execution.calls.states_kept != self._states:
                self._rescue.note()
                self._note_state()
        execution.calls.unsettled = True

    def _note_state(self) -> None:
        """Forget the calls before the last kept state but one.

        The last may never come to be: its process is asked for, and the program may have ended.
        """
        before, kept = self._states, self._execution.calls.states_kept
        if kept != before:
            self._states = kept
            self._since = [each for each in self._since if each.after >= before]
            self._kept_at = monotonic()

    def forget(self, state: int) -> None:
        """Forget what was done to the program after it was in the state of this number."""
        self._since.clear()
        self._alive = {name: at for name, at in self._alive.items() if at < state}

    def make_again(self, error: FarsideError) -> None:
        """Make calls again if the program went back to a kept state: those since then.

        Args:
            error: what is being raised; is given a sentence where calls are lost.
        """
        state = self._execution.calls.went_back
        if state is not None:
            since = [each for each in self._since if each.after >= state]
            self.forget(state)
            self._states = self._execution.calls.states_kept
            self._kept_at = monotonic()
            if since:
                self._make_again(since, error)
        self._execution.calls.went_back = None

    def _make_again(self, since: list[Made], error: FarsideError) -> None:
        """Make calls again, as many as can be, and say which."""
        done = 0
        if sum(each.seconds for each in since) <= _LONGEST:
            for each in since:
                known = each.payload is not None and each.cell == self._rescue.journal.last_cell
                if not known or not self._make_one_again(each):
                    break
                done += 1
        self._output.take()
        lost = since[done:]
        self._execution.calls.unsettled = bool(done)
        if self._execution.usable:
            self._since = [each._replace(after=self._states) for each in since[:done]]
        if done:
            calls = "1 call" if done == 1 else f"{done} calls"
            error.recovery = (
                *error.recovery,
                f"{calls} since the newest state that was kept {'was' if done == 1 else 'were'}"
                " made again",
            )
        if lost:
            names = list(dict.fromkeys(each.stub.what for each in lost))
            more = f" and {len(names) - 5} more" if len(names) > 5 else ""
            calls = (
                "a call before it, which was"
                if len(lost) == 1
                else (f"{len(lost)} calls before it, which were")
            )
            error.recovery = (
                *error.recovery,
                f"{NO_STATE_AFTER} {calls} taken back, too: {', '.join(names[:5])}{more}",
            )

    def _make_one_again(self, made: Made) -> bool:
        """Make a call again; tell whether it ended as it did before."""
        try:
            stub = self._stubs.there(made.stub)
            assert made.payload is not None
            with self._gate.wait():
                header = self._execution.platform.jitdylib("main").header
                limit = _PATIENCE * made.seconds + 1
                outcome = self._execution.calls.call(
                    header, stub.address, made.payload, NOTHING, limit
                )
        except (FarsideError, KeyboardInterrupt):
            self._execution.discard()
            if not self._execution.usable:
                self._rescue.recover()
            return False
        return outcome.exception_type == made.threw
