"""``farside link``: what it prints and how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from farside.ui.link_command import main
from tests.link.elf_builder import FUNC, GLOBAL, WA, ObjectBuilder
from tests.link.machine import compile_source

KEYS = {
    "segments",
    "sections",
    "symbols",
    "got",
    "stubs",
    "tls",
    "initialisers",
    "finalisers",
    "init_ranges",
    "fini_ranges",
    "eh_frame",
    "thread_data",
    "static_tls",
    "ifuncs",
    "undefined_weak",
    "errors",
}


def run_command(*args: object) -> tuple[int, str, str]:
    """Return the command's status, standard output and standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([str(arg) for arg in args])
    return status, out.getvalue(), err.getvalue()


def report(*args: object, status: int = 0) -> dict[str, Any]:
    found, output, _ = run_command("--json", *args)
    assert found == status
    result: dict[str, Any] = json.loads(output)
    assert set(result) - {"dependence"} == KEYS
    return result


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    b = ObjectBuilder()
    text = b.text(b"\xe8\0\0\0\0\xc3")
    init = b.section(".init_array", bytes(8), WA, 14, 8)
    f = b.symbol("f", text, 0, 6, GLOBAL, FUNC)
    b.relocate(text, 1, 4, b.symbol("puts"), -4)
    b.relocate(init, 0, 1, f)
    file = tmp_path / "cell.o"
    file.write_bytes(b.build())
    return file


def test_json(cell: Path) -> None:
    found = report("--define", "puts=0x7f0000001000", "--dependence", cell)
    assert found["errors"] == []
    data, text, got, stub = found["segments"]
    assert (data["address"], data["prot"], data["zero_fill"]) == (0x10000000, "rw-", 0)
    assert (text["address"], text["prot"]) == (0x10001000, "r-x")
    assert text["content"] == "e8fb1f0000c3"
    assert found["symbols"] == [
        {
            "address": 0x10001000,
            "size": 6,
            "name": "f",
            "binding": "global",
            "exported": True,
            "kind": "function",
        }
    ]
    assert found["got"] == [
        {
            "object": str(cell),
            "symbol": "puts",
            "address": got["address"],
            "value": 0x7F0000001000,
        }
    ]
    assert found["stubs"] == [
        {
            "object": str(cell),
            "symbol": "puts",
            "address": stub["address"],
            "target": 0x7F0000001000,
        }
    ]
    assert found["initialisers"] == [
        {
            "address": 0x10001000,
            "symbol": "f",
            "is_statement": False,
            "priority": 65536,
            "slot": 0x10000000,
        }
    ]
    assert found["init_ranges"] == [[0x10000000, 0x10000008]]
    assert found["dependence"] == {"f": ["puts"]}
    assert {s["name"] for s in found["sections"]} == {".text", ".init_array"}


def test_base(cell: Path) -> None:
    found = report("--base", "0x7f1200000000", "--define", "puts=0x7f1200100000", cell)
    assert found["segments"][0]["address"] == 0x7F1200000000
    assert found["stubs"] == []


def test_text(cell: Path) -> None:
    status, output, errors = run_command("--define", "puts=0x7f0000001000", cell)
    assert (status, errors) == (0, "")
    for line in (
        "segment r-x 0x10001000..0x10001006 (6 bytes)",
        "  0x10001000: e8 fb 1f 00 00 c3",
        f"section 0x10001000      0x6 r-x {cell} .text",
        "symbol 0x10001000      0x6 global function f",
        f"got 0x10002000 {cell} puts holds 0x7f0000001000",
        f"stub 0x10003000 {cell} puts jumps to 0x7f0000001000",
        "initialiser 0x10001000 f priority 65536 slot 0x10000000",
    ):
        assert line in output.splitlines()


def test_a_link_error(cell: Path) -> None:
    found = report(cell, status=1)
    (error,) = found["errors"]
    assert error["kind"] == "UndefinedSymbols"
    fields = {"symbols": ["puts"], "referrer": str(cell), "near": {}, "searched": []}
    assert error["fields"] == fields
    assert "puts" in error["message"]
    status, output, errors = run_command(cell)
    assert (status, output) == (1, "")
    assert errors == f"farside link: {error['message']}\n"


def test_files_that_are_none(tmp_path: Path, cell: Path) -> None:
    empty = tmp_path / "empty.o"
    empty.touch()
    os.mkfifo(tmp_path / "fifo")
    for file, says in (
        (tmp_path / "missing.o", "No such file"),
        (tmp_path, "is a directory"),
        (empty, "is empty"),
        (tmp_path / "fifo", "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (__file__, "not an ELF object"),
        ("a\0b", "cannot be read"),
    ):
        status, output, errors = run_command(cell, file)
        assert (status, output) == (1, "")
        assert says in errors
        assert errors.count("\n") == 1
        assert report(file, status=1)["errors"][0]["kind"] == "ObjectError"


@pytest.mark.parametrize(
    "args",
    [
        (),
        ("--json",),
        ("--define", "x", "FILE"),
        ("--define", "=1", "FILE"),
        ("--define", "x=y", "FILE"),
        ("--define", f"x={1 << 64}", "FILE"),
        ("--base", "y", "FILE"),
        ("--base", "1", "FILE"),
        ("--base", "-4096", "FILE"),
        ("--base", str(1 << 48), "FILE"),
        ("--nonsense", "FILE"),
    ],
)
def test_misuse(cell: Path, args: tuple[str, ...]) -> None:
    status, output, errors = run_command(*(cell if arg == "FILE" else arg for arg in args))
    assert (status, output) == (2, "")
    assert "farside link" in errors
    assert "Traceback" not in errors


def test_help() -> None:
    status, output, _ = run_command("--help")
    assert status == 0
    assert "--define" in output


def test_duplicates_and_address_space(cell: Path) -> None:
    (error,) = report("--define", "puts=1", cell, cell, status=1)["errors"]
    assert error["kind"] == "DuplicateDefinition"
    assert error["fields"]["symbol"] == "f"
    (error,) = report("--define", "puts=1", "--base", (1 << 47) - 4096, cell, status=1)["errors"]
    assert error["kind"] == "OutOfAddressSpace"


def test_archives(tmp_path: Path) -> None:
    texts = ("int b(void); int a(void) { return b(); }", "int b(void) { return 2; }")
    unused = "int c(void) { return 3; }"
    objects = [
        str(compile_source(tmp_path, text, "-fPIC", suffix=".c")) for text in (*texts, unused)
    ]
    library = tmp_path / "lib.a"
    subprocess.run(["ar", "rcs", str(library), *objects[1:]], check=True)

    def names(*args: object) -> list[str]:
        return sorted(s["name"] for s in report(*args)["symbols"] if s["binding"] == "global")

    assert names(objects[0], library) == ["a", "b"]
    assert names("--whole-archive", objects[0], library) == ["a", "b", "c"]
    assert names(library) == ["b", "c"]
    assert names("--root", "c", library) == ["c"]
    assert names("--root", "b", objects[1], objects[2]) == ["b"]


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
def test_thread_storage(tmp_path: Path, compiler: str) -> None:
    text = "__thread int v = 5, z; int *f(void) { z = 1; return &v; }"
    general = compile_source(tmp_path, text, "-fPIC", compiler=compiler, suffix=".c")
    found = report("--define", "__tls_get_addr=0x10100000", general)
    start, end = found["thread_data"]
    assert end - start == 8
    assert {(e["kind"], e["symbol"]) for e in found["tls"]} == {("tls", "v"), ("tls", "z")}
    assert {e["value"] for e in found["tls"]} == {start, start + 4}
    fixed = compile_source(tmp_path, text, "-fno-pic", compiler=compiler, suffix=".c")
    static = report(fixed)["static_tls"]
    assert (static["offset"], static["content"], static["size"]) == (-8, "05000000", 8)
    descriptors = compile_source(
        tmp_path, text, "-fPIC", "-mtls-dialect=gnu2", compiler=compiler, suffix=".c"
    )
    kinds = {e["kind"] for e in report("--define", "farside_tlsdesc=0x10", descriptors)["tls"]}
    assert kinds == {"tls", "descriptor"}


def test_output_that_nobody_reads(cell: Path) -> None:
    root = Path(__file__).parents[2]
    code = "import sys; from farside.ui.link_command import main; sys.exit(main(sys.argv[1:]))"
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", code, "--define", "puts=1", str(cell)],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
