"""How both sides of a session come to a state that it was in.

The far side comes back from its newest snapshot; where none can be woken, another executor is
started and filled from the journal. The compiler goes back to the same cell.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

from farside.annotations import TYPE_CHECKING
from farside.awaited import Declarations
from farside.dylibs import load_again, make_again
from farside.errors import (
    CompilerCrashed,
    CppException,
    Crashed,
    FarsideError,
    FarSideLost,
    LinkError,
    ListenerFailed,
    ObjectError,
    OptionError,
    ProtocolError,
    RemoteError,
    SetupError,
    TimedOut,
    TooMuchOutput,
)
from farside.outcome import Past
from farside.records import NamedTuple
from farside.recovery.journal import Journal, JournalEntry, JournalState, LoadedFile
from farside.recovery.recent import RecentObjects
from farside.recovery.sentences import (
    AS_IT_WAS,
    CAUGHT_UP,
    RUN_AGAIN,
    STARTED_AGAIN,
    TAKEN_BACK_TOO,
    not_loaded,
    not_undone,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.accounts import KeptState, WentBack
    from farside.execution import ExecutionSession
    from farside.frontend.client import Compiler
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.outcome import Checkpoint
    from farside.result.output import Output

_PATIENCE = 10.0  # seconds for a snapshot to be there


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
    return notices + [not_loaded(path) for path in paths if path]


def _known(state: KeptState) -> JournalState:
    """Return what the journal said besides the cells when a state was kept."""
    return state.journal if isinstance(state.journal, JournalState) else JournalState((), ())


class Restoration:
    """The accepted cells, and the ways back to them, over the parts that a session is made of.

    Attributes:
        journal: the accepted cells.
        checkpoints: the user's, by name.
        recent: objects of the newest cells, to run them again where no snapshot has their effects.
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
        self.journal = Journal()
        self.checkpoints: dict[str, Checkpoint] = {}
        self.recent = RecentObjects()
        self.declarations = Declarations(lambda name: compiler.demangle([name])[0])
        self.compiler_is_behind = False
        self.seconds: list[float] = []

    def rollback_compiler(self, after: int | None = None, *, sure: bool = False) -> None:
        """Bring the compiler to the state after the accepted cells.

        Args:
            after: the last cell up to which nothing has changed, None for the newest.
            sure: see `Compiler.rollback`.

        Raises:
            CompilerCrashed: it does not accept one of them any more, such as after a change of an
                included file. The next cell tries again; `undo` takes the cell away.
        """
        self.compiler_is_behind = True
        last = self.journal.last_cell if after is None else after
        self._compiler.rollback(last, self.journal.entries, sure=sure)
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
        notices = not_undone(went_back)
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
            with suppress(CompilerCrashed, SetupError):
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

    def note(self) -> None:
        """Write down with the newest kept state what the journal says of it."""
        state = self._execution.present
        self._execution.noted = self.journal.state()
        if state is not None:
            state.journal = self._execution.noted

    def begin_rollback(self) -> None:
        """Begin what `rollback_compiler` ends; its work goes on beside what is done meanwhile."""
        self.compiler_is_behind = True
        self._compiler.begin_rollback(self.journal.last_cell, self.journal.entries)

    def go_back(self, state: KeptState) -> tuple[str, ...]:
        """Take the program to a kept state, where the journal is already.

        Returns:
            what the user should know, a sentence each.
        """
        return self.follow(state, self._execution.go_back(state, at_once=True))

    def follow(self, state: KeptState, went_back: WentBack) -> tuple[str, ...]:
        """Bring journal and checkpoints to where the user wanted to go back to."""
        notices: list[str] = []
        known = _known(state)
        files = [each.path for each in self.journal.files if each not in known.files]
        notices += [not_loaded(path) for path in files if path]
        self.journal.return_to(known)
        self._execution.noted = known
        return (*notices, *not_undone(went_back), *self._drop_lost_checkpoints())

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
            with suppress(CompilerCrashed, SetupError):
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
        image = self._execution.link(
            [parsed],
            name,
            dylib=entry.dylib,
            redefines=entry.redefines,
            may_await=self.declarations.has_function,
        )
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
                f"the checkpoint {name!r} is gone: the process that kept it has ended; {have}"
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
