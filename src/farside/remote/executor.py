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
import socket
import time
from contextlib import suppress
from functools import partial
from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

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
from farside.orc.frames import Frame, Opcode, encode_frame
from farside.remote.commit import CommitRequest, RunOutcome, decode_outcome, encode_commit
from farside.remote.conversation import GRACE, Conversation
from farside.remote.guard import Guard
from farside.remote.pipes import OutputPipes
from farside.remote.ports import Interrupts, OutputSink
from farside.remote.snapshot import Snapshot, pids_of
from farside.remote.spawn import Spawned, spawn_executor
from farside.remote.supervisor import Supervisor
from farside.remote.transport import SocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from farside.remote.death import DeathReport
    from farside.remote.given import Answer

T = TypeVar("T")

_U64 = Struct("<Q")
_NOTHING = _U64.pack(0)  # an empty sequence
_LOOKUP_SET = sps.Sequence(sps.Tuple(sps.STRING, sps.BOOL))
_EXPECTED_SYMBOLS = sps.Expected(sps.Sequence(sps.Optional(sps.SYMBOL_DEF)))
_EXPECTED_OLD_SYMBOLS = sps.Expected(sps.Sequence(sps.SYMBOL_DEF))
_EXPECTED_ADDR = sps.Expected(sps.ADDR)
_REAP_GRACE = 5.0  # seconds for the supervisor to do what it is asked
_WAKE = 10.0  # seconds for a snapshot to answer when it is woken
_MOST_STOPS = 3  # looks, a second apart, that find the supervisor stopped although it was continued
# Of an end: on the connection, on the worker's process, and what the supervisor says.
_SIGNS = (select.POLLRDHUP, select.POLLIN, select.POLLIN)
_LOOKS = (0.5, 1.0)  # seconds after which one that lives on may have executed another program
_CLOSING = 0.5  # seconds for one that has closed its connection to come to the end of its cell
_SLICE = 0.05  # seconds between two looks at output while a process ends
PATIENCE = 60.0  # seconds for what the executor does by itself, without the program's code


class Executor:
    """A running executor.

    Attributes:
        setup: what it said of itself.
        guard: to decode what it has answered in.
        ran: how many calls there were that may have run code of the program.
        slept: whether the thread slept until the last call was answered.
    """

    def __init__(
        self,
        spawned: Spawned,
        sink: OutputSink | None = None,
        interrupts: Interrupts | None = None,
    ) -> None:
        """Take over a started executor and wait for its Setup message."""
        self._remarks: dict[int, int] = {}
        self._most_processes = 0
        self._supervisor = Supervisor(spawned, self._remarks)
        self._setup: bootstrap.Setup | None = None
        self.guard = Guard()
        self._stops = 0  # of its supervisor, in a row
        self._process_handle: int | None = None
        self._waking: Snapshot | None = None  # which the supervisor was asked to adopt
        self.ran = 0
        self.slept = False
        self._watched: tuple[int, ...] = ()
        self._signs = select.poll()  # of its end

        transport = SocketTransport(spawned.data)
        self._conversation = Conversation(
            transport, self.raise_death, self._take_setup, lambda: self._has_ended, self._look
        )
        if self._supervisor.exists:
            self._conversation.watch(self._supervisor.fileno(), self._read_control)
        if interrupts is not None:
            self._conversation.watch(interrupts.fileno(), interrupts.deliver)
        self._pipes = OutputPipes(spawned, sink)
        for pipe in self._pipes.descriptors:
            self._conversation.watch(pipe, partial(self._read_pipe, pipe))

    @classmethod
    def spawn(
        cls,
        program: str | os.PathLike[str],
        *,
        slab_bytes: int | None = None,
        sink: OutputSink | None = None,
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
        with self.guard:
            deadline = time.monotonic() + PATIENCE
            try:
                self._pump_until(lambda: self._setup is not None and self._knows_worker(), deadline)
            except FarSideLost as error:
                if self._setup is None:
                    raise FarSideLost(
                        "The executor ended before it said what it offers: it is none of ORC's, or"
                        " cannot run there."
                    ) from error
                raise
        return self.setup

    def _knows_worker(self) -> bool:
        return self.worker_pid is not None or not self.is_native

    @property
    def is_native(self) -> bool:
        """Whether this is farside's own executor, and not another of ORC's."""
        return self.setup.version > 0

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
        return self._supervisor.worker_pid

    @property
    def death(self) -> DeathReport | None:
        """How its worker ended, None while it lives or nobody knows."""
        return self._supervisor.death

    def had_begun(self) -> bool:
        """Tell whether its worker, which has ended, had begun the call that was waited for.

        One that somebody ends may live on for the near side until the news comes, and be sent
        calls. Where nobody knows, it had.
        """
        begun = None if self.death is None else self.death.begun
        return begun is None or begun > self._conversation.outer_call

    @property
    def _has_ended(self) -> bool:
        return self.death is not None or self._supervisor.ended

    @property
    def supervisor_pid(self) -> int:
        """Process id of the supervisor."""
        return self._supervisor.pid

    @property
    def usable(self) -> bool:
        """Whether calls can still be made."""
        return (
            self.guard.reason is None
            and not self._conversation.ended
            and not self._supervisor.ended
        )

    def lives(self) -> bool:
        """Tell whether calls can be made, as far as the kernel knows; nothing is waited for."""
        if not self.usable:
            return False
        watched = (self._conversation.fileno(), *self._supervisor.descriptors)
        if watched != self._watched:
            self._watched = watched
            self._signs = select.poll()
            for descriptor, event in zip(watched, _SIGNS, strict=True):
                if descriptor >= 0:
                    self._signs.register(descriptor, event)
        if not self._signs.poll(0):
            return not self._has_ended
        if self._conversation.is_cut() or self._supervisor.worker_has_ended():
            return False
        self._read_control()
        return not self._has_ended

    @property
    def is_child(self) -> bool:
        """Whether it was started by this process, on this machine."""
        return self._supervisor.pid != 0

    @property
    def is_here(self) -> bool:
        """Whether its program runs on this machine, started by this process or in it."""
        return self.is_child or self.worker_pid == os.getpid()

    @property
    def is_supervised(self) -> bool:
        """Whether there is a supervisor of farside's."""
        return self._supervisor.serves and self._supervisor.exists

    def complete(self, symbols: Mapping[str, int], slab: bootstrap.Slab) -> None:
        """Note what the executor was given, as if its Setup message had offered it."""
        symbols = {**self.setup.symbols, **symbols}
        self._setup = self.setup._replace(symbols=symbols, slab=slab)

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
        descriptor: int | None = None,
        patience: int = 0,
    ) -> bytes:
        """Call a wrapper function by its address; see `call`.

        Args:
            function: its address.
            payload, timeout, then: see `call`.
            descriptor: goes along.
            patience: nanoseconds for which the answer is looked for before the thread sleeps;
                `slept` then tells whether it did.
        """
        self.await_replaced()
        with self.guard:
            deadline = None if timeout is None else time.monotonic() + timeout
            conversation = self._conversation
            if then is None:
                sequence = conversation.call(function, payload, deadline, descriptor=descriptor)
            else:
                request = self._snapshot_request(then)
                with then.far_end() as far:
                    sequence = conversation.call(function, payload, deadline, request, far.fileno())
            self.slept = not (patience and conversation.look(patience))
            self._pump_until(lambda: conversation.has_result(sequence), deadline)
            self._pipes.drain()
            return conversation.result(sequence)

    @property
    def deadline(self) -> float | None:
        """By when, of `time.monotonic`, the present wait for the far side is to be over."""
        return self._conversation.deadline

    def handle(self, tag_name: str, handler: Callable[[bytes], bytes | Answer]) -> None:
        """Answer the far side's calls with this dispatch tag. The handler may make calls itself."""
        self._conversation.handlers[self.address(tag_name)] = handler

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
        handle = self.decoded(_EXPECTED_ADDR, reply)
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
        found = self._look_up(library, wanted)
        if isinstance(found, sps.Failure):
            raise RemoteError(f"The executor cannot look symbols up: {found.text}.")
        if len(found) != len(wanted):
            self.guard.reason = "it violated the protocol"
            raise ProtocolError(f"{len(found)} answers to {len(wanted)} names.")
        return {
            name: symbol[0]
            for (name, _), symbol in zip(wanted, found, strict=True)
            if symbol is not None and symbol[0] != 0
        }

    def _look_up(
        self, library: int, wanted: Sequence[tuple[str, bool]]
    ) -> Sequence[Any] | sps.Failure:
        payload = sps.pack((sps.ADDR, _LOOKUP_SET), (library, wanted))
        if self.offers(bootstrap.DYLIB_RESOLVE) or not self.offers(bootstrap.DYLIB_LOOKUP):
            reply = self.call(bootstrap.DYLIB_RESOLVE, payload, timeout=PATIENCE)
            return self.decoded(_EXPECTED_SYMBOLS, reply)
        # LLVM 19 has the manager as the first argument, and no options in the result.
        payload = _U64.pack(self.address(bootstrap.DYLIB_MANAGER)) + payload
        reply = self.call(bootstrap.DYLIB_LOOKUP, payload, timeout=PATIENCE)
        return self.decoded(_EXPECTED_OLD_SYMBOLS, reply)

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Ask for a snapshot of the program as it is; it is not waited for."""
        with self.guard:
            request = self._snapshot_request(snapshot)
            with snapshot.far_end() as far:
                self._conversation.send(request, None, far.fileno())

    def _snapshot_request(self, snapshot: Snapshot) -> bytes:
        snapshot.supervisor = self._supervisor.number
        return self._conversation.unread_call(self.address(bootstrap.SNAPSHOT))

    def limit_processes(self, most: int) -> None:
        """Let the program have so many processes beside its first.

        Beyond it the program is ended, with a remark of the kind `REMARK_TOO_MANY_PROCESSES`.
        """
        self._most_processes = most
        self._supervisor.limit_processes(most)

    def take_remarks(self) -> dict[int, int]:
        """Return and forget what the supervisor said by the way, by `bootstrap.REMARK_…`."""
        remarks = dict(self._remarks)
        self._remarks.clear()
        return remarks

    def ask_to_end(self) -> None:
        """Let the code that runs now see that the user wants it to end; nothing is waited for."""
        if self.offers(bootstrap.INTERRUPT_CALL):
            frame = self._conversation.unread_call(self.address(bootstrap.INTERRUPT_CALL))
            self._conversation.send(frame, time.monotonic() + _REAP_GRACE)
        else:
            self._supervisor.interrupt_call(self._conversation.outer_call)

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
        with self.guard:
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
        failure = self.decoded(sps.ERROR, self.call(name, payload))
        if failure is not None:
            raise RemoteError(f"The executor reports: {failure.text}.")

    def run_main(
        self, address: int, arguments: Sequence[str], *, timeout: float | None = None
    ) -> int:
        """Call a ``main`` function with arguments (the first is the program's name)."""
        payload = sps.pack((sps.ADDR, sps.Sequence(sps.STRING)), (address, arguments))
        return self.decoded(sps.I64, self.call(bootstrap.RUN_AS_MAIN, payload, timeout=timeout))

    def exit(self, function: int, status: int) -> DeathReport:
        """Call C's ``exit``, which lies at an address, and return how the program ended."""
        payload = sps.pack((sps.ADDR, sps.I32), (function, (status + 2**31) % 2**32 - 2**31))
        try:
            self.call(bootstrap.RUN_AS_INT_FUNCTION, payload)
        except Crashed as crash:
            return crash.report
        raise ProtocolError("The far side's exit returned.")

    # --- going back ----------------------------------------------------------------------------

    def begin_wake(self, snapshot: Snapshot, keep: Iterable[Snapshot]) -> None:
        """Begin what `wake` with the same snapshots ends; wait for nothing.

        Raises:
            FarSideLost: there is no such snapshot. Nothing has been done then.
        """
        pids = pids_of((snapshot, *keep), GRACE)
        if snapshot.pid not in pids:
            raise FarSideLost("The snapshot is gone.")
        self.guard.reason = "its program is being put back"
        # Not closed before the worker has ended, which would else run its exit handlers.
        self._conversation.pause()
        supervisor = self._supervisor
        self._waking = None
        if not supervisor.ended and snapshot.supervisor == supervisor.number:
            # Woken before, it might fork while the supervisor still kills what it does not know.
            supervisor.replace_worker(pids, snapshot.pid)
            self._waking = snapshot

    def wake(
        self,
        snapshot: Snapshot,
        keep: Iterable[Snapshot],
        then: Snapshot,
        *,
        at_once: bool = False,
    ) -> None:
        """Make a snapshot the worker, in whatever state the present one and its connection are.

        The present worker is ended, and so is everything that the program has started, but for the
        snapshots in `keep`. Afterwards the executor is usable, with the program in the snapshot's
        state; `then` is a snapshot of the same.

        With `at_once`, a worker on this machine is not waited for, nor the end of the one before;
        the next call waits, and finds out whether it is alive.

        Raises:
            FarSideLost: there is no such snapshot; only `kill` is of use then.
            Crashed: the snapshot died at once.
        """
        keep = tuple(keep)
        if self._waking is not snapshot:
            self.begin_wake(snapshot, keep)
        adopted, self._waking = self._waking is snapshot and self._await_adoption(), None
        if not adopted:
            self._found_family(snapshot, keep)
        self._connect(snapshot)
        self.guard.reason = None
        if at_once and self.is_child:
            self.take_snapshot(then)
            return
        # Any call would do, such as one to write no pointers: it says whether the process is alive,
        # and its answer comes after what the worker before has written, also through a relay.
        write = self.address(bootstrap.MEM_WRITE_POINTERS)
        self.call_address(write, _NOTHING, timeout=_WAKE, then=then)

    def await_replaced(self) -> None:
        """Wait for the end of a worker in whose place there is another, if that is still to come.

        Raises:
            FarSideLost: nobody knows of it: the supervisor has ended or was stopped, or that worker
                does not die.
        """
        if not self._supervisor.is_replacing:
            return
        with self.guard:
            try:
                self._await_supervisor(lambda: not self._supervisor.is_replacing)
            except TimedOut as error:
                raise FarSideLost("The program that was taken back does not end.") from error

    def _await_adoption(self) -> bool:
        """Wait for the supervisor to make a child of its own the worker; tell whether it did.

        Raises:
            Crashed: the child has ended.
        """
        with suppress(FarSideLost, TimedOut):  # it has ended or was stopped; the snapshot is asleep
            self._await_supervisor(self._has_adopted)
            return True
        return False

    def _has_adopted(self) -> bool:
        supervisor = self._supervisor
        return supervisor.worker_pid is not None or supervisor.death is not None

    def _found_family(self, snapshot: Snapshot, keep: Sequence[Snapshot]) -> None:
        """Have a snapshot become the supervisor, and its child the worker.

        The supervisor before was killed; or it is not the snapshot's, which outlived its own, and
        then it has nothing any more that is to be kept.
        """
        self._conversation.unwatch(self._supervisor.fileno())
        self._supervisor.make_way(pids_of((snapshot, *keep), GRACE))
        near, far = socket.socketpair()
        self._supervisor = self._supervisor.successor(snapshot.pid, near)
        self._supervisor.limit_processes(self._most_processes)
        self._conversation.watch(self._supervisor.fileno(), self._read_control)
        with far:
            snapshot.found_family(far)
        self._await_supervisor(lambda: self.worker_pid is not None)

    def _connect(self, snapshot: Snapshot) -> None:
        """Take a snapshot's socket for the connection; the worker before has ended."""
        self._pipes.drain()
        self._conversation.reconnect(SocketTransport(snapshot.socket))
        self._process_handle = None

    def _await_supervisor(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _REAP_GRACE
        while not done():
            if self._supervisor.ended:
                raise FarSideLost("The far side is gone: its supervisor ended.")
            try:
                self._conversation.turn(min(deadline, time.monotonic() + _SLICE))
            except TimedOut:
                if time.monotonic() >= deadline or self._supervisor.is_stopped():
                    self._supervisor.ended = True
                    raise

    # --- the end -------------------------------------------------------------------------------

    def kill(self) -> None:
        """End the whole process tree at once; may be called again, and in any state."""
        self.guard.reason = self.guard.reason or "the executor was killed"
        self._conversation.close()
        try:
            with suppress(FarsideError):  # nobody is left to be told of too much output
                self._pipes.drain()
        finally:
            self._supervisor.end(drain_to_end=self._pipes.drain_to_end)
            self._finish()

    def close(self, timeout: float = 5.0) -> bool:
        """Let the worker run its exit handlers and end; after `timeout` seconds kill it.

        Returns:
            False if it had to be killed.
        """
        try:
            # Whatever goes wrong here, the executor is ended below.
            with suppress(FarsideError):
                if self.guard.reason is None and not self._conversation.ended:
                    self._say_goodbye(time.monotonic() + timeout)
            without_supervisor = not self._supervisor.serves and self._conversation.ended
            return without_supervisor or self.death is not None or self._supervisor.ended
        finally:
            self.kill()

    def _say_goodbye(self, deadline: float) -> None:
        self.guard.reason = "the executor was closed"
        self._conversation.send(encode_frame(Opcode.HANGUP, 0, 0, b"\0"), deadline)
        if self._supervisor.serves:
            while self.death is None and not self._supervisor.ended:
                self._conversation.turn(deadline)
            return
        # A child that the program left holds the connection open, so its end says nothing.
        child = self.is_child
        learn_end = self._supervisor.learn_end
        while not (learn_end(time.monotonic() + _SLICE) if child else self._conversation.ended):
            if not child:
                self._conversation.turn(deadline)
            elif time.monotonic() >= deadline:
                raise TimedOut("The executor did not end in the time it was given.")
            self._pipes.drain()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _finish(self) -> None:
        """Read what is left in the pipes, and close all."""
        try:
            with suppress(FarsideError):
                self._pipes.drain()
        finally:
            self._pipes.close()
            self._conversation.forget()

    # --- waiting -------------------------------------------------------------------------------

    def _pump_until(self, done: Callable[[], bool], deadline: float | None) -> None:
        while not done():
            self._conversation.turn(deadline)
            ended = self._conversation.ended or self.death is not None or self._supervisor.ended
            if ended and not done():
                self.raise_death()

    def _look(self) -> None:
        """Look whether what is waited for can still come.

        A child of the program may hold the connection of a worker that is dead, or of which only
        the main thread is, and a supervisor that the program has stopped reports nothing.
        """
        if self._setup is None or not self.is_native:
            return
        if not self._supervisor.is_stopped():
            self._stops = 0
            self._supervisor.look()
            return
        if self.guard.reason is None and not self._supervisor.worker_lives():
            self.raise_death()
        # It would have continued the program, had somebody stopped that as well.
        self._supervisor.resume()
        self._stops += 1
        if self._stops >= _MOST_STOPS and self.guard.reason is None:
            self._stops = 0
            self._conversation.stop_reading()
            raise FarSideLost(
                "The program's supervisor was stopped again and again, by the program or something"
                " that it has started; all of that was ended."
            )

    def raise_death(self) -> NoReturn:
        """Say why the stream ended: the supervisor knows how the worker did.

        Raises:
            Crashed, FarSideLost: what it was.
        """
        self._conversation.stop_reading()
        gone = self._supervisor.serves and self._supervisor.ended
        if not gone and not self._await_death(lives=self._supervisor.worker_lives()):
            if self._supervisor.serves and self._supervisor.is_stopped():
                raise FarSideLost(
                    "The program's supervisor was stopped, by the program itself or by somebody"
                    " else, so nobody saw how the program ended."
                )
            # It does not hold its connection any more. `wake` or `kill` will end it.
            raise FarSideLost("The program on the far side closed its connection to the session.")
        self._pipes.drain()
        if self.death is not None:
            raise Crashed(f"{self.death}.", self.death)
        what = "its supervisor ended" if self._supervisor.exists else "the connection ended"
        raise FarSideLost(f"The far side is gone: {what}.")

    def _await_death(self, *, lives: bool) -> bool:
        stopped = self._supervisor.serves and self._supervisor.is_stopped()
        now = time.monotonic()
        deadline = now + (0.0 if stopped else _CLOSING if lives else GRACE)
        if not self._supervisor.serves:
            return self._supervisor.learn_end(deadline)
        for each in () if lives else _LOOKS:
            if self._hears_of_end(now + each):
                return True
            if now + each >= deadline:
                return False
            self._supervisor.look()
        return self._hears_of_end(deadline)

    def _hears_of_end(self, until: float) -> bool:
        """Wait for the supervisor to say how the worker ended, or to end; tell whether it did."""
        try:
            while self.death is None and not self._supervisor.ended:
                self._conversation.turn(until)
        except TimedOut:
            return False
        return True

    def tell_supervisor(self, tag: int, payload: bytes, descriptor: int | None = None) -> None:
        """Send a request on the control socket; see the tags in `farside.orc.bootstrap`."""
        self._supervisor.tell(tag, payload, descriptor)

    # --- what arrives --------------------------------------------------------------------------

    def _take_setup(self, frame: Frame) -> None:
        if self._setup is not None or frame.sequence != 0:
            raise ProtocolError("A second Setup message, or one with a sequence number.")
        self._setup = bootstrap.decode_setup(frame.payload)
        self._supervisor.serves = self.is_native and self._supervisor.exists
        if not self.is_native and self.is_child:
            self._supervisor.worker_pid = self._supervisor.pid

    def _read_control(self) -> None:
        self._supervisor.read()
        if self._supervisor.ended:
            self._conversation.unwatch(self._supervisor.fileno())

    def _read_pipe(self, pipe: int) -> None:
        self._pipes.read(pipe)
        if pipe not in self._pipes.descriptors:
            self._conversation.unwatch(pipe)

    def decoded(self, codec: sps.Codec[T], payload: bytes) -> T:
        """Decode a result; a malformed one makes the executor unusable. Raises ProtocolError."""
        with self.guard:
            return codec.decode(sps.Reader(payload))
