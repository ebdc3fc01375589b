"""A far side in miniature: links objects into this very process and runs them.

Tests use it in a child process (`run_child`), so that what goes wrong there is a signal and not the
end of the tests. It maps a range without access, lets the linker allocate in it, copies segments,
sets their protection, fills IFUNC slots, registers unwind tables and runs initialisers, in the
order in which an executor does.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import textwrap
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from farside.link import Definition, EntryTable, LinkedImage, Prot, link
from farside.object import Archive, ObjectFile, parse_archive, parse_object

PAGE = 4096
_PROCESS = ctypes.CDLL(None)
_PROCESS.mmap.restype = ctypes.c_void_p
_PROCESS.mmap.argtypes = (
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_PROCESS.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_GCC = ctypes.CDLL("libgcc_s.so.1")
_REGISTER = _GCC["__register_frame"]
_REGISTER.argtypes = [ctypes.c_void_p]
_MAP_FIXED_NOREPLACE, _MAP_PRIVATE_ANONYMOUS = 0x100000, 0x22


class Slab:
    """One reserved range of addresses, given out upwards."""

    def __init__(self, base: int | None = None, size: int = 256 << 20) -> None:
        flags = _MAP_PRIVATE_ANONYMOUS | 0x4000 | (_MAP_FIXED_NOREPLACE if base else 0)
        found: int = _PROCESS.mmap(base, size, 0, flags, -1, 0)
        # An interpreter that is no PIE has its heap somewhere in the low addresses, too.
        while base and found != base and base < 1 << 30:
            base += 64 << 20
            found = _PROCESS.mmap(base, size, 0, flags, -1, 0)
        assert found == (base or found), "no room for the slab"
        self.base = self._next = found
        self.end = found + size

    def allocate(self, prot: Prot, size: int, alignment: int) -> int:
        alignment = max(alignment, PAGE)
        address: int = (self._next + alignment - 1) & -alignment
        self._next = address + size
        assert self._next <= self.end
        return address


class Machine:
    """Links objects one after the other, as cells, and calls what they define."""

    def __init__(self, base: int | None = None, redefinable: bool = False) -> None:
        self.slab = Slab(base)
        self.table = EntryTable()
        self.definitions: dict[str, Definition] = {}
        self.symbols: dict[str, int] = {}
        self.images: list[LinkedImage] = []
        self.redefinable = redefinable
        self.libraries = [_PROCESS, _GCC, ctypes.CDLL("libstdc++.so.6")]
        self.copies: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self._callback = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(ctypes.c_uint64))(
            self._get_addr
        )
        self.get_addr = ctypes.cast(self._callback, ctypes.c_void_p).value
        self.descriptor: int | None = None
        self.key: int | None = None
        self.static_pool: int | None = None
        handle = self.slab.allocate(Prot.READ, 8, 8)
        self.write(handle, handle.to_bytes(8, "little"), 8, 1)
        self.symbols["__dso_handle"] = handle

    # Resolver

    def defined(self, names: Iterable[str]) -> Mapping[str, Definition]:
        return {name: self.definitions[name] for name in names if name in self.definitions}

    def require(self, names: Collection[str]) -> None:
        pass

    def lookup(self, names: Collection[str]) -> Mapping[str, int]:
        found = {}
        for name in names:
            address = self.symbols.get(name) or self.dlsym(name)
            if address:
                found[name] = address
        return found

    def dlsym(self, name: str) -> int | None:
        for library in self.libraries:
            try:
                return ctypes.cast(getattr(library, name), ctypes.c_void_p).value
            except AttributeError:
                continue
        return None

    # TlsModel

    def static_allocate(self, size: int, alignment: int) -> int | None:
        return self.static_pool

    def offsets(self, names: Collection[str]) -> Mapping[str, int]:
        return {}

    def modules(self, names: Collection[str]) -> Mapping[str, tuple[int, int]]:
        return {}

    def _get_addr(self, entry: ctypes._Pointer[ctypes.c_uint64]) -> int:
        key, datum = entry[0], entry[1]
        assert key, "static storage"
        image = next(i for i in self.images if i.thread_data and i.thread_data.start == key)
        assert image.thread_data is not None
        start, end = image.thread_data
        if key not in self.copies:
            self.copies[key] = ctypes.create_string_buffer(
                ctypes.string_at(start, end - start), end - start
            )
        return ctypes.addressof(self.copies[key]) + int(datum) - start

    # The path of a cell

    def add(
        self, *files: Path | str, archives: Iterable[str] = (), roots: Collection[str] | None = None
    ) -> LinkedImage:
        objects: list[ObjectFile] = [
            parse_object(Path(file).read_bytes(), str(file)) for file in files
        ]
        libraries: list[Archive] = [
            parse_archive(Path(file).read_bytes(), file, Path(file).parent) for file in archives
        ]
        image = link(
            objects,
            archives=libraries,
            name=f"cell {len(self.images) + 1}",
            allocator=self.slab,
            resolver=self,
            entries=self.table,
            tls=self,
            roots=roots,
        )
        self.images.append(image)
        for segment in image.segments:
            size = len(segment.content) + segment.zero_fill
            self.write(segment.address, segment.content, size, segment.prot)
        for slot, resolver in image.ifuncs:
            self.store(slot, ctypes.CFUNCTYPE(ctypes.c_uint64)(resolver)())
        if image.eh_frame:
            _REGISTER(image.eh_frame.start)
        self.table.add(image.new_entries)
        for name, symbol in image.defined.items():
            self.definitions[name] = Definition(
                symbol.address,
                image.name,
                symbol.weak,
                symbol.callable,
                self.redefinable and symbol.callable,
                symbol.size,
                symbol.tls_key,
                symbol.tls_offset,
            )
        for name in image.redefined:
            for slot in self.table.addresses("got", name):
                self.store(slot, image.defined[name].address)
        for initialiser in image.initialisers:
            ctypes.CFUNCTYPE(None)(initialiser.address)()
        return image

    def write(self, address: int, content: bytes, size: int, prot: int) -> None:
        start = address & -PAGE
        length = (address + size - start + PAGE - 1) & -PAGE
        _PROCESS.mprotect(start, length, 3)
        ctypes.memmove(address, content, len(content))
        _PROCESS.mprotect(start, length, prot)

    def store(self, slot: int, value: int) -> None:
        self.write(slot, value.to_bytes(8, "little"), 8, 1)

    def call(self, name: str, *args: int) -> int:
        kinds = [ctypes.c_int64] * len(args)
        function = ctypes.CFUNCTYPE(ctypes.c_int64, *kinds)(self.definitions[name].address)
        return int(function(*args))


def run_child(script: str, *args: object) -> str:
    """Run a script that starts with ``m = Machine()`` in a child and return what it printed."""
    root = Path(__file__).parents[2]
    prelude = "import sys\nfrom tests.link.machine import *\nargs = sys.argv[1:]\n"
    done = subprocess.run(
        [sys.executable, "-c", prelude + textwrap.dedent(script), *map(str, args)],
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def compile_source(
    directory: Path, source: str, *flags: str, compiler: str = "clang-22", suffix: str = ".cpp"
) -> Path:
    """Compile a source text to an object of its own and return the object's path."""
    number = len(list(directory.iterdir()))
    file = directory / f"t{number}{suffix}"
    file.write_text(textwrap.dedent(source))
    output = file.with_suffix(".o")
    done = subprocess.run(
        [compiler, "-c", *flags, "-o", str(output), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output
