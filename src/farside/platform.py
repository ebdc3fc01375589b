"""The ORC platform of one executor: its JITDylibs, as both sides know them.

Each JITDylib has a header, a word in far-side memory that is its ``__dso_handle`` and by which
the runtime there knows it. What an image brings to the runtime (unwind tables, thread-local data,
initialisers, memory whose exit handlers are its own) is told in alloc actions of its commit.
"""

from __future__ import annotations

from struct import Struct

from farside.accounts import owned_ranges
from farside.annotations import TYPE_CHECKING
from farside.errors import CppException, OptionError, RemoteError
from farside.link import Definition, Prot
from farside.orc import bootstrap, sps
from farside.orc.jitdylib import JitDylib
from farside.remote import executor
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from farside.errors import FarSideError
    from farside.link import LinkedImage
    from farside.remote.executor import Executor
    from farside.remote.slabs import Slabs

_POINTER = Struct("<Q")
_RANGE = Struct("<QQ")
_TWO_RANGES = Struct("<QQQQ")
_JUMP = 5  # bytes of jmp rel32
_PLACED = Struct("<qQQ")
_THROWN = sps.Optional(sps.Tuple(sps.STRING, sps.Optional(sps.STRING)))
MAIN = "main"
"""The JITDylib of the user's cells."""


class Platform:
    """The JITDylibs of an executor that is ready.

    Attributes:
        dylibs: by name.
        main: the JITDylib of the user's cells.
    """

    def __init__(self, far: Executor, memory: Slabs) -> None:
        self._executor = far
        self._memory = memory
        self.dylibs: dict[str, JitDylib[Definition]] = {}
        self.main = self._create(MAIN)

    def names(self) -> list[str]:
        """Return what linked code defines, JITDylib by JITDylib."""
        return [name for dylib in self.dylibs.values() for name in dylib]

    def with_header(self, header: int) -> JitDylib[Definition] | None:
        """Return the JITDylib with this header, or None."""
        return next((each for each in self.dylibs.values() if each.header == header), None)

    def jitdylib(self, name: str) -> JitDylib[Definition]:
        """Return the JITDylib of that name, made now if there is none."""
        return self.dylibs.get(name) or self._create(name)

    def _create(self, name: str) -> JitDylib[Definition]:
        """Make a JITDylib, known to both sides; ``main`` is one that no ``dlclose`` ends."""
        self._memory.mark()
        try:
            header = self._memory.allocate(int(Prot.READ), 8, 16)
            arguments = sps.pack((sps.STRING, sps.ADDR), (name, header))
            address = _POINTER.pack(header)
            undo = self._call(bootstrap.DEREGISTER_JITDYLIB, address)
            actions = [(self._call(bootstrap.REGISTER_JITDYLIB, arguments), undo)]
            if name == MAIN:
                actions.append((self._call(bootstrap.HOLD_JITDYLIB, address), NO_CALL))
            pending = self._memory.pending()
            write = pending.writes([(header, address)])
            request = CommitRequest(pending.protect, write, actions)
            self._executor.commit(request, timeout=executor.PATIENCE)
        except BaseException:
            self._memory.rollback()
            raise
        self._memory.commit()
        dylib: JitDylib[Definition] = JitDylib(name, header)
        dylib.define("farside", {"__dso_handle": Definition(header, "farside")})
        self.dylibs[name] = dylib
        return dylib

    def set_link_order(self, name: str, order: Sequence[str]) -> None:
        """Say where code of a JITDylib finds what it does not define itself, first to last.

        It holds for what is linked from now on, and for what a ``dlopen`` initialises first.

        Raises:
            OptionError: one is not there, is named twice, or is the JITDylib itself.
        """
        dylib = self.jitdylib(name)
        for other in order:
            if other not in self.dylibs:
                raise OptionError(f"there is no JITDylib {other}")
        if name in order or len(set(order)) != len(order):
            raise OptionError(f"the link order of {name} names a JITDylib twice, or {name} itself")
        others = tuple([self.dylibs[other] for other in order])
        payload = sps.pack(
            (sps.ADDR, sps.Sequence(sps.ADDR)), (dylib.header, [each.header for each in others])
        )
        self._executor.call_for_error(bootstrap.SET_LINK_ORDER, payload)
        dylib.link_order = others

    def open(self, name: str) -> int:
        """``dlopen``: run the initialisers that have not run, of what it depends on first.

        Returns:
            the handle: the address of its ``__dso_handle``.

        Raises:
            CppException: an initialiser threw; another `open` goes on with those after it.
            RemoteError: one of them is being closed.
        """
        self.jitdylib(name)
        payload = sps.pack((sps.STRING, sps.I32), (name, 1))
        (handle,) = sps.unpack((sps.ADDR,), self._executor.call(bootstrap.JIT_DLOPEN, payload))
        if not handle:
            raise self._failure()
        return int(handle)

    def update(self, header: int) -> None:
        """``dlupdate``: run the initialisers that have arrived since the last run.

        Raises:
            CppException: one threw; another `update` goes on with those after it.
            RemoteError: there is no open JITDylib with this handle.
        """
        self._status(bootstrap.JIT_DLUPDATE, header)

    def close(self, header: int) -> None:
        """``dlclose``: drop a reference; the last one runs exit handlers and finalisers.

        Raises:
            CppException: an exit handler threw; the others have run all the same.
            RemoteError: no open JITDylib has this handle.
        """
        self._status(bootstrap.JIT_DLCLOSE, header)

    def dlerror(self) -> str:
        """Return what went wrong last, or the empty string, and forget it."""
        reply = self._executor.call(bootstrap.JIT_DLERROR, b"")
        return str(sps.unpack((sps.STRING,), reply)[0])

    def _status(self, function: str, header: int) -> None:
        (status,) = sps.unpack((sps.I32,), self._executor.call(function, _POINTER.pack(header)))
        if status:
            raise self._failure()

    def _failure(self) -> FarSideError:
        """Return what made the last ``dl`` function fail."""
        reply = self._executor.call(bootstrap.JIT_EXCEPTION, b"")
        (thrown,) = sps.unpack((_THROWN,), reply)
        message = self.dlerror()
        return RemoteError(message) if thrown is None else CppException(message, *thrown)

    # ------------------------------------------------------------------ earlier states

    def link_orders(self) -> Mapping[str, tuple[JitDylib[Definition], ...]]:
        """Return the JITDylibs that there are, with their link orders."""
        return {name: each.link_order for name, each in self.dylibs.items()}

    def return_to(self, link_orders: Mapping[str, tuple[JitDylib[Definition], ...]]) -> None:
        """Forget what was made, and how it was ordered, since `link_orders`."""
        for name in [name for name in self.dylibs if name not in link_orders]:
            self._memory.free(self.dylibs.pop(name).header, _POINTER.size)
        for name, order in link_orders.items():
            self.dylibs[name].link_order = order

    # ------------------------------------------------------------------ commits

    def redirect(
        self, image: LinkedImage, earlier: Mapping[str, Definition]
    ) -> list[tuple[WrapperCall, WrapperCall]]:
        """Return the actions that send callers of earlier functions to the image's, and back.

        Args:
            image: defines functions again.
            earlier: what the names meant until now.
        """
        pairs = []
        for name, old in earlier.items():
            new = image.defined[name]
            # A function has the bytes up to the next multiple of its alignment, which is 16.
            room = max(old.size, -old.address % 16 or 16)
            if old.callable and new.callable and room >= _JUMP:
                pairs.append((old.address, new.address))
        return self.jumps(pairs)

    def jumps(self, pairs: Iterable[tuple[int, int]]) -> list[tuple[WrapperCall, WrapperCall]]:
        """Return the actions that turn functions, by their address, into jumps to others."""
        return [
            (
                self._call(bootstrap.REDIRECT, _RANGE.pack(there, to)),
                self._call(bootstrap.UNDO_REDIRECT, _POINTER.pack(there)),
            )
            for there, to in pairs
        ]

    def actions_of(self, image: LinkedImage, header: int) -> list[tuple[WrapperCall, WrapperCall]]:
        """Return the alloc actions of an image, in order, each with its undoing."""
        actions: list[tuple[WrapperCall, WrapperCall]] = []
        static = image.static_tls
        if static is not None:
            content = static.content.ljust(static.size, b"\0")
            arguments = _RANGE.pack(static.offset & (1 << 64) - 1, len(content)) + content
            actions.append((self._call(bootstrap.STATIC_TLS_INIT, arguments), NO_CALL))
            start = static.address
            arguments = _PLACED.pack(static.offset, start, start + static.size)
            actions.append(
                (
                    self._call(bootstrap.STATIC_TLS_REGISTER, arguments),
                    self._call(bootstrap.STATIC_TLS_DEREGISTER, arguments),
                )
            )
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
        # Of what others cannot refer to, handlers can only come while its own commit runs.
        others = image.defined or image.thread_data or header != self.main.header
        owned = owned_ranges(image) if others else ()
        for ranges, register, deregister in (
            (owned, bootstrap.REGISTER_MEMORY, bootstrap.DEREGISTER_MEMORY),
            (
                image.fini_ranges,
                bootstrap.REGISTER_FINI_SECTIONS,
                bootstrap.DEREGISTER_FINI_SECTIONS,
            ),
            (
                image.init_ranges,
                bootstrap.REGISTER_INIT_SECTIONS,
                bootstrap.DEREGISTER_INIT_SECTIONS,
            ),
        ):
            if ranges:
                arguments = _RANGE.pack(header, len(ranges)) + b"".join(
                    [_RANGE.pack(*each) for each in ranges]
                )
                actions.append((self._call(register, arguments), self._call(deregister, arguments)))
        return actions

    def _call(self, name: str, arguments: bytes) -> WrapperCall:
        return WrapperCall(self._executor.address(name), arguments)
