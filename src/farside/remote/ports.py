"""What an executor is given by its owner: where output goes, and where interrupts come from."""

from __future__ import annotations

from farside.annotations import Protocol


class OutputSink(Protocol):
    """Receives captured output as it comes; must not call back into the executor."""

    def stdout(self, data: bytes) -> None:
        """Take bytes that the far side wrote to its standard output."""

    def stderr(self, data: bytes) -> None:
        """Take bytes that the far side wrote to its standard error."""


class Interrupts(Protocol):
    """Where the wish to stop a call comes from."""

    def fileno(self) -> int:
        """Return a descriptor that is readable when there is one."""

    def deliver(self) -> None:
        """Take note of it. Raises KeyboardInterrupt if the call may be broken off now."""
