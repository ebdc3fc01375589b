"""A cell may be accepted that leaves the program unable to run others."""

from __future__ import annotations

import pytest

from farside.errors import FarsideError
from farside.session import Session

from .conftest import run_all, shown

UNFIT = "an accepted cell may have left the program unable to run others; undo takes cells back"


def test_who_cannot_run_cells_any_more_is_told_of_undo(session: Session) -> None:
    run_all(
        session,
        "#include <sys/mman.h>\nint x = 5;",
        # What shows a value is placed in what is left of the page.
        "mprotect((void *)((unsigned long)&x & ~4095ul), 4096, PROT_NONE);",
    )
    told = []
    for code in ("1 + 1", "1 + 2"):
        with pytest.raises(FarsideError) as caught:
            session.run(code)
        told.append(any(UNFIT in each for each in getattr(caught.value, "__notes__", ())))
    assert told == [False, True]
    session.undo()
    assert shown(session.run("x")) == "5"
    with pytest.raises(FarsideError) as caught:
        session.run("*(volatile int *)nullptr = 1;")
    assert not hasattr(caught.value, "__notes__")
