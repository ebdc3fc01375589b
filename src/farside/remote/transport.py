"""How bytes reach the far side.

`Transport` is the seam: a stream with four methods. Frames, calls and deaths are above it and know
of nothing else.
"""

from __future__ import annotations

import socket
from array import array

from farside.annotations import Protocol
from farside.errors import FarSideLost

_SEND = int(socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)  # an enumeration's `|` takes its time
_RECEIVE = int(socket.MSG_DONTWAIT)


class Transport(Protocol):
    """A stream of bytes, in both directions, that never blocks."""

    def fileno(self) -> int:
        """Return the descriptor to wait on."""

    def send(self, data: memoryview, descriptor: int | None = None) -> int:
        """Send some of `data`; returns how many bytes, 0 if none can be taken now.

        A descriptor goes along with the first byte, if any byte does.

        Raises:
            FarSideLost: the peer takes no more.
        """

    def receive(self) -> bytes | None:
        """Return what has arrived; None if nothing has, ``b""`` at the end of the stream."""

    def close(self) -> None:
        """Close both directions; may be called again."""


class SocketTransport:
    """A connected stream socket."""

    __slots__ = ("_socket",)
    _chunk = 1 << 16  # a larger buffer would be mapped and unmapped for each message

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def fileno(self) -> int:
        """Return the descriptor to wait on, -1 when closed."""
        return self._socket.fileno()

    def send(self, data: memoryview, descriptor: int | None = None) -> int:
        """Send some of `data`; see `Transport.send`."""
        try:
            if descriptor is not None:
                # Not `socket.send_fds`, which forgets the flags, and so would wait.
                rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [descriptor]))
                return self._socket.sendmsg([data], [rights], _SEND)
            return self._socket.send(data, _SEND)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise FarSideLost(f"The connection to the far side broke: {error}.") from error

    def receive(self) -> bytes | None:
        """Return what has arrived; see `Transport.receive`."""
        try:
            return self._socket.recv(self._chunk, _RECEIVE)
        except BlockingIOError:
            return None
        except OSError:
            return b""  # reset by the peer's end: the end of the stream, too

    def close(self) -> None:
        """Close both directions; may be called again."""
        self._socket.close()
