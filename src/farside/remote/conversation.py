"""One connection to an executor, and the wait for whatever comes next.

A `Conversation` sends calls and collects their results. While somebody waits for one, `turn` serves
everything else that may arrive: calls that the far side makes, and descriptors of others that were
given to `watch`. It knows frames and no executor: why a connection ended is its owner's to say.
"""

from __future__ import annotations

import os
import select
import time

from farside.annotations import TYPE_CHECKING
from farside.errors import FarSideLost, ProtocolError, TimedOut
from farside.orc.frames import Frame, FrameDecoder, Opcode, encode_frame
from farside.remote.given import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from farside.remote.transport import Transport

GRACE = 2.0  # seconds beyond a deadline for one that talks without end
_LOOK = 1.0  # seconds between two looks at the peer


class Conversation:
    """Frames to and from one executor.

    Attributes:
        ended: whether nothing can arrive any more.
        handlers: what answers the far side's calls, by dispatch tag.
        outer_call: the number of the call that is waited for, not of those made meanwhile.
        deadline: of `time.monotonic`, by when the present wait is to be over; None for none.
    """

    def __init__(
        self,
        transport: Transport,
        lost: Callable[[], NoReturn],
        set_up: Callable[[Frame], None],
        is_gone: Callable[[], bool] = lambda: False,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        """Take over a connected transport.

        Args:
            transport: the connection.
            lost: raises what a send to a peer that is gone means.
            set_up: takes the Setup frame.
            is_gone: tells whether the peer is known to have ended; a child of it may hold the
                connection open.
            look: is called now and then while a call is waited for, to find out.
        """
        self.ended = False
        self.handlers: dict[int, Callable[[bytes], bytes | Answer]] = {}
        self.outer_call = 0
        self.deadline: float | None = None
        self._transport = transport
        self._lost = lost
        self._set_up = set_up
        self._is_gone = is_gone
        self._look = look
        self._look_at = 0.0
        self._frames = FrameDecoder()
        self._poll = select.poll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._results: dict[int, bytes | None] = {}
        self._unread: set[int] = set()  # calls whose results say nothing
        self._next_sequence = 0
        self.watch(transport.fileno(), self._read)

    # --- calls ---------------------------------------------------------------------------------

    def call(
        self,
        function: int,
        payload: bytes,
        deadline: float | None,
        then: bytes = b"",
        descriptor: int | None = None,
    ) -> int:
        """Send a call, and return its number for `result`.

        Args:
            function: address of a wrapper function.
            payload: encoded arguments.
            deadline: of `time.monotonic`, for the sending.
            then: frames that go in the same write.
            descriptor: goes with the first byte.
        """
        sequence = self._new_sequence()
        if not self._results:
            self.outer_call = sequence
            self._look_at = time.monotonic() + _LOOK
        self._results[sequence] = None
        frame = encode_frame(Opcode.CALL, sequence, function, payload)
        self.send(frame + then if then else frame, deadline, descriptor)
        return sequence

    def unread_call(self, function: int) -> bytes:
        """Return the frame of a call without arguments whose result will not be looked at."""
        sequence = self._new_sequence()
        self._unread.add(sequence)
        return encode_frame(Opcode.CALL, sequence, function)

    def has_result(self, sequence: int) -> bool:
        """Tell whether the result of a call is there."""
        return self._results[sequence] is not None

    def result(self, sequence: int) -> bytes:
        """Return the result of a call, once, when it is there."""
        found = self._results.pop(sequence)
        assert found is not None
        return found

    def send(self, frame: bytes, deadline: float | None, descriptor: int | None = None) -> None:
        """Send all of a frame, and a descriptor with its first byte."""
        rest = memoryview(frame)
        waited = False
        own = self._transport.fileno()
        try:
            while True:
                sent = self._transport.send(rest, descriptor)
                rest = rest[sent:]
                if not rest:
                    return
                if sent:
                    descriptor = None
                self._poll.modify(own, select.POLLIN | select.POLLOUT)
                waited = True
                self.turn(deadline)
                if self.ended or self._is_gone():
                    self._lost()
        except FarSideLost:
            self._lost()
        finally:
            if waited and own in self._readers:
                self._poll.modify(own, select.POLLIN)

    def _new_sequence(self) -> int:
        sequence = self._next_sequence
        self._next_sequence += 1
        return sequence

    # --- waiting -------------------------------------------------------------------------------

    def watch(self, descriptor: int, reader: Callable[[], None]) -> None:
        """Have `turn` call `reader` when there is something to read on a descriptor."""
        self._readers[descriptor] = reader
        self._poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Take back `watch`; a descriptor that is not watched is fine."""
        if self._readers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def look(self, nanoseconds: int) -> bool:
        """Look for something to read for so long, without sleeping; tell whether there is any."""
        poll = self._poll.poll
        until = time.perf_counter_ns() + nanoseconds
        while not poll(0):
            if time.perf_counter_ns() >= until:
                return False
        return True

    def turn(self, deadline: float | None) -> None:
        """Wait for events, not too long, and serve them. Raises TimedOut at the deadline."""
        self.deadline = deadline
        now = time.monotonic()
        if now >= self._look_at:  # not only after silence: a program may write without end
            self._look_at = now + _LOOK
            self._look()
        until = self._look_at if deadline is None else min(deadline, self._look_at)
        events = self._poll.poll(max(0.0, until - now) * 1000)
        if not events and deadline is not None and time.monotonic() >= deadline:
            raise TimedOut("The far side did not answer in the time it was given.")
        for descriptor, _ in events:
            reader = self._readers.get(descriptor)
            if reader is not None:
                reader()
        # One that talks without end must not keep anybody waiting without end.
        if deadline is not None and time.monotonic() >= deadline + GRACE:
            raise TimedOut("The far side did not answer in the time it was given.")

    def _read(self) -> None:
        data = self._transport.receive()
        if data is None:
            return
        if not data:
            self.stop_reading()
            return
        if (whole := self._frames.whole(data)) is not None:
            self._serve(whole)
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
            handler = self.handlers.get(frame.tag)
            if handler is None:
                raise ProtocolError(f"A call with the unknown tag {frame.tag:#x}.")
            self._answer(frame.sequence, handler(frame.payload))
        elif frame.opcode == Opcode.SETUP:
            self._set_up(frame)
        else:
            self.ended = True

    def _answer(self, sequence: int, reply: bytes | Answer) -> None:
        if not isinstance(reply, Answer):
            return self.send(encode_frame(Opcode.RESULT, sequence, 0, reply), None)
        try:
            frame = encode_frame(Opcode.RESULT, sequence, 0, reply.payload)
            return self.send(frame, None, reply.descriptor)
        finally:
            os.close(reply.descriptor)

    # --- the end -------------------------------------------------------------------------------

    def stop_reading(self) -> None:
        """Take the connection for ended; it stays open."""
        self.ended = True
        self.pause()

    def pause(self) -> None:
        """Do not read until `reconnect`. The connection stays open, and so does the peer."""
        self.unwatch(self._transport.fileno())

    def reconnect(self, transport: Transport) -> None:
        """Go on with another connection; open calls of the one before are forgotten."""
        self.close()
        self._transport = transport
        self._frames = FrameDecoder()
        self._results.clear()
        self._unread.clear()
        self.ended = False
        self.watch(transport.fileno(), self._read)

    def fileno(self) -> int:
        """Return the descriptor of the connection, -1 when closed."""
        return self._transport.fileno()

    def is_cut(self) -> bool:
        """Tell whether the other end has been closed; what it sent before is still to be read."""
        poll = select.poll()
        poll.register(self._transport.fileno(), select.POLLRDHUP)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Close the connection. Other descriptors are watched on; see `forget`."""
        self.pause()
        self._transport.close()

    def forget(self) -> None:
        """Watch nothing any more."""
        self._readers.clear()
        self._poll = select.poll()
