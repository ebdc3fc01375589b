"""Memory that large values come in, past the connection.

The far side asks for it when a value that is given has a large part. A memfd is made here and its
descriptor sent along with the answer, so nobody but this process decides what it maps: the size is
sealed before anybody else has it. An executor on another machine, or not farside's own, is answered
that there is none, and sends the bytes in its reply.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from farside.errors import ProtocolError
from farside.orc import bootstrap, sps

if TYPE_CHECKING:
    from mmap import mmap

    from farside.remote.executor import Executor

_MOST = 64  # pieces that wait to be taken; each holds a descriptor
_LARGEST = 1 << 40


class Answer(NamedTuple):
    """The result of a call, and a descriptor that goes along with it, which is closed then."""

    payload: bytes
    descriptor: int


def _no_memory(_: bytes) -> bytes:
    """Answer that bytes have to travel in the reply: the program is on another machine."""
    return sps.pack((sps.U64,), (0,))


class GivenMemory:
    """The memory that was asked for and has not been taken."""

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[int, int]] = {}  # descriptor and size, by number
        self._last = 0

    def serve(self, executor: Executor) -> None:
        """Answer an executor that asks for memory; one on another machine cannot be given any."""
        if executor.offers(bootstrap.MEMORY_TAG):
            answer = self.answer if executor.is_here else _no_memory
            executor.handle(bootstrap.MEMORY_TAG, answer)

    def answer(self, payload: bytes) -> bytes | Answer:
        """Answer ``farside_memory_tag``: u64 size → u64 number, 0 where there is no memory."""
        import fcntl

        (size,) = sps.unpack((sps.U64,), payload)
        if not 0 < size <= _LARGEST or len(self._pieces) >= _MOST:
            return sps.pack((sps.U64,), (0,))
        try:
            descriptor = os.memfd_create("farside", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            return sps.pack((sps.U64,), (0,))
        try:
            os.ftruncate(descriptor, size)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            copy = os.dup(descriptor)
        except OSError:
            os.close(descriptor)
            return sps.pack((sps.U64,), (0,))
        self._last += 1
        self._pieces[self._last] = (descriptor, size)
        return Answer(sps.pack((sps.U64,), (self._last,)), copy)

    def take(self, number: int, size: int) -> mmap:
        """Map a piece; see `farside.result.python.Blocks`.

        Raises:
            ProtocolError: there is none of this number and size.
        """
        import mmap

        descriptor, real = self._pieces.pop(number, (-1, 0))
        if descriptor < 0:
            raise ProtocolError(f"The far side named memory {number}, which does not exist.")
        try:
            if size != real:
                raise ProtocolError(f"The far side named {size} bytes of memory of {real}.")
            # All pages are there; to map them at once takes a tenth of what the faults would.
            return mmap.mmap(
                descriptor,
                size,
                flags=mmap.MAP_SHARED | mmap.MAP_POPULATE,
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
            )
        finally:
            os.close(descriptor)

    def clear(self) -> None:
        """Give up what was not taken."""
        for descriptor, _ in self._pieces.values():
            os.close(descriptor)
        self._pieces.clear()
