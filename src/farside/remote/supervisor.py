"""The near side's view of the supervisor: the control socket, and the process behind it.

It says how the worker began and ended, ends processes on request, and ends all below it when the
socket closes. It does not wait for what it is told: the owner has its event loop call `read`.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from itertools import count

from farside.annotations import TYPE_CHECKING
from farside.errors import FarSideLost, ProtocolError
from farside.orc import bootstrap, sps
from farside.orc.frames import FrameDecoder, Opcode, encode_frame
from farside.remote.death import DeathReport
from farside.remote.keeper import ask
from farside.remote.leftovers import end_leftovers, resume
from farside.remote.process import await_end, collect, is_living, is_stopped, kill_group
from farside.remote.record import decode_record
from farside.remote.transport import SocketTransport

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from farside.remote.spawn import Spawned

_WORKER_ENDED = (sps.U32, sps.I32, sps.I32, sps.U32, sps.BYTES)
_MAX_CONTROL_MESSAGE = 32768  # a crash record is most of it
_REAP_GRACE = 5.0  # seconds for the supervisor to kill all below it
_KEEPER_PATIENCE = 10.0  # seconds for another machine to end what a killed supervisor left there
_CUT_GRACE = 1.0  # seconds for what is still on its way from one that ended, or does not answer

_numbers = count(1)


class Supervisor:
    """A supervisor and what it has said.

    Attributes:
        pid: its process; 0 where that is not on this machine.
        number: what no other supervisor of this process has.
        ended: whether it does not serve any more.
        worker_pid: the worker's process, once it has told.
        serves: whether it is one of farside's, as far as is known.
        death: how the worker ended, None while it lives.
    """

    def __init__(self, spawned: Spawned, remarks: dict[int, int]) -> None:
        """Take over the process of a started executor.

        Args:
            spawned: says which it is, and holds the control socket, if there is one.
            remarks: takes the newest value of each kind of remark, by `bootstrap.REMARK_…`; of
                processes that were ended it is the sum.
        """
        self.pid = spawned.pid
        self.number = next(_numbers)
        self.ended = False
        self.serves = True
        self.worker_pid: int | None = None if spawned.hosted is None else os.getpid()
        self.death: DeathReport | None = None
        self._replacement = 0  # the snapshot that is to become the worker, until it has
        self._replaced: set[int] = set()  # workers whose end is not told yet
        self._spawned = spawned
        self._control = None if spawned.control is None else SocketTransport(spawned.control)
        self._remarks = remarks
        self._frames = FrameDecoder(_MAX_CONTROL_MESSAGE)
        self._sequence = 0
        self._begun: int | None = None  # by the worker whose end is told next
        self._reaped = False
        self._is_first = True
        # The processes, whatever becomes of their numbers.
        self._handle = _handle_of(self.pid)
        self._worker_handle = -1

    def successor(self, pid: int, control: socket.socket) -> Supervisor:
        """Return another in its place, for the same executor; it shares the remarks.

        Args:
            pid: its process on its machine.
            control: the socket to it.
        """
        spawned = self._spawned._replace(pid=pid if self.pid else 0, control=control)
        found = Supervisor(spawned, self._remarks)
        found._is_first = False
        return found

    @property
    def exists(self) -> bool:
        """Whether there is anybody to talk to; other executors of ORC's have no supervisor."""
        return self._control is not None

    def fileno(self) -> int:
        """Return the descriptor to wait on, -1 when closed."""
        return -1 if self._control is None else self._control.fileno()

    @property
    def descriptors(self) -> tuple[int, int]:
        """Those that become readable when the worker ends, and when there is news; -1 for none."""
        return self._worker_handle, self.fileno()

    def read(self) -> None:
        """Take in what it has said.

        Raises:
            ProtocolError: it is not what a supervisor says.
        """
        data = None if self._control is None else self._control.receive()
        if data is None:
            return
        if not data:
            self.ended = True
            return
        self._frames.feed(data)
        while (frame := self._frames.next()) is not None:
            if frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_WORKER_STARTED:
                (self.worker_pid,) = sps.unpack((sps.U32,), frame.payload)
                if self.pid:  # else it is not on this machine
                    self._close_worker()
                    self._worker_handle = _handle_of(self.worker_pid)
            elif frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_WORKER_ENDED:
                report = _report(*sps.unpack(_WORKER_ENDED, frame.payload))
                if report.pid in self._replaced:
                    self._replaced.discard(report.pid)
                elif self.worker_pid in (None, report.pid):
                    self.death = report._replace(begun=self._begun)
                self._begun = None
            elif frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_REMARK:
                kind, value = sps.unpack((sps.U32, sps.U64), frame.payload)
                self._note_remark(kind, value)
            else:
                raise ProtocolError(f"A control message with opcode {frame.opcode}, {frame.tag}.")

    def _note_remark(self, kind: int, value: int) -> None:
        if kind == bootstrap.REMARK_BEGUN:
            self._begun = value
            return
        if kind == bootstrap.REMARK_OTHERS_ENDED:
            value += self._remarks.get(kind, 0)
        self._remarks[kind] = value

    @property
    def is_replacing(self) -> bool:
        """Whether a worker may still be dying in whose place there is another, or soon will be."""
        return bool(self._replaced)

    def worker_has_ended(self) -> bool:
        """Tell whether the worker has ended, as far as the kernel tells at once."""
        if self._worker_handle < 0:
            return False
        poll = select.poll()
        poll.register(self._worker_handle, select.POLLIN)
        return bool(poll.poll(0))

    def worker_lives(self) -> bool:
        """Tell whether the worker is certainly not about to end."""
        worker = self.worker_pid if self.serves else self.pid
        return self.pid != 0 and is_living(worker, self.pid)

    def is_stopped(self) -> bool:
        """Tell whether somebody has stopped it, such as the program."""
        return self.pid != 0 and is_stopped(self.pid)

    def resume(self) -> None:
        """Have it go on, should somebody have stopped it."""
        if self._handle >= 0:
            with suppress(OSError):
                signal.pidfd_send_signal(self._handle, signal.SIGCONT)

    def learn_end(self, deadline: float) -> bool:
        """Learn from the kernel how an executor without supervisor ended; False if it did not."""
        if self.pid and not self._reaped:
            self.death = await_end(self.pid, deadline)
        return self.death is not None

    def replace_worker(self, keep: Sequence[int], pid: int) -> None:
        """Ask for the end of the worker, and for a snapshot to take its place.

        Args:
            keep: snapshots that stay; all else below ends with the worker.
            pid: one of them, which is the worker from then on.
        """
        if self.death is None:  # of one that had ended nothing more is told
            self._replaced.add(self.worker_pid or self._replacement)
        self._close_worker()
        self.worker_pid, self.death, self._replacement = None, None, pid
        payload = sps.pack((sps.Sequence(sps.U32), sps.U32), (keep, pid))
        self.tell(bootstrap.CONTROL_REPLACE_WORKER, payload)

    def limit_processes(self, most: int) -> None:
        """Let the program have so many processes beside its first; 0 is no limit."""
        self.tell(bootstrap.CONTROL_LIMIT_PROCESSES, sps.pack((sps.U32,), (most,)))

    def look(self) -> None:
        """Ask for a look at the worker, which nothing was heard of for a while.

        The kernel tells nobody of the end of a main thread that leaves others behind.
        """
        if self.serves and self.exists and self._spawned.hosted is None:
            self.tell(bootstrap.CONTROL_LOOK, b"")

    def interrupt_call(self, sequence: int) -> None:
        """Say that the worker's call with this number is to end by itself."""
        if self._spawned.hosted is not None:
            self._spawned.hosted.ask_to_end(sequence)
        else:
            self.tell(bootstrap.CONTROL_INTERRUPT_CALL, sps.pack((sps.U64,), (sequence,)))

    def tell(self, tag: int, payload: bytes, descriptor: int | None = None) -> None:
        """Send a request; see the tags in `farside.orc.bootstrap`."""
        frame = encode_frame(Opcode.CALL, self._sequence, tag, payload)
        self._sequence += 1
        if self._control is None:
            raise FarSideLost("This executor has no supervisor.")
        rest = memoryview(frame)
        try:
            while rest and not self.ended:
                if sent := self._control.send(rest, descriptor):
                    rest, descriptor = rest[sent:], None
                else:
                    self.ended = not self._takes_more()
        except FarSideLost:
            self.ended = True

    def _takes_more(self) -> bool:
        """Wait for it to read what it was sent; False if it does not."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        return bool(poll.poll(_REAP_GRACE * 1000))

    # --- its end -------------------------------------------------------------------------------

    def make_way(self, keep: Sequence[int]) -> None:
        """End it, and all processes of the executor but some, for another that takes its place.

        Args:
            keep: processes that stay; they are continued if somebody has stopped them.

        Raises:
            FarSideLost: it is on another machine, from where there is no answer.
        """
        was_killed = self._give_up()
        if self.pid:
            self._reaped = True
            self._close_control()
            self._collect(keep, was_killed=was_killed)
            resume(self._spawned.mark, keep)
            return
        # Not closed before it has ended: it may be too slow, and would end what is to be kept.
        if self._spawned.keeper is None or not ask(self._spawned.keeper, keep, _KEEPER_PATIENCE):
            raise FarSideLost("The far side is gone: its supervisor ended.")
        self._close_control()

    def end(self, drain_to_end: Callable[[float], None] | None = None) -> None:
        """End it, and with it all below it, and what it left; may be called again.

        Args:
            drain_to_end: reads captured output for so many seconds, or until it ends. A relay ends
                when all is read that it has.
        """
        if self._reaped:
            return
        self._reaped = True
        was_killed = self._give_up()
        if self._spawned.keeper is not None:
            if was_killed:
                ask(self._spawned.keeper, (), _CUT_GRACE)
            self._spawned.keeper.close()
        self._close_control()
        cut = was_killed and self._spawned.relay is not None
        deadline = time.monotonic() + (_CUT_GRACE if cut else _REAP_GRACE)
        if self._spawned.relay is not None and drain_to_end is not None:
            drain_to_end(deadline - time.monotonic())
        for thread in (self._spawned.relay, self._spawned.hosted):
            if thread is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self.pid:
            self._collect((), was_killed=was_killed)

    def _give_up(self) -> bool:
        """Expect nothing of it any more; tell whether it was killed or does not answer."""
        if self.fileno() >= 0:
            with suppress(ProtocolError):
                self.read()
        was_killed, self.ended = self.ended, True
        if was_killed and self._handle >= 0:
            # It may be alive and too slow, and must not end what is to be kept when it wakes up.
            with suppress(OSError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
        self._close_worker()
        return was_killed

    def _close_control(self) -> None:
        if self._control is not None:
            self._control.close()  # it ends all below it, and itself

    def _collect(self, keep: Sequence[int], *, was_killed: bool) -> None:
        """Wait for its process, and end what a killed one left, but for some processes."""
        if not self.serves or self._control is None:
            kill_group(self.pid)
        # User code may have stopped it, or snapshots that are no children of it and see no end.
        if not collect(self.pid, _REAP_GRACE) or was_killed or not self._is_first:
            end_leftovers(self._spawned.mark, keep)

    def _close_worker(self) -> None:
        if self._worker_handle >= 0:
            os.close(self._worker_handle)
            self._worker_handle = -1


def _handle_of(pid: int) -> int:
    """Return a descriptor of a process, -1 where there is none."""
    if pid:
        with suppress(OSError):
            return os.pidfd_open(pid)
    return -1


def _report(pid: int, code: int, status: int, circumstances: int, record: bytes) -> DeathReport:
    return DeathReport(
        pid,
        code,
        status,
        out_of_memory=bool(circumstances & bootstrap.ENDED_OUT_OF_MEMORY),
        executed=bool(circumstances & bootstrap.ENDED_AFTER_EXEC),
        main_thread=bool(circumstances & bootstrap.ENDED_MAIN_THREAD),
        processor_limit=bool(circumstances & bootstrap.ENDED_PROCESSOR_LIMIT),
        forbidden_call=bool(circumstances & bootstrap.ENDED_FORBIDDEN_CALL),
        record=decode_record(record),
    )
