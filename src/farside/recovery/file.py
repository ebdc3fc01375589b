"""A session's file, kept up to date while the session goes on.

`SessionFile.update` compares the journal with what the file holds. What was accepted since is
appended in one write; after anything else (an undo, a cell that was lost) the file is written anew
beside the old one and takes its place in one step, so that there is a whole file at any moment.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from threading import get_native_id

from farside.annotations import TYPE_CHECKING
from farside.errors import OptionError
from farside.recovery.saved import (
    SavedCell,
    SavedDylib,
    has_steps,
    header_line,
    is_session,
    lock,
    open_session,
    step_line,
)

if TYPE_CHECKING:
    from farside.options import Options
    from farside.recovery.journal import Journal, JournalEntry, LoadedFile
    from farside.recovery.saved import SavedSession


class SessionFile:
    """The file of one session.

    Attributes:
        path: absolute, links resolved.
    """

    def __init__(
        self,
        path: str,
        options: Options,
        journal: Journal,
        *,
        replace: bool = True,
        came_from: int | None = None,
    ) -> None:
        """Write a file with what the journal holds.

        Args:
            path: of the file. One that holds a saved session is replaced, any other kept.
            options: of the session.
            journal: of the session.
            replace: whether a file with a session in it may be replaced.
            came_from: the open file that is there, where the session came back from it.

        Raises:
            OptionError: it cannot be written, holds something else or is in use.
        """
        self._descriptor = -1
        self.path = os.path.realpath(path)
        self._header = header_line(options)
        self._size = 0
        self._failed = False
        self._cells = 0
        self._last: JournalEntry | None = None
        self._files: list[LoadedFile] = []
        self._dylibs: dict[str, tuple[str, ...]] = {}
        existing = -1
        if came_from is None and os.path.lexists(self.path):
            existing = self._take_existing(replace)
        try:
            self._rewrite(journal, new=came_from is None and existing < 0)
        except FileExistsError as error:
            raise OptionError(f"{path} is in use by another session") from error
        except OSError as error:
            raise OptionError(f"{path}: {error.strerror}") from error
        finally:
            if existing >= 0:
                os.close(existing)

    def _take_existing(self, replace: bool) -> int:
        """Refuse to replace what is not ours; return what is, open and locked.

        It stays locked until another file is in its place, or two sessions could both have it.
        """
        if not is_session(self.path):
            raise OptionError(f"{self.path} exists and holds no saved session; it is not replaced")
        if not replace and has_steps(self.path):
            raise OptionError(
                f"{self.path} holds a session; farside --resume brings it back and goes on with it"
            )
        return open_session(self.path)

    def update(self, journal: Journal) -> str | None:
        """Bring the file up to date.

        Returns:
            what the user should know: it could not be, for the first time; or it can again; or it
            had gone.
        """
        if self._is_current(journal):
            return None
        try:
            gone = self._has_gone()
            if not gone and self._is_older(journal):
                self._append(journal)
            else:
                self._rewrite(journal, new=gone)
        except OSError as error:
            already, self._failed = self._failed, True
            return None if already else f"the session is not kept in {self.path}: {error.strerror}"
        again, self._failed = self._failed, False
        if gone and not again:
            return f"{self.path} had gone; the session is kept there again"
        return f"the session is kept in {self.path} again" if again else None

    def _has_gone(self) -> bool:
        """Tell whether somebody has removed the file, or moved it. Raises OSError if replaced."""
        if self._descriptor < 0:
            return False
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            return True
        if not os.path.samestat(there, os.fstat(self._descriptor)):
            raise FileExistsError(errno.EEXIST, "another file has taken its place")
        return False

    def close(self) -> None:
        """Give the file back; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()

    # ------------------------------------------------------------------ what the file holds

    def _is_current(self, journal: Journal) -> bool:
        return (
            self._is_older(journal)
            and self._cells == len(journal)
            and len(self._files) == len(journal.files)
            and self._dylibs == journal.dylibs
        )

    def _is_older(self, journal: Journal) -> bool:
        """Whether the journal is what the file holds and perhaps more.

        Cells are removed from the journal only together with all that came later, or from the
        middle, and either shows at the place of the last.
        """
        return (
            self._cells <= len(journal)
            and (self._cells == 0 or journal.entries[self._cells - 1] is self._last)
            and journal.files[: len(self._files)] == self._files
            and self._dylibs.keys() <= journal.dylibs.keys()
        )

    def _steps(self, journal: Journal) -> bytes:
        """The lines of what the journal holds beyond the file, in order."""
        lines = [
            step_line(SavedDylib(name, order))
            for name, order in journal.dylibs.items()
            if self._dylibs.get(name) != order
        ]
        files = list(journal.files[len(self._files) :])
        for entry in journal.entries[self._cells :]:
            while files and files[0].before_cell <= entry.cell:
                lines.append(step_line(files.pop(0)))
            lines.append(step_line(SavedCell(entry.cell, entry.code, entry.dylib)))
        return b"".join([*lines, *map(step_line, files)])

    def _note(self, journal: Journal) -> None:
        self._cells = len(journal)
        self._last = journal.entries[-1] if len(journal) else None
        self._files = list(journal.files)
        self._dylibs = dict(journal.dylibs)

    # ------------------------------------------------------------------ writing

    def _append(self, journal: Journal) -> None:
        if self._descriptor < 0:
            raise OSError(9, "it was closed")
        data = self._steps(journal)
        try:
            _write_all(self._descriptor, data, self._size)
        except OSError:
            # Half a line would end the file for its reader.
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)
        self._note(journal)

    def _rewrite(self, journal: Journal, *, new: bool = False) -> None:
        """Write the file anew, and put it in the place of the old one or, if `new`, of none."""
        self._cells, self._last, self._files, self._dylibs = 0, None, [], {}
        data = self._header + self._steps(journal)
        beside = f"{self.path}.{os.getpid()}.{get_native_id()}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(beside, flags, 0o600)
        try:
            lock(descriptor, beside)
            _write_all(descriptor, data, 0)
            os.fsync(descriptor)
            if not (new and _link(beside, self.path)):
                os.rename(beside, self.path)
        except BaseException:
            os.close(descriptor)
            with suppress(OSError):
                os.unlink(beside)
            raise
        self.close()
        self._descriptor, self._size = descriptor, len(data)
        self._note(journal)


def go_on(
    saved: SavedSession, options: Options, journal: Journal, something_failed: bool
) -> tuple[SessionFile | None, str | None]:
    """Keep a session that came back in the file that it came from.

    Returns:
        the file, None where it cannot be written; and what the user should know.
    """
    try:
        if something_failed:
            with suppress(FileNotFoundError):
                os.unlink(f"{saved.path}~")
            os.link(saved.path, f"{saved.path}~")
        file = SessionFile(saved.path, options, journal, came_from=saved.descriptor)
    except (OSError, OptionError) as error:
        return None, f"the session is not kept in {saved.path}: {_reason(error)}"
    return file, f"{saved.path} as it was is kept as {saved.path}~" if something_failed else None


def _link(path: str, name: str) -> bool:
    """Give a file another name instead of its own, but not that of another file.

    Returns:
        False on a file system that cannot.

    Raises:
        FileExistsError: there is such a file.
    """
    try:
        os.link(path, name)
    except FileExistsError:
        raise
    except OSError:
        return False
    os.unlink(path)
    return True


def _reason(error: OSError | OptionError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        offset += written
        rest = rest[written:]
