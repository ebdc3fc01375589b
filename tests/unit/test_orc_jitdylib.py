"""Symbol tables with owners."""

from __future__ import annotations

import pytest

from farside.errors import InternalError
from farside.orc.jitdylib import JitDylib


def test_the_newest_definition_is_found_and_removal_shows_the_one_before() -> None:
    main: JitDylib[int] = JitDylib("main", 0x1000)
    main.define("cell 1", {"f": 0x10, "x": 0x18})
    main.define("cell 2", {"f": 0x20})
    main.define("cell 3", {"f": 0x30})
    assert main.lookup("f") == 0x30
    main.remove("cell 2")
    assert main.lookup("f") == 0x30
    main.remove("cell 3")
    assert main.lookup("f") == 0x10
    assert set(main) == {"f", "x"}
    main.remove("cell 1")
    assert main.lookup("f") is None
    assert len(main) == 0
    assert main.owners() == ()
    main.remove("cell 1")


def test_an_owner_may_define_in_several_calls_but_nothing_twice() -> None:
    main: JitDylib[int] = JitDylib("main", 0x1000)
    main.define("a.o", {"a": 1})
    main.define("a.o", {"b": 2})
    assert main.names_of("a.o") == ("a", "b")
    with pytest.raises(InternalError, match="twice"):
        main.define("a.o", {"c": 3, "a": 4})
    assert "c" not in main
    assert "a" in main
    assert main.names_of("a.o") == ("a", "b")
    assert main.names_of("b.o") == ()


def test_the_cost_of_a_cell_does_not_grow() -> None:
    main: JitDylib[int] = JitDylib("main", 0x1000)
    for cell in range(20_000):
        main.define(f"cell {cell}", {f"f{cell}": cell})
    for cell in range(19_999, -1, -1):
        main.remove(f"cell {cell}")
    assert len(main) == 0
