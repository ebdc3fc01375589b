"""Strikes at a chosen byte of a conversation: while a message is half sent, or half read.

A `Cut` stands between one end of a connection and the part of farside that uses it. When so many
bytes have passed it strikes, with the rest of the message still on its way.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.session import Session

# The conversations of a session, and the direction in which bytes are counted.
PLACES = ("compiler out", "compiler in", "worker out", "worker in", "supervisor out")


class Cut:
    """Counts the bytes that pass in one direction."""

    def __init__(self, direction: str, after: int, strike: Callable[[], None]) -> None:
        self._direction = direction
        self._left = after
        self._strike: Callable[[], None] | None = strike

    def disarm(self) -> None:
        """Strike no more."""
        self._strike = None

    def share(self, direction: str, size: int) -> int:
        """Return how many of `size` bytes may pass before the strike; all of them after it."""
        if self._strike is None or direction != self._direction:
            return size
        return min(size, max(1, self._left))

    def passed(self, direction: str, size: int) -> None:
        """Count bytes that have passed; strike if it is time."""
        if self._strike is None or direction != self._direction or size == 0:
            return
        self._left -= size
        if self._left <= 0:
            strike, self._strike = self._strike, None
            strike()


class CutTransport:
    """A transport to the far side that is cut."""

    def __init__(self, inner: Any, cut: Cut) -> None:
        self._inner = inner
        self._cut = cut

    def send(self, data: memoryview, descriptor: int | None = None) -> int:
        """Send some of `data`, up to the cut."""
        part = data[: self._cut.share("out", len(data))]
        sent: int = self._inner.send(part, descriptor)
        self._cut.passed("out", sent)
        return sent

    def receive(self) -> bytes | None:
        """Return what has arrived; the strike comes after it."""
        data: bytes | None = self._inner.receive()
        self._cut.passed("in", len(data or b""))
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class CutSocket:
    """A socket to the compiler that is cut."""

    def __init__(self, inner: socket.socket, cut: Cut) -> None:
        self._inner = inner
        self._cut = cut

    def sendall(self, data: bytes) -> None:
        """Send all of `data`, with the strike in the middle."""
        while data:
            part = data[: self._cut.share("out", len(data))]
            self._inner.sendall(part)
            self._cut.passed("out", len(part))
            data = data[len(part) :]

    def recvmsg(self, size: int, *more: int) -> Any:
        """Read no further than the cut, and strike."""
        found = self._inner.recvmsg(self._cut.share("in", size), *more)
        self._cut.passed("in", len(found[0]))
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def lay(session: Session, place: str, after: int, strike: Callable[[], None]) -> Cut:
    """Have `strike` called when `after` bytes have passed at a place, one of `PLACES`.

    A conversation that ends takes its cut along.
    """
    who, direction = place.split()
    cut = Cut(direction, after, strike)
    executor = session._execution._executor
    if who == "compiler":
        channel: Any = session._compiler._channel
        if channel is not None:
            channel._socket = CutSocket(channel._socket, cut)
    elif who == "worker":
        conversation: Any = executor._conversation
        conversation._transport = CutTransport(conversation._transport, cut)
    else:
        supervisor: Any = executor.family.supervisor
        supervisor._control = CutTransport(supervisor._control, cut)
    return cut
