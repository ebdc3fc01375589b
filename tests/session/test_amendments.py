"""What means something in `main` and not at namespace scope: captures, and names of the library."""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from farside.session import Session
from tests.session.conftest import NewSession, run_all, shown_by


def test_captures_at_the_top_level(session: Session) -> None:
    session.run("#include <functional>\nint k = 2; int n[2] = {1, 2};")
    session.run("auto copied = [k](int x) { return x + k; };")
    session.run("auto named = [&k](int x) { return x + k; };")
    session.run("auto all = [&](int x) { return x + k; };")
    session.run("auto mixed = [&, k, &n] { return k + n[1]; };")
    session.run(
        "std::function<int(int)> fib = [&](int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); };"
    )
    session.run("int taken = 0; { auto inner = [k, &taken] { taken = k; }; inner(); }")
    session.run("k = 10; n[1] = 20;")
    assert shown_by(session, "copied(1)") == "3"  # as it was
    assert shown_by(session, "named(1)") == "11"
    assert shown_by(session, "all(1)") == "11"
    assert shown_by(session, "mixed()") == "22"
    assert shown_by(session, "fib(10)") == "55"
    assert shown_by(session, "taken") == "2"
    assert shown_by(session, "[k] { return [k] { return k; }; }()()") == "10"
    assert (
        shown_by(session, "auto [a, b] = std::pair(1, 2); auto f = [a, &b] { return a + b; }; f()")
        == "3"
    )


def test_such_a_cell_can_be_run_again_and_taken_back(session: Session) -> None:
    session.run("int k = 1;")
    for _ in range(2):
        session.run("auto f = [k](int x) { return x + k; };")
    session.run("int later = 5;")
    session.undo()  # the compiler reads the cells before once more
    with pytest.raises(CompileError):
        session.run("nonsense")
    assert shown_by(session, "f(1)") == "2"


def test_it_is_kept_as_it_was_compiled(new_session: NewSession) -> None:
    session = new_session()
    run_all(session, "int k = 1;", "auto f = [&, k] { return k; };")
    assert session.history()[-1].code == "auto f = [   k = k] { return k; };"


@pytest.mark.parametrize(
    ("code", "column", "message"),
    [
        ("auto f = [k, &k2](int x) { return x + nope; };", 39, "undeclared identifier 'nope'"),
        ("auto f = [&, k] { return k; }, g = nope;", 36, "undeclared identifier 'nope'"),
        ("auto f = [=] { return k; };", 11, "non-local lambda expression"),
        ("void f() { auto g = [k] {}; }", 22, "'k' cannot be captured"),
        ("{ static int s; auto g = [s] {}; }", 27, "'s' cannot be captured"),
        ("auto f = [n] {};", 11, "'n' cannot be captured"),
        ("[k, k2] { return 1; }() + nope", 27, "undeclared identifier 'nope'"),
        ("auto f = [k] {}; int é = 1; auto g = [k] {};\nint x = nope;", 9, "identifier 'nope'"),
    ],
)
def test_only_what_is_wrong_is_told_where_it_is(
    session: Session, code: str, column: int, message: str
) -> None:
    session.run("int k = 2, k2 = 3, n[3];")
    with pytest.raises(CompileError) as caught:
        session.run(code)
    (said,) = caught.value.diagnostics
    assert message in said.message
    assert said.column == column
    assert said.source in code.splitlines()


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("int k; auto f = [=] { return k; };", "variables of cells are global"),
        ("int k; void f() { auto g = [k] {}; }", "variables of cells are global"),
        ("goto done; done: ;", "put braces around"),
        ("int i = 0; again: ++i; if (i < 3) goto again;", "put braces around"),
    ],
)
def test_hints(session: Session, code: str, hint: str) -> None:
    with pytest.raises(CompileError) as caught:
        session.run(code)
    (note,) = caught.value.__notes__
    assert hint in note


NAMES = "data size max left distance hash end plus byte rank ref".split()


def test_the_names_of_cells_come_before_those_of_a_using_directive(session: Session) -> None:
    headers = "algorithm bitset cstddef functional ios iterator string type_traits vector".split()
    session.run("".join(f"#include <{each}>\n" for each in headers) + "using namespace std;")
    for name in NAMES:
        assert shown_by(session, f"int {name} = 3; {name}") == "3"
        assert shown_by(session, f"{name} + 1") == "4"
        session.run(f"++{name}; auto twice_{name} = [&] {{ return 2 * {name}; }};")
        assert shown_by(session, f"twice_{name}()") == "8"
        assert session.type_of(name) == "int"
    session.run("int sum = 0; auto of_two = [size, &sum, &data] { return sum = size + data; };")
    session.run("size = 100; data = 200;")
    assert shown_by(session, "of_two()") == "204"
    nested = "auto nested = [size] { return [size] { return size; }(); }; size = 1; nested()"
    assert shown_by(session, nested) == "100"
    assert shown_by(session, "int at[2] = {5, 6}; at[size]") == "6"
    session.run("int count(int n) { vector<int> size(n); return size.size() + max; }")
    assert shown_by(session, "count(2)") == "6"
    assert shown_by(session, "std::max(1, 2)") == "2"
    session.run("struct hash { int n = 7; };")
    assert shown_by(session, "hash h; h.n") == "7"


def test_a_name_that_no_cell_declares_stays_ambiguous(session: Session) -> None:
    session.run("namespace one { int x; } namespace two { int x; }")
    session.run("using namespace one; using namespace two;")
    with pytest.raises(CompileError, match="reference to 'x' is ambiguous"):
        session.run("x = 1;")
    session.run("#define THE_X x\nint x = 4;")
    assert shown_by(session, "x") == "4"
    with pytest.raises(CompileError, match="reference to 'x' is ambiguous") as caught:
        session.run("THE_X")
    assert caught.value.__notes__ == ["::x is the one of the cells"]
