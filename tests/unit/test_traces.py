"""The check for what tests leave behind finds what is there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.traces import marked_processes, shared_memory, wait_for_all

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Traces


def test_a_grandchild_is_found_and_its_end_waited_for(leaves_nothing: Traces) -> None:
    program = (
        "import subprocess, sys\n"
        "code = 'import os; print(os.getpid(), flush=True); input()'\n"
        "subprocess.Popen([sys.executable, '-c', code])\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    grandchild = int(parent.stdout.readline())
    parent.wait()
    assert grandchild in marked_processes(leaves_nothing.mark)
    assert grandchild in wait_for_all(leaves_nothing.mark, seconds=0)
    parent.stdin.write(b"\n")
    parent.stdin.close()
    parent.stdout.close()
    assert wait_for_all(leaves_nothing.mark) == {}


def test_files_are_found(leaves_nothing: Traces) -> None:
    left = leaves_nothing.temporary / "left"
    left.touch()
    with pytest.raises(AssertionError):
        leaves_nothing.check()
    left.unlink()


def test_shared_memory_counts_once_nobody_uses_it(tmp_path: Path) -> None:
    # Not in the real place, where the tests beside this one look.
    path = tmp_path / "some"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        assert path.name not in shared_memory(tmp_path)
        os.close(descriptor)
        assert path.name in shared_memory(tmp_path)
    finally:
        path.unlink()
