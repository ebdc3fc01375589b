"""How often the compiler's branches are taken, in a file that is small enough to keep.

llvm-bolt reads and writes a line for each branch (the "fdata" format): two places, each a function
and an offset, and a count. Here functions are named once, offsets are differences, and counts are
powers of two; packed, what were 100 MB are one.
"""

from __future__ import annotations

import lzma
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_HEAD = "branches 1"


class Branch(NamedTuple):
    """A branch or call that was taken.

    Attributes:
        function: the symbol of where it is, as llvm-bolt names it.
        at: its offset there, in bytes.
        target: the symbol of where it goes.
        to: the offset there, in bytes.
        taken: how often.
    """

    function: str
    at: int
    target: str
    to: int
    taken: int


def read_fdata(lines: Iterable[str]) -> Iterator[Branch]:
    """Read llvm-bolt's lines; those about places outside of functions are left out."""
    for line in lines:
        words = line.split()
        if len(words) == 8 and words[0] == words[3] == "1":
            yield Branch(words[1], int(words[2], 16), words[4], int(words[5], 16), int(words[7]))


def write_fdata(branches: Iterable[Branch]) -> Iterator[str]:
    """Return llvm-bolt's lines."""
    for each in branches:
        yield f"1 {each.function} {each.at:x} 1 {each.target} {each.to:x} 0 {each.taken}\n"


def pack(branches: Iterable[Branch], share: float) -> bytes:
    """Keep the functions in which the given share of all branches was taken.

    Those of farside itself are left out: another version has others at these offsets.
    """
    found: dict[str, list[Branch]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for each in branches:
        if "7farside" not in each.function and "7farside" not in each.target:
            found[each.function].append(each)
            counts[each.function] += each.taken
    enough = share * counts.total()
    kept = []
    for name, count in counts.most_common():
        if enough <= 0:
            break
        enough -= count
        kept.append(name)
    kept.sort()
    numbers = {name: number for number, name in enumerate(kept)}
    lines = [_HEAD, str(len(kept)), *kept]
    for name in kept:
        before = 0
        lines.append("")
        for each in sorted(found[name]):
            power = each.taken.bit_length() - 1
            if each.target == name:
                lines.append(f"{each.at - before:x} {each.to - each.at:x} {power:x}")
            elif each.target in numbers:
                lines.append(f"{each.at - before:x} {each.to:x} {power:x} {numbers[each.target]:x}")
            else:
                continue
            before = each.at
    return lzma.compress("\n".join(lines).encode(), preset=9 | lzma.PRESET_EXTREME)


def unpack(path: Path) -> Iterator[Branch]:
    """Read what `pack` made.

    Raises:
        ValueError: that is something else.
    """
    lines = iter(lzma.decompress(path.read_bytes()).decode().split("\n"))
    if next(lines) != _HEAD:
        raise ValueError(f"{path} does not begin with {_HEAD!r}")
    names = [next(lines) for _ in range(int(next(lines)))]
    number, at = -1, 0
    for line in lines:
        if not line:
            number, at = number + 1, 0
            continue
        words = [int(word, 16) for word in line.split(" ")]
        at += words[0]
        inside = len(words) == 3
        target = names[number] if inside else names[words[3]]
        yield Branch(
            names[number], at, target, at + words[1] if inside else words[1], 1 << words[2]
        )
