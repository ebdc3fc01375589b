"""`Options.libraries`: what a session loads as it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farside.errors import FarsideError
from farside.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import NewSession

DECLARATION = 'extern "C" const char *zlibVersion();'


def test_they_are_there_for_the_first_cell(new_session: NewSession) -> None:
    session = new_session(libraries=["libz.so.1"], autoload="off")
    session.run(DECLARATION)
    assert str(session.eval("zlibVersion()")).startswith("1.")
    session.undo()
    assert session.run("zlibVersion()").value is not None


def test_one_that_is_not_there_is_an_error(new_session: NewSession) -> None:
    for path in ("/nowhere/libq.so", "/nowhere/q.o"):
        with pytest.raises(FarsideError, match="nowhere"):
            new_session(libraries=[path])


def test_they_are_loaded_once_by_coming_back(new_session: NewSession, tmp_path: Path) -> None:
    path = str(tmp_path / "kept")
    session = new_session(libraries=["libz.so.1"], autoload="off")
    session.save(path)
    session.run(DECLARATION)
    session.close()
    text = (tmp_path / "kept").read_text()
    assert text.count("libz.so.1") == 1
    with Session.resume(path, output="capture") as again:
        assert str(again.eval("zlibVersion()")).startswith("1.")
    assert (tmp_path / "kept").read_text().count("libz.so.1") == 1
