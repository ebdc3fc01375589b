"""The program on the far side, as the near side knows it.

An `ExecutionSession` (ORC's word) owns one executor and everything whose meaning ends with it: the
slab's free ranges, the symbol tables, the GOT slots and call stubs that images share. It links
objects against that state and commits the images. It knows nothing of source code.

Linking and committing are two steps so that a failure between them, or in either, can be undone
exactly: what `link` takes (memory, static thread-local storage) belongs to one transaction, which
`commit` ends when the far side has confirmed, and `discard` ends otherwise.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from farside.errors import FarsideError, OptionError
from farside.link import Definition, EntryTable, Prot, link
from farside.object import is_archive, parse_archive, parse_object
from farside.orc import bootstrap
from farside.orc.jitdylib import JitDylib
from farside.recovery.keeping import KeptStates
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall
from farside.remote.executor import Executor
from farside.remote.memory import SlabAllocator
from farside.remote.snapshot import Snapshot
from farside.remote.spawn import find_executor, spawn_executor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from farside.link import Entry, LinkedImage
    from farside.object import Archive, ObjectFile
    from farside.options import Options
    from farside.remote.commit import RunOutcome
    from farside.remote.executor import Interrupts, OutputSink
    from farside.remote.memory import MemoryMark

_POINTER = Struct("<Q")
_RANGE = Struct("<QQ")
_TWO_RANGES = Struct("<QQQQ")
_MAIN = "main"
_PATIENCE = 5.0  # seconds for a snapshot that was asked for to be there


@dataclass(frozen=True, slots=True)
class Committed:
    """An image that the far side has taken, and what must be given back when it goes.

    Attributes:
        key: the commit's, for ``farside_uncommit``.
        allocations: (address, size) of its memory.
        entries: the shared entries that it brought.
    """

    key: int
    allocations: tuple[tuple[int, int], ...]
    entries: tuple[Entry, ...]


class Mark(NamedTuple):
    """How much there was of everything when a state was kept."""

    images: int
    loads: int
    libraries: int
    archives: int
    memory: MemoryMark
    static_tls: int


class KeptState:
    """A state of the program that can be gone back to: a snapshot, and the near side's part.

    Attributes:
        snapshot: the sleeping process.
        mark: what the near side knew.
        pins: how many checkpoints need it.
    """

    def __init__(self, snapshot: Snapshot, mark: Mark) -> None:
        self.snapshot = snapshot
        self.mark = mark
        self.pins = 0

    @property
    def images(self) -> int:
        """How many images the program had."""
        return self.mark.images

    def close(self) -> None:
        """Forget the state."""
        self.snapshot.close()


class WentBack(NamedTuple):
    """What going back to a state did.

    Attributes:
        lost: names of the images that the program does not have any more, oldest first.
        threads: how many threads the program had beside its main one; they are gone.
    """

    lost: tuple[str, ...]
    threads: int


class StaticTlsPool:
    """Gives out pieces of the far side's static thread-local storage; the `TlsModel` of a link."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        setup = executor.setup
        pool = setup.static_tls
        self.get_addr = setup.symbols.get(bootstrap.TLS_GET_ADDR)
        self.descriptor = setup.symbols.get(bootstrap.TLSDESC)
        self.key: int | None = None
        self._next = pool.offset if pool else 0
        self._end = pool.offset + pool.size if pool else 0
        self._kept = self._next

    def static_allocate(self, size: int, alignment: int) -> int | None:
        """Return the thread-pointer offset of `size` bytes in every thread, None without room."""
        start = (self._next + alignment - 1) & -alignment
        if start + size > self._end:
            return None
        self._next = start + size
        return start

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        """Return the thread-pointer offsets of libraries' variables that have a constant one."""
        return self._executor.tls_offsets(sorted(names))

    def keep(self) -> int:
        """Make what has been given out permanent; return where the rest starts."""
        self._kept = self._next
        return self._kept

    def return_to(self, start: int) -> None:
        """Take back what has been given out since `keep` returned `start`."""
        self._next = self._kept = start

    def take_back(self) -> None:
        """Take back what has been given out since the last `keep`."""
        self._next = self._kept


class ExecutionSession:
    """One executor and the program in it.

    Raises:
        SetupError: the executor cannot be found or started.
    """

    def __init__(
        self,
        options: Options,
        sink: OutputSink | None,
        demangle: Callable[[str], str] = str,
        interrupts: Interrupts | None = None,
    ) -> None:
        self._options = options
        self._sink = sink
        self._demangle = demangle
        self._interrupts = interrupts
        self._kept: KeptStates[KeptState] = KeptStates(options.snapshots)
        self._start()

    def _start(self) -> None:
        """Start an executor without waiting for it, and forget all about the one before."""
        spawned = spawn_executor(
            find_executor(self._options),
            slab_bytes=self._options.slab_bytes,
            capture=self._sink is not None,
        )
        self._executor = Executor(spawned, self._sink, self._interrupts)
        self.supervisor_pid = spawned.pid
        self._ready = False
        self._entries = EntryTable()
        self._committed: dict[str, Committed] = {}
        self._addresses: dict[str, int] = {}
        self._libraries: list[int] = []
        self._linking = False
        self._archives: list[Archive] = []
        self.loads = 0

    def _wait_ready(self) -> None:
        """Read the executor's Setup, on first use; it has been starting in the meantime."""
        if self._ready:
            return
        self._executor.wait_ready()
        slab = self._executor.slab
        self._memory = SlabAllocator(slab.base, slab.size, self._executor.setup.page_size)
        self._tls = StaticTlsPool(self._executor)
        self._memory.mark()
        header = self._memory.allocate(int(Prot.READ), 8, 16)
        self._main: JitDylib[Definition] = JitDylib(_MAIN, header)
        self._main.define("farside", {"__dso_handle": Definition(header, "farside")})
        pending = self._memory.pending()
        name = _MAIN.encode()
        register = _POINTER.pack(len(name)) + name + _POINTER.pack(header)
        call = self._call(bootstrap.REGISTER_JITDYLIB, register)
        undo = self._call(bootstrap.DEREGISTER_JITDYLIB, _POINTER.pack(header))
        with self._keeping() as snapshot:
            self._executor.commit(
                CommitRequest(
                    protect=pending.protect,
                    write=[(header, _POINTER.pack(header))],
                    actions=[(call, undo)],
                ),
                then=snapshot,
            )
            self._memory.commit()
        self._ready = True

    # ------------------------------------------------------------------ link and commit

    def link(
        self, objects: Sequence[ObjectFile], name: str, archives: Sequence[Archive] = ()
    ) -> LinkedImage:
        """Link objects against everything the program has; `commit` or `discard` must follow.

        Raises:
            LinkError: see `farside.link.link`.
            ObjectError: a member of an archive is malformed.
            Crashed, FarSideLost: the far side ended before or while symbols were looked up.
        """
        self._wait_ready()
        self._memory.mark()
        self._linking = True
        return link(
            objects,
            archives=[*archives, *self._archives],
            name=name,
            allocator=self._memory,
            resolver=self,
            entries=self._entries,
            tls=self._tls,
            demangle=self._demangle,
        )

    def commit(self, image: LinkedImage, *, statements: bool = True) -> RunOutcome:
        """Place an image on the far side and run its initialisers: one message, one answer.

        Args:
            image: from the last `link`.
            statements: whether initialisers that are statements of a cell are run, too.

        Raises:
            RemoteError: the far side refused it; `discard` must follow.
            Crashed, FarSideLost, ProtocolError: the far side is gone.
        """
        pending = self._memory.pending()
        request = CommitRequest(
            protect=pending.protect,
            write=[*pending.zero_writes(), *_writes(image, statements)],
            actions=self._actions(image),
            dlupdate=self._main.header if image.init_ranges else 0,
        )
        with self._keeping() as snapshot:
            outcome = self._executor.commit(request, then=snapshot)
            self._memory.commit()
            self._tls.keep()
            self._linking = False
            self._entries.add(image.new_entries)
            self._main.define(image.name, _definitions(image))
            self._committed[image.name] = Committed(
                outcome.key,
                tuple([(block.address, block.size) for block in image.allocations]),
                image.new_entries,
            )
        return outcome

    def discard(self) -> None:
        """Give back what an image that was not committed had taken; none is fine."""
        if self._linking:
            self._linking = False
            self._memory.rollback()
            self._tls.take_back()

    def remove(self, name: str) -> None:
        """Take a committed image back: exit handlers, unwind table, names, memory.

        An image that was never committed (a cell without code) is fine.

        Raises:
            RemoteError: the far side could not undo part of it; the rest is done.
        """
        committed = self._committed.get(name)
        if committed is None:
            return
        try:
            self._executor.uncommit(committed.key)
        finally:
            self._forget(name)

    def _forget(self, name: str) -> None:
        """Drop what the near side knows of an image."""
        committed = self._committed[name]
        self._kept.end_beyond(list(self._committed).index(name))
        del self._committed[name]
        self._main.remove(name)
        self._entries.remove(committed.entries)
        for address, size in committed.allocations:
            self._memory.free(address, size)

    # ------------------------------------------------------------------ earlier states

    @contextmanager
    def _keeping(self) -> Iterator[Snapshot | None]:
        """Give a snapshot to be taken with a call of the block, and keep the state it leaves."""
        if not (self._options.snapshots and self._executor.offers(bootstrap.SNAPSHOT)):
            yield None
            return
        snapshot = Snapshot()
        try:
            yield snapshot
        except BaseException:
            snapshot.close()
            raise
        self._kept.add(KeptState(snapshot, self._mark()))

    def keep(self) -> None:
        """Keep the present state of the program, after something other than a commit."""
        with self._keeping() as snapshot:
            if snapshot is not None:
                self._executor.take_snapshot(snapshot)

    def _mark(self) -> Mark:
        return Mark(
            len(self._committed),
            self.loads,
            len(self._libraries),
            len(self._archives),
            self._memory.state(),
            self._tls.keep(),
        )

    @property
    def present(self) -> KeptState | None:
        """The kept state that the program is in, if it is kept."""
        newest = self._kept.newest
        return newest if newest is not None and newest.images == len(self._committed) else None

    def keeps_before(self, names: Collection[str]) -> KeptState | None:
        """Return the state before the first of these images; None if it is not kept."""
        count = 0
        for name in self._committed:
            if name in names:
                break
            count += 1
        while (state := self._kept.find(count)) is not None and not state.snapshot.ready(_PATIENCE):
            self._kept.remove(state)
        return state

    def keeps_after(self, later: Collection[str]) -> bool:
        """Tell whether the state before these images is kept, or the present one for none."""
        return self.keeps_before(later) is not None

    def is_kept(self, state: KeptState) -> bool:
        """Tell whether a state can still be gone back to."""
        return any(each is state for each in self._kept)

    def recover(self) -> WentBack | None:
        """Go back to the newest state that is kept, whatever the far side is in.

        Returns:
            None where there is none, or no supervisor to help; then `restart` must follow.
        """
        while (state := self._kept.newest) is not None:
            try:
                return self.go_back(state)
            except FarsideError:
                self._kept.remove(state)
        return None

    def go_back(self, state: KeptState) -> WentBack:
        """Put the program into a kept state. All that were kept later are forgotten.

        Raises:
            FarSideLost, Crashed, TimedOut: it cannot be; `recover` or `restart` must follow.
        """
        self._kept.end_after(state)
        others = [each.snapshot for each in self._kept if each is not state]
        asleep, again = state.snapshot, Snapshot()
        try:
            self._executor.wake(asleep, others, again)
        except BaseException:
            again.close()
            raise
        state.snapshot = again
        mark = state.mark
        lost = tuple(self._committed)[mark.images :]
        for name in reversed(lost):
            self._forget(name)
        self._memory.return_to(mark.memory)
        self._tls.return_to(mark.static_tls)
        if len(self._libraries) > mark.libraries:
            del self._libraries[mark.libraries :]
            self._addresses.clear()
        del self._archives[mark.archives :]
        self.loads = mark.loads
        return WentBack(lost, asleep.threads - 1)

    def _actions(self, image: LinkedImage) -> list[tuple[WrapperCall, WrapperCall]]:
        """Return the alloc actions of an image, in order, each with its undoing."""
        actions: list[tuple[WrapperCall, WrapperCall]] = []
        static = image.static_tls
        if static is not None:
            content = static.content.ljust(static.size, b"\0")
            arguments = _RANGE.pack(static.offset & (1 << 64) - 1, len(content)) + content
            actions.append((self._call(bootstrap.STATIC_TLS_INIT, arguments), NO_CALL))
        if image.eh_frame or image.thread_data:
            sections = _TWO_RANGES.pack(*(image.eh_frame or (0, 0)), *(image.thread_data or (0, 0)))
            actions.append(
                (
                    self._call(bootstrap.REGISTER_OBJECT_SECTIONS, sections),
                    self._call(bootstrap.DEREGISTER_OBJECT_SECTIONS, sections),
                )
            )
        for slot, resolver in image.ifuncs:
            arguments = _RANGE.pack(slot, resolver)
            actions.append((self._call(bootstrap.RESOLVE_IFUNC, arguments), NO_CALL))
        if image.init_ranges:
            arguments = _RANGE.pack(self._main.header, len(image.init_ranges)) + b"".join(
                [_RANGE.pack(*each) for each in image.init_ranges]
            )
            actions.append(
                (
                    self._call(bootstrap.REGISTER_INIT_SECTIONS, arguments),
                    self._call(bootstrap.DEREGISTER_INIT_SECTIONS, arguments),
                )
            )
        return actions

    def _call(self, name: str, arguments: bytes) -> WrapperCall:
        return WrapperCall(self._executor.address(name), arguments)

    # ------------------------------------------------------------------ symbols (`link.Resolver`)

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        """Return what earlier images define of `names`."""
        lookup = self._main.lookup
        return {name: found for name in names if (found := lookup(name)) is not None}

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        """Return what the far side's libraries define of `names`; hits are remembered."""
        known = self._addresses
        asked = [name for name in names if name not in known]
        if asked:
            known.update(self._executor.resolve(asked))
            for library in reversed(self._libraries):
                missing = [name for name in asked if name not in known]
                if not missing:
                    break
                known.update(self._executor.resolve(missing, library))
        return {name: known[name] for name in names if name in known}

    def address_of(self, name: str) -> int | None:
        """Return the address of a function or variable that the program defines."""
        found = self._main.lookup(name) if self._ready else None
        return None if found is None else found.address

    # ------------------------------------------------------------------ files

    def load(self, path: str) -> str:
        """Load a shared library, link an object, or make an archive's members available.

        Returns:
            a sentence about what was done.

        Raises:
            OptionError: the file cannot be read.
            ObjectError, LinkError, RemoteError: it cannot be loaded.
        """
        self._wait_ready()
        said = self._load(path)
        self.loads += 1
        self.keep()
        return said

    def _load(self, path: str) -> str:
        name = Path(path).name
        if name.endswith(".so") or ".so." in name or ("/" not in path and not Path(path).exists()):
            self._libraries.append(self._executor.open_library(path))
            return f"loaded {path}"
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise OptionError(f"{path}: {error.strerror}") from error
        if content.startswith(b"\x7fELF\x02") and content[16:18] == b"\x03\0":
            self._libraries.append(self._executor.open_library(path))
            return f"loaded {path}"
        if is_archive(content):
            self._archives.append(parse_archive(content, path))
            return f"the members of {path} are linked when a cell needs them"
        try:
            self.commit(self.link([parse_object(content, path)], path))
        except (FarsideError, KeyboardInterrupt):
            self.discard()
            raise
        return f"linked {path}"

    # ------------------------------------------------------------------ the executor's life

    @property
    def usable(self) -> bool:
        """Whether the executor can still be talked to."""
        return self._executor.usable

    @property
    def worker_pid(self) -> int:
        """The process that runs the program."""
        self._wait_ready()
        return self._executor.worker_pid or 0

    def run_main(self, address: int, arguments: Sequence[str]) -> int:
        """Call a ``main`` function and return its result."""
        status = self._executor.run_main(address, arguments)
        self.keep()
        return status

    def restart(self) -> None:
        """End the executor at once and start another, empty one."""
        self._kept.close()
        self._executor.kill()
        self._start()

    def close(self) -> tuple[str, ...]:
        """Run exit handlers and end the executor; return what went wrong, a sentence each."""
        self._kept.close()
        if not self.usable:
            self._executor.kill()
            return ()
        self._executor.close()
        death = self._executor.death
        if death is not None and death.exit_status != 0:
            return (f"the program did not end in order: {death}",)
        return ()


def _writes(image: LinkedImage, statements: bool) -> list[tuple[int, bytes]]:
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


def _definitions(image: LinkedImage) -> dict[str, Definition]:
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
