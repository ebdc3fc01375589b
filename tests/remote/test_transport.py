"""Sending to a peer that does not read: nobody waits in it, with a descriptor or without."""

from __future__ import annotations

import os
import socket

from farside.remote.transport import SocketTransport


def test_a_full_connection_takes_nothing_and_keeps_nobody_waiting() -> None:
    ours, theirs = socket.socketpair()
    large = memoryview(bytes(4 << 20))
    with ours, theirs:
        transport = SocketTransport(ours)
        sent = transport.send(large, 0)  # some of it, and the descriptor with that
        assert 0 < sent < len(large)
        while more := transport.send(large):
            sent += more
        assert transport.send(large, 0) == 0
        assert transport.send(large) == 0
        data, descriptors, _, _ = socket.recv_fds(theirs, 1 << 20, 4)
        assert len(descriptors) == 1
        os.close(descriptors[0])
        received = len(data)
        while received < sent:
            received += len(theirs.recv(1 << 20))
        assert received == sent
