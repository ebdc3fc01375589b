"""Cells that Clang instruments."""

from __future__ import annotations

import pytest

from farside.errors import Crashed, OptionError

from .conftest import NewSession, shown

TRAP = ("-fsanitize=undefined", "-fsanitize-trap=undefined")


@pytest.mark.parametrize("use_pch", [True, False])
def test_undefined_behaviour_traps(new_session: NewSession, use_pch: bool) -> None:
    session = new_session(xcc=TRAP, use_pch=use_pch)
    session.run("int quotient(int a) { return 3 / a; }")
    assert shown(session.run("quotient(1)")) == "3"
    with pytest.raises(Crashed, match="SIGILL"):
        session.run("quotient(0)")
    assert shown(session.run("quotient(3)")) == "1"


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_what_needs_a_run_time_library_is_refused(new_session: NewSession, kind: str) -> None:
    session = new_session(xcc=(f"-fsanitize={kind}",))
    with pytest.raises(
        OptionError, match=f"cannot be compiled with -fsanitize={kind}: the process"
    ):
        session.run("1")
