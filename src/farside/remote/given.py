"""Memory that large values come in, past the connection.

The far side asks for it when a value that is given has a large part. A memfd is made here and its
descriptor sent along with the answer, so nobody but this process decides what it maps: the size is
sealed before anybody else has it. An executor on another machine, or not farside's own, is answered
that there is none, and sends the bytes in its reply.

To get fresh pages from the kernel takes longer than to fill them. So the memory of an array
that Python has dropped serves the next one, if that comes with the next call.
"""

from __future__ import annotations

import os
import weakref

from farside.annotations import TYPE_CHECKING
from farside.errors import ProtocolError
from farside.orc import bootstrap, sps
from farside.records import NamedTuple

if TYPE_CHECKING:
    from mmap import mmap

    from farside.remote.executor import Executor

_MOST = 64  # pieces that wait to be taken; each holds a descriptor
_LARGEST = 1 << 40
_LEAST_MAPPED = 16 << 20  # what is smaller is copied: a mapping holds descriptors
_MOST_FREE = 256 << 20  # bytes that wait for the next array


class Answer(NamedTuple):
    """The result of a call, and a descriptor that goes along with it, which is closed then."""

    payload: bytes
    descriptor: int


class _Piece(NamedTuple):
    """A memfd, the size that it has, and how much of it was asked for."""

    descriptor: int
    real: int
    size: int


def _no_memory(_: bytes) -> bytes:
    """Answer that bytes have to travel in the reply: the program is on another machine."""
    return sps.pack((sps.U64,), (0,))


class GivenMemory:
    """The memory that was asked for and has not been taken, and some that is free again."""

    def __init__(self) -> None:
        self._pieces: dict[int, _Piece] = {}
        self._free: list[_Piece] = []
        self._last = 0
        self._asked = False  # since the last `clear`
        self._closed = False
        self._living: list[str] = []

    def lives(self, name: str) -> None:
        """Take note of an object that came with the answer and lives on; see `Blocks`."""
        self._living.append(name)

    @property
    def has_living(self) -> bool:
        """Whether there are such."""
        return bool(self._living)

    def take_living(self) -> list[str]:
        """Return and forget the names of objects that came and live on."""
        found, self._living[:] = list(self._living), []
        return found

    def serve(self, executor: Executor) -> None:
        """Answer an executor that asks for memory; one on another machine cannot be given any."""
        if executor.offers(bootstrap.MEMORY_TAG):
            answer = self.answer if executor.is_here else _no_memory
            executor.handle(bootstrap.MEMORY_TAG, answer)

    def answer(self, payload: bytes) -> bytes | Answer:
        """Answer ``farside_memory_tag``: u64 size → u64 number, 0 where there is no memory."""
        (size,) = sps.unpack((sps.U64,), payload)
        self._asked = True
        if 0 < size <= _LARGEST and len(self._pieces) < _MOST:
            piece = self._found(size) or _made(size)
            if piece is not None:
                try:
                    copy = os.dup(piece.descriptor)
                except OSError:
                    os.close(piece.descriptor)
                else:
                    self._last += 1
                    self._pieces[self._last] = piece
                    return Answer(sps.pack((sps.U64,), (self._last,)), copy)
        return sps.pack((sps.U64,), (0,))

    def _found(self, size: int) -> _Piece | None:
        """Return free memory that is not much larger, if there is some."""
        for piece in self._free:
            if size <= piece.real <= 2 * size:
                self._free.remove(piece)
                return piece._replace(size=size)
        return None

    def take(self, number: int, size: int) -> mmap | bytearray:
        """Return what is in a piece, to be written to; see `farside.result.python.Blocks`.

        Raises:
            ProtocolError: there is none of this number and size.
        """
        import mmap

        piece = self._pieces.pop(number, None)
        if piece is None:
            raise ProtocolError(f"The far side named memory {number}, which does not exist.")
        try:
            if size != piece.size:
                raise ProtocolError(f"The far side named {size} bytes of memory of {piece.size}.")
            # All pages are there; to map them at once takes a tenth of what the faults would.
            mapped = mmap.mmap(
                piece.descriptor,
                size,
                flags=mmap.MAP_SHARED | mmap.MAP_POPULATE,
                prot=mmap.PROT_READ | mmap.PROT_WRITE,
            )
        except BaseException:
            os.close(piece.descriptor)
            raise
        if size < _LEAST_MAPPED:
            with mapped:
                content = bytearray(mapped)
            self._put_back(piece)
            return content
        weakref.finalize(mapped, self._put_back, piece).atexit = False
        return mapped

    def _put_back(self, piece: _Piece) -> None:
        """Take back memory that nobody looks at any more; any thread may come here."""
        if self._closed or sum(each.real for each in self._free) + piece.real > _MOST_FREE:
            os.close(piece.descriptor)
        else:
            self._free.append(piece)

    def clear(self) -> None:
        """Give up what was not taken, and free memory that the last call had no use for."""
        for piece in self._pieces.values():
            os.close(piece.descriptor)
        self._pieces.clear()
        if not self._asked:
            while self._free:
                os.close(self._free.pop().descriptor)
        self._asked = False

    def close(self) -> None:
        """Give all memory up that is nobody's."""
        self._closed = True
        self._asked = False
        self.clear()


def _made(size: int) -> _Piece | None:
    """Return new memory; None where the process may have no more."""
    import fcntl

    try:
        descriptor = os.memfd_create("farside", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    try:
        os.ftruncate(descriptor, size)
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError:
        os.close(descriptor)
        return None
    return _Piece(descriptor, size, size)
