"""The far sides that sessions are tested on, and how to get one.

FARSIDE_TEST_FAR_SIDE chooses what the tests of sessions run on: ``native`` (default), ``stock``
(LLVM's own executor), ``tcp``, ``tls`` and ``ssh`` (farside's own, through a listening front or an
ssh). docs/executors.md has the table of what passes with which.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CHOSEN = os.environ.get("FARSIDE_TEST_FAR_SIDE", "native")
STOCK = Path(
    shutil.which("llvm-jitlink-executor-22") or "/usr/lib/llvm-22/bin/llvm-jitlink-executor"
)
TOKEN = "a token that only the tests know"

FAKE_SSH = """#!/bin/sh
# What ssh does, without another machine: the command line runs in a shell.
shift
exec sh -c "$*"
"""


class Front(NamedTuple):
    """A running ``farside executor``."""

    process: subprocess.Popen[str]
    address: str
    certificate: str

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


@contextmanager
def front(directory: Path, *arguments: str, token: str = TOKEN) -> Iterator[Front]:
    """Run ``farside executor`` on a free port of this machine."""
    words = [sys.executable, "-m", "farside.cli", "executor", "--listen=127.0.0.1:0", *arguments]
    if token:
        file = directory / "token"
        file.write_text(token)
        file.chmod(0o600)
        words.append(f"--token-file={file}")
    with subprocess.Popen(
        words,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "FARSIDE_CONFIG_DIR": str(directory)},
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().removeprefix("listening on ").strip()
            tls = "--no-tls" not in arguments
            certificate = process.stdout.readline().rpartition(" ")[2].strip() if tls else ""
            yield Front(process, address, certificate)
        finally:
            process.terminate()
            process.wait()


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def far_side(name: str = CHOSEN) -> Iterator[dict[str, Any]]:
    """Provide a far side; gives the options that choose it."""
    if name == "native":
        yield {}
    elif name == "stock":
        yield {"executor": STOCK}
    else:
        with tempfile.TemporaryDirectory() as temporary:
            yield from _elsewhere(name, Path(temporary))


def _elsewhere(name: str, directory: Path) -> Iterator[dict[str, Any]]:
    if name == "ssh":
        program = directory / "ssh"
        program.write_text(FAKE_SSH)
        program.chmod(0o755)
        with environment(FARSIDE_SSH=str(program)):
            yield {"ssh": "another-machine"}
    elif name in ("tcp", "tls"):
        arguments = ["--no-tls"] if name == "tcp" else []
        with (
            front(directory, *arguments) as running,
            environment(FARSIDE_KNOWN_EXECUTORS=str(directory / "known")),
        ):
            yield {"connect": running.address, "token_file": directory / "token"}
    else:
        raise ValueError(f"FARSIDE_TEST_FAR_SIDE={name}")
