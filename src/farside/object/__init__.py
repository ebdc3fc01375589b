"""Relocatable objects and static archives, read from bytes that are not trusted.

`parse_object` and `parse_archive` return frozen values or raise `farside.errors.ObjectError`.
"""

from farside.object.archive import Archive, is_archive, parse_archive
from farside.object.elf import Group, ObjectFile, ObjectSection, ObjectSymbol, parse_object
from farside.object.stand_ins import STAND_INS, run_at_once, stand_in

__all__ = [
    "STAND_INS",
    "Archive",
    "Group",
    "ObjectFile",
    "ObjectSection",
    "ObjectSymbol",
    "is_archive",
    "parse_archive",
    "parse_object",
    "run_at_once",
    "stand_in",
]
