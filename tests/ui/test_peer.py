"""Clang-Repl and farside show the same for the same input."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Farside

CELLS = """\
int x = 42;
x
const int c = 1;
c
(short)3
42ul
(bool)x
'a'
(unsigned char)65
0.1
0.1f
1.0
1e300
1.0 / 3
1.0f / 3
123456.789
1e-5
"hello"
(const char *)"hello"
(int *)0x1234
(const char *)0
sizeof(int)
x = 7
x++
int &r = x;
r
enum class E : unsigned char { X = 1 };
int twice(int n) { return 2 * n; }
twice(x)
"""


@pytest.mark.usefixtures("leaves_nothing")
def test_values_look_as_in_clang_repl(farside_run: Farside) -> None:
    clang_repl = shutil.which("clang-repl-22")
    assert clang_repl is not None, "scripts/setup --test installs it"
    peer = subprocess.run(
        [clang_repl], input=CELLS, capture_output=True, text=True, check=True, timeout=100
    )
    done = farside_run(stdin=CELLS)
    assert done.stderr == ""
    # Clang-Repl ends its output with a blank line.
    assert done.stdout == peer.stdout.rstrip("\n") + "\n"
    assert done.stdout.count("\n") >= 20
