"""What is kept of the compiler's branches says what was counted."""

from __future__ import annotations

import lzma
from pathlib import Path

import pytest

from branches import Branch, pack, read_fdata, unpack, write_fdata

LAYOUT = Path(__file__).parents[2] / "native/compiler/layout"
FDATA = """\
1 main a 1 main 4 0 9
1 main 1f 1 parse/2(*3) 0 0 1000
1 parse/2(*3) 3 1 main 24 0 1
1 main 8 0 [unknown] 0 0 5
1 _ZN7farside4cellEv 8 1 main 0 0 5
1 rare 0 1 rare 8 0 1
"""


def packed(tmp_path: Path, share: float) -> list[Branch]:
    path = tmp_path / "branches.xz"
    path.write_bytes(pack(read_fdata(FDATA.splitlines()), share))
    return list(unpack(path))


def test_counts_come_back_as_powers_of_two(tmp_path: Path) -> None:
    found = packed(tmp_path, 1.0)
    assert sorted(write_fdata(found)) == [
        "1 main 1f 1 parse/2(*3) 0 0 512\n",
        "1 main a 1 main 4 0 8\n",
        "1 parse/2(*3) 3 1 main 24 0 1\n",
        "1 rare 0 1 rare 8 0 1\n",
    ]


def test_what_is_hardly_run_is_left_out(tmp_path: Path) -> None:
    assert {each.function for each in packed(tmp_path, 0.9)} == {"main"}


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "branches.xz"
    path.write_bytes(lzma.compress(b"branches 2\n"))
    with pytest.raises(ValueError, match="does not begin with 'branches 1'"):
        list(unpack(path))


def test_the_kept_file_names_clang() -> None:
    functions = {each.function for each in unpack(LAYOUT / "branches.xz")}
    assert any("5clang4Sema" in name for name in functions)
    assert len(functions) > 1000
