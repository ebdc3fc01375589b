"""What an executor is before it runs anything."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from farside.errors import RemoteError, SetupError
from farside.options import Options
from farside.orc.bootstrap import FARSIDE_SYMBOLS, STOCK_SYMBOLS
from farside.remote.executor import Executor
from farside.remote.spawn import find_executor
from tests.contract.executor_rig import PROGRAM, Rig, descendants, is_alive

SANITIZED = (
    "asan" in subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
)

SHOW = Path(__file__).parents[2] / "native" / "executor" / "show.h"


def test_setup_offers_orc_and_farside(rig: Rig) -> None:
    setup = rig.executor.setup
    assert setup.triple == "x86_64-pc-linux-gnu"
    assert setup.page_size == os.sysconf("SC_PAGESIZE")
    assert setup.version == 1
    assert set(setup.symbols) == STOCK_SYMBOLS | FARSIDE_SYMBOLS
    assert len(STOCK_SYMBOLS) == 34
    assert 0 not in setup.symbols.values()
    assert setup.static_tls is not None
    assert setup.static_tls.size == 16384


def test_the_slab_lies_within_reach_of_the_libraries(rig: Rig) -> None:
    slab = rig.executor.slab
    assert slab.size > (2 << 30) - (1 << 20)
    found = rig.executor.resolve(["printf", "_ZSt4cout", "cos", "_Unwind_Resume"])
    assert len(found) == 4
    if not SANITIZED:
        assert all(0 < address - (slab.base + slab.size) < 1 << 30 for address in found.values())


def test_the_slab_has_the_size_asked_for() -> None:
    with Executor.spawn(PROGRAM, slab_bytes=1 << 24) as executor:
        assert executor.slab.size == 1 << 24


def test_resolve_gives_what_exists(rig: Rig) -> None:
    names = ["printf", "atexit", "stat", "pthread_atfork", "no_such_name", "", "main"]
    found = rig.executor.resolve(names)
    assert set(found) == {"printf", "atexit", "stat", "pthread_atfork"}


def test_nothing_of_the_executor_is_visible_to_user_code(rig: Rig) -> None:
    listing = subprocess.run(
        ["nm", "-D", "--defined-only", PROGRAM], capture_output=True, text=True, check=True
    ).stdout
    names = {line.split()[-1].split("@")[0] for line in listing.splitlines()}
    if not SANITIZED:
        # What a library refers to and the executor happens to define is visible, too.
        assert {name for name in names if not name.startswith(("_ZSt", "_ZNSt", "_ZNKSt"))} == {
            "_Unwind_Find_FDE",
            "__farside_callback_close",
            "__farside_callback_open",
            "__farside_callback_send",
            "__farside_give",
            "__farside_misfit",
            "__farside_refuse",
            "__farside_shared",
            "__farside_unfit",
            "__farside_value",
            "__jit_debug_descriptor",
            "__jit_debug_register_code",
            "pthread_create",
            *re.findall(r"^(?:void|int) (__farside_\w+)\(", SHOW.read_text(), re.MULTILINE),
            "thrd_create",
        }


def test_it_needs_no_llvm() -> None:
    needed = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert "LLVM" not in needed
    assert "clang" not in needed


def test_libraries_are_opened_and_searched(rig: Rig) -> None:
    handle = rig.executor.open_library("libm.so.6")
    assert "cosh" in rig.executor.resolve(["cosh"], handle)
    with pytest.raises(RemoteError, match=r"no_such_library\.so"):
        rig.executor.open_library("/no_such_library.so")
    with pytest.raises(RemoteError, match="handle"):
        rig.executor.resolve(["cosh"], 12345)


def test_internal_descriptors_are_high_and_the_worker_has_no_control_socket(rig: Rig) -> None:
    worker = Path(f"/proc/{rig.executor.worker_pid}/fd")
    sockets = [int(entry.name) for entry in worker.iterdir() if "socket" in str(entry.readlink())]
    assert len(sockets) == 1
    assert sockets[0] >= 200


def test_supervisor_and_worker_ignore_interrupts(rig: Rig) -> None:
    for pid in (rig.executor.worker_pid, rig.executor.supervisor_pid):
        status = Path(f"/proc/{pid}/status").read_text()
        ignored = int(status.split("SigIgn:")[1].split()[0], 16)
        assert ignored & 1 << 1  # SIGINT is 2


def test_three_processes_and_none_left(rig: Rig) -> None:
    supervisor = rig.executor.supervisor_pid
    assert descendants(supervisor) == [rig.executor.worker_pid]
    rig.executor.close()
    assert not is_alive(supervisor)
    assert rig.executor.death is not None
    assert rig.executor.death.exit_status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["filedescs=0"],
        ["filedescs=x,1"],
        ["filedescs=0,999"],
        ["filedescs=0,1", "control=77"],
        ["filedescs=0,1", "slab=lots"],
    ],
)
def test_malformed_arguments_are_refused_in_words(arguments: list[str]) -> None:
    done = subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 2
    assert "farside-executor" in done.stderr


def test_a_slab_that_cannot_be_had_is_a_setup_error() -> None:
    with pytest.raises(SetupError, match="did not start"):
        Executor.spawn(PROGRAM, slab_bytes=1 << 60)


def test_a_program_that_is_no_executor_is_a_setup_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError):
        Executor.spawn(Path("/bin/true"))
    with pytest.raises(SetupError, match="cannot be started"):
        Executor.spawn(tmp_path / "missing")


def test_find_executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FARSIDE_EXECUTOR", raising=False)
    assert find_executor(Options(executor=PROGRAM)) == str(PROGRAM)
    monkeypatch.setenv("FARSIDE_EXECUTOR", str(PROGRAM))
    assert find_executor() == str(PROGRAM)
    monkeypatch.setenv("FARSIDE_EXECUTOR", str(tmp_path))
    with pytest.raises(SetupError, match="FARSIDE_EXECUTOR"):
        find_executor()
