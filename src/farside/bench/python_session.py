"""A session of this Python process, driven like the prompts."""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter

from farside.annotations import TYPE_CHECKING
from farside.bench.repl import announce
from farside.bench.rows import PeerFailed
from farside.errors import FarSideError, FarsideError, Interrupted
from farside.options import Options
from farside.session import Session
from farside.source.cells import split_inputs

if TYPE_CHECKING:
    from farside.outcome import CellResult


class PythonSession:
    """A `Session` with the interface of `farside.bench.repl.Repl`.

    Attributes:
        session: the session.
        result: of the last cell that was run, None after one that failed.
    """

    def __init__(self, opt: int | None = None, **options: object) -> None:
        self.session = Session(Options(output="capture", opt=opt).with_(**options))
        self.result: CellResult | None = None

    def run(self, *lines: str, patience: float = 0, faults: bool = False) -> float:
        """Run cells one by one and return the seconds that they took.

        Raises:
            PeerFailed: a cell failed, and faults were not expected.
        """
        text = "\n".join(lines).replace("{mark}", announce("mark"))
        inputs = list(split_inputs(text.splitlines()))
        started = perf_counter()
        for each in inputs:
            self.result = None
            try:
                if each == "%undo":
                    self.session.undo()
                else:
                    self.result = self.session.run(each)
            except Interrupted as error:
                raise KeyboardInterrupt from error
            except FarsideError as error:
                if not faults:
                    raise PeerFailed(str(error).splitlines()[0]) from error
        return perf_counter() - started

    def close(self) -> None:
        """End the session."""
        with suppress(FarSideError):
            self.session.close()
