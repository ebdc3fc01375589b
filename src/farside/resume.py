"""How a saved session comes back: every accepted cell is run again, statements included.

The whole program is new, so nothing of it need be undone: a cell that fails is taken back as any
other, named, and the rest goes on.
"""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING, Protocol
from farside.dylibs import load_again
from farside.errors import (
    CppException,
    FarSideError,
    FarsideError,
    Interrupted,
    OptionError,
    SetupError,
)
from farside.records import NamedTuple
from farside.recovery.saved import SavedCell, SavedDylib

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.execution import ExecutionSession
    from farside.outcome import CellResult
    from farside.recovery.journal import Journal
    from farside.recovery.saved import SavedSession, Step


class Resumed(NamedTuple):
    """What came of bringing a session back.

    Attributes:
        cells: how many came back.
        failed: the numbers of the cells that did not, and why.
        notices: what the user should know, a sentence each; the failures are among them.
        stdout, stderr: what the cells wrote, where the session captures output.
    """

    cells: int
    failed: tuple[tuple[int, FarsideError], ...]
    notices: tuple[str, ...]
    stdout: str
    stderr: str


class Resumable(Protocol):
    """What is needed of a session."""

    next_cell: int

    def run(self, code: str, *, dylib: str = "main") -> CellResult:
        """Run a cell."""

    def load(self, path: str) -> str:
        """Load a library or link an object."""

    def operate(self, what: str, action: Callable[[ExecutionSession, Journal], None]) -> None:
        """Do something besides running a cell."""


def replay(session: Resumable, saved: SavedSession) -> Resumed:
    """Do again, in a new session, what a file says.

    Raises:
        SetupError, OptionError: no cell can be run at all.
    """
    came_back = 0
    failed: list[tuple[int, FarsideError]] = []
    notices: list[str] = []
    written: list[tuple[str, str]] = []
    if saved.incomplete:
        notices.append(f"the last line of {saved.path} is incomplete and was left out")
    if saved.directory != os.getcwdb().decode(errors="replace"):
        notices.append(f"the session was saved in {saved.directory}, not in this directory")
    for position, step in enumerate(saved.steps):
        try:
            result = _do(session, step)
        except CppException as error:
            written.append((error.stdout, error.stderr))
            came_back += 1
            notices.append(f"{error}")
        except Interrupted as error:
            written.append((error.stdout, error.stderr))
            rest = [each.cell for each in saved.steps[position:] if isinstance(each, SavedCell)]
            failed += [(cell, error) for cell in rest]
            notices.append(f"interrupted; not brought back: {_cells(rest)}")
            break
        except SetupError:
            raise
        except FarsideError as error:
            if isinstance(error, OptionError) and isinstance(step, SavedCell):
                raise  # Clang refuses the session's options
            if isinstance(error, FarSideError):
                written.append((error.stdout, error.stderr))
            if isinstance(step, SavedCell):
                failed.append((step.cell, error))
                notices.append(f"cell {step.cell} did not come back: {_first_line(error)}")
            else:
                notices.append(f"{_first_line(error)}")
        else:
            if result is not None:
                written.append((result.stdout, result.stderr))
                came_back += 1
    session.next_cell = max(
        [session.next_cell, *(each.cell + 1 for each in saved.steps if isinstance(each, SavedCell))]
    )
    what = "1 cell was" if came_back == 1 else f"{came_back} cells were"
    notices.append(
        f"{what} run again; what they got from files, input, clock, addresses or random numbers may"
        " differ, and what they wrote was written again"
    )
    stdout, stderr = ("".join(each[stream] for each in written) for stream in (0, 1))
    return Resumed(came_back, tuple(failed), tuple(notices), stdout, stderr)


def _do(session: Resumable, step: Step) -> CellResult | None:
    if isinstance(step, SavedCell):
        session.next_cell = step.cell
        return session.run(step.code, dylib=step.dylib)
    if isinstance(step, SavedDylib):

        def make(execution: ExecutionSession, journal: Journal) -> None:
            for name in (step.name, *step.link_order):
                execution.platform.jitdylib(name)
                journal.dylibs.setdefault(name, ())
            execution.platform.set_link_order(step.name, step.link_order)
            journal.dylibs[step.name] = step.link_order

        session.operate(f"making JITDylib {step.name}", make)
    elif step.kind == "load":
        session.load(step.path)
    else:

        def load(execution: ExecutionSession, journal: Journal) -> None:
            load_again(execution, step)
            journal.add_file(step.path, kind=step.kind, dylib=step.dylib)

        session.operate(f"loading {step.path or step.dylib}", load)
    return None


def _cells(numbers: list[int]) -> str:
    return f"cell{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def _first_line(error: FarsideError) -> str:
    return str(error).partition("\n")[0]
