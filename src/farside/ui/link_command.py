"""``farside link``: link relocatable objects without any far side and print the result.

This is how the linker is looked at, and checked, from outside. ``docs/link.md`` describes the
options and the output.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from farside.annotations import TYPE_CHECKING, Any
from farside.errors import FarsideError, ObjectError, OutOfAddressSpace
from farside.link import Definition, EntryTable, LinkedImage, Prot, link
from farside.object import Archive, ObjectFile, is_archive, parse_archive, parse_object
from farside.records import NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Collection, Iterable, Mapping, Sequence

_DEFAULT_BASE = 0x10000000
_PAGE = 4096
_TOP = 1 << 47
_DONE, _FAILED, _MISUSED = 0, 1, 2


def main(argv: list[str]) -> int:
    """Run ``farside link`` with the arguments after the subcommand's name.

    Returns:
        0 if the objects were linked, 1 if they could not be, 2 for arguments that make no sense.
    """
    try:
        options = _parser().parse_args(argv)
        defines = dict(_definition(text) for text in options.define)
        base = _number(options.base, "--base")
        if base % _PAGE or not 0 < base < _TOP:
            raise _UsageError(f"--base {options.base}: not the address of a page")
    except SystemExit as end:
        return _MISUSED if end.code else _DONE
    except _UsageError as misuse:
        print(f"farside link: {misuse}", file=sys.stderr)
        return _MISUSED
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    image, error = _run(options, base, defines)
    try:
        if options.json:
            import json

            print(json.dumps(report(image, error, options.dependence), indent=2))
        elif image is not None:
            print("\n".join(_text(image)))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing must be flushed to them at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if error is not None:
        print(f"farside link: {error}", file=sys.stderr)
        return _FAILED
    return _DONE


class _UsageError(Exception):
    """An argument that makes no sense."""


def _parser() -> ArgumentParser:
    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="farside link",
        description="Link relocatable objects and archives, and print the result.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--base", default=hex(_DEFAULT_BASE), metavar="ADDR", help="where the image starts"
    )
    parser.add_argument(
        "--define", action="append", default=[], metavar="NAME=ADDR", help="give a name an address"
    )
    parser.add_argument(
        "--root", action="append", metavar="NAME", help="keep only what this name needs"
    )
    parser.add_argument("--whole-archive", action="store_true", help="take all members of archives")
    parser.add_argument(
        "--dependence", action="store_true", help="with --json: what every symbol depends on"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("files", nargs="+", metavar="FILE", help="an object or archive")
    return parser


def _number(text: str, what: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        raise _UsageError(f"{what} {text}: not a number") from None
    if not 0 <= value < 1 << 64:
        raise _UsageError(f"{what} {text}: not an address")
    return value


def _definition(text: str) -> tuple[str, int]:
    name, equals, value = text.rpartition("=")
    if not equals or not name:
        raise _UsageError(f"--define {text}: not of the form NAME=ADDR")
    return name, _number(value, f"--define {name}:")


def _run(
    options: Namespace, base: int, defines: Mapping[str, int]
) -> tuple[LinkedImage | None, FarsideError | None]:
    """Read the files and link them; return the image or what went wrong."""
    try:
        objects: list[ObjectFile] = []
        archives: list[Archive] = []
        for file in options.files:
            read = _read(file)
            if isinstance(read, Archive):
                archives.append(read)
            else:
                objects.append(read)
        # Without an object nothing would ask for a member.
        if options.whole_archive or not (objects or options.root):
            for archive in archives:
                objects += archive.objects()
            archives = []
        image = link(
            objects,
            archives=archives,
            name="farside link",
            allocator=_Bump(base),
            resolver=_Defines(defines),
            entries=EntryTable(),
            tls=_CommandTls(defines),
            roots=options.root,
        )
    except FarsideError as error:
        return None, error
    return image, None


def _read(file: str) -> ObjectFile | Archive:
    """Read one object or archive.

    Raises:
        ObjectError: it cannot be read, or is neither.
    """
    try:
        # Not to block on a pipe that nobody writes to.
        handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = os.fstat(handle).st_mode
            if stat.S_ISDIR(mode):
                raise ObjectError(file, "is a directory")
            if not stat.S_ISREG(mode):
                raise ObjectError(file, "is not a regular file")
            with open(handle, "rb", closefd=False) as stream:
                data = stream.read()
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ObjectError(file, f"cannot be read: {reason}") from None
    if is_archive(data):
        return parse_archive(data, file, Path(file).parent)
    return parse_object(data, file)


class _Bump:
    """Gives out addresses upwards from a base, a fresh page for each protection."""

    def __init__(self, base: int) -> None:
        self._next = base

    def allocate(self, prot: Prot, size: int, alignment: int) -> int:
        alignment = max(alignment, _PAGE)
        address = (self._next + alignment - 1) & -alignment
        self._next = address + size
        if self._next > _TOP:
            raise OutOfAddressSpace(f"{size} bytes at {address:#x} reach beyond {_TOP:#x}.")
        return address


class _Defines:
    """Knows the names that were given with ``--define``, and no others."""

    def __init__(self, defines: Mapping[str, int]) -> None:
        self._defines = defines

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        return {}

    def require(self, names: Collection[str]) -> None:
        pass

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        return {name: self._defines[name] for name in names if name in self._defines}


class _CommandTls:
    """Thread-local storage as an executable has it: static data right below the thread pointer."""

    def __init__(self, defines: Mapping[str, int]) -> None:
        self.get_addr = defines.get("farside_tls_get_addr")
        self.descriptor = defines.get("farside_tlsdesc")
        self.key: int | None = None

    def static_allocate(self, size: int, alignment: int) -> int | None:
        return -((size + alignment - 1) & -alignment)

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        return {}

    def modules(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        return {}


def _prot(prot: Prot) -> str:
    return "".join(letter if prot & bit else "-" for bit, letter in ((1, "r"), (2, "w"), (4, "x")))


class _Row(NamedTuple):
    """A symbol as both outputs show it."""

    address: int
    size: int
    name: str
    binding: str
    exported: bool
    kind: str


def _symbols(image: LinkedImage) -> list[_Row]:
    rows = [
        _Row(s.address, s.size, name, "weak" if s.weak else "global", s.exported, s.kind)
        for table in (image.defined, image.hidden)
        for name, s in table.items()
    ]
    rows += [_Row(s.address, s.size, s.name, "local", False, s.kind) for s in image.local_symbols]
    return sorted(rows)


def report(
    image: LinkedImage | None, error: FarsideError | None, dependence: bool = False
) -> dict[str, Any]:
    """Return what ``--json`` prints, with every key present whatever happened."""
    failed: list[dict[str, Any]] = []
    if error is not None:
        fields = {key: value for key, value in vars(error).items() if not key.startswith("_")}
        failed.append({"kind": type(error).__name__, "message": str(error), "fields": fields})
    keys = (
        "segments sections symbols got stubs tls initialisers finalisers init_ranges "
        "fini_ranges ifuncs undefined_weak"
    )
    result: dict[str, Any] = {key: [] for key in keys.split()}
    result |= {"eh_frame": None, "thread_data": None, "static_tls": None, "errors": failed}
    if image is not None:
        result |= _image_report(image)
        if dependence:
            depends = image.dependence
            result["dependence"] = {
                name: sorted(depends.externals_of(name)) for name in sorted(depends.symbols)
            }
    return result


def _image_report(image: LinkedImage) -> dict[str, Any]:
    static = image.static_tls
    return {
        "segments": [
            {
                "address": s.address,
                "prot": _prot(s.prot),
                "content": s.content.hex(),
                "zero_fill": s.zero_fill,
            }
            for s in image.segments
        ],
        "sections": [
            {
                "object": s.object_name,
                "name": s.name,
                "address": s.address,
                "size": s.size,
                "prot": _prot(s.prot),
                "zero_fill": s.zero_fill,
            }
            for s in sorted(image.sections, key=lambda s: s.address)
        ],
        "symbols": [row._asdict() for row in _symbols(image)],
        "got": [
            {"object": e.object_name, "symbol": e.symbol, "address": e.address, "value": e.value}
            for e in image.entries
            if e.kind == "got"
        ],
        "stubs": [
            {"object": e.object_name, "symbol": e.symbol, "address": e.address, "target": e.value}
            for e in image.entries
            if e.kind == "stub"
        ],
        "tls": [
            {
                "object": e.object_name,
                "kind": e.kind,
                "symbol": e.symbol,
                "address": e.address,
                "value": e.value,
            }
            for e in image.entries
            if e.kind in ("tls", "tls_offset", "descriptor")
        ],
        "initialisers": [item._asdict() for item in image.initialisers],
        "finalisers": [item._asdict() for item in image.finalisers],
        "init_ranges": [list(item) for item in image.init_ranges],
        "fini_ranges": [list(item) for item in image.fini_ranges],
        "eh_frame": image.eh_frame and list(image.eh_frame),
        "thread_data": image.thread_data and list(image.thread_data),
        "static_tls": static
        and {
            "offset": static.offset,
            "address": static.address,
            "content": static.content.hex(),
            "size": static.size,
            "alignment": static.alignment,
        },
        "ifuncs": [{"slot": slot, "resolver": resolver} for slot, resolver in image.ifuncs],
        "undefined_weak": list(image.undefined_weak),
    }


def _text(image: LinkedImage) -> list[str]:
    """Return the lines that are printed without ``--json``."""
    lines: list[str] = []
    for segment in image.segments:
        end = segment.address + len(segment.content) + segment.zero_fill
        zeros = f", {segment.zero_fill} zero" if segment.zero_fill else ""
        lines.append(
            f"segment {_prot(segment.prot)} {segment.address:#x}..{end:#x} "
            f"({len(segment.content)} bytes{zeros})"
        )
        lines += _hex_dump(segment.address, segment.content)
    lines += [
        f"section {s.address:#x} {s.size:#8x} {_prot(s.prot)} {s.object_name} {s.name}"
        + (" (zero)" if s.zero_fill else "")
        for s in sorted(image.sections, key=lambda s: s.address)
    ]
    lines += [
        f"symbol {s.address:#x} {s.size:#8x} {s.binding:6} {s.kind:8} {s.name}"
        + ("" if s.exported or s.binding == "local" else " (hidden)")
        for s in _symbols(image)
    ]
    for entry in image.entries:
        arrow = {"stub": "jumps to", "got": "holds"}.get(entry.kind, "value")
        lines.append(
            f"{entry.kind} {entry.address:#x} {entry.object_name} "
            f"{entry.symbol or '(image)'} {arrow} {entry.value:#x}"
        )
    for what, items in (("initialiser", image.initialisers), ("finaliser", image.finalisers)):
        lines += [
            f"{what} {item.address:#x} {item.symbol} priority {item.priority} slot {item.slot:#x}"
            for item in items
        ]
    for what, span in (("eh_frame", image.eh_frame), ("thread data", image.thread_data)):
        if span is not None:
            lines.append(f"{what} {span.start:#x}..{span.end:#x}")
    if image.static_tls is not None:
        lines.append(
            f"static thread data, {image.static_tls.size} bytes at thread pointer "
            f"{image.static_tls.offset:+#x}"
        )
    lines += [f"ifunc slot {slot:#x} resolver {resolver:#x}" for slot, resolver in image.ifuncs]
    lines += [f"undefined weak {name}" for name in image.undefined_weak]
    return lines


def _hex_dump(address: int, content: bytes) -> Sequence[str]:
    return [
        f"  {address + at:#x}: {content[at : at + 16].hex(' ')}"
        for at in range(0, len(content), 16)
    ]
