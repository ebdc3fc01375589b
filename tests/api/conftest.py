"""Sessions for Python programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from farside import Session
from tests.far_sides import far_side


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session for one test."""
    with far_side() as chosen, Session(output="capture", **chosen) as session:
        yield session
