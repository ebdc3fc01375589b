"""Running without a prompt: files, code on the command line, and standard input.

An input that fails does not keep those after it from running; the exit status tells in the end. The
exceptions are those that leave nothing to go on with: Ctrl-C, options that Clang refuses, a program
that is missing, and the end of a FILE by ``exit()`` or a signal, as it would end any program.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.errors import Crashed, FarsideError, Interrupted
from farside.source.cells import is_command
from farside.ui.inputs import EXIT_INTERRUPTED, EXIT_USAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.ui.console import Console
    from farside.ui.inputs import Step
    from farside.ui.stream import InputStream

EXIT_FAILED = 1


def first_cell(steps: Sequence[Step], stream: InputStream) -> str | None:
    """Return the cell that `run_script` will run first, if that is known without waiting for it."""
    for step in steps:
        if step.kind == "stream":
            return stream.first()
        if step.kind == "code":
            return None if is_command(step.text) else step.text
        if step.kind == "source" and step.text.strip():
            return step.text
    return None


def run_script(
    console: Console, steps: Sequence[Step], args: Sequence[str], stream: InputStream
) -> int:
    """Run `steps` in order and return the exit status.

    Args:
        console: where to.
        steps: from `read_inputs`.
        args: what ``main`` gets after its own name.
        stream: standard input.
    """
    program: str | None = None
    for step in steps:
        if step.kind == "source":
            status = _run_source(console, step.text, step.name)
            program = step.name
        elif step.kind == "stream":
            status = _run_stream(console, stream)
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


def _run_stream(console: Console, inputs: InputStream) -> int | None:
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
