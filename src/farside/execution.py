"""The program on the far side, as the near side knows it.

An `ExecutionSession` (ORC's word) owns one executor and everything whose meaning ends with it: the
slab's free ranges, the symbol tables, the GOT slots and call stubs that images share. It links
objects against that state and commits the images. It knows nothing of source code.

Linking and committing are two steps so that a failure between them, or in either, can be undone
exactly: what `link` takes (memory, static thread-local storage) belongs to one transaction, which
`commit` ends when the far side has confirmed, and `discard` ends otherwise. Earlier states are the
business of `farside.states`.
"""

from __future__ import annotations

import os

from farside.accounts import (
    Committed,
    KeptState,
    Statistics,
    allocations_of,
    definitions_of,
    earlier_of,
    images_since,
    is_passing,
    stores_of,
    users_of,
)
from farside.annotations import TYPE_CHECKING
from farside.awaited import Awaited
from farside.errors import FarsideError, RelocationError, TimedOut, UndefinedSymbols
from farside.far_sides import make_far_side
from farside.libraries.found import FoundLibraries, Program
from farside.libraries.loaded import LoadedLibraries
from farside.link import Definition, EntryTable, link, places_of
from farside.lookup import Lookup, MembersNeeded, find, members_for
from farside.orc import bootstrap, sps
from farside.orc.jitdylib import JitDylib
from farside.platform import MAIN, Platform
from farside.recovery.keeping import KeptStates
from farside.recovery.thrift import Thrift
from farside.remote.calls import FarCalls
from farside.remote.commit import CommitRequest
from farside.remote.death import DeathReport
from farside.remote.executor import Executor
from farside.remote.given import GivenMemory
from farside.remote.start import carried, shared_memory_of, start_executor
from farside.states import KeepsStates
from farside.trace import ROUND_TRIP
from farside.verdict import exception_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, KeysView, Mapping, Sequence

    from farside.link import LinkedImage, Places
    from farside.object import Archive, ObjectFile
    from farside.options import Options
    from farside.remote.commit import RunOutcome
    from farside.remote.ports import Interrupts, OutputSink
    from farside.remote.spawn import Spawned
    from farside.trace import Passed

_CLOSING = 5.0  # seconds for exit handlers
_BELOW_2_GIB = frozenset(("R_X86_64_32", "R_X86_64_32S"))  # what -fno-pic code holds addresses in


class ExecutionSession(KeepsStates):
    """One executor and the program in it.

    Who has started the executor already hands it over, as `spawned`.

    Attributes:
        found, given: libraries found by themselves; memory that large values came in.

    Raises:
        OptionError: the address range that the options ask for is too small.
        SetupError: the executor cannot be found or started.
    """

    def __init__(
        self,
        options: Options,
        sink: OutputSink | None,
        demangle: Callable[[str], str] = str,
        interrupts: Interrupts | None = None,
        confirm: Callable[[str], bool | None] = lambda _: None,
        *,
        show: Callable[[bytes], None] | None = None,
        spawned: Spawned | None = None,
    ) -> None:
        self._options = options
        self._sink = sink
        self._demangle = demangle
        self._interrupts = interrupts
        self._kept: KeptStates[KeptState] = KeptStates(options.snapshots)
        self._notices: tuple[str, ...] | None = None  # until an executor was ready
        self._thrift = Thrift(self._kept, options.snapshot_memory)
        self.found = FoundLibraries(options, demangle, interrupts, confirm)
        self.calls = FarCalls(show)
        self.given = GivenMemory()
        self._start(spawned)

    def _start(self, spawned: Spawned | None = None) -> None:
        """Start an executor without waiting for it, and forget all about the one before."""
        if spawned is None:
            spawned = start_executor(self._options, capture=self._sink is not None)
        self._executor = Executor(spawned, self._sink, self._interrupts)
        self._ready = False
        self._entries = EntryTable()
        self._committed: dict[str, Committed | None] = {}  # None: nothing is left of it
        self._libraries = LoadedLibraries(self._executor)
        self._target: JitDylib[Definition] | None = None  # of the link that is not committed yet
        self._redefines: Sequence[str] = ()  # of the same
        self._running: LinkedImage | None = None
        self._unconfirmed: LinkedImage | None = None  # committed, without an answer
        self._archives: dict[str, list[Archive]] = {}
        self._awaited = Awaited()
        # JITDylib and members of archives, from the outermost link that waits for others.
        self._linking: list[tuple[str, tuple[tuple[str, int], ...]]] = []

    def _wait_ready(self) -> None:
        """Read the executor's Setup, on first use; it has been starting in the meantime."""
        if self._ready:
            return
        try:
            self._make_ready()
        except BaseException:
            self._executor.kill()  # it is of no use half way; what needs one next starts another
            raise
        self._ready = True

    def _make_ready(self) -> None:
        self._executor.wait_ready()
        self._far_side = make_far_side(self._executor, self._options)
        self._notices = self._far_side.notices if self._notices is None else ()
        self._memory = self._far_side.memory
        self._tls = self._far_side.tls
        self._libraries.know(self._far_side.known)
        # The first question comes while the platform makes its first JITDylib.
        self._shared = shared_memory_of(self._executor, self._options)
        self._platform = Platform(self._executor, self._memory)
        self.keep()
        self._executor.handle(bootstrap.SYMBOL_LOOKUP_TAG, self._answer_lookup)
        self.calls.begin(self._executor)
        self.given.serve(self._executor)
        if self._options.stdlib == "libc++" and self._options.language == "c++":
            # The executor itself brings GCC's library only.
            self._libraries.open("libc++.so.1")

    # ------------------------------------------------------------------ JITDylibs

    @property
    def platform(self) -> Platform:
        """The JITDylibs of the program; waits for the executor to be ready."""
        self._wait_ready()
        return self._platform

    def _answer_lookup(self, payload: bytes) -> bytes:
        """Answer the far side's ``dlsym``. It may come while a commit runs."""
        header, name = sps.unpack((sps.ADDR, sps.STRING), payload)
        answer: int | sps.Failure
        dylib = self._platform.with_header(header)
        if dylib is None:
            answer = sps.Failure(f"dlsym: no JITDylib has the header {header:#x}")
        else:
            found = find(dylib, name)
            if (
                self._running is not None
                and dylib is self._target
                and name in self._running.defined
            ):
                found = definitions_of(self._running)[name]
            if found is None:
                answer = 0  # the far side asks its libraries itself
            elif found.tls_key is not None or found.tls_offset is not None:
                answer = sps.Failure(f"dlsym: {name} is thread-local")
            else:
                answer = found.address
        return sps.pack((sps.Expected(sps.ADDR),), (answer,))

    def take_notices(self) -> tuple[str, ...]:
        """Return and forget what the user should know of the far side and the kept states."""
        notices, self._notices = self._notices or (), ()
        return (*notices, *self._thrift.take_notices())

    # ------------------------------------------------------------------ link and commit

    def link(
        self,
        objects: Sequence[ObjectFile],
        name: str,
        archives: Sequence[Archive] = (),
        *,
        dylib: str = MAIN,
        redefines: Sequence[str] = (),
        may_await: Callable[[str], bool] | None = None,
        passed: Passed = str,
    ) -> LinkedImage:
        """Link objects against everything the program has; `commit` or `discard` must follow.

        Args:
            objects: of a cell or a file.
            name: of the image.
            archives: members are taken as needed, besides those of the JITDylib's own archives.
            dylib: the JITDylib that the image goes into.
            redefines: functions that it defines again; callers of the old come to the new.
            may_await: tells which functions may be defined by a later link; see `farside.awaited`.
            passed: is told the name of each part of the work when it has ended.

        Raises:
            LinkError: see `farside.link.link`.
            ObjectError: a member of an archive is malformed.
            Crashed, FarSideLost: the far side ended before or while symbols were looked up.
        """
        into = self.platform.jitdylib(dylib)
        if self._options.snapshots and self.present is None and self._thrift.may_fork():
            self.keep()  # what was not kept when it was new
        served: set[str] = set()
        low = False
        while True:
            try:
                return self._link(objects, name, archives, into, redefines, low=low, passed=passed)
            except MembersNeeded as needed:
                # Archives of other JITDylibs in the link order give their members to those.
                self.discard()
                self._link_members(needed.members)
            except RelocationError as error:
                if low or error.relocation not in _BELOW_2_GIB or self._memory.low is None:
                    raise
                self.discard()
                low = True
            except UndefinedSymbols as error:
                self.discard()
                try:
                    self.found.provide(error, self.program(), served)
                except UndefinedSymbols as nowhere:
                    objects = self._awaited.with_stand_ins(objects, nowhere, may_await)

    def program(self) -> Program:
        """Return the program as those see it who find libraries for it."""
        self._wait_ready()
        return Program(self._executor, self._load_found, self._platform.names)

    def _load_found(self, path: str) -> None:
        self._libraries.open_found(path, self._options.time_limit)

    def _link(
        self,
        objects: Sequence[ObjectFile],
        name: str,
        archives: Sequence[Archive],
        target: JitDylib[Definition],
        redefines: Sequence[str],
        *,
        low: bool,
        passed: Passed,
    ) -> LinkedImage:
        self._memory.mark()
        self._target = target
        self._redefines = redefines
        return link(
            objects,
            archives=[*archives, *self._archives.get(target.name, ())],
            name=name,
            allocator=self._memory.low if low and self._memory.low else self._memory,
            resolver=Lookup(target, self._archives, self.lookup),
            entries=self._entries,
            tls=self._tls,
            redefines=redefines,
            demangle=self._demangle,
            passed=passed,
        )

    def _link_members(self, needed: Mapping[str, Sequence[tuple[Archive, int]]]) -> None:
        """Link archive members into their JITDylibs.

        Raises:
            UndefinedSymbols: one needs what is only being linked because of it.
        """
        for dylib, members in needed.items():
            objects = [archive.load(header) for archive, header in members]
            key = dylib, tuple([(archive.name, header) for archive, header in members])
            if key in self._linking:
                raise UndefinedSymbols(
                    f"{objects[0].name} of JITDylib {dylib} needs members of other JITDylibs that "
                    "need it in turn; put them into one JITDylib.",
                    (),
                    objects[0].name,
                )
            self._linking.append(key)
            try:
                image = self.link(objects, self._unused_name(objects[0].name), dylib=dylib)
                self.commit(image, run=False)
            finally:
                self._linking.pop()

    def commit(
        self, image: LinkedImage, *, statements: bool = True, run: bool = True, passed: Passed = str
    ) -> RunOutcome:
        """Place an image on the far side and run its initialisers: one message, one answer.

        Args:
            image: from the last `link`.
            statements: whether initialisers that are statements of a cell are run, too.
            run: whether initialisers are run; else they wait for `open` or `update`.
            passed: is told the name of each part of the work when it has ended.

        Raises:
            RemoteError: the far side refused it; `discard` must follow.
            Crashed, FarSideLost, ProtocolError: the far side is gone.
        """
        dylib = self._target
        assert dylib is not None, "commit without link"
        self.settle()
        pending = self._memory.pending()
        stores, copies = carried(stores_of(image, statements), self._shared)
        request = CommitRequest(
            protect=pending.protect,
            write=pending.writes(stores),
            actions=[
                *copies,
                *self._platform.actions_of(image, dylib.header),
                *self._platform.redirect(image, earlier_of(image, dylib, self._redefines)),
                *self._platform.jumps(self._awaited.ended_by(image, dylib)),
            ],
            dlupdate=dylib.header if run and (image.init_ranges or image.fini_ranges) else 0,
            passing=run and is_passing(image),
        )
        self._running = self._unconfirmed = image
        passed("make request")
        with self._keeping(in_any_case=False) as snapshot:
            try:
                # A recovery takes its time.
                limit = self._options.time_limit if statements else None
                outcome = self._executor.commit(request, timeout=limit, then=snapshot)
            finally:
                self._running = None
                passed(ROUND_TRIP)
            self._memory.commit()
            self._tls.keep()
            self._target = None
            self._enter(image, dylib, None if request.passing else outcome.key)
            self._unconfirmed = None
        return outcome

    def images(self) -> KeysView[str]:
        """Return the names of the committed images, oldest first."""
        return self._committed.keys()

    def _enter(self, image: LinkedImage, dylib: JitDylib[Definition], key: int | None) -> None:
        """Write down a committed image; without a key it has gone again."""
        if key is None:
            self._committed[image.name] = None
            for block in image.allocations:
                self._memory.free(block.address, block.size)
            return
        self._entries.add(image.new_entries)
        self._awaited.enter(image, dylib.name)
        dylib.define(image.name, definitions_of(image))
        self._committed[image.name] = Committed(
            dylib,
            image.uses,
            key,
            allocations_of(image),
            image.new_entries,
            places_of(image),
            (image.static_tls.offset, image.static_tls.size) if image.static_tls else None,
        )

    def discard(self) -> None:
        """Give back what an image that was not committed had taken; none is fine."""
        self._unconfirmed = None
        if self._target is not None:
            self._target = None
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
            if name in self._committed:
                self._forget(name)
            return
        try:
            self._executor.uncommit(committed.key)
        finally:
            self._forget(name)

    def _forget(self, name: str) -> None:
        """Drop what the near side knows of an image."""
        since = images_since(self._committed, (name,))
        self._kept.end_beyond(len(self._committed) - len(since))
        committed = self._committed.pop(name)
        if committed is None:
            return
        committed.dylib.remove(name)
        self._awaited.remove(name)
        self._entries.remove(committed.entries)
        for address, size in committed.allocations:
            self._memory.free(address, size)
        if committed.static_tls is not None:
            self._tls.release(*committed.static_tls)

    def users_of(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the images, other than these, that refer to what these define."""
        return users_of(self._committed, set(names))

    def statistics(self) -> Statistics:
        """Count what there is on both sides."""
        self._wait_ready()
        reply = self._executor.call(bootstrap.STATISTICS, b"")
        (counts,) = sps.unpack((sps.Sequence(sps.Tuple(sps.STRING, sps.U64)),), reply)
        return Statistics(
            images=len(self._committed) - list(self._committed.values()).count(None),
            symbols=sum(map(len, self._platform.dylibs.values())),
            entries=len(self._entries),
            slab_bytes=self._memory.allocated,
            far_side=dict(counts),
        )

    # ------------------------------------------------------------------ symbols

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        """Return what the far side's libraries define of `names`; hits are remembered."""
        return self._libraries.lookup(names)

    def address_of(self, name: str, dylib: str = MAIN, *, libraries: bool = False) -> int | None:
        """Return the address of a function or variable that code in a JITDylib can refer to.

        Archive members are linked if it takes one.

        Raises:
            LinkError, ObjectError: the member cannot be linked.
        """
        target = self._platform.dylibs.get(dylib) if self._ready else None
        if target is None:
            return None
        found = find(target, name)
        if found is None:
            for archive in self._archives.get(dylib, ()):
                header = archive.symbols().get(name)
                if header is not None:
                    self.link_files([archive.load(header)], archive.name, dylib, run=False)
                    found = target.lookup(name)
                    break
        if found is None and (members := members_for(target, self._archives, [name])):
            self._link_members(members)
            found = find(target, name)
        if found is None:
            return self.lookup([name]).get(name) if libraries else None
        if found.tls_key is not None or found.tls_offset is not None:
            return None
        return found.address

    def places(self) -> dict[str, Places]:
        """Return what each image consists of, the one that is being run included."""
        found = {name: each.places for name, each in self._committed.items() if each}
        if self._unconfirmed is not None:
            found[self._unconfirmed.name] = places_of(self._unconfirmed)
        return found

    @property
    def keeps_records(self) -> bool:
        """Whether the executor writes down how the program ends."""
        return self._executor.is_native

    @property
    def slab(self) -> tuple[int, int]:
        """First address of the range that images are placed in, and one past its last."""
        slab = self._executor.slab
        return slab.base, slab.base + slab.size

    # ------------------------------------------------------------------ files

    def open_library(self, path: str) -> None:
        """Load a shared library, by its path or a name on the loader's search path.

        Raises:
            RemoteError: the loader refused it.
        """
        self._wait_ready()
        self._libraries.open(path)
        self.found.loaded_set_changed()

    def offer_members(self, archive: Archive, dylib: str) -> None:
        """Have an archive's members linked into a JITDylib when something needs them."""
        self.platform.jitdylib(dylib)
        self._archives.setdefault(dylib, []).append(archive)

    def link_files(
        self, objects: Sequence[ObjectFile], path: str, dylib: str, *, run: bool = True
    ) -> None:
        """Link objects of a file into a JITDylib, as one image.

        Raises:
            LinkError, RemoteError: they cannot be linked.
            CppException: an initialiser threw; the objects are linked all the same.
        """
        try:
            outcome = self.commit(self.link(objects, self._unused_name(path), dylib=dylib), run=run)
        except (FarsideError, KeyboardInterrupt):
            self.discard()
            raise
        if outcome.exception:
            raise exception_of(f"an initialiser of {path}", outcome)

    def _unused_name(self, name: str) -> str:
        """Return `name`, or with a number if an image has it: one file can be in two JITDylibs."""
        number, unused = 1, name
        while unused in self._committed:
            number += 1
            unused = f"{name} ({number})"
        return unused

    # ------------------------------------------------------------------ the executor's life

    def started(self) -> Executor | None:
        """Return the executor, None as long as nobody has waited for it."""
        return self._executor if self._ready else None

    @property
    def usable(self) -> bool:
        """Whether the executor can still be talked to."""
        return self._executor.family.usable

    @property
    def supervisor_pid(self) -> int:
        """The process that watches the worker."""
        return self._executor.supervisor_pid

    @property
    def worker_pid(self) -> int:
        """The process that runs the program."""
        self._wait_ready()
        return self._executor.worker_pid or 0

    def running(self) -> tuple[int, float]:
        """Return the program's process, 0 for none, and the seconds that keeping its state took."""
        return self._executor.worker_pid or 0, self._thrift.forks.seconds if self.present else 0.0

    def run_main(self, address: int, arguments: Sequence[str]) -> int:
        """Call a ``main`` function and return its result."""
        return self._executor.run_main(address, arguments, timeout=self._options.time_limit)

    def take_remarks(self) -> dict[int, int]:
        """Return and forget what the supervisor said by the way, by `bootstrap.REMARK_…`."""
        return self._executor.family.take_remarks()

    def ask_to_end(self) -> None:
        """Let the code that runs now see that the user wants it to end."""
        self._executor.ask_to_end()

    def exit(self, status: int) -> DeathReport:
        """Have the program call ``exit``, and return how it ended."""
        self._wait_ready()
        if self._options.in_process:  # which goes on
            self.close()
            return DeathReport(os.getpid(), os.CLD_EXITED, status & 0xFF)
        return self._executor.exit(self.lookup(["exit"])["exit"], status)

    def kill(self) -> None:
        """End the executor at once; nothing is run any more."""
        self._kept.close()
        self.given.close()
        self._executor.kill()

    def restart(self) -> None:
        """End the executor at once and start another, empty one."""
        self.calls.return_to(0)
        self._kept.close()
        self.found.close()
        self._executor.kill()
        self._start()

    def close(self) -> tuple[str, ...]:
        """Run exit handlers and end the executor; return what went wrong, a sentence each."""
        self._kept.close()
        self.found.close()
        if not self.usable:
            self._executor.kill()
            return ()
        try:
            problem = self._far_side.close(_CLOSING) if self._ready else None
            endless = False
        except TimedOut:
            self._executor.kill()
            problem, endless = None, True
        if problem is not None:
            self._executor.kill()
            return (f"the program did not end in order: {problem}",)
        if endless or not self._executor.close(_CLOSING):
            return (f"exit handlers that had not ended after {_CLOSING:.0f} seconds were stopped",)
        death = self._executor.death
        # What other executors return says nothing: LLVM's may return 1 after an orderly end.
        if death is not None and death.exit_status != 0 and self._executor.is_native:
            return (f"the program did not end in order: {death}",)
        return ()
