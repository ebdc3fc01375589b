"""Two relays and what they carry: streams, descriptors, ends; and a peer that is no relay."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from farside.remote.relay import (
    CONTROL_CHANNEL,
    DATA_CHANNEL,
    FIRST_SNAPSHOT,
    KEEPER_CHANNEL,
    STDERR_CHANNEL,
    STDOUT_CHANNEL,
    Relay,
    frame,
)
from farside.remote.tunnel import SocketTunnel

DATA, END, OPEN = 0, 1, 2


class Ends:
    """The outer ends of the streams of two connected relays."""

    def __init__(self) -> None:
        one, other = socket.socketpair()
        self.near_data, near_data = socket.socketpair()
        self.far_data, far_data = socket.socketpair()
        self.near_control, near_control = socket.socketpair()
        self.far_control, far_control = socket.socketpair()
        self.near_out, near_out = os.pipe()
        far_out, self.far_out = os.pipe()
        near = {DATA_CHANNEL: near_data, CONTROL_CHANNEL: near_control}
        far = {DATA_CHANNEL: far_data, CONTROL_CHANNEL: far_control}
        near_streams = {channel: each.detach() for channel, each in near.items()}
        far_streams = {channel: each.detach() for channel, each in far.items()}
        self.threads = [
            threading.Thread(target=relay.run)
            for relay in (
                Relay(
                    SocketTunnel(one),
                    near_streams | {STDOUT_CHANNEL: near_out},
                    write_only=(STDOUT_CHANNEL, STDERR_CHANNEL),
                ),
                Relay(SocketTunnel(other), far_streams | {STDOUT_CHANNEL: far_out}),
            )
        ]
        for thread in self.threads:
            thread.start()

    def sockets(self) -> tuple[socket.socket, ...]:
        return self.near_data, self.far_data, self.near_control, self.far_control


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    for each in made.sockets():
        each.close()
    os.close(made.far_out)
    for thread in made.threads:
        thread.join(20)
        assert not thread.is_alive()
    os.close(made.near_out)


def receive(connected: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := connected.recv(size - len(data))):
        data += more
    return data


def test_both_directions_and_much_of_it(ends: Ends) -> None:
    ends.near_data.sendall(b"call")
    assert receive(ends.far_data, 4) == b"call"
    much = os.urandom(3 << 20)
    writer = threading.Thread(target=ends.far_data.sendall, args=(much,))
    writer.start()
    assert receive(ends.near_data, len(much)) == much
    writer.join()


def test_output_is_there_before_the_reply(ends: Ends) -> None:
    for number in range(50):
        text = f"line {number}\n".encode()
        os.write(ends.far_out, text)
        ends.far_data.sendall(b"r")
        assert ends.near_data.recv(1) == b"r"
        os.set_blocking(ends.near_out, False)
        assert os.read(ends.near_out, 100) == text


def test_a_descriptor_becomes_a_channel_of_its_own(ends: Ends) -> None:
    mine, passed = socket.socketpair()
    with mine, passed:
        socket.send_fds(ends.near_data, [b"snapshot"], [passed.fileno()])
        passed.close()
        data, (descriptor,), _, _ = socket.recv_fds(ends.far_data, 100, 1)
        assert data == b"snapshot"
        with socket.socket(fileno=descriptor) as arrived:
            arrived.sendall(b"asleep")
            assert receive(mine, 6) == b"asleep"
            mine.sendall(b"wake")
            assert receive(arrived, 4) == b"wake"
            mine.close()
            assert arrived.recv(1) == b""


def test_each_descriptor_goes_with_its_own_message() -> None:
    ours, theirs = socket.socketpair()
    data, far_data = socket.socketpair()
    relay = Relay(SocketTunnel(ours), {DATA_CHANNEL: far_data.detach()})
    numbers = (FIRST_SNAPSHOT, FIRST_SNAPSHOT + 1)
    sent = frame(DATA_CHANNEL, DATA, b"first")
    for number in numbers:
        sent += frame(DATA_CHANNEL, OPEN, number.to_bytes(4, "little"))
        sent += frame(DATA_CHANNEL, DATA, f"with {number}".encode())
        sent += frame(number, DATA, f"to {number}".encode())
    with theirs, data:
        theirs.sendall(sent)  # all of it is there when the relay looks
        thread = threading.Thread(target=relay.run)
        thread.start()
        # As much as is known to come: more would bring what follows, where that is there already.
        assert socket.recv_fds(data, len(b"first"), 2)[:2] == (b"first", [])
        for number in numbers:
            text = f"with {number}".encode()
            said, (descriptor,), _, _ = socket.recv_fds(data, len(text), 2)
            assert said == text
            with socket.socket(fileno=descriptor) as passed:
                assert receive(passed, 5) == f"to {number}".encode()
        theirs.close()
        thread.join()


def test_the_end_of_a_stream_is_told(ends: Ends) -> None:
    ends.near_control.close()
    assert ends.far_control.recv(1) == b""


def test_another_supervisor_takes_over(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farside.remote.relay._LINGER", 0.0)
    snapshot, passed = socket.socketpair()
    with snapshot, passed:
        socket.send_fds(ends.near_data, [b"snapshot"], [passed.fileno()])
        passed.close()
        _, (descriptor,), _, _ = socket.recv_fds(ends.far_data, 100, 1)
        with socket.socket(fileno=descriptor) as asleep:
            ends.far_control.close()
            assert ends.near_control.recv(1) == b""
            control, far_control = socket.socketpair()
            with control:
                socket.send_fds(snapshot, [b"found"], [far_control.fileno()])
                far_control.close()
                said, (descriptor,), _, _ = socket.recv_fds(asleep, 100, 1)
                assert said == b"found"
                with socket.socket(fileno=descriptor) as supervisor:
                    supervisor.sendall(b"started")
                    assert receive(control, 7) == b"started"
                    control.sendall(b"look")
                    assert receive(supervisor, 4) == b"look"
                assert control.recv(1) == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 64,
        frame(DATA_CHANNEL, 3),
        frame(DATA_CHANNEL, OPEN, b"\1\0"),
        frame(DATA_CHANNEL, OPEN, (3).to_bytes(4, "little")),
        frame(CONTROL_CHANNEL, OPEN, FIRST_SNAPSHOT.to_bytes(4, "little")),
        b"".join(
            [frame(DATA_CHANNEL, OPEN, (FIRST_SNAPSHOT + n).to_bytes(4, "little")) for n in (0, 0)]
        ),
        frame(99, DATA, b"x")[:-1],
        b"",
    ],
    ids=["ones", "kind", "short", "number", "carrier", "twice", "cut", "nothing"],
)
def test_a_peer_that_is_no_relay_is_cut_off(sent: bytes) -> None:
    ours, theirs = socket.socketpair()
    data, far_data = socket.socketpair()
    relay = Relay(SocketTunnel(ours), {DATA_CHANNEL: far_data.detach()})
    with theirs, data:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        relay.run()
        assert data.recv(1) == b""


@pytest.mark.parametrize("channel", [STDOUT_CHANNEL, KEEPER_CHANNEL])
def test_only_some_channels_carry_descriptors(channel: int) -> None:
    ours, theirs = socket.socketpair()
    stream, far_stream = socket.socketpair()
    relay = Relay(SocketTunnel(ours), {channel: far_stream.detach()})
    with theirs, stream:
        theirs.sendall(frame(channel, OPEN, FIRST_SNAPSHOT.to_bytes(4, "little")))
        relay.run()
        assert stream.recv(1) == b""


def test_the_number_of_channels_is_limited() -> None:
    ours, theirs = socket.socketpair()
    data, far_data = socket.socketpair()
    relay = Relay(SocketTunnel(ours), {DATA_CHANNEL: far_data.detach()})
    before = len(os.listdir("/proc/self/fd"))
    many = b"".join(
        [frame(DATA_CHANNEL, OPEN, n.to_bytes(4, "little")) for n in range(16, 16 + 100_000)]
    )
    with theirs, data:
        sender = threading.Thread(target=_send_until_cut, args=(theirs, many))
        sender.start()
        relay.run()
        sender.join()
    assert len(os.listdir("/proc/self/fd")) < before


def _send_until_cut(connected: socket.socket, data: bytes) -> None:
    with suppress(OSError):
        connected.sendall(data)
