"""What a program died of, in the terms of its cells.

The far side sends addresses; here they become functions, cells and lines, and what lies at the
address that could not be used. Imported when a program has died, and not before.
"""

from __future__ import annotations

import signal

from farside.annotations import TYPE_CHECKING
from farside.errors import FarsideError
from farside.object import STAND_INS, parse_object
from farside.object.inlines import InlineTable
from farside.object.lines import LineTable
from farside.records import NamedTuple
from farside.remote.death import DeathReport, Frame
from farside.remote.record import (
    FIRST_FRAMES,
    KIND_DISCONNECTED,
    KIND_EXIT,
    KIND_IMMEDIATE_EXIT,
    KIND_QUICK_EXIT,
    KIND_SIGNAL,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farside.link.places import Place, Places
    from farside.remote.record import CrashRecord, RawFrame

_PAGE_FAULT = 14
_WRITES, _JUMPS = 2, 16
_SI_KERNEL = 128
_NULL_PAGES = 0x10000
_NEAR_STACK = 1 << 20  # Linux keeps this distance between a stack and what lies below it
_EXECUTOR = "farside-executor"
# What the compiler makes of a cell's statements and initialisers; its names mean nothing to a user.
_NAMELESS = ("__stmts__", "__cxx_global_", "_GLOBAL_")

_NO_TIME_LEFT = "its processor time was used up (RLIMIT_CPU); `ulimit -t` or setrlimit give it more"
_OTHERS_LEFT = "its other threads, which cannot serve the session, were ended, too"

_DISCONNECTED = "the session's connection had been closed, by the cell or what it has started"
_EXITS = {
    KIND_EXIT: "exit",
    KIND_QUICK_EXIT: "quick_exit",
    KIND_IMMEDIATE_EXIT: "_exit",
}
# si_code, <bits/siginfo-consts.h>.
_REASONS = {
    (signal.SIGFPE, 1): "division by zero, or a quotient that does not fit",
    (signal.SIGFPE, 2): "integer overflow",
    (signal.SIGFPE, 3): "floating point division by zero",
    (signal.SIGFPE, 4): "floating point overflow",
    (signal.SIGFPE, 5): "floating point underflow",
    (signal.SIGFPE, 6): "inexact floating point result",
    (signal.SIGFPE, 7): "invalid floating point operation",
    (signal.SIGBUS, 1): "misaligned address",
    (signal.SIGBUS, 2): "memory behind the end of a mapped file",
    (signal.SIGILL, 2): "an instruction that traps, as __builtin_trap and unreachable code do",
    (signal.SIGTRAP, 1): "a breakpoint",
    (signal.SIGTRAP, _SI_KERNEL): "a breakpoint instruction",
    (signal.SIGSYS, 1): "a system call that is forbidden here",
    (signal.SIGXCPU, _SI_KERNEL): _NO_TIME_LEFT,
    (signal.SIGXFSZ, 0): "a file would have grown beyond the limit (RLIMIT_FSIZE, `ulimit -f`)",
}


class Evidence(NamedTuple):
    """What the near side knows of a program.

    Attributes:
        images: the places of each image, by name, the one that was being run included.
        objects: the objects of cells, as far as they are at hand, by the same names.
        only_lines: of images without line tables, the line that all their code comes from; 0 or
            nothing for others.
        slab: first address of the reserved range, and one past its last.
        demangle: turns mangled names into what the programmer wrote.
        records: whether its executor writes down how it ends.
    """

    images: Mapping[str, Places]
    objects: Mapping[str, bytes]
    only_lines: Mapping[str, int]
    slab: tuple[int, int]
    demangle: Callable[[Sequence[str]], Sequence[str]]
    records: bool = True


def explain(report: DeathReport, cell: int | None, evidence: Evidence) -> DeathReport:
    """Return the report with cell, line, reason and call stack filled in.

    Args:
        report: as the executor gave it.
        cell: the number of the cell that ran; None if it was something else.
        evidence: what the addresses are held against.
    """
    record = report.record
    report = report._replace(cell=cell)
    if record is None or not _belongs(record, report):
        return report._replace(reason=_without_record(report, evidence.records))
    if record.kind == KIND_DISCONNECTED:
        return report._replace(reason=_DISCONNECTED)
    lookup = _Lookup(evidence)
    frames = _own(record, lookup.frames(record))
    line = next((f.line for f in frames if f.file == f"cell {cell}" and f.line), None)
    return report._replace(
        line=line,
        reason=_reason(record, frames, lookup, report.status),
        fault_address=_fault_address(record),
        frames=frames,
    )


def _without_record(report: DeathReport, records: bool) -> str | None:
    """Return why a process ended that could say nothing itself."""
    if report.forbidden_call:
        why = "it made a system call that it had forbidden itself (seccomp)"
    elif report.processor_limit:
        why = (
            _NO_TIME_LEFT
            if report.signal_name == "SIGXCPU"
            else f"by all appearance, {_NO_TIME_LEFT}"
        )
    elif report.executed:
        ended = ", which was ended" if report.signal_name == "SIGKILL" else ""
        why = f"it had executed another program in its place{ended}; fork first to keep this one"
    elif not records and report.exit_status is not None:
        return None
    elif report.exit_status is not None and not report.main_thread:
        why = (
            "by the system call itself (SYS_exit, SYS_exit_group) or within a library; exit and"
            " _exit would say where"
        )
    elif report.exit_status is not None:
        why = "by the system call SYS_exit"
    elif report.signal_name == "SIGKILL" and report.out_of_memory:
        why = "the kernel ran out of memory and killed a process, this one by all appearance"
    elif report.signal_name == "SIGKILL":
        why = "by another process, or by itself"
    else:
        return None
    return f"{why}; {_OTHERS_LEFT}" if report.main_thread else why


def _belongs(record: CrashRecord, report: DeathReport) -> bool:
    """Tell whether the record is about this end of this process."""
    if record.process != report.pid:
        return False
    if report.exit_status is not None:
        return record.kind != KIND_SIGNAL
    return record.kind == KIND_SIGNAL and record.signal == report.status


def _own(record: CrashRecord, frames: tuple[Frame, ...]) -> tuple[Frame, ...]:
    """Leave out the executor's frames, what called them, and what libc does in ``exit``."""
    first = 0
    if record.kind != KIND_SIGNAL:
        while first < len(frames) and frames[first].library and not frames[first].function:
            first += 1
    of_cells = [index for index, frame in enumerate(frames) if frame.library is None]
    last = of_cells[-1] if of_cells else len(frames)
    kept = []
    for index, frame in enumerate(frames[first:], first):
        if frame.library != _EXECUTOR:
            kept.append(frame)
        elif index > last:
            break
    return tuple(kept)


class _Lookup:
    """Finds what addresses belong to."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._read: dict[str, tuple[dict[str, int], LineTable, InlineTable] | None] = {}

    def image_at(self, address: int) -> tuple[str, Places, Place] | None:
        """Return the image that an address lies in, its name, and the section."""
        for name, places in self.evidence.images.items():
            place = places.section_at(address)
            if place is not None:
                return name, places, place
        return None

    def frames(self, record: CrashRecord) -> tuple[Frame, ...]:
        """Return frames with names and lines; an inlined call is a frame of its own."""
        frames: list[Frame] = []
        for number, raw in enumerate(record.frames):
            found = self._frames(raw)
            if number == FIRST_FRAMES:
                found[0] = found[0]._replace(skipped=record.omitted)
            frames += found
        mangled = sorted({f.function for f in frames if f.function and f.function.startswith("_Z")})
        plain = dict(zip(mangled, self.demangled(mangled), strict=True))
        return tuple([f._replace(function=plain.get(f.function or "", f.function)) for f in frames])

    def demangled(self, names: Sequence[str]) -> Sequence[str]:
        """Return names as the programmer wrote them."""
        try:
            found = self.evidence.demangle(names)
        except FarsideError:
            return names
        return found if len(found) == len(names) else names

    def _frames(self, raw: RawFrame) -> list[Frame]:
        found = self.image_at(raw.address)
        if found is None:
            library = raw.library and _short(raw.library)
            return [Frame(raw.address, raw.symbol, library=library, offset=raw.offset)]
        name, places, place = found
        function = places.symbol_at(raw.address)
        if function is not None and function.startswith(_NAMELESS):
            function = None
        line = (self.evidence.only_lines.get(name) or None) if place.object_name == name else None
        debug = self._debug_information(name, place)
        if debug is None or line is not None:
            return [Frame(raw.address, function, name, line)]
        index, lines, inlines = debug
        offset = raw.address - place.address
        file, line = lines.at(index, offset) or (name, None)
        frames = []
        for call in inlines.at(index, offset):
            frames.append(Frame(raw.address, call.function, file, line))
            file = lines.files[call.file] if 0 <= call.file < len(lines.files) else name
            line = call.line or None
        return [*frames, Frame(raw.address, function, file, line)]

    def _debug_information(
        self, image: str, place: Place
    ) -> tuple[int, LineTable, InlineTable] | None:
        """Return the debug information of a section, with the section's number in its object."""
        if place.object_name != image:
            return None
        if image not in self._read:
            self._read[image] = self._parse(image)
        numbers, lines, inlines = self._read[image] or ({}, None, None)
        if place.name not in numbers or lines is None or inlines is None:
            return None
        return numbers[place.name], lines, inlines

    def _parse(self, image: str) -> tuple[dict[str, int], LineTable, InlineTable] | None:
        content = self.evidence.objects.get(image)
        if content is None:
            return None
        try:
            parsed = parse_object(content, image)
        except FarsideError:
            return None
        numbers = {section.name: index for index, section in parsed.sections.items()}
        return numbers, LineTable(parsed), InlineTable(parsed)


def _short(library: str) -> str:
    return "vdso" if library.startswith("linux-vdso") else library


# ------------------------------------------------------------------ what it was about


def _fault_address(record: CrashRecord) -> int | None:
    """Return the address that could not be used; for some faults the processor tells none."""
    about_memory = record.signal in (signal.SIGSEGV, signal.SIGBUS)
    if record.kind != KIND_SIGNAL or not about_memory or record.code <= 0:
        return None
    return None if record.code == _SI_KERNEL else record.address


def _reason(
    record: CrashRecord, frames: Sequence[Frame], lookup: _Lookup, status: int
) -> str | None:
    if record.kind != KIND_SIGNAL:
        return f"it called {_EXITS[record.kind]}({status})"
    if record.signal == signal.SIGABRT:
        return _why_aborted(record, frames)
    if record.code <= 0:
        by_kernel = (signal.Signals(record.signal), record.code) in _REASONS
        if by_kernel and record.sender == record.process:  # as the kernel has it look
            return _REASONS[signal.Signals(record.signal), record.code]
        if record.sender == record.process:
            return "raised by the program itself"
        return f"sent by process {record.sender}" if record.sender > 0 else None
    found = lookup.image_at(record.pc) if record.signal == signal.SIGILL else None
    if found is not None and found[2].object_name == STAND_INS:
        return (
            f"{frames[0].function} was called, which was not defined yet when {found[0]} used it;"
            " define it in a cell, or run that cell again if a library has it now"
        )
    fault = _fault_address(record)
    if record.signal == signal.SIGSEGV and fault is None:
        return "an address that no pointer can hold, or one misaligned for its instruction"
    if fault is not None:
        known = _REASONS.get((signal.Signals(record.signal), record.code))
        what = known or _memory(record, fault, lookup)
        return f"{what} ({_access(record, fault)})" if record.trap == _PAGE_FAULT else what
    return _REASONS.get((signal.Signals(record.signal), record.code))


def _why_aborted(record: CrashRecord, frames: Sequence[Frame]) -> str | None:
    if any(frame.function == "std::terminate()" for frame in frames):
        if record.exception is None:
            return "std::terminate was called"
        return f"std::terminate was called for an exception of type {record.exception}"
    if record.message is not None:
        return record.message.strip()
    return "abort was called" if any(frame.function == "abort" for frame in frames) else None


def _access(record: CrashRecord, fault: int) -> str:
    if record.error & _JUMPS or record.pc == fault:
        return "jump"
    return "write" if record.error & _WRITES else "read"


def _memory(record: CrashRecord, fault: int, lookup: _Lookup) -> str:
    """Return what lies at an address."""
    if fault == 0:
        return "null pointer"
    if fault < _NULL_PAGES:
        return f"null pointer plus {fault} bytes"
    if _overflows(record, fault):
        return "stack overflow"
    start, end = lookup.evidence.slab
    if start <= fault < end or lookup.image_at(fault) is not None:
        return _in_slab(fault, lookup)
    mapping = record.mapping
    if mapping is None:
        return "memory that cannot be used so"
    if mapping.end == 0:
        return "no memory is mapped there"
    if mapping.prot == 0:
        return "memory without any access, such as a guard page"
    kind = "code" if mapping.prot & 4 else "data" if mapping.prot & 2 else "read-only data"
    if mapping.name is None:
        return "anonymous read-only memory" if kind == "read-only data" else f"anonymous {kind}"
    return f"{kind} of {mapping.name.rsplit('/', 1)[-1]}"


def _overflows(record: CrashRecord, fault: int) -> bool:
    low, high = record.stack
    usable = record.mapping is not None and record.mapping.prot != 0
    return (
        not usable
        and high != 0
        and low - 2 * _NEAR_STACK <= fault < low + _NEAR_STACK
        and abs(fault - record.sp) < _NEAR_STACK
    )


def _in_slab(fault: int, lookup: _Lookup) -> str:
    found = lookup.image_at(fault)
    if found is None:
        return "memory of a cell that was taken back, or that no cell has used"
    name, places, place = found
    kind = "code" if place.prot & 4 else "data" if place.prot & 2 else "read-only data"
    symbol = places.symbol_at(fault)
    if symbol is None or symbol.startswith("."):
        return f"{kind} of {name}"
    return f"{kind} of {name}, {lookup.demangled([symbol])[0]}"
