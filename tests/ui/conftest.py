"""A console on a session without processes."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pytest

from farside.ui.console import Console
from tests.ui.fake import FakeSession


@dataclass
class Desk:
    """A console, its session, and what it wrote."""

    session: FakeSession
    console: Console
    out: io.StringIO
    err: io.StringIO


@pytest.fixture
def desk() -> Desk:
    session, out, err = FakeSession(), io.StringIO(), io.StringIO()
    return Desk(session, Console(session, out, err), out, err)
