"""``farside run``: the main of objects and archives, out of process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Farside
from tests.platform.conftest import Build

MAIN = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int helper(int);
__attribute__((constructor(200))) static void second(void) { printf("second "); }
__attribute__((constructor(101))) static void first(void) { printf("first "); }
__attribute__((destructor)) static void last(void) { printf("last\\n"); }
static void handler(void) { printf("handler "); }
int main(int argc, char **argv) {
  char line[100] = "";
  atexit(handler);
  for (int i = 1; i < argc; i++) printf("[%s] ", argv[i]);
  if (argc > 1 && !strcmp(argv[1], "exit")) exit(9);
  if (argc > 1 && !strcmp(argv[1], "abort")) abort();
  if (fgets(line, sizeof line, stdin)) printf("<%s> ", strtok(line, "\\n"));
  return helper(argc);
}
"""
HELPER = """
#include <stdio.h>
__attribute__((constructor(150))) static void between(void) { printf("between "); }
int helper(int n) { return n + 40; }
"""


@pytest.fixture
def program(build: Build, archive: Callable[..., str]) -> list[str]:
    helper = build(HELPER, compiler="clang-22", name="helper")
    unused = build("int nowhere(void); int unused(void) { return nowhere(); }", compiler="gcc")
    library = archive("libhelper.a", unused, helper)
    main = build(MAIN, compiler="gcc", name="main")
    return [main, "-l", "helper", "--library-path", str(Path(library).parent)]


def test_initialisers_main_and_exit_handlers(farside_run: Farside, program: list[str]) -> None:
    done = farside_run("run", *program, "--", "a b", "--", "-x", stdin="line\n")
    assert done.stderr == ""
    assert done.stdout == "first between second [a b] [--] [-x] <line> handler last\n"
    assert done.returncode == 44


def test_other_ends(farside_run: Farside, program: list[str], build: Build) -> None:
    done = farside_run("run", *program, "--", "exit")
    assert (done.returncode, done.stderr) == (9, "")
    assert done.stdout == "first between second [exit] handler last\n"
    done = farside_run("run", *program, "--", "abort")
    assert done.returncode == 134
    assert "the program died: SIGABRT" in done.stderr
    assert f"main {program[0]}" in done.stderr
    thrower = build("int x = (throw 5, 0); int main() {}")
    done = farside_run("run", thrower)
    assert done.returncode == 134
    assert "an initialiser threw int" in done.stderr
    late = build(
        "#include <unistd.h>\n#include <cstdlib>\n"
        "int main() { atexit([] { _exit(3); }); return 1; }"
    )
    assert farside_run("run", late).returncode == 3


def test_cpp_with_threads_and_exceptions(farside_run: Farside, build: Build) -> None:
    source = """
    #include <iostream>
    #include <stdexcept>
    #include <thread>
    thread_local int local = 4;
    struct Global { ~Global() { std::cout << "gone" << std::endl; } } global;
    int main(int argc, char **argv) {
      int sum = 0;
      std::thread([&] { sum = ++local; }).join();
      try { throw std::runtime_error("caught "); }
      catch (std::exception &e) { std::cout << e.what(); }
      return sum * 10 + local;
    }
    """
    for compiler in ("clang++-22", "g++"):
        done = farside_run("run", build(source, compiler=compiler))
        assert (done.returncode, done.stdout, done.stderr) == (54, "caught gone\n", "")


def test_mistakes(farside_run: Farside, build: Build, tmp_path: Path) -> None:
    nothing = build("int x;", compiler="gcc")
    cases = {
        (): (2, "the following arguments are required"),
        ("/nowhere.o",): (2, "/nowhere.o: No such file"),
        (nothing, "-l", "absent"): (2, "there is no library absent"),
        (nothing,): (1, "none of the files defines main"),
        (nothing, "--wrong"): (2, "unrecognized arguments"),
        (build("int f(void); int main(void) { return f(); }", compiler="gcc"),): (
            1,
            "f is undefined",
        ),
    }
    for arguments, (status, message) in cases.items():
        done = farside_run("run", *arguments)
        assert done.returncode == status, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr


def test_what_a_program_finds(farside_run: Farside, build: Build) -> None:
    source = """
    #include <signal.h>
    #include <stdio.h>
    #include <string.h>
    int main(int argc, char **argv, char **envp) {
      int found = 0;
      for (; *envp; envp++) found += !strcmp(*envp, "FARSIDE_TEST=here");
      printf("%d %d\\n", found, argv[argc] == 0);
      fflush(stdout);
      return raise(SIGINT);
    }
    """
    done = farside_run("run", build(source, compiler="gcc"), env={"FARSIDE_TEST": "here"})
    assert done.stdout == "1 1\n"
    assert done.returncode == 130


def test_libraries_by_name(farside_run: Farside, build: Build, tmp_path: Path) -> None:
    # Where the linker's file is a script, the library itself is loaded.
    (tmp_path / "libm.so").write_text("/* GNU ld script */\nGROUP ( libm.so.6 )\n")
    source = "#include <math.h>\nint main(int argc, char **argv) { return (int)cbrt(argc * 8); }"
    main = build(source, "-fno-builtin", compiler="gcc")
    done = farside_run("run", main, "-lm", "-L", str(tmp_path))
    assert (done.returncode, done.stderr) == (2, "")


def test_thin_archives(farside_run: Farside, build: Build, tmp_path: Path) -> None:
    build("int main(void) { return 21; }", compiler="gcc", name="main")
    subprocess.run(["ar", "rcsT", "libthin.a", "main.o"], check=True, cwd=tmp_path)
    assert farside_run("run", str(tmp_path / "libthin.a")).returncode == 21
