"""Hints for header files that Clang does not find: where this machine has them, or could get them.

Asked in this order, until one knows: pkg-config's descriptions, which say what directory belongs on
the command line; dpkg's lists of the files of installed packages; apt-file's index of all packages.
All are files, and are read as such. It happens after an error only.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from farside.annotations import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from farside.frontend.diagnostics import Diagnostic

_NOT_FOUND = re.compile(r"'([^'\n]{1,200})' file not found")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_.]+)\}")
_MOST_HEADERS = 3
_MOST_HINTS = 3
_PATIENCE = 5.0  # seconds for the index of all packages
_CHUNK = 1 << 20
# Headers of the standard that libstdc++ got late.
_OF_LIBCXX = {"format": 13, "print": 14}
_LIBCXX = "/include/c++/v1"
_SEARCHED = ("usr/include", "usr/include/x86_64-linux-gnu", "usr/local/include")


def header_hints(diagnostics: Iterable[Diagnostic], root: str = "/") -> tuple[str, ...]:
    """Return a sentence for each header that was not found and that this machine knows of.

    Args:
        diagnostics: of the cell.
        root: of the file system.
    """
    names: dict[str, None] = {}
    for diagnostic in diagnostics:
        match = _NOT_FOUND.search(diagnostic.message)
        if match is not None and match[1].strip("./"):
            names.setdefault(match[1].lstrip("/"))
    machine = _Machine(Path(root))
    hints: list[str] = []
    for name in list(names)[:_MOST_HEADERS]:
        hints += machine.hints(name)
    return tuple(hints)


class _Machine:
    """What the files below a root say about headers."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def hints(self, header: str) -> list[str]:
        """Return sentences about a header, those of the first source that knows it."""
        if ".." in header.split("/"):
            return []
        found = self._by_pkg_config(header) or self._by_dpkg(header)
        if found:
            return found[:_MOST_HINTS]
        packages = list(dict.fromkeys(self._by_apt_file(header)))[:_MOST_HINTS]
        if not packages and header in _OF_LIBCXX:
            return [
                f"libc++ has {header}, and libstdc++ has it since GCC {_OF_LIBCXX[header]}:"
                " apt-get install libc++-dev, and start farside with -stdlib=libc++"
            ]
        if not packages:
            return []
        those = packages[0] if len(packages) == 1 else f"one of {', '.join(packages)}"
        return [f"{header} is in a package that is not installed: apt-get install {those}"]

    # ------------------------------------------------------------------ pkg-config

    def _by_pkg_config(self, header: str) -> list[str]:
        hints: dict[str, str] = {}
        for description in self._descriptions():
            for directory in _include_dirs(description):
                if (self._root / directory.lstrip("/") / header).is_file():
                    name = description.stem
                    hints.setdefault(
                        directory,
                        f"{header} is in {directory}, which is not searched: use -I {directory}"
                        f" (pkg-config --cflags {name} lists all that {name} needs)",
                    )
        return list(hints.values())

    def _descriptions(self) -> Iterator[Path]:
        own = [each for each in os.environ.get("PKG_CONFIG_PATH", "").split(":") if each]
        places = [
            f"{prefix}/{part}/pkgconfig"
            for prefix in ("usr/local", "usr")
            for part in ("lib/x86_64-linux-gnu", "lib", "share")
        ]
        for place in [*map(Path, own), *(self._root / each for each in places)]:
            yield from sorted(place.glob("*.pc"))

    # ------------------------------------------------------------------ dpkg

    def _by_dpkg(self, header: str) -> list[str]:
        """Look through the lists of files that dpkg keeps, one for each installed package."""
        hints = []
        pattern = re.compile(rb"^(/.*)/" + re.escape(os.fsencode(header)) + rb"$", re.MULTILINE)
        ending = b"/" + os.fsencode(header) + b"\n"
        for listing in sorted((self._root / "var/lib/dpkg/info").glob("*.list")):
            try:
                content = listing.read_bytes()
            except OSError:
                continue
            if ending not in content:
                continue
            package = listing.stem.partition(":")[0]
            for match in pattern.finditer(content):
                directory = os.fsdecode(match[1])
                if "include" not in directory.split("/"):
                    continue  # a copy in some documentation
                if directory.endswith(_LIBCXX):
                    hints.append(f"libc++ has {header}: start farside with -stdlib=libc++")
                elif directory.lstrip("/") not in _SEARCHED:
                    hints.append(
                        f"{header} of the package {package} is in {directory}, which is not"
                        f" searched: use -I {directory}"
                    )
        hints.sort(key=len)  # /usr/include/eigen3 before /usr/include/eigen3/unsupported
        return hints

    # ------------------------------------------------------------------ apt-file

    def _by_apt_file(self, header: str) -> Iterator[str]:
        """Return packages whose headers it is among, by the index of all packages."""
        deadline = time.monotonic() + _PATIENCE
        needle = os.fsencode(header)
        pattern = re.compile(
            rb"^usr/include/(?:[^\s]*/)?" + re.escape(needle) + rb"\s+(\S+)$", re.MULTILINE
        )
        for index in sorted((self._root / "var/lib/apt/lists").glob("*Contents-*")):
            for piece in _pieces(index, deadline):
                if needle in piece:
                    for match in pattern.finditer(piece):
                        for package in match[1].split(b","):
                            yield os.fsdecode(package.rpartition(b"/")[2])


def _include_dirs(description: Path) -> Sequence[str]:
    """Return the directories that a ``.pc`` file puts on the command line."""
    try:
        text = description.read_text("utf-8", "replace")
    except OSError:
        return ()
    variables = {"pcfiledir": str(description.parent)}

    def expanded(value: str) -> str:
        for _ in range(8):  # definitions refer to earlier ones; one that refers to itself ends
            after = _VARIABLE.sub(lambda match: variables.get(match[1], ""), value)[:4096]
            if after == value:
                break
            value = after
        return value

    found: list[str] = []
    for line in text.splitlines()[:1000]:
        name, equals, value = line.partition("=")
        if equals and name.strip().replace("_", "").replace(".", "").isalnum():
            variables[name.strip()] = value.strip()
        elif line.startswith("Cflags:"):
            words = expanded(line.removeprefix("Cflags:")).split()
            found += [word[2:] for word in words if word.startswith("-I/")]
    return found


def _pieces(index: Path, deadline: float) -> Iterator[bytes]:
    """Return a contents index in pieces of whole lines, unpacked, until the deadline."""
    try:
        with _unpacked(index) as stream:
            rest = b""
            while time.monotonic() < deadline and (data := stream.read(_CHUNK)):
                whole, newline, tail = (rest + data).rpartition(b"\n")
                yield whole + newline
                rest = tail
            yield rest
    except (OSError, EOFError, ValueError):
        return


def _unpacked(index: Path) -> AbstractContextManager[IO[bytes]]:
    """Return a binary stream of what an index holds; a context manager."""
    if index.suffix == ".gz":
        import gzip

        return cast("AbstractContextManager[IO[bytes]]", gzip.open(index))
    if index.suffix in (".lz4", ".xz", ".zst", ".bz2"):
        return _AptHelper(index)
    return index.open("rb")


class _AptHelper:
    """What apt's own helper unpacks."""

    def __init__(self, index: Path) -> None:
        import subprocess

        self._process = subprocess.Popen(
            ["/usr/lib/apt/apt-helper", "cat-file", os.fspath(index)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def __exit__(self, *_: object) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()
