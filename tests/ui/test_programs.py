"""The four classic programs run as they would when compiled ahead."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Farside

PROGRAMS = Path(__file__).parents[2] / "src" / "farside" / "bench" / "programs"

PRINTED = {
    "primes": "5761455 primes below 100000000, the last thousand add up to 99990732360\n",
    "fibonacci": "the Fibonacci numbers up to the 41st add up to 433494436\n",
    "matrix": "the product of two 1000 x 1000 matrices has trace 38.467626, checked\n",
    "sorting": "3000000 numbers sorted three ways: all agree, the median is 134284622\n",
}


@pytest.mark.slow
@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("name", PRINTED)
def test_program(farside_run: Farside, name: str) -> None:
    done = farside_run(str(PROGRAMS / f"{name}.cpp"))
    assert (done.stdout, done.stderr, done.returncode) == (PRINTED[name], "", 0)


def test_every_program_is_tested() -> None:
    assert {path.stem for path in PROGRAMS.glob("*.cpp")} == set(PRINTED)
