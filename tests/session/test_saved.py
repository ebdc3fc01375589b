"""A session is saved, its near side ends or is killed, and it comes back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from farside.errors import CppException, OptionError
from farside.session import Session
from tests.conftest import Farside, Traces

from .conftest import NewSession, run_all, shown


def resume(path: Path, **changes: object) -> Session:
    return Session.resume(str(path), output="capture", **changes)


def test_a_saved_session_comes_back_with_its_statements(
    new_session: NewSession, tmp_path: Path
) -> None:
    file = tmp_path / "s"
    session = new_session(std="c++20", defines=("START=5",))
    run_all(session, "#include <cstdio>\nint x = START;", "++x;")
    session.save(str(file))
    run_all(session, 'x *= 2; std::puts("once");', "int gone;")
    session.undo()
    session.close()
    with resume(file) as back:
        assert back.options.std == "c++20"
        assert back.resumed is not None
        assert back.resumed.cells == 3
        assert back.resumed.failed == ()
        assert back.resumed.stdout == "once\n"
        assert "may differ" in back.resumed.notices[-1]
        assert back.next_cell == 4
        assert shown(back.run("int gone = x; gone")) == "12"
    with resume(file) as again:
        assert shown(again.run("gone + x")) == "24"


def test_a_killed_near_side_loses_nothing(tmp_path: Path, leaves_nothing: Traces) -> None:
    file = tmp_path / "s"
    command = [sys.executable, "-m", "farside.cli", f"--journal={file}", "-"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as near:
        assert near.stdin is not None
        assert near.stdout is not None
        near.stdin.write(b"int x = 1;\nx = 7;\nx + 1\n")
        near.stdin.flush()
        assert near.stdout.readline() == b"(int) 8\n"
        near.stdin.write(b"x = 9;\nx\nx = 100; for (;;) ;\n")
        near.stdin.flush()
        assert near.stdout.readline() == b"(int) 9\n"
        near.kill()
    with resume(file) as back:
        assert shown(back.run("x")) == "9"


def test_cells_that_fail_at_resume_are_named(new_session: NewSession, tmp_path: Path) -> None:
    file, flag = tmp_path / "s", tmp_path / "flag"
    flag.touch()
    session = new_session()
    session.save(str(file))
    session.run("#include <unistd.h>\n#include <stdexcept>\nint x = 1;")
    session.run(f'int there = access("{flag}", F_OK); if (there) *(volatile int *)0 = 1;')
    session.run("int uses = there;")
    with pytest.raises(CppException):
        session.run('x = 2; throw std::runtime_error("stays");')
    session.run("x += 10;")
    session.close()
    before = file.read_bytes()
    flag.unlink()
    with resume(file) as back:
        assert back.resumed is not None
        assert [number for number, _ in back.resumed.failed] == [2, 3]
        said = "\n".join(back.resumed.notices)
        assert "cell 2 did not come back: " in said
        assert "SIGSEGV" in said
        assert "cell 4 threw std::runtime_error: stays" in said
        assert f"{file}~" in said
        assert shown(back.run("x")) == "12"
    assert Path(f"{file}~").read_bytes() == before


def test_loaded_files_and_jitdylibs_come_back(new_session: NewSession, tmp_path: Path) -> None:
    file = tmp_path / "s"
    session = new_session()
    session.save(str(file))
    plugin = session.jitdylib("plugin")
    plugin.run("int in_plugin() { return 3; }")
    session.jitdylib("main").link_order = (plugin.name,)
    session.load("libm.so.6")
    session.run("int in_plugin(); int got = in_plugin();")
    session.close()
    with resume(file) as back:
        assert back.resumed is not None
        assert back.resumed.failed == ()
        assert shown(back.run("got")) == "3"
        assert back.jitdylib("main").link_order == ("plugin",)


def test_clang_refuses_the_saved_options(new_session: NewSession, tmp_path: Path) -> None:
    file = tmp_path / "s"
    session = new_session()
    run_all(session, "int x;")
    session.save(str(file))
    session.close()
    before = file.read_bytes()
    with pytest.raises(OptionError, match="Clang rejects the options"):
        resume(file, xcc=("-std=c++1",))
    assert file.read_bytes() == before


def test_save_needs_a_place(session: Session, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file"):
        session.save(str(tmp_path / "missing" / "s"))
    with pytest.raises(OptionError, match="not replaced"):
        session.save(__file__)


def test_the_command_saves_and_resumes(farside_run: Farside, tmp_path: Path) -> None:
    done = farside_run(stdin="int x = 3;\n%save s\nx = 4;\n", cwd=tmp_path)
    assert done.returncode == 0
    assert "s from now on" in done.stderr
    done = farside_run("--resume", "s", "-c", "x", cwd=tmp_path)
    assert done.stdout == "(int) 4\n"
    assert "2 cells were run again" in done.stderr
    done = farside_run("--journal=s", "-c", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "--resume" in done.stderr
    (tmp_path / "s").write_bytes((tmp_path / "s").read_bytes() + b"{}\n")
    done = farside_run("--resume=s", "-c", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "farside: s, line 5: it is neither a cell nor a file nor a JITDylib; the file is damaged\n"
    )
