"""SimpleRemoteEPC frames: a header of four u64 and a payload.

::

    u64 message size, header included | u64 opcode | u64 sequence number | u64 tag address | payload

Each side numbers its own calls from 0; a Result carries the number of the call that it answers.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

from farside.errors import ProtocolError
from farside.records import NamedTuple

HEADER = Struct("<QQQQ")
MAX_MESSAGE = 1 << 30
"""The largest message that is accepted, in bytes."""


class Opcode(IntEnum):
    """What a frame is."""

    SETUP = 0
    HANGUP = 1
    RESULT = 2
    CALL = 3


_LAST_OPCODE = int(Opcode.CALL)


class Frame(NamedTuple):
    """One message."""

    opcode: int
    sequence: int
    tag: int
    payload: bytes


def encode_frame(opcode: int, sequence: int, tag: int, payload: bytes = b"") -> bytes:
    """Return header and payload as one piece, to be sent in one call."""
    return HEADER.pack(HEADER.size + len(payload), opcode, sequence, tag) + payload


class FrameDecoder:
    """Cuts a stream of bytes into frames.

    Memory is bounded by `max_message` and what the last `feed` brought.
    """

    __slots__ = ("_buffer", "_max_message")

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._buffer = bytearray()
        self._max_message = max_message

    def whole(self, data: bytes) -> Frame | None:
        """Return the frame that was received by itself, as most are; else None, and `feed` it.

        Raises:
            ProtocolError: as `next`.
        """
        if self._buffer or len(data) < HEADER.size:
            return None
        size, opcode, sequence, tag = HEADER.unpack_from(data)
        if size != len(data):
            return None
        self._check(size, opcode, tag)
        return Frame(opcode, sequence, tag, data[HEADER.size :])

    def feed(self, data: bytes) -> None:
        """Append what was received."""
        self._buffer += data

    @property
    def in_message(self) -> bool:
        """Whether the stream stands within a message."""
        return bool(self._buffer)

    def next(self) -> Frame | None:
        """Return the next complete frame, or None if more bytes are needed.

        Raises:
            ProtocolError: the header is not one that the protocol allows.
        """
        buffer = self._buffer
        if len(buffer) < HEADER.size:
            return None
        size, opcode, sequence, tag = HEADER.unpack_from(buffer)
        self._check(size, opcode, tag)
        if len(buffer) < size:
            return None
        payload = bytes(memoryview(buffer)[HEADER.size : size])
        if len(buffer) == size:
            buffer.clear()
        else:
            del buffer[:size]
        return Frame(opcode, sequence, tag, payload)

    def _check(self, size: int, opcode: int, tag: int) -> None:
        if not HEADER.size <= size <= self._max_message:
            raise ProtocolError(f"EPC frame with a size of {size} bytes.")
        if opcode > _LAST_OPCODE:
            raise ProtocolError(f"EPC frame with the unknown opcode {opcode}.")
        if tag and opcode != _LAST_OPCODE:
            raise ProtocolError(f"EPC frame with opcode {opcode} and the tag {tag:#x}.")
