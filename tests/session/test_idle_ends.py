"""Processes that somebody ends while no code of the user's runs: no cell is lost."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from farside.errors import CompileError, FarSideLost
from farside.outcome import CellResult
from farside.recovery.sentences import AS_IT_WAS, STARTED_AGAIN
from farside.session import Session
from tests.traces import wait_for_end

from .conftest import (
    NewSession,
    end_between_cells,
    run_all,
    shown,
    supervisor_of,
    wait_for_snapshot,
)

ENDED = "the program had ended before the cell ran: "
KILLED = f"{ENDED}SIGKILL (killed): by another process, or by itself"


def test_a_worker_that_is_killed_between_cells(session: Session) -> None:
    run_all(session, "int x = 1;", "x = 2;")
    for number in (signal.SIGKILL, signal.SIGTERM):
        end_between_cells(session, session.worker_pid, number)
        result = session.run("++x")
        how, *others = result.notices
        assert how.startswith(f"{ENDED}{number.name}")
        assert others == [AS_IT_WAS]
    assert shown(result) == "4"
    assert session.run("x").notices == ()


def killed_while_compiled(
    session: Session, directory: Path, header: str, code: str, *, victim: int, last: int
) -> CellResult:
    """Run a cell that includes a header; kill a process while Clang waits for that, until another
    has ended as well.
    """
    pipe, other = directory / "header.h", directory / "other.h"
    os.mkfifo(pipe)
    other.write_text(header)

    def strike() -> None:
        with pipe.open("w"):
            other.rename(pipe)  # for the cell is compiled again
            os.kill(victim, signal.SIGKILL)
            assert wait_for_end(last)

    thread = threading.Thread(target=strike)
    thread.start()
    result = session.run(f'#include "{pipe}"\n{code}')
    thread.join()
    return result


def test_a_worker_that_is_killed_while_the_cell_is_compiled(
    session: Session, tmp_path: Path
) -> None:
    run_all(session, "int x = 1;", "x = 2;")
    wait_for_snapshot(session)
    worker = session.worker_pid
    result = killed_while_compiled(
        session, tmp_path, "int y = x;", "++x", victim=worker, last=worker
    )
    assert (shown(result), result.notices) == ("3", (KILLED, AS_IT_WAS))
    assert shown(session.run("x + y")) == "5"


def test_a_supervisor_that_is_killed_between_cells(session: Session) -> None:
    run_all(session, "int x = 1;", "x = 2;")
    worker = session.worker_pid
    end_between_cells(session, supervisor_of(session))
    assert wait_for_end(worker)
    result = session.run("++x")
    assert result.notices == (f"{ENDED}The far side is gone: its supervisor ended", AS_IT_WAS)
    assert shown(result) == "3"


def test_a_supervisor_that_is_killed_at_once_after_an_undo(new_session: NewSession) -> None:
    """No state but the one that was gone back to is kept."""
    session = new_session(snapshots=1)
    run_all(session, "int x = 1;", "x = 2;")
    session.checkpoint("two")
    for _ in range(3):
        session.run("x = 3;")
        wait_for_snapshot(session)
        session.undo()
        worker, supervisor = session.worker_pid, supervisor_of(session)
        os.kill(supervisor, signal.SIGKILL)
        assert wait_for_end(supervisor)
        assert wait_for_end(worker)
        result = session.run("x + 0")
        assert shown(result) == "2"
        assert result.notices == (f"{ENDED}The far side is gone: its supervisor ended", AS_IT_WAS)
        wait_for_snapshot(session)
        session.undo()


def test_a_supervisor_that_is_killed_while_the_cell_after_an_undo_is_compiled(
    session: Session, tmp_path: Path
) -> None:
    """The first that is asked of the program is where a name is, which runs nothing."""
    run_all(session, "int x = 1;", "x = 2;", "x = 3;")
    session.undo()
    wait_for_snapshot(session)
    worker, supervisor = session.worker_pid, supervisor_of(session)
    header = "#include <stdlib.h>\n"
    result = killed_while_compiled(
        session, tmp_path, header, "x + labs(-1)", victim=supervisor, last=worker
    )
    assert shown(result) == "3"
    assert result.notices == (f"{ENDED}The far side is gone: its supervisor ended", AS_IT_WAS)


def test_a_program_that_left_before_a_cell_that_fails(session: Session) -> None:
    run_all(session, "int x = 1;", "x = 2;")
    end_between_cells(session, session.worker_pid)
    with pytest.raises(CompileError) as caught:
        session.run("no_name")
    assert caught.value.recovery == (KILLED, AS_IT_WAS)
    assert (caught.value.stdout, caught.value.stderr) == ("", "")
    with pytest.raises(CompileError) as caught:
        session.run("no_name")
    assert caught.value.recovery == ()
    assert shown(session.run("x")) == "2"


def test_a_cell_is_not_run_where_the_state_before_it_is_lost(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    run_all(session, "int x = 1;", "x = 2;")
    end_between_cells(session, session.worker_pid)
    with pytest.raises(FarSideLost, match="The cell was not run") as caught:
        session.run("x += 10")
    assert caught.value.recovery == (STARTED_AGAIN,)
    assert shown(session.run("x")) == "1"


def test_calls_are_made_again(session: Session) -> None:
    session.run("int x = 1; int add(int n) { return x += n; }")
    assert session.call("add", 1) == 2
    assert session.call("add", 1) == 3
    end_between_cells(session, session.worker_pid)
    assert shown(session.run("x")) == "3"


def test_calls_find_the_program_that_has_ended(session: Session) -> None:
    session.run("int x = 1; int add(int n) { return x += n; }")
    session.run("struct Made { int get() { return 7; } };")
    worker = session.worker_pid
    assert session.call("add", 1) == 2
    end_between_cells(session, session.worker_pid)
    assert session.call("add", 1) == 3  # and nothing was lost
    end_between_cells(session, supervisor_of(session))
    assert wait_for_end(session.worker_pid)
    assert session.fn.add(1) == 4
    end_between_cells(session, session.worker_pid)
    made = session.new("Made")  # which is compiled first
    assert session.of(made).get() == 7
    result = session.run("x")
    assert shown(result) == "4"
    ends = [each for each in result.notices if each.startswith("the program had ended before the")]
    assert [each.split(":")[0][-4:] for each in ends] == ["call"] * 3
    assert session.worker_pid != worker
    assert session.run("x").notices == ()


def test_what_else_is_done_finds_the_program_that_has_ended(session: Session) -> None:
    run_all(session, "int x = 1;", "x = 2;")
    end_between_cells(session, session.worker_pid)
    assert session.statistics().images == 1
    end_between_cells(session, session.worker_pid)
    assert "libz.so.1" in session.load("libz.so.1")
    end_between_cells(session, session.worker_pid)
    assert session.libraries()
    end_between_cells(session, session.worker_pid)
    session.share("shared", bytearray(8))[0] = 3
    end_between_cells(session, session.worker_pid)
    session.jitdylib("more")
    assert shown(session.run("x + shared[0]")) == "5"


def test_nothing_is_called_where_the_state_before_the_call_is_lost(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    run_all(session, "int x = 1; int add(int n) { return x += n; }", "x = 2;")
    end_between_cells(session, session.worker_pid)
    with pytest.raises(FarSideLost, match="Nothing was done") as caught:
        session.call("add", 1)
    assert caught.value.recovery == (STARTED_AGAIN,)
    assert session.call("add", 1) == 2
