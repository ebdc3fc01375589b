"""What ends the processes of a killed supervisor where it ran."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from struct import pack

import pytest

from farside.remote import keeper
from farside.remote.leftovers import MARK_NAME, Mark, new_mark
from tests.traces import wait_for_end


@contextmanager
def process(mark: Mark) -> Iterator[int]:
    """Run a process of an executor's."""
    command = ["sleep", "1000000"]
    with subprocess.Popen(command, env={**os.environ, MARK_NAME: mark.text}) as running:
        try:
            yield running.pid
        finally:
            running.kill()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_all_end_but_those_that_are_kept() -> None:
    mark = new_mark()
    with ExitStack() as stack:
        kept, goes, stopped = (stack.enter_context(process(mark)) for _ in range(3))
        other = stack.enter_context(process(new_mark()))
        os.kill(stopped, signal.SIGSTOP)
        os.waitid(os.P_PID, stopped, os.WSTOPPED | os.WNOWAIT)
        stream = stack.enter_context(keeper.start(mark))
        assert keeper.ask(stream, [kept, stopped], 20)
        assert wait_for_end(goes, 0)
        assert all(not wait_for_end(pid, 0) for pid in (kept, stopped, other))
        assert state_of(stopped) != "T"
        assert keeper.ask(stream, [], 20)
        assert all(wait_for_end(pid, 0) for pid in (kept, stopped))
        assert not wait_for_end(other, 0)


def test_processes_of_others_are_not_continued() -> None:
    mark = new_mark()
    with process(new_mark()) as other, keeper.start(mark) as stream:
        os.kill(other, signal.SIGSTOP)
        os.waitid(os.P_PID, other, os.WSTOPPED | os.WNOWAIT)
        assert keeper.ask(stream, [other, 0, 0xFFFFFFFF], 20)
        assert state_of(other) == "T"


@pytest.mark.parametrize("request_", [pack("<I", 1 << 20), pack("<II", 2, 7), b"\1", b""], ids=len)
def test_what_is_no_request_is_the_end(request_: bytes) -> None:
    mark = new_mark()
    with process(mark) as goes_on, keeper.start(mark) as stream:
        stream.sendall(request_)
        stream.shutdown(socket.SHUT_WR)
        assert stream.recv(1) == b""
        assert not wait_for_end(goes_on, 0)


def test_nobody_answers() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    assert not keeper.ask(ours, [1], 20)


def test_a_late_answer_is_not_taken_for_another() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        assert not keeper.ask(ours, [1], 0.01)
        with suppress(OSError):
            theirs.sendall(b"\0")
        assert not keeper.ask(ours, [1], 20)
