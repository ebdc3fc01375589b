"""A session: cells of C++ in, values and output out.

`Session.run` is the path of a cell through farside, in order, as one transaction. Each step hands a
frozen value to the next; the session itself changes only at the end, in `_accept`. Whatever goes
wrong before that is undone by `farside.rescue`, in one way for a compile error, a link error, a
crash and an interrupt.
"""

from __future__ import annotations

import os
import weakref
from contextlib import ExitStack, contextmanager
from functools import partial

from farside.annotations import TYPE_CHECKING, Any, NoReturn, TypeVar
from farside.api.values import kept, result_of
from farside.asking import Asking
from farside.awaited import awaited_by, waiting_for
from farside.calls.host import Calling
from farside.compiling import CellCompiler
from farside.dylibs import DylibHandle, make_jitdylib
from farside.errors import (
    CppException,
    Interrupted,
    OptionError,
    RemoteError,
    SetupError,
    UndefinedSymbols,
)
from farside.frontend.start import start_compiler
from farside.going_back import GoingBack
from farside.interrupts import InterruptGate
from farside.loading import call_main, load
from farside.options import Options, changed
from farside.outcome import CellResult, Closing, Past
from farside.owned import abandon, ask_owner, ask_to_end, demangle_with, show_to_owner
from farside.permitted import permitted
from farside.recovery.journal import Journal, JournalEntry
from farside.recovery.sentences import stopped
from farside.rescue import Rescue
from farside.result.output import Displays, Output, tell
from farside.trace import Tracing
from farside.turns import Turn, Turns
from farside.verdict import exception_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    from farside.accounts import Statistics
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell
    from farside.link import LinkedImage
    from farside.options import OptionChanges
    from farside.remote.commit import RunOutcome
    from farside.result.bundle import Display

__all__ = ["CellResult", "Closing", "Past", "Session"]

T = TypeVar("T")
_MAIN = "main"


class Session(Asking, GoingBack, Calling):
    """An interactive C++ session with a compiler and an executor of its own.

    A context manager. One cell runs at a time; a second thread that tries gets `SessionBusy`.

    Attributes:
        options: as given.
        next_cell: the number of the next cell.
        resumed: what came of bringing the session back, None for a new one.
        confirm: asks the user a question, such as whether a library may be loaded
            (`Options.autoload`); None where nobody can be asked. Ctrl-C may come through.
        on_asked: is called when an interrupt asks the cell to end (`Options.on_interrupt`).
        on_display: is given each `Display` as it comes, while the cell runs. What it raises ends
            the cell.
        upcoming: returns the cell that will be the next, None where that is not known; it is asked
            when the compiler is free, and what it says is compiled while the present cell runs. It
            must do nothing with the session. Once it raises it is not asked any more.

    Raises:
        OptionError: an option is what it cannot be; nothing was started.
        SetupError: one of the two programs cannot be found or started.
    """

    def __init__(self, options: Options | None = None, **changes: Unpack[OptionChanges]) -> None:
        """Start a session; its processes get ready while the program goes on.

        Args:
            options: how it works; None for the usual way.
            changes: attributes of `Options` in place of those, by their names; ``include`` is a
                directory, or several, for ``include_dirs``.

        With `Options.libraries` it waits for the far side, which loads them, and raises what
        `load` does.
        """
        self.options = permitted(changed(Options() if options is None else options, changes))
        self.next_cell = 1
        self._output = Output(self.options.output == "capture", self.options.output_limit)
        self._gate = InterruptGate()
        self._turns = Turns()
        self._notices: list[str] = []  # for the next result
        self.confirm: Callable[[str], bool] | None = None
        self.on_asked: Callable[[], None] | None = None
        self.on_display: Callable[[Display], None] | None = None
        self.upcoming: Callable[[], str | None] | None = None
        self._displays = Displays(self.options.output_limit)
        self._tracing = Tracing(self.options.trace, self._notices.append)
        with ExitStack() as failed:
            failed.callback(self._gate.close)
            started = start_compiler(self.options)
            self._compiler = started.compiler
            failed.callback(self._compiler.close)
            # The linker is imported while both programs start. Neither is waited for before the
            # first cell needs it.
            from farside.remote.start import start_executor

            sink = self._output if self._output.capture else None
            spawned = start_executor(self.options, capture=sink is not None)
            failed.callback(spawned.abandon)
            from farside.execution import ExecutionSession

            # Nothing that the session owns may refer to it: who drops it wants it to go.
            self._execution = ExecutionSession(
                self.options,
                sink,
                partial(demangle_with, self._compiler),
                self._gate,
                partial(ask_owner, weakref.ref(self)),
                show=partial(show_to_owner, weakref.ref(self)),
                spawned=spawned,
            )
            failed.pop_all()
        self._compiler.interrupts = self._gate
        self._end = weakref.finalize(
            self, abandon, self._turns.process, self._execution, self._compiler, self._gate
        )
        self._rescue = Rescue(
            self.options, self._compiler, self._execution, self._output, self._gate
        )
        self._journal = self._rescue.journal
        self._cells = CellCompiler(
            self.options, self._compiler, self._rescue, self._gate, self._tracing
        )
        started.build_missing_pch()
        try:
            for library in self.options.libraries:
                self.load(library)
        except BaseException:
            self.close()
            raise

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
        with self._exclusive(), self._displays:
            return self._result(*self._cell(code, dylib))

    def eval(self, expression: str) -> object:
        """Evaluate an expression and return its value as a Python object.

        docs/python.md says what becomes what. What has no form in Python stays alive on the far
        side, and a `Value` stands for it, which f-strings of C++ code can mention. What is written
        meanwhile is there for `take_output`.

        Args:
            expression: of C++, or a cell that ends in one; without one the result is None.

        Raises:
            UndefinedName: the expression refers to what nothing declares.
            ValueGone: it mentions a `Value` whose cell was taken back.
        And what `run` raises.
        """
        with self._exclusive():
            compiled, outcome, _, notices = self._cell(expression, _MAIN, given=True)
            try:
                if outcome is not None and outcome.exception:
                    raise self._thrown(compiled, outcome, notices)
                if compiled.value_opaque:
                    value = value_of(compiled, outcome)
                    return value and kept(value, self._cells.names.name(compiled.cell))
                found = result_of(compiled, outcome, self._execution)
                self._note_living()
                return found
            finally:
                self._execution.given.clear()

    def _cell(
        self, code: str, dylib: str, *, given: bool = False
    ) -> tuple[CompiledCell, RunOutcome | None, Mapping[str, float], tuple[str, ...]]:
        """Take a cell along the path; its value is given to Python, or shown."""
        self._check_code(code)
        self._output.set_aside()
        cell = self.next_cell
        self.next_cell += 1
        with self._tracing.cell(cell, code, self._compiler, self._execution) as stages:
            with self._recovering(f"cell {cell}"):

                def prepare() -> tuple[CompiledCell, str, LinkedImage | None]:
                    compiled, text = self._cells.compile(cell, code, given=given)
                    stages.end("compile")
                    self._look_ahead()
                    return compiled, text, self._link(compiled, dylib)

                def run(made: tuple[CompiledCell, str, LinkedImage | None]) -> RunOutcome | None:
                    stages.end("link")
                    return self._commit(made[2])

                (compiled, text, image), outcome = self._rescue.while_living(
                    prepare, run, self._make_calls_again
                )
                stages.run = outcome.nanoseconds * 1e-9 if outcome else 0.0
                stages.end("commit")
            self._accept(compiled, text, image, dylib)
            self._declared(compiled, text)
            self._rescue.note()
            notices = (*self._rescue.take_told(), *self._write_down())
            self._compiler.end_left()
            stages.end("accept")
        if outcome is not None:
            notices = (*self._by_the_way(), *notices)
        if image is not None and (names := awaited_by(image)):
            notices = (*notices, waiting_for(self._compiler.demangle(names)))
        return compiled, outcome, stages.timings(), notices

    def _look_ahead(self) -> None:
        """Have the compiler begin with the cell after this one, if that is known."""
        if self.upcoming is None:
            return
        try:
            code = self.upcoming()
        except Exception as error:
            self.upcoming = None
            self._notices.append(f"upcoming raised {type(error).__name__}: {error}")
            return
        if isinstance(code, str):
            self._cells.look_ahead(self.next_cell, code)

    def _link(self, compiled: CompiledCell, dylib: str) -> LinkedImage | None:
        """CompiledCell → ObjectFile → LinkGraph → LinkedImage: all on the near side."""
        if dylib != _MAIN and not self._journal.is_open(dylib):
            with self._gate.window():
                self._open(dylib)
            self._journal.add_file("", kind="open", dylib=dylib)
        declarations = self._rescue.declarations
        declarations.note(compiled.declared)
        if compiled.object is None:
            return None
        from farside.object import parse_object

        self._rescue.running = compiled
        name = f"cell {compiled.cell}"
        with self._gate.wait():
            parsed = parse_object(compiled.object, name)
            self._tracing.part("read object")
            redefines, passed = compiled.redefined, self._tracing.part
            try:
                return self._execution.link(
                    [parsed],
                    name,
                    dylib=dylib,
                    redefines=redefines,
                    may_await=declarations.has_function,
                    passed=passed,
                )
            except UndefinedSymbols as error:
                raise declarations.explained(error) from None

    def _open(self, dylib: str) -> None:
        """Open the JITDylib of a cell that is not linked yet, so not accepted if this throws."""
        try:
            self._execution.platform.open(dylib)
        except CppException as error:
            raise RemoteError(str(error)) from error

    def _commit(self, image: LinkedImage | None) -> RunOutcome | None:
        """LinkedImage → RunOutcome: one message to the far side, one back."""
        if image is None:
            return None
        with self._gate.wait(self._gentle()):
            return self._execution.commit(image, passed=self._tracing.part)

    def _by_the_way(self) -> tuple[str, ...]:
        """What the user should know of a cell that was accepted."""
        notices = ("the cell was asked to end, and did",) if self._gate.asked else ()
        stops = stopped(self._execution.take_remarks())
        return (*notices, *stops, *self._execution.take_notices())

    def _gentle(self) -> Callable[[], None] | None:
        """What the first interrupt does while code runs; None takes it back."""
        ask = partial(ask_to_end, self._execution, self.on_asked)
        return ask if self.options.on_interrupt == "keep" else None

    def _accept(
        self, compiled: CompiledCell, code: str, image: LinkedImage | None, dylib: str
    ) -> None:
        """Make the cell part of the session."""
        self._rescue.went_well()
        if compiled.object is not None:
            self._rescue.recent.add(compiled.cell, compiled.object)
        self._note_loaded()  # before the cell: it needs them when it is brought back
        keep = image is not None and (
            image.defined
            or self.options.on_loss == "replay"
            or not all(each.is_statement for each in image.initialisers)
        )
        self._journal.accept(
            JournalEntry(
                compiled.cell,
                code,
                compiled.cookie,
                compiled.object if keep else None,
                dylib,
                compiled.redefined,
                compiled.only_line,
                compiled.declared,
            )
        )

    def _result(
        self,
        compiled: CompiledCell,
        outcome: RunOutcome | None,
        timings: Mapping[str, float],
        notices: tuple[str, ...],
    ) -> CellResult:
        """RunOutcome → CellResult, or the exception that ended the cell."""
        if outcome is not None and outcome.exception:
            raise self._thrown(compiled, outcome, notices)
        stdout, stderr = self._output.take()
        return CellResult(
            cell=compiled.cell,
            value=value_of(compiled, outcome),
            diagnostics=compiled.diagnostics,
            notices=(*notices, *self._take_notices(), *self._displays.notices()),
            stdout=stdout,
            stderr=stderr,
            timings=timings,
            displays=self._displays.kept(),
        )

    def _thrown(
        self, compiled: CompiledCell, outcome: RunOutcome, notices: tuple[str, ...]
    ) -> CppException:
        """RunOutcome → the exception that ended the cell."""
        error = exception_of(f"cell {compiled.cell}", outcome)
        error.stdout, error.stderr = self._output.take()
        error.recovery = notices
        if self.options.memory_limit is not None and outcome.exception_type == "std::bad_alloc":
            error.add_note(f"the program may allocate {self.options.memory_limit} bytes")
        for notice in self._take_notices():
            error.add_note(notice)
        return error

    def take_display(self, payload: bytes) -> None:
        """Take a display that the program sent."""
        from farside.result.bundle import decode_display

        display = decode_display(payload)
        self._displays.add(display, len(payload), heard=self.on_display is not None)
        if self.on_display is not None:
            tell("on_display", self.on_display, display)

    # ------------------------------------------------------------------ besides running cells

    @classmethod
    def resume(cls, path: str, **changes: Any) -> Self:
        """Start a session and run again, in it, the cells that were kept in a file.

        Cells that fail now are left out. `resumed` says what came of it. The session goes on
        being kept in the file; if something was left out, the file as it was is kept as ``PATH~``.

        Args:
            path: of the file.
            changes: options of `Options`, in place of those that the session had.

        Raises:
            OptionError: the file cannot be read, is damaged or in use; Clang refuses the options.
            SetupError: see `Session`.
        """
        from farside.recovery.saved import read_session
        from farside.resume import replay

        saved = read_session(path)
        try:
            session = cls(saved.options.with_(**changes))
            try:
                session.resumed = replay(session, saved)
                session._go_on_in(saved)
            except BaseException:
                session.close()
                raise
        finally:
            os.close(saved.descriptor)
        return session

    def interrupt(self) -> None:
        """Stop the cell that runs, from any thread; it is taken back. Without one do nothing."""
        if self._turns.busy:
            self._gate.interrupt()

    def _keep(self) -> None:
        """Keep the state after something other than a cell."""
        if self._execution.usable:
            self._execution.keep()
            self._rescue.note()

    def ask_user(self, question: str) -> bool | None:
        """Ask the user, if there is one to be asked."""
        if self.confirm is None:
            return None
        with self._gate.window():
            return self.confirm(question)

    def _note_loaded(self) -> None:
        """Remember libraries that were loaded by themselves: to be told, and for a recovery."""
        for path, notice in self._execution.found.take_loaded():
            self._journal.add_file(path)
            self._notices.append(notice)

    def _take_notices(self) -> tuple[str, ...]:
        notices, self._notices[:] = tuple(self._notices), ()
        return notices

    @contextmanager
    def _recovering(self, what: str) -> Iterator[None]:
        """Bring the far side back if the block leaves it unusable."""
        try:
            yield
            self._forget_calls()
        except (Exception, KeyboardInterrupt) as error:
            if self._turns.forked:
                raise  # nothing is taken back from whom it belongs to
            raised = self._rescue.take_back(what, error)
            self._make_calls_again(raised)
            self._note_loaded()
            if not isinstance(raised, Interrupted):
                self._look_ahead()
            for notice in self._take_notices():
                raised.add_note(f"{notice}; it stays loaded")
            try:
                if raised is error:
                    raise
                raise raised from error
            finally:
                del raised  # whose traceback has this frame

    def jitdylib(self, name: str) -> DylibHandle:
        """Return the JITDylib of that name, made now if there is none; ``main`` is the cells'."""
        if not name or not name.isprintable():
            raise OptionError(f"{name!r} cannot name a JITDylib")
        self.operate(f"making JITDylib {name}", partial(make_jitdylib, name))
        return DylibHandle(self, name)

    def operate(self, what: str, action: Callable[[ExecutionSession, Journal], T]) -> T:
        """Do something on the far side besides running a cell, as safely as `run` does it.

        Args:
            what: is done, for messages.
            action: does it; it may be interrupted.
        """
        with self._exclusive(), self._reviving(what):
            try:
                with self._gate.wait(self._gentle()):
                    result = action(self._execution, self._journal)
            except CppException:
                self._note_loaded()
                self._keep()  # what was done before it stays
                raise
            self._note_loaded()
            self._keep()
            return result

    def statistics(self) -> Statistics:
        """Count what there is on both sides: names, memory, registrations."""
        with self._exclusive(), self._reviving("counting"), self._gate.wait():
            return self._execution.statistics()

    def take_output(self) -> tuple[str, str]:
        """Return what has been written and was in no result: by `eval` and calls; both streams."""
        return self._output.take_all()

    def load(self, path: str) -> str:
        """Load a shared library, or link an object or archive; return a sentence about it.

        Raises:
            ObjectError, LinkError: the file is not what its name says, or cannot be linked.
            RemoteError: the far side's loader refused the library.
            CppException: an initialiser of an object threw; the object is linked all the same.
        """
        with self._exclusive(), self._reviving(f"loading {path}"):
            try:
                with self._gate.wait():
                    notice = load(self._execution, path)
            except CppException:
                self._note_loaded()
                self._journal.add_file(path)
                self._keep()
                raise
            self._note_loaded()
            self._journal.add_file(path)
            self._keep()
            return "; ".join((*self._take_notices(), notice))

    def add_library_dir(self, path: str) -> None:
        """Look for libraries in a directory of the far side before all others, from now on.

        Raises:
            OptionError: the path is not absolute.
        """
        with self._exclusive():
            self._execution.found.add_directory(path)

    def libraries(self) -> tuple[str, ...]:
        """Return sentences about the libraries: what is loaded, where is looked, what is skipped.

        Raises:
            Crashed, FarSideLost: the far side ended; the session has recovered.
        """
        with self._exclusive(), self._reviving("listing libraries"), self._gate.wait():
            return self._execution.found.describe(self._execution.program())

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
        return self.operate("main", lambda execution, _: call_main(execution, args))

    def close(self) -> Closing:
        """End the session: run exit handlers, then end both programs. May be called again.

        A cell that runs in another thread is interrupted. In a process that was forked from the one
        that started the session, nothing is done: it is not the owner.

        Raises:
            SessionBusy: a cell runs in this very thread, which called this from a signal handler.
        """
        if not self._turns.last(self._gate.interrupt):
            return Closing("", "", ())
        try:
            with self._gate.held():  # it takes a few seconds at most, and must not stop half way
                notices = self._execution.close()
                self._compiler.close()
        finally:
            self._end()
            self._turns.over()
        self._tracing.close()
        if self._file is not None:
            self._file.close()
        self._end_calls()
        return Closing(*self._output.take(), notices)

    # ------------------------------------------------------------------ facts

    @property
    def on_output(self) -> Callable[[str, bytes], None] | None:
        """What is given the output that the session captures, as it comes: ``stdout`` or
        ``stderr``, and bytes. It may `interrupt` the cell, and do nothing else with the session.
        """
        return self._output.live

    @on_output.setter
    def on_output(self, listener: Callable[[str, bytes], None] | None) -> None:
        self._output.live = listener

    @property
    def recovery_seconds(self) -> tuple[float, ...]:
        """How long it took the far side to come back, each time it had to."""
        return tuple(self._rescue.seconds)

    @property
    def worker_pid(self) -> int:
        """The process that runs the cells."""
        return self._execution.worker_pid

    @property
    def supervisor_pid(self) -> int:
        """The process that watches the worker.

        Raises:
            SetupError: there is none, or not on this machine. No number stands for that: to signals
                0 and -1 are whole groups of processes.
        """
        if (pid := self._execution.supervisor_pid) <= 0:
            raise SetupError("This session's far side has no supervisor on this machine.")
        return pid

    @property
    def compiler_pid(self) -> int:
        """The compiler's process."""
        return self._compiler.pid

    # ------------------------------------------------------------------ housekeeping

    def _exclusive(self) -> Turn:
        """Hold the session for one operation, with Ctrl-C held back outside of waits."""
        return Turn(self._turns, self._gate, self._write_down)

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            "a session has processes of its own and cannot be copied or pickled; `save` keeps its"
            " cells in a file"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
