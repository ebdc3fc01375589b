"""How the process that ran the cells ended."""

from __future__ import annotations

import signal

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from farside.remote.record import CrashRecord

# si_code of SIGCHLD, <bits/siginfo-consts.h>.
CLD_EXITED, CLD_KILLED, CLD_DUMPED = 1, 2, 3

_SIGNAL_TEXT = {
    "SIGSEGV": "segmentation fault",
    "SIGBUS": "bus error",
    "SIGFPE": "arithmetic exception",
    "SIGILL": "illegal instruction",
    "SIGABRT": "aborted",
    "SIGKILL": "killed",
    "SIGTERM": "terminated",
    "SIGTRAP": "trap",
    "SIGPIPE": "broken pipe",
    "SIGXCPU": "processor time limit",
    "SIGXFSZ": "file size limit",
    "SIGSYS": "bad system call",
}


class Frame(NamedTuple):
    """One frame of a call stack.

    Attributes:
        address: in the instruction that ran or called.
        function: as the programmer wrote it; None for a cell's own statements and the unknown.
        file: ``cell 7``, or the path of a source file; None if unknown.
        line: counted from 1, or None.
        library: path of the library that the code is in, None for what cells brought.
        offset: from the start of the library, in bytes.
        skipped: how many frames between the one before and this one were not recorded.
    """

    address: int
    function: str | None = None
    file: str | None = None
    line: int | None = None
    library: str | None = None
    offset: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        where = self.file or ""
        if self.file is not None and self.line is not None:
            in_cell = self.file.startswith("cell ")
            where = f"{self.file}, line {self.line}" if in_cell else f"{self.file}:{self.line}"
        if self.library is not None:
            name = self.library.rsplit("/", 1)[-1]
            where = f"in {name}" if self.function else f"{name}+{self.offset:#x}"
        return " ".join([part for part in (self.function, where) if part]) or f"{self.address:#x}"


class DeathReport(NamedTuple):
    """The end of a worker process.

    The first three attributes are what the kernel told its supervisor. The others are what the
    process itself could say, and what is known of its memory; they may be missing, and a program
    that meant to deceive could have made them up.

    Attributes:
        pid: of the process that ended.
        code: ``si_code``: exited, killed, or killed with a core dump.
        status: the exit status, or the number of the signal.
        out_of_memory: whether the kernel killed a process for want of memory in the meantime.
        executed: whether the process had executed another program by then.
        main_thread: whether it was only the main thread that ended so, with others left, which
            were killed.
        processor_limit: whether the program had used the time that ``RLIMIT_CPU`` gave it.
        forbidden_call: whether the kernel killed its main thread for a system call (seccomp).
        begun: one more than the highest number of a call that it had begun, None if nobody knows.
        record: what the process wrote, as it was received.
        cell: the number of the cell that ran, or None.
        line: the line of that cell that was reached, counted from 1, or None.
        reason: a phrase: what lies at the faulting address, or why the program aborted or exited.
        fault_address: the address that could not be used, or None where it is not about one.
        frames: the call stack, innermost first.
    """

    pid: int
    code: int
    status: int
    out_of_memory: bool = False
    executed: bool = False
    main_thread: bool = False
    processor_limit: bool = False
    forbidden_call: bool = False
    begun: int | None = None
    record: CrashRecord | None = None
    cell: int | None = None
    line: int | None = None
    reason: str | None = None
    fault_address: int | None = None
    frames: tuple[Frame, ...] = ()

    @property
    def exit_status(self) -> int | None:
        """What the process gave to ``exit``; None if a signal killed it."""
        return self.status if self.code == CLD_EXITED else None

    @property
    def signal_name(self) -> str | None:
        """Such as ``SIGSEGV``; None if the process exited."""
        if self.code == CLD_EXITED:
            return None
        try:
            return signal.Signals(self.status).name
        except ValueError:
            return f"signal {self.status}"

    @property
    def place(self) -> str | None:
        """Where the program was: ``cell 7, line 3``."""
        if self.cell is None:
            return None
        return f"cell {self.cell}" + ("" if self.line is None else f", line {self.line}")

    @property
    def cause(self) -> str:
        """The signal or exit status with all that is known about it, on one line."""
        name = self.signal_name
        if name is None:
            what = "the main thread" if self.main_thread else "its process"
            text = f"the cell ended {what} with exit status {self.status}"
            return f"{text}: {self.reason}" if self.reason else text
        words = _SIGNAL_TEXT.get(name)
        text = name + (f" ({words})" if words else "")
        if self.fault_address is not None:
            text += f" at address {self.fault_address:#x}"
        return f"{text}: {self.reason}" if self.reason else text

    @property
    def text(self) -> str:
        """The whole report: place and cause, then the call stack, a frame a line."""
        place = self.place
        lines = [self.cause if place is None else f"{place}: {self.cause}"]
        before = ""
        repeated = 0
        number = 0
        for frame in self.frames:
            text = str(frame)
            if text == before and not frame.skipped:
                repeated += 1
            else:
                lines += _repetition(repeated)
                repeated = 0
                if frame.skipped:
                    lines.append(f"  … {frame.skipped} frames that were not recorded")
                    number += frame.skipped
                lines.append(f"  #{number} {text}")
            number += 1
            before = text
        lines += _repetition(repeated)
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.cause if self.signal_name is None else f"the cell died: {self.cause}"


def _repetition(times: int) -> list[str]:
    return [f"  … the same {times} times more"] if times else []
