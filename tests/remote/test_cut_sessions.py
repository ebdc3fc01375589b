"""A session that is cut off anywhere: the far side ends, leaves nothing, and serves the next.

Addresses are the same in every run (``setarch -R``), so what one session sent can be sent again.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from farside.options import Options
from farside.orc.frames import HEADER
from farside.remote import handshake
from farside.remote.transport import SocketTransport
from farside.remote.tunnel import SocketTunnel
from farside.session import Session
from tests.conftest import Traces
from tests.contract.executor_rig import PROGRAM
from tests.far_sides import TOKEN, Front, front
from tests.session.conftest import shown
from tests.traces import wait_for_end

FIXED = ["setarch", "-R"]
CELLS = (
    "#include <cstdio>\nint x = 1;",
    'thread_local int t = 2; puts("it runs");',
    "struct S { ~S() { x = 0; } } s; x + t",
)
AT_ONCE = 8


def record(monkeypatch: pytest.MonkeyPatch, stream: type) -> bytearray:
    """Return what streams of a class send from now on, in order."""
    collected = bytearray()
    real = stream.send  # type: ignore[attr-defined]

    def send(self: object, data: memoryview, *rest: object) -> int:
        count: int = real(self, data, *rest)
        collected.extend(data[:count])
        return count

    monkeypatch.setattr(stream, "send", send)
    return collected


def replay(data: bytes) -> tuple[int, socket.socket, socket.socket, int]:
    """Start an executor and send it bytes; return its process, its sockets and its output."""
    near, far = socket.socketpair()
    near_control, far_control = socket.socketpair()
    reading, writing = os.pipe()
    with far, far_control:
        pid = os.posix_spawn(
            "/usr/bin/setarch",
            [*FIXED, str(PROGRAM), "filedescs=63,63", "control=64"],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, far.fileno(), 63),
                (os.POSIX_SPAWN_DUP2, far_control.fileno(), 64),
                (os.POSIX_SPAWN_DUP2, writing, 1),
            ],
            setsid=True,
        )
    os.close(writing)
    near.sendall(data)
    return pid, near, near_control, reading


def end(started: tuple[int, socket.socket, socket.socket, int]) -> bytes:
    """Close the sockets, wait for the end, and return the output."""
    pid, near, control, reading = started
    near.close()
    control.close()
    if not wait_for_end(pid):
        os.kill(pid, signal.SIGKILL)
        raise AssertionError("the executor did not end")
    os.waitpid(pid, 0)
    with open(reading, "rb") as output:
        return output.read()


def test_the_executor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, leaves_nothing: Traces
) -> None:
    sent = record(monkeypatch, SocketTransport)
    program = tmp_path / "executor"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(FIXED)} {shlex.quote(str(PROGRAM))} "$@"\n')
    program.chmod(0o755)
    with Session(Options(output="capture", executor=program, snapshots=0)) as session:
        for cell in CELLS:
            session.run(cell)
    recorded = bytes(sent)
    # It does again what it did: with the whole session the cell's output is there.
    started = replay(recorded)
    while started[1].recv(65536):
        pass
    assert end(started) == b"it runs\n"
    for first in range(0, len(recorded), AT_ONCE):
        running = [
            replay(recorded[:cut]) for cut in range(first, min(first + AT_ONCE, len(recorded)))
        ]
        for each in running:
            assert end(each) in (b"", b"it runs\n")
    leaves_nothing.check()


@pytest.fixture
def fixed_front(tmp_path: Path, leaves_nothing: object) -> Iterator[Front]:
    """Return a front without TLS whose executors have the same addresses each time."""
    with front(tmp_path, "--no-tls", before=FIXED) as running:
        yield running


def test_through_a_front(
    monkeypatch: pytest.MonkeyPatch, fixed_front: Front, tmp_path: Path
) -> None:
    sent = record(monkeypatch, SocketTunnel)
    options = Options(output="capture", connect=fixed_front.address, snapshots=0)
    options = options.with_(token_file=tmp_path / "token")
    with Session(options) as session:
        for cell in CELLS:
            session.run(cell)
    recorded = bytes(sent)
    step = max(1, len(recorded) // 24)
    for cut in range(0, len(recorded), step):
        with socket.create_connection(("127.0.0.1", fixed_front.port), timeout=20) as connected:
            banner = connected.recv(handshake.BANNER_SIZE, socket.MSG_WAITALL)
            nonce, _ = handshake.read_banner(banner)
            proof = handshake.caller_proof(TOKEN, nonce, os.urandom(32), handshake.NO_CERTIFICATE)
            connected.sendall(proof)
            assert len(connected.recv(32, socket.MSG_WAITALL)) == 32
            connected.sendall(recorded[:cut])
    with Session(options) as session:
        assert shown(session.run("6 * 7")) == "42"


def test_slow_bytes_are_taken_as_they_come(tmp_path: Path, leaves_nothing: Traces) -> None:
    call = HEADER.pack(HEADER.size, 3, 7, 0)
    started = replay(b"")
    for byte in call:
        started[1].sendall(bytes([byte]))
    setup = int.from_bytes(started[1].recv(8, socket.MSG_WAITALL), "little")
    started[1].recv(setup - 8, socket.MSG_WAITALL)
    assert started[1].recv(HEADER.size, socket.MSG_WAITALL) == HEADER.pack(HEADER.size, 2, 7, 0)
    end(started)
