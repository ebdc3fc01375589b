"""Running without a prompt: files, code on the command line, and standard input.

An input that fails does not keep those after it from running; the exit status tells in the end. The
exceptions are those that leave nothing to go on with: Ctrl-C, options that Clang refuses, a program
that is missing, and the end of a FILE by ``exit()`` or a signal, as it would end any program.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from farside.errors import Crashed, FarsideError, Interrupted
from farside.ui.inputs import EXIT_INTERRUPTED, EXIT_USAGE
from farside.ui.stream import InputStream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.ui.console import Console
    from farside.ui.inputs import Step

EXIT_FAILED = 1


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
        if step.kind == "source":
            status = _run_source(console, step.text, step.name)
            program = step.name
        elif step.kind == "stream":
            status = _run_stream(console, sys.stdin if stdin is None else stdin)
        else:
            run = console.load if step.kind == "link" else console.execute
            status = None if run(step.text) else _fatal_status(console)
        if status is not None:
            return status
        if console.quit:
            break
    if program is not None and not console.failures and console.session.defines_main():
        return _call_main(console, [program, *args])
    return EXIT_FAILED if console.failures else 0


def _run_stream(console: Console, stream: TextIO) -> int | None:
    inputs = InputStream(stream)
    console.session.upcoming = inputs.upcoming
    try:
        for text in inputs:
            if not console.execute(text):
                status = _fatal_status(console)
                if status is not None:
                    return status
            if console.quit:
                break
    finally:
        console.session.upcoming = None
    return None


def _run_source(console: Console, code: str, file: str) -> int | None:
    """Run a file as a cell; return the exit status if that is the end of the script."""
    if not code.strip():
        return None
    try:
        console.run(code, file)
    except Crashed as error:
        return _died(console, error)
    except FarsideError as error:
        console.fail(error)
        return _fatal_status(console)
    return None


def _call_main(console: Console, argv: Sequence[str]) -> int:
    console.begin()
    try:
        return console.session.call_main(argv) & 0xFF
    except Crashed as error:
        return _died(console, error)
    except FarsideError as error:
        console.fail(error)
        fatal = _fatal_status(console)
        return EXIT_FAILED if fatal is None else fatal


def _died(console: Console, error: Crashed) -> int:
    """Return the status of a program that ended itself; ``exit()`` is no failure to report."""
    report = error.report
    if report.exit_status is not None:
        return report.exit_status
    console.fail(error)
    return 128 + report.status


def _fatal_status(console: Console) -> int | None:
    """Return the exit status if there is nothing to go on with after the last error."""
    if isinstance(console.last_error, Interrupted):
        return EXIT_INTERRUPTED
    return EXIT_USAGE if console.hopeless else None
