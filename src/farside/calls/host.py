"""The part of a session that calls what the program has."""

from __future__ import annotations

from contextlib import contextmanager

from farside.annotations import TYPE_CHECKING, Any, NoReturn
from farside.errors import CallError, CompileError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from farside.calls.caller import Calls
    from farside.calls.functions import Functions, Methods
    from farside.compiling import CellCompiler
    from farside.errors import FarsideError
    from farside.execution import ExecutionSession
    from farside.frontend.client import CompiledCell, Compiler
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.outcome import CellResult
    from farside.rescue import Rescue
    from farside.result.output import Output
    from farside.result.value import Value


class Calling:
    """What `farside.session.Session` inherits: `fn` and `call`.

    Nothing of calls is imported before the first.
    """

    options: Options
    _calls: Calls | None = None
    _call_output: tuple[str, str] = ("", "")
    _cells: CellCompiler
    _compiler: Compiler
    _execution: ExecutionSession
    _gate: InterruptGate
    _output: Output
    _rescue: Rescue

    if TYPE_CHECKING:

        def _exclusive(self) -> AbstractContextManager[None]: ...

        def _recovering(self, what: str) -> AbstractContextManager[None]: ...

        def _keep(self) -> None: ...

        def run(self, code: str) -> CellResult:
            """Run a cell."""

    @property
    def fn(self) -> Functions:
        """What the program has that can be called: ``session.fn.name(1, 2)``; see `call`."""
        from farside.calls.functions import Functions

        return Functions(self)

    def call(self, callee: str, *arguments: object, **named: object) -> Any:
        """Call a function, operator, constructor or anything else of the program's by its name.

        Clang chooses between overloads and converts, as for a call with such values in C++. The
        first call with arguments of these kinds is compiled.

        Args:
            callee: as C++ has it: ``"f"``, ``"std::max<double>"``, ``"operator+"``, ``"Point"``.
            arguments: see docs/calls.md for what becomes what.
            named: none; C++ knows no arguments by name.

        Returns:
            the result as Python has it; None for ``void``.

        Raises:
            UndefinedName, ArgumentMismatch, ArgumentCount, ValueGone: nothing was called.
            CppException: what the call did before it stays.
            Crashed, Interrupted, TimedOut, FarSideLost: the call is taken back; ``recovery`` says
                how.
            SessionBusy, SessionClosed, TypeError: wrong use.
        """
        if named:
            _refuse_named(callee, named)
        with self._exclusive():
            return self._make_call(callee, arguments, alive=False)

    def new(self, callee: str, *arguments: object, **named: object) -> Value:
        """Call a constructor, or a function, and keep its result alive in the program.

        Returns:
            a handle of the object, to be an argument of further calls: by reference, so that what
            they change stays. It lasts as long as the session, or until it is taken back.

        Raises: as `call`; CallError where the function that was called returns nothing, or an
            object whose type has no name, as that of a lambda.
        """
        if named:
            _refuse_named(callee, named)
        with self._exclusive():
            found = self._make_call(callee, arguments, alive=True)
            if found is None:
                raise CallError(
                    f"{callee} was called and returned nothing (void) that could be kept; what"
                    " returns nothing is called with session.fn",
                    callee,
                )
            if not found.name:
                raise CallError(
                    f"{callee} was called and returned an object of {found.type}: a type without a"
                    " name, by which nothing can refer to what is kept; define a variable in a"
                    f" cell, as in `auto name = {callee}(…);`, and make more of its type with"
                    ' session.new("decltype(name)", …)',
                    callee,
                )
            return found  # type: ignore[no-any-return]

    @property
    def call_output(self) -> tuple[str, str]:
        """What the newest call wrote, stdout and stderr, where the session captures output.

        What one wrote that raised is with the exception. `take_output` has that of all calls.
        """
        return self._call_output

    def _make_call(self, callee: str, arguments: Sequence[object], *, alive: bool) -> Any:
        """Make a call in this turn, with what it writes apart from what was written before."""
        self._revive("the call")
        self._check_code(callee)
        self._output.set_aside()
        self._call_output = ("", "")
        found = self._caller().call(callee, arguments, self._recovering, alive=alive)
        self._call_output = self._output.set_aside()
        return found

    def share(self, name: str, array: Any) -> Any:
        """Make a buffer that the program sees as the variable `name`, and this process as an array.

        A ``std::span`` of the elements there, a ``farside::ndspan`` of more dimensions. Both sides
        see what the other writes, at once and without order between them but that of calls and
        cells. The contents are not taken back with a cell or by `undo`. The variable is defined by
        a cell; the buffer outlives crashes of the program, and the session.

        Args:
            name: of the variable.
            array: gives elements, shape and contents.

        Returns:
            the array that is shared, of the same kind; the one that was given is not.

        Raises:
            OptionError: the program is on another machine, or the name is no name.
            ArgumentMismatch: it is no array, or of elements that C++ does not have.
        And what `run` raises.
        """
        from farside.calls.shared import make_shared, unnameable

        with self._exclusive(), self._reviving(f"sharing {name}"):
            with self._gate.wait():
                _ = self._execution.platform  # waits for the executor
            buffer = make_shared(name, array, self._execution)
            with self._gate.wait():
                self._execution.calls.share(buffer.key, buffer.memory)
            self._keep()
        try:
            self.run(buffer.code)
        except CompileError as error:
            raise unnameable(name, error) from None
        return buffer.array

    def of(self, value: Value) -> Methods:
        """Return the member functions of an object that is alive: ``session.of(value).name(1)``."""
        from farside.calls.functions import Methods

        return Methods(self, value)

    def _caller(self) -> Calls:
        if self._calls is None:
            from farside.calls.caller import Calls

            self._calls = Calls(
                self.options,
                self._compiler,
                execution=self._execution,
                rescue=self._rescue,
                output=self._output,
                gate=self._gate,
                names=self._cells.names,
            )
        return self._calls

    def _check_code(self, code: str) -> None:
        """Refuse what is no code, and code that mentions objects which are not there any more."""
        if not isinstance(code, str):
            raise TypeError(f"C++ code is a str, not {type(code).__name__}")
        if not code.isascii():
            _check_text(code)
        if "(*reinterpret_cast<" in code:
            self._caller().history.check_code(code)

    def _declared(self, compiled: CompiledCell, code: str) -> None:
        """Note what a new cell declares."""
        if self._calls is not None:
            self._calls.declared(compiled, code)

    def _note_living(self) -> None:
        """Take note of the objects that came within the value of a cell and live on."""
        if self._execution.given.has_living:
            kept = self._execution.calls.states_kept
            self._caller().history.note_living(kept - (self._execution.present is not None))

    def _revive(self, what: str) -> None:
        """Bring a program back that has ended while none of its code was to run.

        The next result of a cell says so.

        Args:
            what: is to be done next; it has not begun, so it loses nothing.

        Raises:
            FarSideLost: it could not be brought back as it was.
        """
        if self._rescue.has_ended():
            with self._recovering(what):
                self._rescue.bring_back(what, self._make_calls_again)

    @contextmanager
    def _reviving(self, what: str) -> Iterator[None]:
        """Do something with a program that lives, as safely as `run` does it."""
        self._revive(what)
        with self._recovering(what):
            yield

    def _make_calls_again(self, error: FarsideError) -> None:
        """Make calls again where the program went back to a state before them."""
        if self._calls is not None:
            self._calls.history.make_again(error)
        else:
            self._execution.calls.went_back = None

    def _forget_calls(self) -> None:
        """Take note where the program went back to an earlier state on purpose."""
        state, self._execution.calls.went_back = self._execution.calls.went_back, None
        if self._calls is not None and state is not None:
            self._calls.history.forget(state)

    def _end_calls(self) -> None:
        """Give back what the calls hold."""
        if self._calls is not None:
            self._calls.close()
        self._execution.calls.close()


def _refuse_named(callee: str, named: Mapping[str, object]) -> NoReturn:
    from farside.calls.functions import by_name

    raise by_name(callee, named)


def _check_text(code: str) -> None:
    """Refuse code that is no valid text.

    Raises:
        CompileError: it has a surrogate that stands alone, which no file can hold.
    """
    try:
        code.encode()
    except UnicodeEncodeError as error:
        line = code.count("\n", 0, error.start) + 1
        column = error.start - code.rfind("\n", 0, error.start)
        raise CompileError(
            f"the code is no valid text: it has a surrogate that stands alone,"
            f" {code[error.start]!r}, in line {line}, character {column}; bytes that are no UTF-8"
            " are written as escapes, such as \\xff"
        ) from None
