"""One input, from its text to what the user sees.

Values go to standard output; diagnostics, errors and notices to standard error. The prompt and the
script modes share this, so that an input looks the same however it came.
"""

from __future__ import annotations

import os
import sys

from farside.annotations import TYPE_CHECKING, Protocol, TextIO
from farside.errors import (
    CompileError,
    CppException,
    Crashed,
    FarsideError,
    Interrupted,
    OptionError,
    SetupError,
)
from farside.source.cells import is_command
from farside.ui.render import (
    in_files,
    render_diagnostics,
    render_error,
    render_notice,
    wants_colour,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farside.frontend.diagnostics import Diagnostic
    from farside.result.bundle import Display
    from farside.result.value import Value
    from farside.ui.terminal import Terminal


_SHOWN = 72  # characters of a cell in the history
ASKED = "the cell was asked to end; Ctrl-C again takes it back"
TERMINAL_TAKEN_BACK = "the cell had changed the terminal's settings; they are as before it"
TERMINAL_GIVEN_BACK = "the program had changed the terminal's settings; they are as before it"


class Result(Protocol):
    """What the console reads of a `farside.session.CellResult`."""

    @property
    def value(self) -> Value | None:
        """The last expression's, if it is to be shown."""

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Clang's warnings."""

    @property
    def stdout(self) -> str:
        """What the cell wrote, where the session captures it."""

    @property
    def stderr(self) -> str:
        """What the cell wrote, where the session captures it."""

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the user."""

    @property
    def timings(self) -> Mapping[str, float]:
        """Seconds by phase: ``compile``, ``link`` and ``run``, and others."""


class Past(Protocol):
    """What the console reads of a `farside.session.Past`."""

    @property
    def cell(self) -> int:
        """The cell's number."""

    @property
    def code(self) -> str:
        """Its source."""

    @property
    def kept(self) -> bool:
        """Whether the state after it can be gone back to."""

    @property
    def checkpoints(self) -> tuple[str, ...]:
        """Names of that state."""


class Variable(Protocol):
    """What the console reads of a `farside.outcome.Variable`."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def type(self) -> str:
        """Its type."""

    @property
    def text(self) -> str:
        """Its value, on one line; empty where there is none."""


class SessionLike(Protocol):
    """What the user interfaces need of a `farside.session.Session`."""

    next_cell: int
    on_display: Callable[[Display], None] | None
    on_asked: Callable[[], None] | None
    upcoming: Callable[[], str | None] | None

    def run(self, code: str) -> Result:
        """Compile, link and run a cell."""

    def undo(self, count: int = 1) -> tuple[str, ...]:
        """Take back cells; return sentences for the user."""

    def checkpoint(self, name: str) -> None:
        """Keep the present state under a name."""

    def restore(self, name: str) -> tuple[str, ...]:
        """Go back to a checkpoint; return sentences for the user."""

    def history(self) -> Sequence[Past]:
        """Return the accepted cells, oldest first."""

    def type_of(self, expression: str) -> str:
        """Return the type of an expression that is not evaluated, or of a type's name."""

    def variables(self, pattern: str = "*") -> Sequence[Variable]:
        """Return the variables whose names are like a pattern."""

    def load(self, path: str) -> str:
        """Load a library or link an object; return a sentence about it."""

    def save(self, path: str) -> str:
        """Keep the cells in a file from now on; return a sentence about it."""

    def add_library_dir(self, path: str) -> None:
        """Look for libraries in a directory first."""

    def libraries(self) -> Sequence[str]:
        """Return sentences about the libraries."""

    def defines_main(self) -> bool:
        """Tell whether a cell has defined ``main``."""

    def call_main(self, args: Sequence[str]) -> int:
        """Call ``main`` with `args` as its whole ``argv``."""


class Console:
    """Runs inputs in a session and shows what comes of them.

    Attributes:
        failures: how many inputs failed.
        last_error: the error of the last input, or None if it went well.
        quit: whether ``%quit`` was given.
        hopeless: whether no cell can go better: a program is missing, or Clang refuses the options.
        terminal: which the far side shares; None where there is none.
    """

    def __init__(
        self,
        session: SessionLike,
        out: TextIO | None = None,
        err: TextIO | None = None,
        terminal: Terminal | None = None,
    ) -> None:
        self.session = session
        self.terminal = terminal
        self.failures = 0
        self.last_error: FarsideError | None = None
        self.quit = False
        self.hopeless = False
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self._colour = wants_colour(self._err)
        self._files: dict[str, str] = {}  # of cells that are files
        session.on_display = self._display
        session.on_asked = self._asked

    def execute(self, text: str) -> bool:
        """Run one input, a cell's code or a ``%`` command; return whether it went well."""
        return self._guarded(self._command if is_command(text) else self._cell, text)

    def load(self, path: str) -> bool:
        """Load a library or link an object; return whether it went well."""
        return self._guarded(self._load, path)

    def run(self, code: str, file: str = "") -> None:
        """Run a cell and show its value.

        Args:
            code: its source.
            file: the file that it is, if any; Clang's messages name it.

        Raises:
            FarsideError: the cell failed.
        """
        self._run(code, file)

    def _cell(self, text: str) -> None:
        """Run an input that is a cell; one that looks like a command may be meant as one.

        Raises:
            FarsideError: the cell failed.
        """
        try:
            value = self._run(text).value
        except CompileError as error:
            if hint := _command_hint(text):
                error.add_note(hint)
            raise
        if (
            value is not None
            and value.text.startswith("Function @")
            and (hint := _command_hint(text))
        ):
            self.notice(hint)

    def _run(self, code: str, file: str = "") -> Result:
        """Run a cell, show its value and return what came of it.

        Raises:
            FarsideError: the cell failed.
        """
        self.begin()
        self._files[f"cell {self.session.next_cell}"] = file
        try:
            result = self.session.run(code)
        except (OptionError, SetupError):
            self.hopeless = True
            raise
        self._pass_on(result)
        if result.diagnostics:
            shown = in_files(result.diagnostics, self._files)
            self.complain(render_diagnostics(shown, colour=self._colour))
        self._notices(result.notices)
        if result.value is not None:
            self._out.write(f"{result.value}\n")
        self._out.flush()
        return result

    def _run_alone(self, code: str) -> Result:
        """Run a cell, with no other compiled beside it; see `_run`."""
        upcoming, self.session.upcoming = self.session.upcoming, None
        try:
            return self._run(code)
        finally:
            self.session.upcoming = upcoming

    def _display(self, display: Display) -> None:
        """Show what a cell displays while it runs; a terminal has no place for updates."""
        self._out.write(f"{display}\n")
        self._out.flush()

    def _asked(self) -> None:
        """Say what the first Ctrl-C did, and that there may be a second."""
        self.notice(ASKED)

    def fail(self, error: FarsideError) -> None:
        """Show an error and count it.

        Raises:
            BrokenPipeError: the program died of it, because nobody reads our output any more.
        """
        if not isinstance(error, CppException):  # after which the cell stays
            self._take_terminal_back(error)
        if isinstance(error, Crashed) and error.report.signal_name == "SIGPIPE":
            _check_reader(self._out)
        self._pass_on(error)
        self.failures += 1
        self.last_error = error
        self.complain(render_error(error, colour=self._colour, files=self._files))

    def begin(self) -> None:
        """Note what code that runs now could change."""
        if self.terminal is not None:
            self.terminal.begin_cell()

    def _take_terminal_back(self, error: FarsideError) -> None:
        """Undo what a cell that is taken back did to the terminal."""
        if self.terminal is not None and self.terminal.take_back():
            error.add_note(TERMINAL_TAKEN_BACK)

    def give_terminal_back(self) -> None:
        """Leave the terminal to the user as it was before cells used it."""
        if self.terminal is not None and self.terminal.give_back():
            self.notice(TERMINAL_GIVEN_BACK)

    def notice(self, text: str) -> None:
        """Show something the user should know."""
        self.complain(render_notice(text, colour=self._colour))

    def complain(self, text: str) -> None:
        """Write whole lines to standard error."""
        self._err.write(text + "\n")
        self._err.flush()

    def _pass_on(self, ran: Result | FarsideError) -> None:
        """Write captured output; without capture the far side has written it itself."""
        self._out.write(ran.stdout)
        self._err.write(ran.stderr)

    def _guarded(self, action: Callable[[str], None], text: str) -> bool:
        self.last_error = None
        self.begin()
        try:
            if not _is_utf8(text):
                raise OptionError("this input is not UTF-8")
            action(text)
        except KeyboardInterrupt:
            # Ctrl-C that came when the session was not waiting for anything.
            self.fail(Interrupted("interrupted"))
        except FarsideError as error:
            self.fail(error)
        return self.last_error is None

    def _notices(self, notices: Sequence[str]) -> None:
        for notice in notices:
            self.notice(notice)

    def _load(self, path: str) -> None:
        notice = self.session.load(path)
        if notice:
            self.notice(notice)

    def _list_variables(self, pattern: str) -> None:
        found = self.session.variables(pattern)
        self._out.write("".join([f"{variable_line(each)}\n" for each in found]))
        self._out.flush()
        if not found:
            self.notice(no_variables(pattern))

    def _command(self, text: str) -> None:
        from farside.source import commands

        command = commands.parse_command(text)
        if isinstance(command, commands.Help):
            self._out.write(commands.HELP_TEXT + "\n")
            self._out.flush()
        elif isinstance(command, commands.Undo):
            self._notices(self.session.undo(command.cells))
        elif isinstance(command, commands.Checkpoint):
            self.session.checkpoint(command.name)
        elif isinstance(command, commands.Restore):
            self._notices(self.session.restore(command.name))
        elif isinstance(command, commands.History):
            self._out.write("".join([past_line(past) for past in self.session.history()]))
            self._out.flush()
        elif isinstance(command, commands.Save):
            self.notice(self.session.save(command.path))
        elif isinstance(command, commands.Time):
            self.notice(_times(self._run_alone(command.code).timings))
        elif isinstance(command, commands.Type):
            self._out.write(f"{self.session.type_of(command.expression)}\n")
            self._out.flush()
        elif isinstance(command, commands.Vars):
            self._list_variables(command.pattern)
        elif isinstance(command, commands.Lib):
            self._load(command.path)
        elif isinstance(command, commands.LibDir):
            path = os.path.abspath(command.path)
            self.session.add_library_dir(path)
            if not os.path.isdir(path):
                self.notice(f"{path} is no directory of this machine")
        elif isinstance(command, commands.Libs):
            self._out.write("".join([f"{line}\n" for line in self.session.libraries()]))
            self._out.flush()
        else:
            self.quit = True


def _command_hint(text: str) -> str:
    """See `farside.source.commands.command_hint`; a cell that goes well needs no commands."""
    from farside.source.commands import command_hint

    return command_hint(text)


def variable_line(variable: Variable) -> str:
    """Return a variable as a list has it."""
    value = f" = {variable.text}" if variable.text else ""
    return f"{variable.type} {variable.name}{value}"


def no_variables(pattern: str) -> str:
    """Say that there are no variables, or none like a pattern."""
    return "there are no variables" + ("" if pattern == "*" else f" like {pattern}")


def _times(timings: Mapping[str, float]) -> str:
    """Say how long a cell took; one that only defines something runs nothing."""
    phases = (("compiled", "compile"), ("linked", "link"), ("run", "run"))
    told = [(done, timings.get(name, 0.0)) for done, name in phases]
    return ", ".join([f"{done} in {_duration(seconds)}" for done, seconds in told if seconds > 0])


def _duration(seconds: float) -> str:
    """Return a time in the unit that leaves one to three digits before the point."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.2f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"


def past_line(past: Past) -> str:
    """Return one cell of the history, on one line."""
    lines = past.code.strip().splitlines() or [""]
    code = lines[0] if len(lines) == 1 else f"{lines[0]} …"
    if len(code) > _SHOWN:
        code = code[: _SHOWN - 1] + "…"
    names = f"  [{', '.join(past.checkpoints)}]" if past.checkpoints else ""
    return f"{past.cell:4} {'*' if past.kept else ' '} {code}{names}\n"


def _check_reader(out: TextIO) -> None:
    """Raise BrokenPipeError if `out` is a pipe or socket whose reader has gone."""
    from select import POLLERR, POLLHUP, poll

    poller = poll()
    try:
        poller.register(out, 0)
    except OSError:  # no file
        return
    if any(events & (POLLERR | POLLHUP) for _, events in poller.poll(0)):
        raise BrokenPipeError


def _is_utf8(text: str) -> bool:
    """Tell whether text came in whole: what cannot be decoded arrives as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
