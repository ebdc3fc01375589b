"""Where the parts of an image lie, in a form small enough to be kept for every cell.

It is kept for one purpose: to say what an address belongs to when a program has died.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from farside.link.image import LinkedImage


class Place(NamedTuple):
    """A section of an object in an image.

    Attributes:
        address, size: in bytes.
        prot: read 1, write 2, execute 4.
        object_name, name: of the object and the section.
    """

    address: int
    size: int
    prot: int
    object_name: str
    name: str


class Places(NamedTuple):
    """What an image consists of.

    Attributes:
        sections: all that have a size.
        symbols: (address, size, mangled name) of functions and data.
    """

    sections: tuple[Place, ...]
    symbols: tuple[tuple[int, int, str], ...]

    def section_at(self, address: int) -> Place | None:
        """Return the section that an address lies in."""
        for place in self.sections:
            if place.address <= address < place.address + place.size:
                return place
        return None

    def symbol_at(self, address: int) -> str | None:
        """Return the mangled name of the function or datum that an address lies in."""
        best: tuple[int, int, str] | None = None
        for symbol in self.symbols:
            at, size, _ = symbol
            if at <= address < at + size and (best is None or at > best[0]):
                best = symbol
        return best[2] if best else None


def places_of(image: LinkedImage) -> Places:
    """Return the places of an image."""
    return Places(
        tuple(
            [
                Place(s.address, s.size, int(s.prot), s.object_name, s.name)
                for s in image.sections
                if s.size
            ]
        ),
        tuple(
            [
                (each.address, each.size, name)
                for names in (image.defined, image.hidden)
                for name, each in names.items()
                if each.size and each.kind != "thread"
            ]
            + [
                (each.address, each.size, each.name)
                for each in image.local_symbols
                if each.size and each.kind != "thread"
            ]
        ),
    )
