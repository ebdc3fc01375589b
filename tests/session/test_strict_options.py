"""Clang's options that make errors of warnings: what farside adds to a cell is never at fault."""

from __future__ import annotations

import pytest

from farside.errors import CompileError

from .conftest import NewSession, shown


@pytest.mark.parametrize(
    "options",
    [
        ["-Werror"],
        ["-Wall", "-Wextra", "-Wpedantic", "-Werror"],
        ["-pedantic-errors"],
        ["-Wfatal-errors", "-Werror"],
    ],
)
def test_values_are_shown(new_session: NewSession, options: list[str]) -> None:
    session = new_session(xcc=options)
    session.run("int g = 4; [[nodiscard]] int three() { return 3; } struct S { int x; } s{5};")
    for code, text in [
        ("g", "4"),
        ("g + 1", "5"),
        ("g == 4", "true"),
        ("three()", "3"),
        ('"x"', '"x"'),
        ("s", "{ x = 5 }"),
        ("-g", "-4"),
        ("(g, three())", "3"),
    ][: 7 if "-Werror" in options else 8]:
        result = session.run(code)
        assert (shown(result), result.diagnostics) == (text, ())
    assert session.eval("g") == 4
    session.eval("[]{}")
    session.run("int h = g;")
    assert shown(session.run("h")) == "4"


@pytest.mark.parametrize(
    "code", ["g;", "g; g", "g == 4;", "three();", "int f() { g; return 1; }", "if (g) { g; }"]
)
def test_what_is_not_shown_is_told(new_session: NewSession, code: str) -> None:
    definitions = "int g = 4; [[nodiscard]] int three() { return 3; }"
    session = new_session()
    session.run(definitions)
    told = [each.option for each in session.run(code).diagnostics]
    assert len(told) == 1
    assert told[0] in ("-Wunused-value", "-Wunused-comparison", "-Wunused-result")
    strict = new_session(xcc=["-Werror"])
    strict.run(definitions)
    with pytest.raises(CompileError) as caught:
        strict.run(code)
    assert [each.option for each in caught.value.diagnostics] == told


def test_all_warnings_leave_the_options_alone(new_session: NewSession) -> None:
    session = new_session(xcc=["-Weverything", "-Werror", "-Wno-c++98-compat"])
    assert shown(session.run("1 + 1")) == "2"


def test_own_names_are_not_suggested(new_session: NewSession) -> None:
    session = new_session(use_pch=False)
    for code in ("std::string s;", "string s;", "bundle(3);"):
        with pytest.raises(CompileError) as caught:
            session.run(code)
        text = str(caught.value)
        assert "__farside" not in text
        assert "start:" not in text
