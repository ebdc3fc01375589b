"""The settings of the terminal, which the program on the far side shares with its user.

A program that takes the terminal into raw mode and dies, or is taken back, would leave it so: no
copy of a process holds a terminal. The user could then neither type nor interrupt.
"""

from __future__ import annotations

import os
from contextlib import suppress

from farside.annotations import Any

_STANDARD = (0, 1, 2)


class Terminal:
    """A terminal, and settings of it that can be gone back to."""

    def __init__(self, descriptor: int) -> None:
        """Note the present settings of an open terminal, as those that the user has chosen."""
        self._descriptor = descriptor
        self._chosen = self._present()
        self._before_cell = self._chosen

    @classmethod
    def of_streams(cls) -> Terminal | None:
        """Return the terminal of the standard streams; None where none of them is one."""
        for descriptor in _STANDARD:
            if os.isatty(descriptor):
                return cls(descriptor)
        return None

    def note_choice(self) -> None:
        """Take the present settings for those that the user has chosen."""
        self._chosen = self._present()

    def begin_cell(self) -> None:
        """Note the settings before a cell."""
        self._before_cell = self._present()

    def take_back(self) -> bool:
        """Go back to the settings before the cell; tell whether there was anything to do."""
        return self._restore(self._before_cell)

    def give_back(self) -> bool:
        """Go back to what the user has chosen; tell whether there was anything to do."""
        return self._restore(self._chosen)

    def _present(self) -> list[Any] | None:
        """Return the settings, None where the terminal has gone or is another job's now."""
        import termios

        try:
            if os.tcgetpgrp(self._descriptor) != os.getpgrp():
                return None
        except OSError:
            pass  # it is not the controlling one, so it has no jobs
        try:
            return termios.tcgetattr(self._descriptor)
        except termios.error:
            return None

    def _restore(self, settings: list[Any] | None) -> bool:
        import termios

        present = self._present()
        if settings is None or present is None or present == settings:
            return False
        with suppress(termios.error):
            # Not after what is still to be written: the terminal may be stopped by Ctrl-S.
            termios.tcsetattr(self._descriptor, termios.TCSANOW, settings)
        return True
