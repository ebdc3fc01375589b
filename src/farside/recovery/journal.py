"""The journal: every accepted cell, in order, with what is needed to bring it back.

Two things are kept of a cell. Its *source* with the compiler's cookie restores the AST in another
compiler process; its *object* restores code and variables in another executor without compiling
again. An object that defines nothing (the common ``x = x + 1;``) is not kept: nothing can refer to
it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One accepted cell.

    Attributes:
        cell: its number in the session.
        code: its source.
        cookie: what the compiler wants back at a replay, so that symbol names come out the same.
        object_bytes: the relocatable object, or None where it defines nothing.
    """

    cell: int
    code: str
    cookie: str
    object_bytes: bytes | None


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A library, object or archive that the user loaded before the cell of that number."""

    path: str
    before_cell: int


class Journal:
    """The accepted cells of a session, oldest first."""

    def __init__(self) -> None:
        self._entries: list[JournalEntry] = []
        self.files: list[LoadedFile] = []

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

    def add_file(self, path: str, before_cell: int) -> None:
        """Remember a file that must be loaded again after a recovery."""
        self.files.append(LoadedFile(path, before_cell))

    def take_back(self, count: int) -> tuple[JournalEntry, ...]:
        """Remove the newest `count` cells and return them, newest first."""
        taken = tuple(reversed(self._entries[len(self._entries) - count :])) if count else ()
        del self._entries[len(self._entries) - len(taken) :]
        return taken

    def keep_only(self, survivors: Sequence[JournalEntry]) -> None:
        """Replace the cells by those that survived a recovery, in order."""
        self._entries = list(survivors)
