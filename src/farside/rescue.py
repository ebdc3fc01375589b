"""How a session comes back after a cell that failed, whatever the reason.

A compile error, a link error, a crash, a limit, an interrupt and a lost connection all end in
`Rescue.take_back`: both sides return to the last accepted cell (`farside.restoration`), and the
exception that the user sees is made.
"""

from __future__ import annotations

from contextlib import suppress

from farside.annotations import TYPE_CHECKING, TypeVar
from farside.errors import (
    CompilerCrashed,
    Crashed,
    FarsideError,
    FarSideLost,
    InternalError,
    Interrupted,
    ProtocolError,
    RemoteError,
    SetupError,
    TimedOut,
    TooManyProcesses,
    TooMuchOutput,
)
from farside.orc import bootstrap
from farside.recovery.sentences import LOSSES, remains
from farside.restoration import Restoration

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.autopsy import Evidence
    from farside.frontend.client import CompiledCell
    from farside.remote.executor import Executor


T = TypeVar("T")
R = TypeVar("R")

_CELL = "the cell ran"  # what a program is wanted for
_UNFIT = (
    "nothing of the last cells' own code failed: an accepted cell may have left the program unable"
    " to run others; undo takes cells back, the newest first"
)


def _is_elsewhere(error: FarsideError) -> bool:
    """Tell whether a failure was not in a cell's own code: between cells, or of their image."""
    if isinstance(error, Crashed):
        report = error.report
        return report.record is not None and all(each.library for each in report.frames)
    return type(error) is RemoteError


class Rescue(Restoration):
    """What a session needs to come back after a failure, and to say what it was.

    Attributes:
        running: the cell that is being run, for the report of its death.
    """

    running: CompiledCell | None = None
    _told: tuple[str, ...] = ()
    _elsewhere = 0  # cells since the last that was accepted that failed outside their code

    def take_back(self, what: str, error: BaseException) -> FarsideError:
        """Undo what a cell did on both sides and return what is to be raised."""
        before = self._output.taken
        stdout, stderr = self._output.take(dying=True)
        evidence = self._evidence() if isinstance(error, Crashed) else None
        self._execution.discard()
        # First what the program has started is ended, which may be fighting the compiler.
        recovery = () if self._execution.usable else self.recover()
        self._roll_back()
        crashed = self._explained(what, error, evidence) if isinstance(error, Crashed) else None
        self._said.append(self._output.take())
        said, self._said = self._said, []
        remarks, self._remarks = {**self._remarks, **self._execution.take_remarks()}, {}
        if recovery:
            recovery += remains(remarks, self._output.taken - before)
        if recovery and not isinstance(error, TooMuchOutput):
            # What it wrote before it was ended, and cells that were run again.
            stdout += "".join([each[0] for each in said])
            stderr += "".join([each[1] for each in said])
        if isinstance(error, KeyboardInterrupt):
            raised: FarsideError = Interrupted(f"{what} was interrupted and taken back")
        elif bootstrap.REMARK_TOO_MANY_PROCESSES in remarks:
            had = remarks[bootstrap.REMARK_TOO_MANY_PROCESSES]
            limit = f"may have {self._options.process_limit} (process_limit)"
            raised = TooManyProcesses(
                f"{what} was stopped and taken back: the program had {had} processes beside its"
                f" first and {limit}"
            )
        elif isinstance(error, Crashed):
            assert crashed is not None
            raised = crashed
        elif isinstance(error, TimedOut):
            limit = f"its limit of {self._options.time_limit} seconds (time_limit)"
            raised = TimedOut(f"{what} ran longer than {limit} and was taken back")
        elif isinstance(error, TooMuchOutput):
            raised = TooMuchOutput(f"{what} was stopped and taken back: {error}")
        elif isinstance(error, ProtocolError) and recovery:
            raised = FarSideLost(f"{what}: the program wrote to the session's socket: {error}")
        elif isinstance(error, FarsideError):
            raised = error
        else:
            raised = InternalError(f"{what}: {type(error).__name__}: {error}")
        raised.stdout, raised.stderr = stdout, stderr
        raised.recovery = (*self.take_told(), *recovery)
        self._elsewhere = self._elsewhere + 1 if _is_elsewhere(raised) else 0
        if self._elsewhere > 1 and self.journal.entries:
            raised.add_note(_UNFIT)
        return raised

    def while_living(
        self,
        prepare: Callable[[], T],
        run: Callable[[T], R],
        make_calls_again: Callable[[FarsideError], None],
    ) -> tuple[T, R]:
        """Prepare a cell for a program that lives, and run it.

        A program that somebody has killed while none of its code was to run costs no cell: it is
        brought back, and the cell is prepared anew. So it is where the news comes only after the
        cell was sent, as over a network, and the program had not begun it.

        Args:
            prepare: compiles and links the cell.
            run: has the far side run it.
            make_calls_again: see `History.make_again`.

        Returns:
            what `prepare` and `run` made of it.

        Raises:
            FarSideLost: it could not be brought back as it was. The cell was written for another
                state, and is not run.
        """
        made = self.prepared(_CELL, prepare, make_calls_again)

        def anew() -> tuple[T, R]:
            made = prepare()
            return made, run(made)

        return self.unless_begun(_CELL, lambda: (made, run(made)), anew, make_calls_again)

    def unless_begun(
        self,
        what: str,
        attempt: Callable[[], R],
        again: Callable[[], R],
        make_calls_again: Callable[[FarsideError], None],
    ) -> R:
        """Have a program run something; once more where it had ended before it began that.

        Args:
            what: is done.
            attempt: sends it to the program.
            again: sends it to the program that was brought back.
            make_calls_again: see `History.make_again`.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        executor = self._execution.started()
        try:
            return attempt()
        except Crashed:
            if executor is None or executor.family.had_begun():
                raise
            if not self.bring_back(what, make_calls_again):
                raise
        return again()

    def prepared(
        self, what: str, prepare: Callable[[], T], make_calls_again: Callable[[FarsideError], None]
    ) -> T:
        """Prepare something for a program that lives; anew where it ends meanwhile.

        Args:
            what: is to be done with the program next.
            prepare: compiles and links it; has none of the user's code run.
            make_calls_again: see `History.make_again`.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        self.bring_back(what, make_calls_again)
        executor = self._execution.started()
        ran = executor.ran if executor is not None else 0
        try:
            made = prepare()
            if executor is not None:
                executor.family.await_replaced()
            if not self.bring_back(what, make_calls_again):
                return made
        except (Crashed, FarSideLost):
            if executor is None or executor.ran - ran > (not executor.family.had_begun()):
                raise
            if not self.bring_back(what, make_calls_again):
                raise
        return prepare()

    def has_ended(self) -> bool:
        """Tell whether the program has ended by itself, as far as the kernel knows."""
        executor = self._execution.started()
        return executor is not None and not executor.family.lives()

    def bring_back(self, what: str, make_calls_again: Callable[[FarsideError], None]) -> bool:
        """Bring a program back that has ended by itself, if it has; tell whether it had.

        Args:
            what: is to be done with it next.
            make_calls_again: see `History.make_again`.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        executor = self._execution.started()
        if executor is None or executor.family.lives():
            return False
        self.running = None
        how = f"the program had ended before {what}: {self._end_of(executor)}"
        had = len(self.journal)
        self._execution.discard()
        recovery = self.recover()
        self._roll_back()
        calls = RemoteError(how)
        make_calls_again(calls)
        remarks, self._remarks = {**self._remarks, **self._execution.take_remarks()}, {}
        remarks.pop(bootstrap.REMARK_WRITTEN, None)  # by a cell that was accepted
        self._told += (*recovery, *calls.recovery, *remains(remarks, 0))
        said, self._said = self._said, []
        for stdout, stderr in said:
            self._output.put_back(stdout, stderr)
        if had and any(each.startswith(LOSSES) for each in (*recovery, *calls.recovery)):
            undone = "The cell was not run" if what == _CELL else "Nothing was done"
            raise FarSideLost(f"{how}\n{undone}: the state that it was meant for is lost.")
        self._told = (how, *self._told)
        return True

    def _end_of(self, executor: Executor) -> str:
        """Say how a program ended while none of its code was to run."""
        try:
            executor.family.raise_death()
        except Crashed as error:
            report = self._explained("the program", error, self._evidence()).report
            text = report.text
            if report.exit_status is not None:
                text = f"it left with exit status {report.exit_status}"
        except FarsideError as error:
            text = str(error).removesuffix(".")
        return text

    def take_told(self) -> tuple[str, ...]:
        """Return and forget what was done before a cell or call, a sentence each."""
        told, self._told = self._told, ()
        return told

    def _evidence(self) -> Evidence | None:
        """Return what is known of the program, before it is brought back; None if nothing is."""
        from farside.autopsy import Evidence

        objects = {
            f"cell {entry.cell}": entry.object_bytes
            for entry in self.journal
            if entry.object_bytes is not None
        }
        only_lines = {f"cell {each.cell}": each.only_line for each in self.journal}
        if self.running is not None and self.running.object is not None:
            running = f"cell {self.running.cell}"
            objects[running] = self.running.object
            only_lines[running] = self.running.only_line
        try:
            return Evidence(
                self._execution.places(),
                objects,
                only_lines,
                self._execution.slab,
                self._compiler.demangle,
                self._execution.keeps_records,
            )
        except FarsideError:  # it died before it had said anything of itself
            return None

    def _explained(self, what: str, error: Crashed, evidence: Evidence | None) -> Crashed:
        """Return the crash with its report in terms of cells, lines and functions."""
        from farside.autopsy import explain

        if evidence is None:
            return Crashed(f"{what}: {error}", error.report)
        number = what.removeprefix("cell ")
        report = explain(error.report, int(number) if number.isdecimal() else None, evidence)
        return Crashed(report.text if report.cell else f"{what}: {report.text}", report)

    def _roll_back(self) -> None:
        """Bring the compiler back as far as can be, or until the user wants to go on.

        What is missing is done before the next cell.
        """
        if not self._compiler.version:
            # It was given up before it had answered to its start, or Clang refused the options.
            # Another would take as long, or say the same.
            self.compiler_is_behind = True
            self._compiler.close()
            return
        with suppress(CompilerCrashed, SetupError, KeyboardInterrupt), self._gate.window():
            self.rollback_compiler()

    def went_well(self) -> None:
        """Note that a cell ran to its end: the program is fit to run cells."""
        self.running = None
        self._elsewhere = 0
