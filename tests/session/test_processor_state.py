"""What a cell leaves behind in the processor, beside the values of its program."""

from __future__ import annotations

import platform

import pytest

from farside.errors import FarsideError
from farside.session import Session

from .conftest import run_all, shown

pytestmark = pytest.mark.skipif(platform.machine() != "x86_64", reason="inline assembly of x86-64")

DIRECTION = '__asm__ volatile("std" ::: "cc");'
X87_STACK = " ".join(['__asm__ volatile("fldz");'] * 8)


@pytest.mark.parametrize("left", [DIRECTION, X87_STACK], ids=["direction", "x87 stack"])
@pytest.mark.parametrize("as_function", [False, True])
def test_later_cells_are_not_disturbed(session: Session, left: str, as_function: bool) -> None:
    session.run("#include <string>\nlong double l = 1.5L; std::string s(5000, 'x');")
    if as_function:
        session.run(f"int leave(int n) {{ {left} return n; }}")
        assert session.fn.leave(3) == 3
    else:
        session.run(f"{{ {left} }}")
    assert shown(session.run("l * 2")) == "3.0L"
    assert session.eval("(s + s).size() == 10000 && s.substr(4999) == std::string(1, 'x')") is True


def test_an_exception_does_not_leave_it_either(session: Session) -> None:
    session.run("long double l = 1.5L;")
    with pytest.raises(FarsideError, match="int"):
        session.run(f"{{ {X87_STACK} }} throw 1;")
    assert shown(session.run("l * 2")) == "3.0L"


def test_rounding_is_the_programs_to_set(session: Session) -> None:
    session.run("#include <cfenv>\nvolatile long double one = 1, three = 3; volatile float f = 1;")
    session.run("fesetround(FE_UPWARD);")
    assert shown(run_all(session, "fegetround() == FE_UPWARD")) == "true"
    assert session.eval("one / three * three > one && f / 3 * 3 > f") is True
