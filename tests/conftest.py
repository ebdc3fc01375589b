"""What all tests share: the installed programs, and a check that nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import settings

import farside.cli
from tests.far_sides import left_out
from tests.traces import MARK_NAME, shared_memory, wait_for_all

LEFT_OUT = pytest.StashKey[Counter[str]]()
"""How many tests are left out on the far side that is chosen, by the reason."""
Completed = subprocess.CompletedProcess[str]
Farside = Callable[..., Completed]

PACKAGE = Path(farside.cli.__file__).parent

# The executor that is tested, by sessions and by the contract tests alike.
os.environ.setdefault("FARSIDE_EXECUTOR", str(PACKAGE / "libexec" / "farside-executor"))

# How long an example takes says how busy the machine is.
settings.register_profile("farside", deadline=None)
settings.load_profile("farside")

# What a shell without job control starts in the background ignores these, and the processes of the
# tests would inherit that; the tests are about what Ctrl-C does.
for number, handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGQUIT, signal.SIG_DFL),
):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot pass on the far side that is chosen."""
    reasons = {item: left_out(item.path.as_posix(), item.name) for item in items}
    gone = [item for item, reason in reasons.items() if reason]
    config.stash[LEFT_OUT] = Counter(reason for reason in reasons.values() if reason)
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if not reasons[item]]


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say what is left out; `tests.far_side_table` reads it."""
    return [f"left out: {count} {why}" for why, count in config.stash[LEFT_OUT].most_common()]


@pytest.fixture(scope="session")
def compiler_path() -> Path:
    """Return the installed ``farside-compiler``."""
    return PACKAGE / "libexec" / "farside-compiler"


@pytest.fixture(scope="session")
def executor_path() -> Path:
    """Return the ``farside-executor`` to test: the installed one unless FARSIDE_EXECUTOR says."""
    return Path(os.environ["FARSIDE_EXECUTOR"])


@pytest.fixture(scope="session")
def farside_command() -> list[str]:
    """Return the command ``farside`` as words to run."""
    return [sys.executable, "-m", "farside.cli"]


@pytest.fixture
def farside_run(farside_command: list[str]) -> Farside:
    """Return a function that runs ``farside`` with arguments and an input, to its end."""

    def run(
        *arguments: str, stdin: str = "", env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> Completed:
        return subprocess.run(
            [*farside_command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
            env=None if env is None else {**os.environ, **env},
            cwd=cwd,
        )

    return run


@dataclass(frozen=True)
class Traces:
    """What is looked at for traces of a test.

    Attributes:
        mark: carried by every process that the test starts.
        temporary: the directory for temporary files of those processes.
        shared: shared memory that was there before.
    """

    mark: str
    temporary: Path
    shared: frozenset[str]

    def check(self) -> None:
        """Fail if a process, a temporary file or shared memory is left."""
        assert wait_for_all(self.mark) == {}
        assert sorted(self.temporary.rglob("*")) == []
        assert shared_memory() - self.shared == set()


@pytest.fixture
def leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traces]:
    """Check at the end of the test that it left nothing; `Traces.check` does so earlier."""
    traces = Traces(uuid4().hex, tmp_path_factory.mktemp("temporary"), frozenset(shared_memory()))
    monkeypatch.setenv(MARK_NAME, traces.mark)
    monkeypatch.setenv("TMPDIR", str(traces.temporary))
    yield traces
    traces.check()
