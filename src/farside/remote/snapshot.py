"""A process of the far side that sleeps in an earlier state of the program.

The near side makes a socket pair and sends one end along with its request; the worker forks, and
the child sleeps on that end. Whether there is a child is learnt from the socket alone, so that it
does not matter when the worker dies: a *hello* arrives, or the end of the stream.
"""

from __future__ import annotations

import resource
import select
import socket
from array import array
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import FarSideLost, ProtocolError
from farside.orc import bootstrap
from farside.orc.frames import FrameDecoder, Opcode, encode_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_HELLO = 4096
_HELLO = Struct("<IIIQ")  # of SPS: process, threads, streams, nanoseconds
_SPARE = 12  # descriptors that a cell needs besides: of output, libraries, processes


class Snapshot:
    """One end of a sleeping process; closing it ends the process.

    Attributes:
        pid: of the process; 0 until `ready`.
        threads: how many the worker had when it was forked, 0 if that is unknown; the snapshot has
            one.
        seconds: how long the fork before this one took of a processor.
        streams: how many pipes and sockets the program had open.
        supervisor: number of the supervisor whose child it is; 0 until it was asked for.
    """

    def __init__(self) -> None:
        """Make the sockets. Raises OSError where this process may open no more of them."""
        self.socket, self._far = socket.socketpair()
        self.pid = 0
        self.threads = 1
        self.streams = 0
        self.seconds = 0.0
        self.supervisor = 0

    @property
    def leaves_few(self) -> bool:
        """Whether it took one of the last descriptors that this process may have (`getrlimit`)."""
        # The kernel gives the lowest number that is free.
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return most != resource.RLIM_INFINITY and self._far.fileno() + _SPARE >= most

    def far_end(self) -> socket.socket:
        """Return the socket that the worker must be sent; to be closed once it is."""
        return self._far

    def ready(self, timeout: float) -> bool:
        """Tell whether the process is there; waits for it, or for its end, `timeout` seconds.

        Waiting is of use where the worker is known to have come to the request, or to have died.
        """
        if self.socket.fileno() < 0:
            return False
        if self.pid:
            # It has spoken and says nothing more; what can be read is the end.
            return not self._is_readable(0)
        try:
            if timeout and not self._is_readable(timeout):
                return False
            data = self.socket.recv(_MAX_HELLO, socket.MSG_DONTWAIT)
            frame = FrameDecoder(_MAX_HELLO).whole(data)
            if (
                frame is None
                or frame.opcode != Opcode.CALL
                or frame.tag != bootstrap.SNAPSHOT_SLEEPS
                or len(frame.payload) != _HELLO.size
            ):
                return False
            self.pid, self.threads, self.streams, nanoseconds = _HELLO.unpack(frame.payload)
            self.seconds = nanoseconds * 1e-9
        except (OSError, ProtocolError):
            return False
        if not 0 < self.pid < 1 << 31:  # which no process has; to signals they are whole groups
            self.pid = 0
        return self.pid != 0

    def _is_readable(self, timeout: float) -> bool:
        """Wait for something to read, or the end, for so many seconds; tell whether it is there."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def found_family(self, control: socket.socket) -> None:
        """Have the process become a supervisor that speaks on `control`, and its child the worker.

        Raises:
            FarSideLost: it is gone.
        """
        frame = encode_frame(Opcode.CALL, 0, bootstrap.SNAPSHOT_FOUND_FAMILY)
        try:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [control.fileno()]))
            self.socket.sendmsg([frame], [rights], socket.MSG_NOSIGNAL)
        except OSError as error:
            raise FarSideLost("The snapshot is gone.") from error

    def close(self) -> None:
        """End the process; may be called again."""
        self.socket.close()
        self._far.close()


def pids_of(snapshots: Iterable[Snapshot], timeout: float) -> list[int]:
    """Return the processes of those snapshots that are there; see `Snapshot.ready`."""
    poll = select.poll()
    asleep: dict[int, int] = {}
    for snapshot in snapshots:
        descriptor = snapshot.socket.fileno()
        if descriptor >= 0 and (snapshot.pid or snapshot.ready(timeout)):
            asleep[descriptor] = snapshot.pid
            poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(0):  # they say nothing more; what can be read is the end
        del asleep[descriptor]
    return list(asleep.values())
