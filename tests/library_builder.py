"""Writes ELF64 shared libraries by hand: sound ones, which the loader loads, and any others.

The benchmark makes its tree of 2,000 libraries with it, so a million symbols must not take minutes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

GLOBAL, WEAK, UNIQUE, LOCAL = 1, 2, 10, 0
OBJECT, FUNC, TLS, IFUNC = 1, 2, 6, 10
DEFAULT, HIDDEN, PROTECTED = 0, 2, 3
X86_64, AARCH64 = 62, 183
_PAGE = 4096
_HEADER, _PROGRAM, _SYMBOL, _DYNAMIC = 64, 56, 24, 16

HashStyle = Literal["gnu", "sysv", "both", "none"]


@dataclass(frozen=True, slots=True)
class Symbol:
    """A dynamic symbol: a function that returns `value`, or a variable that holds it."""

    name: str
    value: int = 0
    kind: int = FUNC
    bind: int = GLOBAL
    visibility: int = DEFAULT
    version: str = ""
    hidden_version: bool = False  # as of old@V1, where old@@V2 is the default
    defined: bool = True


@dataclass(slots=True)
class Library:
    """A shared library to be written.

    `patch` maps (table, offset) to bytes that are put over what would stand there; tables are
    ``gnu_hash``, ``sysv_hash``, ``dynsym``, ``dynstr``, ``versym``, ``dynamic`` and ``file``.
    """

    symbols: Sequence[Symbol] = ()
    soname: str = ""
    needed: Sequence[str] = ()
    run_path: str = ""
    hash_style: HashStyle = "gnu"
    machine: int = X86_64
    pie: bool = False
    sections: bool = False  # whether there are section headers, which the loader needs none of
    patch: dict[tuple[str, int], bytes] = field(default_factory=dict)

    def build(self) -> bytes:
        return _Writer(self).write()


def library(*names: str, soname: str = "", **more: object) -> bytes:
    """Return a library of functions that return 1, 2, 3…"""
    symbols = [Symbol(name, i) for i, name in enumerate(names, 1)]
    return Library(symbols, soname, **more).build()  # type: ignore[arg-type]


def gnu_hash(name: bytes) -> int:
    value = 5381
    for byte in name:
        value = value * 33 + byte & 0xFFFFFFFF
    return value


def sysv_hash(name: bytes) -> int:
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value >> 24 & 0xF0)) & 0x0FFFFFFF
    return value


class _Strings:
    def __init__(self) -> None:
        self.content = bytearray(1)
        self._known = {"": 0}

    def add(self, text: str) -> int:
        at = self._known.get(text)
        if at is None:
            at = self._known[text] = len(self.content)
            self.content += text.encode("utf-8", "surrogateescape") + b"\0"
        return at


class _Writer:
    def __init__(self, what: Library) -> None:
        self._what = what
        self._strings = _Strings()
        self._buckets = max(1, len(what.symbols) // 4)
        undefined = [each for each in what.symbols if not each.defined]
        defined = [each for each in what.symbols if each.defined]
        if what.hash_style in ("gnu", "both"):
            hashed = [(gnu_hash(each.name.encode()), each) for each in defined]
            hashed.sort(key=lambda pair: pair[0] % self._buckets)
            self._hashes = [value for value, _ in hashed]
            defined = [each for _, each in hashed]
        self._first = 1 + len(undefined)
        self._ordered = [*undefined, *defined]
        self._has_versions = any(each.version for each in what.symbols)

    def write(self) -> bytes:
        what = self._what
        versions = list(dict.fromkeys([s.version for s in what.symbols if s.version]))
        numbers = {version: number for number, version in enumerate(versions, 2)}
        names = [self._strings.add(each.name) for each in self._ordered]
        extra = [(14, self._strings.add(what.soname))] if what.soname else []
        extra += [(1, self._strings.add(each)) for each in what.needed]
        extra += [(29, self._strings.add(what.run_path))] if what.run_path else []
        verdef = self._verdef(versions) if versions else b""
        tables: list[tuple[str, bytes]] = [("dynsym", bytes(_SYMBOL * (len(names) + 1)))]
        if what.hash_style in ("gnu", "both"):
            tables.append(("gnu_hash", self._gnu()))
        if what.hash_style in ("sysv", "both"):
            tables.append(("sysv_hash", self._sysv()))
        if versions:
            marks = [
                (numbers.get(each.version, 1) | (0x8000 if each.hidden_version else 0))
                if each.defined
                else 0
                for each in self._ordered
            ]
            tables += [("versym", struct.pack(f"<{len(marks) + 1}H", 0, *marks))]
            tables += [("verdef", verdef)]
        tables.append(("dynstr", bytes(self._strings.content)))

        has_tls = any(each.kind == TLS for each in self._ordered)
        programs = 4 if has_tls else 3
        at = _HEADER + programs * _PROGRAM
        places: dict[str, int] = {}
        for name, content in tables:
            at = (at + 7) & -8
            places[name] = at
            at += len(content)
        code = at = (at + 15) & -16
        code_size = 16 * len(self._ordered)
        data = (at + code_size + _PAGE - 1) & -_PAGE
        symbols = self._symbols(names, code, data)
        variables = self._variables()
        dynamic_at = data + ((len(variables) + 15) & -16)
        dynamic = self._dynamic(places, extra, len(versions))

        out = bytearray(dynamic_at + len(dynamic))
        out[:_HEADER] = struct.pack(
            "<16sHHIQQQIHHHHHH",
            b"\x7fELF\x02\x01\x01" + bytes(9),
            *(3, what.machine, 1, 0, _HEADER, 0, 0, _HEADER, _PROGRAM, programs, 64, 0, 0),
        )
        segments = [
            (1, 5, 0, code + code_size, _PAGE),
            (1, 6, data, dynamic_at + len(dynamic) - data, _PAGE),
            (2, 6, dynamic_at, len(dynamic), 8),
        ]
        if has_tls:
            segments.append((7, 4, data, len(variables), 8))
        for i, (kind, flags, offset, size, alignment) in enumerate(segments):
            struct.pack_into(
                "<IIQQQQQQ",
                out,
                _HEADER + i * _PROGRAM,
                *(kind, flags, offset, offset, offset, size, size, alignment),
            )
        for name, content in tables:
            out[places[name] : places[name] + len(content)] = content
        out[places["dynsym"] : places["dynsym"] + len(symbols)] = symbols
        out[code : code + code_size] = self._code()
        out[data : data + len(variables)] = variables
        out[dynamic_at:] = dynamic
        if what.sections:
            out += self._sections(len(out), places, {name: len(c) for name, c in tables})
            where, count = self.section_headers
            struct.pack_into("<Q", out, 40, where)
            struct.pack_into("<HH", out, 60, count, count - 1)
        places |= {"dynamic": dynamic_at, "file": 0}
        for (table, offset), content in what.patch.items():
            start = places[table] + offset
            out[start : start + len(content)] = content
        return bytes(out)

    def _sections(self, at: int, places: dict[str, int], sizes: dict[str, int]) -> bytes:
        """Return section headers for the symbols and their names."""
        names = b"\0.dynsym\0.dynstr\0.shstrtab\0"
        rows = [
            (0, 0, 0, 0, 0, 0, 0, 0),
            (1, 11, 2, places["dynsym"], sizes["dynsym"], 2, 1, _SYMBOL),
            (9, 3, 2, places["dynstr"], sizes["dynstr"], 0, 0, 0),
            (17, 3, 0, at, len(names), 0, 0, 0),
        ]
        padded = names.ljust((len(names) + 7) & -8, b"\0")
        self.section_headers = (at + len(padded), len(rows))
        return padded + b"".join(
            [
                struct.pack(
                    "<IIQQQQIIQQ",
                    *(name, kind, flags, offset if flags else 0, offset, size),
                    *(link, info, 8, entry),
                )
                for name, kind, flags, offset, size, link, info, entry in rows
            ]
        )

    def _code(self) -> bytes:
        """A function of 16 bytes for each symbol; what an IFUNC returns is the 8 bytes behind."""
        code = bytearray()
        for each in self._ordered:
            returns = b"\xb8" + struct.pack("<I", each.value & 0xFFFFFFFF) + b"\xc3"
            if each.kind == IFUNC:  # lea 1(%rip), %rax; ret; and the function itself
                code += b"\x48\x8d\x05\x01\0\0\0\xc3" + returns + b"\x90\x90"
            else:
                code += returns.ljust(16, b"\x90")
        return bytes(code)

    def _variables(self) -> bytes:
        return b"".join([struct.pack("<q", each.value) for each in self._ordered])

    def _symbols(self, names: list[int], code: int, data: int) -> bytes:
        out = bytearray(_SYMBOL)
        for i, (name, each) in enumerate(zip(names, self._ordered, strict=True)):
            value, size = code + 16 * i, 16
            if each.kind == OBJECT:
                value, size = data + 8 * i, 8
            elif each.kind == TLS:
                value, size = 8 * i, 8
            section = 1
            if not each.defined:
                value = size = section = 0
            info = each.bind << 4 | each.kind
            out += struct.pack("<IBBHQQ", name, info, each.visibility, section, value, size)
        return bytes(out)

    def _gnu(self) -> bytes:
        words = 1
        while words * 4 < len(self._hashes):
            words *= 2
        bloom, buckets, chains = [0] * words, [0] * self._buckets, []
        shift = 6
        for i, value in enumerate(self._hashes):
            bloom[value // 64 % words] |= 1 << value % 64 | 1 << (value >> shift) % 64
            bucket = value % self._buckets
            buckets[bucket] = buckets[bucket] or self._first + i
            last = i + 1 == len(self._hashes) or self._hashes[i + 1] % self._buckets != bucket
            chains.append(value & ~1 | last)
        return (
            struct.pack("<IIII", self._buckets, self._first, words, shift)
            + struct.pack(f"<{words}Q", *bloom)
            + struct.pack(f"<{self._buckets}I", *buckets)
            + struct.pack(f"<{len(chains)}I", *chains)
        )

    def _sysv(self) -> bytes:
        count = len(self._ordered) + 1
        buckets, chains = [0] * self._buckets, [0] * count
        for i, each in enumerate(self._ordered, 1):
            bucket = sysv_hash(each.name.encode()) % self._buckets
            chains[i], buckets[bucket] = buckets[bucket], i
        return struct.pack(
            f"<{2 + self._buckets + count}I", self._buckets, count, *buckets, *chains
        )

    def _verdef(self, versions: Iterable[str]) -> bytes:
        out = b""
        names = [(1, 1, self._what.soname or "base"), *((0, n, v) for n, v in _numbered(versions))]
        for i, (flags, number, name) in enumerate(names):
            following = 0 if i + 1 == len(names) else 28
            value = sysv_hash(name.encode())
            out += struct.pack("<HHHHIII", 1, flags, number, 1, value, 20, following)
            out += struct.pack("<II", self._strings.add(name), 0)
        return out

    def _dynamic(
        self, places: dict[str, int], extra: list[tuple[int, int]], versions: int
    ) -> bytes:
        entries = [*extra, (6, places["dynsym"]), (5, places["dynstr"])]
        entries += [(10, len(self._strings.content)), (11, _SYMBOL)]
        if "gnu_hash" in places:
            entries.append((0x6FFFFEF5, places["gnu_hash"]))
        if "sysv_hash" in places:
            entries.append((4, places["sysv_hash"]))
        if "versym" in places:
            entries.append((0x6FFFFFF0, places["versym"]))
            entries += [(0x6FFFFFFC, places["verdef"]), (0x6FFFFFFD, versions + 1)]
        if self._what.pie:
            entries.append((0x6FFFFFFB, 0x08000000))
        entries.append((0, 0))
        return b"".join([struct.pack("<QQ", *entry) for entry in entries])


def _numbered(versions: Iterable[str]) -> list[tuple[int, str]]:
    return list(enumerate(versions, 2))
