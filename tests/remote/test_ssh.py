"""Executors over ssh, with a real sshd on loopback in place of another machine."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from farside.errors import Crashed, FarSideLost, OptionError, SetupError
from farside.options import Options
from farside.recovery.sentences import STARTED_AGAIN
from farside.session import Session
from tests.session.conftest import run_all, shown
from tests.sshd import HOST, Sshd, sshd


@pytest.fixture
def there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaves_nothing: object
) -> Iterator[Sshd]:
    """Return a running sshd, which `OPTIONS` name."""
    with sshd(tmp_path / "sshd") as running:
        monkeypatch.setenv("FARSIDE_SSH", running.command)
        yield running


OPTIONS = Options(output="capture", ssh=HOST)


def test_the_executor_is_copied_once_and_a_crash_costs_its_cell(there: Sshd) -> None:
    with Session(OPTIONS) as session:
        run_all(session, "#include <cstdio>", "int x = 1;", "x = 41;")
        with pytest.raises(Crashed) as caught:
            session.run("x = 0; *(volatile int *)nullptr = 1;")
        assert caught.value.recovery == ("the program's state is as it was before the cell",)
        result = session.run('puts("over there"); x + 1')
        assert (shown(result), result.stdout) == ("42", "over there\n")
    (copied,) = (there.home / ".cache" / "farside").iterdir()
    before = (copied / "farside-executor").stat().st_mtime_ns
    with Session(OPTIONS) as session:
        assert shown(session.run("1 + 1")) == "2"
    assert [each.name for each in (there.home / ".cache" / "farside").iterdir()] == [copied.name]
    assert (copied / "farside-executor").stat().st_mtime_ns == before


def test_an_ssh_that_is_killed_ends_what_it_started(there: Sshd) -> None:
    with Session(OPTIONS) as session:
        session.run("int x = 1;")
        session.on_display = lambda _: kill_ssh()
        with pytest.raises(FarSideLost) as caught:
            session.run("#include <farside/display.h>\nfarside::display(1); for (;;) ;")
        assert STARTED_AGAIN in caught.value.recovery
        assert shown(session.run("x")) == "1"


def kill_ssh() -> None:
    """Kill the ssh that this process has started last."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in children}
    os.kill(int([pid for pid, name in names.items() if name == "ssh"][-1]), signal.SIGKILL)


def test_a_stranger_is_not_let_in(there: Sshd) -> None:
    (there.directory / "authorized").write_text("")
    with pytest.raises(SetupError, match="starts no executor"):
        Session(OPTIONS)


def test_a_host_that_is_another_is_not_spoken_to(there: Sshd) -> None:
    known = there.directory / "known"
    address, kind, _ = known.read_text().split()[:3]
    other = (there.directory / "user.pub").read_text().split()[1]
    known.write_text(f"{address} {kind} {other}\n")
    with pytest.raises(SetupError, match="starts no executor"):
        Session(OPTIONS)


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


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ("echo farside missing; cat >/dev/null; exit 28", "cannot be copied to farside: ssh ended"),
        ("echo farside ready; exec no-such-python3", "ended with 127 on farside, which needs"),
        ("exit 255", "starts no executor; it ended with 255"),
    ],
    ids=["disk full", "no Python", "unreachable"],
)
def test_what_the_other_machine_lacks_is_said(
    there: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\nexec 2>/dev/null\n{there}\n")
    program.chmod(0o755)
    monkeypatch.setenv("FARSIDE_SSH", str(program))
    with pytest.raises(SetupError, match=re.escape(why)):
        Session(OPTIONS.with_(ssh="farside"))


def test_no_ssh_and_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARSIDE_SSH", "/no/such/ssh")
    with pytest.raises(SetupError, match="cannot be started"):
        Session(OPTIONS)
    with pytest.raises(OptionError, match="names no machine"):
        Session(Options(ssh="-oProxyCommand=evil"))
