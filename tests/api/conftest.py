"""Sessions for Python programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from farside import Session


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session for one test."""
    with Session(output="capture") as session:
        yield session
