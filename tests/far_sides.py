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

_ELSEWHERE = {
    "test_nothing_is_left_after_close": "waits for the supervisor by its number",
    "test_nothing_is_left_of_snapshots": "counts this machine's processes below the tests",
}
LEFT_OUT: dict[str, dict[str, str]] = {
    "tcp": _ELSEWHERE,
    "tls": _ELSEWHERE,
    "ssh": _ELSEWHERE,
    "stock": {
        "test_snapshots.py": "no snapshots",
        "test_deaths.py": "no record of a death",
        "test_the_state_is_as_before_the_cell": "no snapshots",
        "test_crash_after_crash": "no snapshots",
        "test_such_cells_are_undone": "no snapshots",
        "test_a_crash_in_such_a_cell_has_its_line": "no record of a death",
        "test_a_destructor_that_throws_does_not_matter_where_the_state_is_kept": "no snapshots",
        "test_compiler_and_executor_are_separate_programs": "the program has another name",
        "test_children_of_the_program_end_with_the_session": "no supervisor",
        "test_values_whose_display_fails": "values are shown in the program itself",
        "test_a_display_changes_nothing": "values are shown in the program itself",
        "test_what_the_cell_did_stays_when_its_display_dies": "values are shown in the program",
        "test_a_display_that_does_not_end": "values are shown in the program itself",
        "test_displays": "no farside::display",
        "test_large_images": "no farside::display",
    },
}
"""What cannot pass on a far side, by the name of a file or test, and why."""


def left_out(item_path: str, name: str) -> bool:
    """Whether a test of sessions is left out on the far side that is chosen."""
    reasons = LEFT_OUT.get(CHOSEN, {})
    return "session" in item_path.split("/") and (
        item_path.rpartition("/")[2] in reasons or name.partition("[")[0] in reasons
    )


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
