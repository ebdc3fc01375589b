"""What a rejected object or archive leaves behind in the process that read it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import farside
from tests.link.machine import compile_source

SOURCE = Path(farside.__file__).parents[1]

# Errors are kept in cycles with the frames of whoever raised them, as tools and tests do keep them.
READER = """
import gc, random, sys
from farside.errors import ObjectError
from farside.object import parse_archive, parse_object

good = open(sys.argv[1], "rb").read()
is_archive = sys.argv[1].endswith(".a")
random.seed(7)
rejected = 0

def read(data):
    global rejected
    try:
        if is_archive:
            archive = parse_archive(data, "damaged")
            archive.symbols()
            list(archive.objects())
        else:
            parse_object(data, "damaged")
    except ObjectError as error:
        kept = [error]
        kept.append(kept)
        rejected += 1

for number in range(900):
    data = bytearray(good)
    for _ in range(3):
        data[random.randrange(len(data))] = random.randrange(256)
    read(data[: random.randrange(len(data))] if number % 3 == 0 else bytes(data))
    if number % 50 == 0:
        gc.collect()
gc.collect()
print(rejected > 300)
"""


@pytest.mark.parametrize("kind", ["object", "archive"])
def test_errors_in_cycles_do_not_crash_the_collector(tmp_path: Path, kind: str) -> None:
    file = compile_source(
        tmp_path, "#include <vector>\nint f(std::vector<int> v) { return v.at(1); }"
    )
    if kind == "archive":
        subprocess.run(["ar", "rc", "good.a", file.name], cwd=tmp_path, check=True)
        file = tmp_path / "good.a"
    done = subprocess.run(
        [sys.executable, "-c", READER, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
