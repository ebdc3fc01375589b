"""Compiler processes that sleep in an earlier state of the session."""

from __future__ import annotations

import os
from contextlib import suppress
from time import monotonic

from farside.errors import ProtocolError
from farside.frontend.wire import Channel, Disconnected, TimeUp, let_go
from farside.records import NamedTuple

KEPT = 8


class Snapshot(NamedTuple):
    """A sleeping compiler process.

    Attributes:
        after: the last cell it knows; 0 before the first.
        pid: its process.
        channel: the socket on which it can be woken. Closing it ends the process.
    """

    after: int
    pid: int
    channel: Channel

    def close(self) -> None:
        """End the process, and the one that it may have left in its place already."""
        pids = [self.pid]
        with suppress(Disconnected, TimeUp, ProtocolError):
            while self.channel.pending():
                message = self.channel.receive(monotonic())
                if message.descriptor is not None:
                    os.close(message.descriptor)
                pid = message.body.get("pid")
                pids += [pid] if isinstance(pid, int) else []
        self.channel.close()
        for pid in pids:
            let_go(pid)


class Snapshots:
    """The snapshots of one compiler, oldest first, thinned out with age.

    A sleeping fork shares most of its memory with the compiler, but not all, so only a few are
    kept: the newest because most cells that are taken back are the last, the oldest because every
    replay can start from it, and between them fewer the older they are.
    """

    def __init__(self) -> None:
        self._all: list[Snapshot] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, snapshot: Snapshot) -> None:
        """Keep a new snapshot, and close another where there are too many."""
        self._all.append(snapshot)
        self._all.sort(key=lambda kept: kept.after)
        if len(self._all) > KEPT:
            self._all.pop(self._dispensable()).close()

    def knows(self, cell: int) -> bool:
        """Tell whether there is one that knows a cell as its last."""
        return any(snapshot.after == cell for snapshot in reversed(self._all))

    def take(self, after: int) -> tuple[Snapshot | None, list[Snapshot]]:
        """Return the newest snapshot that knows no cell after `after`, and all that are younger.

        The caller owns them. Younger ones belong to a future that will not come.
        """
        younger: list[Snapshot] = []
        while self._all:
            snapshot = self._all.pop()
            if snapshot.after <= after:
                return snapshot, younger
            younger.append(snapshot)
        return None, younger

    def close(self) -> None:
        """Close all."""
        for snapshot in self._all:
            snapshot.close()
        self._all.clear()

    def _dispensable(self) -> int:
        """Return the index of the one whose loss leaves the smallest gap for its age."""
        newest = self._all[-1].after

        def cost(index: int) -> float:
            gap = self._all[index + 1].after - self._all[index - 1].after
            return gap / (newest - self._all[index].after + 1)

        return min(range(1, len(self._all) - 1), key=cost)
