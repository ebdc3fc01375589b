"""Running without a prompt: files, code on the command line, and standard input.

An input that fails does not keep those after it from running; the exit status tells in the end. The
exceptions are those that leave nothing to go on with: Ctrl-C, options that Clang refuses, a program
that is missing, and the end of a FILE by ``exit()`` or a signal, as it would end any program.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from farside.errors import Crashed, FarsideError, Interrupted, OptionError, SetupError
from farside.source.cells import split_inputs
from farside.ui.arguments import CodeInput, FileInput, LinkInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.ui.arguments import Input
    from farside.ui.console import Console

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was read: one cell."""

    path: str
    code: str


Step = CodeInput | Source | LinkInput | None
"""What a script consists of; None is standard input, cell by cell."""


def read_inputs(inputs: Sequence[Input]) -> list[Step]:
    """Read the files among `inputs`, so that a wrong name is found before anything is started.

    Raises:
        OptionError: a file cannot be read or is not text.
    """
    return [_read(each) for each in inputs] or [None]


def _read(each: Input) -> Step:
    if not isinstance(each, FileInput):
        return each
    if each.path == "-":
        return None
    try:
        with open(each.path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise OptionError(f"{each.path}: {error.strerror}") from error
    if data.startswith((b"\x7fELF", b"!<arch>\n")):
        return LinkInput(each.path)
    if b"\0" in data:
        raise OptionError(f"{each.path}: this is a binary file, not C++")
    try:
        code = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OptionError(f"{each.path}: line {line} is not UTF-8") from error
    if code.startswith("#!"):
        code = "//" + code[2:]  # lines and columns stay as they are
    return Source(each.path, code)


def run_script(
    console: Console, steps: Sequence[Step], args: Sequence[str], stdin: TextIO | None = None
) -> int:
    """Run `steps` in order and return the exit status.

    Args:
        console: where to.
        steps: from `read_inputs`.
        args: what ``main`` gets after its own name.
        stdin: standard input, if not the process's own.
    """
    program: str | None = None
    for step in steps:
        if isinstance(step, Source):
            status = _run_source(console, step)
            program = step.path
        elif step is None:
            status = _run_stream(console, sys.stdin if stdin is None else stdin)
        else:
            done = (
                console.load(step.path)
                if isinstance(step, LinkInput)
                else console.execute(step.code)
            )
            status = None if done else _fatal_status(console.last_error)
        if status is not None:
            return status
        if console.quit:
            break
    if program is not None and not console.failures and console.session.defines_main():
        return _call_main(console, [program, *args])
    return EXIT_FAILED if console.failures else 0


def _run_stream(console: Console, stream: TextIO) -> int | None:
    for text in split_inputs(stream):
        if not console.execute(text):
            status = _fatal_status(console.last_error)
            if status is not None:
                return status
        if console.quit:
            break
    return None


def _run_source(console: Console, source: Source) -> int | None:
    """Run a file as a cell; return the exit status if that is the end of the script."""
    if not source.code.strip():
        return None
    try:
        console.run(source.code)
    except Crashed as error:
        return _died(console, error)
    except FarsideError as error:
        console.fail(error)
        return _fatal_status(error)
    return None


def _call_main(console: Console, argv: Sequence[str]) -> int:
    try:
        return console.session.call_main(argv) & 0xFF
    except Crashed as error:
        return _died(console, error)
    except FarsideError as error:
        console.fail(error)
        fatal = _fatal_status(error)
        return EXIT_FAILED if fatal is None else fatal


def _died(console: Console, error: Crashed) -> int:
    """Return the status of a program that ended itself; ``exit()`` is no failure to report."""
    report = error.report
    if report.exit_status is not None:
        return report.exit_status
    console.fail(error)
    return 128 + report.status


def _fatal_status(error: FarsideError | None) -> int | None:
    """Return the exit status if there is nothing to go on with after `error`."""
    if isinstance(error, Interrupted):
        return EXIT_INTERRUPTED
    if isinstance(error, SetupError):
        return EXIT_USAGE
    return None
