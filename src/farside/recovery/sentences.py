"""What the user is told of a recovery: what was done, and what of a cell stays done."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.orc import bootstrap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.accounts import WentBack


AS_IT_WAS = "the program's state is as it was before the cell"
CAUGHT_UP = (
    "there was no snapshot of the last state, so these cells were run again; what they wrote to"
    " files or other places was written again"
)
TAKEN_BACK_TOO = "there was no snapshot of the last state; these cells were taken back, too"
STARTED_AGAIN = "the far side was started again; variables have their initial values"

RUN_AGAIN = (
    "the far side was started again and the cells were run again; what they got from files, input,"
    " clock, addresses or random numbers may differ, and what they wrote was written again"
)
NO_STATE_AFTER = "there was no state after"  # calls, which were taken back
LOSSES = (NO_STATE_AFTER, TAKEN_BACK_TOO, STARTED_AGAIN, RUN_AGAIN)


def remains(remarks: Mapping[int, int], captured: int) -> tuple[str, ...]:
    """Say what of a cell that was taken back is not undone.

    Args:
        remarks: of the supervisor.
        captured: bytes that came through the captured streams, which the user has.
    """
    notices = []
    written = remarks.get(bootstrap.REMARK_WRITTEN, 0) - captured
    if written > 0:
        were = "a byte that it wrote to a file or another place stays"
        if written > 1:
            were = f"{written} bytes that it wrote to files or other places stay"
        notices.append(f"{were} written")
    if others := remarks.get(bootstrap.REMARK_OTHERS_ENDED, 0):
        were = "a process that the program had started was"
        if others > 1:
            were = f"{others} processes that the program had started were"
        notices.append(f"{were} ended")
    return tuple(notices)


def stopped(remarks: Mapping[int, int]) -> tuple[str, ...]:
    """Say by what a program was stopped that goes on."""
    notices = []
    if (number := remarks.get(bootstrap.REMARK_CONTINUED)) is not None:
        notices.append(f"the program was stopped by signal {number} and was continued")
    if (number := remarks.get(bootstrap.REMARK_TRACED)) is not None:
        notices.append(
            f"the program asked to be traced (PTRACE_TRACEME) and was stopped by signal {number};"
            " there is no debugger, so it was let go"
        )
    return tuple(notices)


def not_undone(went_back: WentBack) -> list[str]:
    """Say what a snapshot could not hold."""
    notices = []
    if went_back.threads:
        were = "a thread" if went_back.threads == 1 else f"{went_back.threads} threads"
        notices.append(f"{were} that ran beside the program's main one did not come back")
    if went_back.streams:
        were = "a pipe or socket" if went_back.streams == 1 else f"{went_back.streams} pipes"
        were += " and sockets" if went_back.streams > 1 else ""
        notices.append(f"{were} may have been read from or written to; that is not undone")
    return notices


def not_loaded(path: str) -> str:
    """Say that a file has gone with the cells that were taken back."""
    return f"{path} is not loaded any more"
