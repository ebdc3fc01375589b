"""Macros of the user do not reach farside's own headers, and are there again after them."""

from __future__ import annotations

from tests.session.conftest import NewSession, shown

NAMES = "A C D E F K N P R T X in out data first number other size text value".split()


def test_they_are_hidden_and_come_back(new_session: NewSession) -> None:
    session = new_session()
    session.run("\n".join(f"#define {name} {number}" for number, name in enumerate(NAMES)))
    session.run("#include <map>\n#include <vector>\nstruct S { int a; };")
    session.run(
        "long sum(std::vector<long> v) { return v[0] + v[1] + N; } int id(int a) { return a; }"
    )
    assert session.fn.sum([1, 2]) == 3 + NAMES.index("N")
    assert session.fn.id(1) == 1
    assert shown(session.run("std::map<int, S>{{1, {2}}}")) == "{ 1 => { a = 2 } }"
    displays = session.run("#include <farside/display.h>\nfarside::display(value);").displays
    assert [str(each) for each in displays] == [str(NAMES.index("value"))]
    assert shown(session.run(" + ".join(NAMES))) == str(sum(range(len(NAMES))))


def test_those_of_the_command_line(new_session: NewSession) -> None:
    session = new_session(defines=("X=1", "T=2", "size=3", "_X=4"))
    assert shown(session.run("X + T + size + _X")) == "10"
