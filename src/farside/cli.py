"""The command ``farside``.

Only what is needed to start the session's two processes is imported before they are started; see
`farside.ui.arguments` for what the command line means.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from farside.errors import FarsideError
from farside.ui.arguments import HELP, parse_arguments
from farside.ui.inputs import EXIT_INTERRUPTED, EXIT_USAGE, read_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.options import Options
    from farside.ui.arguments import Invocation

_EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
_EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as a program that the signal ends


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (without the command's name) and return its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    try:
        if words and words[0] == "link":
            from farside.ui.link_command import main as link_main

            return link_main(words[1:])
        if words and words[0] == "run":
            from farside.ui.run_command import main as run_main

            return run_main(words[1:])
        return _dispatch(parse_arguments(words))
    except FarsideError as error:
        _complain(str(error))
        return EXIT_USAGE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _EXIT_BROKEN_PIPE
    except Exception as error:
        if os.environ.get("FARSIDE_TRACEBACK"):
            raise
        name = type(error).__name__
        _complain(f"internal error, {name}: {error} (FARSIDE_TRACEBACK=1 shows where)")
        return _EXIT_INTERNAL


def _dispatch(invocation: Invocation) -> int:
    if invocation.action == "help":
        sys.stdout.write(HELP)
        return 0
    if invocation.action == "version":
        import farside

        sys.stdout.write(f"farside {farside.__version__}\n")
        return 0
    if invocation.action == "prepare":
        return _prepare(invocation.options)
    return _run(invocation)


def _run(invocation: Invocation) -> int:
    interactive = not invocation.inputs and sys.stdin is not None and sys.stdin.isatty()
    steps = [] if interactive else read_inputs(invocation.inputs)
    from farside.session import Session

    session = Session(invocation.options)
    from farside.ui.console import Console

    console = Console(session)
    try:
        if interactive:
            from farside.ui.repl import BANNER, make_reader, run_repl

            print(BANNER)
            return run_repl(console, make_reader())
        from farside.ui.script import run_script

        return run_script(console, steps, invocation.args)
    finally:
        for notice in session.close().notices:
            console.notice(notice)


def _prepare(options: Options) -> int:
    from farside.frontend.client import find_compiler
    from farside.frontend.pch import build_pch, find_pch

    compiler = find_compiler(options)
    path = find_pch(options, compiler) or build_pch(options, compiler, wait=True)
    return 0 if path is not None and path.exists() else 1


def _complain(message: str) -> None:
    sys.stderr.write(f"farside: {message}\n")


if __name__ == "__main__":
    sys.exit(main())
