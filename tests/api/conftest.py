"""Sessions for Python programs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from farside import Session


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """Return one session for all tests of a module, which use names of their own."""
    with Session(output="capture") as session:
        yield session


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session for one test."""
    with Session(output="capture") as session:
        yield session
