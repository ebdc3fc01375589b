"""Static archives, read lazily: the index first, a member only when the link needs it.

A ``.a`` file is the magic ``!<arch>\\n`` and then members, each a 60-byte header and its bytes,
padded to an even offset. Three things vary:

* **Long names.** GNU keeps names of more than 15 characters in a member called ``//`` and refers to
  them as ``/123``; BSD writes ``#1/20`` and puts the name before the member's bytes.
* **The symbol index.** A first member ``/`` (32-bit big-endian offsets) or ``/SYM64/`` (64-bit), or
  BSD's ``__.SYMDEF``. `Archive` does not need it: without one, or with BSD's, members are read to
  see what they define.
* **Thin archives** (``!<thin>\\n``) hold no bytes of their members but the paths of the files that
  do, relative to the archive. Only regular files at or below the archive's own directory are
  opened, so that an archive that somebody sent cannot make us read a device or ``/etc/shadow``.

Every offset and size is checked before it is used; a member is visited at most once.
"""

from __future__ import annotations

import os
import stat
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.errors import ObjectError
from farside.object.elf import (
    STB_LOCAL,
    UNDEFINED,
    ObjectFile,
    parse_object,
)
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap
    from pathlib import Path

_MAGIC = b"!<arch>\n"
_THIN_MAGIC = b"!<thin>\n"
_HEADER = Struct("16s12s6s6s8s10s2s")
_BIG_WORD = Struct(">I")
_BIG_LONG = Struct(">Q")
_BSD_INDEXES = ("__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64", "__.SYMDEF_64 SORTED")


class Member(NamedTuple):
    """A member's place: its name, its header's offset, its bytes' offset and their size.

    In a thin archive `name` is a path and there are no bytes in the archive.
    """

    name: str
    header: int
    offset: int
    size: int


def is_archive(data: bytes | bytearray | memoryview | mmap) -> bool:
    """Return whether the bytes start as an archive does."""
    return bytes(data[:8]) in (_MAGIC, _THIN_MAGIC)


class Archive:
    """A static archive.

    Attributes:
        name: under which errors speak of it.
        members: all but the index and the name table, in order.
        thin: whether the members' bytes lie in files of their own.
    """

    __slots__ = (
        "_by_header",
        "_data",
        "_directory",
        "_index",
        "_loaded",
        "members",
        "name",
        "thin",
    )

    def __init__(
        self,
        name: str,
        data: memoryview,
        members: tuple[Member, ...],
        *,
        index: dict[str, int] | None,
        directory: Path | None,
        thin: bool,
    ) -> None:
        self.name = name
        self.members = members
        self.thin = thin
        self._data = data
        self._index = index
        self._directory = directory
        self._by_header = {member.header: member for member in members}
        self._loaded: dict[int, ObjectFile] = {}

    def symbols(self) -> Mapping[str, int]:
        """Return which member, by its header's offset, defines each name; the first one wins.

        Raises:
            ObjectError: there is no index, and a member that must be read instead is malformed.
        """
        if self._index is None:
            index: dict[str, int] = {}
            for member in self.members:
                if self.is_object(member):
                    for symbol in self.load(member.header).symbols:
                        if symbol.section != UNDEFINED and symbol.binding != STB_LOCAL:
                            index.setdefault(symbol.name, member.header)
            self._index = index
        return self._index

    def is_object(self, member: Member) -> bool:
        """Return whether the member's bytes begin as an ELF file does."""
        return bytes(self.content(member)[:4]) == b"\x7fELF"

    def load(self, header: int) -> ObjectFile:
        """Return the member whose header is at `header`, parsed; each is parsed once.

        Raises:
            ObjectError: no member is there, or it is no relocatable object.
        """
        found = self._loaded.get(header)
        if found is None:
            member = self._by_header.get(header)
            if member is None:
                raise ObjectError(self.name, f"the index names no member at {header:#x}")
            found = parse_object(self.content(member), f"{self.name}({member.name})")
            self._loaded[header] = found
        return found

    def objects(self) -> Iterator[ObjectFile]:
        """Yield every member that is an object, parsed, for those who want all of them."""
        for member in self.members:
            if self.is_object(member):
                yield self.load(member.header)

    def content(self, member: Member) -> memoryview:
        """Return a member's bytes.

        Raises:
            ObjectError: a thin archive's member cannot be read.
        """
        if not self.thin:
            return self._data[member.offset : member.offset + member.size]
        return memoryview(self._read_beside(member))

    def _read_beside(self, member: Member) -> bytes:
        """Read a thin archive's member from its file, which must be where it may be."""
        where = f"{self.name}({member.name})"
        if self._directory is None:
            raise ObjectError(where, "a thin archive's members are files, and it has no directory")
        try:
            root = self._directory.resolve(strict=True)
            path = (root / member.name).resolve(strict=True)
            if not path.is_relative_to(root):
                raise ObjectError(where, "a thin archive's member lies outside its directory")
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(handle, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise ObjectError(where, "a thin archive's member is not a regular file")
                if status.st_size != member.size:
                    raise ObjectError(where, f"is {status.st_size} bytes, not {member.size}")
                return file.read(member.size)
        except (OSError, ValueError, RuntimeError) as error:
            raise ObjectError(where, f"cannot be read: {error}") from None


def parse_archive(
    data: bytes | bytearray | memoryview | mmap, name: str, directory: Path | None = None
) -> Archive:
    """Read an archive's member headers and its index.

    Args:
        data: its bytes, which must not change while the archive is in use.
        name: for messages.
        directory: where the file lies, for a thin archive's members.

    Raises:
        ObjectError: the bytes are no archive, or a header or the index is malformed.
    """
    view = memoryview(data).cast("B")
    magic = bytes(view[:8])
    if magic not in (_MAGIC, _THIN_MAGIC):
        raise ObjectError(name, "not an archive" if view else "the file is empty")
    thin = magic == _THIN_MAGIC
    members: list[Member] = []
    long_names = b""
    index: dict[str, int] | None = None
    names_left = 4 * len(view)
    at = 8
    while at < len(view):
        raw, size = _header(view, name, at)
        content = at + 60
        special = raw in ("/", "//", "/SYM64/")
        if (special or not thin) and size > len(view) - content:
            raise ObjectError(name, f"member {raw!r} lies outside the file", at)
        if raw in {"/", "/SYM64/"}:
            width = _BIG_WORD if raw == "/" else _BIG_LONG
            index = _gnu_index(view[content : content + size], name, content, width)
        elif raw == "//":
            long_names = bytes(view[content : content + size])
        else:
            member = _member(view, name, raw, (at, size), long_names)
            names_left -= len(member.name)
            if names_left < 0:
                raise ObjectError(name, "member names overlap beyond all reason", at)
            if member.name not in _BSD_INDEXES:
                members.append(member)
        at = content + (0 if thin and not special else size + (size & 1))
    return Archive(name, view, tuple(members), index=index, directory=directory, thin=thin)


def _header(view: memoryview, name: str, at: int) -> tuple[str, int]:
    """Return the raw name and size in the member header at `at`."""
    if at + 60 > len(view):
        raise ObjectError(name, "truncated member header", at)
    raw, _, _, _, _, size, end = _HEADER.unpack_from(view, at)
    if end != b"`\n":
        raise ObjectError(name, "damaged member header", at)
    digits = size.rstrip(b" ")
    if not digits.isdigit():
        raise ObjectError(name, f"member size {digits!r} is no number", at)
    return _text(raw.rstrip(b" "), name, at), int(digits)


def _member(
    view: memoryview, name: str, raw: str, place: tuple[int, int], long_names: bytes
) -> Member:
    """Resolve a member's name, which may be in the long-name table or before its bytes."""
    at, size = place
    content = at + 60
    if raw.startswith("#1/") and raw[3:].isdecimal():
        length = int(raw[3:])
        if length > size or length > 1 << 16:
            raise ObjectError(name, f"member name of {length} bytes", at)
        text = bytes(view[content : content + length]).rstrip(b"\0")
        return Member(_text(text, name, at), at, content + length, size - length)
    if raw.startswith("/") and raw[1:].isdecimal():
        start = int(raw[1:])
        end = long_names.find(b"\n", start)
        if start >= len(long_names) or end < 0 or end - start > 1 << 16:
            raise ObjectError(name, f"member name {raw!r} is not in the name table", at)
        text = long_names[start:end].removesuffix(b"/")
        return Member(_text(text, name, at), at, content, size)
    return Member(raw.removesuffix("/"), at, content, size)


def _gnu_index(raw: memoryview, name: str, at: int, width: Struct) -> dict[str, int]:
    """Read the symbol index: a count, that many offsets, that many names, each ended by a zero."""
    step = width.size
    if len(raw) < step:
        raise ObjectError(name, "the symbol index is truncated", at)
    (count,) = width.unpack_from(raw)
    if count > (len(raw) - step) // step:
        raise ObjectError(name, f"the symbol index claims {count} entries", at)
    names_at = step + count * step
    names = bytes(raw[names_at:]).split(b"\0", count)
    if len(names) <= count:
        raise ObjectError(name, "the symbol index has fewer names than entries", at)
    index: dict[str, int] = {}
    for text, (offset,) in zip(names, width.iter_unpack(bytes(raw[step:names_at])), strict=False):
        index.setdefault(_text(text, name, at), offset)
    return index


def _text(raw: bytes, name: str, at: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ObjectError(name, "a name is not UTF-8", at) from None
