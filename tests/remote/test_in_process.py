"""The executor as a library in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from farside.errors import Interrupted, OptionError, TimedOut, UndefinedSymbols
from farside.options import Options
from farside.remote.in_process import NOTICE
from farside.session import Session
from tests.conftest import Farside
from tests.session.conftest import NewSession, shown


@pytest.fixture
def new_session() -> Iterator[NewSession]:
    """Return a function that starts a capturing session in this process."""
    with ExitStack() as stack:

        def start(**changes: Any) -> Session:
            options = Options(in_process=True, output="capture").with_(**changes)
            return stack.enter_context(Session(options))

        yield start


@pytest.fixture
def session(new_session: NewSession) -> Session:
    """Return a capturing session in this process."""
    return new_session()


def loaded() -> bool:
    return "in-process" in Path("/proc/self/maps").read_text()


def test_cells_run_in_this_process(session: Session) -> None:
    result = session.run("#include <unistd.h>\ngetpid()")
    assert shown(result) == str(os.getpid()) == str(session.worker_pid)
    assert result.notices == (NOTICE,)
    assert session.run("gettid() == getpid()").notices == ()


def test_variables_of_the_cell_thread_stay(session: Session) -> None:
    session.run("thread_local int t = 1;")
    session.run("t = 5;")
    assert shown(session.run("t")) == "5"


def test_output_is_captured_while_a_call_runs_and_no_longer(
    session: Session, capfd: pytest.CaptureFixture[str]
) -> None:
    os.write(1, b"before ")
    result = session.run('#include <cstdio>\nfputs("out", stdout); fputs("err", stderr);')
    os.write(1, b"after")
    assert (result.stdout, result.stderr) == ("out", "err")
    assert capfd.readouterr() == ("before after", "")


def test_more_output_than_a_pipe_holds(session: Session) -> None:
    session.run("#include <cstdio>")
    assert len(session.run('for (int i = 0; i < 100000; ++i) puts("xyz");').stdout) == 400000


def test_sessions_beside_each_other_do_not_meet(new_session: NewSession) -> None:
    one, other = new_session(), new_session()
    one.run('#include <cstdio>\nint x = 1; atexit([] { puts("one ends"); });')
    other.run("#include <cstdio>\nint x = 2;")
    assert (shown(one.run("x")), shown(other.run("x"))) == ("1", "2")
    assert one.close().stdout == "one ends\n"
    assert other.run('puts("still here");').stdout == "still here\n"


def test_the_end_of_a_session_is_not_that_of_the_process(new_session: NewSession) -> None:
    session = new_session()
    session.run(
        """
        #include <cstdio>
        struct Noisy { const char *name; ~Noisy() { puts(name); } };
        Noisy global{"global"};
        thread_local Noisy local{"local"};
        """
    )
    session.run("(void)local.name;")
    assert session.close().stdout == "local\nglobal\n"
    assert not loaded()


def test_code_that_threads_still_run_is_kept(new_session: NewSession) -> None:
    session = new_session()
    session.run(
        """
        #include <atomic>
        #include <thread>
        std::atomic<bool> *go = new std::atomic<bool>(false);
        std::thread([] { go->wait(false); }).detach();
        """
    )
    go = session.run("(unsigned long)go").value
    assert go is not None
    assert isinstance(go.python, int)
    session.close()
    assert loaded()
    assert shown(new_session().run("2 + 2")) == "4"


LOOP = "volatile long n = 0; while (true) n = n + 1;"
SLEEP = "#include <chrono>\n#include <thread>\nstd::this_thread::sleep_for(std::chrono::hours(9));"
ALLOCATE = "while (true) delete[] new char[100];"
WAIT = """
#include <condition_variable>
#include <mutex>
std::mutex m; std::condition_variable c;
{ std::unique_lock lock(m); c.wait(lock, [] { return false; }); }
"""


def descriptors() -> Counter[str]:
    """Return what this process has open, by kind."""
    kinds: Counter[str] = Counter()
    for each in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            kinds[os.readlink(f"/proc/self/fd/{each}").partition(":[")[0]] += 1
    return kinds


@pytest.mark.parametrize(
    "code", [LOOP, SLEEP, ALLOCATE, WAIT], ids=["spin", "sleep", "new", "wait"]
)
def test_a_cell_that_does_not_end_is_stopped(new_session: NewSession, code: str) -> None:
    session = new_session(time_limit=0.2)
    session.run("int x = 1;")
    session.run("x = 2;")
    with pytest.raises(TimedOut) as raised:
        session.run(code)
    assert raised.value.recovery == (
        "the far side was started again; variables have their initial values",
    )
    assert shown(session.run("x")) == "1"


def test_what_is_stopped_and_closed_leaves_no_descriptor(new_session: NewSession) -> None:
    before = descriptors()
    session = new_session(time_limit=0.1)
    for code in (LOOP, SLEEP, LOOP):
        with pytest.raises(TimedOut):
            session.run(code)
    session.close()
    assert descriptors() == before


def test_an_interrupt_stops_a_cell(session: Session) -> None:
    session.run("int x = 1;")
    session.on_display = lambda _: session.interrupt()
    with pytest.raises(Interrupted):
        session.run("#include <farside/display.h>\nfarside::display(1); while (true) ;")
    assert shown(session.run("x")) == "1"


def test_a_cell_can_end_itself_when_interrupted(new_session: NewSession) -> None:
    session = new_session(on_interrupt="keep")
    session.run("#include <farside/display.h>\n#include <farside/interrupt.h>\nint x = 1;")
    session.on_display = lambda _: session.interrupt()
    session.run("farside::display(1); while (!farside::interrupted()) ; x = 2;")
    assert shown(session.run("x")) == "2"


def test_exceptions_cross_cells(session: Session) -> None:
    session.run('#include <stdexcept>\nvoid thrower() { throw std::runtime_error("thrown"); }')
    session.run("#include <string>\nstd::string caught;")
    session.run("try { thrower(); } catch (std::exception &e) { caught = e.what(); }")
    assert shown(session.run("caught")) == '"thrown"'


def test_libraries_are_found(session: Session) -> None:
    session.run("#include <zlib.h>")
    assert session.run("zlibVersion()[0] == ZLIB_VERSION[0]").notices[0].startswith("loaded")


def test_what_no_library_defines(session: Session) -> None:
    with pytest.raises(UndefinedSymbols):
        session.run("int nowhere(); nowhere()")
    assert shown(session.run("1")) == "1"


@pytest.mark.parametrize("limit", ["memory_limit", "process_limit"])
def test_limits_that_only_a_process_can_have(limit: str) -> None:
    with pytest.raises(OptionError, match="needs a process"):
        Session(Options(in_process=True).with_(**{limit: 100 << 10})).close()


def run_in_another(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with the cell for a session in it."""
    program = (
        "import sys\n"
        "from farside.options import Options\n"
        "from farside.session import Session\n"
        "def run(*cells):\n"
        "    with Session(Options(in_process=True)) as session:\n"
        "        for cell in cells: session.run(cell)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_crash_is_that_of_the_process() -> None:
    done = run_in_another("run('*(volatile int *)nullptr = 1;')")
    assert done.returncode == -signal.SIGSEGV


def test_exit_is_that_of_the_process() -> None:
    assert run_in_another("run('#include <cstdlib>', 'std::exit(7);')").returncode == 7


def test_output_comes_in_order() -> None:
    done = run_in_another(
        "print('one', flush=True)\n"
        "run('#include <cstdio>', 'std::puts(\"two\");')\n"
        "print('three')\n"
    )
    assert done.stdout == "one\ntwo\nthree\n"


def test_the_command_runs_in_one_process(farside_run: Farside, tmp_path: Path) -> None:
    source = tmp_path / "program.cpp"
    source.write_text(
        "#include <cstdio>\n#include <unistd.h>\n"
        'int main(int argc, char **) { printf("%d\\n", argc); return 3; }\n'
    )
    done = farside_run("--in-process", str(source), "--", "a", "b")
    assert (done.stdout, done.returncode) == ("3\n", 3)
    assert NOTICE in done.stderr
