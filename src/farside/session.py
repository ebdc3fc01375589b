"""A session: cells of C++ in, values and output out.

`Session.run` is the path of a cell through farside, in order, as one transaction. Each step hands a
frozen value to the next; the session itself changes only at the end, in `_accept`. Whatever goes
wrong before that is undone by `_take_back`, which is the same for a compile error, a link error, a
crash and an interrupt.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from farside.dylibs import DylibHandle, load_again, make_again
from farside.errors import (
    CompileError,
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
    SessionBusy,
    SessionClosed,
    TimedOut,
    TooMuchOutput,
)
from farside.frontend.client import Compiler, find_compiler
from farside.frontend.diagnostics import render
from farside.frontend.pch import build_pch, find_pch
from farside.interrupts import InterruptGate
from farside.options import Options
from farside.outcome import CellResult, Checkpoint, Closing, Past
from farside.recovery.journal import Journal, JournalEntry, JournalState, LoadedFile
from farside.result.output import Output
from farside.result.value import decode_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from farside.accounts import KeptState, Statistics, WentBack
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell
    from farside.link import LinkedImage
    from farside.remote.commit import RunOutcome

__all__ = ["STARTED_AGAIN", "TAKEN_BACK_TOO", "CellResult", "Closing", "Past", "Session"]

T = TypeVar("T")
_MAIN = "main"


TAKEN_BACK_TOO = "there was no snapshot of the last state; these cells were taken back, too"
STARTED_AGAIN = "the far side was started again; variables have their initial values"


class Session:
    """An interactive C++ session with a compiler and an executor of its own.

    A context manager. One cell runs at a time; a second thread that tries gets `SessionBusy`.

    Raises:
        SetupError: one of the two programs cannot be found or started.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.next_cell = 1
        self._journal = Journal()
        self._checkpoints: dict[str, Checkpoint] = {}
        self._output = Output(self.options.output == "capture", self.options.output_limit)
        self._gate = InterruptGate()
        self._lock = threading.Lock()
        self._closed = False
        self._running: CompiledCell | None = None  # for the report of its death
        self._compiler_is_behind = False
        program = find_compiler(self.options)
        pch = find_pch(self.options, program) if self.options.use_pch else None
        self._compiler = Compiler.spawn(self.options, program, pch)
        # The compiler takes longest to start; the linker is imported meanwhile. Neither program is
        # waited for before the first cell needs it.
        from farside.execution import ExecutionSession

        try:
            sink = self._output if self._output.capture else None
            self._execution = ExecutionSession(self.options, sink, self._demangle, self._gate)
        except BaseException:
            self._compiler.close()
            raise
        if self.options.use_pch and pch is None:
            build_pch(self.options, program)

    # ------------------------------------------------------------------ the path of a cell

    def run(self, code: str, *, dylib: str = _MAIN) -> CellResult:
        """Compile, link and run one cell.

        Args:
            code: C++ (or C) source.
            dylib: the JITDylib that its code goes into; see `jitdylib`.

        Raises:
            CompileError, LinkError: the session is as it was.
            CppException: the cell is accepted; what it did before the exception stays.
            Crashed, Interrupted, FarSideLost: the session has recovered; ``recovery`` says how.
            SessionBusy, SessionClosed: wrong use.
        """
        with self._exclusive():
            cell = self.next_cell
            self.next_cell += 1
            started = perf_counter()
            with self._recovering(f"cell {cell}"):
                compiled = self._compile(cell, code)
                compiled_at = perf_counter()
                image = self._link(compiled, dylib)
                linked_at = perf_counter()
                outcome = self._commit(image)
                committed_at = perf_counter()
            self._accept(compiled, code, image, dylib)
            self._note()
            timings = {
                "compile": compiled_at - started,
                "link": linked_at - compiled_at,
                "commit": committed_at - linked_at,
                "run": outcome.nanoseconds * 1e-9 if outcome else 0.0,
            }
            return self._result(compiled, outcome, timings)

    def _compile(self, cell: int, code: str) -> CompiledCell:
        """Cell → CompiledCell: Clang, in its own process."""
        with self._gate.window():
            if self._compiler_is_behind:
                self._rollback_compiler()
            compiled = self._compiler.compile(cell, code)
            if compiled.conflicts:
                # A name of the precompiled library is in the user's way.
                with suppress(CompilerCrashed):
                    if self._compiler.restart_without_pch(self._journal.entries):
                        compiled = self._compiler.compile(cell, code)
        if not compiled.ok:
            raise CompileError(render(compiled.diagnostics), compiled.diagnostics)
        return compiled

    def _link(self, compiled: CompiledCell, dylib: str) -> LinkedImage | None:
        """CompiledCell → ObjectFile → LinkGraph → LinkedImage: all on the near side."""
        if dylib != _MAIN and not self._journal.is_open(dylib):
            with self._gate.window():
                self._execution.open(dylib)
            self._journal.add_file("", kind="open", dylib=dylib)
        if compiled.object is None:
            return None
        from farside.object import parse_object

        self._running = compiled
        name = f"cell {compiled.cell}"
        with self._gate.wait():
            return self._execution.link([parse_object(compiled.object, name)], name, dylib=dylib)

    def _commit(self, image: LinkedImage | None) -> RunOutcome | None:
        """LinkedImage → RunOutcome: one message to the far side, one back."""
        if image is None:
            return None
        with self._gate.wait():
            return self._execution.commit(image)

    def _accept(
        self, compiled: CompiledCell, code: str, image: LinkedImage | None, dylib: str
    ) -> None:
        """Make the cell part of the session."""
        self._running = None
        keep = image is not None and (
            image.defined or not all(each.is_statement for each in image.initialisers)
        )
        self._journal.accept(
            JournalEntry(
                compiled.cell, code, compiled.cookie, compiled.object if keep else None, dylib
            )
        )

    def _result(
        self, compiled: CompiledCell, outcome: RunOutcome | None, timings: Mapping[str, float]
    ) -> CellResult:
        """RunOutcome → CellResult, or the exception that ended the cell."""
        stdout, stderr = self._output.take()
        if outcome is not None and outcome.exception:
            said = "" if outcome.what is None else f": {outcome.what}"
            error = CppException(
                f"cell {compiled.cell} threw {outcome.exception_type}{said}",
                outcome.exception_type,
                outcome.what,
            )
            error.stdout, error.stderr = stdout, stderr
            if self.options.memory_limit is not None and outcome.exception_type == "std::bad_alloc":
                error.add_note(f"the program may allocate {self.options.memory_limit} bytes")
            raise error
        value = None
        if compiled.value_type is not None and outcome is not None and outcome.values:
            kind, data = outcome.values[-1]
            value = decode_value(
                kind,
                data,
                compiled.value_type,
                enumerators=compiled.value_enumerators,
                underlying=compiled.value_underlying,
            )
        return CellResult(
            cell=compiled.cell,
            value=value,
            diagnostics=compiled.diagnostics,
            notices=(),
            stdout=stdout,
            stderr=stderr,
            timings=timings,
        )

    # ------------------------------------------------------------------ when a cell fails

    def _take_back(self, what: str, error: BaseException) -> FarsideError:
        """Undo what a cell did on both sides and return what is to be raised."""
        stdout, stderr = self._output.take(dying=True)
        crashed = self._explained(what, error) if isinstance(error, Crashed) else None
        self._execution.discard()
        with suppress(CompilerCrashed):
            self._rollback_compiler()
        recovery = () if self._execution.usable else self._recover()
        more = self._output.take()  # what it wrote before it was ended
        if recovery and not isinstance(error, TooMuchOutput):
            stdout, stderr = stdout + more[0], stderr + more[1]
        if isinstance(error, KeyboardInterrupt):
            raised: FarsideError = Interrupted(f"{what} was interrupted and taken back")
        elif isinstance(error, Crashed):
            assert crashed is not None
            raised = crashed
        elif isinstance(error, TimedOut):
            limit = f"its limit of {self.options.time_limit} seconds (time_limit)"
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
            for entry in self._journal
            if entry.object_bytes is not None
        }
        if self._running is not None and self._running.object is not None:
            objects[f"cell {self._running.cell}"] = self._running.object
        try:
            evidence = Evidence(
                self._execution.places(), objects, self._execution.slab, self._compiler.demangle
            )
        except FarsideError:  # it died before it had said anything of itself
            return Crashed(f"{what}: {error}", error.report)
        number = what.removeprefix("cell ")
        report = explain(error.report, int(number) if number.isdecimal() else None, evidence)
        return Crashed(report.text if report.cell else f"{what}: {report.text}", report)

    def _rollback_compiler(self) -> None:
        """Bring the compiler to the state after the accepted cells.

        Raises:
            CompilerCrashed: it does not accept one of them any more, such as after a change of an
                included file. The next cell tries again; `undo` takes the cell away.
        """
        self._compiler_is_behind = True
        self._compiler.rollback(self._journal.last_cell, self._journal.entries)
        self._compiler_is_behind = False

    def _demangle(self, name: str) -> str:
        return self._compiler.demangle([name])[0]

    def _recover(self) -> tuple[str, ...]:
        """Bring the program back after its process is gone or cannot be talked to any more.

        The newest snapshot has its state. Where there is none that can be woken, another executor
        is started and the definitions are linked again.
        """
        went_back = self._execution.recover()
        state = self._execution.present
        if went_back is None or state is None:
            return self._start_again()
        notices = self._follow(state, went_back)
        return ("the program's state is as it was before the cell", *notices)

    def _keep(self) -> None:
        """Keep the state after something other than a cell."""
        if self._execution.usable:
            self._execution.keep()
            self._note()

    def _note(self) -> None:
        """Write down with the newest kept state what the journal says of it."""
        state = self._execution.present
        if state is not None:
            state.journal = self._journal.state()

    def _follow(self, state: KeptState, went_back: WentBack) -> tuple[str, ...]:
        """Bring journal, compiler and checkpoints to where the program went back to."""
        notices: list[str] = []
        entries = self._journal.entries
        gone = [n for n, each in enumerate(entries) if f"cell {each.cell}" in went_back.lost]
        if gone:
            cells = ", ".join(str(each.cell) for each in entries[gone[0] :])
            notices.append(f"{TAKEN_BACK_TOO}: {cells}")
            self._journal.keep_only(entries[: gone[0]])
            self._rollback_compiler()
        if isinstance(state.journal, JournalState):
            files = [each.path for each in self._journal.files if each not in state.journal.files]
            notices += [f"{path} is not loaded any more" for path in files if path]
            self._journal.return_to(state.journal)
        if went_back.threads:
            were = "a thread" if went_back.threads == 1 else f"{went_back.threads} threads"
            notices.append(f"{were} that ran beside the program's main one did not come back")
        notices += self._drop_lost_checkpoints()
        return tuple(notices)

    def _drop_lost_checkpoints(self) -> list[str]:
        """Forget the checkpoints whose state is not kept any more; say so."""
        is_kept = self._execution.is_kept
        lost = [name for name, each in self._checkpoints.items() if not is_kept(each.state)]
        for name in lost:
            del self._checkpoints[name]
        return [f"the checkpoint {name} is gone" for name in lost]

    def _start_again(self) -> tuple[str, ...]:
        """Start another executor and bring back what the accepted cells defined.

        Objects are linked again and variables initialised again; statements are not repeated. A
        cell that cannot be brought back, because its initialiser now crashes or because it needs
        such a cell, is dropped on both sides, and said so.
        """
        survivors = list(self._journal.entries)
        lost: list[int] = []
        notices = [STARTED_AGAIN]
        while (failed := self._restore(survivors)) is not None:
            if isinstance(failed, JournalEntry):
                survivors.remove(failed)
                lost.append(failed.cell)
            else:
                self._journal.files.remove(failed)
                what = f"JITDylib {failed.dylib} is not open" if failed.kind == "open" else ""
                notices.append(what or f"{failed.path} could not be loaded again")
        if lost:
            self._journal.keep_only(survivors)
            self._compiler.rollback(0, survivors)
            cells = ", ".join(map(str, sorted(lost)))
            notices.append(f"these cells could not be brought back: {cells}")
        return (*notices, *self._drop_lost_checkpoints())

    def _restore(self, entries: Sequence[JournalEntry]) -> JournalEntry | LoadedFile | None:
        """Fill a new executor; return the first cell or file that cannot be brought back."""
        self._execution.restart()
        make_again(self._execution, self._journal)
        steps: list[JournalEntry | LoadedFile] = []
        files = list(self._journal.files)
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
        image = self._execution.link([parsed], name, dylib=entry.dylib)
        self._execution.commit(image, statements=False)

    # ------------------------------------------------------------------ besides running cells

    def undo(self, count: int = 1) -> tuple[str, ...]:
        """Take back the newest `count` cells: names, symbols, memory, and all that they did.

        Where the state before them is not kept any more, what they did to older variables stays.

        Returns:
            what the user should know, a sentence each.

        Raises:
            OptionError: there are not that many cells; nothing is taken back.
        """
        with self._exclusive():
            if count < 1 or count > len(self._journal):
                have = len(self._journal)
                raise OptionError(f"cannot undo {count} cells: {have} can be taken back")
            names = [f"cell {entry.cell}" for entry in self._journal.entries[-count:]]
            state = self._execution.keeps_before(names)
            users = self._execution.users_of(names)
            if users:
                raise OptionError(f"cannot undo {names[0]}: {', '.join(users)} refers to it")
            self._journal.take_back(count)
            failure: RemoteError | None = None
            with self._recovering("undo"):
                if state is not None:
                    notices = self._follow(state, self._execution.go_back(state))
                else:
                    for name in reversed(names):
                        try:
                            with self._gate.wait():
                                self._execution.remove(name)
                        except RemoteError as error:
                            failure = failure or error  # a destructor threw; the cell is gone
                    self._keep()
                    notices = (
                        "only what the cells defined was taken back: the state before them is not"
                        " kept any more",
                    )
            self._rollback_compiler()
            if failure is not None:
                raise failure
            return notices

    def checkpoint(self, name: str) -> None:
        """Keep the present state under a name, until the session ends or goes back before it.

        A name that is in use is given to the present state.

        Raises:
            OptionError: snapshots are switched off, or none of the present state could be taken.
        """
        with self._exclusive():
            state = self._execution.present
            if state is None:
                raise OptionError("there is no snapshot of the present state to keep (--snapshots)")
            self._drop_checkpoint(name)
            state.pins += 1
            self._checkpoints[name] = Checkpoint(name, self._journal.last_cell, state)

    def restore(self, name: str) -> tuple[str, ...]:
        """Go back to a checkpoint: the program, its names, everything.

        The checkpoint stays; those that are younger are gone.

        Returns:
            what the user should know, a sentence each.

        Raises:
            OptionError: there is no such checkpoint.
        """
        with self._exclusive():
            found = self._checkpoints.get(name)
            if found is None:
                have = ", ".join(self._checkpoints) or "none"
                raise OptionError(f"there is no checkpoint {name!r}; there are: {have}")
            with self._recovering(f"restoring {name}"):
                went_back = self._execution.go_back(found.state)
                self._journal.keep_only([e for e in self._journal if e.cell <= found.cell])
                notices = self._follow(found.state, went_back)
            self._rollback_compiler()
            return notices

    def history(self) -> tuple[Past, ...]:
        """Return the accepted cells, oldest first, and what can be gone back to."""
        return tuple(
            Past(
                entry.cell,
                entry.code,
                kept=self._execution.keeps_before(
                    [f"cell {each.cell}" for each in self._journal.entries[position + 1 :]]
                )
                is not None,
                checkpoints=tuple(
                    each.name for each in self._checkpoints.values() if each.cell == entry.cell
                ),
            )
            for position, entry in enumerate(self._journal.entries)
        )

    def interrupt(self) -> None:
        """Stop the cell that runs, from any thread; it is taken back. Without one do nothing."""
        if self._lock.locked():
            self._gate.interrupt()

    def _drop_checkpoint(self, name: str) -> None:
        found = self._checkpoints.pop(name, None)
        if found is not None:
            found.state.pins -= 1

    @contextmanager
    def _recovering(self, what: str) -> Iterator[None]:
        """Bring the far side back if the block leaves it unusable."""
        try:
            yield
        except (Exception, KeyboardInterrupt) as error:
            raised = self._take_back(what, error)
            if raised is error:
                raise
            raise raised from error

    def jitdylib(self, name: str) -> DylibHandle:
        """Return the JITDylib of that name, made now if there is none; ``main`` is the cells'."""
        if not name or not name.isprintable():
            raise OptionError(f"{name!r} cannot name a JITDylib")

        def make(execution: ExecutionSession, journal: Journal) -> None:
            execution.jitdylib(name)
            journal.dylibs.setdefault(name, ())

        self.operate(f"making JITDylib {name}", make)
        return DylibHandle(self, name)

    def operate(self, what: str, action: Callable[[ExecutionSession, Journal], T]) -> T:
        """Do something on the far side besides running a cell, as safely as `run` does it.

        Args:
            what: is done, for messages.
            action: does it; it may be interrupted.
        """
        with self._exclusive(), self._recovering(what):
            with self._gate.wait():
                result = action(self._execution, self._journal)
            self._keep()
            return result

    def statistics(self) -> Statistics:
        """Count what there is on both sides: names, memory, registrations."""
        with self._exclusive(), self._recovering("counting"), self._gate.wait():
            return self._execution.statistics()

    def take_output(self) -> tuple[str, str]:
        """Return what the far side has written since the last time, stdout and stderr."""
        return self._output.take()

    def load(self, path: str) -> str:
        """Load a shared library, or link an object or archive; return a sentence about it.

        Raises:
            ObjectError, LinkError: the file is not what its name says, or cannot be linked.
            RemoteError: the far side's loader refused the library.
        """
        with self._exclusive(), self._recovering(f"loading {path}"):
            with self._gate.wait():
                notice = self._execution.load(path)
            self._journal.add_file(path)
            self._keep()
            return notice

    def defines_main(self) -> bool:
        """Tell whether a cell has defined ``main``."""
        return self._execution.address_of("main") is not None

    def call_main(self, args: Sequence[str]) -> int:
        """Call the ``main`` that a cell defined, with `args` as its whole ``argv``; return its
        result.

        Raises:
            Crashed, Interrupted: it did not return; the session has recovered.
            OptionError: there is no ``main``.
        """

        def call(execution: ExecutionSession, _: Journal) -> int:
            address = execution.address_of("main")
            if address is None:
                raise OptionError("no cell defines main")
            return execution.run_main(address, args)

        return self.operate("main", call)

    def close(self) -> Closing:
        """End the session: run exit handlers, then end both programs. May be called again."""
        if self._closed:
            return Closing("", "", ())
        self._closed = True
        with self._gate.held():  # it takes a few seconds at most, and must not stop half way
            notices = self._execution.close()
            self._compiler.close()
        self._gate.close()
        return Closing(*self._output.take(), notices)

    # ------------------------------------------------------------------ facts

    @property
    def worker_pid(self) -> int:
        """The process that runs the cells."""
        return self._execution.worker_pid

    @property
    def supervisor_pid(self) -> int:
        """The process that watches the worker."""
        return self._execution.supervisor_pid

    @property
    def compiler_pid(self) -> int:
        """The compiler's process."""
        return self._compiler.pid

    # ------------------------------------------------------------------ housekeeping

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Hold the session for one operation, with Ctrl-C held back outside of waits."""
        if not self._lock.acquire(blocking=False):
            raise SessionBusy(
                "another cell is running in this session; wait for it or interrupt it"
            )
        try:
            if self._closed:
                raise SessionClosed("this session was closed; start another")
            with self._gate.held():
                yield
        finally:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
