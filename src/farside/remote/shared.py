"""Memory that both sides see, through which the bytes of large images travel.

It is a reservation of ORC's shared-memory mapper, made once for an executor. The near side writes
an image there; the commit's first action has the far side copy it to where it belongs. The image's
own memory is not shared: a snapshot of the program must be a copy, and pages are never writable
and executable at once. The near side writes to the file of the memory and does not map it, so an
executor that cuts it short does no harm.
"""

from __future__ import annotations

import os
import re
import stat
import weakref
from contextlib import suppress

from farside.annotations import TYPE_CHECKING, TypeVar
from farside.errors import FarsideError, ProtocolError, SetupError
from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, WrapperCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.remote.executor import Executor

_SIZE = 256 << 20  # bytes; what is not written to takes no memory
_LEAST = 16 << 10  # bytes of an image that is worth the detour
_ALIGNMENT = 64
_PATIENCE = 60.0  # seconds for what the executor does without the program's code
_DIRECTORY = "/dev/shm"
_NAME = re.compile(r"/[\w.-]{1,200}", re.ASCII)
_RESERVED = sps.Expected(sps.Tuple(sps.ADDR, sps.STRING))
_SEGMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64))
_NO_ACTIONS = sps.Sequence(sps.BYTES)
_COPIES = sps.Sequence(sps.Tuple(sps.ADDR, sps.ADDR, sps.U64))
_RANGES = sps.Sequence(sps.ADDR_RANGE)
_READ = 1

T = TypeVar("T")
Stores = list[tuple[int, bytes]]


class SharedMemory:
    """Shared memory of an executor on this machine.

    Attributes:
        carried: how many bytes have travelled through it.
    """

    def __init__(self, executor: Executor) -> None:
        """Have the executor make it.

        Raises:
            SetupError: the executor has no shared-memory mapper, cannot make the memory, or is on
                another machine.
        """
        self._executor = executor
        self._copy_in = executor.address(bootstrap.COPY_IN)
        self._instance = executor.address(bootstrap.MAPPER)
        self.carried = 0
        reserved = self._ask(bootstrap.MAPPER_RESERVE, _RESERVED, sps.pack((sps.U64,), (_SIZE,)))
        if isinstance(reserved, sps.Failure):
            raise SetupError(f"The executor cannot share memory: {reserved.text}.")
        self._base, name = reserved
        self._file = self._open(name)
        weakref.finalize(self, os.close, self._file)
        arguments = sps.pack(
            (sps.ADDR, _SEGMENTS, _NO_ACTIONS), (self._base, [(_READ, self._base, _SIZE)], [])
        )
        placed = self._ask(bootstrap.MAPPER_INITIALIZE, sps.Expected(sps.ADDR), arguments)
        if isinstance(placed, sps.Failure):
            raise SetupError(f"The executor cannot share memory: {placed.text}.")
        if not executor.is_child:
            self._check()

    def _open(self, name: str) -> int:
        """Open the memory by its name, and take the name away."""
        if not _NAME.fullmatch(name):
            raise ProtocolError(f"Shared memory with the name {name[:100]!r}.")
        path = _DIRECTORY + name
        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise SetupError(
                "The executor's memory cannot be shared (--use-shared-memory): it is on another"
                f" machine, or {path} cannot be opened: {error.strerror}."
            ) from error
        facts = os.fstat(file)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != _SIZE:
            os.close(file)
            raise ProtocolError(f"{path} is not the memory that the executor was asked for.")
        with suppress(OSError):
            os.unlink(path)
        return file

    def _check(self) -> None:
        """See that the executor's memory is the one that was opened here."""
        mark = os.urandom(16)
        os.pwrite(self._file, mark, 0)
        payload = sps.pack((_RANGES,), ([(self._base, self._base + len(mark))],))
        reply = self._executor.call(bootstrap.MEM_READ_BUFFERS, payload, timeout=_PATIENCE)
        if self._executor.decoded(sps.Sequence(sps.BYTES), reply) != [mark]:
            raise SetupError(
                "The executor's memory cannot be shared (--use-shared-memory): it is on another"
                " machine."
            )

    def _ask(self, name: str, codec: sps.Codec[T], arguments: bytes) -> T:
        payload = sps.pack((sps.ADDR,), (self._instance,)) + arguments
        return self._executor.decoded(codec, self._executor.call(name, payload, timeout=_PATIENCE))

    def carry(self, stores: Stores) -> tuple[Stores, Sequence[tuple[WrapperCall, WrapperCall]]]:
        """Write an image's bytes to the memory, if they are worth it and fit.

        Args:
            stores: (address, bytes) of an image.

        Returns:
            those that must go with the commit's message, and the actions that must come first.
        """
        total = sum([len(content) + _ALIGNMENT for _, content in stores])
        if not _LEAST <= total <= _SIZE:
            return stores, ()
        copies = []
        at = 0
        try:
            for address, content in stores:
                _write_all(self._file, content, at)
                copies.append((address, self._base + at, len(content)))
                at += -(-len(content) // _ALIGNMENT) * _ALIGNMENT
        except OSError:  # the machine has no memory left for it
            return stores, ()
        self.carried += total
        copy = WrapperCall(self._copy_in, sps.pack((_COPIES,), (copies,)))
        return [], [(copy, NO_CALL)]


def _write_all(file: int, content: bytes, at: int) -> None:
    rest = memoryview(content)
    while rest:
        wrote = os.pwrite(file, rest, at)
        rest = rest[wrote:]
        at += wrote


def share_memory(executor: Executor) -> SharedMemory:
    """Make memory that is shared with an executor.

    Raises:
        SetupError: there can be none, for a reason that the error tells.
    """
    try:
        return SharedMemory(executor)
    except SetupError:
        raise
    except FarsideError as error:
        raise SetupError(f"The executor cannot share memory: {error}") from error
