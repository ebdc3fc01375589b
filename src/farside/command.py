"""What the command ``farside`` does.

Only what is needed to start the session's two processes is imported before they are started; see
`farside.ui.arguments` for what the command line means.
"""

from __future__ import annotations

import gc
import os
import sys

from farside.annotations import TYPE_CHECKING
from farside.errors import FarsideError
from farside.ui.arguments import HELP, parse_arguments
from farside.ui.inputs import EXIT_USAGE, read_inputs

if TYPE_CHECKING:
    from farside.options import Options
    from farside.ui.arguments import Invocation

_EXIT_INTERNAL = 70  # EX_SOFTWARE of sysexits.h
_EXIT_BROKEN_PIPE = 141  # 128 + SIGPIPE, as a program that the signal ends


def run(words: list[str]) -> int:
    """Do what the words after the command's name say, and return its exit status."""
    try:
        if words and words[0] == "link":
            from farside.ui.link_command import main as link_main

            return link_main(words[1:])
        if words and words[0] == "run":
            from farside.ui.run_command import main as run_main

            return run_main(words[1:])
        if words and words[0] == "executor":
            from farside.executor_command import main as executor_main

            return executor_main(words[1:])
        if words and words[0] == "bench":
            from farside.bench.command import main as bench_main

            return bench_main(words[1:])
        return _dispatch(parse_arguments(words))
    except FarsideError as error:
        _complain(str(error))
        return EXIT_USAGE
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return _EXIT_BROKEN_PIPE
    except OSError as error:
        # Our own output cannot be written, on a full disk for instance; the interpreter would try
        # again at its end, and complain.
        _complain(str(error))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_USAGE
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
    options = invocation.options
    if invocation.resume is None:
        from farside.frontend.start import start_early
        from farside.permitted import permitted

        start_early(permitted(options))
    from farside.ui.script import EXIT_FAILED, first_cell, run_script
    from farside.ui.stream import InputStream

    stream = InputStream(sys.stdin)
    if invocation.resume is None and (code := first_cell(steps, stream)) is not None:
        from farside.frontend.start import begin_early

        begin_early(code)
    from farside.session import Session

    if invocation.resume is not None:
        gc.enable()  # many cells may be run again
        changes = {name: getattr(options, name) for name in invocation.chosen}
        session = Session.resume(invocation.resume, **changes)
    else:
        session = Session(options)
    from farside.ui.console import Console
    from farside.ui.terminal import Terminal

    gc.freeze()  # what is there now stays, and need not be looked at again and again
    gc.enable()
    console = Console(session, terminal=Terminal.of_streams())
    status = _EXIT_INTERNAL
    try:
        if invocation.journal is not None:
            session.save(invocation.journal, replace=False)
        if session.resumed is not None:
            for notice in session.resumed.notices:
                console.notice(notice)
        if interactive:
            from farside.ui.repl import BANNER, ask, make_reader, run_repl

            session.confirm = ask
            print(BANNER)
            status = run_repl(console, make_reader())
        else:
            status = run_script(console, steps, invocation.args, stream)
    except BrokenPipeError:
        session.close()  # nobody reads what it has to say
        raise
    finally:
        notices = session.close().notices
        if console.terminal is not None:
            console.terminal.give_back()
        for notice in notices:
            console.notice(notice)
    # A program that fails in its destructors or exit handlers has failed.
    return EXIT_FAILED if notices and status == 0 else status


def _prepare(options: Options) -> int:
    from farside.frontend.client import find_compiler
    from farside.frontend.pch import prepare_pch

    prepare_pch(options, find_compiler(options))
    return 0


def _complain(message: str) -> None:
    sys.stderr.write(f"farside: {message}\n")
