"""The command with a compiler that is none."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from farside.ui.inputs import EXIT_INTERRUPTED, EXIT_USAGE
from tests.conftest import Farside, Traces


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    """Return a program that never speaks; it and its child hold the pipe beside it, where it has
    said that it runs.
    """
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / "silent"
    path.write_text(
        f"#!/bin/sh\nexec 9> {tmp_path}/pipe\ntrap '' INT TERM HUP\n"
        "sleep 1000000 &\necho >&9\nwait\n"
    )
    path.chmod(0o755)
    return path


def test_a_program_that_ends_at_once_is_named(farside_run: Farside, leaves_nothing: Traces) -> None:
    done = farside_run("-c", "1", env={"FARSIDE_COMPILER": "/bin/true"})
    assert done.returncode == EXIT_USAGE
    assert "The compiler program /bin/true ended before it answered" in done.stderr
    assert "Set FARSIDE_COMPILER" in done.stderr
    assert "Clang crashed" not in done.stderr
    leaves_nothing.check()


def ended_by(command: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal, as often as a user would who sees that nothing happens.

    Python loses a Ctrl-C that comes while it calls a weak reference back, as at each import.
    """
    for _ in range(9):  # it waits longer for an answer
        command.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return command.wait(3)
    raise AssertionError("it does not end")


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, EXIT_INTERRUPTED), (signal.SIGTERM, -signal.SIGTERM)],
)
def test_who_waits_for_a_silent_program_can_be_ended(
    farside_command: list[str],
    silent: Path,
    leaves_nothing: Traces,
    number: signal.Signals,
    status: int,
) -> None:
    pipe = os.open(silent.with_name("pipe"), os.O_RDONLY | os.O_NONBLOCK)
    command = subprocess.Popen(
        [*farside_command, "-c", "1"],
        env={**os.environ, "FARSIDE_COMPILER": str(silent)},
        stderr=subprocess.DEVNULL,
    )
    assert select.select([pipe], [], [], 60)[0]
    os.set_blocking(pipe, True)
    assert os.read(pipe, 1) == b"\n"
    assert ended_by(command, number) == status
    assert os.read(pipe, 1) == b""
    os.close(pipe)
    leaves_nothing.check()
