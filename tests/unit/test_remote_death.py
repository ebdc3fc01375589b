"""The words for each kind of death."""

from __future__ import annotations

import signal

import pytest

from farside.remote.death import CLD_DUMPED, CLD_EXITED, CLD_KILLED, DeathReport


@pytest.mark.parametrize(
    ("report", "name", "status", "text"),
    [
        (DeathReport(1, CLD_EXITED, 3), None, 3, "ended its process with exit status 3"),
        (DeathReport(1, CLD_KILLED, 11), "SIGSEGV", None, "died: SIGSEGV (segmentation fault)"),
        (DeathReport(1, CLD_DUMPED, 6), "SIGABRT", None, "died: SIGABRT (aborted)"),
        (DeathReport(1, CLD_KILLED, 9), "SIGKILL", None, "died: SIGKILL (killed)"),
        (DeathReport(1, CLD_KILLED, 10), "SIGUSR1", None, "died: SIGUSR1"),
        (DeathReport(1, CLD_KILLED, 40), "signal 40", None, "died: signal 40"),
        (DeathReport(1, CLD_KILLED, -5), "signal -5", None, "died: signal -5"),
    ],
)
def test_words(report: DeathReport, name: str | None, status: int | None, text: str) -> None:
    assert report.signal_name == name
    assert report.exit_status == status
    assert str(report) == f"the cell {text}"


def test_every_signal_has_words() -> None:
    for number in signal.Signals:
        assert number.name in str(DeathReport(1, CLD_KILLED, number))
