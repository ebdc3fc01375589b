"""Malformed traffic, in both directions."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.errors import FarsideError, FarSideLost, ProtocolError
from farside.orc import bootstrap, sps
from farside.orc.frames import Frame, FrameDecoder, Opcode, encode_frame
from farside.remote.commit import CommitRequest
from farside.remote.executor import Executor
from farside.remote.snapshot import Snapshot
from farside.remote.spawn import Spawned
from tests.contract.executor_rig import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

# --- a hostile near side -----------------------------------------------------------------------


class Raw:
    """An executor without supervisor, spoken to in bytes."""

    def __init__(self) -> None:
        self.socket, far = socket.socketpair()
        with far:
            number = far.fileno()
            self.process = subprocess.Popen(
                [PROGRAM, f"filedescs={number},{number}", "slab=1048576"], pass_fds=[number]
            )
        self.frames = FrameDecoder()
        self.setup = bootstrap.decode_setup(self.receive().payload)

    def receive(self) -> Frame:
        while (frame := self.frames.next()) is None:
            data = self.socket.recv(65536)
            assert data, "the executor closed the connection"
            self.frames.feed(data)
        return frame

    def end(self) -> int:
        return self.process.wait(timeout=30)


@pytest.fixture
def raw() -> Iterator[Raw]:
    made = Raw()
    yield made
    made.socket.close()
    made.process.wait(timeout=30)


def test_closing_is_an_orderly_end(raw: Raw) -> None:
    raw.socket.close()
    assert raw.end() == 0


@pytest.mark.parametrize("payload", [b"", b"\0", b"\1garbage"])
def test_hangup_is_an_orderly_end(raw: Raw, payload: bytes) -> None:
    raw.socket.sendall(encode_frame(Opcode.HANGUP, 0, 0, payload))
    assert raw.end() == 0
    assert raw.socket.recv(1) == b""


HEADER = struct.Struct("<QQQQ")


@pytest.mark.parametrize(
    "data",
    [
        HEADER.pack(31, 3, 0, 0),
        HEADER.pack(0, 3, 0, 0),
        HEADER.pack(2**64 - 1, 3, 0, 0),
        HEADER.pack(32, 4, 0, 0),
        HEADER.pack(32, 3 + 2**32, 0, 0),
        HEADER.pack(32, 0, 0, 0),
        HEADER.pack(32, 2, 12, 0),
    ],
)
def test_a_violation_ends_the_executor(raw: Raw, data: bytes) -> None:
    raw.socket.sendall(data)
    assert raw.end() == 1


@pytest.mark.parametrize("size", [1, 31, 32, 40])
def test_an_end_within_a_message_is_no_orderly_one(raw: Raw, size: int) -> None:
    data = HEADER.pack(1 << 30, 3, 0, 8) + bytes(100)
    raw.socket.sendall(data[:size])
    raw.socket.close()
    assert raw.end() == 1


def test_a_claimed_size_costs_no_memory_before_the_bytes_are_there(raw: Raw) -> None:
    raw.socket.sendall(HEADER.pack(1 << 36, 3, 0, 8) + bytes(1 << 20))
    raw.socket.shutdown(socket.SHUT_WR)
    assert raw.end() == 1


def test_a_call_of_address_zero_has_an_empty_result(raw: Raw) -> None:
    raw.socket.sendall(encode_frame(Opcode.CALL, 99, 0, b"x"))
    assert raw.receive() == Frame(Opcode.RESULT, 99, 0, b"")


def test_calls_may_be_sent_at_once_and_byte_by_byte(raw: Raw) -> None:
    read = raw.setup.symbols[bootstrap.JIT_DLERROR]
    frames = b"".join(encode_frame(Opcode.CALL, number, read) for number in (7, 7, 2**64 - 1))
    raw.socket.sendall(frames)
    assert [raw.receive().sequence for _ in range(3)] == [7, 7, 2**64 - 1]
    for byte in frames:
        raw.socket.sendall(bytes([byte]))
    assert [raw.receive().sequence for _ in range(3)] == [7, 7, 2**64 - 1]


COMMIT_ARGUMENTS = st.one_of(
    st.binary(max_size=200),
    st.lists(st.integers(0, 2**64 - 1), max_size=20).map(
        lambda words: struct.pack(f"<{len(words)}Q", *words)
    ),
)


def test_no_argument_of_a_commit_does_harm(raw: Raw) -> None:
    commit = raw.setup.symbols[bootstrap.COMMIT]
    uncommit = raw.setup.symbols[bootstrap.UNCOMMIT]

    @settings(max_examples=300, database=None)
    @given(COMMIT_ARGUMENTS, st.booleans())
    def check(payload: bytes, back: bool) -> None:
        # A well-formed action would be a call of any address at all, which is what ORC is for.
        calls = payload[8:16] != bytes(8) or len(payload) > 24
        tag = uncommit if back or (calls and payload[:8] == bytes(8)) else commit
        raw.socket.sendall(encode_frame(Opcode.CALL, 1, tag, payload))
        assert raw.receive().opcode == Opcode.RESULT

    check()


# --- a hostile far side ------------------------------------------------------------------------


SYMBOLS = sorted(bootstrap.STOCK_SYMBOLS | bootstrap.FARSIDE_SYMBOLS)
SETUP = sps.pack(
    (
        sps.STRING,
        sps.U64,
        sps.Sequence(sps.Tuple(sps.STRING, sps.BYTES)),
        sps.Sequence(sps.Tuple(sps.STRING, sps.ADDR)),
    ),
    (
        "x86_64-pc-linux-gnu",
        4096,
        [("farside_slab", struct.pack("<QQ", 1 << 40, 1 << 20))],
        [(name, 0x1000 + 16 * number) for number, name in enumerate(SYMBOLS)],
    ),
)
READY = encode_frame(Opcode.SETUP, 0, 0, SETUP)
STARTED = encode_frame(Opcode.CALL, 0, bootstrap.CONTROL_WORKER_STARTED, struct.pack("<I", 42))
ENDED = encode_frame(
    Opcode.CALL, 1, bootstrap.CONTROL_WORKER_ENDED, struct.pack("<IiiIQ", 42, 2, 11, 0, 0)
)


class Impostor:
    """A far side that says what the test wants, and then ends."""

    def __init__(self, data: bytes, control: bytes = STARTED) -> None:
        near_data, self.data = socket.socketpair()
        near_control, self.control = socket.socketpair()
        self.data.sendall(data)
        self.control.sendall(control)
        pid = os.posix_spawn("/bin/true", ["true"], os.environ)
        self.executor = Executor(Spawned(pid, near_data, near_control, None, None))

    def answers(self, reply: bytes) -> None:
        """Send `reply` when the first byte of a call arrives."""

        def serve() -> None:
            self.data.recv(1)
            self.data.sendall(reply)

        threading.Thread(target=serve).start()

    def ends(self) -> None:
        self.data.close()
        self.control.close()

    def __enter__(self) -> Executor:
        return self.executor

    def __exit__(self, *_: object) -> None:
        self.ends()
        self.executor.kill()


def setup_with(**changes: object) -> bytes:
    fields = {
        "triple": "x86_64-pc-linux-gnu",
        "page_size": 4096,
        "map": [("farside_slab", struct.pack("<QQ", 1 << 40, 1 << 20))],
        "symbols": [("a", 1)],
        **changes,
    }
    payload = sps.pack(
        (
            sps.STRING,
            sps.U64,
            sps.Sequence(sps.Tuple(sps.STRING, sps.BYTES)),
            sps.Sequence(sps.Tuple(sps.STRING, sps.ADDR)),
        ),
        fields.values(),
    )
    return encode_frame(Opcode.SETUP, 0, 0, payload)


@pytest.mark.parametrize(
    "data",
    [
        encode_frame(Opcode.SETUP, 1, 0, SETUP),
        encode_frame(Opcode.SETUP, 0, 1, SETUP),
        encode_frame(Opcode.SETUP, 0, 0, SETUP[:-1]),
        encode_frame(Opcode.SETUP, 0, 0, b""),
        encode_frame(7, 0, 0, SETUP),
        READY + READY,
        encode_frame(Opcode.RESULT, 0, 0, b""),
        encode_frame(Opcode.CALL, 0, 77, b""),
        HEADER.pack(0, 0, 0, 0),
        HEADER.pack(2**63, 0, 0, 0),
        setup_with(page_size=0),
        setup_with(page_size=5000),
        setup_with(symbols=[("a", 1), ("a", 2)]),
        setup_with(map=[("k", b""), ("k", b"")]),
        setup_with(map=[("farside_slab", b"short")]),
        setup_with(map=[("farside_slab", struct.pack("<QQ", 1 << 63, 1 << 63))]),
        setup_with(map=[("farside_slab", struct.pack("<QQ", 4097, 4096))]),
        setup_with(map=[("farside_slab", struct.pack("<QQ", 4096, 0))]),
        setup_with(map=[("farside_low_slab", struct.pack("<QQ", 1 << 30, 1 << 30))]),
        setup_with(map=[("farside_low_slab", struct.pack("<QQ", 4096, 0))]),
        setup_with(map=[("farside_static_tls", b"")]),
    ],
)
def test_a_malformed_beginning_is_a_protocol_error(data: bytes) -> None:
    impostor = Impostor(data)
    with impostor as executor:
        with pytest.raises(ProtocolError):
            executor.wait_ready()
        with pytest.raises(FarSideLost):
            executor.resolve(["printf"])


@pytest.mark.parametrize(
    "control",
    [
        STARTED + HEADER.pack(0, 0, 0, 0),
        STARTED + HEADER.pack(1 << 20, 3, 0, 1),
        STARTED + encode_frame(Opcode.RESULT, 0, 0, b""),
        STARTED + encode_frame(Opcode.CALL, 0, 9, b""),
        encode_frame(Opcode.CALL, 0, 1, b"xy"),
        encode_frame(Opcode.CALL, 0, 2, b""),
    ],
)
def test_a_malformed_control_message_is_a_protocol_error(control: bytes) -> None:
    with Impostor(b"", control) as executor, pytest.raises(ProtocolError):
        executor.wait_ready()


@pytest.mark.parametrize(
    "reply",
    [
        encode_frame(Opcode.RESULT, 5, 0, b""),
        encode_frame(Opcode.RESULT, 0, 9, b""),
        encode_frame(Opcode.RESULT, 0, 0, b""),
        encode_frame(Opcode.RESULT, 0, 0, b"\1"),
        encode_frame(Opcode.RESULT, 0, 0, b"\2" + bytes(50)),
        encode_frame(Opcode.RESULT, 0, 0, b"\1" + struct.pack("<QBQQ", 1, 9, 0, 0) + bytes(50)),
        encode_frame(Opcode.RESULT, 0, 0, b"\1" + struct.pack("<QBQQQ", 1, 0, 0, 0, 2**63)),
        encode_frame(Opcode.RESULT, 0, 0, b"\1" + struct.pack("<QBQQQBQ", 1, 0, 0, 0, 0, 0, 2**61)),
        encode_frame(Opcode.CALL, 0, 77, b""),
        READY,
    ],
)
def test_a_malformed_reply_is_a_protocol_error(reply: bytes) -> None:
    impostor = Impostor(READY)
    with impostor as executor:
        executor.wait_ready()
        impostor.answers(reply)
        with pytest.raises(ProtocolError):
            executor.commit(CommitRequest())
        with pytest.raises(FarSideLost):
            executor.commit(CommitRequest())


def test_a_lookup_with_too_few_answers_is_a_protocol_error() -> None:
    impostor = Impostor(READY)
    with impostor as executor:
        executor.wait_ready()
        impostor.answers(encode_frame(Opcode.RESULT, 0, 0, b"\1" + struct.pack("<Q", 0)))
        with pytest.raises(ProtocolError, match="0 answers to 1"):
            executor.resolve(["printf"], library=1)


@pytest.mark.parametrize("cut", [0, 1, 31, 33, 200])
def test_a_stream_that_ends_is_a_lost_far_side(cut: int) -> None:
    impostor = Impostor(READY[:cut])
    with impostor as executor:
        impostor.ends()
        with pytest.raises(FarSideLost):
            executor.wait_ready()


def use(executor: Executor) -> None:
    """Make each kind of call; one of them must fail."""
    executor.wait_ready()
    executor.resolve(["printf"])
    executor.commit(CommitRequest())


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=100),
            st.sampled_from([READY, STARTED, ENDED]),
            st.builds(
                encode_frame,
                st.integers(0, 5),
                st.integers(0, 3),
                st.sampled_from([0, 1, 0x1000, 2**64 - 1]),
                st.binary(max_size=80),
            ),
        ),
        max_size=6,
    ),
    st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([READY, STARTED, ENDED])), max_size=4
    ),
)
def test_whatever_the_far_side_says_ends_in_a_farside_error(
    data: list[bytes], control: list[bytes]
) -> None:
    impostor = Impostor(b"".join(data), b"".join(control))
    with impostor as executor:
        impostor.ends()
        with pytest.raises(FarsideError):
            use(executor)


# --- a worker that is replaced -----------------------------------------------------------------


def replaced(impostor: Impostor) -> tuple[Executor, Snapshot, socket.socket]:
    """Return an executor whose worker 43, a snapshot before, is in the place of 42, and that
    snapshot with its socket; of the end of 42 nothing was told.
    """
    executor, snapshot = impostor.executor, Snapshot()
    executor.wait_ready()
    hello = struct.pack("<IIIQ", 43, 1, 0, 0)
    snapshot.far_end().sendall(encode_frame(Opcode.CALL, 0, bootstrap.SNAPSHOT_SLEEPS, hello))
    assert snapshot.ready(20)
    number, mine = executor.family.supervisor.number, snapshot.far_end().dup()
    snapshot.supervisor = number
    impostor.control.sendall(STARTED[:-4] + struct.pack("<I", 43))
    then = Snapshot()
    executor.wake(snapshot, (), then, at_once=True)
    then.close()
    assert executor.worker_pid == 43
    assert executor.family.usable
    return executor, snapshot, mine


def test_a_call_waits_for_the_end_of_the_worker_before() -> None:
    impostor = Impostor(READY)
    with impostor:
        executor, snapshot, mine = replaced(impostor)
        frames = FrameDecoder()
        frames.feed(mine.recv(65536))
        frame = frames.next()
        assert frame is not None
        assert frame.tag == executor.address(bootstrap.SNAPSHOT)
        seen: list[bool] = []

        def serve() -> None:
            # Nothing is sent to the new worker before the end of the old one is told.
            mine.settimeout(0.2)
            try:
                mine.recv(1)
            except TimeoutError:
                seen.append(True)
            mine.settimeout(60)
            impostor.control.sendall(ENDED)
            call = FrameDecoder()
            call.feed(mine.recv(65536))
            received = call.next()
            assert received is not None
            mine.sendall(encode_frame(Opcode.RESULT, received.sequence, 0, b"reply"))

        thread = threading.Thread(target=serve)
        thread.start()
        assert executor.call(bootstrap.STATISTICS, b"", timeout=60) == b"reply"
        thread.join()
        assert seen == [True]
        assert executor.death is None
        mine.close()
        snapshot.close()


def test_a_supervisor_that_ends_before_it_told_of_the_worker_before() -> None:
    impostor = Impostor(READY)
    with impostor:
        executor, snapshot, mine = replaced(impostor)
        impostor.control.close()
        with pytest.raises(FarSideLost, match="supervisor"):
            executor.family.await_replaced()
        assert not executor.family.usable
        mine.close()
        snapshot.close()
