"""A short run of the chaos sessions; ``make chaos`` runs as many as asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Traces

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [100, 200, 300, 400])
def test_every_state_is_the_models(seed: int, tmp_path: Path, leaves_nothing: Traces) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos", "300", str(seed)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert "sessions lost: 0\nstates that differ: 0\n" in done.stdout, done.stderr
    assert done.returncode == 0
    assert sorted(tmp_path.iterdir()) == []
    leaves_nothing.check()
