"""The messages between the near side and farside-compiler; docs/design.md, "Compiler wire".

What arrives is checked for its sizes here and for its shape by `farside.frontend.client`: the
compiler reads text that anybody may have written, so it is not trusted.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic

from farside.annotations import Any, Protocol
from farside.errors import ProtocolError
from farside.records import NamedTuple

_HEADER = struct.Struct("<II")
_SIZE = struct.Struct("<Q")
_MAX_JSON = 256 << 20
_MAX_ATTACHMENT = 2 << 30
_CHUNK = 1 << 16
_SILENCE = 2.0  # seconds after which it is seen to it that the other end is not stopped


class Disconnected(Exception):
    """The other end of the socket is closed."""


class TimeUp(Exception):
    """The deadline passed before a message was complete."""


class Message(NamedTuple):
    """One message: its JSON object, its attachments, and a file descriptor where one came along.

    Attributes:
        body: the JSON object.
        attachments: raw bytes, at most one in this protocol.
        descriptor: a file descriptor that the receiver owns, or None.
    """

    body: dict[str, Any]
    attachments: tuple[bytes, ...]
    descriptor: int | None


class Interrupts(Protocol):
    """Where the wish to stop waiting comes from."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is one."""

    def deliver(self) -> None:
        """Take note of it. Raises KeyboardInterrupt if the wait may be broken off now."""


class Channel:
    """One end of a stream socket that carries messages.

    A message that was received in part, because the deadline passed or the user interrupted, stays
    in the buffer; the next `receive` goes on with it.

    Attributes:
        interrupts: what `receive` waits for as well, if anything.
        pid: the process at the other end, as far as is known, else 0. Should somebody have stopped
            it, it is continued when nothing has come for a while: nobody else would.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._wake = -1  # of the interrupts, when it is polled, too
        self._buffer = bytearray()
        self._descriptors: list[int] = []
        self.interrupts: Interrupts | None = None
        self.pid = 0

    def send(self, body: Mapping[str, Any]) -> None:
        """Send one message without attachments.

        Raises:
            Disconnected: the other end is closed.
        """
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(
            "utf-8", "surrogatepass"
        )
        rest = memoryview(_HEADER.pack(len(text), 0) + text)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                if not select.select((), (self._socket,), (), _SILENCE)[1]:
                    let_go(self.pid)
            except OSError as error:
                raise Disconnected from error

    def receive(self, deadline: float | None = None) -> Message:
        """Wait for one message.

        Args:
            deadline: when to give up, in the seconds of `time.monotonic`; None means never.

        Raises:
            Disconnected: the other end is closed.
            TimeUp: the deadline passed.
            ProtocolError: the bytes are no message.
        """
        self._fill(_HEADER.size, deadline)
        json_size, count = _HEADER.unpack_from(self._buffer)
        if json_size > _MAX_JSON or count > 1:
            raise ProtocolError(
                f"The compiler announced {json_size} bytes of JSON and {count} attachments."
            )
        start = _HEADER.size + _SIZE.size * count
        self._fill(start, deadline)
        sizes = [
            _SIZE.unpack_from(self._buffer, _HEADER.size + _SIZE.size * i)[0] for i in range(count)
        ]
        if sum(sizes) > _MAX_ATTACHMENT:
            raise ProtocolError(f"The compiler announced an attachment of {sum(sizes)} bytes.")
        end = start + json_size + sum(sizes)
        self._fill(end, deadline)
        text = bytes(self._buffer[start : start + json_size])
        attachments = tuple(bytes(self._buffer[end - size : end]) for size in sizes)
        del self._buffer[:end]
        body = _parse(text)
        # Descriptors come with events, one each, and in the order of their messages; bytes read at
        # once may hold a response before the event.
        descriptor = self._descriptors.pop(0) if "event" in body and self._descriptors else None
        return Message(body, attachments, descriptor)

    def pending(self) -> bool:
        """Return whether bytes are waiting; never blocks."""
        if self._buffer:
            return True
        try:
            return self._read() > 0
        except (BlockingIOError, Disconnected):
            return False

    def ended(self) -> bool:
        """Return whether the other end is closed; what it said before can be read. Never blocks."""
        try:
            while True:
                self._read()
        except BlockingIOError:
            return False
        except Disconnected:
            return True

    def hang_up(self) -> None:
        """Let the other end see that nothing more comes; what it has said can still be received."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket, and descriptors that nobody took."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()
        self._socket.close()

    def _fill(self, size: int, deadline: float | None) -> None:
        while len(self._buffer) < size:
            if deadline is not None and monotonic() >= deadline:
                raise TimeUp
            self._await_readable(deadline)
            with suppress(BlockingIOError):
                self._read()

    def _await_readable(self, deadline: float | None) -> None:
        """Wait for bytes, or for the deadline, and see to interrupts meanwhile."""
        interrupts = self.interrupts
        wake = -1 if interrupts is None else interrupts.fileno()
        if wake != self._wake:
            if self._wake >= 0:
                self._poll.unregister(self._wake)
            if wake >= 0:
                self._poll.register(wake, select.POLLIN)
            self._wake = wake
        while True:
            left = _SILENCE if deadline is None else max(0.0, deadline - monotonic())
            ready = [descriptor for descriptor, _ in self._poll.poll(min(left, _SILENCE) * 1000)]
            if not ready and left >= _SILENCE:
                let_go(self.pid)
            if interrupts is not None and wake in ready:
                interrupts.deliver()
            if not ready or ready != [wake]:
                return

    def _read(self) -> int:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._socket, _CHUNK, 4)
        except BlockingIOError:
            raise
        except OSError as error:
            raise Disconnected from error
        self._descriptors += descriptors
        if not data:
            raise Disconnected
        self._buffer += data
        return len(data)


def let_go(pid: int) -> None:
    """Let a process that ends with its socket see the end of it, should somebody have stopped it.

    The number is what the process said of itself; to continue a process that is not stopped does
    nothing, whoever it is.
    """
    if pid > 1:
        with suppress(OSError):
            os.kill(pid, signal.SIGCONT)


def _parse(text: bytes) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The compiler sent what is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise ProtocolError("The compiler sent JSON that is not an object.")
    return body
