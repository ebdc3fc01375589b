"""Limits of a session: what goes beyond them costs one cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from farside.errors import CppException, TimedOut, TooMuchOutput

from .conftest import run_all, shown

if TYPE_CHECKING:
    from farside.result.bundle import Display

    from .conftest import NewSession


def test_time(new_session: NewSession) -> None:
    session = new_session(time_limit=0.3)
    session.run("int x = 3;")
    with pytest.raises(TimedOut, match=r"cell 2 ran longer than its limit of 0.3 seconds"):
        session.run("x = 4; for (volatile int i = 0;; i = 1 - i) {}")
    assert shown(session.run("x")) == "3"


@pytest.mark.parametrize("loop", ["while (true) ++x;", "for (;;) { x = 5; }", "do ++x; while (1);"])
def test_loop_that_the_optimiser_may_take_to_end(new_session: NewSession, loop: str) -> None:
    """C++ lets a compiler delete a loop without an end and all that follows; a cell is stopped."""
    session = new_session(time_limit=0.3)
    session.run("int x = 3;")
    with pytest.raises(TimedOut, match=r"cell 2 ran longer"):
        session.run(loop)
    assert shown(session.run("x")) == "3"


def test_output_without_end(new_session: NewSession) -> None:
    session = new_session(output_limit=100_000)
    session.run('#include <cstdio>\nint x = 3; int say() { return printf("start\\n"); }')
    with pytest.raises(TooMuchOutput, match=r"cell 2 was stopped .* 100000 bytes") as caught:
        session.run('x = 4; for (;;) fputs("again\\n", stdout);')
    assert caught.value.stdout.startswith("again\nagain\n")
    assert len(caught.value.stdout) == 100_000
    result = run_all(session, "say();", "x")
    assert (result.stdout, shown(result)) == ("", "3")


def test_output_below_the_limit_in_each_cell(new_session: NewSession) -> None:
    session = new_session(output_limit=100_000)
    session.run("#include <cstdio>")
    for _ in range(3):
        result = session.run('for (int i = 0; i < 9000; ++i) fputs("0123456789", stdout);')
        assert len(result.stdout) == 90_000


def test_displays_without_end(new_session: NewSession) -> None:
    session = new_session(output_limit=100_000)
    session.run("#include <farside/display.h>\n#include <string>\nint x = 3;")
    with pytest.raises(TooMuchOutput, match=r"cell 2 was stopped .* showed more than 100000"):
        session.run("x = 4; for (;;) farside::display(std::string(5000, 'a'));")
    many = "for (int i = 0; i < 40; ++i) farside::display(std::string(5000, 'a'));"
    heard: list[Display] = []
    session.on_display = heard.append
    result = session.run(many)
    assert len(heard) == 40
    assert result.displays == tuple(heard[: len(result.displays)])
    assert 0 < len(result.displays) < 20
    assert any("not in the result" in notice for notice in result.notices)
    result = run_all(session, "farside::display(1);", "x")
    assert (len(session.run("farside::display(1);").displays), shown(result)) == (1, "3")


def test_memory(new_session: NewSession) -> None:
    session = new_session(memory_limit=512 << 20)
    session.run("#include <vector>\n#include <cstdlib>\nint x = 3;")
    with pytest.raises(CppException, match="std::bad_alloc") as caught:
        session.run("std::vector<char> big(1 << 30);")
    assert "the program may allocate 536870912 bytes" in caught.value.__notes__
    assert shown(session.run("malloc(1 << 30) == nullptr")) == "true"
    assert shown(session.run("x")) == "3"
