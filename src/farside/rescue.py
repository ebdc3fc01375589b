"""How a session comes back after a cell that failed, whatever the reason.

A compile error, a link error, a crash, a limit, an interrupt and a lost connection all end in
`Rescue.take_back`: both sides return to the last accepted cell, and the exception that the user
sees is made. The far side comes back from its newest snapshot; where none can be woken, another
executor is started and filled from the journal.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from farside.dylibs import load_again, make_again
from farside.errors import (
    CompilerCrashed,
    CppException,
    Crashed,
    FarsideError,
    FarSideLost,
    InternalError,
    Interrupted,
    LinkError,
    ListenerFailed,
    ObjectError,
    OptionError,
    ProtocolError,
    RemoteError,
    TimedOut,
    TooManyProcesses,
    TooMuchOutput,
)
from farside.orc import bootstrap
from farside.outcome import Past
from farside.recovery.journal import Journal, JournalEntry, JournalState, LoadedFile
from farside.recovery.recent import RecentObjects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farside.accounts import KeptState, WentBack
    from farside.autopsy import Evidence
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell, Compiler
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.outcome import Checkpoint
    from farside.remote.executor import Executor
    from farside.result.output import Output

T = TypeVar("T")
R = TypeVar("R")

AS_IT_WAS = "the program's state is as it was before the cell"
CAUGHT_UP = (
    "there was no snapshot of the last state, so these cells were run again; what they wrote to"
    " files or other places was written again"
)
TAKEN_BACK_TOO = "there was no snapshot of the last state; these cells were taken back, too"
STARTED_AGAIN = "the far side was started again; variables have their initial values"

RUN_AGAIN = (
    "the far side was started again and the cells were run again; what they got from files, input,"
    " clock, addresses or random numbers may differ, and what they wrote was written again"
)
LOSSES = (TAKEN_BACK_TOO, STARTED_AGAIN, RUN_AGAIN)
_PATIENCE = 10.0  # seconds for a snapshot to be there
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


def remains(remarks: Mapping[int, int], captured: int) -> tuple[str, ...]:
    """Say what of a cell that was taken back is not undone.

    Args:
        remarks: of the supervisor.
        captured: bytes that came through the captured streams, which the user has.
    """
    notices = []
    written = remarks.get(bootstrap.REMARK_WRITTEN, 0) - captured
    if written > 0:
        were = "a byte that it wrote to a file or another place stays"
        if written > 1:
            were = f"{written} bytes that it wrote to files or other places stay"
        notices.append(f"{were} written")
    if others := remarks.get(bootstrap.REMARK_OTHERS_ENDED, 0):
        were = "a process that the program had started was"
        if others > 1:
            were = f"{others} processes that the program had started were"
        notices.append(f"{were} ended")
    return tuple(notices)


def stopped(remarks: Mapping[int, int]) -> tuple[str, ...]:
    """Say by what a program was stopped that goes on."""
    notices = []
    if (number := remarks.get(bootstrap.REMARK_CONTINUED)) is not None:
        notices.append(f"the program was stopped by signal {number} and was continued")
    if (number := remarks.get(bootstrap.REMARK_TRACED)) is not None:
        notices.append(
            f"the program asked to be traced (PTRACE_TRACEME) and was stopped by signal {number};"
            " there is no debugger, so it was let go"
        )
    return tuple(notices)


def _not_undone(went_back: WentBack) -> list[str]:
    """Say what a snapshot could not hold."""
    notices = []
    if went_back.threads:
        were = "a thread" if went_back.threads == 1 else f"{went_back.threads} threads"
        notices.append(f"{were} that ran beside the program's main one did not come back")
    if went_back.streams:
        were = "a pipe or socket" if went_back.streams == 1 else f"{went_back.streams} pipes"
        were += " and sockets" if went_back.streams > 1 else ""
        notices.append(f"{were} may have been read from or written to; that is not undone")
    return notices


class Step(NamedTuple):
    """Something that is to be done again.

    Attributes:
        what: the cell, or the file to be loaded.
        object_bytes: of a cell, where the journal does not keep it.
        had_code: whether there is anything to be done for the cell.
    """

    what: JournalEntry | LoadedFile
    object_bytes: bytes | None = None
    had_code: bool = False

    @property
    def cell(self) -> int:
        """The cell's number; 0 for a file."""
        return self.what.cell if isinstance(self.what, JournalEntry) else 0


def _taken_back(lost: Sequence[Step]) -> list[str]:
    """Say what could not be done again."""
    cells = ", ".join([str(step.cell) for step in lost if step.cell])
    notices = [f"{TAKEN_BACK_TOO}: {cells}"] if cells else []
    paths = [step.what.path for step in lost if isinstance(step.what, LoadedFile)]
    return notices + [_not_loaded(path) for path in paths if path]


def _known(state: KeptState) -> JournalState:
    """Return what the journal said besides the cells when a state was kept."""
    return state.journal if isinstance(state.journal, JournalState) else JournalState((), ())


def _not_loaded(path: str) -> str:
    return f"{path} is not loaded any more"


class Rescue:
    """What a session needs to come back, over the parts that it is made of.

    Attributes:
        journal: the accepted cells.
        checkpoints: the user's, by name.
        recent: objects of the newest cells, to run them again where no snapshot has their effects.
        running: the cell that is being run, for the report of its death.
        compiler_is_behind: the compiler did not accept the accepted cells again; see
            `rollback_compiler`.
        seconds: how long it took the far side to come back, each time.
    """

    def __init__(
        self,
        options: Options,
        compiler: Compiler,
        execution: ExecutionSession,
        output: Output,
        gate: InterruptGate,
    ) -> None:
        self._options = options
        self._compiler = compiler
        self._execution = execution
        self._output = output
        self._gate = gate
        self._remarks: dict[int, int] = {}
        self._said: list[tuple[str, str]] = []  # by cells that were run again
        self._told: tuple[str, ...] = ()
        self.journal = Journal()
        self.checkpoints: dict[str, Checkpoint] = {}
        self.recent = RecentObjects()
        self.running: CompiledCell | None = None
        self.compiler_is_behind = False
        self.seconds: list[float] = []
        self._elsewhere = 0  # cells since the last that was accepted that failed outside their code

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
            make_calls_again: see `Calls.make_again`.

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
            make_calls_again: see `Calls.make_again`.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        executor = self._execution.started()
        try:
            return attempt()
        except Crashed:
            if executor is None or executor.had_begun():
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
            make_calls_again: see `Calls.make_again`.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        self.bring_back(what, make_calls_again)
        executor = self._execution.started()
        ran = executor.ran if executor is not None else 0
        try:
            made = prepare()
            if not self.bring_back(what, make_calls_again):
                return made
        except (Crashed, FarSideLost):
            if executor is None or executor.ran - ran > (not executor.had_begun()):
                raise
            if not self.bring_back(what, make_calls_again):
                raise
        return prepare()

    def has_ended(self) -> bool:
        """Tell whether the program has ended by itself, as far as the kernel knows."""
        executor = self._execution.started()
        return executor is not None and not executor.lives()

    def bring_back(self, what: str, make_calls_again: Callable[[FarsideError], None]) -> bool:
        """Bring a program back that has ended by itself, if it has; tell whether it had.

        Args:
            what: is to be done with it next.
            make_calls_again: see `Calls.make_again`.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        executor = self._execution.started()
        if executor is None or executor.lives():
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
        if had and (calls.recovery or any(each.startswith(LOSSES) for each in recovery)):
            undone = "The cell was not run" if what == _CELL else "Nothing was done"
            raise FarSideLost(f"{how}\n{undone}: the state that it was meant for is lost.")
        self._told = (how, *self._told)
        return True

    def _end_of(self, executor: Executor) -> str:
        """Say how a program ended while none of its code was to run."""
        try:
            executor.raise_death()
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
        with suppress(CompilerCrashed, KeyboardInterrupt), self._gate.window():
            self.rollback_compiler()

    def rollback_compiler(self, after: int | None = None) -> None:
        """Bring the compiler to the state after the accepted cells.

        Args:
            after: the last cell up to which nothing has changed, None for the newest.

        Raises:
            CompilerCrashed: it does not accept one of them any more, such as after a change of an
                included file. The next cell tries again; `undo` takes the cell away.
        """
        self.compiler_is_behind = True
        last = self.journal.last_cell if after is None else after
        self._compiler.rollback(last, self.journal.entries)
        self.compiler_is_behind = False

    def recover(self) -> tuple[str, ...]:
        """Bring the program back after its process is gone or cannot be talked to any more.

        The newest snapshot has its state. Where there is none that can be woken, another executor
        is started and the definitions are linked again.
        """
        started = perf_counter()
        try:
            went_back = self._execution.recover()
            self._remarks.update(self._execution.take_remarks())
            state = self._execution.present
            if went_back is None or state is None:
                return self._start_again()
            return (AS_IT_WAS, *self._catch_up(state, went_back))
        finally:
            self.seconds.append(perf_counter() - started)

    def _catch_up(self, state: KeptState, went_back: WentBack) -> tuple[str, ...]:
        """Do again what was done since the newest snapshot; return what is to be said.

        A snapshot follows every cell, but the program can die before it is taken, and a fork that
        takes long is left out now and then. From the first cell on that cannot be run again, all
        are taken back.
        """
        notices = _not_undone(went_back)
        steps = self._cut_back(state, went_back)
        done: list[int] = []
        lost: list[Step] = []
        while steps:
            step = steps.pop(0)
            if self._done_again(step):
                done.append(step.cell)
                self._accept_again(step)
                continue
            lost = [step, *steps, *lost]
            self._execution.discard()
            if self._execution.usable:
                break
            # What has been done again may have gone again; it can be done once more.
            again, state_now = self._execution.recover(), self._execution.present
            if again is None or state_now is None:
                return (*self._start_again(), *_taken_back(lost))
            steps = self._cut_back(state_now, again)
        if done and self._execution.present is None:
            self._keep()
        self.note()
        if lost:
            with suppress(CompilerCrashed):
                self.rollback_compiler()
        gone = {step.cell for step in lost}
        if cells := ", ".join([str(cell) for cell in sorted(set(done) - gone) if cell]):
            notices.append(f"{CAUGHT_UP}: {cells}")
        return (*notices, *_taken_back(lost), *self._drop_lost_checkpoints())

    def _cut_back(self, state: KeptState, went_back: WentBack) -> list[Step]:
        """Bring the journal to where the program went back to; return what is missing, in order."""
        entries = self.journal.entries
        lost = [n for n, each in enumerate(entries) if f"cell {each.cell}" in went_back.lost]
        first = lost[0] if lost else len(entries)
        known = _known(state)
        files = [each for each in self.journal.files if each not in known.files]
        steps: list[Step] = []
        for entry in entries[first:]:
            while files and files[0].before_cell <= entry.cell:
                steps.append(Step(files.pop(0)))
            had_code = f"cell {entry.cell}" in went_back.lost
            steps.append(Step(entry, self.recent.get(entry.cell), had_code=had_code))
        self.journal.keep_only(entries[:first])
        self.journal.files = list(known.files)
        return steps + [Step(file) for file in files]

    def _done_again(self, step: Step) -> bool:
        """Load a file or run a cell again, whose output the user has; tell whether it went well."""
        said = len(self._said)
        what = step.what
        try:
            if isinstance(what, JournalEntry):
                if not step.had_code:
                    return True
                code = step.object_bytes or what.object_bytes
                if code is None:
                    return False
                what = what._replace(object_bytes=code)
            if self.journal.dylibs:
                make_again(self._execution, self.journal)
            return self._do_again(what, statements=True)
        except (FarsideError, KeyboardInterrupt):
            return False
        finally:
            del self._said[said:]

    def _keep(self) -> None:
        with suppress(FarsideError):  # it has died again, which the next cell finds out
            self._execution.keep()

    def _accept_again(self, step: Step) -> None:
        if isinstance(step.what, JournalEntry):
            self.journal.accept(step.what)
        else:
            self.journal.files.append(step.what)
        self.note()

    def went_well(self) -> None:
        """Note that a cell ran to its end: the program is fit to run cells."""
        self.running = None
        self._elsewhere = 0

    def note(self) -> None:
        """Write down with the newest kept state what the journal says of it."""
        state = self._execution.present
        self._execution.noted = self.journal.state()
        if state is not None:
            state.journal = self._execution.noted

    def go_back(self, state: KeptState) -> tuple[str, ...]:
        """Take the program to a kept state, where the journal is already; `rollback_compiler` must
        follow, whose work goes on beside this.

        Returns:
            what the user should know, a sentence each.
        """
        self.compiler_is_behind = True
        self._compiler.begin_rollback(self.journal.last_cell, self.journal.entries)
        return self.follow(state, self._execution.go_back(state))

    def follow(self, state: KeptState, went_back: WentBack) -> tuple[str, ...]:
        """Bring journal and checkpoints to where the user wanted to go back to."""
        notices: list[str] = []
        known = _known(state)
        files = [each.path for each in self.journal.files if each not in known.files]
        notices += [_not_loaded(path) for path in files if path]
        self.journal.return_to(known)
        self._execution.noted = known
        return (*notices, *_not_undone(went_back), *self._drop_lost_checkpoints())

    def _drop_lost_checkpoints(self) -> list[str]:
        """Forget the checkpoints whose state is not kept any more; say so."""
        is_kept = self._execution.is_kept
        lost = [name for name, each in self.checkpoints.items() if not is_kept(each.state)]
        for name in lost:
            del self.checkpoints[name]
        return [f"the checkpoint {name} is gone" for name in lost]

    def _start_again(self) -> tuple[str, ...]:
        """Start another executor and bring back what the accepted cells defined, or also did.

        A cell that cannot be brought back, because it now crashes or because it needs such a cell,
        is dropped on both sides, and said so.
        """
        statements = self._options.on_loss == "replay"
        notices = [RUN_AGAIN if statements else STARTED_AGAIN]
        failed: list[JournalEntry | LoadedFile] = []
        try:
            self._fill(failed, statements=statements)
        except KeyboardInterrupt:
            notices = ["running the cells again was interrupted", STARTED_AGAIN]
            failed.clear()
            self._fill(failed, statements=False)
        for file in [each for each in failed if isinstance(each, LoadedFile)]:
            self.journal.files.remove(file)
            what = f"JITDylib {file.dylib} is not open" if file.kind == "open" else ""
            notices.append(what or f"{file.path} could not be loaded again")
        lost = [each for each in failed if isinstance(each, JournalEntry)]
        if lost:
            survivors = [each for each in self.journal if each not in lost]
            self.journal.keep_only(survivors)
            with suppress(CompilerCrashed):
                self.rollback_compiler(0)
            cells = ", ".join(str(each.cell) for each in lost)
            notices.append(f"these cells could not be brought back: {cells}")
        # What comes after it can be run again; this state could not.
        self._keep()
        self.note()
        if (state := self._execution.present) is not None:
            state.snapshot.ready(_PATIENCE)
        return (*notices, *self._drop_lost_checkpoints())

    def _fill(self, failed: list[JournalEntry | LoadedFile], *, statements: bool) -> None:
        """Fill a new executor; add to `failed` what cannot be brought back.

        Raises:
            KeyboardInterrupt: the user does not want to wait for the statements.
        """
        while True:
            self._execution.restart()
            make_again(self._execution, self.journal)
            for step in self._steps():
                if step not in failed and not self._do_again(step, statements):
                    failed.append(step)
                    self._execution.discard()
                    if not self._execution.usable:
                        went_back = self._execution.recover()
                        if went_back is None or went_back.lost:
                            break  # start once more, without it
            else:
                return

    def _steps(self) -> list[JournalEntry | LoadedFile]:
        """What has to be done again, in order."""
        steps: list[JournalEntry | LoadedFile] = []
        files = list(self.journal.files)
        for entry in self.journal:
            while files and files[0].before_cell <= entry.cell:
                steps.append(files.pop(0))
            if entry.object_bytes is not None:
                steps.append(entry)
        return [*steps, *files]

    def _do_again(self, step: JournalEntry | LoadedFile, statements: bool) -> bool:
        """Load a file or link a cell again; tell whether that went well."""
        try:
            with self._gate.wait():
                if isinstance(step, LoadedFile):
                    load_again(self._execution, step)
                else:
                    self._link_again(step, statements)
        except KeyboardInterrupt:
            if statements:
                raise
            return False
        except (
            CppException,
            Crashed,
            FarSideLost,
            LinkError,
            ListenerFailed,
            ObjectError,
            OptionError,
            ProtocolError,
            RemoteError,
            TimedOut,
            TooMuchOutput,
        ):
            return False
        finally:
            self._said.append(self._output.take())
        return True

    def _link_again(self, entry: JournalEntry, statements: bool) -> None:
        from farside.object import parse_object

        assert entry.object_bytes is not None
        name = f"cell {entry.cell}"
        parsed = parse_object(entry.object_bytes, name)
        image = self._execution.link([parsed], name, dylib=entry.dylib, redefines=entry.redefines)
        self._execution.commit(image, statements=statements)

    def checkpoint(self, name: str) -> Checkpoint:
        """Return a checkpoint that can be gone back to.

        Raises:
            OptionError: there is none of that name, or not any more.
        """
        found = self.checkpoints.get(name)
        if found is not None and self._execution.is_kept(found.state):
            return found
        gone = self.checkpoints.pop(name, None)
        have = f"there are: {', '.join(self.checkpoints) or 'none'}"
        if gone is not None:
            raise OptionError(
                f"the checkpoint {name!r} is gone: the process that kept it was killed; {have}"
            )
        raise OptionError(f"there is no checkpoint {name!r}; {have}")

    def history(self) -> tuple[Past, ...]:
        """Return the accepted cells, oldest first, and what can be gone back to."""
        entries = self.journal.entries
        kept = self._execution.kept_after([f"cell {entry.cell}" for entry in entries])
        names: dict[int, tuple[str, ...]] = {}
        for each in self.checkpoints.values():
            names[each.cell] = (*names.get(each.cell, ()), each.name)
        return tuple(
            Past(entry.cell, entry.code, is_kept, names.get(entry.cell, ()))
            for entry, is_kept in zip(entries, kept, strict=True)
        )
