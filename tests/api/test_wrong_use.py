"""What a mistake is answered with: an exception of its own, that says what to do."""

from __future__ import annotations

import copy
import os
import pickle
import threading
from typing import Any

import pytest

from farside import (
    CompileError,
    ListenerFailed,
    OptionError,
    Session,
    SessionBusy,
    SessionClosed,
    SetupError,
    UndefinedName,
    Value,
    ValueGone,
)


def test_an_undefined_name(session: Session) -> None:
    with pytest.raises(UndefinedName, match="define it in a cell, or include") as caught:
        session.eval("nowhere + 1")
    assert caught.value.names == ("nowhere",)
    with pytest.raises(UndefinedName) as caught:
        session.run("Nothing thing;")
    assert caught.value.names == ("Nothing",)
    with pytest.raises(CompileError) as other:
        session.eval("1 +")
    assert not isinstance(other.value, UndefinedName)
    assert session.eval("1 + 1") == 2


def test_a_value_whose_cell_was_undone(session: Session) -> None:
    session.run("#include <mutex>")
    value = session.eval("std::mutex{}")
    session.undo()
    with pytest.raises(ValueGone, match="taken back; evaluate it again") as caught:
        session.eval(f"{value}.try_lock()")
    assert caught.value.cell == 2


def test_a_value_of_another_session(session: Session) -> None:
    session.run("int f() { return 1; }")
    with Session() as other:
        other.run("int f() { return 2; }")
        value = other.eval("f")
        with pytest.raises(ValueGone, match="another session"):
            session.eval(f"{value}()")


@pytest.mark.parametrize(
    "wrong", [{"executor": "/nonexistent"}, {"connect": "127.0.0.1:1", "insecure": True}]
)
def test_a_session_that_cannot_start_keeps_nothing_open(wrong: dict[str, Any]) -> None:
    with pytest.raises(SetupError):  # what is opened once for all sessions is open after this
        Session(**wrong)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(SetupError):
        Session(**wrong)
    assert os.listdir("/proc/self/fd") == before


def test_a_session_that_is_closed(session: Session) -> None:
    session.close()
    with pytest.raises(SessionClosed, match="start another"):
        session.eval("1")


def test_a_call_while_another_runs(session: Session) -> None:
    session.run("#include <unistd.h>\nint ends[2]; int made = pipe(ends);")
    failures: list[BaseException] = []

    def wait() -> None:
        try:
            session.eval('(write(1, "!", 1), read(ends[0], ends, 1))')
        except BaseException as error:
            failures.append(error)

    started = threading.Event()
    session.on_output = lambda name, data: started.set()
    thread = threading.Thread(target=wait)
    thread.start()
    assert started.wait(60)
    with pytest.raises(SessionBusy, match="wait for it or interrupt it"):
        session.eval("1")
    session.interrupt()
    thread.join()
    assert [type(each).__name__ for each in failures] == ["Interrupted"]


def test_listeners_that_raise(session: Session) -> None:
    def fail(*_: object) -> None:
        raise ValueError("mine")

    session.run("#include <farside/display.h>\n#include <cstdio>\nint x = 1;")
    session.on_output = fail
    for _ in range(2):
        with pytest.raises(ListenerFailed, match="on_output raised ValueError: mine") as caught:
            session.run('x = 2; std::puts("heard"); std::fflush(stdout); for (;;);')
        assert caught.value.stdout == "heard\n"
        assert isinstance(caught.value.__cause__, ValueError)
    session.on_output = None
    session.on_display = fail
    with pytest.raises(ListenerFailed, match="on_display raised ValueError: mine") as caught:
        session.run("x = 3; farside::display(x);")
    assert caught.value.listener == "on_display"
    session.on_display = None
    assert session.eval("x") == 1


def test_an_option_that_does_not_exist() -> None:
    wrong: Any = {"standard": "c++20"}
    with pytest.raises(OptionError, match="standard"):
        Session(**wrong)


def test_values_have_texts(session: Session) -> None:
    value = session.run("int n = 4; n").value
    assert isinstance(value, Value)
    assert (f"{value}", value.name) == ("(int) 4", "")


def test_names_of_the_program_are_not_gone_through(session: Session) -> None:
    session.run("struct Point { int x; int y() { return x; } };")
    for each in (session.fn, session.fn.std, session.of(session.new("Point", 1))):
        with pytest.raises(TypeError, match="not iterable"):
            list(each)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="a name of C\\+\\+ is a str, not int"):
            each[0]  # type: ignore[index]


def test_a_session_is_not_copied(session: Session) -> None:
    for action in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied or pickled; `save`"):
            action(session)


def test_undo_takes_a_number(session: Session) -> None:
    session.run("int x = 1;")
    with pytest.raises(TypeError, match="undo takes a number of cells, not 'x'"):
        session.undo("x")  # type: ignore[arg-type]
    assert session.eval("x") == 1


def test_names_of_checkpoints(session: Session) -> None:
    for name in ("", "\x1b[31m", "two\nlines"):
        with pytest.raises(OptionError, match="must be printable, not empty"):
            session.checkpoint(name)
    for use in (session.checkpoint, session.restore):
        with pytest.raises(TypeError, match="the name of a checkpoint is a str, not int"):
            use(5)  # type: ignore[arg-type]
    session.run("int x = 1;")
    session.checkpoint("a")
    with pytest.raises(OptionError, match="there are: a"):
        session.restore("nope")
