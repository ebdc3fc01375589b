"""The door of the command ``farside``.

The compiler takes longer to start than Python to find out what is asked of it, so its process is
started before anything else is imported; `farside.command` goes on from there.
"""

from __future__ import annotations

import gc
import os
import sys

from farside.frontend.process import drop_spare, launch_spare

TYPE_CHECKING = False  # as of `typing`, which takes a tenth of the time to the first result
if TYPE_CHECKING:
    from collections.abc import Sequence

# What needs no compiler, or not at once.
_OTHERS = frozenset(("bench", "executor", "link", "run", "-h", "--help", "--version"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (without the command's name) and return its exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    collects = gc.isenabled()
    try:
        _open_missing_streams()
        if _OTHERS.isdisjoint(words[:1]):
            launch_spare()
            # Nothing of what is imported is garbage. `farside.command` turns it on again.
            gc.disable()
        from farside.command import run

        return run(words)
    except KeyboardInterrupt:
        from farside.ui.inputs import EXIT_INTERRUPTED

        return EXIT_INTERRUPTED
    finally:
        drop_spare()
        if collects:
            gc.enable()


def _open_missing_streams() -> None:
    """Give the standard streams that the caller closed a place to go to."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != descriptor:
                os.dup2(null, descriptor)
                os.close(null)
            setattr(sys, name, open(descriptor, mode, closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    sys.exit(main())
