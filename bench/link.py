"""How long the linker takes: medians over many links, by size of object.

Usage: ``PYTHONPATH=src python bench/link.py [--repeat N] [OBJECT...]``

Without objects, three are compiled by ``clang-22``: the one-statement cell, one of some 85 KB and
one of some 1.2 MB with more than 5,800 sections. Times are processor time, so that other work on the
machine counts as little as it can; parse and link are reading an object and linking it, each from
nothing. The import is timed without ``typing``, which everything else in farside needs, too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

CELL = """
extern int x;
static void statement() { x = x + 1; }
__attribute__((section(".init_array"), used)) static void (*const entry)() = statement;
"""


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


SOURCES = {
    "one statement": (CELL, ("-O0",)),
    "85 KB": (functions(210), ("-O1", "-ffunction-sections")),
    "1.2 MB": (functions(2500), ("-O1", "-ffunction-sections")),
}


class Bump:
    def __init__(self) -> None:
        self.next = 0x10000000

    def allocate(self, prot: int, size: int, alignment: int) -> int:
        address = (self.next + alignment - 1) & -alignment
        self.next = address + size
        return address


class Everything:
    def defined(self, names: Iterable[str]) -> Mapping[str, object]:
        return {}

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        return dict.fromkeys(names, 0x10400000)


def median(action: Callable[[], object], repeat: int) -> float:
    """Return the median of the milliseconds that `action` takes, after a few that do not count."""
    for _ in range(max(3, repeat // 10)):
        action()
    times = []
    for _ in range(repeat):
        start = time.process_time_ns()
        action()
        times.append(time.process_time_ns() - start)
    return statistics.median(times) / 1e6


def imports() -> float:
    """Return the milliseconds that importing both packages takes, in a fresh interpreter."""
    code = (
        "import time, typing; s = time.process_time_ns(); import farside.object, farside.link; "
        "print(time.process_time_ns() - s)"
    )
    command = [sys.executable, "-c", code]
    with TemporaryDirectory() as cache:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        times = [int(subprocess.check_output(command, env=environment)) for _ in range(12)]
    return statistics.median(times[1:]) / 1e6


def measure(label: str, data: bytes, repeat: int) -> None:
    from farside.link import EntryTable, NoTls, link
    from farside.object import parse_object

    def parse() -> object:
        return parse_object(data, "bench")

    def both() -> object:
        return link(
            [parse_object(data, "bench")],
            name="bench",
            allocator=Bump(),
            resolver=Everything(),  # type: ignore[arg-type]
            entries=EntryTable(),
            tls=NoTls(),
        )

    obj = parse_object(data, "bench")
    count = sum(len(obj.relocations(index)) for index in obj.sections)
    sections = len(obj.sections) + sum(1 for _ in obj.other_sections())
    times = repeat if len(data) < 10_000 else max(5, repeat * 1000 // len(data))
    print(
        f"{label:14} {len(data):9,} bytes {sections:6,} sections {count:7,} relocations  "
        f"parse {median(parse, times):8.3f} ms  parse and link {median(both, times):8.3f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5000, help="links of the smallest object")
    parser.add_argument("objects", nargs="*", type=Path)
    options = parser.parse_args()
    print(f"import of farside.object and farside.link: {imports():.1f} ms")
    for path in options.objects:
        measure(path.name, path.read_bytes(), options.repeat)
    if options.objects:
        return
    with TemporaryDirectory() as name:
        for label, (text, flags) in SOURCES.items():
            source, target = Path(name, "bench.cpp"), Path(name, "bench.o")
            source.write_text(text)
            command = ["clang-22", "-fPIC", *flags, "-c", str(source), "-o", str(target)]
            subprocess.run(command, check=True)
            measure(label, target.read_bytes(), options.repeat)


if __name__ == "__main__":
    main()
