"""Fixtures of the contract tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.contract import executor_rig, librarian_rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[executor_rig.Rig]:
    """Return an executor with one JITDylib, closed in order afterwards."""
    yield from executor_rig.rig(tmp_path)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[librarian_rig.Desk]:
    """Return a librarian with a search path of one empty directory."""
    yield from librarian_rig.desk(tmp_path, monkeypatch)
