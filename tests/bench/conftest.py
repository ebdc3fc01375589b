"""Prompts that answer at once, and in other ways."""

from __future__ import annotations

import sys

import pytest

from farside.bench.peers import Peers

# Understands no C++: prints the mark of each line that has one.
_ECHO = r"""
import re, sys
for line in sys.stdin:
    if "crash" in line or len(sys.argv) > 1 and sys.argv[1] in line:
        sys.exit(7)
    found = re.search(r'printf\("(.*)\\n"\)', line)
    if found:
        print(found[1], flush=True)
"""


def echo(*fatal: str) -> list[str]:
    """Return the command of a prompt that ends with status 7 at a line with a word in it."""
    return [sys.executable, "-c", _ECHO, *fatal]


@pytest.fixture
def peers() -> Peers:
    """Return what finds farside and two peers, of which one ends at a trivial cell."""
    found = Peers(2)
    found.repls = {"farside": echo(), "clang-repl": echo(), "clang-repl-oop": echo("x = x + 1;")}
    found.missing = {"cppyy": "not installed"}
    return found
