"""Sessions, and objects of all compilers to fill their JITDylibs with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farside.options import Options
from farside.session import Session
from tests.far_sides import far_side

Build = Callable[..., str]

TRACE = """
#include <cstdio>
struct Trace {
  const char *name;
  explicit Trace(const char *n) : name(n) { printf("+%s ", name); }
  ~Trace() { printf("-%s ", name); }
};
"""
"""C++ of an object that says when it is constructed and destroyed."""


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a capturing session."""
    with far_side() as chosen, Session(Options(output="capture", **chosen)) as started:
        yield started


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Return a function that compiles a source and returns the object's path."""
    count = 0

    def compile_(source: str, *flags: str, compiler: str = "clang++-22", name: str = "") -> str:
        nonlocal count
        count += 1
        if compiler == "as":
            suffix = ".s"
        elif compiler.endswith(("++", "++-22")):
            suffix = ".cpp"
        else:
            suffix = ".c"
        path = tmp_path / f"{name or f'object{count}'}{suffix}"
        path.write_text(source)
        target = path.with_suffix(".o")
        words = ["as"] if compiler == "as" else [compiler, "-c"]
        subprocess.run([*words, *flags, str(path), "-o", str(target)], check=True)
        return str(target)

    return compile_


@pytest.fixture
def archive(tmp_path: Path) -> Callable[..., str]:
    """Return a function that makes an archive of objects."""

    def make(name: str, *objects: str) -> str:
        path = tmp_path / name
        subprocess.run(["ar", "rcs", str(path), *objects], check=True)
        return str(path)

    return make
