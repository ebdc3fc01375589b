"""Diagnostics read and rendered."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.frontend.diagnostics import Diagnostic, FixIt, Range, parse_diagnostics, render

NOTE: dict[str, Any] = {
    "severity": "note",
    "message": "declared here",
    "option": "",
    "file": "cell 1",
    "line": 1,
    "column": 5,
    "ranges": [],
    "fixits": [],
    "source": "int x;",
    "notes": [],
}
WARNING: dict[str, Any] = {
    "severity": "warning",
    "message": "unused",
    "option": "-Wunused",
    "file": "cell 2",
    "line": 3,
    "column": 3,
    "ranges": [[3, 1, 3, 2], [3, 5, 3, 6]],
    "fixits": [{"range": [3, 6, 3, 6], "text": ";"}],
    "source": "a + b",
    "notes": [NOTE],
}


def test_a_diagnostic_reads_and_renders() -> None:
    (diagnostic,) = parse_diagnostics([WARNING])
    assert diagnostic.fixits == (FixIt(Range(3, 6, 3, 6), ";"),)
    assert diagnostic.render() == (
        "cell 2:3:3: warning: unused [-Wunused]\n"
        "    3 | a + b\n"
        "      | ~ ^ ~\n"
        "      |      ;\n"
        "cell 1:1:5: note: declared here\n"
        "    1 | int x;\n"
        "      |     ^"
    )


def test_colour_adds_nothing_but_colour() -> None:
    import re

    (diagnostic,) = parse_diagnostics([WARNING])
    colored = diagnostic.render(color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == diagnostic.render()


def test_tabs_and_wide_characters_keep_the_caret_in_place() -> None:
    tab = Diagnostic("error", "m", file="f", line=1, column=2, source="\tx")
    assert tab.render().splitlines()[1:] == ["    1 |         x", "      |         ^"]
    wide = Diagnostic("error", "m", file="f", line=1, column=4, source="日x")
    assert wide.render().splitlines()[2] == "      |   ^"


def test_a_range_over_several_lines_is_cut_to_its_line() -> None:
    text = Diagnostic(
        "error", "m", file="f", line=2, column=2, ranges=(Range(1, 3, 3, 2),), source="abcd"
    ).render()
    assert text.splitlines()[2] == "      | ~^~~"


def test_the_count_at_the_end() -> None:
    warning = Diagnostic("warning", "w")
    fatal = Diagnostic("fatal", "f")
    assert render([warning, warning, fatal]).splitlines() == [
        "warning: w",
        "warning: w",
        "fatal error: f",
        "2 warnings and 1 error generated.",
    ]
    assert render([]) == ""


@pytest.mark.parametrize("column", [0, 1, 5, 6, 7, 1000, (1 << 32) - 1])
def test_any_column_renders(column: int) -> None:
    diagnostic = Diagnostic(
        "error",
        "m",
        file="f",
        line=1,
        column=column,
        source="abcd\u00e9",
        ranges=(Range(1, column, 1, 3), Range(1, 3, 1, column)),
        fixits=(FixIt(Range(1, column, 1, column), "x"),),
    )
    assert "^" in diagnostic.render()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(list(WARNING)), inner, max_size=9)
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(JSON)
def test_hostile_values_raise_only_a_protocol_error(value: object) -> None:
    try:
        parse_diagnostics([value])
    except ProtocolError:
        return


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(WARNING)), JSON)
def test_one_hostile_field_raises_only_a_protocol_error(key: str, value: object) -> None:
    try:
        diagnostics = parse_diagnostics([{**WARNING, key: value}])
    except ProtocolError:
        return
    assert diagnostics[0].render()


def test_notes_do_not_nest_without_end() -> None:
    nested: dict[str, Any] = NOTE
    for _ in range(50):
        nested = {**NOTE, "notes": [nested]}
    with pytest.raises(ProtocolError):
        parse_diagnostics([nested])


def test_what_acts_on_a_terminal_is_shown() -> None:
    source = 'a\x1b[31m"\0" b'
    text = Diagnostic(
        "error", "no \x1b]0;x\x07 here", file="a\x1b.h", line=1, column=11, source=source
    ).render()
    assert text.splitlines() == [
        "a<U+001B>.h:1:11: error: no <U+001B>]0;x<U+0007> here",
        '    1 | a<U+001B>[31m"<U+0000>" b',
        "      | " + " " * 24 + "^",
    ]
