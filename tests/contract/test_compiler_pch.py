"""The precompiled standard library: fast where it fits, and never in the way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic

import pytest

from farside.errors import SetupError
from farside.frontend.pch import build_pch, cache_directory, discard_pch, find_pch, prepare_pch
from farside.frontend.start import start_compiler
from farside.options import Options
from tests.contract import compiler_rig
from tests.contract.compiler_rig import Bench


def build(output: Path, *args: str) -> Path:
    command = [str(compiler_rig.program()), f"--build-pch={output}", "--", *args]
    subprocess.run(command, check=True)
    return output


@pytest.fixture(scope="module")
def main_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler_rig.build_main(tmp_path_factory.mktemp("main"))


@pytest.fixture(scope="module")
def pch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("pch") / "std.pch"
    return build(output, *Options(opt=0).clang_args())


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Options, Path, Path]:
    """Options, the compiler, and the PCH for them in a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options, program = Options(language="c"), compiler_rig.program()
    pch = build_pch(options, program, wait=True)
    assert pch is not None
    return options, program, Path(pch)


@pytest.fixture
def start(tmp_path: Path, main_object: Path) -> Iterator[Callable[..., Bench]]:
    yield from compiler_rig.benches(tmp_path, main_object)


def test_it_is_used_and_programs_run(start: Callable[..., Bench], pch: Path) -> None:
    bench = start(pch)
    bench.cell("#include <iostream>\n#include <vector>\n#include <map>\n#include <string>")
    assert bench.compiler.pch_status == "used"
    bench.cell('std::map<std::string, std::vector<int>> m; m["a"].push_back(3);')
    bench.cell('std::cout << m["a"][0] << std::endl;', "m.size()")
    assert bench.run() == ["3", "8:0100000000000000"]
    assert bench.compiler.pch_status == "used"


def test_it_leaves_nothing_but_its_files(pch: Path) -> None:
    names = {file.name for file in pch.parent.iterdir()}
    kinds = ("", ".checked", ".hpp", ".lock", ".names")
    assert names == {f"std.pch{kind}" for kind in kinds}
    assert all(file.stat().st_mode & 0o077 == 0 for file in pch.parent.iterdir())


@pytest.mark.parametrize(
    "code",
    [
        "int y1 = 3;",
        "int index = 0;",
        "double gamma = 1;",
        "struct time {};",
        "int read = 1, write = 2;",
        "int (*atexit)(int) = nullptr;",
        "enum { j0, j1 };",
        "#define EOF 7",
        "#ifdef BUFSIZ\n#error\n#endif",
        "using namespace std;\nint count = 0;\n++count",
        "using namespace std;\nint data[3]; data[0]",
        "int distance(int a, int b) { return b - a; } using namespace std; distance(1, 3)",
        "#define _GLIBCXX_DEBUG\n#include <vector>\nstd::vector<int> v;",
        "#define private public\n#include <stack>\n#undef private",
    ],
)
def test_names_that_were_not_included_are_free(
    start: Callable[..., Bench], pch: Path, code: str
) -> None:
    bench = start(pch)
    bench.cell(code)
    assert bench.compiler.pch_status == "none"


def test_names_are_free_in_later_cells_too(start: Callable[..., Bench], pch: Path) -> None:
    bench = start(pch)
    bench.cell("#include <vector>\nstd::vector<int> v{1};", "auto l = [] { return 1; };")
    bench.cell("int index = 4;", "v.size() + index + l()")
    assert bench.last_value() == "8:0600000000000000"


def test_including_them_later_says_what_clang_says(start: Callable[..., Bench], pch: Path) -> None:
    bench = start(pch)
    bench.cell("int y1 = 3;")
    result = bench.try_cell("#include <cmath>")
    assert not result.ok
    assert "redefinition of 'y1' as different kind of symbol" in result.diagnostics[0].message
    bench.cell("y1")


@pytest.mark.parametrize(
    "code",
    [
        "#include <cmath>\nint other = 1;",
        "void f() { int index = 0, time = 1; (void)index; (void)time; }",
        "struct S { int index; double gamma; int count(); };",
        "namespace n { int index = 0; struct time {}; }",
        "#include <algorithm>\nusing namespace std; int a[] = {1, 1}; count(a, a + 2, 1)",
        "int x = 1; x",
        "#define MINE 1\n#ifdef MINE\n#endif",
        "#include <ctime>\n#ifdef CLOCKS_PER_SEC\n#endif",
    ],
)
def test_there_is_no_conflict_without_cause(
    start: Callable[..., Bench], pch: Path, code: str
) -> None:
    bench = start(pch)
    assert bench.cell(code).conflicts == ()
    assert bench.compiler.pch_status == "used"


def test_an_error_with_included_names_is_no_conflict(
    start: Callable[..., Bench], pch: Path
) -> None:
    bench = start(pch)
    bench.cell("#include <cstring>\n#include <vector>")
    assert bench.error("std::vector<int> v; v.nothing(); strlen(3);")
    assert bench.compiler.pch_status == "used"


def damage_truncate(pch: Path) -> None:
    os.truncate(pch, 1000)


def damage_flip(pch: Path) -> None:
    data = bytearray(pch.read_bytes())
    for at in range(5000, len(data), 50000):
        data[at] ^= 0xFF
    pch.write_bytes(data)


def damage_empty(pch: Path) -> None:
    pch.write_bytes(b"")


def damage_names(pch: Path) -> None:
    pch.with_name(pch.name + ".names").unlink()


def damage_names_content(pch: Path) -> None:
    names = pch.with_name(pch.name + ".names")
    names.write_bytes(names.read_bytes()[:200] + b"N x 999999999\n" + bytes(range(256)))


def damage_missing(pch: Path) -> None:
    pch.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncate,
        damage_flip,
        damage_empty,
        damage_names,
        damage_names_content,
        damage_missing,
    ],
)
def test_a_damaged_one_is_no_error(
    start: Callable[..., Bench], pch: Path, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    copy = tmp_path / "std.pch"
    for suffix in ("", ".names"):
        (tmp_path / f"std.pch{suffix}").write_bytes(pch.with_name(pch.name + suffix).read_bytes())
    damage(copy)
    bench = start(copy)
    assert bench.cell("#include <vector>\nint x = 1; x").diagnostics == ()
    assert bench.compiler.pch_status in (
        "damaged, or made for other headers",
        "missing or unreadable",
    )


@pytest.fixture
def checked(start: Callable[..., Bench], pch: Path, tmp_path: Path) -> Path:
    """A PCH that has been found whole, which is noted when it is a moment old."""
    copy = tmp_path / "std.pch"
    for suffix in ("", ".names"):
        (tmp_path / f"std.pch{suffix}").write_bytes(pch.with_name(pch.name + suffix).read_bytes())
    deadline = monotonic() + 30
    while not (tmp_path / "std.pch.checked").exists():
        assert monotonic() < deadline
        assert status_with(start, copy) == "used"
    return copy


def status_with(start: Callable[..., Bench], pch: Path) -> str:
    bench = start(pch)
    assert bench.cell("#include <vector>\nint x = 1; x").diagnostics == ()
    bench.compiler.close()
    return bench.compiler.pch_status


def test_one_that_was_whole_and_is_changed_is_told(
    start: Callable[..., Bench], checked: Path
) -> None:
    before = checked.stat()
    with checked.open("r+b") as file:
        file.seek(before.st_size // 2)
        file.write(bytes(64))
    os.utime(checked, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert status_with(start, checked) == "damaged, or made for other headers"


def test_what_says_that_one_is_whole_may_be_anything(
    start: Callable[..., Bench], checked: Path
) -> None:
    note = checked.with_name(checked.name + ".checked")
    right = note.read_bytes()
    for text in (b"", b"\0" * 1000, right[:-5], right + right):
        note.write_bytes(text)
        assert status_with(start, checked) == "used"
        assert note.read_bytes() == right
    assert {file.suffix for file in checked.parent.glob("std.pch*")} == {
        ".pch",
        ".names",
        ".checked",
    }


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    """A directory with a header that comes before the system's, and so into the PCH."""
    directory = tmp_path / "headers"
    (directory / "bits").mkdir(parents=True)
    (directory / "ctype.h").write_text("#pragma once\n#include_next <ctype.h>\n#define mark 1\n")
    return directory


def make_younger(*paths: Path) -> None:
    """Have a later time of modification by a whole second, which is what is compared."""
    for path in paths:
        later = path.stat().st_mtime + 1
        os.utime(path, (later, later))


def status(bench: Bench) -> str:
    bench.compiler.wait_started()
    return bench.compiler.pch_status


def change(headers: Path) -> None:
    header = headers / "ctype.h"
    header.write_text(header.read_text().replace("1", "2"))  # of the same size, but younger
    make_younger(header)


def hide(headers: Path) -> None:
    (headers / "errno.h").write_text("#include_next <errno.h>\n")


def hide_deeply(headers: Path) -> None:
    (headers / "bits" / "types.h").write_text("#include_next <bits/types.h>\n")


def remove(headers: Path) -> None:
    (headers / "ctype.h").unlink()


@pytest.mark.parametrize("alter", [change, hide, hide_deeply, remove])
def test_one_whose_headers_would_be_others_now_is_not_used(
    start: Callable[..., Bench], headers: Path, alter: Callable[[Path], None]
) -> None:
    changes = {"language": "c", "include_dirs": (str(headers),)}
    pch = build(headers.parent / "c.pch", *Options(opt=0).with_(**changes).clang_args())
    assert status(start(pch, **changes)) == "used"
    alter(headers)
    make_younger(headers, headers / "bits")
    bench = start(pch, **changes)
    assert status(bench) == "damaged, or made for other headers"
    bench.cell("#include <ctype.h>\n#include <errno.h>")
    build(pch, *Options(opt=0).with_(**changes).clang_args())
    assert status(start(pch, **changes)) == "used"


def test_other_files_beside_its_headers_do_not_matter(
    start: Callable[..., Bench], headers: Path
) -> None:
    changes = {"language": "c", "include_dirs": (str(headers),)}
    pch = build(headers.parent / "c.pch", *Options(opt=0).with_(**changes).clang_args())
    (headers / "mine.h").write_text("")
    (headers / "bits" / "mine.h").write_text("")
    make_younger(headers, headers / "bits")
    assert status(start(pch, **changes)) == "used"


def test_a_session_goes_on_without_it_when_a_header_changes(
    start: Callable[..., Bench], headers: Path
) -> None:
    changes = {"language": "c", "xcc": (f"-isystem{headers}",)}
    inner = headers / "inner.h"
    inner.write_text("#define mark 1\n")
    (headers / "ctype.h").write_text("#pragma once\n#include_next <ctype.h>\n#include <inner.h>\n")
    pch = build(headers.parent / "c.pch", *Options(opt=0).with_(**changes).clang_args())
    bench = start(pch, **changes)
    bench.cell("int x = 1;")
    assert bench.compiler.pch_status == "used"
    inner.write_text("#define mark 2\n")
    make_younger(inner)
    bench.cell("#include <ctype.h>", "x + mark")
    assert bench.last_value() == "7:03000000"
    assert bench.compiler.pch_status == "none"


def test_a_stale_one_is_built_anew_for_the_next_session(
    headers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(headers.parent))
    monkeypatch.setattr("farside.frontend.client.build_pch", partial(build_pch, wait=True))
    options = Options(language="c", include_dirs=(str(headers),))
    program = compiler_rig.program()
    pch = build_pch(options, program, wait=True)
    change(headers)
    assert find_pch(options, program) == pch
    found = []
    for _ in range(2):
        with start_compiler(options).compiler as compiler:
            compiler.wait_started()
            found.append(compiler.pch_status)
    assert found == ["damaged, or made for other headers", "used"]


def test_one_that_fits_is_not_built_again(headers: Path) -> None:
    args = Options(language="c", include_dirs=(str(headers),)).clang_args()
    pch = build(headers.parent / "c.pch", *args)
    before = pch.stat()
    again = build(pch, *args).stat()  # whose time of access is another: it was read
    assert (again.st_ino, again.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    change(headers)
    assert build(pch, *args).stat().st_ino != before.st_ino


def test_what_a_killed_builder_left_goes_with_the_next(
    cached: tuple[Options, Path, Path],
) -> None:
    options, program, pch = cached
    complete = {file.name for file in pch.parent.iterdir()}
    discard_pch(str(pch))
    other = pch.parent / "0123456789abcdef.pch-89abcdef.tmp.tmp"
    of_another_build = pch.parent / "0123456789abcdef.pch.names.tmp"
    for name in (f"{pch.name}-89abcdef.tmp.tmp", f"{pch.name}.tmp", f"{pch.name}.names.tmp"):
        (pch.parent / name).touch()
    other.touch()
    of_another_build.touch()
    os.utime(other, (0, 0))
    assert build_pch(options, program, wait=True) == str(pch)
    assert {file.name for file in pch.parent.iterdir()} == complete | {of_another_build.name}


@pytest.mark.parametrize(
    "changes", [{"opt": 2}, {"std": "c++17"}, {"language": "c"}, {"stdlib": "libc++"}]
)
def test_a_mismatching_one_is_no_error(
    start: Callable[..., Bench], pch: Path, changes: dict[str, str]
) -> None:
    bench = start(pch, **changes)
    assert bench.cell("int x = 1; x").diagnostics == ()
    assert bench.compiler.pch_status not in ("used", "none", "")


@pytest.mark.parametrize("changes", [{"stdlib": "libc++"}, {"language": "c"}, {"std": "c++11"}])
def test_other_libraries(
    start: Callable[..., Bench], tmp_path: Path, changes: dict[str, str]
) -> None:
    options = Options(opt=0).with_(**changes)
    bench = start(build(tmp_path / "other.pch", *options.clang_args()), **changes)
    if options.language == "c":
        bench.cell("#include <stdio.h>", 'puts("hello");')
        assert bench.run() == ["hello"]
    else:
        bench.cell("#include <iostream>\n#include <vector>", "std::vector<int> v{4};")
        bench.cell("std::cout << v[0] << std::endl;")
        assert bench.run(f"-stdlib={options.stdlib}") == ["4"]
    assert bench.compiler.pch_status == "used"


def test_rollback_keeps_it(start: Callable[..., Bench], pch: Path) -> None:
    bench = start(pch)
    bench.cell("#include <string>", 'std::string s = "a";')
    bench.error("s.nothing();")
    bench.cell("s")
    assert bench.compiler.pch_status == "used"


def test_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options, program = Options(opt=1, language="c"), compiler_rig.program()
    assert find_pch(options, program) is None
    built = build_pch(options, program, wait=True)
    assert built is not None
    path = Path(built)
    assert path.parent == tmp_path / "farside" / "pch"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert find_pch(options, program) == built
    assert find_pch(options.with_(opt=2), program) is None
    assert find_pch(options.with_(use_pch=False), program) is None
    path.chmod(0o666)
    assert find_pch(options, program) is None
    discard_pch(built)
    assert find_pch(options, program) is None


def test_why_one_cannot_be_prepared_is_told(
    cached: tuple[Options, Path, Path],
) -> None:
    options, program, pch = cached
    discard_pch(str(pch))
    (pch.parent / f"{pch.name}.tmp").mkdir()  # in the way of the builder, like a full disk
    with pytest.raises(SetupError, match=r"was not built: .*c?\.pch\.tmp"):
        prepare_pch(options, program)
    (pch.parent / f"{pch.name}.tmp").rmdir()
    prepare_pch(options, program)
    assert find_pch(options, program) == str(pch)
    with pytest.raises(SetupError, match="the options forbid it"):
        prepare_pch(options.with_(use_pch=False), program)
    pch.parent.chmod(0o777)
    with pytest.raises(SetupError, match="there is no directory for it"):
        prepare_pch(options, program)


def test_no_cache_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(occupied))
    assert cache_directory() is None
    assert find_pch(Options(), compiler_rig.program()) is None
    assert build_pch(Options(), compiler_rig.program()) is None


def test_an_empty_home_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "")
    assert cache_directory() is None


def test_a_home_that_is_the_root_directory_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setattr("os.makedirs", lambda path, **_: made.append(path))
    cache_directory()
    assert made == ["/.cache/farside/pch"]


def test_a_cache_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    directory = cache_directory()
    assert directory is not None
    os.chmod(directory, 0o777)
    assert cache_directory() is None
