"""Messages between the near side and the compiler, over a socket pair."""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Iterator
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.frontend.cell import parse_cell
from farside.frontend.snapshots import KEPT, Snapshot, Snapshots
from farside.frontend.wire import Channel, Disconnected, TimeUp

Pair = tuple[Channel, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    near, far = socket.socketpair()
    channel = Channel(near)
    yield channel, far
    channel.close()
    far.close()


def frame(json: bytes, *attachments: bytes) -> bytes:
    sizes = b"".join(struct.pack("<Q", len(each)) for each in attachments)
    return struct.pack("<II", len(json), len(attachments)) + sizes + json + b"".join(attachments)


def test_a_request_is_one_frame(pair: Pair) -> None:
    channel, far = pair
    channel.send({"op": "compile", "code": "\u00e9\udc80"})
    data = far.recv(1000)
    assert data[:8] == struct.pack("<II", len(data) - 8, 0)
    assert data[8:] == b'{"op":"compile","code":"\xc3\xa9\xed\xb2\x80"}'


def test_messages_that_arrive_together_or_in_pieces(pair: Pair) -> None:
    channel, far = pair
    first, second = frame(b'{"a":1}', b"xyz"), frame(b'{"b":2}')
    for index in range(len(first)):
        far.send(first[index : index + 1])
        assert channel.pending()
    far.send(second)
    assert channel.receive().attachments == (b"xyz",)
    message = channel.receive()
    assert (message.body, message.attachments, message.descriptor) == ({"b": 2}, (), None)


def test_a_descriptor_belongs_to_its_event(pair: Pair) -> None:
    channel, far = pair
    far.send(frame(b'{"ok":true}'))
    read, write = os.pipe()
    socket.send_fds(far, [frame(b'{"event":"snapshot"}')], [read])
    os.close(read)
    assert channel.pending()
    assert channel.receive().descriptor is None
    received = channel.receive().descriptor
    assert received is not None
    os.write(write, b"x")
    assert os.read(received, 1) == b"x"
    os.close(received)
    os.close(write)


def test_descriptors_that_nobody_took_are_closed(pair: Pair) -> None:
    channel, far = pair
    read, write = os.pipe()
    socket.send_fds(far, [frame(b'{"event":"snapshot"}')], [write])
    os.close(write)
    assert channel.pending()
    channel.close()
    assert os.read(read, 1) == b""
    os.close(read)


def test_the_end_and_the_deadline(pair: Pair) -> None:
    channel, far = pair
    with pytest.raises(TimeUp):
        channel.receive(monotonic() - 1)
    assert not channel.pending()
    far.send(b"\x01")
    far.close()
    with pytest.raises(Disconnected):
        channel.receive()
    with pytest.raises(Disconnected):
        channel.send({"op": "x"})


def test_a_message_survives_a_deadline(pair: Pair) -> None:
    channel, far = pair
    data = frame(b'{"a":1}')
    far.send(data[:10])
    with pytest.raises(TimeUp):
        channel.receive(monotonic() + 0.01)
    far.send(data[10:])
    assert channel.receive().body == {"a": 1}


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<II", 0xFFFFFFFF, 0),
        struct.pack("<II", 2, 0xFFFFFFFF),
        struct.pack("<II", 2, 2),
        struct.pack("<IIQ", 2, 1, 1 << 63) + b"{}",
        frame(b"[]"),
        frame(b"null"),
        frame(b"{"),
        frame(b"\xff\xfe"),
        frame(b""),
        frame(b"[" * 100000),
    ],
)
def test_what_is_no_message(pair: Pair, data: bytes) -> None:
    channel, far = pair
    far.sendall(data)
    with pytest.raises(ProtocolError):
        channel.receive()


@given(st.binary(max_size=40))
def test_any_bytes_end_in_a_message_or_a_named_error(data: bytes) -> None:
    near, far = socket.socketpair()
    channel = Channel(near)
    far.sendall(data)
    far.close()
    try:
        while True:
            channel.receive()
    except (ProtocolError, Disconnected):
        return
    finally:
        channel.close()


FIELDS = ["ok", "diagnostics", "declared", "value", "cookie", "timings", "conflicts"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "name", "kind", "line", "parse"]), inner)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_hostile_answers_raise_only_a_protocol_error(body: dict[str, object]) -> None:
    try:
        parse_cell(1, {"ok": True, **body}, ())
    except ProtocolError:
        return


def snapshots(numbers: list[int]) -> tuple[Snapshots, dict[int, socket.socket]]:
    kept, far = Snapshots(), {}
    for number in numbers:
        near, far[number] = socket.socketpair()
        kept.add(Snapshot(number, 1, Channel(near)))
    return kept, far


def alive(sock: socket.socket) -> bool:
    sock.setblocking(False)
    try:
        return sock.recv(1) != b""
    except BlockingIOError:
        return True


def test_snapshots_are_few_and_denser_towards_the_present() -> None:
    kept, far = snapshots(list(range(200)))
    assert len(kept) == KEPT
    left = [number for number, sock in far.items() if alive(sock)]
    assert left[0] == 0
    assert left[-1] == 199
    gaps = [after - before for before, after in itertools.pairwise(left)]
    assert gaps[-1] <= gaps[len(gaps) // 2] <= max(gaps)
    kept.close()
    for sock in far.values():
        sock.close()


def test_a_snapshot_is_taken_not_younger_than_wanted() -> None:
    kept, far = snapshots([0, 3, 5, 9])
    assert kept.knows(5)
    assert not kept.knows(6)
    taken, younger = kept.take(6)
    assert taken is not None
    assert taken.after == 5
    assert [each.after for each in younger] == [9]
    assert not kept.knows(5)
    taken.close()
    younger[0].close()
    assert not alive(far[9])
    taken, younger = kept.take(2)
    assert taken is not None
    assert taken.after == 0
    assert [each.after for each in younger] == [3]
    taken.close()
    younger[0].close()
    assert kept.take(100) == (None, [])
    for sock in far.values():
        sock.close()
