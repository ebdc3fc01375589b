"""Sessions for calls from Python."""

from __future__ import annotations

from tests.session.conftest import far_side_options, new_session, session

__all__ = ["far_side_options", "new_session", "session"]
