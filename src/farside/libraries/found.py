"""What an execution session has of `farside.libraries`: nothing, until the first undefined name.

Importing and starting what finds libraries waits for the first name that nothing loaded defines, so
that cells which need nothing pay nothing.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farside.errors import UndefinedSymbols
    from farside.libraries.autoload import Autoload, Loaded
    from farside.options import Options
    from farside.remote.executor import Executor
    from farside.remote.ports import Interrupts


class Program(NamedTuple):
    """What a program can be asked to do about libraries.

    Attributes:
        executor: runs it.
        load: makes it load a library; raises RemoteError, or as a cell does that ends or hangs.
        names: what linked code defines, for hints.
    """

    executor: Executor
    load: Callable[[str], object]
    names: Callable[[], Sequence[str]]


class FoundLibraries:
    """Makes an `Autoload` when it is first needed.

    Attributes:
        autoload: it; None before.
    """

    def __init__(
        self,
        options: Options,
        demangle: Callable[[str], str],
        interrupts: Interrupts | None,
        confirm: Callable[[str], bool | None],
    ) -> None:
        """Take what `Autoload` takes."""
        self._arguments = options, demangle, interrupts, confirm
        self.autoload: Autoload | None = None

    def provide(self, error: UndefinedSymbols, program: Program, served: set[str]) -> None:
        """Load libraries that define the names of an error; see `Autoload.provide`."""
        self._made().provide(error, program, served)

    def add_directory(self, path: str) -> None:
        """Look in a directory of the far side first; see `Autoload.add_directory`."""
        self._made().add_directory(path)

    def describe(self, program: Program) -> tuple[str, ...]:
        """Return sentences about what is loaded, where is looked, and what is skipped."""
        from farside.libraries.hints import described

        return described(self._made(), program.executor)

    def take_loaded(self) -> tuple[Loaded, ...]:
        """Return what was loaded by itself since the last time, in order."""
        return () if self.autoload is None else self.autoload.take_loaded()

    def forget_loaded(self) -> None:
        """Take note that the program went back to an earlier state."""
        if self.autoload is not None:
            self.autoload.forget_loaded()

    def loaded_set_changed(self) -> None:
        """Take note that libraries were loaded otherwise."""
        if self.autoload is not None:
            self.autoload.loaded_set_changed()

    def close(self) -> None:
        """End the librarian; the next question starts another."""
        if self.autoload is not None:
            self.autoload.close()

    def _made(self) -> Autoload:
        if self.autoload is None:
            from farside.libraries.autoload import Autoload

            self.autoload = Autoload(*self._arguments)
        return self.autoload
