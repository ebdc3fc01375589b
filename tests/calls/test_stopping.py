"""A Python callable that does not return ends with the call that waits for it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

from farside import AsyncSession, Interrupted, TimedOut
from farside.session import Session
from tests.session.conftest import NewSession

CODE = """
#include <functional>
int kept = 1;
int call(std::function<int()> f) { kept = 2; int x = f(); kept = 1; return x; }
"""
WAIT = threading.Event()  # which nobody sets


def endless() -> int:
    while True:
        pass


def swallowing() -> int:
    for _ in range(2):
        try:
            endless()
        except BaseException:
            continue
    return 7


def replacing() -> int:
    try:
        return endless()
    except BaseException:
        raise ValueError("something else") from None


ENDLESS: list[Callable[[], object]] = [endless, replacing, lambda: time.sleep(1000), WAIT.wait]


def begun(function: Callable[[], object], act: Callable[[], object]) -> Callable[[], object]:
    """Return a callable that has another thread act while it runs."""

    def run() -> object:
        threading.Thread(target=act).start()
        return function()

    return run


def test_an_interrupt_from_another_thread(session: Session) -> None:
    session.run(CODE + "std::function<int()> f;")
    session.run("void keep(std::function<int()> g) { f = g; }")
    for function in ENDLESS:
        with pytest.raises(
            Interrupted, match=r"call of call\(callable\) was interrupted and taken"
        ):
            session.call("call", begun(function, session.interrupt))
        assert session.eval("kept") == 1
        assert session.fn.call(lambda: 3) == 3
        # So it is where a cell calls it.
        session.call("keep", begun(function, session.interrupt))
        with pytest.raises(Interrupted, match=r"cell \d+ was interrupted"):
            session.run("kept = f();")
        assert session.eval("kept") == 1


def test_an_interrupt_that_comes_just_before_a_wait(session: Session) -> None:
    """Then the signal has been and gone when the wait begins."""
    session.run(CODE)
    interrupted = threading.Event()

    def interrupt() -> None:
        session.interrupt()
        interrupted.set()

    def misses_one() -> None:
        handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=interrupt).start()
        interrupted.wait()
        signal.signal(signal.SIGINT, handler)
        WAIT.wait()

    with pytest.raises(Interrupted):
        session.call("call", misses_one)
    assert session.eval("kept") == 1
    assert session.fn.call(lambda: 3) == 3


def test_an_interrupt_that_is_swallowed(session: Session) -> None:
    session.run(CODE)
    stops = threading.Event()

    def insist() -> None:
        while not stops.wait(0.05):
            session.interrupt()

    with pytest.raises(Interrupted):
        session.call("call", begun(swallowing, insist))
    stops.set()
    assert session.eval("kept") == 1


def test_control_c(session: Session) -> None:
    session.run(CODE)

    def press() -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return endless()

    for _ in range(2):
        with pytest.raises(Interrupted):
            session.call("call", press)
        assert session.eval("kept") == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_first_of_two_interrupts_may_only_ask(new_session: NewSession) -> None:
    session = new_session(on_interrupt="keep")
    session.run(CODE + "#include <farside/interrupt.h>")
    done = []

    def once() -> int:
        session.interrupt()
        done.append(1)
        return 5

    asked = "[](std::function<int()> f) { f(); while (!farside::interrupted()); return 6; }"
    assert session.call(asked, once) == 6
    assert done == [1]

    def twice() -> None:
        session.interrupt()
        session.interrupt()

    with pytest.raises(Interrupted):
        session.call("call", begun(endless, twice))
    assert session.eval("kept") == 1


@pytest.mark.parametrize("keep", ["restore", "keep"])
def test_a_time_limit(new_session: NewSession, keep: str) -> None:
    session = new_session(time_limit=0.5, on_interrupt=keep)
    session.run(CODE)
    for function in (*ENDLESS, swallowing):
        with pytest.raises(TimedOut, match="its limit of 0"):
            session.call("call", function)
        assert session.eval("kept") == 1
    assert session.fn.call(lambda: 3) == 3


def test_in_a_thread_of_its_own() -> None:
    async def main() -> None:
        async with AsyncSession(output="capture", time_limit=5.0) as session:
            await session.run(CODE)
            running = asyncio.Event()
            loop = asyncio.get_running_loop()

            def run() -> int:
                loop.call_soon_threadsafe(running.set)
                return endless()

            task = asyncio.create_task(session.call(lambda it: it.call("call", run)))
            await running.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await session.eval("kept") == 1
        async with AsyncSession(output="capture", time_limit=0.5) as session:
            await session.run(CODE)
            with pytest.raises(TimedOut):
                await session.call(lambda it: it.call("call", endless))
            assert await session.eval("kept") == 1

    asyncio.run(main())


def test_a_callable_that_waits_in_another_session(
    session: Session, new_session: NewSession
) -> None:
    session.run(CODE)
    other = new_session()
    other.run(CODE)
    for inner in (
        lambda: other.run("for (;;);"),
        lambda: other.call("call", endless),
    ):
        with pytest.raises(Interrupted, match="call of call"):
            session.call("call", begun(inner, session.interrupt))
        assert (session.eval("kept"), other.eval("kept")) == (1, 1)
