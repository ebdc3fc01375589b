"""The names of all libraries on the far side's search path, as a Bloom filter.

A filter is a list of parts; a scan that finds new libraries adds one. A name that every part rules
out is in no library. Of a hundred names that are in none, a part lets one through: that costs a
question, no more.

A part has m bits and k probes. From the 32 bits of the name's CRC-32 a multiplication makes a start
and an odd step; probe i is bit ``((start + i * step) mod 2**32) * m >> 32``. The CRC is what Python
computes fastest; with 32 bits two of n names share it once in 2**32 / n, which for a million names
adds one false positive in 4,000 to the forty that the filter has.
"""

from __future__ import annotations

from zlib import crc32

from farside.errors import ProtocolError
from farside.records import NamedTuple

_MIX = 0x9E3779B97F4A7C15
_MASK32 = 0xFFFFFFFF
_MOST_BITS = 1 << 31
_MOST_PROBES = 32
FALSE_POSITIVES = 0.01
"""The rate that the librarian sizes each part for."""


class FilterPart(NamedTuple):
    """Some of the names.

    Attributes:
        probes: bits that each name sets.
        bits: size in bits.
        content: the bits, the lowest of the first byte first.
    """

    probes: int
    bits: int
    content: bytes


def checked_part(probes: int, bits: int, content: bytes) -> FilterPart:
    """Return a part that came over the wire.

    Raises:
        ProtocolError: the numbers do not fit each other, or are absurd.
    """
    if not (0 < probes <= _MOST_PROBES and 0 < bits <= _MOST_BITS and bits == 8 * len(content)):
        raise ProtocolError(f"Bloom filter of {bits} bits, {probes} probes, {len(content)} bytes.")
    return FilterPart(probes, bits, content)


class NameFilter:
    """Tells which names may be defined by a library. Empty, it rules out every name."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[FilterPart] = []

    def replace(self, parts: list[FilterPart]) -> None:
        """Take these parts for all there is."""
        self._parts = list(parts)

    def add(self, parts: list[FilterPart]) -> None:
        """Add the names of these parts."""
        self._parts += parts

    @property
    def size(self) -> int:
        """Bytes of all parts together."""
        return sum(len(part.content) for part in self._parts)

    def __contains__(self, name: str) -> bool:
        """Tell whether a library may define `name`; False is certain."""
        mixed = crc32(name.encode("utf-8", "surrogateescape")) * _MIX
        start = mixed >> 32 & _MASK32
        step = mixed & _MASK32 | 1
        for probes, bits, content in self._parts:
            at = start
            for _ in range(probes):
                bit = at * bits >> 32
                if not content[bit >> 3] >> (bit & 7) & 1:
                    break
                at = at + step & _MASK32
            else:
                return True
        return False
