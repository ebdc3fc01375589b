"""The near side is ended by a signal, in whatever it is doing: nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Traces

PRELUDE = """
import os, signal, sys
from farside.options import Options
from farside.session import Session
options = Options(output="capture", on_loss="replay")
announce = 'write(open("pipe", O_WRONLY), "x", 1); for (;;) pause();'
headers = "#include <csignal>\\n#include <fcntl.h>\\n#include <unistd.h>\\nint x = 1;"
def start(**changes):
    session = Session(options.with_(**changes))
    session.save("journal")
    session.run(headers)
    return session
"""

# Each ends in code, of Python or of a cell, that writes to a pipe of this name and goes on.
PHASES = {
    "starting": "session = Session(options); open('pipe', 'w').write('x'); session.run(headers)",
    "compiling": "start().run('#include \"pipe\"')",
    "running": "start().run(announce)",
    "running, with orphans": (
        "start().run('for (int n = 0; n < 3; ++n) if (!fork()) { setsid(); if (fork()) _exit(0);"
        " for (;;) pause(); }' + announce)"
    ),
    "running, with a stopped supervisor": "start().run('kill(getppid(), SIGSTOP);' + announce)",
    "stopped": (
        'start().run(\'kill(getppid(), SIGSTOP); write(open("pipe", O_WRONLY), "x", 1);'
        " for (;;) raise(SIGSTOP);')"
    ),
    "with another supervisor, stopped": (
        "session = start(); os.kill(session.supervisor_pid, signal.SIGKILL)\n"
        "try: session.run('++x;')\n"
        "except Exception: pass\n"
        "session.run('kill(getppid(), SIGSTOP);' + announce)"
    ),
    "with another supervisor": (
        "session = start(); os.kill(session.supervisor_pid, signal.SIGKILL)\n"
        "try: session.run('++x;')\n"
        "except Exception: pass\n"
        "session.run('if (!fork()) { setsid(); for (;;) pause(); }')\n"
        "session.run(announce)"
    ),
    "running cells again": (
        "session = start(snapshots=0)\n"
        "session.run('if (!access(\"flag\", F_OK)) { if (!fork()) for (;;) pause();'"
        " + announce + '}')\n"
        "open('flag', 'w').close(); session.run('raise(SIGKILL);')"
    ),
    "resuming": (
        "session = start()\n"
        "session.run('if (!access(\"flag\", F_OK)) {' + announce + '}')\n"
        "open('flag', 'w').close(); session.close(); Session.resume('journal')"
    ),
    "closing": (
        "session = start()\nsession.run('struct S { ~S() {' + announce + '} } s;'); session.close()"
    ),
}


@pytest.mark.parametrize("phase", list(PHASES))
def test_nothing_is_left_of_a_killed_near_side(
    leaves_nothing: Traces, tmp_path: Path, phase: str
) -> None:
    end_near_side(signal.SIGKILL, leaves_nothing, tmp_path, phase)


def test_nothing_is_left_of_a_terminated_near_side(leaves_nothing: Traces, tmp_path: Path) -> None:
    end_near_side(signal.SIGTERM, leaves_nothing, tmp_path, "stopped")


def end_near_side(
    number: signal.Signals, leaves_nothing: Traces, tmp_path: Path, phase: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    # Clang opens the pipe to read, everything else to write; it can be opened when they do.
    mode = os.O_WRONLY if phase == "compiling" else os.O_RDONLY
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + PHASES[phase]],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    ) as near:
        descriptor = os.open(tmp_path / "pipe", mode)
        if mode == os.O_RDONLY:
            assert os.read(descriptor, 1) == b"x"
        near.send_signal(number)
        near.wait()
        leaves_nothing.check()
        os.close(descriptor)
