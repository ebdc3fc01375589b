"""An executor that breaks the protocol costs its session one clear error, and no more."""

from __future__ import annotations

import resource
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import farside.remote.executor
from farside.errors import (
    Crashed,
    FarSideLost,
    InternalError,
    ProtocolError,
    RemoteError,
    SetupError,
    TimedOut,
)
from farside.options import Options
from farside.orc.frames import FrameDecoder
from farside.remote.executor import Executor
from farside.session import Session
from tests.contract.executor_rig import PROGRAM
from tests.doubles.hostile import COMMITS, SETUPS
from tests.session.conftest import shown

ROOT = Path(__file__).parents[2]
REFUSED = (Crashed, FarSideLost, ProtocolError, RemoteError, SetupError, TimedOut)


def hostile_once(directory: Path, point: str) -> Path:
    """Return a program that is hostile when it is first started, and honest from then on."""
    program = directory / "executor"
    program.write_text(
        "#!/bin/sh\n"
        f"if mkdir {shlex.quote(str(directory / 'was-started'))} 2>/dev/null; then\n"
        f"  cd {shlex.quote(str(ROOT))} && PYTHONPATH=src:. exec {shlex.quote(sys.executable)}"
        f' -m tests.doubles.hostile {point} "$@"\n'
        f'fi\nexec {shlex.quote(str(PROGRAM))} "$@"\n'
    )
    program.chmod(0o755)
    return program


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    """Fail if a peer's numbers made this process reserve memory to match."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("point", [*SETUPS, *COMMITS])
def test_one_clear_error_and_the_session_goes_on(
    point: str, tmp_path: Path, leaves_nothing: object
) -> None:
    options = Options(
        output="capture", executor=hostile_once(tmp_path, point), use_pch=False, time_limit=30
    )
    with Session(options) as session:
        with pytest.raises(REFUSED) as caught:
            session.run("int x = 1;")
        assert not isinstance(caught.value, InternalError)
        text = str(caught.value)
        assert text
        assert "\n" not in text
        session.run("int y = 2;")
        assert shown(session.run("20 * y + 2")) == "42"


@pytest.mark.parametrize("point", ["silent", "silent-commit", "talks-without-end"])
def test_the_time_limit_holds_whatever_it_does(
    point: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farside.remote.executor, "PATIENCE", 3.0)
    options = Options(
        output="capture", executor=hostile_once(tmp_path, point), use_pch=False, time_limit=1.0
    )
    with Session(options) as session:
        with pytest.raises(REFUSED):
            session.run("int x = 1;")
        assert shown(session.run("6 * 7")) == "42"


def test_an_answer_that_is_never_complete_takes_no_memory() -> None:
    frames = FrameDecoder()
    frames.feed((1 << 30).to_bytes(8, "little") + (2).to_bytes(8, "little") + bytes(16))
    assert frames.next() is None
    assert frames.in_message


def test_spawning_one_reports_it(tmp_path: Path) -> None:
    with pytest.raises((SetupError, ProtocolError)):
        Executor.spawn(hostile_once(tmp_path, "end-in-payload"))
