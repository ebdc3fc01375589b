"""Symbol tables with owners."""

from __future__ import annotations

import pytest

from farside.errors import InternalError
from farside.orc.jitdylib import JitDylib, SymbolDef, SymbolFlags

FLAGS = SymbolFlags.EXPORTED | SymbolFlags.CALLABLE


def test_the_newest_definition_is_found_and_removal_shows_the_one_before() -> None:
    main = JitDylib("main", 0x1000)
    main.define(1, {"f": (0x10, FLAGS), "x": (0x18, SymbolFlags.WEAK)})
    main.define(2, {"f": (0x20, FLAGS)})
    main.define(3, {"f": (0x30, FLAGS)})
    assert main.lookup("f") == SymbolDef(0x30, FLAGS, 3)
    main.remove(2)
    assert main.lookup("f") == SymbolDef(0x30, FLAGS, 3)
    main.remove(3)
    assert main.lookup("f") == SymbolDef(0x10, FLAGS, 1)
    assert set(main) == {"f", "x"}
    main.remove(1)
    assert main.lookup("f") is None
    assert len(main) == 0
    assert main.owners() == ()
    main.remove(1)


def test_an_owner_may_define_in_several_calls_but_nothing_twice() -> None:
    main = JitDylib("main", 0x1000)
    main.define(1, {"a": (1, FLAGS)})
    main.define(1, {"b": (2, FLAGS)})
    assert main.names_of(1) == ("a", "b")
    with pytest.raises(InternalError, match="twice"):
        main.define(1, {"c": (3, FLAGS), "a": (4, FLAGS)})
    assert "c" not in main
    assert "a" in main
    assert main.names_of(1) == ("a", "b")
    assert main.names_of(9) == ()


def test_the_cost_of_a_cell_does_not_grow() -> None:
    main = JitDylib("main", 0x1000)
    for cell in range(20_000):
        main.define(cell, {f"f{cell}": (cell, FLAGS)})
    for cell in range(19_999, -1, -1):
        main.remove(cell)
    assert len(main) == 0
