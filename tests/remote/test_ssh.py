"""Executors over ssh, with a shell in place of another machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from farside.errors import Crashed, OptionError, SetupError
from farside.options import Options
from farside.session import Session
from tests.far_sides import FAKE_SSH
from tests.session.conftest import run_all, shown


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home directory of the other machine."""
    program, home = tmp_path / "ssh", tmp_path / "home"
    home.mkdir()
    program.write_text(FAKE_SSH.replace("exec sh", f"HOME='{home}' exec sh"))
    program.chmod(0o755)
    monkeypatch.setenv("FARSIDE_SSH", str(program))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return home


OPTIONS = Options(output="capture", ssh="another-machine")


def test_the_executor_is_copied_once_and_a_crash_costs_its_cell(
    home: Path, leaves_nothing: object
) -> None:
    with Session(OPTIONS) as session:
        run_all(session, "#include <cstdio>", "int x = 1;", "x = 41;")
        with pytest.raises(Crashed) as caught:
            session.run("x = 0; *(volatile int *)nullptr = 1;")
        assert caught.value.recovery == ("the program's state is as it was before the cell",)
        result = session.run('puts("over there"); x + 1')
        assert (shown(result), result.stdout) == ("42", "over there\n")
    (copied,) = (home / ".cache" / "farside").iterdir()
    before = (copied / "farside-executor").stat().st_mtime_ns
    with Session(OPTIONS) as session:
        assert shown(session.run("1 + 1")) == "2"
    assert [each.name for each in (home / ".cache" / "farside").iterdir()] == [copied.name]
    assert (copied / "farside-executor").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    "script", ["exit 255", "echo Welcome", "head -c 100000 /dev/zero", "kill -9 $$"]
)
def test_an_ssh_that_says_something_else(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("FARSIDE_SSH", str(program))
    with pytest.raises(SetupError, match="starts no executor"):
        Session(OPTIONS)


def test_no_ssh_and_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARSIDE_SSH", "/no/such/ssh")
    with pytest.raises(SetupError, match="cannot be started"):
        Session(OPTIONS)
    with pytest.raises(OptionError, match="names no machine"):
        Session(Options(ssh="-oProxyCommand=evil"))
