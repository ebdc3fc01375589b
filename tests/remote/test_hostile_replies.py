"""Every byte of every reply, changed or missing: a result or one error, never anything else."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from farside.errors import FarsideError, ProtocolError
from farside.libraries.librarian import loaded_libraries
from farside.orc import bootstrap, sps
from farside.orc.frames import FrameDecoder, Opcode, encode_frame
from farside.remote.commit import CommitRequest
from farside.remote.executor import Executor
from farside.remote.spawn import Spawned
from farside.remote.static_tls import StaticTlsPool
from tests.doubles.hostile import GOOD

_SYMBOLS = sps.Expected(sps.Sequence(sps.Optional(sps.SYMBOL_DEF)))
_OUTCOME = sps.Tuple(sps.U64, sps.U8, sps.U64, sps.U64, sps.STRING, sps.Optional(sps.STRING))
_VALUES = sps.Sequence(sps.Tuple(sps.U8, sps.BYTES))
STARTED = encode_frame(Opcode.CALL, 0, bootstrap.CONTROL_WORKER_STARTED, b"\1\0\0\0")

Call = Callable[[Executor], Any]
CALLS: dict[str, tuple[Call, bytes]] = {
    "open": (lambda e: e.open_library("x"), sps.pack((sps.Expected(sps.ADDR),), (0x1000,))),
    "open-failed": (
        lambda e: e.open_library("x"),
        sps.pack((sps.Expected(sps.ADDR),), (sps.Failure("no"),)),
    ),
    "resolve": (
        lambda e: e.resolve(["a", "b"], library=1),
        sps.pack((_SYMBOLS,), ([(0x1000, (16, 0)), None],)),
    ),
    "commit": (
        lambda e: e.commit(CommitRequest()),
        b"\1" + sps.pack((_OUTCOME, _VALUES), ((1, 1, 0, 5, "T", "what"), [(1, b"xy"), (2, b"")])),
    ),
    "uncommit": (lambda e: e.uncommit(1), sps.pack((sps.ERROR,), (sps.Failure("no"),))),
    "main": (lambda e: e.run_main(1, ["x"]), sps.pack((sps.I64,), (3,))),
    "offsets": (
        lambda e: StaticTlsPool(e).offsets(["a", "b"]),
        sps.pack((sps.Sequence(sps.Optional(sps.I64)),), ([-8, None],)),
    ),
    "modules": (
        lambda e: StaticTlsPool(e).modules(["a"]),
        sps.pack((sps.Sequence(sps.Optional(sps.Tuple(sps.U64, sps.U64))),), ([(1, 2)],)),
    ),
    "libraries": (
        loaded_libraries,
        sps.pack((sps.Sequence(sps.STRING),), (["/lib/a.so", "/lib/b.so"],)),
    ),
}


def answers_to(call: Call, replies: Callable[[int], bytes]) -> Any:
    """Make a call of an executor that answers with `replies`, given the number of the call."""
    near, far = socket.socketpair()
    near_control, far_control = socket.socketpair()
    far.sendall(GOOD)
    far_control.sendall(STARTED)
    executor = Executor(Spawned(0, near, near_control, None, None))

    def serve() -> None:
        frames = FrameDecoder()
        while (frame := frames.next()) is None:
            if not (data := far.recv(65536)):
                return
            frames.feed(data)
        far.sendall(replies(frame.sequence))
        far.close()
        far_control.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        executor.wait_ready()
        return call(executor)
    finally:
        executor.kill()
        thread.join()


def result(payload: bytes, sequence: int, tag: int = 0) -> bytes:
    return encode_frame(Opcode.RESULT, sequence, tag, payload)


@pytest.mark.parametrize("name", CALLS)
def test_an_honest_reply_is_taken(name: str) -> None:
    call, reply = CALLS[name]
    try:
        answers_to(call, lambda n: result(reply, n))
    except ProtocolError:
        raise
    except FarsideError:
        assert "no" in reply.decode("latin1")  # the failure that it reports


@pytest.mark.parametrize("name", CALLS)
def test_a_reply_that_is_cut_is_a_protocol_error(name: str) -> None:
    call, reply = CALLS[name]
    for size in range(len(reply)):
        with pytest.raises(ProtocolError):
            answers_to(call, lambda n, size=size: result(reply[:size], n))  # type: ignore[misc]


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
@pytest.mark.parametrize("name", CALLS)
def test_a_reply_with_a_changed_byte_is_taken_or_refused(name: str, change: int) -> None:
    call, reply = CALLS[name]
    for position in range(len(reply)):
        changed = bytearray(reply)
        changed[position] ^= change
        with suppress(FarsideError):
            answers_to(call, lambda n, data=bytes(changed): result(data, n))  # type: ignore[misc]


@pytest.mark.parametrize("name", CALLS)
def test_each_field_of_a_frame(name: str) -> None:
    call, reply = CALLS[name]
    for position in range(32):
        for change in (0x01, 0x80, 0xFF):

            def changed(n: int, position: int = position, change: int = change) -> bytes:
                frame = bytearray(result(reply, n))
                frame[position] ^= change
                return bytes(frame)

            with pytest.raises(FarsideError):
                answers_to(call, changed)
