"""Ends of a session that nobody planned: from another thread, in a fork, by forgetting it."""

from __future__ import annotations

import gc
import os
import signal
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from farside import execution
from farside.errors import CppException, FarSideError, Interrupted, SessionClosed
from farside.options import Options
from farside.session import Session
from tests.conftest import Traces
from tests.far_sides import ELSEWHERE
from tests.traces import wait_for_end

from .conftest import NewSession, shown, supervisor_of

POSIX = "#include <csignal>\n#include <fcntl.h>\n#include <unistd.h>\n"


@pytest.mark.parametrize("on_interrupt", ["restore", "keep"])
def test_close_while_a_cell_runs(
    new_session: NewSession, tmp_path: Path, on_interrupt: str
) -> None:
    session = new_session(on_interrupt=on_interrupt)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    both = os.open(pipe, os.O_RDWR)
    session.run(POSIX)
    pids = [session.worker_pid, supervisor_of(session), session.compiler_pid]
    raised: list[BaseException] = []

    def run() -> None:
        try:
            session.run(f'(void)!write(open("{pipe}", O_WRONLY), "x", 1); for (;;) pause();')
        except FarSideError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    os.read(both, 1)
    session.close()
    thread.join()
    os.close(both)
    assert [type(each) for each in raised] == [Interrupted]
    assert all(map(wait_for_end, pids))
    with pytest.raises(SessionClosed):
        session.run("1")


def test_an_interrupt_from_a_thread_stops_clang(new_session: NewSession, tmp_path: Path) -> None:
    session = new_session()
    pipe = tmp_path / "header.h"
    os.mkfifo(pipe)
    session.run("int x = 1;")

    def strike() -> None:
        # It can be opened when Clang waits to read it.
        writer = os.open(pipe, os.O_WRONLY)
        session.interrupt()
        thread_may_close.wait()
        os.close(writer)

    thread_may_close = threading.Event()
    thread = threading.Thread(target=strike)
    thread.start()
    with pytest.raises(Interrupted):
        session.run(f'#include "{pipe}"')
    thread_may_close.set()
    thread.join()
    assert shown(session.run("x")) == "1"


def test_a_fork_of_the_near_side_ends_nothing(session: Session) -> None:
    session.run("int x = 5;")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            session.close()
            session._end()
            try:
                session.run("x")
            except SessionClosed:
                status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert shown(session.run("x")) == "5"


def test_a_session_that_is_dropped_ends(leaves_nothing: Traces) -> None:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    session = Session(Options(output="capture"))
    session.run("int x = 1;")
    pids = [session.worker_pid, supervisor_of(session), session.compiler_pid]
    del session
    gc.collect()
    assert all(map(wait_for_end, pids))
    assert len(os.listdir("/proc/self/fd")) == before
    leaves_nothing.check()


def fail(n: int) -> int:
    return n // 0


def end(n: int) -> int:
    raise SystemExit(n)


def interrupt(n: int) -> int:
    raise KeyboardInterrupt


@pytest.mark.parametrize("function", [fail, end, interrupt, str, None])
@pytest.mark.parametrize("caught", [False, True])
def test_a_session_that_a_callable_failed_in_is_dropped(
    leaves_nothing: Traces, function: Callable[[int], object] | None, caught: bool
) -> None:
    """The exception has the session in its traceback; nothing may keep it."""
    session = Session(Options(output="capture"))
    session.run(
        "#include <functional>\nint call(std::function<int(int)> f) { return f(1); }\n"
        "int safely(std::function<int(int)> f) { try { return f(1); } catch (...) { return 7; } }"
    )
    of_session = [session]
    with suppress(BaseException):
        session.call(
            "safely" if caught else "call", function or (lambda _: of_session[0].interrupt())
        )
    pids = [session.worker_pid, session.compiler_pid]
    weak = weakref.ref(session)
    gc.disable()
    try:
        of_session.clear()
        del session
        assert weak() is None
    finally:
        gc.enable()
    assert all(map(wait_for_end, pids))
    leaves_nothing.check()


def test_a_callable_that_fails_in_a_cell_does_not_keep_the_session(leaves_nothing: Traces) -> None:
    session = Session(Options(output="capture"))
    session.run("#include <functional>\nstd::function<int(int)> kept;")
    session.run("void keep(std::function<int(int)> f) { kept = f; }")
    session.call("keep", fail)
    with pytest.raises(CppException):
        session.run("kept(1);")
    weak = weakref.ref(session)
    del session
    gc.collect()
    assert weak() is None
    leaves_nothing.check()


def test_exit_handlers_that_do_not_end_are_told(
    new_session: NewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    import farside.execution

    monkeypatch.setattr(farside.execution, "_CLOSING", 1.0)
    session = new_session()
    session.run(POSIX + "struct Slow { ~Slow() { for (;;) pause(); } } slow;")
    assert session.close().notices == (
        "exit handlers that had not ended after 1 seconds were stopped",
    )


def test_a_program_that_stops_itself_goes_on(session: Session) -> None:
    session.run(POSIX)
    result = session.run("int n = 1; raise(SIGSTOP); ++n; n")
    assert shown(result) == "2"
    said = (f"the program was stopped by signal {signal.SIGSTOP.value} and was continued",)
    after = session.run("n").notices
    # Over a network the supervisor's news and a reply have ways of their own.
    assert (result.notices, after) in ([(said, ()), ((), said)] if ELSEWHERE else [(said, ())])
    assert session.run("n").notices == ()


def test_a_session_that_is_not_made_leaves_nothing(
    leaves_nothing: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(execution.ExecutionSession):
        def __init__(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(execution, "ExecutionSession", Stopped)
    with pytest.raises(KeyboardInterrupt):
        Session()
    leaves_nothing.check()
