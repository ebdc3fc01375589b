"""Loading the library that defines what a cell refers to and nothing loaded does.

Nothing here happens before the first name that nothing defines. Then a librarian is started on the
far side (`farside.libraries.librarian`), looks through the search path, and sends its filter; from
then on a name that no library has is ruled out on this side. What was asked for in vain is
remembered until the search path changes, which the librarian says, or a library is loaded.

All names of one link are settled before anything is loaded: if one of them is nowhere, nothing is.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.errors import (
    FarsideError,
    FarSideLost,
    OptionError,
    ProtocolError,
    RemoteError,
    SetupError,
    TimedOut,
)
from farside.libraries.bloom import NameFilter
from farside.libraries.choice import choose
from farside.libraries.hints import explained, notice_of, question_of
from farside.libraries.librarian import (
    Librarian,
    loaded_libraries,
    printable,
    start_librarian,
)
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from farside.errors import UndefinedSymbols
    from farside.libraries.choice import Choice
    from farside.libraries.found import Program
    from farside.libraries.librarian import Defined, ScanReport
    from farside.options import Options
    from farside.remote.executor import Executor
    from farside.remote.ports import Interrupts

_MOST_NAMES = 4096  # of one link that are looked for


class Loaded(NamedTuple):
    """A library that was loaded by itself.

    Attributes:
        path: its file on the far side.
        notice: the sentence that tells the user.
    """

    path: str
    notice: str


class Autoload:
    """Finds libraries for names that nothing defines, and has them loaded.

    Attributes:
        directories: the user's, which come first on the search path.
        report: of the last scan; None before the first.
        use_cache: whether what earlier sessions read may be used.
    """

    def __init__(
        self,
        options: Options,
        demangle: Callable[[str], str] = str,
        interrupts: Interrupts | None = None,
        confirm: Callable[[str], bool | None] = lambda _: None,
    ) -> None:
        """Make one that has not looked anywhere yet.

        Args:
            options: ``autoload`` and ``library_dirs`` count.
            demangle: makes names readable.
            interrupts: break off waits.
            confirm: asks the user a question; None says that nobody can be asked.
        """
        self._mode = options.autoload
        self._demangle = demangle
        self._interrupts = interrupts
        self._confirm = confirm
        self.directories = list(options.library_dirs)
        self.report: ScanReport | None = None
        self.use_cache = True
        self.filter = NameFilter()
        self._librarian: Librarian | None = None
        self._misses: set[str] = set()
        self._near: dict[str, tuple[tuple[str, str], ...]] = {}
        self._ran = -1  # the executor's count at the last question
        self._present: list[str] = []  # paths of what the program has, at the last question
        self._elsewhere: list[str] = []  # of those, what lies in no place of the search path
        self._loaded: list[Loaded] = []

    # ------------------------------------------------------------------ what the owner says

    def add_directory(self, path: str) -> None:
        """Look in a directory of the far side first from now on.

        Raises:
            OptionError: the path is not absolute.
        """
        if not path.startswith("/") or "\0" in path:
            raise OptionError(f"{path}: the path of a library directory must be absolute")
        if path not in self.directories:
            self.directories.append(path)
        self._forget_scan()

    def close(self) -> None:
        """End the librarian and forget what it said; the next question starts another."""
        self._end_librarian()
        self.forget_loaded()
        self._elsewhere.clear()

    def loaded_set_changed(self) -> None:
        """Take note that libraries were loaded or unloaded otherwise."""
        self._misses.clear()

    def take_loaded(self) -> tuple[Loaded, ...]:
        """Return what was loaded since the last time, in order."""
        loaded = tuple(self._loaded)
        self._loaded.clear()
        return loaded

    def forget_loaded(self) -> None:
        """Take note that the program is in a state before what `take_loaded` would return."""
        self._loaded.clear()
        self._misses.clear()
        self._ran = -1

    # ------------------------------------------------------------------ the question

    def provide(self, error: UndefinedSymbols, program: Program, served: set[str]) -> None:
        """Load libraries that define the names of an error, so that the link can be tried again.

        Args:
            error: of the link.
            program: that it is for.
            served: names that libraries were loaded for in this link already; is added to.

        Raises:
            UndefinedSymbols: a name is nowhere, or must not be loaded; the text says more.
            Crashed, FarSideLost: the far side ended in a library's initialiser.
        """
        if self._mode == "off":
            error.add_note("libraries were not looked through (--autoload=off)")
        if self._mode == "off" or len(error.symbols) > _MOST_NAMES:
            raise error
        try:
            found = self._find_twice(error.symbols, program.executor)
        except SetupError:  # not an executor of farside's
            raise error from None
        except (FarSideLost, TimedOut, ProtocolError) as failure:
            error.add_note(f"libraries could not be searched: {failure}")
            raise error from failure
        missing = [name for name in error.symbols if not found[name] or name in served]
        if missing:
            raise explained(error, missing, found, self, program)
        self._load(error, found, program)
        served.update(found)

    def _find_twice(
        self, names: Collection[str], executor: Executor
    ) -> dict[str, tuple[Defined, ...]]:
        """Ask another librarian if the first one dies: the program may have killed it."""
        try:
            return self.find(names, executor)
        except FarSideLost:
            self.use_cache = False  # which it may have choked on
            return self.find(names, executor)

    def find(self, names: Collection[str], executor: Executor) -> dict[str, tuple[Defined, ...]]:
        """Return where names are defined on the search path.

        Raises:
            SetupError: the executor has no librarian.
            FarSideLost, TimedOut, ProtocolError: it is of no use; the next question starts another.
        """
        try:
            return self._find(names, executor)
        except BaseException:
            self._end_librarian()
            raise

    def _find(self, names: Collection[str], executor: Executor) -> dict[str, tuple[Defined, ...]]:
        librarian = self._ready(executor)
        if executor.ran != self._ran:
            self._note_present(executor, librarian)
            self._ran = executor.ran
        asked = self._not_ruled_out(names)
        found: dict[str, tuple[Defined, ...]] = dict.fromkeys(names, ())
        if asked:
            stale, answers = librarian.find(asked)
            if stale:  # a library was replaced
                self._scan(librarian)
                asked = self._not_ruled_out(names)
                _, answers = librarian.find(asked)
            found.update(answers)
            self._misses.update([name for name in asked if not found[name]])
        return found

    def _note_present(self, executor: Executor, librarian: Librarian) -> None:
        """Take libraries that the program loaded from elsewhere for places of the search path.

        It may have hidden their names (RTLD_LOCAL).
        """
        self._present = loaded_libraries(executor)
        assert self.report is not None
        places = {*self.report.places, *self._elsewhere}
        elsewhere = [
            path
            for path in self._present
            if path not in places and path.rpartition("/")[0] not in places
        ]
        if elsewhere:
            self._elsewhere += elsewhere
            self._scan(librarian)

    def look(self, executor: Executor) -> ScanReport | None:
        """Return what the search path has now; None where it cannot be looked through."""
        try:
            self._ready(executor)
        except SetupError:
            return None
        except (FarSideLost, TimedOut, ProtocolError):
            self._end_librarian()
        return self.report

    def near(self, names: Sequence[str], limit: int) -> dict[str, tuple[tuple[str, str], ...]]:
        """Return names on the search path that are nearly like these, with their libraries.

        Empty if the librarian fails: this is about a hint.
        """
        asked = [name for name in names if name not in self._near]
        if asked and self._librarian is not None:
            try:
                self._near.update(self._librarian.near(asked, limit))
            except FarsideError:
                self._end_librarian()
        return {name: self._near.get(name, ()) for name in names}

    def demangle(self, name: str) -> str:
        """Return a name as the user wrote it."""
        return printable(self._demangle(name))

    def _ready(self, executor: Executor) -> Librarian:
        """Return the librarian, with a scan that is not older than the search path."""
        if self._librarian is None:
            self._librarian = Librarian(start_librarian(executor), self._interrupts)
        elif not executor.is_here:
            self._librarian.catch_up()
        if self.report is None or self._librarian.notice_changes() or not self.report.watching:
            self._scan(self._librarian)
        return self._librarian

    def _scan(self, librarian: Librarian) -> None:
        report = librarian.scan(
            [*self.directories, *self._elsewhere],
            cache=self.use_cache,
            whole=self.report is None,
        )
        if report.whole:
            self.filter.replace(list(report.parts))
        else:
            self.filter.add(list(report.parts))
        self.report = report._replace(parts=())
        self._misses.clear()
        self._near.clear()

    def _end_librarian(self) -> None:
        if self._librarian is not None:
            self._librarian.close()
        self._librarian = None
        self._forget_scan()

    def _forget_scan(self) -> None:
        self.report = None
        self._misses.clear()
        self._near.clear()

    def _not_ruled_out(self, names: Collection[str]) -> list[str]:
        misses, known = self._misses, self.filter
        return [name for name in names if name not in misses and name in known]

    # ------------------------------------------------------------------ the answer

    def _load(
        self, error: UndefinedSymbols, found: dict[str, tuple[Defined, ...]], program: Program
    ) -> None:
        """Load what the rule says; where the loader refuses one, what it says without that."""
        present = self._present
        refused: dict[str, str] = {}
        confirmed = self._mode == "on"
        rest = dict(found)
        while rest:
            choices = choose(rest, present)
            if not confirmed:
                self._ask(choices, error)
                confirmed = True
            choice = choices[0]
            path = choice.library.path
            try:
                program.load(path)
            except RemoteError as failure:
                refused[path] = printable(str(failure))
                rest = {
                    name: tuple([each for each in definitions if each.library.path not in refused])
                    for name, definitions in rest.items()
                }
                lacking = [name for name, definitions in rest.items() if not definitions]
                if lacking:
                    for why in refused.values():
                        error.add_note(why)
                    raise explained(error, lacking, found, self, program) from failure
                continue
            self._misses.clear()
            present.append(path)
            self._loaded.append(Loaded(path, notice_of(choice, self.demangle)))
            rest = {name: each for name, each in rest.items() if name not in choice.names}

    def _ask(self, choices: Sequence[Choice], error: UndefinedSymbols) -> None:
        answer = self._confirm(question_of(choices, self.demangle))
        if answer is None:
            for choice in choices:
                error.add_note(
                    f"{choice.library.path} defines {self.demangle(choice.names[0])};"
                    f" load it with %lib {choice.library.path}, or use --autoload=on"
                )
        if not answer:
            raise error
