"""Sessions on other far sides than the usual one, whatever FARSIDE_TEST_FAR_SIDE says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from farside.options import Options
from farside.session import Session
from tests.far_sides import STOCKS, Front, front


@pytest.fixture(params=STOCKS, ids=str)
def stock(request: pytest.FixtureRequest) -> Iterator[Session]:
    """Return a capturing session on each of LLVM's own executors."""
    with Session(Options(output="capture", executor=request.param)) as session:
        yield session


@pytest.fixture
def listening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves_nothing: object
) -> Iterator[Front]:
    """Return a front with TLS and a token; no process of it is left at the end."""
    monkeypatch.setenv("FARSIDE_KNOWN_EXECUTORS", str(tmp_path / "known"))
    with front(tmp_path) as running:
        yield running
