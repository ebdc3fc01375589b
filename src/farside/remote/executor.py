"""The executor as typed calls.

`Executor` owns one executor: its processes, the connection to them, and pipes that its output comes
through. A call is sent and then waited for; while it waits it serves whatever else happens: calls
that the far side makes, its captured output, and the news of its supervisor. A worker that dies
makes the waiting call raise `Crashed`.

After an interrupt, a protocol violation or a death the connection is in no state to be used: every
later call raises `FarSideLost`, and the owner calls `kill` and spawns another executor.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial
from struct import Struct

from farside.annotations import TYPE_CHECKING, Any, TypeVar
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
from farside.remote.family import Family
from farside.remote.guard import Guard
from farside.remote.pipes import OutputPipes
from farside.remote.ports import Interrupts, OutputSink
from farside.remote.spawn import Spawned, spawn_executor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from farside.remote.death import DeathReport
    from farside.remote.given import Answer
    from farside.remote.snapshot import Snapshot

T = TypeVar("T")

_U64 = Struct("<Q")
_NOTHING = _U64.pack(0)  # an empty sequence
_LOOKUP_SET = sps.Sequence(sps.Tuple(sps.STRING, sps.BOOL))
_EXPECTED_SYMBOLS = sps.Expected(sps.Sequence(sps.Optional(sps.SYMBOL_DEF)))
_EXPECTED_OLD_SYMBOLS = sps.Expected(sps.Sequence(sps.SYMBOL_DEF))
_EXPECTED_ADDR = sps.Expected(sps.ADDR)
_ASKING = 5.0  # seconds for it to take a word while it runs code
_WAKE = 10.0  # seconds for a snapshot to answer when it is woken
_SLICE = 0.05  # seconds between two looks at output while a process ends
PATIENCE = 60.0  # seconds for what the executor does by itself, without the program's code


class Executor:
    """A running executor.

    Attributes:
        setup: what it said of itself.
        family: its processes.
        guard: to decode in what it has answered.
        ran: how many calls there were that may have run code of the program.
        slept: whether the thread slept until the last call was answered.
    """

    def __init__(
        self,
        spawned: Spawned,
        sink: OutputSink | None = None,
        interrupts: Interrupts | None = None,
    ) -> None:
        """Take over a started executor, which `wait_ready` waits for."""
        self.guard = Guard()
        self.ran = 0
        self.slept = False
        self._setup: bootstrap.Setup | None = None
        self._process_handle: int | None = None
        self._pipes = OutputPipes(spawned, sink)
        self.family = Family(spawned, self._pipes, self.guard, self._take_setup)
        self._conversation = self.family.conversation
        if interrupts is not None:
            self._conversation.watch(interrupts.fileno(), interrupts.deliver)
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
                self.family.wait_until(
                    lambda: self._setup is not None and self._knows_worker(), deadline
                )
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
        return self.family.supervisor.worker_pid

    @property
    def death(self) -> DeathReport | None:
        """How its worker ended, None while it lives or nobody knows."""
        return self.family.supervisor.death

    @property
    def supervisor_pid(self) -> int:
        """Process id of the supervisor."""
        return self.family.supervisor.pid

    @property
    def is_child(self) -> bool:
        """Whether it was started by this process, on this machine."""
        return self.family.supervisor.pid != 0

    @property
    def is_here(self) -> bool:
        """Whether its program runs on this machine, started by this process or in it."""
        return self.is_child or self.worker_pid == os.getpid()

    @property
    def is_supervised(self) -> bool:
        """Whether there is a supervisor of farside's."""
        return self.family.supervisor.serves and self.family.supervisor.exists

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
        quiet: bool = False,
    ) -> bytes:
        """Call a wrapper function by its bootstrap name, or its address, and return its result.

        Args:
            name: of the bootstrap symbol.
            payload: encoded arguments.
            timeout: seconds to wait; None waits as long as it takes.
            then: to be taken when the call is done. It goes in the same message and is not waited
                for; the fork happens while the near side deals with the result.
            quiet: whether it runs nothing of the program's with these arguments.

        Raises:
            Crashed: the worker died.
            TimedOut: no result came in time; the executor must then be killed.
            FarSideLost: the connection is gone.
            ProtocolError: the far side violated the protocol.
        """
        if not quiet and name not in bootstrap.QUIET_SYMBOLS:
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
        self.family.await_replaced()
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
            self.family.wait_until(lambda: conversation.has_result(sequence), deadline)
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
        # The process itself is loaded already; each one that is woken is asked for it anew.
        reply = self.call(bootstrap.DYLIB_OPEN, payload, timeout=timeout, quiet=not path)
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
        snapshot.supervisor = self.family.supervisor.number
        return self._conversation.unread_call(self.address(bootstrap.SNAPSHOT))

    def wake(
        self,
        snapshot: Snapshot,
        keep: Iterable[Snapshot],
        then: Snapshot,
        *,
        at_once: bool = False,
    ) -> None:
        """Put the program into a snapshot's state, as `Family.wake` does, and make it usable.

        Args:
            snapshot, keep: see `Family.wake`.
            then: is taken of the same state.
            at_once: whether a worker on this machine is not waited for, nor the end of the one
                before; the next call waits, and finds out whether it is alive.

        Raises:
            FarSideLost: there is no such snapshot; only `kill` is of use then.
            Crashed: the snapshot died at once.
        """
        self.family.wake(snapshot, keep)
        self._process_handle = None
        # First of all: until it is there the worker alone has the state.
        self.take_snapshot(then)
        if at_once and self.is_child:
            return
        # Any call would do, such as one to write no pointers: it says whether the process is alive,
        # and its answer comes after what the worker before has written, also through a relay.
        write = self.address(bootstrap.MEM_WRITE_POINTERS)
        self.call_address(write, _NOTHING, timeout=_WAKE)

    def ask_to_end(self) -> None:
        """Let the code that runs now see that the user wants it to end; nothing is waited for."""
        if self.offers(bootstrap.INTERRUPT_CALL):
            frame = self._conversation.unread_call(self.address(bootstrap.INTERRUPT_CALL))
            self._conversation.send(frame, time.monotonic() + _ASKING)
        else:
            self.family.supervisor.interrupt_call(self._conversation.outer_call)

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

    # --- the end -------------------------------------------------------------------------------

    def kill(self) -> None:
        """End the whole process tree at once; may be called again, and in any state."""
        self.guard.reason = self.guard.reason or "the executor was killed"
        self._conversation.close()
        try:
            with suppress(FarsideError):  # nobody is left to be told of too much output
                self._pipes.drain()
        finally:
            self.family.supervisor.end(drain_to_end=self._pipes.drain_to_end)
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
            without_supervisor = not self.family.supervisor.serves and self._conversation.ended
            return without_supervisor or self.family.has_ended()
        finally:
            self.kill()

    def _say_goodbye(self, deadline: float) -> None:
        self.guard.reason = "the executor was closed"
        self._conversation.send(encode_frame(Opcode.HANGUP, 0, 0, b"\0"), deadline)
        if self.family.supervisor.serves:
            while not self.family.has_ended():
                self._conversation.turn(deadline)
            return
        # A child that the program left holds the connection open, so its end says nothing.
        child = self.is_child
        learn_end = self.family.supervisor.learn_end
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

    # --- what arrives --------------------------------------------------------------------------

    def _take_setup(self, frame: Frame) -> None:
        if self._setup is not None or frame.sequence != 0:
            raise ProtocolError("A second Setup message, or one with a sequence number.")
        self._setup = bootstrap.decode_setup(frame.payload)
        self.family.know(native=self.is_native)

    def _read_pipe(self, pipe: int) -> None:
        self._pipes.read(pipe)
        if pipe not in self._pipes.descriptors:
            self._conversation.unwatch(pipe)

    def decoded(self, codec: sps.Codec[T], payload: bytes) -> T:
        """Decode a result; a malformed one makes the executor unusable. Raises ProtocolError."""
        with self.guard:
            return codec.decode(sps.Reader(payload))
