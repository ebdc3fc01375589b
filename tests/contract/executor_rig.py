"""A rig for tests of the executor: C++ in, running code out, without farside's own linker.

Sources are compiled by Clang and placed by the system's linker at an address of the slab, with the
executor's symbols defined by hand. The segments of the result are committed as they are.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, CommitRequest, RunOutcome, WrapperCall
from farside.remote.executor import Executor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("FARSIDE_EXECUTOR", ROOT / "build/executor/farside-executor"))
CLANG = shutil.which("clang++-22") or "clang++-22"
PAGE = 4096
MEBI = 1 << 20

SECTIONS = sps.Sequence(sps.ADDR_RANGE)


class Output:
    """Collects what the far side prints."""

    def __init__(self) -> None:
        self.out = b""
        self.err = b""
        self.notice: Callable[[], None] = lambda: None

    def stdout(self, data: bytes) -> None:
        self.out += data
        self.notice()

    def stderr(self, data: bytes) -> None:
        self.err += data


class Section(NamedTuple):
    name: str
    address: int
    size: int


@dataclass
class Image:
    """One placed program."""

    symbols: dict[str, int]
    sections: list[Section]
    segments: list[tuple[int, int, int, bytes]]  # protection, address, size, content
    outcome: RunOutcome | None = None
    request: CommitRequest = field(default_factory=CommitRequest)

    def ranges(self, prefix: str) -> list[sps.AddrRange]:
        found = [s for s in self.sections if s.name.startswith(prefix) and s.size]
        return [sps.AddrRange(s.address, s.address + s.size) for s in found]


def read_elf(data: bytes) -> tuple[list[Section], list[tuple[int, int, int, bytes]]]:
    """Return the allocated sections and the loadable segments of a linked program."""
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phnum, _, shnum, shstrndx = struct.unpack_from("<HHHH", data, 56)
    segments = []
    for i in range(phnum):
        kind, flags, offset, vaddr, _, filesz, memsz, _ = struct.unpack_from(
            "<IIQQQQQQ", data, phoff + 56 * i
        )
        if kind == 1 and memsz:
            prot = (flags >> 2 & 1) | (flags & 2) | (flags & 1) << 2
            segments.append((prot, vaddr, memsz, data[offset : offset + filesz]))
    headers = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + 64 * i) for i in range(shnum)]
    names = headers[shstrndx][4]
    sections = []
    for name, _, flags, address, _, size, *_ in headers:
        if flags & 2:
            text = data[names + name : data.index(b"\0", names + name)].decode()
            sections.append(Section(text, address, size))
    return sections, segments


class Rig:
    """An executor with one JITDylib, and a way to run C++ in it."""

    def __init__(self, tmp_path: Path, *, program: Path = PROGRAM) -> None:
        self.tmp = tmp_path
        self.output = Output()
        self.executor = Executor.spawn(program, sink=self.output)
        slab = self.executor.slab
        self.next = slab.base + slab.size - PAGE
        self.header = self.next
        self.count = 0
        pair = (
            self.action(bootstrap.REGISTER_JITDYLIB, (sps.STRING, sps.ADDR), "main", self.header),
            self.action(bootstrap.DEREGISTER_JITDYLIB, (sps.ADDR,), self.header),
        )
        content = struct.pack("<Q", self.header)
        self.executor.commit(
            CommitRequest([(1, self.header, PAGE)], [(self.header, content)], [pair])
        )

    def action(self, name: str, codecs: tuple[sps.Codec[Any], ...], *values: Any) -> WrapperCall:
        return WrapperCall(self.executor.address(name), sps.pack(codecs, values))

    def space(self, size: int = MEBI) -> int:
        """Return fresh pages of the slab."""
        self.next = (self.next - size) & -PAGE
        return self.next

    def place(
        self,
        source: str,
        *flags: str,
        defined: dict[str, int] | None = None,
        room: int = MEBI,
    ) -> Image:
        """Compile and link a source at a fresh place."""
        self.count += 1
        stem = self.tmp / f"cell{self.count}"
        stem.with_suffix(".cpp").write_text(source)
        obj, linked = stem.with_suffix(".o"), stem.with_suffix(".elf")
        subprocess.run(
            [
                CLANG,
                "-c",
                "-O1",
                "-fPIC",
                "-fno-plt",
                "-std=c++20",
                *flags,
                "-o",
                obj,
                stem.with_suffix(".cpp"),
            ],
            check=True,
        )
        undefined = subprocess.run(
            ["nm", "-u", obj], check=True, capture_output=True, text=True
        ).stdout.split()[1::2]
        known = {"__dso_handle": self.header, **(defined or {})}
        known |= self.executor.resolve([name for name in undefined if name not in known])
        subprocess.run(
            [
                *("ld", "-static", "-z", "max-page-size=4096", "-z", "separate-code", "-e", "0"),
                "--no-relax",
                *("--build-id=none", f"-Ttext-segment={self.space(room):#x}", "-o", linked, obj),
                *(f"--defsym={name}={address:#x}" for name, address in known.items()),
            ],
            check=True,
        )
        symbols = {}
        listing = subprocess.run(["nm", linked], check=True, capture_output=True, text=True).stdout
        for line in listing.splitlines():
            address, _, name = line.split()
            symbols[name] = int(address, 16)
        sections, segments = read_elf(linked.read_bytes())
        return Image(symbols, sections, segments)

    def request(self, image: Image, *, run: bool = True) -> CommitRequest:
        """Return the commit of an image: pages, content, registration, initialisers."""
        protect, write = [], []
        for prot, address, size, content in image.segments:
            start = address & -PAGE
            protect.append((prot, start, ((address + size + PAGE - 1) & -PAGE) - start))
            write.append((address, content))
        actions = []
        nothing = sps.AddrRange(0, 0)
        eh_frame = (*image.ranges(".eh_frame"), nothing)[0]
        if eh_frame != nothing:
            both = (sps.ADDR_RANGE, sps.ADDR_RANGE)
            actions.append(
                (
                    self.action(bootstrap.REGISTER_OBJECT_SECTIONS, both, eh_frame, nothing),
                    self.action(bootstrap.DEREGISTER_OBJECT_SECTIONS, both, eh_frame, nothing),
                )
            )
        inits = image.ranges(".init_array")
        if inits:
            codecs = (sps.ADDR, SECTIONS)
            actions.append(
                (
                    self.action(bootstrap.REGISTER_INIT_SECTIONS, codecs, self.header, inits),
                    self.action(bootstrap.DEREGISTER_INIT_SECTIONS, codecs, self.header, inits),
                )
            )
        return CommitRequest(protect, write, actions, self.header if run else 0)

    def run(
        self,
        source: str,
        *flags: str,
        defined: dict[str, int] | None = None,
        room: int = MEBI,
    ) -> Image:
        """Place and commit a source; its initialisers run."""
        image = self.place(source, *flags, defined=defined, room=room)
        image.request = self.request(image)
        image.outcome = self.executor.commit(image.request)
        return image

    def call(self, function: int) -> int:
        """Call an int function without arguments."""
        payload = sps.pack((sps.ADDR,), (function,))
        result = self.executor.call(bootstrap.RUN_AS_VOID_FUNCTION, payload)
        return int(sps.unpack((sps.I32,), result)[0])


def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.executor.close()


def descendants(pid: int) -> list[int]:
    """Return all live processes below one."""
    found = []
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    for child in map(int, children):
        found += [child, *descendants(child)]
    return found


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


__all__ = ["NO_CALL", "PROGRAM", "ROOT", "Image", "Output", "Rig", "descendants", "is_alive", "rig"]
