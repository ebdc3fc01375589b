"""Values from programs that are elsewhere, or in an executor that is not farside's own."""

from __future__ import annotations

from typing import Any

import pytest

from farside import CppObject, Options, Session, Value
from tests.far_sides import far_side


@pytest.mark.parametrize("where", ["tcp", "stock"])
def test_values_come_in_the_reply(where: str) -> None:
    with far_side(where) as options, Session(Options().with_(**options)) as session:
        session.run(
            "#include <vector>\n#include <string>\n#include <iostream>\nstruct S { int a; };"
        )
        large: Any = session.eval("std::vector<double>(200000, 0.5)")
        assert large.sum() == 100000
        assert session.eval("std::string(200000, 'x')") == "x" * 200000
        assert session.eval('std::vector<std::string>{"a"}') == ["a"]
        assert isinstance(session.eval("S{1}"), CppObject)
        stream = session.eval("std::cout")
        assert isinstance(stream, Value)
        assert session.eval(f"{stream}.good()") is True
        shown = session.run("std::vector<S>{{1}, {2}}").value
        assert str(shown) == "(std::vector<S>) { { a = 1 }, { a = 2 } }"
