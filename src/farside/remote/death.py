"""How the process that ran the cells ended."""

from __future__ import annotations

import signal
from typing import NamedTuple

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


class DeathReport(NamedTuple):
    """The end of a worker process, as the kernel told its supervisor.

    Attributes:
        pid: of the process that ended.
        code: ``si_code``: exited, killed, or killed with a core dump.
        status: the exit status, or the number of the signal.
    """

    pid: int
    code: int
    status: int

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

    def __str__(self) -> str:
        name = self.signal_name
        if name is None:
            return f"the cell ended its process with exit status {self.status}"
        text = _SIGNAL_TEXT.get(name)
        return f"the cell died: {name}" + (f" ({text})" if text else "")
