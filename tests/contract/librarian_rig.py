"""Fixtures of the librarian's tests: an executor whose cache is the test's own, and a directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from farside.libraries.bloom import NameFilter
from farside.libraries.librarian import Defined, Librarian, ScanReport, start_librarian
from farside.remote.executor import Executor
from tests.contract.executor_rig import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest


class Desk:
    """An executor, librarians of it, and a directory of libraries.

    Attributes:
        place: the directory, alone on the search path.
        cache: the file cache.
        filter: what the scans sent.
    """

    def __init__(self, executor: Executor, place: Path, cache: Path) -> None:
        self.executor = executor
        self.place = place
        self.cache = cache
        self.filter = NameFilter()
        self.librarian = Librarian(start_librarian(executor))

    def another(self) -> None:
        """Replace the librarian by one that knows nothing."""
        self.librarian.close()
        self.librarian = Librarian(start_librarian(self.executor))

    def put(self, name: str, content: bytes, *, old: bool = True) -> Path:
        """Write a file; an old one is not one that was written a moment ago."""
        path = self.place / name
        path.write_bytes(content)
        if old:
            make_old(path)
        return path

    def scan(self, *, cache: bool = False, whole: bool = True) -> ScanReport:
        report = self.librarian.scan([str(self.place)], system=False, cache=cache, whole=whole)
        if report.whole:
            self.filter.replace(list(report.parts))
        else:
            self.filter.add(list(report.parts))
        return report

    def skipped(self) -> dict[str, str]:
        """Scan and return why files were skipped."""
        return {path.rpartition("/")[2]: why for path, why in self.scan().skipped}

    def find(self, name: str) -> tuple[Defined, ...]:
        stale, found = self.librarian.find([name])
        assert not stale
        assert not found[name] or name in self.filter
        return found[name]

    def where(self, name: str) -> list[str]:
        """Return the file names of the libraries that define a name."""
        return [each.library.path.rpartition("/")[2] for each in self.find(name)]


def make_old(path: Path) -> None:
    os.utime(path, (1_000_000_000, 1_000_000_000))


def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    place = tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Executor.spawn(PROGRAM) as executor:
        made = Desk(executor, place, tmp_path / "cache/farside/libraries.cache")
        yield made
        made.librarian.close()
