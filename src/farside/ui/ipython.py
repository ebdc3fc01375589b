# IPython's decorators are untyped.
# mypy: disable-error-code="untyped-decorator,no-untyped-call,misc"
"""``%%cpp`` and ``%cpp`` in IPython and Jupyter: ``%load_ext farside``.

The cells run in one session of the shell's, which the first of them starts. Python values go in
and C++ values come out by name. Output comes as it is written, displays and values by their MIME
types, errors without a traceback: it would tell of farside, not of the cell.
"""

from __future__ import annotations

import codecs
import json
import sys
from argparse import ArgumentTypeError

from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from farside.annotations import TYPE_CHECKING, Any
from farside.api.literals import declaration
from farside.errors import FarsideError, OptionError
from farside.options import Options, changed
from farside.session import Session
from farside.source import commands
from farside.ui.console import TERMINAL_GIVEN_BACK, no_variables, past_line, variable_line
from farside.ui.render import render_diagnostics, render_error, render_notice
from farside.ui.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from IPython.core.interactiveshell import InteractiveShell

    from farside.options import OptionChanges
    from farside.outcome import CellResult
    from farside.result.bundle import Display
    from farside.result.value import Value

_SHORT = 1000  # numbers that are written down as C++ source

__all__ = ["CppMagics", "Shown", "load_ipython_extension", "unload_ipython_extension"]


class Shown:
    """The value of a cell, as a notebook shows it.

    Attributes:
        value: the value.
    """

    def __init__(self, value: Value) -> None:
        self.value = value

    def __repr__(self) -> str:
        return str(self.value)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """Return the value by MIME type, for IPython."""
        return _bundle({"text/plain": str(self.value), **self.value.bundle})


def _bundle(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a bundle as notebooks want it: JSON is sent as what it means."""
    found: dict[str, Any] = dict(texts)
    for name, text in texts.items():
        if name == "application/json" or name.endswith("+json"):
            try:
                found[name] = json.loads(text)
            except (ValueError, RecursionError):
                del found[name]
    return found


def _names(text: str) -> list[str]:
    """Read a list of names, ``a,b``."""
    names = [name for name in text.split(",") if name]
    for name in names:
        if not name.isidentifier():
            raise ArgumentTypeError(f"{name!r} is no name")
    return names


@magics_class
class CppMagics(Magics):
    """The magics of one shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._shell = shell
        self._session: Session | None = None
        self._changes: OptionChanges = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    @property
    def session(self) -> Session:
        """The session that the cells run in, started when it is first needed."""
        if self._session is None:
            self._session = self._started(self._changes)
        return self._session

    def _started(self, changes: OptionChanges) -> Session:
        session = Session(changed(Options(output="capture"), changes))
        session.on_display = self._publish
        session.on_output = self._write
        return session

    @magic_arguments()
    @argument("-i", "--input", type=_names, action="extend", help="Python names, as C++ variables")
    @argument("-o", "--output", type=_names, action="extend", help="C++ names, as Python variables")
    @argument("code", nargs="*", help="a line of C++")
    @line_cell_magic
    def cpp(self, line: str, cell: str | None = None) -> object:
        """Run C++.

        ``%%cpp -i a,b -o c`` runs the cell, with the Python values ``a`` and ``b`` as variables of
        fitting types before, and the C++ value ``c`` as a Python one afterwards.

        ``%cpp EXPRESSION`` is the expression's value as a Python object: ``n = %cpp v.size()``.
        """
        if cell is None:
            return self._quietly(lambda: self.session.eval(line))
        arguments = parse_argstring(self.cpp, line)
        if arguments.code:
            raise UsageError(f"%%cpp takes options in its line, not {' '.join(arguments.code)!r}")
        return self._quietly(lambda: self._run(cell, arguments.input or [], arguments.output or []))

    @magic_arguments()
    @argument("--std", help="the standard, such as c++20")
    @argument("--opt", type=int, help="the optimisation level, 0 to 3")
    @argument("--include", action="append", help="a directory for headers")
    @argument("--time-limit", type=float, help="seconds that a cell may run")
    @line_magic
    def cpp_session(self, line: str) -> None:
        """Start a new session for %%cpp, with these options; the one before ends."""
        arguments = parse_argstring(self.cpp_session, line)
        given = {name: value for name, value in vars(arguments).items() if value is not None}
        changes: OptionChanges = given  # type: ignore[assignment]

        def start() -> None:
            started = self._started(changes)  # with options that cannot be, all stays as it is
            self.close()
            self._session, self._changes = started, changes

        self._quietly(start)

    @line_magic
    def cpp_type(self, line: str) -> None:
        """Show the type of a C++ expression, which is not evaluated, or of a type's name."""
        if not line.strip():
            raise UsageError("%cpp_type needs an expression or the name of a type")
        print(self._quietly(lambda: self.session.type_of(line)))

    @line_magic
    def cpp_vars(self, line: str) -> None:
        """List the C++ variables with their types and values: ``%cpp_vars [PATTERN]``."""
        pattern = line.strip() or "*"
        found = self._quietly(lambda: self.session.variables(pattern))
        print("\n".join(map(variable_line, found)) or no_variables(pattern))

    @line_magic
    def cpp_undo(self, line: str) -> None:
        """Take back the newest C++ cell, or N: ``%cpp_undo [N]``.

        Each value that ``-i`` hands over is a cell of its own, and so is each ``%cpp``.
        """
        self._go(_parsed("undo", line))

    @line_magic
    def cpp_checkpoint(self, line: str) -> None:
        """Keep the present state under a name: ``%cpp_checkpoint NAME``."""
        self._go(_parsed("checkpoint", line))

    @line_magic
    def cpp_restore(self, line: str) -> None:
        """Go back to a checkpoint: ``%cpp_restore NAME``."""
        self._go(_parsed("restore", line))

    @line_magic
    def cpp_history(self, line: str) -> None:
        """List the C++ cells; ``*`` marks those whose state can be gone back to."""
        self._go(_parsed("history", line))

    def _go(self, command: commands.Command) -> None:
        """Go back in the session, or keep or list what can be gone back to."""

        def go() -> Sequence[str]:
            match command:
                case commands.Undo(count):
                    return self.session.undo(count)
                case commands.Checkpoint(name):
                    self.session.checkpoint(name)
                case commands.Restore(name):
                    return self.session.restore(name)
                case _:
                    print("".join(map(past_line, self.session.history())), end="")
            return ()

        self._say(self._quietly(go))

    def close(self) -> None:
        """End the session, if there is one; the next cell starts another."""
        if self._session is not None:
            session, self._session = self._session, None
            closing = session.close()
            self._say(closing.notices)

    def _run(self, cell: str, given: Sequence[str], wanted: Sequence[str]) -> Shown | None:
        for name in given:
            if name not in self._shell.user_ns:
                raise UsageError(f"%%cpp -i {name}: there is no Python variable of that name")
            self._define(name, self._shell.user_ns[name])
        result = self.session.run(cell)
        self._tell(result)
        for name in wanted:
            self._shell.user_ns[name] = self.session.eval(name)
        return None if result.value is None else Shown(result.value)

    def _define(self, name: str, value: Any) -> None:
        """Define a C++ variable that holds a Python value."""
        dtype = getattr(value, "dtype", None)
        if dtype is not None and dtype.kind in "iufc" and value.size >= _SHORT:
            # Not as source: its numbers are handed over as they are.
            self.session.run(declaration(name, value[:0]))
            self.session.call(f"{name}.operator=", value)
        elif callable(value):
            handed = self.session.new("farside::Callable", value)
            self.session.run(f"#include <farside/callable.h>\nfarside::Callable {name} = {handed};")
        else:
            self.session.run(declaration(name, value))

    def _quietly(self, action: Any) -> Any:
        """Do something; an error of farside's is shown as it is, without a traceback.

        The shell's terminal, if there is one, is afterwards as it was.
        """
        terminal = Terminal.of_streams()
        try:
            return action()
        except FarsideError as error:
            text = render_error(error, colour=False)
            error._render_traceback_ = text.splitlines  # type: ignore[attr-defined]
            raise
        finally:
            for name, decoder in self._decoders.items():
                _stream(name).write(decoder.decode(b"", final=True))
            self._decoders.clear()
            if self._session is not None:
                self._session.take_output()  # it was written as it came
            if terminal is not None and terminal.give_back():
                self._say([TERMINAL_GIVEN_BACK])

    def _tell(self, result: CellResult) -> None:
        if result.diagnostics:
            print(render_diagnostics(result.diagnostics, colour=False), file=sys.stderr)
        self._say(result.notices)

    def _say(self, notices: Sequence[str]) -> None:
        for notice in notices:
            print(render_notice(notice, colour=False), file=sys.stderr)

    def _write(self, name: str, data: bytes) -> None:
        """Write what the program has written; a character may come in two parts."""
        decoder = self._decoders.get(name)
        if decoder is None:
            decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            self._decoders[name] = decoder
        _stream(name).write(decoder.decode(data))
        _stream(name).flush()

    def _publish(self, display: Display) -> None:
        """Show what the program shows."""
        self._shell.display_pub.publish(
            data=_bundle(display.data),
            metadata={},
            transient={} if display.id is None else {"display_id": display.id},
            update=display.update,
        )


def _parsed(name: str, line: str) -> commands.Command:
    """Return what a magic is to do that means the same as a command of the terminal's.

    Raises:
        UsageError: its arguments are wrong.
    """
    try:
        return commands.parse_command(f"%{name} {line}")
    except OptionError as error:
        raise UsageError(str(error).replace("%", "%cpp_", 1)) from None


def _stream(name: str) -> Any:
    return sys.stdout if name == "stdout" else sys.stderr


_loaded: dict[int, CppMagics] = {}


def load_ipython_extension(ipython: InteractiveShell) -> None:
    """Add the magics to a shell: ``%load_ext farside``."""
    if id(ipython) in _loaded:
        return
    magics = CppMagics(ipython)
    _loaded[id(ipython)] = magics
    ipython.register_magics(magics)


def unload_ipython_extension(ipython: InteractiveShell) -> None:
    """End the session and take the magics away: ``%unload_ext farside``."""
    magics = _loaded.pop(id(ipython), None)
    if magics is None:
        return
    manager = ipython.magics_manager
    for known in manager.magics.values():
        for name in [name for name, each in known.items() if _belongs(each, magics)]:
            del known[name]
    if manager.registry.get(CppMagics.__name__) is magics:
        del manager.registry[CppMagics.__name__]
    magics.close()


def _belongs(magic: object, magics: CppMagics) -> bool:
    """Tell whether a magic is a method of these."""
    return getattr(magic, "__self__", None) is magics
