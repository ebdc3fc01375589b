"""The journal: every accepted cell, in order, with what is needed to bring it back.

Two things are kept of a cell. Its *source* with the compiler's cookie restores the AST in another
compiler process; its *object* restores code and variables in another executor without compiling
again. An object that defines nothing (the common ``x = x + 1;``) is not kept: nothing can refer to
it.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Literal
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from farside.frontend.cell import Declared


class JournalEntry(NamedTuple):
    """One accepted cell.

    Attributes:
        cell: its number in the session.
        code: its source.
        cookie: what the compiler wants back at a replay, so that symbol names come out the same.
        object_bytes: the relocatable object, or None where it defines nothing.
        dylib: the JITDylib that its code is in.
        redefines: the functions that it defines again, mangled.
        only_line: the line that all code of the object comes from, where the object does not tell
            lines; else 0.
        declared: the names that it declared, in their order.
    """

    cell: int
    code: str
    cookie: str
    object_bytes: bytes | None
    dylib: str = "main"
    redefines: tuple[str, ...] = ()
    only_line: int = 0
    declared: tuple[Declared, ...] = ()


FileKind = Literal["load", "object", "archive", "all_members", "open"]


class LoadedFile(NamedTuple):
    """What the user loaded besides cells, after the accepted cells before that number.

    Attributes:
        path: of the library, object or archive; empty for ``open``.
        before_cell: the next cell's number at that time.
        kind: how it was loaded; ``open`` says that a JITDylib was opened.
        dylib: the JITDylib that it went into, or that was opened.
    """

    path: str
    before_cell: int
    kind: FileKind = "load"
    dylib: str = "main"


class JournalState(NamedTuple):
    """What a journal says besides the cells, at some time."""

    files: tuple[LoadedFile, ...]
    dylibs: tuple[tuple[str, tuple[str, ...]], ...]


class Journal:
    """The accepted cells of a session, oldest first.

    Attributes:
        files: what was loaded besides, in order.
        dylibs: the JITDylibs that were made, with their link orders.
    """

    def __init__(self) -> None:
        self._entries: list[JournalEntry] = []
        self.files: list[LoadedFile] = []
        self.dylibs: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[JournalEntry]:
        return iter(self._entries)

    @property
    def last_cell(self) -> int:
        """The number of the newest accepted cell, 0 where there is none."""
        return self._entries[-1].cell if self._entries else 0

    @property
    def entries(self) -> Sequence[JournalEntry]:
        """The accepted cells, oldest first; not a copy."""
        return self._entries

    def accept(self, entry: JournalEntry) -> None:
        """Add the newest cell."""
        self._entries.append(entry)

    def add_file(self, path: str, *, kind: FileKind = "load", dylib: str = "main") -> None:
        """Remember a file that must be loaded again after a recovery."""
        self.files.append(LoadedFile(path, self.last_cell + 1, kind, dylib))

    def forget_open(self, dylib: str) -> None:
        """Remember that a JITDylib was closed as often as it was opened, but once."""
        for file in reversed(self.files):
            if file.kind == "open" and file.dylib == dylib:
                self.files.remove(file)
                return

    def is_open(self, dylib: str) -> bool:
        """Tell whether a JITDylib was opened and not closed."""
        return any(file.kind == "open" and file.dylib == dylib for file in self.files)

    def take_back(self, count: int) -> tuple[JournalEntry, ...]:
        """Remove the newest `count` cells and return them, newest first."""
        taken = tuple(reversed(self._entries[len(self._entries) - count :])) if count else ()
        del self._entries[len(self._entries) - len(taken) :]
        return taken

    def keep_only(self, survivors: Sequence[JournalEntry]) -> None:
        """Replace the cells by those that survived a recovery, in order."""
        self._entries = list(survivors)

    def state(self) -> JournalState:
        """Return what is written down besides the cells."""
        return JournalState(tuple(self.files), tuple(self.dylibs.items()))

    def return_to(self, state: JournalState) -> None:
        """Forget what was written down besides the cells since that state."""
        self.files = list(state.files)
        self.dylibs = dict(state.dylibs)
