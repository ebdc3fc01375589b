"""What the far side writes to its standard streams, collected where the session captures it."""

from __future__ import annotations


class Output:
    """Collects the bytes of both streams between two calls of `take`.

    Attributes:
        capture: whether the far side writes into pipes at all; without, it has the near side's own
            stdout and stderr, and there is nothing to collect.
    """

    def __init__(self, capture: bool) -> None:
        self.capture = capture
        self._stdout = bytearray()
        self._stderr = bytearray()

    def stdout(self, data: bytes) -> None:
        """Take bytes from the far side's standard output."""
        self._stdout += data

    def stderr(self, data: bytes) -> None:
        """Take bytes from the far side's standard error."""
        self._stderr += data

    def take(self) -> tuple[str, str]:
        """Return and forget what has been written, decoded as UTF-8 with replacement."""
        if not self.capture:
            return "", ""
        taken = self._stdout.decode(errors="replace"), self._stderr.decode(errors="replace")
        self._stdout.clear()
        self._stderr.clear()
        return taken
