"""The installed command, with real processes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Farside

pytestmark = pytest.mark.usefixtures("leaves_nothing")


def test_the_session_of_the_readme(farside_run: Farside) -> None:
    done = farside_run(
        stdin=(
            "int f() { return 1; }\n"
            "int f1() { return f(); }\n"
            "f1()\n"
            "#include <string>\n"
            'std::string("far") + "side"\n'
            "int broken = ;\n"
            "*(volatile int *)nullptr = 1;\n"
            "f1()\n"
        )
    )
    assert done.stdout == '(int) 1\n(std::string) "farside"\n(int) 1\n'
    assert "cell 6:1:14: error: expected expression\n" in done.stderr
    assert "    1 | int broken = ;\n      |              ^\n" in done.stderr
    assert "cell 7" in done.stderr
    assert "SIGSEGV" in done.stderr
    assert done.returncode == 1


def test_code_as_arguments(farside_run: Farside) -> None:
    done = farside_run("int x = 41;", "x + 1", "x", "-c", "x++", "int y;", "%undo", "y", "x")
    assert done.stdout == "(int) 42\n(int) 41\n(int) 41\n(int) 42\n"
    assert "use of undeclared identifier 'y'" in done.stderr
    assert done.returncode == 1


def test_output_and_values_come_in_order(farside_run: Farside) -> None:
    done = farside_run(
        stdin='#include <cstdio>\n1\nstd::printf("two\\n");\n3\nstd::fputs("four\\n", stdout);\n5\n'
    )
    assert done.stdout == "(int) 1\ntwo\n(int) 3\nfour\n(int) 5\n"


def test_messages_name_the_file(farside_run: Farside, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.cpp", tmp_path / "bad.cpp"
    good.write_text("int f(int n) {\n  return n;\n}\n")
    bad.write_text("int g() {\n  return f();\n}\n")
    done = farside_run(str(good), str(bad), "f()")
    assert f"{bad}:2:10: error: no matching function for call to 'f'\n" in done.stderr
    assert f"{good}:1:5: note: candidate function not viable" in done.stderr
    assert "cell 3:1:1: error: no matching function for call to 'f'\n" in done.stderr
    assert done.returncode == 1


def test_the_names_of_commands(farside_run: Farside) -> None:
    done = farside_run(
        stdin="#include <stdlib.h>\nquit\nhelp()\nexit\nexit();\nint help = 3;\nhelp\n"
    )
    ends = "note: %quit ends the session, as does Ctrl-D\n"
    assert done.stderr.count(ends) == 3
    assert done.stderr.count("note: %help lists the commands\n") == 1
    assert done.stdout.endswith("(int) 3\n")


def test_a_file_with_main(farside_run: Farside, tmp_path: Path) -> None:
    program = tmp_path / "a.cpp"
    program.write_text(
        "#include <cstdio>\n"
        "int main(int argc, char **argv) {\n"
        "  for (int i = 1; i < argc; ++i) std::puts(argv[i]);\n"
        "  return argc;\n"
        "}\n"
    )
    done = farside_run(str(program), "--", "one", "--two")
    assert (done.stdout, done.stderr) == ("one\n--two\n", "")
    assert done.returncode == 3


def test_a_file_with_statements(farside_run: Farside, tmp_path: Path) -> None:
    script = tmp_path / "a.cpp"
    script.write_text("#!/usr/bin/env farside\nint x = 6;\nx *= 7;\nx\n")
    done = farside_run(str(script))
    assert (done.stdout, done.stderr, done.returncode) == ("(int) 42\n", "", 0)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("std::exit(7);", 7, ""),
        ("std::abort();", 134, "SIGABRT"),
        ("*(volatile int *)nullptr = 1;", 139, "SIGSEGV"),
    ],
)
def test_how_a_program_may_end(
    farside_run: Farside, tmp_path: Path, body: str, status: int, said: str
) -> None:
    program = tmp_path / "a.cpp"
    program.write_text(f"#include <cstdlib>\nint main() {{ {body} }}\n")
    done = farside_run(str(program))
    assert done.returncode == status
    assert said in done.stderr
    assert bool(said) == bool(done.stderr)


def test_objects_and_libraries_on_the_command_line(farside_run: Farside, tmp_path: Path) -> None:
    compiler = shutil.which("g++")
    assert compiler is not None
    (tmp_path / "part.cpp").write_text('extern "C" int part() { return 40; }\n')
    (tmp_path / "shared.cpp").write_text('extern "C" int shared() { return 2; }\n')
    for arguments in (["-c", "part.cpp"], ["-shared", "-fPIC", "shared.cpp", "-o", "libs.so"]):
        subprocess.run([compiler, *arguments], cwd=tmp_path, check=True)
    subprocess.run(["ar", "rcs", "part.a", "part.o"], cwd=tmp_path, check=True)
    declarations = 'extern "C" int part(); extern "C" int shared();'
    for part in ("./part.o", "./part.a"):
        done = farside_run(part, "./libs.so", declarations, "part() + shared()", cwd=tmp_path)
        assert done.stdout == "(int) 42\n", done.stderr
        assert done.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch.cpp"], "nosuch.cpp: no such file"),
        (["/"], "/: Is a directory"),
        (["--nonsense"], "unknown option --nonsense"),
        (["--std=c++99", "-c", "1"], "std takes c++11, c++14,"),
        (["--Xcc=-nonsense", "-c", "1"], "-nonsense"),
    ],
)
def test_mistakes_are_one_clear_line(farside_run: Farside, arguments: list[str], said: str) -> None:
    done = farside_run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_binary_file_is_no_source(farside_run: Farside, tmp_path: Path) -> None:
    binary = tmp_path / "image.png"
    binary.write_bytes(b"\x89PNG\0\0")
    done = farside_run(str(binary))
    assert done.returncode == 2
    assert done.stderr == f"farside: {binary}: this is a binary file, not C++\n"


def test_a_malformed_object_is_named(farside_run: Farside, tmp_path: Path) -> None:
    obj = tmp_path / "bad.o"
    obj.write_bytes(b"\x7fELF\2\1\1" + bytes(20))
    done = farside_run(str(obj))
    assert done.returncode == 1
    assert "bad.o" in done.stderr
    assert "Traceback" not in done.stderr


def test_languages_and_libraries(farside_run: Farside) -> None:
    done = farside_run("-xc", "int class = 3;", "class")
    assert (done.stdout, done.returncode) == ("(int) 3\n", 0)
    done = farside_run("-std=c++11", "-c", "__cplusplus")
    assert done.stdout == "(long) 201103\n"
    done = farside_run(
        "-stdlib=libc++",
        "#include <vector>",
        "std::vector<int> v{1, 2};",
        "_LIBCPP_VERSION > 0 ? 1 : 0",
        "v[1]",
    )
    assert done.stdout == "(int) 1\n(int) 2\n", done.stderr


def test_standard_input_that_is_not_utf8(farside_command: list[str]) -> None:
    done = subprocess.run(
        farside_command, input=b"'\xe9'\n1\n", capture_output=True, check=False, timeout=100
    )
    assert done.stdout == b"(int) 1\n"
    assert done.stderr == b"error: this input is not UTF-8\n"
    assert done.returncode == 1


def test_nobody_reads_the_output(farside_command: list[str]) -> None:
    with subprocess.Popen(
        farside_command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.stdin is not None
        running.stdin.write(b"1\n" * 10)
        running.stdin.close()
        assert running.stderr is not None
        assert running.stderr.read() == b""
        assert running.wait() == 141


def test_the_package_is_a_program() -> None:
    command = [sys.executable, "-m", "farside", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("farside ")
