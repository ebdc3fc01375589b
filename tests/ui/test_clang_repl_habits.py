"""What users of Clang-Repl are used to: its commands, its continued lines, its values."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

Repl = Callable[..., tuple[list[str], str]]


@pytest.fixture
def repl(tmp_path: Path) -> Repl:
    """Return a function that feeds lines to farside; it returns the lines shown, and stderr."""

    def run(text: str, *arguments: str) -> tuple[list[str], str]:
        done = subprocess.run(
            [sys.executable, "-m", "farside", *arguments],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )
        without_addresses = partial(re.sub, r"0x[0-9a-f]+", "@")
        return [without_addresses(line) for line in done.stdout.splitlines()], done.stderr

    return run


def test_definitions_statements_and_output(repl: Repl) -> None:
    shown, complaints = repl(
        "#include <cstdio>\n"
        'int greet(const char *whom) { return std::printf("good day, %s\\n", whom); }\n'
        'auto length = greet("cell");\n'
        "length\n"
        "int twice(int n) { return 2 * n; } int thrice(int n) { return 3 * n; }\n"
        'for (int i = 1; i < 3; ++i) { std::printf("%d ", twice(i) + thrice(i)); } std::puts("");\n'
        "%quit\n"
        "never\n"
    )
    assert shown == ["good day, cell", "(int) 15", "5 10 "]
    assert complaints == ""


def test_a_line_goes_on_after_a_backslash(repl: Repl) -> None:
    shown, _ = repl("int square(int n) \\\n{ \\\n  return n * n; \\\n}\nsquare \\\n(7)\n")
    assert shown == ["(int) 49"]


def test_undo_frees_names_and_gives_older_ones_back(repl: Repl) -> None:
    shown, complaints = repl(
        "int a = 1;\ndouble b = 2.5;\n%undo\nconst char *b = 0;\nb\n%undo\n%undo\n%undo\n"
        "char a = 'x';\na\n%undo 9\n"
    )
    assert shown == ["(const char *) 0", "(char) 'x'"]
    assert "cannot undo 9 cells" in complaints


def test_a_library_is_loaded_by_its_name(repl: Repl) -> None:
    shown, _ = repl(
        '%lib libz.so.1\nextern "C" unsigned long crc32(unsigned long, const char *, unsigned);\n'
        'crc32(0, "farside", 7)\n'
    )
    assert shown == [f"(unsigned long) {zlib.crc32(b'farside')}"]


def test_errors_leave_what_was_there(repl: Repl) -> None:
    shown, complaints = repl(
        "int a = 3;\nint b = missing;\nint f() { return; }\na\nint b = a + 1;\nb\n"
    )
    assert shown == ["(int) 3", "(int) 4"]
    assert "use of undeclared identifier 'missing'" in complaints


def test_values_of_the_language(repl: Repl) -> None:
    shown, _ = repl(
        "int n = 42; const int &r = n; int *p = &n; int list[2][2] = {{1, 2}, {3, 4}};\n"
        "n\nr\np\nlist\n-n\nn == 42\n'a'\n\"text\"\n1.5f\n2.0\n3.0L\nnullptr\n(void *)0\n"
        "enum Colour { red, green = 4 };\ngreen\n(Colour)3\nenum class Size : char { small };\n"
        "Size::small\nvoid function(int) {}\nfunction\n&function\n"
        "struct Two { int first; double second; };\nTwo{1, 2}\n&Two::first\n"
        "auto closure = [k = n](int add) { return k + add; };\nclosure\nclosure(1)\n"
        "struct Odd { ~Odd() {} int i = 7; };\nOdd()\nn = 5\nn, n + 1\n(void)n\n"
    )
    assert shown == [
        "(int) 42",
        "(const int) 42",
        "(int *) @",
        "(int[2][2]) { { 1, 2 }, { 3, 4 } }",
        "(int) -42",
        "(bool) true",
        "(char) 'a'",
        '(const char[5]) "text"',
        "(float) 1.50000f",
        "(double) 2.0",
        "(long double) 3.0L",
        "(std::nullptr_t) nullptr",
        "(void *) @",
        "(Colour) (green) : unsigned int 4",
        "(Colour)  : unsigned int 3",
        "(Size) (Size::small) : char 0",
        "(void (int)) Function @@",
        "(void (*)(int)) Function @@",
        "(Two) { first = 1, second = 2.0 }",
        "(int Two::*) &Two::first",
        shown[20],
        "(int) 43",
        "(Odd) { i = 7 }",
        "(int) 5",
        "(int) 6",
    ]
    assert re.fullmatch(r"\(\(lambda at cell \d+:1:16\) &\) \{ k = 42 \}", shown[20])


def test_values_of_the_library(repl: Repl) -> None:
    shown, _ = repl(
        "#include <map>\n#include <memory>\n#include <string>\n#include <tuple>\n"
        "#include <vector>\n"
        "std::vector<int> v{3, 1, 2};\nv\nv.size()\nstd::string(3, 'x')\n"
        "std::make_tuple(1, 'c', v)\nstd::map<int, std::string>{{1, \"one\"}}\n"
        "std::make_unique<int>(9)\nstd::make_shared<std::vector<bool>>(2)\n"
    )
    assert shown == [
        "(std::vector<int> &) { 3, 1, 2 }",
        "(std::vector<int>::size_type) 3" if "size_type" in shown[1] else "(unsigned long) 3",
        '(std::string) "xxx"',
        "(std::tuple<int, char, std::vector<int>>) { 1, 'c', { 3, 1, 2 } }",
        '(std::map<int, std::string>) { 1 => "one" }',
        "(std::unique_ptr<int>) @ -> 9",
        "(std::shared_ptr<std::vector<bool>>) @ -> { false, false }",
    ]
