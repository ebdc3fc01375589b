"""``farside_call`` on the wire: a function of the program's, run with bytes for arguments."""

from __future__ import annotations

import os
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import RemoteError
from farside.orc import bootstrap, sps
from farside.records import NamedTuple
from farside.remote.commit import decode_outcome
from farside.remote.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.remote.commit import RunOutcome
    from farside.remote.executor import Executor

_HEAD = Struct("<QQQ?Q")
_SHARE = Struct("<QQ")


class Beside(NamedTuple):
    """Memory that goes along with a call: its descriptor, and how many bytes of it are used."""

    descriptor: int
    size: int


NOTHING = Beside(-1, 0)


class FarCalls:
    """Calls of the program on one executor after the other.

    Attributes:
        on_callback: answers the program's calls of Python callables, by a deadline.
        on_display: is given what the program shows while it runs.
        shared: buffers that both sides see, by number: descriptor and size. They are mapped again
            by the next executor.
        states_kept: how many states of the program were kept so far.
        unsettled: whether calls have changed the program since.
        went_back: the number of the state that it went back to, 0 where it began anew; None if it
            did neither since somebody took note.
    """

    def __init__(self, on_display: Callable[[bytes], None] | None = None) -> None:
        self.on_display = on_display
        self.on_callback: Callable[[bytes, float | None], bytes] | None = None
        self.shared: dict[int, Beside] = {}
        self.states_kept = 0
        self.unsettled = False
        self.went_back: int | None = None
        self._pace = Pace()

    def begin(self, executor: Executor) -> None:
        """Take to an executor that is ready."""
        self._executor = executor
        if executor.offers(bootstrap.CALLBACK_TAG):
            executor.handle(bootstrap.CALLBACK_TAG, self._answer)
        if executor.offers(bootstrap.DISPLAY_TAG):
            executor.handle(bootstrap.DISPLAY_TAG, self._display)
        for key, buffer in self.shared.items():
            self._map(key, buffer)

    def kept(self) -> int:
        """Note that the present state is kept; return its number."""
        self.states_kept += 1
        self.unsettled = False
        return self.states_kept

    def return_to(self, state: int) -> None:
        """Note that the program went back to a state that is kept, or to 0, its beginning."""
        self.went_back = state if self.went_back is None else min(state, self.went_back)
        self.unsettled = False

    def _answer(self, payload: bytes) -> bytes:
        """Answer a call of a Python callable; an empty answer says that there is nobody."""
        if self.on_callback is None:
            return b""
        return self.on_callback(payload, self._executor.deadline)

    def _display(self, payload: bytes) -> bytes:
        if self.on_display is not None:
            self.on_display(payload)
        return b""

    def offers(self, name: str) -> bool:
        """Tell whether the executor has a bootstrap symbol."""
        return self._executor.offers(name)

    @property
    def is_local(self) -> bool:
        """Whether descriptors can be handed to the program."""
        return self._executor.is_here and self._executor.is_native

    def call(
        self,
        header: int,
        function: int,
        arguments: bytes,
        beside: Beside = NOTHING,
        timeout: float | None = None,
    ) -> RunOutcome:
        """Run a function: one message, one answer.

        Args:
            header: of the JITDylib whose code it is.
            function: its address.
            arguments: for it to read.
            beside: memory for it, which it may change.
            timeout: seconds to wait; None waits as long as it takes.

        Raises:
            RemoteError: the memory could not be mapped.
            Crashed, TimedOut, FarSideLost, ProtocolError: see `Executor.call`.
        """
        executor = self._executor
        executor.ran += 1
        head = _HEAD.pack(header, function, beside.size, beside.size != 0, len(arguments))
        payload = executor.call_address(
            executor.address(bootstrap.CALL),
            head + arguments,
            timeout=timeout,
            descriptor=beside.descriptor if beside.size else None,
            patience=self._pace.patience(),
        )
        with executor.guard:
            outcome = decode_outcome(payload)
        if isinstance(outcome, sps.Failure):
            raise RemoteError(f"The executor refused the call: {outcome.text}.")
        self._pace.answered(slept=executor.slept, nanoseconds=outcome.nanoseconds)
        return outcome

    def share(self, key: int, buffer: Beside) -> None:
        """Have the program, and those that take its place, map memory that both sides see.

        Raises:
            RemoteError: it cannot be mapped.
        """
        self._map(key, buffer)
        self.shared[key] = buffer

    def close(self) -> None:
        """Give the buffers' descriptors back; their memory stays as long as somebody uses it."""
        while self.shared:
            os.close(self.shared.popitem()[1].descriptor)

    def _map(self, key: int, buffer: Beside) -> None:
        executor = self._executor
        request = _SHARE.pack(key, buffer.size)
        payload = executor.call_address(
            executor.address(bootstrap.SHARE), request, descriptor=buffer.descriptor
        )
        failure = executor.decoded(sps.ERROR, payload)
        if failure is not None:
            raise RemoteError(f"The executor cannot share the buffer: {failure.text}.")
