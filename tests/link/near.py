"""A near side in miniature: an allocator, a resolver and thread-local storage made of numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from farside.link import Definition, EntryTable, LinkedImage, Prot, link
from farside.object import parse_object
from tests.link.elf_builder import ObjectBuilder

BASE = 0x10000000


class Bump:
    """Gives out page-aligned addresses upwards."""

    def __init__(self, base: int = BASE) -> None:
        self.next = base

    def allocate(self, prot: Prot, size: int, alignment: int) -> int:
        alignment = max(alignment, 4096)
        address = (self.next + alignment - 1) & -alignment
        self.next = address + size
        return address


class Names:
    """Answers from two tables, and remembers what it was asked for."""

    def __init__(
        self,
        externals: Mapping[str, int] | None = None,
        earlier: Mapping[str, Definition] | None = None,
    ) -> None:
        self.externals = externals or {}
        self.earlier = earlier or {}
        self.asked: list[str] = []

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        return {name: self.earlier[name] for name in names if name in self.earlier}

    def require(self, names: Collection[str]) -> None:
        pass

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        self.asked += names
        return {name: self.externals[name] for name in names if name in self.externals}


class Tls:
    """Thread-local storage whose answers a test chooses."""

    def __init__(self, **fields: Any) -> None:
        self.get_addr: int | None = fields.get("get_addr")
        self.descriptor: int | None = fields.get("descriptor")
        self.key: int | None = fields.get("key")
        self.static: int | None = fields.get("static")
        self.known: dict[str, int] = fields.get("known", {})

    def static_allocate(self, size: int, alignment: int) -> int | None:
        return self.static

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        return {name: self.known[name] for name in names if name in self.known}

    def modules(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        return {}


def link_all(*objects: ObjectBuilder | bytes, **how: Any) -> LinkedImage:
    """Link objects at `BASE`; keywords replace the parts of the near side."""
    names = how.pop("names", None) or Names(how.pop("externals", None), how.pop("earlier", None))
    parsed = [
        parse_object(o if isinstance(o, bytes) else o.build(), f"{number}.o")
        for number, o in enumerate(objects, 1)
    ]
    settings: dict[str, Any] = {
        "name": "test",
        "allocator": Bump(),
        "resolver": names,
        "entries": EntryTable(),
        "tls": Tls(),
    }
    return link(parsed, **(settings | how))


def read(image: LinkedImage, address: int, size: int) -> bytes:
    """Return the image's bytes at an address."""
    for segment in image.segments:
        at = address - segment.address
        if 0 <= at < len(segment.content) + segment.zero_fill:
            return (segment.content[at : at + size] + bytes(size))[:size]
    raise AssertionError(f"{address:#x} is not in the image")


def word(image: LinkedImage, address: int, size: int = 8, signed: bool = False) -> int:
    """Return the number at an address of the image."""
    return int.from_bytes(read(image, address, size), "little", signed=signed)
