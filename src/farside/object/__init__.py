"""Relocatable objects and static archives, read from bytes that are not trusted.

`parse_object` and `parse_archive` return frozen values or raise `farside.errors.ObjectError`.
"""

from farside.object.archive import Archive, is_archive, parse_archive
from farside.object.elf import Group, ObjectFile, ObjectSection, ObjectSymbol, parse_object

__all__ = [
    "Archive",
    "Group",
    "ObjectFile",
    "ObjectSection",
    "ObjectSymbol",
    "is_archive",
    "parse_archive",
    "parse_object",
]
