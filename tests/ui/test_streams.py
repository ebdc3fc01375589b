"""The command with streams that are closed, full or abandoned, and with few descriptors."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("leaves_nothing")

PRINTING = '#include <cstdio>\nfor (int i = 0; i < 1000000; ++i) puts("x");\n'
MAIN = '#include <cstdio>\nint main() { for (int i = 0; i < 1000000; ++i) puts("x"); }\n'


def shell(script: str, command: list[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script in which ``"$@"`` is farside with `arguments`."""
    return subprocess.run(
        ["sh", "-c", script, "sh", *command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.mark.parametrize(
    ("script", "stdout", "status"),
    [
        ('"$@" <&-', "(int) 2\n", 0),
        ('"$@" >&-', "", 0),
        ('"$@" 2>&-', "(int) 2\n", 0),
        ('"$@" <&- >&- 2>&-', "", 0),
    ],
)
def test_closed_streams(farside_command: list[str], script: str, stdout: str, status: int) -> None:
    done = shell(script, farside_command, "-c", "1 + 1")
    assert (done.stdout, done.stderr, done.returncode) == (stdout, "", status)


def test_a_closed_standard_input_is_an_empty_script(farside_command: list[str]) -> None:
    done = shell('"$@" <&-', farside_command)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_closed_standard_output_is_not_taken_by_another_file(
    farside_command: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "file"
    code = (
        "#include <cstdio>\n"
        f'FILE *f = fopen("{file}", "w"); puts("lost"); fputs("kept", f); fclose(f);'
    )
    done = shell('"$@" >&-', farside_command, "-c", code)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert file.read_text() == "kept"


def test_a_full_disk(farside_command: list[str]) -> None:
    done = shell('"$@" > /dev/full', farside_command, "-c", "1 + 1")
    assert done.stderr == "farside: [Errno 28] No space left on device\n"
    assert done.returncode == 2


@pytest.mark.parametrize("inputs", ["file", "stream", "main"])
def test_a_reader_that_leaves_ends_a_script_quietly(
    farside_command: list[str], tmp_path: Path, inputs: str
) -> None:
    file = tmp_path / "a.cpp"
    file.write_text(MAIN if inputs == "main" else PRINTING)
    how = f'< "{file}"' if inputs == "stream" else f'"{file}"'
    done = shell(f'{{ "$@" {how}; echo $? >&2; }} | head -1', farside_command)
    assert (done.stdout, done.stderr) == ("x\n", "141\n")


def test_values_that_nobody_reads_end_a_script_quietly(
    farside_command: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "input"
    file.write_text("".join(f"{number}\n" for number in range(200)))
    read, write = os.pipe()
    os.close(read)
    with file.open() as stdin:
        done = subprocess.run(
            farside_command, stdin=stdin, stdout=write, stderr=subprocess.PIPE, check=False
        )
    os.close(write)
    assert (done.stderr, done.returncode) == (b"", 141)


def test_a_pipe_of_the_programs_own_is_no_reason_to_be_quiet(farside_command: list[str]) -> None:
    code = '#include <unistd.h>\nint ends[2]; pipe(ends); close(ends[0]); write(ends[1], "x", 1);'
    done = shell('"$@" | cat', farside_command, "-c", code, "-c", "7")
    assert done.stdout == "(int) 7\n"
    assert "cell 1" in done.stderr
    assert "SIGPIPE" in done.stderr


@pytest.mark.parametrize("limit", [24, 30])
def test_few_descriptors(farside_command: list[str], limit: int) -> None:
    done = shell(
        f'ulimit -n {limit}; "$@"',
        farside_command,
        *("-c", "int x = 1;", "-c", "x = 2;", "-c", "x = nope;", "-c", "*(int *)nullptr = 1;"),
        *[word for _ in range(20) for word in ("-c", "++x;")],
        *("-c", "x"),
    )
    assert done.stdout == "(int) 22\n"
    assert "Errno 24" not in done.stderr
    assert "SIGSEGV" in done.stderr
    assert done.returncode == 1


@pytest.mark.parametrize("limit", [8, 12, 16])
def test_too_few_descriptors_are_clear_lines(farside_command: list[str], limit: int) -> None:
    done = shell(f'ulimit -n {limit}; "$@"', farside_command, "-c", "1 + 1")
    assert done.returncode != 0 or done.stdout == "(int) 2\n"
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4


def test_a_program_that_fails_in_its_destructors_has_failed(farside_command: list[str]) -> None:
    done = shell(
        '"$@"',
        farside_command,
        *("-c", "#include <cstdlib>\nstruct T { ~T() { abort(); } }; T t;", "-c", "1"),
    )
    assert done.stdout == "(int) 1\n"
    assert "the program did not end in order" in done.stderr
    assert "SIGABRT" in done.stderr
    assert done.returncode == 1
