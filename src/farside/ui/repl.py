"""The prompt: an editor for cells on a terminal, and plain lines where that is not possible.

prompt_toolkit and Pygments are imported here, late: by then the session's two processes are
starting, and the imports take place beside that.
"""

from __future__ import annotations

import os
import sys

from farside.annotations import TYPE_CHECKING, Protocol
from farside.source.cells import InputBuffer, is_command
from farside.source.completeness import is_complete
from farside.ui.inputs import EXIT_USAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.key_binding.key_processor import KeyPressEvent

    from farside.ui.console import Console

BANNER = "farside: interactive C++. %help lists the commands, Ctrl-D quits."


class Reader(Protocol):
    """Where a prompt gets its inputs from."""

    def read(self, cell: int) -> str:
        """Ask for one finished input; an empty one is allowed.

        Raises:
            EOFError: the user is done.
            KeyboardInterrupt: the user wants to start the input over.
        """


def run_repl(console: Console, reader: Reader) -> int:
    """Ask for inputs and run them until the user is done; return the exit status, 0.

    The status is 2 if the loop ended because no input can go better.
    """
    while not console.quit:
        console.give_terminal_back()  # or nobody could type
        try:
            text = reader.read(console.session.next_cell)
        except KeyboardInterrupt:
            continue
        except EOFError:
            break
        if console.terminal is not None:
            console.terminal.note_choice()  # the user may have stopped this process meanwhile
        if text.strip():
            console.execute(text)
        if console.hopeless:
            return EXIT_USAGE
    return 0


def ask(question: str) -> bool:
    """Ask a question whose answer is yes unless it begins with n; the end of the input is no."""
    try:
        return not input(f"{question} [Y/n] ").strip().lower().startswith("n")
    except EOFError:
        return False


def prompt_for(cell: int) -> str:
    """Return the prompt of a cell."""
    return f"farside[{cell}]> "


def continuation_for(width: int) -> str:
    """Return the prompt of further lines, as wide as the first line's."""
    return "...> ".rjust(width)


def make_reader(environ: Mapping[str, str] = os.environ) -> Reader:
    """Return the best reader for the standard streams."""
    if environ.get("TERM", "dumb") == "dumb" or not sys.stdout.isatty():
        return PlainReader()
    return TerminalReader(colour=not environ.get("NO_COLOR"))


class PlainReader:
    """Reads lines with `input`, for terminals that cannot move the cursor."""

    def __init__(self) -> None:
        self._buffer = InputBuffer()

    def read(self, cell: int) -> str:
        """See `Reader`. At the end of the file an unfinished input is returned as it is."""
        prompt = prompt_for(cell)
        self._buffer.clear()
        while True:
            try:
                line = input(continuation_for(len(prompt)) if self._buffer.pending else prompt)
            except EOFError:
                rest = self._buffer.flush()
                if rest is None:
                    raise
                return rest
            except KeyboardInterrupt:
                print()
                raise
            text = self._buffer.push(line)
            if text is not None:
                return text


class TerminalReader:
    """An editor with history and colours; Enter inserts a line while the input is unfinished."""

    def __init__(self, *, colour: bool) -> None:
        from prompt_toolkit import PromptSession

        options = {}
        if colour:
            from prompt_toolkit.lexers import PygmentsLexer
            from pygments.lexers.c_cpp import CppLexer

            options["lexer"] = PygmentsLexer(CppLexer)
        self._session: PromptSession[str] = PromptSession(
            history=_history(),
            multiline=True,
            key_bindings=_key_bindings(),
            prompt_continuation=lambda width, _line, _wrapped: continuation_for(width),
            **options,  # type: ignore[arg-type]
        )

    def read(self, cell: int) -> str:
        """See `Reader`."""
        return self._session.prompt(prompt_for(cell))


def _key_bindings() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()

    @bindings.add("enter")
    def _(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        text = buffer.text
        at_end = not buffer.document.text_after_cursor.strip()
        if is_command(text) or (at_end and is_complete(text + "\n")):
            buffer.validate_and_handle()
        else:
            buffer.newline(copy_margin=True)

    @bindings.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    return bindings


def history_file() -> Path | None:
    """Return the file of what was typed, readable by its owner alone; None if there can be none."""
    from platformdirs import user_state_path

    path = user_state_path("farside") / "history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except OSError:
        return None
    return path


def _history() -> History:
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    path = history_file()
    return InMemoryHistory() if path is None else FileHistory(str(path))
