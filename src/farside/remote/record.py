"""What a dying worker wrote of its death: ``native/executor/crash_record.h``, checked.

Every byte of it may have been written by the program that died, by accident or on purpose, so it is
good for a report and for nothing else. What cannot be right is left out.
"""

from __future__ import annotations

from struct import Struct

from farside.records import NamedTuple

_HEADER = Struct("<IIiiiiiIQQQQQQQQQQIIII")
_FRAME = Struct("<QQII")
_MAGIC = 0x68746431
FIRST_FRAMES, _LAST = 64, 64  # innermost frames; outermost, as a ring
_NOT_LOOKED, _NOT_MAPPED = 0x7FFFFFFF, 0x80000000

KIND_SIGNAL, KIND_EXIT, KIND_QUICK_EXIT, KIND_IMMEDIATE_EXIT, KIND_DISCONNECTED = 1, 2, 3, 4, 5


class RawFrame(NamedTuple):
    """One frame, as the worker saw it.

    Attributes:
        address: in the instruction that ran or called.
        library: path of the library that it lies in, None outside of libraries.
        offset: from the start of the library, in bytes.
        symbol: mangled name of the library's exported function, None where there is none.
    """

    address: int
    library: str | None
    offset: int
    symbol: str | None


class Mapping(NamedTuple):
    """What was mapped at the faulting address.

    Attributes:
        start, end: of the pages; both 0 if nothing was mapped.
        prot: read 1, write 2, execute 4.
        name: a path, ``[heap]`` and the like, or None.
    """

    start: int
    end: int
    prot: int
    name: str | None


class CrashRecord(NamedTuple):
    """A worker's last words.

    Attributes:
        kind: one of ``KIND_``: a signal, or how the program asked to end.
        process, thread: of the thread that died; the main thread's are the same.
        signal, code: its number, and ``si_code``.
        sender: the process that sent the signal, 0 where the processor did.
        address: ``si_addr``.
        pc, sp: the instruction's and the stack's address.
        error: the processor's page fault code: 2 for a write, 16 for a jump.
        trap: the processor's number of the trap; 14 is a page fault.
        stack: lowest and highest address of the thread's stack, zeros if unknown.
        mapping: what was mapped at `address`; None if nobody looked.
        message: libc's reason to abort, or None.
        exception: the exception for which ``std::terminate`` was called, or None.
        frames: innermost first.
        omitted: how many frames are left out behind the first 64.
    """

    kind: int
    process: int
    thread: int
    signal: int
    code: int
    sender: int
    address: int
    pc: int
    sp: int
    error: int
    trap: int
    stack: tuple[int, int]
    mapping: Mapping | None
    message: str | None
    exception: str | None
    frames: tuple[RawFrame, ...]
    omitted: int


def decode_record(data: bytes) -> CrashRecord | None:
    """Read a record; None if the bytes are no record."""
    if len(data) < _HEADER.size:
        return None
    fields = _HEADER.unpack_from(data)
    magic, kind, process, thread, signal, code, sender, prot = fields[:8]
    address, pc, sp, error, trap, low, high, start, end, seen = fields[8:18]
    range_name, message, exception, text_size = fields[18:]
    if magic != _MAGIC or kind not in range(KIND_SIGNAL, KIND_DISCONNECTED + 1):
        return None
    kept = min(seen, FIRST_FRAMES + _LAST)
    text = data[_HEADER.size + kept * _FRAME.size :]
    if len(data) < _HEADER.size + kept * _FRAME.size or len(text) != min(text_size, 16384):
        return None

    def name(at: int) -> str | None:
        if not 0 < at < len(text):
            return None
        end = text.find(0, at)
        if end < 0:
            return None
        found = text[at:end].decode("utf-8", "backslashreplace")
        return "".join([c if c.isprintable() or c == "\n" else "?" for c in found]) or None

    raw = list(_FRAME.iter_unpack(data[_HEADER.size : _HEADER.size + kept * _FRAME.size]))
    if seen > len(raw):  # the ring's oldest entry is where the next would have gone
        oldest = FIRST_FRAMES + (seen - FIRST_FRAMES) % _LAST
        raw = raw[:FIRST_FRAMES] + raw[oldest:] + raw[FIRST_FRAMES:oldest]
    mapping = None
    if prot == _NOT_MAPPED:
        mapping = Mapping(0, 0, 0, None)
    elif prot != _NOT_LOOKED:
        mapping = Mapping(start, end, prot & 7, name(range_name))
    return CrashRecord(
        kind,
        process,
        thread,
        signal,
        code,
        sender,
        address,
        pc,
        sp,
        error,
        trap,
        (low, high),
        mapping,
        name(message),
        name(exception),
        tuple([RawFrame(at, name(lib), offset, name(symbol)) for at, offset, symbol, lib in raw]),
        seen - kept,
    )
