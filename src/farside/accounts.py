"""What an `ExecutionSession` keeps account of: images, kept states, thread-local storage.

And what it makes of an image: the stores of a commit, the definitions for later links.
"""

from __future__ import annotations

import os
import stat
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import OptionError
from farside.link import Definition, Prot
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from farside.libraries.loaded import LibrariesMark
    from farside.link import Entry, LinkedImage, Places
    from farside.orc.jitdylib import JitDylib
    from farside.remote.memory import MemoryMark
    from farside.remote.snapshot import Snapshot

_POINTER = Struct("<Q")
_RUN_AND_UNWIND = (".init_array", ".eh_frame", ".gcc_except_table", ".data.DW.ref.")
_EXECUTABLE = int(Prot.EXEC)  # enumerations are slow, and every cell is asked
_PERSONALITY = "DW.ref."  # what the unwind table refers to: a pointer to the personality routine


class Statistics(NamedTuple):
    """How much of everything there is; what has gone must not be counted.

    Attributes:
        images: committed cells, objects and archive members.
        symbols: names defined, over all JITDylibs.
        entries: shared GOT slots, call stubs and TLS entries.
        slab_bytes: allocated in the far side's address range.
        far_side: the executor's own counts by name: ``commits``, ``init_sections``,
            ``exit_handlers``, ``eh_frames``, ``thread_images`` and more.
    """

    images: int
    symbols: int
    entries: int
    slab_bytes: int
    far_side: Mapping[str, int]


class Committed(NamedTuple):
    """An image that the far side has taken, and what must be given back when it goes.

    Attributes:
        dylib: where it lies.
        uses: the owners of what it refers to.
        key: the commit's, for ``farside_uncommit``.
        allocations: (address, size) of its memory.
        entries: the shared entries that it brought.
        places: what it consists of, for the report of a death.
        static_tls: offset and size of its part of the pool, or None.
    """

    dylib: JitDylib[Definition]
    uses: tuple[str, ...]
    key: int
    allocations: tuple[tuple[int, int], ...]
    entries: tuple[Entry, ...]
    places: Places
    static_tls: tuple[int, int] | None


class Mark(NamedTuple):
    """How much there was of everything when a state was kept."""

    images: int
    libraries: LibrariesMark
    archives: Mapping[str, int]
    link_orders: Mapping[str, tuple[JitDylib[Definition], ...]]
    memory: tuple[MemoryMark, ...]
    static_tls: tuple[tuple[int, int], ...]


class KeptState:
    """A state of the program that can be gone back to: a snapshot, and the near side's part.

    Attributes:
        snapshot: the sleeping process.
        mark: what the near side knew.
        images: how many images the program had.
        number: how many states were kept up to this one.
        pins: how many checkpoints need it.
        journal: what the owner of the session wrote down about it.
    """

    def __init__(
        self, snapshot: Snapshot, mark: Mark, number: int = 0, journal: object = None
    ) -> None:
        self.snapshot = snapshot
        self.mark = mark
        self.images = mark.images
        self.number = number
        self.pins = 0
        self.journal = journal

    def close(self) -> None:
        """Forget the state."""
        self.snapshot.close()


class WentBack(NamedTuple):
    """What going back to a state did.

    Attributes:
        lost: names of the images that the program does not have any more, oldest first.
        threads: how many threads the program had beside its main one; they are gone.
        streams: how many pipes and sockets it had open; what went through them is not undone.
    """

    lost: tuple[str, ...]
    threads: int
    streams: int


def read_file(path: str) -> bytes:
    """Return what a file holds. Raises OptionError if it cannot be read, or is none with an end."""
    try:
        # A pipe would keep us waiting.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OptionError(f"{path} is no regular file")
            return file.read()
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}") from error


def owned_ranges(image: LinkedImage) -> tuple[tuple[int, int], ...]:
    """Return the memory that exit handlers are known by: code, variables, thread-local images."""
    found = [
        (block.address, block.address + block.size)
        for block in image.allocations
        if block.prot & (Prot.WRITE | Prot.EXEC)
    ]
    data: tuple[int, int] | None = image.thread_data
    if image.static_tls is not None:
        data = image.static_tls.address, image.static_tls.address + image.static_tls.size
    if data is not None and not any(start <= data[0] < end for start, end in found):
        found.append(data)
    return tuple(found)


def stores_of(image: LinkedImage, statements: bool) -> list[tuple[int, bytes]]:
    """Return the image's bytes; without statements, their initialisers' pointers are null."""
    if statements or not any(each.is_statement for each in image.initialisers):
        return [(each.address, each.content) for each in image.segments if each.content]
    skipped = [each.slot for each in image.initialisers if each.is_statement]
    writes = []
    for segment in image.segments:
        content = bytearray(segment.content)
        for slot in skipped:
            at = slot - segment.address
            if 0 <= at < len(content):
                _POINTER.pack_into(content, at, 0)
        if content:
            writes.append((segment.address, bytes(content)))
    return writes


def earlier_of(
    image: LinkedImage, dylib: JitDylib[Definition], redefines: Collection[str]
) -> dict[str, Definition]:
    """Return what the functions that an image defines again have been.

    A strong definition that takes a weak one's place is another matter: old callers stay.
    """
    found = {name: dylib.lookup(name) for name in image.redefined if name in redefines}
    return {name: each for name, each in found.items() if each is not None}


def allocations_of(image: LinkedImage) -> tuple[tuple[int, int], ...]:
    """Return (address, size) of an image's memory, which can be given out again when it goes."""
    return tuple([(block.address, block.size) for block in image.allocations])


def is_passing(image: LinkedImage) -> bool:
    """Tell whether nothing can refer to an image any more when its initialisers have run.

    So it is with a cell like ``x = x + 1;``: code that is statements only, what it takes to run and
    unwind them, and no data whose address could have been handed on.
    """
    if image.defined or image.new_entries or not image.init_ranges:
        return False
    if not all(name.startswith(_PERSONALITY) for name in image.hidden):
        return False
    if image.fini_ranges or image.ifuncs or image.thread_data or image.static_tls:
        return False
    statements = {each.address for each in image.initialisers if each.is_statement}
    return (
        len(statements) == len(image.initialisers)
        and all(s.kind != "function" or s.address in statements for s in image.local_symbols)
        and all(
            int(each.prot) & _EXECUTABLE or not each.size or each.name.startswith(_RUN_AND_UNWIND)
            for each in image.sections
        )
    )


def images_since(committed: dict[str, Committed | None], names: Collection[str]) -> list[str]:
    """Return the newest images, oldest first, from the first of those named on; none if none is."""
    wanted = {name for name in names if name in committed}
    found: list[str] = []
    for name in reversed(committed):  # of thousands, the last few are asked for
        if not wanted:
            break
        found.append(name)
        wanted.discard(name)
    return found[::-1]


def users_of(committed: dict[str, Committed | None], gone: set[str]) -> tuple[str, ...]:
    """Return the images that are not in `gone`, but refer to what some of those define."""
    return tuple(
        [
            name
            for name in images_since(committed, gone)  # none refers to a later one
            if name not in gone and (each := committed[name]) and not gone.isdisjoint(each.uses)
        ]
    )


def definitions_of(image: LinkedImage) -> dict[str, Definition]:
    """Return what the image defines, as later links are told."""
    return {
        name: Definition(
            address=each.address,
            owner=image.name,
            weak=each.weak,
            callable=each.callable,
            size=each.size,
            tls_key=each.tls_key,
            tls_offset=each.tls_offset,
        )
        for name, each in image.defined.items()
    }
