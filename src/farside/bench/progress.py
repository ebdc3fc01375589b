"""How far a run has come: a bar on a terminal, a line for each row elsewhere."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.bench.report import measured
from farside.bench.rows import TITLES

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console
    from rich.progress import Progress, TaskID

    from farside.bench.rows import Row


class Bar:
    """Tells on a console which row and which column is being measured. A context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._row = ""

    def row(self, row: Row, rounds: int) -> None:
        """Begin a row of so many measurements."""
        self._row = f"{row.group}: {row.name}"
        if self._progress is not None:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(self._row, total=rounds)

    def column(self, title: str) -> None:
        """Begin a measurement."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=f"{self._row} ({title})", advance=1)

    def done(self, row: Row) -> None:
        """Print what came of a row, where it cannot be seen otherwise."""
        if self._progress is not None:
            return
        found = [f"{TITLES[key]} {' '.join(measured(row, key))}" for key in row.columns()]
        self._console.print(
            f"{row.group}: {row.name}, {row.unit}: {'; '.join(found)}", markup=False
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
            self._progress = Progress(*columns, console=self._console, transient=True)
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()
