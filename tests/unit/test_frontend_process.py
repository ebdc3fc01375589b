"""The compiler's process, with other programs in its place."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from farside.frontend import process
from farside.frontend.process import Child, drop_spare, launch, launch_spare
from tests.conftest import Traces


def program(directory: Path, text: str) -> str:
    """Return a program that is a shell script; descriptor 3 is its socket."""
    path = directory / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def said(child: Child) -> bytes:
    """Return all that a program writes to its socket, which is closed here."""
    with socket.socket(fileno=child.descriptor) as near:
        found = b""
        while piece := near.recv(4096):
            found += piece
        return found


def test_a_program_has_its_socket_and_no_standard_streams(tmp_path: Path) -> None:
    child = launch(program(tmp_path, 'echo "$1" >&3; readlink /proc/self/fd/0 >&3'))
    assert said(child) == b"--fd=3\n/dev/null\n"
    assert child.wait(60)
    assert child.signal == 0
    child.kill()  # which is none of ours any more


def test_the_end_of_a_program_is_awaited_and_no_longer_than_asked_for(tmp_path: Path) -> None:
    child = launch(program(tmp_path, "exec cat <&3"))
    assert not child.wait(0)
    assert child.signal is None
    child.kill()
    assert child.wait(60)
    assert child.signal == signal.SIGKILL
    assert child.wait(0)
    os.close(child.descriptor)


def test_an_end_that_somebody_else_has_waited_for_is_an_end(tmp_path: Path) -> None:
    child = launch(program(tmp_path, "exit 1"))
    os.waitpid(child.pid, 0)
    assert child.wait(60)
    assert child.signal is None
    os.close(child.descriptor)


def test_a_program_that_cannot_be_run_leaves_no_socket(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        launch(str(tmp_path / "nothing"))
    assert os.listdir("/proc/self/fd") == before


def test_a_spare_is_for_who_wants_that_very_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    first = program(tmp_path, "exec cat <&3")
    other = program(tmp_path / "other", "exec cat <&3")
    monkeypatch.setenv("FARSIDE_COMPILER", first)
    launch_spare()
    (spare,) = process._spare
    assert launch(first) is spare
    launch_spare()
    (unwanted,) = process._spare
    taken = launch(other)
    assert process._spare == []
    assert unwanted.signal == signal.SIGKILL
    assert taken.program == other
    launch_spare()
    (dropped,) = process._spare
    drop_spare()
    assert dropped.signal == signal.SIGKILL
    for each in (spare, taken):
        os.close(each.descriptor)
        assert each.wait(60)


def test_a_spare_that_cannot_be_run_is_nobodys_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARSIDE_COMPILER", str(tmp_path / "nothing"))
    launch_spare()
    assert process._spare == []


def test_who_is_not_trusted_is_ended_with_all_that_it_has_started(
    tmp_path: Path, leaves_nothing: Traces
) -> None:
    child = launch(program(tmp_path, "trap '' INT TERM HUP; sleep 1000000 & echo >&3; wait"))
    assert os.read(child.descriptor, 1) == b"\n"
    os.close(child.descriptor)
    child.kill()
    assert child.wait(60)
    leaves_nothing.check()


def test_what_a_program_leaves_that_is_not_trusted_ends_with_it(
    tmp_path: Path, leaves_nothing: Traces
) -> None:
    child = launch(program(tmp_path, "sleep 1000000 3<&- & exit 5"))
    assert said(child) == b""
    assert child.wait(60)
    assert (child.signal, child.status) == (0, 5)
    leaves_nothing.check()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_who_is_not_trusted_ends_with_who_started_it(
    tmp_path: Path, leaves_nothing: Traces, number: signal.Signals
) -> None:
    path = program(tmp_path, "trap '' TERM IO; sleep 1000000 & echo >&3; wait")
    starter = (
        "import os, signal\n"
        "from farside.frontend.process import launch\n"
        f"os.read(launch({path!r}).descriptor, 1)\n"
        f"os.kill(os.getpid(), {number})\n"
    )
    assert subprocess.run([sys.executable, "-c", starter], check=False).returncode == -number
    leaves_nothing.check()


def test_who_is_trusted_sees_to_its_own_end(tmp_path: Path) -> None:
    """What stands between may wait for the compiler, which has forks that sleep."""
    child = launch(program(tmp_path, "echo >&3; cat <&3 >&2; echo end >&3"))
    assert os.read(child.descriptor, 1) == b"\n"
    child.trust()
    with socket.socket(fileno=os.dup(child.descriptor)) as near:
        near.shutdown(socket.SHUT_WR)
    assert said(child) == b"end\n"
    assert child.wait(60)
    assert child.status == 0
