"""What a program prints, on its way from another machine: whose it is, and what waits for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import ioctl
from pathlib import Path
from struct import Struct, unpack
from termios import FIONREAD
from threading import Thread

import pytest

from farside.errors import Interrupted, TooMuchOutput
from farside.options import Options
from farside.recovery.sentences import AS_IT_WAS
from farside.remote.pipes import OutputPipes
from farside.remote.relay import (
    CONTROL_CHANNEL,
    DATA_CHANNEL,
    FIRST_SNAPSHOT,
    STDOUT_CHANNEL,
    WINDOW,
    Relay,
    frame,
)
from farside.remote.spawn import Spawned
from farside.remote.supervisor import Supervisor
from farside.remote.tunnel import SocketTunnel
from farside.result.output import Output
from farside.session import Session
from tests.far_sides import TOKEN, environment, front
from tests.sshd import HOST, sshd

DATA, END, OPEN, TAKEN = 0, 1, 2, 3
NUMBER = Struct("<I")
HEADER = Struct("<IBI")
LIMIT = 1_000_000
FLOOD = """
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <unistd.h>
void flood() { for (std::string text(1 << 16, 'x');;) (void)!write(1, text.data(), text.size()); }
void say(int bytes) { std::string text(bytes, 'x'); (void)!write(1, text.data(), bytes); }
"""


@contextmanager
def there(kind: str, directory: Path) -> Iterator[Session]:
    """Start a session whose program runs elsewhere."""
    common = Options(output="capture", output_limit=LIMIT)
    if kind == "ssh":
        with (
            sshd(directory / "sshd") as machine,
            environment(FARSIDE_SSH=machine.command),
            Session(common.with_(ssh=HOST)) as session,
        ):
            yield session
        return
    token = directory / "token"
    token.write_text(TOKEN)
    with (
        environment(FARSIDE_KNOWN_EXECUTORS=str(directory / "known")),
        front(directory, *(["--no-tls"] if kind == "tcp" else [])) as running,
        Session(common.with_(connect=running.address, token_file=token)) as session,
    ):
        yield session


@pytest.mark.parametrize("kind", ["tcp", "tls", "ssh"])
def test_what_a_program_wrote_before_it_was_ended_is_not_the_next_cells(
    kind: str, tmp_path: Path, leaves_nothing: object
) -> None:
    with there(kind, tmp_path) as session:
        session.run(FLOOD)
        with pytest.raises(TooMuchOutput) as caught:
            session.run("flood();")
        assert caught.value.recovery == (AS_IT_WAS,)
        assert caught.value.stdout == "x" * LIMIT
        assert session.run('puts("one");').stdout == "one\n"

        session.on_output = lambda _, __: session.interrupt()
        with pytest.raises(Interrupted) as interrupted:
            session.run("flood();")
        assert interrupted.value.recovery == (AS_IT_WAS,)
        assert set(interrupted.value.stdout) == {"x"}
        session.on_output = None
        assert session.run('puts("two");').stdout == "two\n"

        # A thread goes on while the cell's own snapshot falls asleep, and between cells.
        session.run("std::atomic<bool> go; std::thread writer([] { go.wait(false); flood(); });")
        with pytest.raises(TooMuchOutput) as caught:
            session.run("go = true; go.notify_all(); pause();")
        assert caught.value.recovery[0] == AS_IT_WAS
        assert not [each for each in caught.value.recovery if "run again" in each]
        assert session.run('puts("three");').stdout == "three\n"


class Peer:
    """The relay at one end, whose streams and tunnel a test holds by their other ends."""

    def __init__(self, *, near: bool) -> None:
        self.tunnel, tunnel = socket.socketpair()
        self.data, data = socket.socketpair()
        self.control, control = socket.socketpair()
        reading, writing = os.pipe()
        self.output, relays = (reading, writing) if near else (writing, reading)
        os.set_blocking(writing, False)
        streams = {
            DATA_CHANNEL: data.detach(),
            CONTROL_CHANNEL: control.detach(),
            STDOUT_CHANNEL: relays,
        }
        write_only = (STDOUT_CHANNEL,) if near else ()
        for each in (self.tunnel, self.data, self.control):
            each.settimeout(20)
        self.relay = Relay(SocketTunnel(tunnel), streams, write_only=write_only, tells=True)
        self.thread = Thread(target=self.relay.run)
        self.thread.start()

    def frames(self) -> Iterator[tuple[int, int, bytes]]:
        """Read what the relay says: channel, kind and bytes, until it ends."""
        while len(header := self._receive(HEADER.size)) == HEADER.size:
            channel, kind, size = HEADER.unpack(header)
            yield channel, kind, self._receive(size)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self.tunnel.recv(size - len(data))):
            data += more
        return data

    def say(self, *frames: bytes) -> None:
        self.tunnel.sendall(b"".join(frames))

    def printed(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += os.read(self.output, size - len(data))
        return data

    def close(self) -> None:
        for each in (self.tunnel, self.data, self.control):
            each.close()
        self.thread.join(20)
        assert not self.thread.is_alive()
        os.close(self.output)


@pytest.fixture
def near() -> Iterator[Peer]:
    made = Peer(near=True)
    yield made
    made.close()


@pytest.fixture
def far() -> Iterator[Peer]:
    made = Peer(near=False)
    yield made
    made.close()


MUCH = [frame(STDOUT_CHANNEL, DATA, bytes([each]) * 60_000) for each in range(8)]


def test_a_reply_waits_for_the_output_before_it_and_no_other(near: Peer) -> None:
    near.say(*MUCH[:4], frame(DATA_CHANNEL, DATA, b"reply"))
    near.say(*MUCH[4:], frame(CONTROL_CHANNEL, DATA, b"news"))
    assert near.control.recv(100) == b"news"
    near.data.setblocking(False)
    with pytest.raises(BlockingIOError):
        near.data.recv(100)
    near.data.settimeout(20)
    printed = near.printed(4 * 60_000)
    assert near.data.recv(100) == b"reply"
    printed += near.printed(4 * 60_000)
    assert printed == b"".join([each[HEADER.size :] for each in MUCH])


def test_who_waits_for_a_snapshot_reads_no_output(near: Peer) -> None:
    mine, passed = socket.socketpair()
    with mine, passed:
        mine.settimeout(20)
        socket.send_fds(near.data, [b"snapshot"], [passed.fileno()])
        passed.close()
        frames = near.frames()
        channel, kind, number = next(frames)
        assert (channel, kind, number) == (DATA_CHANNEL, OPEN, NUMBER.pack(FIRST_SNAPSHOT))
        near.say(*MUCH, frame(FIRST_SNAPSHOT, DATA, b"asleep"))
        assert mine.recv(100) == b"asleep"
        # Once it is called it is as a worker is.
        mine.sendall(b"call")
        while next(frames) != (FIRST_SNAPSHOT, DATA, b"call"):
            pass
        near.say(frame(FIRST_SNAPSHOT, DATA, b"reply"), frame(CONTROL_CHANNEL, DATA, b"news"))
        assert near.control.recv(100) == b"news"
        mine.setblocking(False)
        with pytest.raises(BlockingIOError):
            mine.recv(100)
        mine.settimeout(20)
        near.printed(8 * 60_000)
        assert mine.recv(100) == b"reply"


def unread(pipe: int) -> int:
    """Return how many bytes are in a pipe."""
    (size,) = unpack("i", ioctl(pipe, FIONREAD, bytes(4)))
    return int(size)


def test_output_that_nobody_takes_stays_with_the_program(far: Peer) -> None:
    frames = far.frames()
    os.set_blocking(far.output, True)
    text = os.urandom(2 * WINDOW)
    writer = Thread(target=os.write, args=(far.output, text))
    writer.start()
    came = b""
    while len(came) < WINDOW:
        channel, kind, data = next(frames)
        assert (channel, kind) == (STDOUT_CHANNEL, DATA)
        came += data
    calls = 0
    while calls < 5 or not unread(far.output):  # the relay has had time for more, and the writer
        far.say(frame(DATA_CHANNEL, DATA, b"call"))
        assert far.data.recv(100) == b"call"
        calls += 1
    far.tunnel.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.tunnel.recv(1)
    far.tunnel.settimeout(20)
    # What the program has printed goes before a reply, all of it.
    far.data.sendall(b"reply")
    before = len(came)
    while (found := next(frames))[0] == STDOUT_CHANNEL:
        came += found[2]
    assert found == (DATA_CHANNEL, DATA, b"reply")
    assert before < len(came) < len(text)
    far.say(frame(STDOUT_CHANNEL, TAKEN, NUMBER.pack(len(came))))
    while len(came) < len(text):
        came += next(frames)[2]
    assert came == text
    writer.join()


def test_what_is_taken_is_told(near: Peer) -> None:
    near.say(*MUCH)
    near.printed(8 * 60_000)
    told = 0
    for channel, kind, data in near.frames():
        assert (channel, kind) == (STDOUT_CHANNEL, TAKEN)
        told += NUMBER.unpack(data)[0]
        if told > 8 * 60_000 - WINDOW // 2:
            break
    assert told <= 8 * 60_000


def test_a_relay_ends_when_all_is_read_that_it_has(near: Peer) -> None:
    output = Output(capture=True)
    stderr, closed = os.pipe()
    os.close(closed)
    spawned = Spawned(0, near.data, near.control, os.dup(near.output), stderr, near.thread)
    pipes = OutputPipes(spawned, output)
    ends = (STDOUT_CHANNEL, DATA_CHANNEL, CONTROL_CHANNEL)
    near.say(*MUCH, *[frame(channel, END) for channel in ends])
    Supervisor(spawned, {}).end(drain_to_end=pipes.drain_to_end)
    pipes.close()
    assert output.take()[0].encode() == b"".join([each[HEADER.size :] for each in MUCH])
    assert not near.thread.is_alive()


@pytest.mark.parametrize(
    "sent",
    [
        frame(STDOUT_CHANNEL, TAKEN, NUMBER.pack(1)),
        frame(STDOUT_CHANNEL, TAKEN, b"\0"),
        frame(DATA_CHANNEL, TAKEN, NUMBER.pack(0)),
    ],
    ids=["more", "short", "calls"],
)
def test_a_peer_that_tells_nonsense_is_cut_off(far: Peer, sent: bytes) -> None:
    far.say(sent)
    assert far.data.recv(1) == b""
