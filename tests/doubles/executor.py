"""An ORC executor in Python, for tests of the protocol that need no native code.

It offers the services of LLVM's executor that do not need one: memory, libraries, memory access,
calls. Memory is this process' own, by ctypes, so what is placed in it can also be called.

    python -m tests.doubles.executor filedescs=IN,OUT
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable
from typing import Any

from farside.errors import ProtocolError
from farside.orc import bootstrap, sps
from farside.orc.frames import Frame, FrameDecoder, Opcode, encode_frame

PAGE = mmap.PAGESIZE
_CALL = sps.Tuple(sps.ADDR, sps.BYTES)
_ACTIONS = sps.Sequence(sps.Tuple(_CALL, _CALL))
_SEGMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64, sps.BYTES))
_NAMES = sps.Sequence(sps.Tuple(sps.STRING, sps.BOOL))
_FOUND = sps.Expected(sps.Sequence(sps.Optional(sps.SYMBOL_DEF)))
_ACCESS = "__llvm_orc_bootstrap_mem_"
_FIRST_TOKEN = 0x1000

Service = Callable[[bytes], bytes]


class _Result(ctypes.Structure):
    """``CWrapperFunctionBuffer``: see native/executor/wrapper.h."""

    _fields_ = [("value", ctypes.c_uint64), ("size", ctypes.c_size_t)]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def call_wrapper(function: int, arguments: bytes) -> bytes:
    """Call a wrapper function of native code by its address."""
    prototype = ctypes.CFUNCTYPE(_Result, ctypes.c_char_p, ctypes.c_size_t)
    result = prototype(function)(arguments, len(arguments))
    if result.size > 8:
        return ctypes.string_at(result.value, result.size)
    return int(result.value).to_bytes(8, "little")[: result.size]


class Memory:
    """The simple memory manager: reservations, and what is placed in them."""

    def __init__(self) -> None:
        self._reserved: dict[int, int] = {}
        self._placed: dict[int, tuple[int, list[tuple[int, bytes]]]] = {}

    def reserve(self, size: int) -> int | sps.Failure:
        size = -(-size // PAGE) * PAGE
        if not size:
            return 0
        if size >= 1 << 63:
            return sps.Failure("too large")
        base = _libc.mmap(None, size, 3, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1, 0)
        if base in (None, 2**64 - 1):
            return sps.Failure(os.strerror(ctypes.get_errno()))
        self._reserved[base] = size
        return int(base)

    def initialize(
        self, segments: list[tuple[int, int, int, bytes]], actions: list[Any]
    ) -> int | sps.Failure:
        if not segments:
            return sps.Failure("Finalization request is empty")
        low = min(address for _, address, _, _ in segments)
        high = max(address + size for _, address, size, _ in segments)
        for _, address, size, content in segments:
            if len(content) > size:
                return sps.Failure(f"content of {len(content)} bytes is larger than its segment")
            if not any(b <= address and address + size <= b + n for b, n in self._reserved.items()):
                return sps.Failure("segment outside the reservations")
        if any(low < end and start < high for start, (end, _) in self._placed.items()):
            return sps.Failure("segment overlaps previous region")
        for prot, address, size, content in segments:
            ctypes.memmove(address, content + bytes(size - len(content)), size)
            bits = (prot & 1) | (prot & 2) | (prot & 4)
            _libc.mprotect(address, -(-size // PAGE) * PAGE, bits)
        deallocs: list[tuple[int, bytes]] = []
        for (function, arguments), dealloc in actions:
            failure = _act(function, arguments)
            if failure is not None:
                for each in reversed(deallocs):
                    _act(*each)
                return failure
            deallocs.append(dealloc)
        self._placed[low] = (high, deallocs)
        return low

    def release(self, bases: list[int]) -> sps.Failure | None:
        for base in reversed(bases):
            size = self._reserved.pop(base, None)
            if size is None:
                return sps.Failure(f"{base:#x} is not the base of a reservation")
            for low in sorted(self._placed, reverse=True):
                if base <= low < base + size:
                    for each in reversed(self._placed.pop(low)[1]):
                        _act(*each)
            _libc.munmap(base, size)
        return None


def _act(function: int, arguments: bytes) -> sps.Failure | None:
    if not function:
        return None
    try:
        (failure,) = sps.unpack((sps.ERROR,), call_wrapper(function, arguments))
    except ProtocolError:
        return sps.Failure("allocation action returned no result")
    return failure  # type: ignore[no-any-return]


class Double:
    """Serves one connection, call by call."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._frames = FrameDecoder()
        self._libraries: list[ctypes.CDLL] = []
        self._memory = Memory()
        names = self.services()
        self.symbols = {name: _FIRST_TOKEN + 8 * n for n, name in enumerate(names)}
        self._by_token = {self.symbols[name]: service for name, service in names.items()}

    # ------------------------------------------------------------------ services

    def services(self) -> dict[str, Service]:
        """Return what is offered, by bootstrap name."""
        memory = self._memory
        found: dict[str, Service] = {
            bootstrap.DISPATCH_FN: lambda _: b"",
            bootstrap.DISPATCH_CTX: lambda _: b"",
            bootstrap.DYLIB_MANAGER: lambda _: b"",
            bootstrap.MEMORY_MANAGER: lambda _: b"",
            bootstrap.DYLIB_OPEN: self._served(
                (sps.ADDR, sps.STRING, sps.U64), sps.Expected(sps.ADDR), self._open
            ),
            bootstrap.DYLIB_RESOLVE: self._served((sps.ADDR, _NAMES), _FOUND, self._resolve),
            bootstrap.MEMORY_RESERVE: self._served(
                (sps.ADDR, sps.U64), sps.Expected(sps.ADDR), lambda _, size: memory.reserve(size)
            ),
            bootstrap.MEMORY_INITIALIZE: self._served(
                (sps.ADDR, _SEGMENTS, _ACTIONS),
                sps.Expected(sps.ADDR),
                lambda _, segments, actions: memory.initialize(segments, actions),
            ),
            bootstrap.MEMORY_RELEASE: self._served(
                (sps.ADDR, sps.Sequence(sps.ADDR)), sps.ERROR, lambda _, b: memory.release(b)
            ),
            bootstrap.RUN_AS_MAIN: self._served(
                (sps.ADDR, sps.Sequence(sps.STRING)), sps.I64, _run_main
            ),
            bootstrap.RUN_AS_INT_FUNCTION: self._served(
                (sps.ADDR, sps.I32),
                sps.I32,
                lambda f, n: ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(f)(n),
            ),
            bootstrap.RUN_AS_VOID_FUNCTION: self._served(
                (sps.ADDR,), sps.I32, lambda f: ctypes.CFUNCTYPE(ctypes.c_int)(f)()
            ),
            bootstrap.MEM_READ_BUFFERS: self._served(
                (sps.Sequence(sps.ADDR_RANGE),),
                sps.Sequence(sps.BYTES),
                lambda ranges: [ctypes.string_at(r.start, r.end - r.start) for r in ranges],
            ),
            f"{_ACCESS}write_buffers_wrapper": self._served(
                (sps.Sequence(sps.Tuple(sps.ADDR, sps.BYTES)),), None, _write_buffers
            ),
        }
        return found

    @staticmethod
    def _served(
        arguments: tuple[sps.Codec[Any], ...],
        result: sps.Codec[Any] | None,
        body: Callable[..., Any],
    ) -> Service:
        def serve(payload: bytes) -> bytes:
            try:
                values = sps.unpack(arguments, payload)
            except ProtocolError:
                return b""  # an out-of-band error, of which nothing crosses the wire
            value = body(*values)
            return b"" if result is None else sps.pack((result,), (value,))

        return serve

    def _open(self, _: int, path: str, mode: int) -> int | sps.Failure:
        if mode:
            return sps.Failure("open: non-zero mode bits not yet supported")
        try:
            self._libraries.append(ctypes.CDLL(path or None))
        except OSError as error:
            return sps.Failure(str(error))
        return len(self._libraries)

    def _resolve(self, handle: int, names: list[tuple[str, bool]]) -> list[Any] | sps.Failure:
        if not 0 < handle <= len(self._libraries):
            return sps.Failure("resolve: unknown handle")
        library = self._libraries[handle - 1]
        found: list[Any] = []
        for name, required in names:
            try:
                address = ctypes.cast(getattr(library, name or "\1"), ctypes.c_void_p).value or 0
            except AttributeError:
                address = 0
            missing = not address and (required or not name)
            found.append(None if missing else (address, (0x10, 0)))
        return found

    # ------------------------------------------------------------------ the connection

    def setup(self) -> bytes:
        """Return the payload of the Setup message."""
        return sps.pack(
            (
                sps.STRING,
                sps.U64,
                sps.Sequence(sps.Tuple(sps.STRING, sps.BYTES)),
                sps.Sequence(sps.Tuple(sps.STRING, sps.ADDR)),
            ),
            ("x86_64-pc-linux-gnu", PAGE, [], list(self.symbols.items())),
        )

    def send(self, data: bytes) -> None:
        """Send bytes, all of them."""
        while data:
            data = data[os.write(self._writing, data) :]

    def run(self) -> int:
        """Serve until the connection ends; return the exit status."""
        self.send(encode_frame(Opcode.SETUP, 0, 0, self.setup()))
        while data := os.read(self._reading, 1 << 16):
            self._frames.feed(data)
            try:
                while (frame := self._frames.next()) is not None:
                    if frame.opcode == Opcode.HANGUP:
                        return 0
                    if frame.opcode != Opcode.CALL:
                        return 1
                    self.answer(frame)
            except ProtocolError:
                return 1
        return int(self._frames.in_message)

    def answer(self, frame: Frame) -> None:
        """Serve a call."""
        self.send(encode_frame(Opcode.RESULT, frame.sequence, 0, self.result_of(frame)))

    def result_of(self, frame: Frame) -> bytes:
        """Return the result of a call."""
        service = self._by_token.get(frame.tag)
        return call_wrapper(frame.tag, frame.payload) if service is None else service(frame.payload)


def _run_main(address: int, words: list[str]) -> int:
    arguments = (ctypes.c_char_p * (len(words) + 1))(*[word.encode() for word in words], None)
    main = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_char_p))(address)
    return int(main(len(words), arguments))


def _write_buffers(writes: list[tuple[int, bytes]]) -> None:
    for address, content in writes:
        ctypes.memmove(address, content, len(content))


def descriptors(words: list[str]) -> dict[str, list[int]]:
    """Return the numbers of ``filedescs=`` and ``control=``."""
    pairs = [word.partition("=") for word in words]
    return {
        name: [int(each) for each in value.split(",")]
        for name, _, value in pairs
        if name in ("filedescs", "control")
    }


if __name__ == "__main__":
    reading, writing = descriptors(sys.argv[1:])["filedescs"]
    sys.exit(Double(reading, writing).run())
