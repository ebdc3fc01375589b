"""The librarian as typed calls: a process of the far side that reads libraries' symbol tables.

What it answers comes from files that anybody may have put there, and from another process. So each
number is checked before it is used, and text that is shown is made printable first. Requests and
answers are ORC's frames; `native/executor/librarian.h` lists them.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress

from farside.annotations import TYPE_CHECKING, Any
from farside.errors import FarSideLost, ProtocolError, SetupError, TimedOut
from farside.libraries.bloom import FilterPart, checked_part
from farside.orc import bootstrap, sps
from farside.orc.frames import FrameDecoder, Opcode, encode_frame
from farside.records import NamedTuple
from farside.remote.spawn import spawn_librarian
from farside.remote.transport import SocketTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.remote.executor import Executor
    from farside.remote.ports import Interrupts

_SCAN, _FIND, _NEAR = 1, 2, 3
_PATH_CHANGED = 1
_PATIENCE = 60.0  # seconds for an answer; disks can be slow
_MOST_BYTES = 1 << 29
_STRINGS = sps.Sequence(sps.STRING)
_SCAN_REQUEST = (_STRINGS, sps.BOOL, sps.BOOL, sps.BOOL)
_SCAN_ANSWER = (
    sps.U64,
    sps.U64,
    sps.U64,
    sps.U64,
    sps.BOOL,
    sps.BOOL,
    sps.Sequence(sps.Tuple(sps.U32, sps.U64, sps.BYTES)),
    _STRINGS,
    sps.Sequence(sps.Tuple(sps.STRING, sps.STRING)),
    sps.U64,
)
_FIND_ANSWER = (
    sps.BOOL,
    sps.Sequence(sps.Tuple(sps.BYTES, sps.STRING, sps.U32, sps.BOOL, _STRINGS)),
    sps.Sequence(sps.Sequence(sps.Tuple(sps.U32, sps.U8, sps.STRING))),
)
_NEAR_ANSWER = (sps.Sequence(sps.Sequence(sps.Tuple(sps.STRING, sps.STRING))),)

WEAK, IFUNC, THREAD_LOCAL, FUNCTION = 1, 2, 4, 8
"""What a symbol is, as bits of `Defined.kind`."""


class ScanReport(NamedTuple):
    """What a look through the search path found.

    Attributes:
        libraries, symbols: how many there are.
        files_read: how many had to be read.
        files_known: how many were known from the scan before, or from the cache on disk.
        watching: whether the librarian says so when the path changes.
        whole: whether `parts` are the whole filter and not what is to be added.
        parts: of the Bloom filter.
        places: the search path, in order.
        skipped: files that are no libraries for this machine, and why; the first of them.
        skipped_count: how many there are.
    """

    libraries: int
    symbols: int
    files_read: int
    files_known: int
    watching: bool
    whole: bool
    parts: tuple[FilterPart, ...]
    places: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    skipped_count: int


class FoundLibrary(NamedTuple):
    """A library on the search path that defines a name that was asked for.

    Attributes:
        path: to load it by.
        soname: what others call it; its file's name if it has none.
        place: the number of its place on the path.
        has_link: whether it can be found under the name without a version, as linkers do.
        needed: the sonames of what comes with it.
    """

    path: str
    soname: str
    place: int
    has_link: bool
    needed: frozenset[str]


class Defined(NamedTuple):
    """A definition of a name.

    Attributes:
        library: where.
        kind: bits, see `WEAK` and its like.
        version: the symbol's default version, or the empty string.
    """

    library: FoundLibrary
    kind: int
    version: str


class Librarian:
    """A connection to a librarian. Any error ends it; its owner starts another.

    Attributes:
        path_changed: whether it has said that the search path is not what it was at the last scan.
        received: bytes that have come from it.
    """

    def __init__(self, connected: socket.socket, interrupts: Interrupts | None = None) -> None:
        self._transport = SocketTransport(connected)
        self._frames = FrameDecoder(_MOST_BYTES)
        self._interrupts = interrupts
        self._sequence = 0
        self._answer: bytes | None = None
        self._asked = 0  # the tag of the open request
        self._poll = select.poll()
        self._poll.register(self._transport.fileno(), select.POLLIN)
        if interrupts is not None:
            self._poll.register(interrupts.fileno(), select.POLLIN)
        self.path_changed = False
        self.received = 0

    def scan(
        self,
        directories: Sequence[str],
        *,
        system: bool = True,
        cache: bool = True,
        whole: bool = True,
    ) -> ScanReport:
        """Look through the search path; files that are known are not read again.

        Args:
            directories: the user's, which come first.
            system: whether the other places count.
            cache: whether the file cache may be used.
            whole: whether the whole filter is wanted, and not what is new since the last scan.

        Raises:
            FarSideLost, TimedOut, ProtocolError: the librarian is of no use any more.
        """
        payload = sps.pack(_SCAN_REQUEST, (directories, system, cache, whole))
        *head, parts, places, skipped, count = sps.unpack(_SCAN_ANSWER, self._ask(_SCAN, payload))
        libraries, symbols, files_read, files_known, watching, entire = head
        return ScanReport(
            libraries,
            symbols,
            files_read,
            files_known,
            watching,
            entire,
            tuple([checked_part(*part) for part in parts]),
            tuple(map(printable, places)),
            tuple([(printable(path), printable(why)) for path, why in skipped]),
            count,
        )

    def find(self, names: Sequence[str]) -> tuple[bool, dict[str, tuple[Defined, ...]]]:
        """Ask which libraries define some names.

        Returns:
            whether a file has changed since the scan, so that the answer may lack something; and
            the definitions of each name, in the order of the path.

        Raises:
            FarSideLost, TimedOut, ProtocolError: the librarian is of no use any more.
        """
        payload = self._ask(_FIND, sps.pack((_STRINGS,), (names,)))
        stale, described, answers = sps.unpack(_FIND_ANSWER, payload)
        libraries = [_library(*each) for each in described]
        if len(answers) != len(names):
            raise ProtocolError(f"The librarian gave {len(answers)} answers to {len(names)} names.")
        found = {}
        for name, definitions in zip(names, answers, strict=True):
            if any(number >= len(libraries) for number, _, _ in definitions):
                raise ProtocolError("The librarian named a library that it did not describe.")
            found[name] = tuple(
                [Defined(libraries[number], kind, version) for number, kind, version in definitions]
            )
        return stale, found

    def near(self, names: Sequence[str], limit: int) -> dict[str, tuple[tuple[str, str], ...]]:
        """Ask for names that are nearly like these, the nearest first, at most `limit` for each.

        Returns:
            pairs of a name and the library that defines it.

        Raises:
            FarSideLost, TimedOut, ProtocolError: the librarian is of no use any more.
        """
        payload = self._ask(_NEAR, sps.pack((_STRINGS, sps.U32), (names, limit)))
        (answers,) = sps.unpack(_NEAR_ANSWER, payload)
        if len(answers) != len(names):
            raise ProtocolError(f"The librarian gave {len(answers)} answers to {len(names)} names.")
        return {
            name: tuple([(printable(near), printable(library)) for near, library in answer[:limit]])
            for name, answer in zip(names, answers, strict=True)
        }

    def catch_up(self) -> None:
        """Wait for what the librarian has said by itself until now, which may be on its way.

        Raises:
            FarSideLost, TimedOut, ProtocolError: the librarian is of no use any more.
        """
        self._ask(_FIND, sps.pack((_STRINGS,), ((),)))  # its answer comes after

    def notice_changes(self) -> bool:
        """Take in what the librarian has said by itself; return whether the path has changed.

        Raises:
            FarSideLost, ProtocolError: the librarian is of no use any more.
        """
        self._receive()
        return self.path_changed

    def close(self) -> None:
        """End the librarian; may be called again."""
        self._transport.close()

    def _ask(self, tag: int, payload: bytes) -> bytes:
        """Send a request and wait for its answer.

        Raises:
            KeyboardInterrupt: the wait was broken off; the librarian is of no use any more.
        """
        try:
            return self._exchange(tag, payload)
        except BaseException:
            self.close()
            raise

    def _exchange(self, tag: int, payload: bytes) -> bytes:
        rest = memoryview(encode_frame(Opcode.CALL, self._sequence, tag, payload))
        deadline = time.monotonic() + _PATIENCE
        self._answer = None
        self._asked = tag
        descriptor = self._transport.fileno()
        while self._answer is None:
            if rest:
                rest = rest[self._transport.send(rest) :]
                self._poll.modify(descriptor, select.POLLIN | (select.POLLOUT if rest else 0))
            events = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not events:
                raise TimedOut("The librarian did not answer in the time it was given.")
            for ready, _ in events:
                if self._interrupts is not None and ready == self._interrupts.fileno():
                    self._interrupts.deliver()
            self._receive()
        self._sequence += 1
        return self._answer

    def _receive(self) -> None:
        """Take in what has come, without waiting."""
        while (data := self._transport.receive()) is not None:
            if not data:
                raise FarSideLost("The librarian has ended.")
            self.received += len(data)
            self._frames.feed(data)
        while (frame := self._frames.next()) is not None:
            if frame.opcode == Opcode.CALL and frame.tag == _PATH_CHANGED:
                self.path_changed = True
            elif frame.opcode == Opcode.RESULT and frame.sequence == self._sequence:
                self._answer = frame.payload
                if self._asked == _SCAN:  # what was said before is in it
                    self.path_changed = False
            else:
                raise ProtocolError(f"An unexpected message of the librarian: {frame[:3]}.")

    def __del__(self) -> None:
        with suppress(AttributeError):
            self.close()


def start_librarian(executor: Executor) -> socket.socket:
    """Have an executor's supervisor start a librarian, and return a socket to it.

    Where there is no supervisor but a program on this machine, the librarian is started here. One
    that a supervisor started before is ended. The stream ends at once if there can be none.

    Raises:
        SetupError: the executor offers none.
    """
    executor.address(bootstrap.LOADED_LIBRARIES)  # the two come together
    near, far = socket.socketpair()
    with far:
        if executor.is_supervised:
            executor.family.supervisor.tell(bootstrap.CONTROL_START_LIBRARIAN, b"", far.fileno())
        elif executor.is_here:
            spawn_librarian(far.fileno())
        else:
            near.close()
            raise SetupError("This executor, on another machine, has nobody to look at libraries.")
    return near


def loaded_libraries(executor: Executor) -> list[str]:
    """Return the paths of the shared libraries that a program has, however it got them.

    Raises:
        Crashed, FarSideLost, ProtocolError: see `Executor.call`.
    """
    (paths,) = sps.unpack((_STRINGS,), executor.call(bootstrap.LOADED_LIBRARIES, b""))
    return list(paths)


def _library(
    path: bytes, soname: str, place: int, has_link: bool, needed: list[Any]
) -> FoundLibrary:
    """Return a checked description. Raises ProtocolError."""
    text = path.decode("utf-8", "surrogateescape")
    if not text.startswith("/") or "\0" in text:
        raise ProtocolError(f"The librarian named the file {path[:100]!r}.")
    name = text.rpartition("/")[2]
    return FoundLibrary(text, printable(soname) or name, place, has_link, frozenset(needed))


def printable(text: str) -> str:
    """Return text of the far side with what no terminal should see written as escapes."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() else ascii(c)[1:-1] for c in text])
