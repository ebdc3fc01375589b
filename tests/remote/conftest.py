"""Sessions on other far sides than the usual one, whatever FARSIDE_TEST_FAR_SIDE says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from farside.options import Options
from farside.session import Session
from tests.far_sides import STOCK, Front, front


@pytest.fixture
def stock() -> Iterator[Session]:
    """Return a capturing session on LLVM's own executor."""
    with Session(Options(output="capture", executor=STOCK)) as session:
        yield session


@pytest.fixture
def listening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves_nothing: object
) -> Iterator[Front]:
    """Return a front with TLS and a token; no process of it is left at the end."""
    monkeypatch.setenv("FARSIDE_KNOWN_EXECUTORS", str(tmp_path / "known"))
    with front(tmp_path) as running:
        yield running
