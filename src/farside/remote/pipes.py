"""The far side's captured output, as it comes through pipes."""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress

from farside.annotations import TYPE_CHECKING
from farside.errors import FarsideError

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.remote.ports import OutputSink
    from farside.remote.spawn import Spawned

_AT_ONCE = 1 << 16  # bytes
_TURNS = 16


class OutputPipes:
    """The pipes of an executor whose output is captured; none where it is not.

    Attributes:
        descriptors: those that are open and not at their end.
    """

    def __init__(self, spawned: Spawned, sink: OutputSink | None) -> None:
        self._take: dict[int, Callable[[bytes], None]] = {}
        if sink is not None and spawned.stdout is not None and spawned.stderr is not None:
            self._take = {spawned.stdout: sink.stdout, spawned.stderr: sink.stderr}
        self.descriptors = set(self._take)
        self._poll = select.poll()
        for pipe in self._take:
            os.set_blocking(pipe, False)
            self._poll.register(pipe, select.POLLIN)

    def read(self, pipe: int) -> bool:
        """Hand on what a pipe holds; False when there is no more now, or never will be."""
        try:
            data = os.read(pipe, _AT_ONCE)
        except BlockingIOError:
            return False
        if data:
            self._take[pipe](data)
        else:
            self.descriptors.discard(pipe)
        return bool(data)

    def drain(self) -> None:
        """Hand on what was printed before a reply was sent: it belongs to that reply.

        Bounded: a thread that prints without end must not keep the reply from its caller.
        """
        if not self._take or not self._poll.poll(0):
            return
        for pipe in self._take:
            for _ in range(_TURNS):
                if not self.read(pipe):
                    break

    def drain_to_end(self, seconds: float) -> None:
        """Hand on all that still comes, until the writers have closed the pipes or time is up."""
        deadline = time.monotonic() + seconds
        poll = select.poll()
        for pipe in self.descriptors:
            poll.register(pipe, select.POLLIN)
        while self.descriptors and (left := deadline - time.monotonic()) > 0:
            for pipe, _ in poll.poll(left * 1000):
                with suppress(FarsideError):  # nobody is left to be told of too much output
                    self.read(pipe)
                if pipe not in self.descriptors:
                    poll.unregister(pipe)

    def close(self) -> None:
        """Close them; may be called again."""
        for pipe in self._take:
            os.close(pipe)
        self._take.clear()
        self.descriptors.clear()
