"""An executor that is not farside's own: LLVM's, which only maps memory, looks up and calls.

What it lacks is linked into it, by farside's own linker, before the first cell: LLVM's ORC runtime
(``liborc_rt``), whose ELF platform keeps unwind tables there; and farside's companion object, which
brings the rest: the calls of farside-executor, with its JITDylibs and thread-local storage. From
then on a session talks to both kinds of executor in the same way.

**The bootstrap problem.** The runtime's own memory must be registered with the runtime. Both are
linked as one image, placed in one call, whose alloc actions run when the code is there: they boot
the platform, make its JITDylib known and register the image's own unwind table. Their undoings run
when the memory is released, in reverse, so the platform's code is the last to go.

**The slab** is one reservation of the executor's memory manager. The companion places cells in it
as farside-executor does in its own.
"""

from __future__ import annotations

import os
from pathlib import Path

from farside.annotations import TYPE_CHECKING, Any
from farside.errors import (
    FarsideError,
    OutOfAddressSpace,
    ProtocolError,
    RemoteError,
    SetupError,
    TimedOut,
)
from farside.link import Definition, EntryTable, NoTls, Prot, link
from farside.object import parse_archive, parse_object
from farside.orc import bootstrap, sps
from farside.records import NamedTuple
from farside.remote.executor import PATIENCE
from farside.remote.memory import SlabAllocator
from farside.remote.slabs import Slabs
from farside.remote.spawn import CONTROL_FD
from farside.remote.static_tls import StaticTlsPool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from farside.link import LinkedImage
    from farside.options import Options
    from farside.remote.executor import Executor

_SLAB = 1 << 30
_SMALLEST_SLAB = 64 << 20
_COMPANION = "farside-companion.o"
_RUNTIME = "liborc_rt-x86_64.a"
_ENVIRONMENT_COMPANION = "FARSIDE_COMPANION"
_PLATFORM = "<Platform>"
_OF_22 = "__orc_rt_elfnix_register_init_sections"  # what LLVM 19's runtime has no word for

_CALL = sps.Tuple(sps.ADDR, sps.BYTES)
_ACTIONS = sps.Sequence(sps.Tuple(_CALL, _CALL))
_SEGMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64, sps.BYTES))
_MAPPED = sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64))

# Bootstrap symbols of farside that functions of the ORC runtime can stand for as they are.
_FROM_RUNTIME = {
    bootstrap.PLATFORM_BOOTSTRAP: "__orc_rt_elfnix_platform_bootstrap",
    bootstrap.PLATFORM_SHUTDOWN: "__orc_rt_elfnix_platform_shutdown",
}
# Those of ORC that the companion does better: on the cells' thread, and with output flushed.
_IN_PLACE = {
    bootstrap.RUN_AS_MAIN: "farside_run_as_main",
    bootstrap.RUN_AS_INT_FUNCTION: "farside_run_as_int_function",
}
# What farside-executor has its supervisor do.
_BESIDES = {bootstrap.INTERRUPT_CALL: "farside_interrupt_call"}
_SHOWS = "__farside_"  # functions that show values to the near side
# What cells find before the libraries have a word.
_FOR_CELLS = {
    "__farside_interrupted": "farside_interrupted",
    "__cxa_at_quick_exit": "farside_cxa_at_quick_exit",
    "__cxa_atexit": "farside_cxa_atexit",
    "__cxa_thread_atexit": "farside_cxa_thread_atexit",
    "__cxa_thread_atexit_impl": "farside_cxa_thread_atexit",
    "atexit": "farside_atexit",
    "at_quick_exit": "farside_at_quick_exit",
    "pthread_atfork": "pthread_atfork",
    "__orc_rt_jit_dlopen": "__orc_rt_jit_dlopen",
    "__orc_rt_jit_dlupdate": "__orc_rt_jit_dlupdate",
    "__orc_rt_jit_dlclose": "__orc_rt_jit_dlclose",
    "__orc_rt_jit_dlsym": "__orc_rt_jit_dlsym",
    "__orc_rt_jit_dlerror": "__orc_rt_jit_dlerror",
}

MISSING = (
    "this executor is not farside's own: it keeps no snapshots, so a crash, an interrupt or a time"
    " limit costs the values of variables, and a death is reported without its call stack"
)


def find_runtime(options: Options) -> Path:
    """Return the path of LLVM's ORC runtime for x86-64.

    Raises:
        SetupError: it is not where ``--orc-runtime`` says, or in none of the usual places.
    """
    if options.orc_runtime is not None:
        if not options.orc_runtime.is_file():
            raise SetupError(f"There is no ORC runtime {options.orc_runtime} (--orc-runtime).")
        return options.orc_runtime
    for root in (
        "/usr/lib/llvm-22/lib/clang/22/lib",
        "/usr/lib/clang/22/lib",
        "/usr/lib64/clang/22/lib",
        "/usr/local/lib/clang/22/lib",
    ):
        for directory in ("linux", "x86_64-pc-linux-gnu", "x86_64-unknown-linux-gnu"):
            for name in (_RUNTIME, "liborc_rt.a"):
                path = Path(root, directory, name)
                if path.is_file():
                    return path
    raise SetupError(
        f"An executor other than farside's own needs LLVM's ORC runtime, {_RUNTIME}: install it"
        " (Debian: libclang-rt-22-dev) or name it with --orc-runtime=PATH."
    )


def find_companion() -> Path:
    """Return the path of the companion object. Raises SetupError if it is missing."""
    named = os.environ.get(_ENVIRONMENT_COMPANION)
    beside = os.environ.get("FARSIDE_EXECUTOR")
    candidates = [Path(named)] if named else []
    if beside:
        candidates.append(Path(beside).with_name(_COMPANION))
    candidates.append(Path(__file__).parent / "libexec" / _COMPANION)
    for path in candidates:
        if path.is_file():
            return path
    raise SetupError(f"The companion object {candidates[-1]} is missing from the installation.")


class _Process(NamedTuple):
    """The names that the runtime and the companion may refer to."""

    own: Mapping[str, int]
    resolve: Callable[[Iterable[str]], Mapping[str, int]]

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        return {}

    def require(self, names: Collection[str]) -> None:
        """Do nothing: nobody else defines anything."""

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        asked = [name for name in names if name not in self.own]
        found = dict(self.resolve(asked)) if asked else {}
        return found | {name: self.own[name] for name in names if name in self.own}


class StockFarSide:
    """Another executor of ORC's, brought up to what a session needs.

    Attributes:
        memory, tls: for the linker.
        known: names that cells find before they are looked for in libraries.
        notices: what this far side cannot do, a sentence each.
    """

    def __init__(self, executor: Executor, options: Options) -> None:
        """Link the runtime and the companion into an executor that has sent its Setup.

        Raises:
            SetupError: the executor lacks what ORC's have, or a file is missing or unsuitable.
        """
        self._executor = executor
        self.notices: tuple[str, ...] = (MISSING,)
        runtime, companion = find_runtime(options), find_companion()
        self._base, size = self._reserve(options.slab_bytes)
        self.memory = Slabs(SlabAllocator(self._base, size, executor.setup.page_size), None)
        self.memory.mark()
        header = self.memory.allocate(int(Prot.READ), 8, 16)
        try:
            image = self._link(runtime, companion, header)
            self._place(image, header, size)
        except (FarsideError, OSError) as error:
            self.memory.rollback()
            if isinstance(error, SetupError | ProtocolError):
                raise
            raise SetupError(f"The ORC runtime {runtime} cannot be used: {error}") from error
        self.memory.commit()
        self._announce(image, size)
        shows = {name: each.address for name, each in image.defined.items() if _SHOWS in name}
        own = {name: image.defined[each].address for name, each in _FOR_CELLS.items()}
        self.known: Mapping[str, int] = shows | own
        self.tls = StaticTlsPool(executor)

    @property
    def _is_old(self) -> bool:
        """Whether its memory manager has LLVM 19's names."""
        offers = self._executor.offers
        return offers(bootstrap.MEMORY_FINALIZE) and not offers(bootstrap.MEMORY_INITIALIZE)

    def _call(self, name: str, codecs: tuple[sps.Codec[Any], ...], *values: object) -> bytes:
        instance = self._executor.address(bootstrap.MEMORY_MANAGER)
        payload = sps.pack((sps.ADDR, *codecs), (instance, *values))
        return self._executor.call(name, payload, timeout=PATIENCE)

    def _reserve(self, asked: int | None) -> tuple[int, int]:
        """Reserve the slab; without a size by the user, what the machine allows."""
        size = asked or _SLAB
        while True:
            reply = self._call(bootstrap.MEMORY_RESERVE, (sps.U64,), size)
            (base,) = sps.unpack((sps.Expected(sps.ADDR),), reply)
            if not isinstance(base, sps.Failure):
                break
            if asked or size <= _SMALLEST_SLAB:
                raise SetupError(f"The executor cannot reserve {size} bytes: {base.text}.")
            size //= 2
        page = self._executor.setup.page_size
        if base % page or size % page or base + size >= 1 << 63 or not base:
            raise ProtocolError(f"A reservation of {size} bytes at {base:#x}.")
        return base, size

    def _link(self, runtime: Path, companion: Path, header: int) -> LinkedImage:
        archive = parse_archive(runtime.read_bytes(), str(runtime))
        if _OF_22 not in archive.symbols():
            raise SetupError(
                f"{runtime} is no ORC runtime of LLVM 22: it lacks {_OF_22}. Name that one with"
                " --orc-runtime=PATH (Debian: libclang-rt-22-dev); it works in executors of LLVM"
                " 19, too."
            )
        symbols = self._executor.setup.symbols
        own = {
            "__orc_rt_jit_dispatch": self._executor.address(bootstrap.DISPATCH_FN),
            "__orc_rt_jit_dispatch_ctx": symbols.get(bootstrap.DISPATCH_CTX, 0),
            "__dso_handle": header,
        }
        return link(
            [parse_object(companion.read_bytes(), str(companion))],
            archives=[archive],
            name="the ORC runtime",
            allocator=self.memory,
            resolver=_Process(own, self._executor.resolve),
            entries=EntryTable(),
            tls=NoTls(),
        )

    def _place(self, image: LinkedImage, header: int, slab_size: int) -> None:
        """Have the image placed, and the platform booted by the actions that go with it."""

        def action(name: str, arguments: bytes = b"") -> tuple[int, bytes]:
            return image.defined[name].address, arguments

        # It ends with the session even while a cell runs, if it is a child of ours.
        watched = CONTROL_FD if self._executor.is_child else -1
        address = sps.pack((sps.ADDR,), (header,))
        frames = image.eh_frame or (0, 0)
        sections = sps.pack((sps.U64,) * 4, (*frames, 0, 0))
        name = sps.pack((sps.STRING, sps.ADDR), (_PLATFORM, header))
        orc = "__orc_rt_elfnix_"
        actions = [
            (action(orc + "platform_bootstrap", address), action(orc + "platform_shutdown")),
            (action(orc + "register_jitdylib", name), action(orc + "deregister_jitdylib", address)),
            (
                action(orc + "register_object_sections", sections),
                action(orc + "deregister_object_sections", sections),
            ),
            (
                action(
                    "farside_companion_start",
                    sps.pack(
                        (sps.U64, sps.U64, sps.I32, _MAPPED),
                        (self._base, slab_size, watched, self.memory.pending().protect),
                    ),
                ),
                action("farside_companion_stop"),
            ),
        ]
        contents = [(header, address)]
        contents += [(each.address, each.content) for each in image.segments]
        segments = [
            (prot, start, size, _content_of(start, size, contents))
            for prot, start, size in self.memory.pending().protect
        ]
        codecs = (_SEGMENTS, _ACTIONS)
        failure: sps.Failure | int | None
        if self._is_old:
            # LLVM 19 knows a reservation by its first page, which must be among those placed.
            segments.append((int(Prot.READ), self._base, self._executor.setup.page_size, b""))
            reply = self._call(bootstrap.MEMORY_FINALIZE, codecs, segments, actions)
            (failure,) = sps.unpack((sps.ERROR,), reply)
        else:
            reply = self._call(bootstrap.MEMORY_INITIALIZE, codecs, segments, actions)
            (failure,) = sps.unpack((sps.Expected(sps.ADDR),), reply)
        if isinstance(failure, sps.Failure):
            raise RemoteError(failure.text)

    def _announce(self, image: LinkedImage, slab_size: int) -> None:
        """Make what was linked known under the names that farside-executor would offer."""
        defined = image.defined
        symbols = {
            name: defined[name].address for name in bootstrap.FARSIDE_SYMBOLS if name in defined
        }
        for names in (_FROM_RUNTIME, _IN_PLACE, _BESIDES):
            symbols |= {name: defined[own].address for name, own in names.items()}
        self._end = defined["farside_companion_end"].address
        self._executor.complete(symbols, bootstrap.Slab(self._base, slab_size))

    def close(self, patience: float) -> str | None:
        """Shut down in order: exit handlers, registrations, the platform, memory.

        Returns:
            what went wrong, or None. The executor may not have lived through it.

        Raises:
            TimedOut: exit handlers had not ended after `patience` seconds.
        """
        try:
            reply = self._executor.call_address(self._end, b"", timeout=patience)
            (failure,) = sps.unpack((sps.ERROR,), reply)
            release = bootstrap.MEMORY_DEALLOCATE if self._is_old else bootstrap.MEMORY_RELEASE
            reply = self._call(release, (sps.Sequence(sps.ADDR),), [self._base])
            (released,) = sps.unpack((sps.ERROR,), reply)
        except TimedOut:
            raise
        except FarsideError as error:
            return str(error)
        first = failure or released
        return None if first is None else first.text


def _content_of(start: int, size: int, contents: list[tuple[int, bytes]]) -> bytes:
    """Return the bytes of some pages; zeros at their end are left out."""
    pages = bytearray()
    for address, content in contents:
        if start <= address < start + size:
            if address + len(content) > start + size:
                raise OutOfAddressSpace("The ORC runtime does not fit its pages.")
            end = address - start + len(content)
            pages.extend(bytes(max(0, end - len(pages))))
            pages[address - start : end] = content
    return bytes(pages)
