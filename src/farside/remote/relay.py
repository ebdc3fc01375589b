"""Carries the streams of one executor over one connection to another machine.

An executor talks on several streams: calls, its supervisor's news, captured output, and a socket
for each snapshot, which is passed as a descriptor, as is the control socket of a supervisor that
takes the place of another. The far end itself has one for `farside.remote.keeper`. On one machine
they are sockets and pipes. Over a network a relay stands at either end. Each reads its local
streams and sends what they say in numbered channels, so that neither the session nor the executor
knows of the network::

    session ═ sockets, pipes ═ relay ─── one connection ─── relay ═ sockets, pipes ═ executor

A frame is ``u32 channel, u8 kind, u32 size`` and the bytes. Kinds: DATA; END, the channel's stream
has ended; OPEN, the next byte of the channel carries a descriptor, which is the channel whose
number (u32) is given. For that the relay makes a socket pair and passes one end on; TAKEN, so many
more bytes (u32) of the channel's output have got where they go.

Order matters in one place: what a program prints is there before the reply to the call that printed
it, and what one printed that was ended before that of the snapshot in its place. So all output
that there is is read after and sent before the data that was there with it, and a relay delivers
data only when all output before it is delivered. Nothing that was printed comes before what a
snapshot says by itself, when it has fallen asleep: who waits for that reads no output.

Output that nobody reads stays in the program's pipe: no more than `WINDOW` bytes of a stream, and
what comes before a reply, are on their way until they are TAKEN. So little else has to pass before
a reply does, or the end of a program that prints without end.

Memory is bounded: a relay does not read from where it comes while too much waits for where it
goes. Nothing a peer sends can name a channel that is not open, be larger than a frame may be, or
open more channels than there may be; such a peer is cut off.
"""

from __future__ import annotations

import os
import select
import socket
import time
from array import array
from collections import deque
from fcntl import ioctl
from struct import Struct
from termios import FIONREAD

from farside.annotations import TYPE_CHECKING
from farside.errors import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.remote.tunnel import Tunnel

DATA_CHANNEL, CONTROL_CHANNEL, STDOUT_CHANNEL, STDERR_CHANNEL, KEEPER_CHANNEL = 0, 1, 2, 3, 4
OUTPUT_CHANNELS = (STDOUT_CHANNEL, STDERR_CHANNEL)
_NO_REPLIES = (CONTROL_CHANNEL, KEEPER_CHANNEL, *OUTPUT_CHANNELS)  # before which output goes
FIRST_SNAPSHOT = 16
WINDOW = 1 << 18

_HEADER = Struct("<IBI")
_NUMBER = Struct("<I")
_INT = Struct("@i")
_DATA, _END, _OPEN, _TAKEN = 0, 1, 2, 3
_MAX_FRAME = 1 << 16
_MAX_WAITING = 4 << 20
_MAX_CHANNELS = 2048
_TOLD_AT_ONCE = WINDOW // 8  # bytes that were taken; a message for every line is one too many
_LINGER = 10.0  # seconds for the other end to end what this one has ended


def frame(channel: int, kind: int, payload: bytes | bytearray | memoryview = b"") -> bytes:
    """Return a frame's bytes."""
    return _HEADER.pack(channel, kind, len(payload)) + payload


class _Stream:
    """A local end of a channel."""

    __slots__ = (
        "called",
        "came",
        "descriptor",
        "ended",
        "incoming",
        "outgoing",
        "passing",
        "reads",
        "under_way",
        "untold",
        "waits",
    )

    def __init__(self, descriptor: int, *, reads: bool, called: bool = True) -> None:
        self.descriptor = descriptor
        self.reads = reads  # whether it is read from
        self.outgoing = bytearray()  # to be written to it
        self.ended = False  # the other relay has said so
        # Descriptors, each with how many bytes are written before the one that it goes with.
        self.passing: deque[tuple[int, int]] = deque()
        self.incoming = True  # more may come from it
        self.called = called  # the session has said something to it
        self.came = 0  # bytes that were to be written to it, ever
        # Where bytes begin that are to be written when so much output has been, by its streams.
        self.waits: deque[tuple[int, tuple[int, ...]]] = deque()
        self.under_way = 0  # bytes of output that were sent and not taken
        self.untold = 0  # bytes of output that were taken, which the other relay is to be told

    @property
    def written(self) -> int:
        """How many bytes were written to it, ever."""
        return self.came - len(self.outgoing)


class Relay:
    """One end. It owns the descriptors that it is given and closes them.

    Args:
        tunnel: the connection.
        streams: the local end of each channel, by number, as descriptors.
        write_only: channels that are only written to.
        life: ends the relay when it is at its end; None for no such descriptor.
        tells: whether the two relays tell each other how much output was taken; old ones do not.
    """

    def __init__(
        self,
        tunnel: Tunnel,
        streams: Mapping[int, int],
        *,
        write_only: tuple[int, ...] = (),
        life: int | None = None,
        tells: bool = False,
    ) -> None:
        self._tunnel = tunnel
        self._life = life
        self._tells = tells
        self._is_near = STDOUT_CHANNEL in write_only
        self._streams = {
            channel: _Stream(descriptor, reads=channel not in write_only)
            for channel, descriptor in streams.items()
        }
        for channel, stream in self._streams.items():
            # What is only written to may be somebody else's terminal, whose mode is theirs.
            if channel not in write_only:
                os.set_blocking(stream.descriptor, False)
        self._to_tunnel = bytearray()
        self._from_tunnel = bytearray()
        self._next_channel = FIRST_SNAPSHOT
        self._open = True
        self._deadline: float | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes that came through the tunnel before the relay did."""
        self._from_tunnel += data

    def run(self) -> None:
        """Carry until the tunnel or all streams have ended; then close everything."""
        try:
            self._take_frames()
            while self._open and (self._streams or self._to_tunnel):
                self._turn()
        except (OSError, ProtocolError):
            pass  # the end: nobody is left to be told
        finally:
            for stream in self._streams.values():
                _close(stream)
            self._streams.clear()
            self._tunnel.close()

    # ------------------------------------------------------------------ waiting

    def _turn(self) -> None:
        reading, writing = self._tunnel.filenos()
        events: dict[int, int] = {}
        if sum(len(each.outgoing) for each in self._streams.values()) < _MAX_WAITING:
            events[reading] = select.POLLIN
        if self._to_tunnel:
            events[writing] = events.get(writing, 0) | select.POLLOUT
        for stream in self._streams.values():
            wanted = 0
            if stream.incoming and stream.reads and self._has_room_for(stream):
                wanted |= select.POLLIN
            if self._writable(stream):
                wanted |= select.POLLOUT
            if wanted:
                events[stream.descriptor] = wanted
        if self._life is not None:
            events[self._life] = select.POLLIN
        poll = select.poll()
        for descriptor, wanted in events.items():
            poll.register(descriptor, wanted)
        ready = dict(poll.poll(self._patience()))
        if not ready and self._deadline is not None and time.monotonic() >= self._deadline:
            self._open = False
        if self._life is not None and self._life in ready:
            self._open = False
        self._read_streams(ready)
        self._write_streams()
        if ready.get(reading, 0) & ~select.POLLOUT:
            self._read_tunnel()
        self._write_tunnel()

    def _patience(self) -> float | None:
        """How long to wait, in milliseconds: for ever unless this end is about to close."""
        control = self._streams.get(CONTROL_CHANNEL)
        is_heard = control is not None and control.incoming
        # Where a supervisor has ended, a snapshot may found a family with another.
        if is_heard or max(self._streams, default=0) >= FIRST_SNAPSHOT:
            self._deadline = None
            return None
        if self._deadline is None:
            self._deadline = time.monotonic() + _LINGER
        return max(0.0, self._deadline - time.monotonic()) * 1000

    def _has_room_for(self, stream: _Stream) -> bool:
        taken = not self._tells or stream.under_way < WINDOW
        return taken and len(self._to_tunnel) < _MAX_WAITING

    def _writable(self, stream: _Stream) -> int:
        """Return how many bytes may be written to a stream before more output is."""
        while stream.waits and self._is_delivered(stream.waits[0][1]):
            stream.waits.popleft()
        if stream.waits:
            return stream.waits[0][0] - stream.written
        return len(stream.outgoing)

    def _output_that_came(self) -> tuple[int, ...]:
        printed = [self._streams.get(channel) for channel in OUTPUT_CHANNELS]
        return tuple([0 if stream is None else stream.came for stream in printed])

    def _is_delivered(self, output: tuple[int, ...]) -> bool:
        """Tell whether so much output, by streams, was written; of one that is closed, all was."""
        return all(
            (stream := self._streams.get(channel)) is None or stream.written >= size
            for channel, size in zip(OUTPUT_CHANNELS, output, strict=True)
        )

    # ------------------------------------------------------------------ local streams

    def _read_streams(self, ready: dict[int, int]) -> None:
        ends: list[tuple[int, _Stream]] = []
        pieces: list[bytes] = []
        output = False
        for channel, stream in list(self._streams.items()):
            came = stream.descriptor in ready and stream.incoming and stream.reads
            if channel in OUTPUT_CHANNELS or not came:
                continue
            output = output or stream.called
            pieces.append(self._read_stream(channel, stream, ends))
        # What was printed before these were written is in the pipes by now, and goes first.
        for channel in OUTPUT_CHANNELS:
            printing = self._streams.get(channel)
            if printing is None or not (printing.reads and printing.incoming):
                continue
            if output or printing.descriptor in ready:
                self._to_tunnel += self._read_output(channel, printing, ends, all_of_it=output)
        for piece in pieces:
            self._to_tunnel += piece
        for channel, stream in ends:
            self._to_tunnel += frame(channel, _END)
            stream.incoming = False
            self._drop_if_done(channel, stream)

    def _read_stream(self, channel: int, stream: _Stream, ends: list[tuple[int, _Stream]]) -> bytes:
        """Return the frames for what a stream has to say."""
        descriptors: list[int] = []
        try:
            data, descriptors = _receive_with_descriptors(stream.descriptor)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            ends.append((channel, stream))
            return b""
        stream.called = stream.called or self._is_near
        opened = b"".join([self._open_channel(channel, each) for each in descriptors])
        return opened + frame(channel, _DATA, data)

    def _read_output(
        self, channel: int, stream: _Stream, ends: list[tuple[int, _Stream]], *, all_of_it: bool
    ) -> bytes:
        """Return the frames for what was printed: what a frame holds, or all that there is."""
        left = _size_of(stream.descriptor) if all_of_it else 1
        frames = bytearray()
        try:
            while True:
                data = os.read(stream.descriptor, _MAX_FRAME)
                if not data:
                    ends.append((channel, stream))
                    break
                frames += frame(channel, _DATA, data)
                stream.under_way += len(data)
                left -= len(data)
                if left <= 0:
                    break
        except BlockingIOError:
            pass
        except OSError:
            ends.append((channel, stream))
        return bytes(frames)

    def _open_channel(self, carrier: int, descriptor: int) -> bytes:
        number = self._next_channel
        self._next_channel = max(FIRST_SNAPSHOT, (number + 1) & 0xFFFFFFFF)
        os.set_blocking(descriptor, False)
        self._streams[number] = _Stream(descriptor, reads=True, called=False)
        return frame(carrier, _OPEN, _NUMBER.pack(number))

    def _write_streams(self) -> None:
        order = [*OUTPUT_CHANNELS, *(each for each in self._streams if each not in OUTPUT_CHANNELS)]
        for channel in order:
            stream = self._streams.get(channel)
            if stream is None or not (most := self._writable(stream)):
                continue
            before = stream.written
            try:
                del stream.outgoing[: _write(stream, most)]
            except BlockingIOError:
                continue
            except OSError:
                stream.outgoing.clear()  # its reader has gone, which its other direction will tell
                stream.waits.clear()
            if self._tells and channel in OUTPUT_CHANNELS:
                self._tell_taken(channel, stream, stream.written - before)
            self._drop_if_done(channel, stream)

    def _tell_taken(self, channel: int, stream: _Stream, size: int) -> None:
        stream.untold += size
        if stream.untold >= _TOLD_AT_ONCE:
            self._to_tunnel += frame(channel, _TAKEN, _NUMBER.pack(stream.untold))
            stream.untold = 0

    def _drop_if_done(self, channel: int, stream: _Stream) -> None:
        """Close a stream that has ended in a direction, when all is written that came for it."""
        over = stream.ended or not stream.incoming
        if over and not stream.outgoing and self._streams.get(channel) is stream:
            if stream.incoming and stream.reads:
                self._to_tunnel += frame(channel, _END)
            del self._streams[channel]
            _close(stream)

    # ------------------------------------------------------------------ the tunnel

    def _read_tunnel(self) -> None:
        while True:
            data = self._tunnel.receive()
            if data is None:
                return
            if not data:
                self._open = False
                return
            self._from_tunnel += data
            self._take_frames()
            if not self._tunnel.pending():
                return

    def _write_tunnel(self) -> None:
        while self._to_tunnel:
            with memoryview(self._to_tunnel) as view:
                sent = self._tunnel.send(view)
            if not sent:
                return
            del self._to_tunnel[:sent]

    def _take_frames(self) -> None:
        buffer = self._from_tunnel
        position = 0
        while len(buffer) - position >= _HEADER.size:
            channel, kind, size = _HEADER.unpack_from(buffer, position)
            if size > _MAX_FRAME or kind > _TAKEN:
                raise ProtocolError(f"A relay frame of {size} bytes, kind {kind}.")
            if len(buffer) - position < _HEADER.size + size:
                break
            start = position + _HEADER.size
            position = start + size
            self._take_frame(channel, kind, bytes(buffer[start:position]))
        del buffer[:position]
        self._write_streams()

    def _take_frame(self, channel: int, kind: int, payload: bytes) -> None:
        stream = self._streams.get(channel)
        if stream is None or stream.ended:
            return  # it has ended here, and the other end did not know yet
        if kind == _DATA:
            self._take_data(stream, channel, payload)
        elif kind == _END:
            stream.ended = True
            self._drop_if_done(channel, stream)
        elif kind == _TAKEN:
            self._note_taken(stream, channel, payload)
        else:
            self._accept_channel(stream, channel, payload)

    def _take_data(self, stream: _Stream, channel: int, payload: bytes) -> None:
        if not self._is_near:
            stream.called = True
        elif stream.called and channel not in _NO_REPLIES:
            before = self._output_that_came()
            waits_already = bool(stream.waits) and stream.waits[-1][1] == before
            if not waits_already and not self._is_delivered(before):
                stream.waits.append((stream.came, before))
        stream.outgoing += payload
        stream.came += len(payload)

    def _note_taken(self, stream: _Stream, channel: int, payload: bytes) -> None:
        if len(payload) != _NUMBER.size or channel not in OUTPUT_CHANNELS or self._is_near:
            raise ProtocolError("A relay frame about output that is none.")
        stream.under_way -= _NUMBER.unpack(payload)[0]
        if stream.under_way < 0:
            raise ProtocolError("A relay frame about more output than there was.")

    def _accept_channel(self, stream: _Stream, channel: int, payload: bytes) -> None:
        if len(payload) != _NUMBER.size or channel in (KEEPER_CHANNEL, *OUTPUT_CHANNELS):
            raise ProtocolError("A relay frame that opens no channel.")
        (number,) = _NUMBER.unpack(payload)
        if number < FIRST_SNAPSHOT or number in self._streams:
            raise ProtocolError(f"A relay frame that opens channel {number}.")
        if len(self._streams) >= _MAX_CHANNELS:
            raise ProtocolError("Too many channels.")
        ours, theirs = socket.socketpair()
        stream.passing.append((stream.came, theirs.detach()))
        ours.setblocking(False)
        self._streams[number] = _Stream(ours.detach(), reads=True, called=False)


def _receive_with_descriptors(descriptor: int) -> tuple[bytes, list[int]]:
    """Read from a local socket what is there, with the descriptors that came along."""
    with socket.socket(fileno=os.dup(descriptor)) as local:
        if local.family != socket.AF_UNIX:
            return local.recv(_MAX_FRAME), []
        data, ancillary, _, _ = local.recvmsg(
            _MAX_FRAME, socket.CMSG_SPACE(16 * 4), socket.MSG_CMSG_CLOEXEC
        )
    descriptors = array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return data, list(descriptors)


def _size_of(pipe: int) -> int:
    """Return how many bytes a pipe holds."""
    (size,) = _INT.unpack(ioctl(pipe, FIONREAD, bytes(_INT.size)))
    return int(size)


def _write(stream: _Stream, most: int) -> int:
    """Write so many bytes to a stream, or fewer: no message has the descriptors of two."""
    here = stream.written
    going = [descriptor for place, descriptor in stream.passing if place <= here]
    most = min([most, _MAX_FRAME, *(place - here for place, _ in stream.passing if place > here)])
    if not going:
        return os.write(stream.descriptor, stream.outgoing[:most])
    with socket.socket(fileno=os.dup(stream.descriptor)) as local:
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", going))
        sent = local.sendmsg([bytes(stream.outgoing[:most])], [rights], socket.MSG_NOSIGNAL)
    if sent:
        for descriptor in going:
            os.close(descriptor)
            stream.passing.popleft()
    return sent


def _close(stream: _Stream) -> None:
    for descriptor in (stream.descriptor, *(each for _, each in stream.passing)):
        os.close(descriptor)
