"""Objects of the newest cells, to run them again where no snapshot has what they did.

The journal keeps no object that defines nothing, as there is one for every ``x = x + 1;`` of a long
session. A program that dies before the snapshot of its newest cell is taken needs those few.
"""

from __future__ import annotations

_MOST = 8 << 20  # bytes; a cell has a few thousand


class RecentObjects:
    """The newest objects, by the number of their cell."""

    def __init__(self, most: int = _MOST) -> None:
        """Keep so many bytes, but always the newest object."""
        self._objects: dict[int, bytes] = {}
        self._size = 0
        self._most = most

    def add(self, cell: int, object_bytes: bytes) -> None:
        """Remember the object of the newest cell; the oldest may go for it."""
        self._objects[cell] = object_bytes
        self._size += len(object_bytes)
        while self._size > self._most and len(self._objects) > 1:
            self._size -= len(self._objects.pop(next(iter(self._objects))))

    def get(self, cell: int) -> bytes | None:
        """Return the object of a cell, None where it is not kept."""
        return self._objects.get(cell)
