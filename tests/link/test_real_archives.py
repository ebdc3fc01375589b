"""Every member of the static libraries that come with the compiler."""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

import pytest

from farside.link import EntryTable, link
from farside.object import parse_archive
from tests.link.near import Bump, Names, Tls


class Everything(Names):
    def lookup(self, names: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(names, 0x10400000)


class FixedTls(Tls):
    def offsets(self, names: Collection[str]) -> dict[str, int]:
        return dict.fromkeys(names, -8)


@pytest.mark.parametrize("library", ["libstdc++.a", "libc.a", "libgcc.a", "libgcc_eh.a"])
def test_members_link(library: str) -> None:
    path = Path(subprocess.check_output(["g++", f"-print-file-name={library}"], text=True).strip())
    archive = parse_archive(path.read_bytes(), library, path.parent)
    count = 0
    for obj in archive.objects():
        image = link(
            [obj],
            name=obj.name,
            allocator=Bump(),
            resolver=Everything(),
            entries=EntryTable(),
            tls=FixedTls(static=-4096, descriptor=0x10500000),
        )
        assert image.dependence.ready(image.dependence.symbols) is not None
        count += 1
    assert count == len(archive.members) > 0


def test_a_program_out_of_the_static_c_library() -> None:
    """Members are pulled in for what members need, to the end."""
    path = Path(subprocess.check_output(["g++", "-print-file-name=libc.a"], text=True).strip())
    archive = parse_archive(path.read_bytes(), "libc.a", path.parent)
    image = link(
        [],
        archives=[archive],
        name="qsort",
        allocator=Bump(),
        resolver=Everything(),
        entries=EntryTable(),
        tls=FixedTls(static=-4096),
        roots=("qsort",),
    )
    # The library's own members refer to some of its names as hidden ones.
    assert {"qsort", "memcpy", "malloc"} <= {*image.defined, *image.hidden}
    assert image.ifuncs
