"""The % commands."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import OptionError
from farside.source.cells import is_command
from farside.source.commands import (
    HELP_TEXT,
    Checkpoint,
    Command,
    Help,
    History,
    Lib,
    LibDir,
    Libs,
    Quit,
    Restore,
    Type,
    Undo,
    Vars,
    parse_command,
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("%help", Help()),
        ("%h", Help()),
        ("%?", Help()),
        ("%undo", Undo()),
        ("%undo 3", Undo(3)),
        ("%checkpoint one", Checkpoint("one")),
        ("%restore  one ", Restore("one")),
        ("%history", History()),
        ("  %u  2 ", Undo(2)),
        ("%undo\t2", Undo(2)),
        ("%lib libm.so.6", Lib("libm.so.6")),
        ("%lib a path/x.o", Lib("a path/x.o")),
        ("%lib", Libs()),
        ("%lib -L /opt/own lib", LibDir("/opt/own lib")),
        ('%lib -L"/opt/own lib"', LibDir("/opt/own lib")),
        ('%lib "a path/x.o"', Lib("a path/x.o")),
        ("%type x + 1", Type("x + 1")),
        ("%vars", Vars()),
        ("%vars std::*", Vars("std::*")),
        ("%quit", Quit()),
        ("%q", Quit()),
        ("%exit", Quit()),
    ],
)
def test_commands(text: str, command: Command) -> None:
    assert is_command(text)
    parsed = parse_command(text)
    assert (type(parsed), parsed) == (type(command), command)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("%hlep", "did you mean %help?"),
        ("%und", "did you mean %undo?"),
        ("%libs x", "did you mean %lib?"),
        ("%xyzzy", "%help lists the commands"),
        ("%", "%help lists the commands"),
        ("%" + "x" * 1000, "x…"),
        ("%lib -L", "needs the path of a directory"),
        ("%undo x", "'x'"),
        ("%checkpoint", "one word"),
        ("%restore a b", "one word"),
        ("%restore \x07", "printable"),
        ("%history 3", "takes no argument"),
        ("%type", "needs an expression"),
        ("%vars a b", "one pattern"),
        ("%typ x", "did you mean %type?"),
        ("%undo 0", "from 1"),
        ("%undo -1", "'-1'"),
        ("%undo ²", "'²'"),
        ("%undo 99999999999999999999", "takes a number"),
        ("%quit now", "'now'"),
        ("%help me", "'me'"),
    ],
)
def test_mistakes_are_named(text: str, part: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_command(text)
    assert part in str(caught.value)


@pytest.mark.parametrize("text", ["x % y", "%:define X 1", "", "  ", "5 %2"])
def test_code_is_no_command(text: str) -> None:
    assert not is_command(text)


def test_the_help_text_names_every_command() -> None:
    for name in ("%help", "%undo", "%lib", "%type", "%vars", "%quit"):
        assert f"\n{name} " in "\n" + HELP_TEXT


@given(st.text().map(lambda text: "%" + text))
def test_any_text_is_a_command_or_an_option_error(text: str) -> None:
    with contextlib.suppress(OptionError):
        parse_command(text)
