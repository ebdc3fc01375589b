"""A short run of the chaos sessions; ``make chaos`` runs as many as asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import run
from tests.chaos.session import Tally


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(11, 19))
def test_every_state_is_the_models(seed: int, tmp_path: Path) -> None:
    tally = Tally()
    run(40, seed, tally, tmp_path)
    assert tally.lost == []
    assert tally.different == []
    assert tally.events.total() == 40
