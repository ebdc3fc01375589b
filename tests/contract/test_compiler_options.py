"""Options, languages, and input that nobody should have typed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farside.errors import CompilerKilled, OptionError, SetupError
from farside.frontend import client
from farside.frontend.client import Compiler, find_compiler
from farside.options import Options
from tests.conftest import Traces
from tests.contract import compiler_rig
from tests.contract.compiler_rig import Bench


@pytest.fixture(scope="module")
def main_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler_rig.build_main(tmp_path_factory.mktemp("main"))


@pytest.fixture
def start(tmp_path: Path, main_object: Path) -> Iterator[Callable[..., Bench]]:
    yield from compiler_rig.benches(tmp_path, main_object)


@pytest.fixture
def bench(start: Callable[..., Bench]) -> Bench:
    return start()


@pytest.mark.parametrize(
    ("std", "version"),
    [
        ("c++11", 201103),
        ("c++14", 201402),
        ("c++17", 201703),
        ("c++20", 202002),
        ("c++23", 202302),
        ("gnu++17", 201703),
        (None, 202302),
    ],
)
def test_every_standard(start: Callable[..., Bench], std: str | None, version: int) -> None:
    bench = start(std=std)
    bench.cell(f'static_assert(__cplusplus == {version}L, "");')
    bench.cell("#include <string>\n#include <vector>\n#include <iostream>\n#include <memory>")
    bench.cell('std::string s = "a"; std::vector<int> v(3);', "v.size()", "s", "1.5", "'c'")
    bench.cell("auto l = [](int a) { return a + 1; };", "l(2)", "static int k = l(3);", "k")
    assert bench.run() == [
        "8:0300000000000000",
        "18:61",
        "10:000000000000f83f",
        "2:63",
        "7:03000000",
        "7:04000000",
    ]


def test_libcxx(start: Callable[..., Bench]) -> None:
    bench = start(stdlib="libc++")
    bench.cell("#include <string>\n#include <vector>\n#include <map>\n#include <iostream>")
    bench.cell("static_assert(_LIBCPP_VERSION > 0);")
    bench.cell('std::map<std::string, int> m{{"x", 4}};', 'm["x"]', 'std::string("hi")')
    assert bench.run("-stdlib=libc++") == ["7:04000000", "18:6869"]


def test_c(start: Callable[..., Bench], tmp_path: Path) -> None:
    bench = start(language="c")
    bench.cell("#include <stdio.h>\n#include <string.h>", "int x = 5;", "x += 2;", "x")
    bench.cell("struct P { int a, b; }; struct P make(int a) { struct P p = {a, 2}; return p; }")
    bench.cell("make(7).a", '"text"', "1.5f", "'a'", "(char)65", "&x", "x == 7")
    lines = bench.run()
    assert lines[:2] == ["7:07000000", "7:07000000"]
    assert lines[2:6] == ["16:74657874", "9:0000c03f", "7:61000000", "2:41"]
    assert lines[6].startswith("12:")
    assert lines[7] == "7:01000000"


def test_c_statics_are_one_and_are_not_seen_by_libraries(
    start: Callable[..., Bench], tmp_path: Path
) -> None:
    bench = start(language="c")
    cell = bench.cell("static int index = 1; static int next(void) { static int n; return ++n; }")
    bench.cell("index += next();", "{ static int n = 40; index += ++n; }", "-index", "next()")
    bench.cell("{ static int n = 40; index += ++n; }", "index")
    assert bench.run() == ["7:d5ffffff", "7:02000000", "7:54000000"]
    assert cell.object is None


def test_c_knows_no_cxx(start: Callable[..., Bench]) -> None:
    bench = start(language="c", std="c99")
    bench.cell("int class = 1; int new = 2;", "class + new")
    assert bench.last_value() == "7:03000000"


def test_include_dirs_defines_and_includes(start: Callable[..., Bench], tmp_path: Path) -> None:
    (tmp_path / "mine.h").write_text("#pragma once\ninline int mine() { return VALUE; }\n")
    (tmp_path / "first.h").write_text("int from_first = 3; static int hidden = 4;\n")
    bench = start(
        include_dirs=(str(tmp_path),),
        defines=("VALUE=42", "FLAG"),
        includes=(str(tmp_path / "first.h"),),
    )
    bench.cell('#include "mine.h"\n#ifndef FLAG\n#error\n#endif', "mine()", "from_first", "hidden")
    assert bench.run() == ["7:2a000000", "7:03000000", "7:04000000"]


@pytest.mark.parametrize(
    "args",
    [
        ("-std=c++99",),
        ("-fno-such-option",),
        ("-march=no-such-cpu",),
        ("-include", "/no/such/file.h"),
        ("-Wl,nothing", "-xnolanguage"),
        ("--target=no-such-target",),
        ("--target=aarch64-linux-gnu",),  # Clang knows it; farside cannot link or run its code
        ("-O9x",),
        ("-fsanitize=nonsense",),
        ("--version",),
    ],
)
def test_options_that_clang_rejects(args: tuple[str, ...]) -> None:
    options = Options(use_pch=False, xcc=args)
    compiler = Compiler.spawn(options, compiler_rig.program())
    with pytest.raises(OptionError, match="Clang rejects the options"):
        compiler.compile(1, "int x;")


def test_wrong_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FARSIDE_COMPILER", raising=False)
    with pytest.raises(SetupError, match="missing or cannot be executed"):
        find_compiler(Options(compiler=tmp_path / "none"))
    with pytest.raises(SetupError):
        find_compiler(Options(compiler=tmp_path))
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELFnot")
    broken.chmod(0o755)
    with pytest.raises(SetupError, match="cannot be run"):
        Compiler.spawn(Options(use_pch=False), broken)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("exit 0", "ended before it answered to its start, with exit status 0"),
        ("exit 3", "ended before it answered to its start, with exit status 3"),
        ("kill -SEGV $$", "ended before it answered to its start, on signal 11"),
        ("cat <&3 >&3", "answered to its start with something else"),
        ("head -c 9 /dev/zero >&3; exec cat <&3", "answered to its start with something else"),
        ("exec cat <&3", "has not answered to its start for 0.01 seconds"),
        ("exec 3<&-; exec sleep 1000000", "closed its socket before it answered to its start"),
    ],
)
def test_a_program_that_is_no_compiler(
    tmp_path: Path,
    leaves_nothing: Traces,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    what: str,
) -> None:
    monkeypatch.setattr(client, "_ENDING", 0.01)  # seconds for one that closes its socket to end
    path = tmp_path / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    limit = 0.01 if "for 0.01" in what else client.START_LIMIT

    def compile_with() -> None:  # it may be found out sooner or later
        Compiler.spawn(Options(use_pch=False), path, start_limit=limit).compile(1, "int x;")

    with pytest.raises(SetupError) as caught:
        compile_with()
    assert f"The compiler program {path} {what}" in str(caught.value)
    assert "Set FARSIDE_COMPILER" in str(caught.value)
    leaves_nothing.check()


def test_a_compiler_that_was_killed_at_its_start_is_no_wrong_program() -> None:
    with Compiler.spawn(Options(use_pch=False), compiler_rig.program()) as compiler:
        os.kill(compiler.pid, signal.SIGKILL)
        with pytest.raises(CompilerKilled):
            compiler.compile(1, "int x;")
        compiler.rollback(0, [])
        assert compiler.compile(1, "int x;").ok


def test_the_environment_names_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program"
    program.write_text("")
    program.chmod(0o755)
    monkeypatch.setenv("FARSIDE_COMPILER", str(program))
    assert find_compiler(Options(compiler=Path("/bin/true"))) == str(program)


def test_deep_nesting_is_an_error(bench: Bench) -> None:
    assert "nesting level" in bench.error("int x = " + "(" * 5000 + "1" + ")" * 5000 + ";")
    bench.error(
        "template <int n> struct D { static constexpr int v = D<n - 1>::v; };\n"
        "int y = D<100000>::v;"
    )
    bench.error(
        "constexpr int deep(int n) { return n ? deep(n - 1) + 1 : 0; }\n"
        "static_assert(deep(100000) == 1);"
    )
    bench.cell("int x = 1;")


def test_long_chains_compile(bench: Bench) -> None:
    bench.cell("int one = 1;", "int sum = " + "+".join(["one"] * 20000) + ";", "sum")
    assert bench.last_value() == "7:204e0000"
    bench.cell(
        "int pick(int n) { "
        + "else ".join(f"if (n == {i}) return {i}; " for i in range(3000))
        + "return -1; }"
    )
    bench.cell("pick(2999)")
    assert bench.last_value() == "7:b70b0000"


@pytest.mark.parametrize(
    "code",
    [
        "{" * 500,
        "(" * 500,
        "int f() {" * 50,
        "[" * 300,
        "<" * 300,
        "template <" * 100,
        "#if 1\n" * 500,
        "namespace a {" * 200,
    ],
)
def test_unclosed_things_do_not_flood(bench: Bench, code: str) -> None:
    result = bench.try_cell(code)
    assert not result.ok
    assert sum(each.is_error for each in result.diagnostics) <= 21
    bench.cell("int x = 1;")


@pytest.mark.parametrize(
    "code",
    [
        "int a\0b;",
        "\0",
        '"a\0b"',
        "int \u00e9t\u00e9 = 1;",
        '"\u65e5\u672c\u8a9e"',
        "int x = 1; // \udcff\udcfe",
        '"\ud800"',
        "\ufeffint x;",
        "int x;\r\nint y;\r",
        "\\",
        "#",
        "#define",
        "#include",
        "#pragma once",
        '#line 5 "other"\nint x = bad;',
        "??=define X",
        'R"(unfinished',
        "@",
        "`",
        "$",
        ";" * 10000,
        "\x7f\x01\x02",
        "/" * 1000,
        'extern "C" {',
        "}",
        ")",
        "return 1;",
        "break;",
        "this",
        "goto x;",
        "case 1:",
        "co_await 1;",
        "import nothing;",
        "module;",
        "export int x;",
        "x:",
    ],
)
def test_odd_input_is_accepted_or_rejected(bench: Bench, code: str) -> None:
    bench.cell("int before = 1;")
    result = bench.try_cell(code)
    assert result.ok or any(each.is_error for each in result.diagnostics)
    bench.cell("before")


def test_diagnostics_are_structured(bench: Bench) -> None:
    result = bench.try_cell("int f(int a);\nint x = f(1, 2)\nint y;")
    (first, *_) = result.diagnostics
    assert (first.severity, first.file, first.line, first.column) == ("error", "cell 1", 2, 9)
    assert first.message == "no matching function for call to 'f'"
    semicolon = next(each for each in result.diagnostics if "expected ';'" in each.message)
    assert semicolon.fixits[0].text == ";"
    assert semicolon.source == "int x = f(1, 2)"


def test_diagnostics_name_the_cell_that_declared(bench: Bench) -> None:
    bench.cell("int x;")
    result = bench.try_cell("\n\ndouble x;")
    (error,) = result.diagnostics
    assert (error.file, error.line, error.column) == ("cell 2", 3, 8)
    assert [(note.file, note.line) for note in error.notes] == [("cell 1", 1)]
    assert "double x;" in error.render()


def test_diagnostics_within_macros_and_headers(bench: Bench, tmp_path: Path) -> None:
    header = tmp_path / "bad.h"
    header.write_text("int ok;\nint bad = nothing;\n")
    result = bench.try_cell(f'#define CALL(x) x + missing\nint a = CALL(1);\n#include "{header}"')
    in_macro, in_header = [each for each in result.diagnostics if each.is_error]
    assert (in_macro.file, in_macro.line) == ("cell 1", 2)
    assert any("expanded from macro 'CALL'" in note.message for note in in_macro.notes)
    assert (in_header.file, in_header.line) == (str(header), 2)
    assert any("in file included from" in note.message for note in in_header.notes)


def test_warnings_have_their_option(bench: Bench) -> None:
    (warning,) = bench.cell("int f() { }").diagnostics
    assert (warning.severity, warning.option) == ("warning", "-Wreturn-type")


def test_ranges_and_columns_count_bytes(bench: Bench) -> None:
    result = bench.try_cell('auto t = "\u00e9" * 2;')
    (error,) = result.diagnostics
    assert error.column == 15
    assert {(each.column, each.end_column) for each in error.ranges} == {(10, 14), (17, 18)}
    assert error.render().splitlines()[-1].endswith("~~~ ^ ~")


def optimised_body(text: str, name: str) -> list[str]:
    """Return the instructions of a function in llvm-objdump's text."""
    lines = text.split(f"<{name}>:\n")[1].split("\n\n", maxsplit=1)[0].splitlines()
    return [" ".join(line.split()).partition("<")[0] for line in lines]


KERNEL = """\
float dot(const float *a, const float *b, int n) {
  float s = 0;
  for (int i = 0; i < n; ++i) s += a[i] * b[i];
  return s;
}
void scale(double *a, int n) { for (int i = 0; i < n; ++i) a[i] *= 2.5; }
int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
int primes(int n) {
  int count = 0;
  for (int i = 2; i < n; ++i) {
    bool prime = true;
    for (int j = 2; j * j <= i; ++j) if (i % j == 0) { prime = false; break; }
    count += prime;
  }
  return count;
}
"""


@pytest.mark.parametrize("opt", [1, 2, 3])
def test_code_is_that_of_clang(start: Callable[..., Bench], tmp_path: Path, opt: int) -> None:
    import shutil
    import subprocess

    cell = start(opt=opt).cell(KERNEL)
    assert cell.object is not None
    (tmp_path / "ours.o").write_bytes(cell.object)
    (tmp_path / "kernel.cpp").write_text(KERNEL)
    subprocess.run(
        [
            compiler_rig.CLANG,
            "-c",
            f"-O{opt}",
            "-march=native",
            "-std=c++23",
            "-fPIC",
            "-o",
            str(tmp_path / "theirs.o"),
            str(tmp_path / "kernel.cpp"),
        ],
        check=True,
    )
    objdump = shutil.which("llvm-objdump-22") or "llvm-objdump-22"

    def listing(file: str) -> str:
        return subprocess.run(
            [objdump, "-d", "--no-show-raw-insn", "--no-leading-addr", str(tmp_path / file)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    ours, theirs = listing("ours.o"), listing("theirs.o")
    for name in ("_Z3dotPKfS0_i", "_Z5scalePdi", "_Z3fibi", "_Z6primesi"):
        assert len(optimised_body(ours, name)) == len(optimised_body(theirs, name)), name


LOOPS = """
#include <cmath>
#include <vector>
void saxpy(float *y, const float *x, float a, int n) {
  for (int i = 0; i < n; ++i)
    y[i] += a * x[i];
}
double norm(const std::vector<double> &v) {
  double sum = 0;
  for (double each : v)
    sum += each * each;
  return std::sqrt(sum);
}
__attribute__((optnone)) int slow(int a) { return a * 2 + a; }
int choose(int a) { switch (a) { case 1: return 5; case 2: return 7; case 3: return 9; } return 0; }
"""


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_passes_are_those_of_clang(level: int, tmp_path: Path) -> None:
    """With a record of what is optimised Clang runs its pipeline itself, for the same code."""
    objects = []
    for more in ((), (f"-foptimization-record-file={tmp_path}/record",)):
        with Compiler.spawn(Options(opt=level, use_pch=False, xcc=more)) as compiler:
            objects.append(compiler.compile(1, LOOPS).object)
    assert objects[0] is not None
    assert objects[0] == objects[1]


@pytest.mark.parametrize(
    ("given", "in_force"),
    [
        (None, "glibc.malloc.tcache_count=1000"),
        ("glibc.malloc.perturb=0", "glibc.malloc.perturb=0:glibc.malloc.tcache_count=1000"),
        ("glibc.malloc.tcache_count=7", "glibc.malloc.tcache_count=7"),
    ],
)
def test_what_was_freed_last_is_used_first(
    start: Callable[..., Bench],
    monkeypatch: pytest.MonkeyPatch,
    given: str | None,
    in_force: str,
) -> None:
    if given is None:
        monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    else:
        monkeypatch.setenv("GLIBC_TUNABLES", given)
    bench = start()
    bench.cell("int x = 1;")
    # glibc ends each of the values with a zero where it stands.
    environment = Path(f"/proc/{bench.compiler.pid}/environ").read_text().replace(":", "\0")
    assert f"\0GLIBC_TUNABLES={in_force}\0".replace(":", "\0") in environment
