"""One stream of bytes to another machine, in both directions: a socket, TLS, or two pipes."""

from __future__ import annotations

import os
import socket

from farside.annotations import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16


class Tunnel(Protocol):
    """A stream that never blocks. An `OSError` of either direction is the end of both."""

    def filenos(self) -> tuple[int, int]:
        """Return the descriptors to wait on, for reading and for writing."""

    def receive(self) -> bytes | None:
        """Return what has arrived; None if nothing has, ``b""`` at the end."""

    def send(self, data: memoryview) -> int:
        """Send some of `data`; returns how many bytes, 0 if none can be taken now."""

    def pending(self) -> bool:
        """Whether `receive` has something that no descriptor shows."""

    def close(self) -> None:
        """Close both directions."""


class SocketTunnel:
    """A connected stream socket, or one wrapped in TLS."""

    def __init__(self, connected: socket.socket) -> None:
        import ssl

        self._socket = connected
        self._waits: tuple[type[OSError], ...] = (
            BlockingIOError,
            ssl.SSLWantReadError,
            ssl.SSLWantWriteError,
        )
        self._pending: Callable[[], int] | None = getattr(connected, "pending", None)
        connected.setblocking(False)
        if connected.family in (socket.AF_INET, socket.AF_INET6):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # A peer that vanished without a word is found out.
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 60_000)

    def filenos(self) -> tuple[int, int]:
        """Return the socket's descriptor twice."""
        return self._socket.fileno(), self._socket.fileno()

    def receive(self) -> bytes | None:
        """Return what has arrived; see `Tunnel.receive`."""
        try:
            return self._socket.recv(_CHUNK)
        except self._waits:
            return None
        except OSError:
            return b""

    def send(self, data: memoryview) -> int:
        """Send some of `data`; see `Tunnel.send`."""
        try:
            return self._socket.send(data)
        except self._waits:
            return 0

    def pending(self) -> bool:
        """Whether TLS has decrypted more than was asked for."""
        return self._pending is not None and self._pending() > 0

    def close(self) -> None:
        """Close the socket. Data in flight is delivered; TLS says no goodbye, the relay does."""
        self._socket.close()


class PipeTunnel:
    """A pipe for each direction, such as the standard streams of ssh."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)

    def filenos(self) -> tuple[int, int]:
        """Return the two descriptors."""
        return self._reading, self._writing

    def receive(self) -> bytes | None:
        """Return what has arrived; see `Tunnel.receive`."""
        try:
            return os.read(self._reading, _CHUNK)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def send(self, data: memoryview) -> int:
        """Send some of `data`; see `Tunnel.send`."""
        try:
            return os.write(self._writing, data[:_CHUNK])
        except BlockingIOError:
            return 0

    def pending(self) -> bool:
        """Return False: a pipe shows all that it has."""
        return False

    def close(self) -> None:
        """Close both pipes."""
        for descriptor in (self._reading, self._writing):
            if descriptor >= 0:
                os.close(descriptor)
        self._reading = self._writing = -1
