"""The near side's view of the supervisor: the control socket, and the process behind it.

It says how the worker began and ended, ends processes on request, and ends all below it when the
socket closes. It does not wait for what it is told: the owner has its event loop call `read`.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from farside.errors import FarSideLost, ProtocolError
from farside.orc import bootstrap, sps
from farside.orc.frames import FrameDecoder, Opcode, encode_frame
from farside.remote.death import DeathReport
from farside.remote.leftovers import end_leftovers
from farside.remote.record import decode_record
from farside.remote.transport import SocketTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from farside.remote.transport import Transport

_WORKER_ENDED = (sps.U32, sps.I32, sps.I32, sps.BOOL, sps.BYTES)
_MAX_CONTROL_MESSAGE = 32768  # a crash record is most of it
_PF_EXITING = 4  # linux/sched.h, in the flags of /proc/PID/stat
_REAP_GRACE = 5.0  # seconds for the supervisor to kill all below it


class Supervisor:
    """A supervisor and what it has said.

    Attributes:
        pid: its process.
        ended: whether it does not serve any more.
        worker_pid: the worker's process, once it has told.
        death: how the worker ended, None while it lives.
    """

    def __init__(
        self, pid: int, control: socket.socket, mark: bytes, remarks: dict[int, int]
    ) -> None:
        """Take over a supervisor.

        Args:
            pid: its process.
            control: the socket to it.
            mark: what its processes have in their environment; see `end_leftovers`.
            remarks: takes the newest value of each kind of remark, by `bootstrap.REMARK_…`; of
                processes that were ended it is the sum.
        """
        self.pid = pid
        self.ended = False
        self.worker_pid: int | None = None
        self.death: DeathReport | None = None
        self._control: Transport = SocketTransport(control)
        self._mark = mark
        self._remarks = remarks
        self._frames = FrameDecoder(_MAX_CONTROL_MESSAGE)
        self._sequence = 0
        self._reaped = False

    @property
    def mark(self) -> bytes:
        """What its processes have in their environment."""
        return self._mark

    def fileno(self) -> int:
        """Return the descriptor to wait on, -1 when closed."""
        return self._control.fileno()

    def read(self) -> None:
        """Take in what it has said.

        Raises:
            ProtocolError: it is not what a supervisor says.
        """
        data = self._control.receive()
        if data is None:
            return
        if not data:
            self.ended = True
            return
        self._frames.feed(data)
        while (frame := self._frames.next()) is not None:
            if frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_WORKER_STARTED:
                (self.worker_pid,) = sps.unpack((sps.U32,), frame.payload)
            elif frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_WORKER_ENDED:
                *ended, record = sps.unpack(_WORKER_ENDED, frame.payload)
                report = DeathReport(*ended)._replace(record=decode_record(record))
                if self.worker_pid in (None, report.pid):
                    self.death = report
            elif frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_REMARK:
                kind, value = sps.unpack((sps.U32, sps.U64), frame.payload)
                if kind == bootstrap.REMARK_OTHERS_ENDED:
                    value += self._remarks.get(kind, 0)
                self._remarks[kind] = value
            else:
                raise ProtocolError(f"A control message with opcode {frame.opcode}, {frame.tag}.")

    def worker_lives(self) -> bool:
        """Tell whether the worker is certainly not about to end.

        A process that ends is marked so by the kernel before its sockets close, and one that
        executes another program, which may end soon, has that program's name by then.
        """
        try:
            with open(f"/proc/{self.worker_pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
            program = os.readlink(f"/proc/{self.pid}/exe")
            if os.readlink(f"/proc/{self.worker_pid}/exe") != program:
                return False
        except OSError:
            return False
        return fields[0] not in b"ZX" and not int(fields[6]) & _PF_EXITING

    def forget_worker(self) -> None:
        """Expect to hear of another worker."""
        self.worker_pid, self.death = None, None

    def kill_worker(self, keep: Sequence[int]) -> None:
        """Ask for the end of the worker and all else below, but for these snapshots."""
        self.tell(bootstrap.CONTROL_KILL_WORKER, sps.pack((sps.Sequence(sps.U32),), (keep,)))

    def adopt(self, pid: int) -> None:
        """Say that a snapshot is the worker from now on."""
        self.tell(bootstrap.CONTROL_ADOPT_WORKER, sps.pack((sps.U32,), (pid,)))

    def limit_processes(self, most: int) -> None:
        """Let the program have so many processes beside its first; 0 is no limit."""
        self.tell(bootstrap.CONTROL_LIMIT_PROCESSES, sps.pack((sps.U32,), (most,)))

    def interrupt_call(self, sequence: int) -> None:
        """Say that the worker's call with this number is to end by itself."""
        self.tell(bootstrap.CONTROL_INTERRUPT_CALL, sps.pack((sps.U64,), (sequence,)))

    def tell(self, tag: int, payload: bytes, descriptor: int | None = None) -> None:
        """Send a request; see the tags in `farside.orc.bootstrap`."""
        frame = encode_frame(Opcode.CALL, self._sequence, tag, payload)
        self._sequence += 1
        try:
            self._control.send(memoryview(frame), descriptor)
        except FarSideLost:
            self.ended = True

    # --- its end -------------------------------------------------------------------------------

    def end(self, keep: Sequence[int] = ()) -> None:
        """End it, and with it all below it; may be called again.

        Where it was killed, what it left is ended here, but for the processes `keep`.
        """
        if self._reaped:
            return
        self._reaped = True
        if self._control.fileno() >= 0:
            with suppress(ProtocolError):
                self.read()
        was_killed, self.ended = self.ended, True
        self._control.close()
        if not self._await_exit() or was_killed:
            end_leftovers(self._mark, keep)

    def _await_exit(self) -> bool:
        """Wait for its end; False if user code has stopped it, and it had to be killed."""
        in_order = True
        # Someone else in this process may wait for all children, and have taken this one.
        with suppress(ChildProcessError, ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                if not poll.poll(_REAP_GRACE * 1000):
                    in_order = False
                    os.kill(self.pid, signal.SIGKILL)
                    poll.poll(_REAP_GRACE * 1000)
            finally:
                os.close(handle)
            os.waitpid(self.pid, 0)
        return in_order
