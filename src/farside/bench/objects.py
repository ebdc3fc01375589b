"""Objects to be linked, made for the purpose."""

from __future__ import annotations

import subprocess
from pathlib import Path
from shutil import which

from farside.annotations import TYPE_CHECKING
from farside.bench.rows import PeerFailed

if TYPE_CHECKING:
    from farside.bench.run import Run

_PATIENCE = 300

ONE_STATEMENT = """
extern int x;
static void statement() { x = x + 1; }
__attribute__((section(".init_array"), used)) static void (*const entry)() = statement;
int f0(int a) { return a; }
"""
ENTRY = "_Z2f0i"  # a function that each object defines


def functions(count: int) -> str:
    """Return a program of `count` functions that call each other, the outside, and templates."""
    text = ["extern int outside(int); extern int variable; int printf(const char *, ...);"]
    for n in range(count):
        text += [
            f"template <int N> inline __attribute__((noinline)) int t{n}(int a) {{",
            f"  return a * {n} + N + variable; }}",
            f"int f{n}(int a) {{ a ^= a << {n % 13}; a += a * {n} + 7;",
            f"  a += t{n}<3>(a);" if n % 4 == 0 else "",
            "  a += outside(a);" if n % 3 == 0 else "",
            f"  if (a > {n}) a = f{n - 1}(a);" if n else "",
            f"  return a + {n}; }}",
        ]
    return "\n".join(text)


def symbols(count: int) -> str:
    """Return assembly that defines so many global functions in one section."""
    lines = [f".globl many{n}\n.type many{n}, @function\nmany{n}: ret" for n in range(count)]
    return "\n".join([".text", *lines]) + "\n"


def duplicates(count: int, name: str) -> str:
    """Return assembly with so many weak functions, each in a group of its own, and a global one."""
    lines = [
        f'.section .text.twice{n},"axG",@progbits,twice{n},comdat\n.weak twice{n}\n'
        f".type twice{n}, @function\ntwice{n}: ret"
        for n in range(count)
    ]
    return "\n".join([*lines, f".text\n.globl {name}\n{name}: ret"]) + "\n"


def assemble(run: Run, name: str, text: str, *flags: str) -> Path:
    """Compile or assemble a source file of the run's directory and return the object's path.

    Raises:
        PeerFailed: there is no Clang, or it fails.
    """
    compiler = which("clang++-22") or which("clang++")
    if compiler is None:
        raise PeerFailed("clang++ is not installed")
    source = run.file(name, text)
    target = Path(source).with_suffix(".o")
    command = [compiler, "-c", "-fPIC", *flags, source, "-o", str(target)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_PATIENCE)
    except (subprocess.SubprocessError, OSError) as error:
        raise PeerFailed(f"{name} could not be compiled") from error
    return target
