"""Python code that the program calls, and that forks: the child has no part in the session."""

from __future__ import annotations

import os
import sys

import pytest

from farside.errors import SessionClosed
from farside.session import Session

RETURNS, RAISES, EXITS = "returns", "raises", "exits"


@pytest.mark.parametrize("way", [RETURNS, RAISES, EXITS])
@pytest.mark.parametrize("caller", ["call", "cell", "output"])
def test_a_fork_in_what_the_program_calls(session: Session, way: str, caller: str) -> None:
    session.run(
        """
        #include <cstdio>
        #include <functional>
        std::function<int(int)> kept;
        int n = 0;
        int use(const std::function<int(int)> &f, int x) { ++n; return f(x); }
        void keep(std::function<int(int)> f) { ++n; kept = f; }
        int say(int x) { ++n; std::puts("said"); std::fflush(stdout); return x; }
        """
    )
    parent = os.getpid()
    children: list[int] = []

    def forks(value: int) -> int:
        child = os.fork()
        if child:
            children.append(child)
            # Nothing of the child's is to come in between, whenever it runs.
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            return value
        if way == RAISES:
            raise ValueError
        if way == EXITS:
            sys.exit(7)
        return -1

    def heard(_stream: str, _data: bytes) -> None:
        forks(4)

    status = 1
    try:
        if caller == "call":
            found = session.fn.use(forks, 4)
        elif caller == "cell":
            session.fn.keep(forks)
            found = session.eval("kept(4)")
        else:
            session.on_output = heard
            found = session.fn.say(4)
    except SessionClosed as error:
        status = 7 if way != EXITS and "another process" in str(error) else 2
    except SystemExit as error:
        status = int(str(error.code))
    finally:
        if os.getpid() != parent:
            os._exit(status)
    assert [found, len(children), session.eval("n")] == [4, 1, 1]
