"""The part of a session that goes back in its past, and that keeps it for later sessions."""

from __future__ import annotations

import os
from contextlib import contextmanager

from farside.annotations import TYPE_CHECKING
from farside.errors import FarSideLost, OptionError, RemoteError
from farside.outcome import Checkpoint, Past

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from farside.accounts import KeptState
    from farside.execution import ExecutionSession
    from farside.interrupts import InterruptGate
    from farside.options import Options
    from farside.recovery.file import SessionFile
    from farside.recovery.journal import Journal
    from farside.recovery.saved import SavedSession
    from farside.rescue import Rescue
    from farside.resume import Resumed


class GoingBack:
    """What `farside.session.Session` inherits: `undo`, checkpoints, `history`, `save`.

    Attributes:
        resumed: what came of bringing the session back, None for a new one.
    """

    options: Options
    resumed: Resumed | None = None
    _execution: ExecutionSession
    _file: SessionFile | None = None
    _gate: InterruptGate
    _journal: Journal
    _rescue: Rescue

    if TYPE_CHECKING:

        def _exclusive(self) -> AbstractContextManager[None]: ...

        def _recovering(self, what: str) -> AbstractContextManager[None]: ...

        @contextmanager
        def _reviving(self, what: str) -> Iterator[None]: ...

        def _keep(self) -> None: ...

        def _look_ahead(self) -> None: ...

    def undo(self, count: int = 1) -> tuple[str, ...]:
        """Take back the newest `count` cells: names, symbols, memory, and all that they did.

        Where the state before them is not kept any more, what they did to older variables stays.

        Returns:
            what the user should know, a sentence each.

        Raises:
            OptionError: there are not that many cells; nothing is taken back.
            TypeError: that is no number.
        """
        if not isinstance(count, int):
            raise TypeError(f"undo takes a number of cells, not {count!r}")
        with self._exclusive():
            if count < 1 or count > len(self._journal):
                have = len(self._journal)
                cells = "1 cell" if count == 1 else f"{count} cells"
                raise OptionError(f"cannot undo {cells}: {have} can be taken back")
            names = self._newest_images(count)
            state = self._execution.keeps_before(names)
            users = self._execution.users_of(names)
            if users:
                raise OptionError(f"cannot undo {names[0]}: {', '.join(users)} refers to it")
            self._journal.take_back(count)
            failure: RemoteError | None = None
            with self._recovering("undo"):
                notices = None if state is None else self._back_to(state)
                if notices is None:
                    for name in reversed(names):
                        try:
                            with self._gate.wait():
                                self._execution.remove(name)
                        except RemoteError as error:
                            failure = failure or error  # a destructor threw; the cell is gone
                    self._keep()
                    if (state := self._execution.present) is not None:
                        state.snapshot.ready(1.0)  # no cells that could be run again lead here
                    notices = (
                        "only what the cells defined was taken back: the state before them is not"
                        " kept any more",
                    )
            self._rescue.rollback_compiler()
            if failure is not None:
                raise failure
            return notices

    def _back_to(self, state: KeptState) -> tuple[str, ...] | None:
        """Go back to a kept state; return None, with the program as it is, if that has just gone.

        Returns:
            what the user should know, a sentence each.
        """
        self._rescue.begin_rollback()
        self._look_ahead()
        try:
            return self._rescue.go_back(state)
        except FarSideLost:
            if not self._execution.usable:
                raise
            return None

    def checkpoint(self, name: str) -> None:
        """Keep the present state under a name, until the session ends or goes back before it.

        A name that is in use is given to the present state.

        Args:
            name: printable, and not empty.

        Raises:
            TypeError: the name is no str.
            OptionError: the name is empty or not printable; snapshots are switched off, or none of
                the present state could be taken.
        """
        _check_name(name)
        with self._exclusive(), self._reviving(f"keeping the checkpoint {name}"):
            state = self._execution.present
            # Calls change the program, and not each of them is followed by a snapshot.
            if (
                self._execution.calls.unsettled
                or state is None
                or not self._execution.is_kept(state)
            ):
                self._keep()
                state = self._execution.present
            if state is None or not self._execution.is_kept(state):
                raise OptionError("there is no snapshot of the present state to keep (--snapshots)")
            self._drop_checkpoint(name)
            state.pins += 1
            self._rescue.checkpoints[name] = Checkpoint(name, self._journal.last_cell, state)

    def restore(self, name: str) -> tuple[str, ...]:
        """Go back to a checkpoint: the program, its names, everything.

        The checkpoint stays; those that are younger are gone.

        Returns:
            what the user should know, a sentence each.

        Raises:
            TypeError: the name is no str.
            OptionError: there is no such checkpoint, or the process that kept it has ended.
        """
        _check_name(name)
        with self._exclusive():
            found = self._rescue.checkpoint(name)
            with self._recovering(f"restoring {name}"):
                went_back = self._execution.go_back(found.state)
                self._journal.keep_only([e for e in self._journal if e.cell <= found.cell])
                notices = self._rescue.follow(found.state, went_back)
            self._rescue.rollback_compiler()
            return notices

    def history(self) -> tuple[Past, ...]:
        """Return the accepted cells, oldest first, and what can be gone back to."""
        return self._rescue.history()

    # ------------------------------------------------------------------ beyond this process

    def save(self, path: str, *, replace: bool = True) -> str:
        """Keep the accepted cells in a file from now on, so that `resume` can bring them back.

        Each cell is there when `run` returns, whatever becomes of this process afterwards.

        Args:
            path: of the file; one that holds another session is replaced.
            replace: whether it is.

        Returns:
            a sentence about it.

        Raises:
            OptionError: the file cannot be written, holds something else, or is in use.
        """
        from farside.recovery.file import SessionFile

        if "\0" in path:
            raise OptionError(f"{path!r} cannot name a file")
        with self._exclusive():
            if self._file is not None and self._file.path == os.path.realpath(path):
                return f"the session is kept in {path} already"
            file = SessionFile(path, self.options, self._journal, replace=replace)
            if self._file is not None:
                self._file.close()
            self._file = file
        return f"the session is kept in {path} from now on"

    def _go_on_in(self, saved: SavedSession) -> None:
        """Keep a session that came back in its file; `resumed` says if that cannot be."""
        from farside.recovery.file import go_on

        assert self.resumed is not None
        self._file, notice = go_on(saved, self.options, self._journal, bool(self.resumed.failed))
        if notice:
            self.resumed = self.resumed._replace(notices=(*self.resumed.notices, notice))

    def _write_down(self) -> tuple[str, ...]:
        """Bring the session's file up to date, if it has one; return what went wrong."""
        notice = self._file.update(self._journal) if self._file is not None else None
        return () if notice is None else (notice,)

    def _newest_images(self, count: int) -> list[str]:
        """Return the images of the newest cells, and of calls compiled after the first of them."""
        cells = [f"cell {entry.cell}" for entry in self._rescue.journal.entries[-count:]]
        images = self._execution.images_since(cells)
        return [
            *[name for name in images if name in cells or name.startswith("call ")],
            *[name for name in cells if name not in images],
        ]

    def _drop_checkpoint(self, name: str) -> None:
        if (found := self._rescue.checkpoints.pop(name, None)) is not None:
            found.state.pins -= 1


def _check_name(name: str) -> None:
    """Refuse what is no name of a checkpoint.

    Raises:
        TypeError: it is no str.
        OptionError: it is empty or not printable.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a checkpoint is a str, not {type(name).__name__}")
    if not name or not name.isprintable():
        raise OptionError(f"{name!r} is no name of a checkpoint: it must be printable, not empty")
