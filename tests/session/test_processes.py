"""Three kinds of process, no LLVM on the far side, nothing left behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farside.frontend.client import find_compiler
from farside.options import Options
from farside.remote.spawn import find_executor
from farside.session import Session

from .conftest import NewSession, shown, supervisor_of


def test_the_executor_links_neither_llvm_nor_clang() -> None:
    libraries = subprocess.run(
        ["ldd", str(find_executor(Options()))], capture_output=True, text=True, check=True
    ).stdout
    assert "libstdc++" in libraries
    assert "LLVM" not in libraries
    assert "clang" not in libraries


def test_the_near_side_never_runs_user_code(session: Session) -> None:
    session.run('extern "C" int getpid(); extern "C" int getppid();')
    near = os.getpid()
    far = shown(session.run("getpid()"))
    assert far is not None
    assert int(far) not in (near, session.compiler_pid)
    assert int(far) == session.worker_pid


def test_compiler_and_executor_are_separate_programs(session: Session) -> None:
    session.run("int x = 1;")
    assert Path(f"/proc/{session.compiler_pid}/comm").read_text().startswith("farside-compile")
    assert Path(f"/proc/{session.worker_pid}/comm").read_text().startswith("farside-executo")
    assert find_compiler(Options()) != find_executor(Options())


def alive(pid: int) -> bool:
    """Tell whether a process exists and is more than a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def described(pid: int) -> str:
    """Say what a process is: its command, its state and what it waits for."""
    found = []
    for each in ("comm", "stat", "wchan", "cmdline"):
        try:
            found.append(Path(f"/proc/{pid}/{each}").read_text().replace("\0", " ").strip())
        except OSError as error:
            found.append(str(error))
    return " | ".join(found)


def wait_gone(pids: list[int]) -> None:
    """Block until every process is gone, without polling, through pidfds."""
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            import select

            ready, _, _ = select.select([fd], [], [], 20)
            assert ready or not alive(pid), f"process {pid} is still there: {described(pid)}"
        finally:
            os.close(fd)


def descendants(root: int) -> list[int]:
    """Return every process below `root`."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def test_nothing_is_left_after_close(new_session: NewSession) -> None:
    session = new_session()
    session.run("int x = 1;")
    below = descendants(os.getpid())
    assert session.worker_pid in below
    pids = [session.worker_pid, session.compiler_pid, supervisor_of(session)]
    session.close()
    wait_gone(pids)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("busy", ["idle", "running"])
def test_nothing_is_left_when_the_near_side_is_killed(how: signal.Signals, busy: str) -> None:
    cell = "for (volatile int i = 0;; ++i) {}" if busy == "running" else "x = 2;"
    program = (
        "from farside.session import Session\n"
        "from farside.options import Options\n"
        "s = Session(Options())\n"
        "s.run('#include <cstdio>')\n"
        "s.run('int x = 1;')\n"
        f"s.run('puts(\"go\"); fflush(stdout); {cell}')\n"
        "import threading; threading.Event().wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as near:
        assert near.stdout is not None
        assert near.stdout.readline() == b"go\n"
        below = descendants(near.pid)
        assert len(below) >= 3
        near.send_signal(how)
        near.wait()
        wait_gone(below)


def test_children_of_the_program_end_with_the_session(new_session: NewSession) -> None:
    session = new_session()
    session.run("#include <unistd.h>")
    child = shown(session.run("pid_t c = fork(); if (c == 0) { setsid(); for (;;) pause(); } c"))
    assert child is not None
    assert alive(int(child))
    session.close()
    wait_gone([int(child)])
