"""The executor as typed calls.

`Executor` owns one executor process tree and its connection. A call is sent and then waited for;
while it waits it serves whatever else happens: calls that the far side makes, its captured output,
and the news of its supervisor. A worker that dies makes the waiting call raise `Crashed`.

After an interrupt, a protocol violation or a death the connection is in no state to be used: every
later call raises `FarSideLost`, and the owner calls `kill` and spawns another executor.
"""

from __future__ import annotations

import os
import select
import signal
import time
from contextlib import suppress
from struct import Struct
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from farside.errors import (
    Crashed,
    FarsideError,
    FarSideLost,
    ProtocolError,
    RemoteError,
    SetupError,
    TimedOut,
)
from farside.orc import bootstrap, sps
from farside.orc.frames import Frame, FrameDecoder, Opcode, encode_frame
from farside.remote.commit import CommitRequest, RunOutcome, decode_outcome, encode_commit
from farside.remote.death import DeathReport
from farside.remote.record import decode_record
from farside.remote.snapshot import Snapshot
from farside.remote.spawn import Spawned, spawn_executor
from farside.remote.transport import SocketTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

T = TypeVar("T")

_U64 = Struct("<Q")
_WORKER_ENDED = (sps.U32, sps.I32, sps.I32, sps.BOOL, sps.BYTES)
_LOOKUP_SET = sps.Sequence(sps.Tuple(sps.STRING, sps.BOOL))
_EXPECTED_SYMBOLS = sps.Expected(sps.Sequence(sps.Optional(sps.SYMBOL_DEF)))
_NAMES = sps.Sequence(sps.STRING)
_OFFSETS = sps.Sequence(sps.Optional(sps.I64))
_MODULES = sps.Sequence(sps.Optional(sps.Tuple(sps.U64, sps.U64)))
_EXPECTED_ADDR = sps.Expected(sps.ADDR)
_MAX_CONTROL_MESSAGE = 32768  # a crash record is most of it
_REAP_GRACE = 5.0  # seconds for the supervisor to kill all below it
_PF_EXITING = 4  # linux/sched.h, in the flags of /proc/PID/stat
_WAKE = 10.0  # seconds for a snapshot to answer when it is woken
_GRACE = 2.0  # seconds between the end of a stream and the report of the death that explains it


class OutputSink(Protocol):
    """Receives captured output as it comes; must not call back into the executor."""

    def stdout(self, data: bytes) -> None:
        """Take bytes that the far side wrote to its standard output."""

    def stderr(self, data: bytes) -> None:
        """Take bytes that the far side wrote to its standard error."""


class Interrupts(Protocol):
    """Where the wish to stop a call comes from."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is one."""

    def deliver(self) -> None:
        """Take note of it. Raises KeyboardInterrupt if the call may be broken off now."""


class Executor:
    """A running executor.

    Attributes:
        setup: what it said of itself.
        death: how its worker ended, None while it lives or nobody knows.
        ran: how many calls there were that may have run code of the program.
    """

    def __init__(
        self,
        spawned: Spawned,
        sink: OutputSink | None = None,
        interrupts: Interrupts | None = None,
    ) -> None:
        """Take over a started executor and wait for its Setup message."""
        self._pid = spawned.pid
        self._reaped = False
        self._data: Transport = SocketTransport(spawned.data)
        self._control: Transport = SocketTransport(spawned.control)
        self._frames = FrameDecoder()
        self._control_frames = FrameDecoder(_MAX_CONTROL_MESSAGE)
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._results: dict[int, bytes | None] = {}
        self._unread: set[int] = set()  # calls whose results say nothing
        self._handlers: dict[int, Callable[[bytes], bytes]] = {}
        self._next_sequence = 0
        self._control_sequence = 0
        self._setup: bootstrap.Setup | None = None
        self._data_ended = False
        self._control_ended = False
        self._unusable: str | None = None
        self._process_handle: int | None = None
        self._worker_ended = False
        self._worker_pid: int | None = None
        self.death: DeathReport | None = None
        self.ran = 0

        self._watch(self._data.fileno(), self._read_data)
        self._watch(self._control.fileno(), self._read_control)
        if interrupts is not None:
            self._watch(interrupts.fileno(), interrupts.deliver)
        self._pipes: list[tuple[int, Callable[[bytes], None]]] = []
        if sink is not None and spawned.stdout is not None and spawned.stderr is not None:
            self._pipes = [(spawned.stdout, sink.stdout), (spawned.stderr, sink.stderr)]
        for pipe, take in self._pipes:
            os.set_blocking(pipe, False)
            self._watch(pipe, _pipe_reader(self, pipe, take))

    @classmethod
    def spawn(
        cls, program: Path, *, slab_bytes: int | None = None, sink: OutputSink | None = None
    ) -> Executor:
        """Start an executor and wait for its Setup.

        Args:
            program: the executable, as `find_executor` gives it.
            slab_bytes: size of the reserved address range, None for the executor's choice.
            sink: takes its output; None lets it write to our stdout and stderr.

        Raises:
            SetupError: the program cannot be started, or ends before it is ready.
            ProtocolError: what it sends is not a Setup message.
        """
        spawned = spawn_executor(program, slab_bytes=slab_bytes, capture=sink is not None)
        executor = cls(spawned, sink)
        try:
            executor.wait_ready()
        except (Crashed, FarSideLost) as error:
            executor.kill()
            raise SetupError(f"The executor {program} did not start: {error}") from error
        except BaseException:
            executor.kill()
            raise
        return executor

    def wait_ready(self) -> bootstrap.Setup:
        """Wait for the Setup message, and the worker's pid, and return the message."""
        with _Guard(self):
            self._pump_until(lambda: self._setup is not None and self._worker_pid is not None, None)
        return self.setup

    @property
    def setup(self) -> bootstrap.Setup:
        """What the executor said of itself."""
        if self._setup is None:
            raise FarSideLost("The executor has not sent its Setup message.")
        return self._setup

    @property
    def slab(self) -> bootstrap.Slab:
        """The reserved address range. Raises SetupError where the executor has none."""
        if self.setup.slab is None:
            raise SetupError("This executor reserves no address range (farside_slab).")
        return self.setup.slab

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker on its machine, once the supervisor has told."""
        return self._worker_pid

    @property
    def usable(self) -> bool:
        """Whether calls can still be made."""
        return self._unusable is None and not self._data_ended

    def offers(self, name: str) -> bool:
        """Whether there is a bootstrap symbol of this name."""
        return self._setup is not None and name in self._setup.symbols

    # --- calls ---------------------------------------------------------------------------------

    def address(self, name: str) -> int:
        """Return the address of a bootstrap symbol. Raises SetupError if it is not offered."""
        found = self.setup.symbols.get(name)
        if found is None:
            raise SetupError(f"This executor does not offer {name}.")
        return found

    def call(
        self,
        name: str,
        payload: bytes,
        *,
        timeout: float | None = None,
        then: Snapshot | None = None,
    ) -> bytes:
        """Call a wrapper function by its bootstrap name, or its address, and return its result.

        Args:
            name: of the bootstrap symbol.
            payload: encoded arguments.
            timeout: seconds to wait; None waits as long as it takes.
            then: to be taken when the call is done. It goes in the same message and is not waited
                for; the fork happens while the near side deals with the result.

        Raises:
            Crashed: the worker died.
            TimedOut: no result came in time; the executor must then be killed.
            FarSideLost: the connection is gone.
            ProtocolError: the far side violated the protocol.
        """
        if name not in bootstrap.QUIET_SYMBOLS:
            self.ran += 1
        return self.call_address(self.address(name), payload, timeout=timeout, then=then)

    def call_address(
        self,
        function: int,
        payload: bytes,
        *,
        timeout: float | None = None,
        then: Snapshot | None = None,
    ) -> bytes:
        """Call a wrapper function by its address; see `call`."""
        with _Guard(self):
            sequence = self._new_sequence()
            self._results[sequence] = None
            deadline = None if timeout is None else time.monotonic() + timeout
            frame = encode_frame(Opcode.CALL, sequence, function, payload)
            if then is None:
                self._send(frame, deadline)
            else:
                self._send_with_snapshot(frame, then, deadline)
            results = self._results
            self._pump_until(lambda: results[sequence] is not None, deadline)
            if self._pipes:
                self._drain_pipes()
            result = results.pop(sequence)
            assert result is not None
            return result

    def handle(self, tag_name: str, handler: Callable[[bytes], bytes]) -> None:
        """Answer the far side's calls with this dispatch tag. The handler may make calls itself."""
        self._handlers[self.address(tag_name)] = handler

    def open_library(self, path: str, *, timeout: float | None = None) -> int:
        """Load a shared library into the executor; ``""`` is the process itself.

        Returns:
            a handle for `resolve`.

        Raises:
            RemoteError: the loader's message.
            Crashed, TimedOut: an initialiser ended the program, or did not end.
        """
        arguments = (self.address(bootstrap.DYLIB_MANAGER), path, 0)
        payload = sps.pack((sps.ADDR, sps.STRING, sps.U64), arguments)
        reply = self.call(bootstrap.DYLIB_OPEN, payload, timeout=timeout)
        handle = self._decoded(_EXPECTED_ADDR, reply)
        if isinstance(handle, sps.Failure):
            raise RemoteError(f"the library cannot be loaded: {handle.text}")
        return handle

    def resolve(self, names: Iterable[str], library: int | None = None) -> dict[str, int]:
        """Look names up in the process, or in a library that `open_library` loaded.

        Returns:
            the addresses of those that exist.
        """
        if library is None:
            if self._process_handle is None:
                self._process_handle = self.open_library("")
            library = self._process_handle
        wanted = [(name, False) for name in names]
        payload = sps.pack((sps.ADDR, _LOOKUP_SET), (library, wanted))
        found = self._decoded(_EXPECTED_SYMBOLS, self.call(bootstrap.DYLIB_RESOLVE, payload))
        if isinstance(found, sps.Failure):
            raise RemoteError(f"The executor cannot look symbols up: {found.text}.")
        if len(found) != len(wanted):
            self._unusable = "it violated the protocol"
            raise ProtocolError(f"{len(found)} answers to {len(wanted)} names.")
        return {
            name: symbol[0]
            for (name, _), symbol in zip(wanted, found, strict=True)
            if symbol is not None and symbol[0] != 0
        }

    def tls_offsets(self, names: Sequence[str]) -> dict[str, int]:
        """Find libraries' thread-local variables at a fixed offset from the thread pointer.

        Returns:
            the offsets in bytes, of those names that are such a variable.
        """
        payload = self.call(bootstrap.TLS_OFFSETS, sps.pack((_NAMES,), (names,)))
        found = self._decoded(_OFFSETS, payload)
        return {
            name: offset for name, offset in zip(names, found, strict=False) if offset is not None
        }

    def tls_modules(self, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """Return the words of TLS entries (module, offset) for libraries' dynamic variables."""
        payload = self.call(bootstrap.TLS_MODULES, sps.pack((_NAMES,), (names,)))
        found = self._decoded(_MODULES, payload)
        return {name: words for name, words in zip(names, found, strict=False) if words is not None}

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Ask for a snapshot of the program as it is; it is not waited for."""
        with _Guard(self):
            self._send_with_snapshot(b"", snapshot, None)

    def _send_with_snapshot(self, frame: bytes, snapshot: Snapshot, deadline: float | None) -> None:
        sequence = self._new_sequence()
        self._unread.add(sequence)
        request = encode_frame(Opcode.CALL, sequence, self.address(bootstrap.SNAPSHOT))
        with snapshot.far_end() as far:
            self._send(frame + request, deadline, far.fileno())

    def commit(
        self,
        request: CommitRequest,
        *,
        timeout: float | None = None,
        then: Snapshot | None = None,
    ) -> RunOutcome:
        """Place code and data, run the actions, run new initialisers: one message, one answer.

        `timeout` and `then` are as for `call`.

        Raises:
            RemoteError: the request could not be carried out; its actions were undone.
            Crashed, TimedOut, FarSideLost, ProtocolError: see `call`.
        """
        payload = self.call(bootstrap.COMMIT, encode_commit(request), timeout=timeout, then=then)
        with _Guard(self):
            outcome = decode_outcome(payload)
        if isinstance(outcome, sps.Failure):
            raise RemoteError(f"The executor refused the image: {outcome.text}.")
        return outcome

    def uncommit(self, key: int) -> None:
        """Take a commit back: its exit handlers, then its dealloc actions, in reverse.

        Raises:
            RemoteError: what failed; the rest was done nevertheless.
        """
        self.call_for_error(bootstrap.UNCOMMIT, _U64.pack(key))

    def call_for_error(self, name: str, payload: bytes) -> None:
        """Call a wrapper function that returns an SPS Error. Raises RemoteError with its text."""
        failure = self._decoded(sps.ERROR, self.call(name, payload))
        if failure is not None:
            raise RemoteError(f"The executor reports: {failure.text}.")

    def run_main(
        self, address: int, arguments: Sequence[str], *, timeout: float | None = None
    ) -> int:
        """Call a ``main`` function with arguments (the first is the program's name)."""
        payload = sps.pack((sps.ADDR, sps.Sequence(sps.STRING)), (address, arguments))
        return self._decoded(sps.I64, self.call(bootstrap.RUN_AS_MAIN, payload, timeout=timeout))

    # --- going back ----------------------------------------------------------------------------

    def wake(self, snapshot: Snapshot, keep: Iterable[Snapshot], then: Snapshot) -> None:
        """Make a snapshot the worker, in whatever state the present one and its connection are.

        The present worker is ended, and so is everything that the program has started, but for the
        snapshots in `keep`. Afterwards the executor is usable, with the program in the snapshot's
        state; `then` is a snapshot of the same.

        Raises:
            FarSideLost: there is no such snapshot, or no supervisor; only `kill` is of use then.
            Crashed: the snapshot died at once.
        """
        self._unusable = "its program is being put back"
        if self._control_ended or not snapshot.ready(_GRACE):
            raise FarSideLost("The snapshot is gone.")
        # Not closed before the worker has ended, which would else run its exit handlers.
        self._unwatch(self._data.fileno())
        self._end_worker([snapshot, *keep])
        self._drain_pipes()
        self._data.close()
        self._data = SocketTransport(snapshot.socket)
        self._watch(self._data.fileno(), self._read_data)
        self._frames = FrameDecoder()
        self._results.clear()
        self._unread.clear()
        self._process_handle = None
        self._data_ended = False
        self._worker_pid, self._worker_ended, self.death = None, False, None
        self.tell_supervisor(bootstrap.CONTROL_ADOPT_WORKER, sps.pack((sps.U32,), (snapshot.pid,)))
        # Woken before, it might fork while the supervisor still kills what it does not know.
        self._await_supervisor(lambda: self._worker_pid is not None or self._worker_ended)
        self._unusable = None
        # Any call would do; this one says whether the process is alive.
        self.call(bootstrap.TLS_OFFSETS, sps.pack((_NAMES,), ((),)), timeout=_WAKE, then=then)

    def _end_worker(self, keep: Sequence[Snapshot]) -> None:
        """Let the supervisor end what is below it, but for snapshots, and wait for the worker."""
        pids = [each.pid for each in keep if each.ready(_GRACE)]
        self._request_kill(pids)
        self._await_supervisor(lambda: self._worker_ended)

    def _await_supervisor(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _REAP_GRACE
        while not done():
            if self._control_ended:
                raise FarSideLost("The far side is gone: its supervisor ended.")
            try:
                self._turn(deadline)
            except TimedOut:
                self._control_ended = True  # somebody has stopped it
                raise

    # --- the end -------------------------------------------------------------------------------

    def kill(self) -> None:
        """End the whole process tree at once; may be called again, and in any state."""
        self._unusable = self._unusable or "the executor was killed"
        self._data.close()
        self._control.close()  # the supervisor kills all below it and exits
        self._finish()

    def close(self, timeout: float = 5.0) -> None:
        """Let the worker run its exit handlers and end; after `timeout` seconds kill it."""
        try:
            # Whatever goes wrong here, the executor is ended below.
            with suppress(FarsideError):
                if self._unusable is None and not self._data_ended:
                    self._say_goodbye(time.monotonic() + timeout)
        finally:
            self.kill()

    def _say_goodbye(self, deadline: float) -> None:
        self._unusable = "the executor was closed"
        self._send(encode_frame(Opcode.HANGUP, 0, 0, b"\0"), deadline)
        while self.death is None and not self._control_ended:
            self._turn(deadline)

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish(self) -> None:
        """Collect the supervisor and what is left in the pipes."""
        try:
            with suppress(FarsideError):  # nobody is left to be told of too much output
                self._drain_pipes()
        finally:
            for pipe, _ in self._pipes:
                os.close(pipe)
            self._pipes = []
            self._readers.clear()
            self._poll = select.poll()
            self._reap()

    def _reap(self) -> None:
        """Wait for the supervisor, which ends when the control socket does.

        User code may have stopped it; then it is killed, and the worker with it.
        """
        if self._reaped:
            return
        self._reaped = True
        # Someone else in this process may wait for all children, and have taken this one.
        with suppress(ChildProcessError, ProcessLookupError):
            handle = os.pidfd_open(self._pid)
            try:
                poll = select.poll()
                poll.register(handle, select.POLLIN)
                if not poll.poll(_REAP_GRACE * 1000):
                    os.kill(self._pid, signal.SIGKILL)
            finally:
                os.close(handle)
            os.waitpid(self._pid, 0)

    # --- waiting -------------------------------------------------------------------------------

    def _watch(self, descriptor: int, reader: Callable[[], None]) -> None:
        self._readers[descriptor] = reader
        self._poll.register(descriptor, select.POLLIN)

    def _unwatch(self, descriptor: int) -> None:
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def _turn(self, deadline: float | None) -> None:
        """Wait for one event or more and serve them. Raises TimedOut at the deadline."""
        milliseconds = None
        if deadline is not None:
            milliseconds = max(0.0, deadline - time.monotonic()) * 1000
        events = self._poll.poll(milliseconds)
        if not events and deadline is not None and time.monotonic() >= deadline:
            raise TimedOut("The far side did not answer in the time it was given.")
        for descriptor, _ in events:
            reader = self._readers.get(descriptor)
            if reader is not None:
                reader()

    def _pump_until(self, done: Callable[[], bool], deadline: float | None) -> None:
        while not done():
            self._turn(deadline)
            if (self._data_ended or self.death is not None) and not done():
                self._raise_death()

    def _new_sequence(self) -> int:
        sequence = self._next_sequence
        self._next_sequence += 1
        return sequence

    def _send(self, frame: bytes, deadline: float | None, descriptor: int | None = None) -> None:
        """Send all of a frame, and a descriptor with its first byte."""
        rest = memoryview(frame)
        try:
            while True:
                sent = self._data.send(rest, descriptor)
                rest = rest[sent:]
                if not rest:
                    return
                if sent:
                    descriptor = None
                self._poll.modify(self._data.fileno(), select.POLLIN | select.POLLOUT)
                self._turn(deadline)
                if self._data_ended:
                    self._raise_death()
        except FarSideLost:
            self._raise_death()
        finally:
            if rest and self._data.fileno() in self._readers:
                self._poll.modify(self._data.fileno(), select.POLLIN)

    def _raise_death(self) -> NoReturn:
        """Say why the stream ended: the supervisor knows how the worker did."""
        self._data_ended = True
        self._unwatch(self._data.fileno())
        if self._worker_lives() or not self._await_death():
            # It does not hold its connection any more. `wake` or `kill` will end it.
            raise FarSideLost("The program on the far side closed its connection to the session.")
        self._drain_pipes()
        if self.death is not None:
            raise Crashed(f"{self.death}.", self.death)
        raise FarSideLost("The far side is gone: its supervisor ended.")

    def _worker_lives(self) -> bool:
        """Tell whether the worker is certainly not about to end.

        A process that ends is marked so by the kernel before its sockets close, and one that
        executes another program, which may end soon, has that program's name by then.
        """
        try:
            with open(f"/proc/{self._worker_pid}/stat", "rb") as stat:
                fields = stat.read().rpartition(b")")[2].split()
            program = os.readlink(f"/proc/{self._pid}/exe")
            if os.readlink(f"/proc/{self._worker_pid}/exe") != program:
                return False
        except OSError:
            return False
        return fields[0] not in b"ZX" and not int(fields[6]) & _PF_EXITING

    def _await_death(self) -> bool:
        deadline = time.monotonic() + _GRACE
        try:
            while self.death is None and not self._control_ended:
                self._turn(deadline)
        except TimedOut:
            return False
        return True

    def _request_kill(self, keep: Sequence[int] = ()) -> None:
        self.tell_supervisor(
            bootstrap.CONTROL_KILL_WORKER, sps.pack((sps.Sequence(sps.U32),), (keep,))
        )

    def tell_supervisor(self, tag: int, payload: bytes, descriptor: int | None = None) -> None:
        """Send a request on the control socket; see the tags in `farside.orc.bootstrap`."""
        frame = encode_frame(Opcode.CALL, self._control_sequence, tag, payload)
        self._control_sequence += 1
        try:
            self._control.send(memoryview(frame), descriptor)
        except FarSideLost:
            self._control_ended = True

    # --- what arrives --------------------------------------------------------------------------

    def _read_data(self) -> None:
        data = self._data.receive()
        if data is None:
            return
        if not data:
            self._data_ended = True
            self._unwatch(self._data.fileno())
            return
        self._frames.feed(data)
        while (frame := self._frames.next()) is not None:
            self._serve(frame)

    def _serve(self, frame: Frame) -> None:
        if frame.opcode == Opcode.RESULT:
            if frame.sequence in self._unread:
                self._unread.discard(frame.sequence)
                return
            if self._results.get(frame.sequence, b"") is not None:
                raise ProtocolError(f"A result for call {frame.sequence}, which is not open.")
            self._results[frame.sequence] = frame.payload
        elif frame.opcode == Opcode.CALL:
            handler = self._handlers.get(frame.tag)
            if handler is None:
                raise ProtocolError(f"A call with the unknown tag {frame.tag:#x}.")
            reply = handler(frame.payload)
            self._send(encode_frame(Opcode.RESULT, frame.sequence, 0, reply), None)
        elif frame.opcode == Opcode.SETUP:
            if self._setup is not None or frame.sequence != 0:
                raise ProtocolError("A second Setup message, or one with a sequence number.")
            self._setup = bootstrap.decode_setup(frame.payload)
        else:
            self._data_ended = True

    def _read_control(self) -> None:
        data = self._control.receive()
        if data is None:
            return
        if not data:
            self._control_ended = True
            self._unwatch(self._control.fileno())
            return
        self._control_frames.feed(data)
        while (frame := self._control_frames.next()) is not None:
            if frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_WORKER_STARTED:
                (self._worker_pid,) = sps.unpack((sps.U32,), frame.payload)
            elif frame.opcode == Opcode.CALL and frame.tag == bootstrap.CONTROL_WORKER_ENDED:
                *ended, record = sps.unpack(_WORKER_ENDED, frame.payload)
                report = DeathReport(*ended)._replace(record=decode_record(record))
                if self._worker_pid in (None, report.pid):
                    self.death = report
                    self._worker_ended = True
            else:
                raise ProtocolError(f"A control message with opcode {frame.opcode}, {frame.tag}.")

    def _read_pipe(self, pipe: int, take: Callable[[bytes], None], limit: int) -> bool:
        """Hand on what a pipe holds; False when there is no more now."""
        try:
            data = os.read(pipe, limit)
        except BlockingIOError:
            return False
        if data:
            take(data)
        else:
            self._unwatch(pipe)
        return bool(data)

    def _drain_pipes(self) -> None:
        """What was printed before a reply was sent belongs to that reply.

        Bounded: a thread that prints without end must not keep the reply from its caller.
        """
        for pipe, take in self._pipes:
            for _ in range(16):
                if not self._read_pipe(pipe, take, 1 << 16):
                    break

    def _decoded(self, codec: sps.Codec[T], payload: bytes) -> T:
        """Decode a result; a malformed one makes the executor unusable."""
        with _Guard(self):
            return codec.decode(sps.Reader(payload))


class _Guard:
    """Makes an executor unusable when a call on it is left by an exception."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def __enter__(self) -> None:
        unusable = self._executor._unusable
        if unusable is not None:
            raise FarSideLost(f"The far side cannot be used any more: {unusable}.")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._executor._unusable = self._executor._unusable or "a call on it was broken off"


def _pipe_reader(
    executor: Executor, pipe: int, take: Callable[[bytes], None]
) -> Callable[[], None]:
    def read() -> None:
        executor._read_pipe(pipe, take, 1 << 16)

    return read
