"""Cells that are compiled while the one before them runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from farside.errors import CompileError, CompilerCrashed, FarsideError
from farside.session import Session
from tests.session.conftest import NewSession

CELLS = (
    "int x = 1;",
    "x = x + 1;",
    "x",
    "int broken = ;",
    "x += 3; x",
    "int twice(int);",
    "twice(x)",  # nothing defines it yet
    "another bad one",
    "int twice(int a) { return 2 * a; }",
    "twice(x)",
    "*(volatile int *)nullptr = x;",
    "int x2 = x; x2",
    'throw "up";',
    "x2 = 9; x2 + x",
    "template <class T> T half(T a) { return a / 2; }",
    "half(x2)",
    "template <class T> T half(T a) { return a / 3; }",
    "half(x2)",
    "struct S { int a; }; S s{7}; s",
    "struct S { long a, b; };",
    "S{1, 2}",
    "s.a",
    "volatile int q = x; q",
    "undeclared + 1",
    "q + x2",
)


def told(session: Session, code: str) -> str:
    """Run a cell and return what came of it, but for what differs from one run to the next."""
    try:
        result = session.run(code)
    except FarsideError as error:
        said = str(error).splitlines()[0]
        return f"{type(error).__name__}: {said.split(' at address ')[0]}"
    return f"{result.value} {[each.message for each in result.diagnostics]} {result.stdout}"


def run_all(session: Session, cells: tuple[str, ...], *, ahead: bool) -> list[str]:
    """Run cells, of which each knows the next if `ahead` says so."""
    found = []
    for number, code in enumerate(cells):
        following = cells[number + 1] if number + 1 < len(cells) else None
        session.upcoming = (lambda known=following: known) if ahead else None
        found.append(told(session, code))
    return found


def test_it_makes_no_difference(new_session: NewSession) -> None:
    one, other = new_session(), new_session()
    expected = run_all(one, CELLS, ahead=False)
    assert run_all(other, CELLS, ahead=True) == expected
    assert "(int) 5" in expected[4]
    assert "twice" in expected[6]
    assert "_Z" not in expected[6]
    assert [each.cell for each in other.history()] == [each.cell for each in one.history()]


def test_another_cell_may_come(session: Session) -> None:
    session.run("int a = 1;")
    session.upcoming = lambda: "int foreseen = 1;"
    session.run("a = 2;")
    session.upcoming = None
    session.run("int b = a;")
    with pytest.raises(FarsideError, match="foreseen"):
        session.run("foreseen")
    assert str(session.run("a + b").value) == "(int) 4"


def test_python_may_come_in_between(session: Session) -> None:
    session.run("int add(int a, int b) { return a + b; } int a = 1;")
    session.upcoming = lambda: "a = 10;"
    session.run("a = 2;")
    assert session.fn.add(1, 2) == 3
    assert session.eval("a") == 2
    session.upcoming = None
    session.run("a = 10;")
    assert session.type_of("a") == "int"
    assert session.eval("a") == 10


def test_a_file_is_read_when_the_cell_before_has_written_it(
    session: Session, tmp_path: Path
) -> None:
    header = tmp_path / "written.h"
    include = f'#include "{header}"'
    session.run("#include <fstream>")
    session.upcoming = lambda: include
    session.run(f'{{ std::ofstream out("{header}"); out << "int from_file = 7;\\n"; }}')
    session.upcoming = None
    session.run(include)
    assert session.eval("from_file") == 7


def test_data_is_read_when_the_cell_before_has_written_it(session: Session, tmp_path: Path) -> None:
    blob = tmp_path / "blob"
    blob.write_text("old")
    session.run("#include <fstream>")
    take = f'asm(".data\\nthedata: .incbin \\"{blob}\\"\\n.byte 0\\n.globl thedata\\n.text\\n");'
    session.upcoming = lambda: take
    session.run(f'{{ std::ofstream out("{blob}"); out << "new"; }}')
    session.upcoming = None
    session.run(take)
    session.run('extern "C" char thedata[];')
    assert session.eval("(const char *)thedata") == "new"


@pytest.mark.parametrize("upcoming", [lambda: 1 / 0, lambda: b"x", lambda: "x" * (1 << 20)])
def test_what_is_said_of_the_next_cell_does_no_harm(
    session: Session, upcoming: Callable[[], str]
) -> None:
    session.upcoming = upcoming
    with pytest.raises(CompileError, match="nosuch"):
        session.run("nosuch")
    session.upcoming = upcoming
    result = session.run("1 + 1")
    assert str(result.value) == "(int) 2"
    raised = session.upcoming is None
    assert ["upcoming raised ZeroDivisionError" in each for each in result.notices] == [
        True
    ] * raised
    session.upcoming = None
    assert session.eval("2 + 2") == 4


def test_the_next_cell_takes_for_ever(new_session: NewSession) -> None:
    session = new_session(xcc=("-fconstexpr-steps=2147483647",), compile_limit=2.0)
    endless = (
        "constexpr long spin(long n) { long r = 0; while (n-- > 0) r += n; return r; }"
        " constexpr long endless = spin(1L << 40);"
    )
    session.run("namespace nn { int foo(int, char const *); }")
    session.upcoming = lambda: endless
    result = session.run('int use() { return nn::foo(1, "a"); }')
    assert "nn::foo(int, char const*) is not defined yet" in result.notices[0]
    session.upcoming = None
    with pytest.raises(CompilerCrashed, match="did not come to an end"):
        session.run(endless)
    session.run("int nn::foo(int a, char const *) { return a; }")
    assert session.eval("use()") == 1


def test_undo_looks_ahead(session: Session) -> None:
    session.run("int a = 1;")
    for number in range(2, 6):
        session.run(f"int v = {number}; a = v;")
        session.upcoming = lambda: "long v = a; v"
        session.undo()
        session.upcoming = None
        assert str(session.run("long v = a; v").value) == "(long) 1"
        session.upcoming = lambda: "int w = nothing;"
        session.undo()
        session.upcoming = None
        with pytest.raises(FarsideError, match="nothing"):
            session.run("int w = nothing;")


def test_the_cell_before_is_interrupted(session: Session) -> None:
    session.run("#include <unistd.h>\nint a = 1;")
    session.upcoming = lambda: "int b = a;"

    def stop(_stream: str, _data: bytes) -> None:
        session.interrupt()

    session.on_output = stop
    with pytest.raises(FarsideError, match="interrupted"):
        session.run('write(1, "x", 1); for (;;) { a = 2; }')
    session.on_output = None
    session.upcoming = None
    session.run("int b = a;")
    assert session.eval("b") == 1
