"""A cell that the compiler begins before it is asked for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farside.errors import CompilerCrashed, CompilerKilled, OptionError
from tests.contract import compiler_rig
from tests.contract.compiler_rig import Bench
from tests.traces import parent_of, wait_for_end


@pytest.fixture(scope="module")
def main_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler_rig.build_main(tmp_path_factory.mktemp("main"))


@pytest.fixture
def bench(tmp_path: Path, main_object: Path) -> Iterator[Bench]:
    rig = compiler_rig.benches(tmp_path, main_object)
    start: Callable[..., Bench] = next(rig)
    yield start()
    next(rig, None)


def test_what_was_begun_is_compiled(bench: Bench) -> None:
    bench.cell("int a = 1;")
    bench.compiler.begin_compile(2, "a = 5;")
    assert bench.compiler.is_ready(2, "a = 5;")
    bench.cell("a = 5;", "a")
    assert bench.last_value() == "7:05000000"


def test_an_error_in_what_was_begun_is_its_own(bench: Bench) -> None:
    bench.cell("int a = 1;")
    bench.compiler.begin_compile(2, "int b = c;")
    assert "c" in bench.error("int b = c;")
    bench.cell("int b = a;")


@pytest.mark.parametrize("begun", ["int g();", "int g() { return bad; }"])
def test_names_are_told_meanwhile(bench: Bench, begun: str) -> None:
    bench.cell("int a = 1;")
    bench.compiler.begin_compile(2, begun)
    assert bench.compiler.demangle(["_Z1fi"]) == ["f(int)"]
    assert bench.compiler.demangle(["_Z1gi"]) == ["g(int)"]
    assert bench.try_cell(begun).ok == ("bad" not in begun)
    bench.cell("a")


def test_the_first_cell_is_begun_while_the_compiler_starts(bench: Bench) -> None:
    bench.compiler.begin_compile(1, "int a = 5;")
    assert bench.compiler.is_ready(1, "int a = 5;")
    bench.cell("int a = 5;", "a")
    assert bench.last_value() == "7:05000000"


def test_an_error_in_the_first_cell_needs_no_new_start(bench: Bench) -> None:
    bench.compiler.begin_compile(1, "int a = b;")
    assert "b" in bench.error("int a = b;")
    assert parent_of(bench.compiler.pid) != os.getpid()  # it is a snapshot
    bench.cell("int a = 1;")


def test_another_cell_is_the_first(bench: Bench) -> None:
    bench.compiler.begin_compile(1, "int a = 5;")
    assert not bench.compiler.is_ready(1, "long a = 5;")
    bench.go_back()
    bench.cell("long a = 5;")


def test_options_are_refused_before_the_first_cell(tmp_path: Path, main_object: Path) -> None:
    rig = compiler_rig.benches(tmp_path, main_object)
    bench = next(rig)(xcc=("-no-such-option",))
    bench.compiler.begin_compile(1, "int a;")
    with pytest.raises(OptionError, match="-no-such-option"):
        bench.compiler.compile(1, "int a;")
    next(rig, None)


def test_a_cell_that_takes_a_while_to_send_or_is_no_utf8_is_not_begun(bench: Bench) -> None:
    for code in ("int a;" + " " * (1 << 16), "\udcff"):
        bench.compiler.begin_compile(1, code)
    bench.cell("int a;")  # nothing has to be taken back


@pytest.mark.parametrize("change", [{"code": "int c;"}, {"cell": 3}, {"how": {"given": True}}])
def test_another_cell_must_be_asked_for_in_its_place(
    bench: Bench, change: dict[str, object]
) -> None:
    bench.cell("int a = 1;")
    bench.compiler.begin_compile(2, "int b;")
    cell, code, how = change.get("cell", 2), change.get("code", "int b;"), change.get("how", {})
    assert isinstance(cell, int)
    assert isinstance(code, str)
    assert isinstance(how, dict)
    assert not bench.compiler.is_ready(cell, code, **how)
    with pytest.raises(CompilerCrashed, match="is not running"):
        bench.compiler.compile(cell, code, **how)
    bench.go_back()
    assert bench.compiler.is_ready(cell, code, **how)
    assert bench.compiler.compile(cell, code, **how).ok


def test_what_was_begun_is_forgotten_with_the_cell_before_it(bench: Bench) -> None:
    bench.cell("int a = 1;")
    assert bench.compiler.compile(2, "long a2 = a;").ok
    bench.compiler.begin_compile(3, "auto b = a2;")
    bench.go_back()  # cell 2 failed when it was run
    bench.next_cell = 3
    assert "a2" in bench.error("auto b = a2;")


def begin_while_going_back(bench: Bench, code: str) -> None:
    """Have cell 4 begun while the compiler goes back behind the third, which defines ``c``."""
    bench.cell("int a = 1;", "int b = 2;", "int c = 3;")
    del bench.accepted[2:]
    bench.compiler.begin_rollback(2, bench.accepted)
    bench.compiler.begin_compile(4, code)
    bench.go_back()
    bench.next_cell = 4


def test_a_cell_is_begun_while_the_compiler_goes_back(bench: Bench) -> None:
    begin_while_going_back(bench, "int c = a + b;")
    assert bench.compiler.is_ready(4, "int c = a + b;")
    bench.cell("int c = a + b;", "a + b + c")


def test_an_error_while_the_compiler_goes_back(bench: Bench) -> None:
    begin_while_going_back(bench, "c")
    assert "c" in bench.error("c")
    bench.cell("a + b")


def test_nothing_is_begun_where_the_compiler_is_elsewhere(bench: Bench) -> None:
    bench.cell("int a = 1;")
    assert not bench.compiler.compile(2, "bad bad").ok
    bench.compiler.begin_compile(3, "int b;")
    assert not bench.compiler.is_ready(3, "int b;")
    bench.go_back()
    bench.cell("int b = a;")
    bench.compiler.close()
    bench.compiler.begin_compile(4, "int c;")
    assert not bench.compiler.is_ready(4, "int c;")


def test_who_has_begun_is_killed(bench: Bench) -> None:
    bench.cell("int a = 1;")
    bench.compiler.begin_compile(2, "int b = a;")
    pid = bench.compiler.pid
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    bench.compiler.begin_compile(2, "int b = a;")  # which is begun already
    try:
        assert bench.compiler.compile(2, "int b = a;").ok  # it was done before it was killed
    except CompilerKilled:
        bench.go_back()
        bench.cell("int b = a;")


@pytest.mark.parametrize(
    "begun",
    [
        '_Pragma("clang __debug crash") int b;',
        "".join([f"int q{i} = nosuch{i};" for i in range(200)]),  # which Clang gives up
        "constexpr long spin(long n) { long r = 0; while (n-- > 0) r += n; return r; }"
        " constexpr long endless = spin(1L << 40);",
    ],
    ids=["crash", "errors", "endless"],
)
def test_names_are_told_though_a_cell_is_in_the_way(
    begun: str, tmp_path: Path, main_object: Path
) -> None:
    rig = compiler_rig.benches(tmp_path, main_object)
    bench = next(rig)(xcc=("-fconstexpr-steps=2147483647",))
    bench.cell("int a = 1;")
    number = bench.next_cell
    bench.next_cell += 1
    before = bench.compiler.compile(number, "long c = a;")
    assert before.ok
    bench.compiler.begin_compile(number + 1, begun)
    assert bench.compiler.demangle(["_Z1fi"]) == ["f(int)"]
    assert bench.compiler.demangle(["_Z1gi"]) == ["g(int)"]
    bench.accepted.append(compiler_rig.Accepted(number, "long c = a;", before.cookie))
    if not bench.compiler.is_ready(number + 1, begun):
        bench.go_back()
    assert bench.compiler.is_ready(number + 1, "a + c")
    bench.cell("a + c")
    next(rig, None)


def test_clang_crashes_on_what_was_begun(bench: Bench) -> None:
    bench.cell("int a = 1;")
    code = "#pragma clang __debug crash"
    bench.compiler.begin_compile(2, code)
    with pytest.raises(CompilerCrashed, match="crashed on cell 2"):
        bench.compiler.compile(2, code)
    bench.go_back()
    bench.cell("a")


def test_more_than_one_request_of_cells_is_replayed(bench: Bench) -> None:
    bench.cell(*[f"using A{number} = int;" for number in range(300)], "int q = 1;")
    del bench.accepted[-1:]
    bench.compiler.begin_rollback(300, bench.accepted)
    bench.compiler.begin_compile(302, "A7 z = 42;")
    bench.go_back()
    bench.next_cell = 302
    bench.cell("A7 z = 42;", "z")
    assert bench.last_value() == "7:2a000000"


def test_a_cell_that_takes_too_long_may_take_so_long_from_when_it_is_asked_for(
    bench: Bench,
) -> None:
    bench.cell("int a = 1;")
    bench.compiler.begin_compile(2, "int b = a;")
    assert bench.compiler.demangle(["_Z1fi"]) == ["f(int)"]  # it is done
    assert bench.compiler.compile(2, "int b = a;", time_limit=0.0).ok
