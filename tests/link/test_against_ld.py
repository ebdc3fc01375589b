"""The same objects, linked by GNU ld at the addresses that we chose, have the same bytes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from tests.link.machine import compile_source
from tests.link.test_link_command import run_command

SOURCES = (
    """
    extern int shared_value, weak_value;
    extern int second(int);
    static int table[4] = {1, 2, 3, 4};
    int *pointers[] = {table + 2, &shared_value, 0};
    int zeros[50];
    const char one[] = "one", none[] = "none";  // named, or ld would merge them
    const char *text(int i) { return i ? one : none; }
    int first(int i) { return second(i) + table[i] + *pointers[1] + zeros[i]; }
    """,
    """
    extern int first(int);
    extern int *pointers[];
    int shared_value = 7;
    int weak_value __attribute__((weak)) = 9;
    int second(int i) { return i > 3 ? first(i - 1) : *pointers[i] + weak_value; }
    int (*functions[])(int) = {first, second};
    """,
)


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize(
    "flags",
    [
        ("-fno-pic", "-O0"),
        ("-fno-pic", "-O2"),
        ("-fPIE", "-O1"),
        ("-fPIC", "-O1"),
        ("-mcmodel=large", "-fno-pic", "-O1"),
        ("-fPIC", "-O2", "-ffunction-sections", "-fdata-sections"),
    ],
    ids=" ".join,
)
def test_same_bytes_as_ld(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    quiet = ("-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fcf-protection=none")
    objects = [
        compile_source(tmp_path, text, *flags, *quiet, compiler=compiler, suffix=".c")
        for text in SOURCES
    ]
    # As ld relaxes loads for programs that may lie anywhere; else it prefers immediates.
    pie = "-fno-pic" not in flags
    status, output, _ = run_command("--json", *objects)
    assert status == 0
    ours = json.loads(output)
    script = tmp_path / "addresses.ld"
    lines = []
    for number, s in enumerate(ours["sections"]):
        if s["size"]:
            name = f"{Path(s['object']).name}({s['name']})"
            lines.append(f".s{number} {s['address']:#x} : SUBALIGN(1) {{ *{name} }}")
    lines.append(".rest 0x20000000 : { *(.dynamic) *(.dyn*) *(.got*) *(.hash) *(.gnu.hash) }")
    lines.append("/DISCARD/ : { *(.note*) *(.comment*) }")
    script.write_text("SECTIONS {\n" + "\n".join(lines) + "\n}\n")
    target = tmp_path / "reference"
    how = ["-pie" if pie else "-static", "-T", str(script), "-e", "0", "-o", str(target)]
    subprocess.run(["ld", *how, *map(str, objects)], check=True, capture_output=True)
    for number, s in enumerate(ours["sections"]):
        if not s["size"] or s["zero_fill"] or (pie and s["name"].startswith(".data.rel")):
            continue  # addresses in data, which ld leaves to the dynamic loader
        out = tmp_path / "bytes"
        subprocess.run(
            ["objcopy", "-O", "binary", "-j", f".s{number}", str(target), str(out)], check=True
        )
        segment = next(
            each
            for each in ours["segments"]
            if 0 <= s["address"] - each["address"] < len(each["content"]) // 2
        )
        at = s["address"] - segment["address"]
        mine = bytes.fromhex(segment["content"])[at : at + s["size"]]
        assert mine == out.read_bytes(), s["name"]
