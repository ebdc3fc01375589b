"""Unwind tables: ``.eh_frame`` as records, so that those of dropped functions can be left out.

The section is a run of records, each a 32-bit length (or ``0xffffffff`` and a 64-bit one) and that
many bytes. The first word after the length is 0 in a **CIE**, which describes how functions of one
kind are unwound; in an **FDE**, which describes one function, it is the distance back to its CIE.
An FDE's next field says where the function starts, in the encoding that the CIE's augmentation
``R`` names. In a relocatable object that field always carries a relocation, whatever the encoding
(pc-relative or absolute, 4 or 8 bytes), so the function is the target of the edge at that place and
the encoding itself need not be decoded.

A record of length 0 ends the table for whoever walks it at run time (libgcc's
``__register_frame``), so one in the middle would hide all that follows. Objects such as
``crtend.o`` hold one; it is left out here, and the layout adds exactly one at the end of the image.

Source: System V psABI for AMD64, 4.2.4; Linux Standard Base, 10.6.1.
"""

from __future__ import annotations

from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import ObjectError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from farside.link.graph import Block, Edge

_WORD = Struct("<I")
_LONG = Struct("<Q")


class Record(NamedTuple):
    """One record.

    Attributes:
        start, end: its range in the section, the length included.
        id_at: where the CIE's zero or the FDE's distance to its CIE is.
        cie: where the FDE's CIE starts, or -1 in a CIE.
    """

    start: int
    end: int
    id_at: int
    cie: int


def records(block: Block) -> list[Record]:
    """Take an ``.eh_frame`` block apart, leaving out terminators.

    Raises:
        ObjectError: a record reaches beyond the section, or an FDE has no CIE.
    """
    content = block.content
    size = len(content)
    found: list[Record] = []
    cies: set[int] = set()
    at = 0
    while at < size:
        if at + 4 > size:
            raise _damaged(block, at)
        (length,) = _WORD.unpack_from(content, at)
        if length == 0:
            at += 4
            continue
        id_at = at + 4
        if length == 0xFFFFFFFF:
            if at + 12 > size:
                raise _damaged(block, at)
            (length,) = _LONG.unpack_from(content, id_at)
            id_at += 8
        end = id_at + length
        if end > size or length < 4:
            raise _damaged(block, at)
        (distance,) = _WORD.unpack_from(content, id_at)
        if distance:
            cie = id_at - distance
            if cie not in cies:
                raise _damaged(block, at)
        else:
            cie = -1
            cies.add(at)
        found.append(Record(at, end, id_at, cie))
        at = end
    return found


def _damaged(block: Block, at: int) -> ObjectError:
    section = block.section
    return ObjectError(section.object_name, f"{section.name} is damaged at {at:#x}")


def described(block: Block, found: list[Record]) -> list[list[Edge]]:
    """Return each record's edges in the order of offsets; an FDE's first names its function."""
    edges = sorted(block.edges, key=lambda edge: edge[0])
    split: list[list[Edge]] = []
    at = 0
    for record in found:
        while at < len(edges) and edges[at][0] < record.start:
            at += 1
        first = at
        while at < len(edges) and edges[at][0] < record.end:
            at += 1
        split.append(edges[first:at])
    return split


def compact(block: Block, found: list[Record]) -> None:
    """Rebuild an ``.eh_frame`` block without terminators and without FDEs of dropped functions.

    An FDE whose function is in a block that is not live goes; so does an FDE without relocation,
    which describes nothing of this link. A CIE stays only where an FDE that stays needs it. The
    distances from FDEs to CIEs are written anew.
    """
    split = described(block, found)
    keep: list[tuple[Record, list[Edge]]] = []
    needed: set[int] = set()
    for record, edges in zip(found, split, strict=True):
        if record.cie >= 0:
            function = _function(record, edges)
            home = function[2].block if function is not None else None
            if home is None or not home.live:
                continue
            needed.add(record.cie)
        keep.append((record, edges))
    content = bytearray()
    moved: dict[int, int] = {}
    fixed: list[Edge] = []
    for record, edges in keep:
        if record.cie < 0 and record.start not in needed:
            continue
        shift = len(content) - record.start
        moved[record.start] = len(content)
        content += block.content[record.start : record.end]
        if record.cie >= 0:
            id_at = record.id_at + shift
            _WORD.pack_into(content, id_at, id_at - moved[record.cie])
        fixed += [(at + shift, kind, target, addend) for at, kind, target, addend in edges]
    block.content = bytes(content)
    block.size = len(content)
    block.edges = fixed


def _function(record: Record, edges: list[Edge]) -> Edge | None:
    """Return the edge at the FDE's first field, which names the function it describes."""
    for edge in edges:
        if edge[0] == record.id_at + 4:
            return edge
    return None
