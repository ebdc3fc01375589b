"""The far side dies, or hangs, or is killed; the session goes on with what was defined."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from farside.errors import Crashed, Interrupted
from farside.recovery.sentences import STARTED_AGAIN
from farside.session import Session
from tests.traces import wait_for_end

from .conftest import NewSession, end_between_cells, run_all, shown

DEATHS = {
    "null pointer": ("*(volatile int *)nullptr = 1;", "SIGSEGV"),
    "abort": ("__builtin_trap();", "SIGILL"),
    "division": ("volatile int zero = 0; volatile int r = 1 / zero;", "SIGFPE"),
    "exit": ('extern "C" void _exit(int); _exit(5);', "exit status 5"),
    "kill": (
        'extern "C" int kill(int, int); extern "C" int getpid(); kill(getpid(), 9);',
        "SIGKILL",
    ),
    "stack overflow": (
        "int deep(volatile int n) { volatile int m = n; return n ? deep(m + 1) + m : 0; } deep(1);",
        "SIGSEGV",
    ),
    "jump to nowhere": ("((void (*)())0x10)();", "SIGSEGV"),
}


@pytest.mark.parametrize("death", list(DEATHS))
def test_death_is_reported_and_definitions_stay(session: Session, death: str) -> None:
    code, sign = DEATHS[death]
    session.run(
        "#include <vector>\nint x = 4; std::vector<int> v{1, 2, 3}; int f() { return x + 1; }"
    )
    number = session.next_cell
    with pytest.raises(Crashed) as caught:
        session.run(code)
    assert sign in str(caught.value)
    assert f"cell {number}" in str(caught.value)
    assert shown(session.run("f() * 10 + (int)v.size()")) == "53"
    assert shown(run_all(session, "int zero2 = 9;", "zero2")) == "9"


def test_names_of_the_crashed_cell_are_free(session: Session) -> None:
    with pytest.raises(Crashed):
        session.run("struct T { int a; }; int n = 1; *(volatile int *)nullptr = n;")
    assert (
        shown(run_all(session, "struct T { char c; }; long n = 2;", "(int)sizeof(T) + (int)n"))
        == "3"
    )


def test_the_state_is_as_before_the_cell(session: Session) -> None:
    session.run("#include <cstdio>\nint runs = 0; int made = ++runs;")
    session.run('runs += 10; printf("once\\n");')
    with pytest.raises(Crashed) as caught:
        session.run("runs = 1000; __builtin_trap();")
    assert caught.value.recovery == ("the program's state is as it was before the cell",)
    result = session.run("runs * 10 + made")
    assert result.stdout == ""
    assert shown(result) == "111"


def test_crash_after_crash(session: Session) -> None:
    session.run("int x = 3; int next() { static int n = 0; return ++n; }")
    for count in range(5):
        with pytest.raises(Crashed):
            session.run("x = 100; next(); __builtin_trap();")
        assert shown(session.run("x + next()")) == str(4 + count)


def test_without_snapshots_variables_are_initialised_again(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    session.run("#include <cstdio>\nint runs = 0; int made = ++runs;")
    session.run('runs += 10; printf("once\\n");')
    for _ in range(2):
        with pytest.raises(Crashed) as caught:
            session.run("__builtin_trap();")
        assert caught.value.recovery == (STARTED_AGAIN,)
        result = session.run("runs * 10 + made")
        assert result.stdout == ""
        assert shown(result) == "11"


def test_output_before_a_crash_is_kept(session: Session) -> None:
    session.run("#include <cstdio>")
    with pytest.raises(Crashed) as caught:
        session.run('fputs("seen\\n", stderr); __builtin_trap();')
    assert "seen" in caught.value.stderr


def test_far_side_killed_while_idle(session: Session) -> None:
    session.run("int x = 3;")
    end_between_cells(session, session.worker_pid)
    assert len(session.run("++x;").notices) == 2
    assert shown(session.run("x")) == "4"


def test_compiler_killed_while_idle(session: Session) -> None:
    session.run("int x = 3; struct P { int a, b; }; static int hidden = 2;")
    session.run("x = 5;")
    for number in range(3):
        os.kill(session.compiler_pid, signal.SIGKILL)
        result = session.run(f"int y{number} = hidden; x + y{number} + (int)sizeof(P)")
        assert (shown(result), result.notices) == ("15", ())


def test_compiler_killed_with_all_its_snapshots(session: Session) -> None:
    session.run("int x = 3; static int hidden = 2;")
    session.run("x = 5;")
    pids = [session.compiler_pid, *[each.pid for each in session._compiler._snapshots._all]]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert shown(session.run("x + hidden")) == "7"


def test_compiler_killed_while_it_compiles(session: Session, tmp_path: Path) -> None:
    pipe = tmp_path / "header.h"
    os.mkfifo(pipe)
    session.run("int x = 3;")

    def strike() -> None:
        # It can be opened when Clang waits to read it, the second time when it is asked again; what
        # it reads does not end before both are closed.
        with pipe.open("w"):
            compiler = session.compiler_pid
            os.kill(compiler, signal.SIGKILL)
            wait_for_end(compiler)
            pipe.write_text("int from_header = x + 1;\n")

    thread = threading.Thread(target=strike)
    thread.start()
    session.run(f'#include "{pipe}"')
    thread.join()
    assert shown(session.run("from_header")) == "4"


def test_compiler_killed_while_a_crash_is_explained(session: Session) -> None:
    session.run("#include <csignal>\nint x = 3; void deep() { __builtin_trap(); }")
    with pytest.raises(Crashed, match="SIGILL"):
        session.run(f"x = 4; kill({session.compiler_pid}, SIGKILL); deep();")
    assert shown(session.run("x")) == "3"


def test_interrupt_of_an_endless_loop(session: Session) -> None:
    session.run("#include <unistd.h>\nint x = 3;")
    fd_read, fd_write = os.pipe()

    def strike() -> None:
        # The cell announces itself, so the interrupt arrives while it runs.
        os.read(fd_read, 1)
        os.kill(os.getpid(), signal.SIGINT)

    worker_fd = f"/proc/{os.getpid()}/fd/{fd_write}"
    session.run(f'#include <fcntl.h>\nint announce = open("{worker_fd}", O_WRONLY);')
    striker = threading.Thread(target=strike)
    striker.start()
    with pytest.raises(Interrupted):
        session.run('write(announce, "x", 1); for (volatile int i = 0;; ++i) {}')
    striker.join()
    os.close(fd_read)
    os.close(fd_write)
    assert shown(session.run("x")) == "3"
