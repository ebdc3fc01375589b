"""Objects, archives and libraries on the command line and with ``%lib``."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Farside

pytestmark = pytest.mark.usefixtures("leaves_nothing")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with four() in an object, in archives and in libraries, good and not."""
    there = tmp_path_factory.mktemp("files")
    (there / "a.cc").write_text("int four() { return 4; }\n")

    def run(*words: str) -> None:
        subprocess.run(words, cwd=there, check=True)

    run("g++", "-c", "a.cc")
    run("g++", "-shared", "-fPIC", "-o", "liba.so", "a.cc")
    (there / "plugin").write_bytes((there / "liba.so").read_bytes())
    run("ar", "rc", "a.a", "a.o")
    run("ar", "rcT", "thin.a", "a.o")
    archive = (there / "a.a").read_bytes()
    (there / "magic.a").write_bytes(b"!<arxh>\n" + archive[8:])
    (there / "short.a").write_bytes(archive[:100])
    (there / "empty.a").write_bytes(b"")
    (there / "text.o").write_bytes(b"hello")
    (there / "text.so").write_bytes(b"hello")
    return there


@pytest.mark.parametrize("name", ["a.o", "a.a", "thin.a", "liba.so", "plugin"])
def test_what_is_loaded_is_found(farside_run: Farside, files: Path, name: str) -> None:
    done = farside_run(stdin=f"%lib {name}\nint four(); four()\n", cwd=files)
    assert (done.stdout, done.returncode) == ("(int) 4\n", 0)
    done = farside_run(str(files / name), "-c", "int four(); four()")
    assert (done.stdout, done.returncode) == ("(int) 4\n", 0)


def test_a_library_is_found_wherever_the_program_has_gone(
    farside_run: Farside, files: Path
) -> None:
    moved = '#include <unistd.h>\nint moved = chdir("/");\n'
    for name in ("liba.so", "./liba.so"):
        done = farside_run(stdin=f"{moved}%lib {name}\nint four(); four()\n", cwd=files)
        assert (done.stdout, done.returncode) == ("(int) 4\n", 0)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no.o", "no.o: No such file or directory"),
        ("no.a", "no.a: No such file or directory"),
        ("./no", "./no: No such file or directory"),
        ("no.so", "no.so: cannot open shared object file"),
        ("magic.a", "magic.a: not an archive"),
        ("short.a", "short.a, offset 0x"),
        ("empty.a", "empty.a: the file is empty"),
        ("text.o", "text.o: not an ELF object"),
        ("text.so", "text.so: file too short"),
        (".", ".: Is a directory"),
    ],
)
def test_what_cannot_be_loaded(farside_run: Farside, files: Path, name: str, said: str) -> None:
    done = farside_run(stdin=f"%lib {name}\n1 + 1\n", cwd=files)
    assert (done.stdout, done.returncode) == ("(int) 2\n", 1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.parametrize("size", ["1", "1KB", "64KB", "1023KB"])
def test_an_address_range_that_holds_nothing(farside_run: Farside, size: str) -> None:
    done = farside_run(f"--slab-allocate={size}", "-c", "1 + 1")
    assert (done.stdout, done.returncode) == ("", 2)
    (line,) = done.stderr.splitlines()
    assert line.endswith("is too small (--slab-allocate); the least is 1MB")


def test_the_smallest_address_range_holds_a_few_cells(farside_run: Farside) -> None:
    code = "#include <string>\nthread_local int t = 3; std::string s(100, 'x'); s.size() + t"
    done = farside_run("--slab-allocate=1MB", "-c", code, "-c", "s.size()")
    assert (done.stdout, done.returncode) == ("(unsigned long) 103\n(unsigned long) 100\n", 0)


@pytest.mark.parametrize("command", ["%lib", "%save"])
def test_a_pipe_is_no_file_to_read_or_replace(
    tmp_path: Path, farside_run: Farside, command: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    done = farside_run(stdin=f"{command} {pipe}\n1 + 1\n")
    assert "pipe" in done.stderr
    assert done.stdout == "(int) 2\n"
