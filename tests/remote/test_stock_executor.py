"""Sessions on LLVM's own executor, into which farside links ORC's runtime and its companion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farside.errors import CppException, Crashed, FarSideError, OptionError, SetupError
from farside.options import Options
from farside.recovery.sentences import STARTED_AGAIN
from farside.session import Session
from tests.far_sides import STOCK
from tests.session.conftest import run_all, shown


def test_values_output_and_state(stock: Session) -> None:
    result = run_all(stock, "#include <cstdio>", "int x = 40;", 'printf("hello\\n"); x + 2')
    assert (shown(result), result.stdout) == ("42", "hello\n")


def test_what_is_missing_is_said_once(stock: Session) -> None:
    first, second = stock.run("int x = 1;"), stock.run("int y = 1;")
    assert [notice for notice in first.notices if "snapshots" in notice]
    assert second.notices == ()


def test_an_exception_is_reported_and_what_came_before_it_stays(stock: Session) -> None:
    stock.run("#include <stdexcept>\nint x = 1;")
    with pytest.raises(CppException) as caught:
        stock.run('x = 2; throw std::out_of_range("too far"); x = 3;')
    assert (caught.value.type_name, caught.value.what) == ("std::out_of_range", "too far")
    assert shown(stock.run("x")) == "2"


def test_exceptions_cross_frames_of_several_cells(stock: Session) -> None:
    stock.run("int thrower(int n) { throw n; }")
    stock.run("int catcher(int n) { try { return thrower(n); } catch (int m) { return m + 1; } }")
    assert shown(stock.run("catcher(41)")) == "42"


def test_thread_local_variables_stay_from_cell_to_cell(stock: Session) -> None:
    stock.run("#include <thread>\nthread_local int t = 3;")
    stock.run("t = 7; int seen = 0;")
    stock.run("std::thread([] { seen = t; }).join();")
    assert shown(stock.run("10 * t + seen")) == "73"


def test_destructors_and_atexit_run_at_the_end_in_reverse(tmp_path: Path) -> None:
    with Session(Options(output="capture", executor=STOCK)) as session:
        session.run(
            "#include <cstdio>\n#include <cstdlib>\n"
            'struct S { const char *n; ~S() { printf("-%s ", n); } };'
        )
        session.run('S first{"first"};')
        session.run('atexit([] { printf("-atexit "); });')
        session.run('S second{"second"};')
        closing = session.close()
    assert closing.notices == ()
    assert closing.stdout == "-second -atexit -first "


def test_undo_runs_the_destructor_and_takes_the_names_back(stock: Session) -> None:
    stock.run('#include <cstdio>\nstruct S { ~S() { printf("gone\\n"); } };')
    stock.run("S s;")
    stock.undo()
    assert stock.take_output()[0] == "gone\n"
    stock.run("int s = 5;")
    assert shown(stock.run("s")) == "5"
    assert stock.close().notices == ()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("*(volatile int *)nullptr = 1;", "SIGSEGV"),
        ("__builtin_trap();", "SIGILL"),
        ("_exit(3);", "exit status 3$"),  # it keeps no record of who called what
    ],
)
def test_after_a_death_the_definitions_come_back(stock: Session, code: str, what: str) -> None:
    run_all(stock, "#include <unistd.h>", "int x = 1;", "int twice() { return 2 * x; }", "x = 9;")
    with pytest.raises(Crashed, match=what) as caught:
        stock.run(code)
    assert STARTED_AGAIN in caught.value.recovery
    assert shown(stock.run("twice()")) == "2"


def test_a_time_limit_ends_a_loop() -> None:
    options = Options(output="capture", executor=STOCK, time_limit=1.0)
    with Session(options) as session:
        session.run("int x = 1;")
        with pytest.raises(FarSideError, match="limit of"):
            session.run("for (volatile int i = 0;; ++i) { }")
        assert shown(session.run("x")) == "1"


def test_jitdylibs_are_opened_and_closed(stock: Session) -> None:
    stock.run('#include <cstdio>\nstruct T { const char *n; ~T() { printf("-%s ", n); } };')
    plugin = stock.jitdylib("plugin")
    stock.run('#include <cstdio>\nT t{"t"}; int answer() { return 42; }', dylib="plugin")
    assert plugin.close().stdout == "-t "


def test_cells_open_and_close_jitdylibs_themselves(stock: Session) -> None:
    trace = "#include <cstdio>\nstruct T { const char *n; T(const char *n) : n(n)"
    trace += ' { printf("+%s ", n); } ~T() { printf("-%s ", n); } };'
    needed, plugin = stock.jitdylib("needed"), stock.jitdylib("plugin")
    plugin.link_order = [needed]
    stock.run(f"{trace}\n#include <farside/dlfcn.h>")
    needed.run('T first{"needed"};')
    plugin.run('T second{"plugin"}; thread_local int times = 0;')
    plugin.run('extern "C" int answer() { return 40 + ++times; }')
    assert (plugin.close().stdout, needed.close().stdout) == ("-plugin ", "-needed ")
    # What follows in the cell must not run before the handle is there.
    cell = 'farside::JitDylib p{"plugin"}; int got = p.function<int()>("answer")();'
    for _ in range(2):
        result = stock.run(f'{{ {cell} printf("%d ", got + p.function<int()>("answer")()); }}')
        assert result.stdout == "+needed +plugin 83 -plugin -needed "
    result = run_all(stock, f"{cell} got", "p.close()")
    assert (shown(result), result.stdout) == ("true", "-plugin -needed ")
    assert shown(stock.run("got")) == "41"


def test_python_calls_functions(stock: Session) -> None:
    stock.run("#include <string>\n#include <functional>\n#include <stdexcept>")
    stock.run('int twice(int n) { if (n < 0) throw std::out_of_range("less"); return 2 * n; }')
    stock.run("std::string apply(std::function<std::string(int)> f) { return f(6) + f(7); }")
    assert stock.fn.twice(21) == 42
    assert stock.fn.apply(lambda n: "ab" * n) == "ab" * 13
    with pytest.raises(CppException, match="less"):
        stock.fn.twice(-1)
    with pytest.raises(OptionError, match="only with farside's own executor"):
        stock.share("buffer", bytearray(8))


def test_a_library_is_loaded(stock: Session, tmp_path: Path) -> None:
    source, library = tmp_path / "l.cpp", tmp_path / "libl.so"
    source.write_text('extern "C" int from_library() { return 17; }')
    subprocess.run(["clang++-22", "-shared", "-fPIC", "-o", library, source], check=True)
    stock.load(str(library))
    stock.run('extern "C" int from_library();')
    assert shown(stock.run("from_library()")) == "17"


def test_nothing_is_left_behind(leaves_nothing: object) -> None:
    with Session(Options(output="capture", executor=STOCK)) as session:
        session.run("#include <unistd.h>\nint child = fork(); if (!child) pause();")
        session.run("1;")


SPIN = 'write(1, "spins\\n", 6); for (;;);'


@pytest.mark.parametrize(
    "code",
    [
        SPIN,
        "for (int fd = 3; fd < 64; ++fd) close(fd); " + SPIN,
        "close(4); int other[2]; pipe(other); dup2(other[0], 4); close(other[1]); " + SPIN,
        "if (!fork()) { " + SPIN + " }",
        "struct Endless { ~Endless() { " + SPIN + " } } endless;",
        f"atexit([] {{ {SPIN} }});",
    ],
    ids=["cell", "all descriptors", "another file", "child", "destructor", "exit handler"],
)
def test_nothing_is_left_where_code_spins_and_the_session_is_killed(
    code: str, leaves_nothing: object
) -> None:
    script = f"""
from pathlib import Path
from farside.options import Options
from farside.session import Session
session = Session(Options(executor=Path({str(STOCK)!r})))
session.run("#include <cstdlib>\\n#include <unistd.h>")
session.run({code!r})
if "Endless" in {code!r} or "atexit" in {code!r}:
    session.close()
input()
"""
    command = [sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as near:
        assert near.stdout is not None
        assert near.stdout.readline() == "spins\n"
        near.kill()


def test_values_of_all_kinds_are_shown(stock: Session) -> None:
    stock.run("#include <map>\n#include <string>\n#include <vector>")
    assert shown(stock.run('std::string("far") + "side"')) == '"farside"'
    assert shown(stock.run("std::map<int, std::vector<int>>{{1, {2, 3}}}")) == "{ 1 => { 2, 3 } }"


def test_displays_arrive_while_the_cell_runs(stock: Session) -> None:
    result = stock.run("#include <farside/display.h>\nfarside::display(6 * 7);")
    assert [each.data["text/plain"] for each in result.displays] == ["42"]


def test_a_cell_can_end_itself_when_interrupted(stock: Session) -> None:
    with Session(stock.options.with_(on_interrupt="keep")) as session:
        session.run("#include <farside/display.h>\n#include <farside/interrupt.h>\nint x = 1;")
        session.on_display = lambda _: session.interrupt()
        session.run("farside::display(1); while (!farside::interrupted()) ; x = 2;")
        assert shown(session.run("x")) == "2"


def test_libraries_are_found(stock: Session, leaves_nothing: object) -> None:
    with Session(stock.options) as session:
        session.run("#include <zlib.h>\nint n = 1;")
        assert shown(session.run("zlibVersion()[0] == ZLIB_VERSION[0]")) == "true"


def test_an_executor_that_is_killed(stock: Session) -> None:
    run_all(stock, "int x = 1;", "x = 2;")
    os.kill(stock.worker_pid, signal.SIGKILL)
    with pytest.raises(FarSideError) as caught:
        stock.run("x")
    assert STARTED_AGAIN in caught.value.recovery
    assert shown(stock.run("x")) == "1"


def test_thread_local_variables_are_undone_and_defined_again(stock: Session) -> None:
    for number in range(20):
        stock.run(f"thread_local int t[5] = {{{number}}};")
        assert shown(stock.run("t[0]")) == str(number)
        stock.undo(2)


def test_processes_are_not_counted(stock: Session) -> None:
    with (
        Session(stock.options.with_(process_limit=3)) as session,
        pytest.raises(OptionError, match="process-limit"),
    ):
        session.run("1")


def test_a_runtime_that_is_too_old(tmp_path: Path) -> None:
    runtime = tmp_path / "liborc_rt-x86_64.a"
    subprocess.run(["llvm-ar-22", "rc", runtime, "/dev/null"], check=True)
    options = Options(output="capture", executor=STOCK, orc_runtime=runtime)
    with Session(options) as session, pytest.raises(SetupError, match="no ORC runtime of LLVM 22"):
        session.run("1")


def test_a_runtime_that_is_none(tmp_path: Path) -> None:
    runtime = tmp_path / "liborc_rt.a"
    runtime.write_bytes(b"!<arch>\n")
    options = Options(output="capture", executor=STOCK, orc_runtime=runtime)
    with Session(options) as session, pytest.raises(SetupError, match="ORC runtime"):
        session.run("1")
    missing = Options(output="capture", executor=STOCK, orc_runtime=tmp_path / "no.a")
    with Session(missing) as session, pytest.raises(SetupError, match="no ORC runtime"):
        session.run("1")
