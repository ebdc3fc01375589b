"""How a session comes back after a cell that failed, whatever the reason.

A compile error, a link error, a crash, a limit, an interrupt and a lost connection all end in
`Rescue.take_back`: both sides return to the last accepted cell, and the exception that the user
sees is made. The far side comes back from its newest snapshot; where none can be woken, another
executor is started and filled from the journal.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING

from farside.dylibs import load_again, make_again
from farside.errors import (
    CompilerCrashed,
    CppException,
    Crashed,
    FarSideError,
    FarsideError,
    FarSideLost,
    InternalError,
    Interrupted,
    LinkError,
    ObjectError,
    OptionError,
    ProtocolError,
    RemoteError,
    TimedOut,
    TooMuchOutput,
)
from farside.recovery.journal import Journal, JournalEntry, JournalState, LoadedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.accounts import KeptState, WentBack
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell, Compiler
    from farside.options import Options
    from farside.outcome import Checkpoint
    from farside.result.output import Output

TAKEN_BACK_TOO = "there was no snapshot of the last state; these cells were taken back, too"
STARTED_AGAIN = "the far side was started again; variables have their initial values"


class Rescue:
    """What a session needs to come back, over the parts that it is made of.

    Attributes:
        journal: the accepted cells.
        checkpoints: the user's, by name.
        running: the cell that is being run, for the report of its death.
        compiler_is_behind: the compiler did not accept the accepted cells again; see
            `rollback_compiler`.
        seconds: how long it took the far side to come back, each time.
    """

    def __init__(
        self, options: Options, compiler: Compiler, execution: ExecutionSession, output: Output
    ) -> None:
        self._options = options
        self._compiler = compiler
        self._execution = execution
        self._output = output
        self.journal = Journal()
        self.checkpoints: dict[str, Checkpoint] = {}
        self.running: CompiledCell | None = None
        self.compiler_is_behind = False
        self.seconds: list[float] = []

    def take_back(self, what: str, error: BaseException) -> FarsideError:
        """Undo what a cell did on both sides and return what is to be raised."""
        stdout, stderr = self._output.take(dying=True)
        crashed = self._explained(what, error) if isinstance(error, Crashed) else None
        self._execution.discard()
        with suppress(CompilerCrashed):
            self.rollback_compiler()
        recovery = () if self._execution.usable else self.recover()
        more = self._output.take()  # what it wrote before it was ended
        if recovery and not isinstance(error, TooMuchOutput):
            stdout, stderr = stdout + more[0], stderr + more[1]
        if isinstance(error, KeyboardInterrupt):
            raised: FarsideError = Interrupted(f"{what} was interrupted and taken back")
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
        if isinstance(raised, FarSideError):
            raised.stdout, raised.stderr, raised.recovery = stdout, stderr, recovery
        return raised

    def _explained(self, what: str, error: Crashed) -> Crashed:
        """Return the crash with its report in terms of cells, lines and functions."""
        from farside.autopsy import Evidence, explain

        objects = {
            f"cell {entry.cell}": entry.object_bytes
            for entry in self.journal
            if entry.object_bytes is not None
        }
        only_lines: dict[str, int] = {}
        if self.running is not None and self.running.object is not None:
            running = f"cell {self.running.cell}"
            objects[running] = self.running.object
            if self.running.only_line:
                only_lines[running] = self.running.only_line
        try:
            evidence = Evidence(
                self._execution.places(),
                objects,
                only_lines,
                self._execution.slab,
                self._compiler.demangle,
            )
        except FarsideError:  # it died before it had said anything of itself
            return Crashed(f"{what}: {error}", error.report)
        number = what.removeprefix("cell ")
        report = explain(error.report, int(number) if number.isdecimal() else None, evidence)
        return Crashed(report.text if report.cell else f"{what}: {report.text}", report)

    def rollback_compiler(self) -> None:
        """Bring the compiler to the state after the accepted cells.

        Raises:
            CompilerCrashed: it does not accept one of them any more, such as after a change of an
                included file. The next cell tries again; `undo` takes the cell away.
        """
        self.compiler_is_behind = True
        self._compiler.rollback(self.journal.last_cell, self.journal.entries)
        self.compiler_is_behind = False

    def recover(self) -> tuple[str, ...]:
        """Bring the program back after its process is gone or cannot be talked to any more.

        The newest snapshot has its state. Where there is none that can be woken, another executor
        is started and the definitions are linked again.
        """
        started = perf_counter()
        try:
            went_back = self._execution.recover()
            state = self._execution.present
            if went_back is None or state is None:
                return self._start_again()
            notices = self.follow(state, went_back)
            return ("the program's state is as it was before the cell", *notices)
        finally:
            self.seconds.append(perf_counter() - started)

    def note(self) -> None:
        """Write down with the newest kept state what the journal says of it."""
        state = self._execution.present
        if state is not None:
            state.journal = self.journal.state()

    def follow(self, state: KeptState, went_back: WentBack) -> tuple[str, ...]:
        """Bring journal, compiler and checkpoints to where the program went back to."""
        notices: list[str] = []
        entries = self.journal.entries
        gone = [n for n, each in enumerate(entries) if f"cell {each.cell}" in went_back.lost]
        if gone:
            cells = ", ".join(str(each.cell) for each in entries[gone[0] :])
            notices.append(f"{TAKEN_BACK_TOO}: {cells}")
            self.journal.keep_only(entries[: gone[0]])
            self.rollback_compiler()
        if isinstance(state.journal, JournalState):
            files = [each.path for each in self.journal.files if each not in state.journal.files]
            notices += [f"{path} is not loaded any more" for path in files if path]
            self.journal.return_to(state.journal)
        if went_back.threads:
            were = "a thread" if went_back.threads == 1 else f"{went_back.threads} threads"
            notices.append(f"{were} that ran beside the program's main one did not come back")
        notices += self._drop_lost_checkpoints()
        return tuple(notices)

    def _drop_lost_checkpoints(self) -> list[str]:
        """Forget the checkpoints whose state is not kept any more; say so."""
        is_kept = self._execution.is_kept
        lost = [name for name, each in self.checkpoints.items() if not is_kept(each.state)]
        for name in lost:
            del self.checkpoints[name]
        return [f"the checkpoint {name} is gone" for name in lost]

    def _start_again(self) -> tuple[str, ...]:
        """Start another executor and bring back what the accepted cells defined.

        Objects are linked again and variables initialised again; statements are not repeated. A
        cell that cannot be brought back, because its initialiser now crashes or because it needs
        such a cell, is dropped on both sides, and said so.
        """
        survivors = list(self.journal.entries)
        lost: list[int] = []
        notices = [STARTED_AGAIN]
        while (failed := self._restore(survivors)) is not None:
            if isinstance(failed, JournalEntry):
                survivors.remove(failed)
                lost.append(failed.cell)
            else:
                self.journal.files.remove(failed)
                what = f"JITDylib {failed.dylib} is not open" if failed.kind == "open" else ""
                notices.append(what or f"{failed.path} could not be loaded again")
        if lost:
            self.journal.keep_only(survivors)
            self._compiler.rollback(0, survivors)
            cells = ", ".join(map(str, sorted(lost)))
            notices.append(f"these cells could not be brought back: {cells}")
        return (*notices, *self._drop_lost_checkpoints())

    def _restore(self, entries: Sequence[JournalEntry]) -> JournalEntry | LoadedFile | None:
        """Fill a new executor; return the first cell or file that cannot be brought back."""
        self._execution.restart()
        make_again(self._execution, self.journal)
        steps: list[JournalEntry | LoadedFile] = []
        files = list(self.journal.files)
        for entry in entries:
            while files and files[0].before_cell <= entry.cell:
                steps.append(files.pop(0))
            if entry.object_bytes is not None:
                steps.append(entry)
        for step in (*steps, *files):
            try:
                if isinstance(step, LoadedFile):
                    load_again(self._execution, step)
                else:
                    self._link_again(step)
            except (
                CppException,
                Crashed,
                FarSideLost,
                LinkError,
                ObjectError,
                OptionError,
                RemoteError,
                TooMuchOutput,
            ):
                return step
        return None

    def _link_again(self, entry: JournalEntry) -> None:
        from farside.object import parse_object

        assert entry.object_bytes is not None
        name = f"cell {entry.cell}"
        parsed = parse_object(entry.object_bytes, name)
        image = self._execution.link([parsed], name, dylib=entry.dylib, redefines=entry.redefines)
        self._execution.commit(image, statements=False)
