"""Ends past C's `exit`, of which the process itself can say nothing: the kernel and the supervisor
do."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from farside.errors import Crashed, FarSideLost
from farside.session import Session

from .conftest import run_all, shown

PRELUDE = """
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
int x = 3;
void stay() { std::thread([] { for (;;) pause(); }).detach(); }
void limit(__rlimit_resource what, rlim_t soft, rlim_t most) {
  rlimit both{soft, most};
  setrlimit(what, &both);
}
"""


class End(NamedTuple):
    """What a cell does, and what the report must say."""

    code: str
    says: str
    line: int | None = None


ENDS = {
    "exit of a thread that is the last": End(
        "syscall(SYS_exit, 5);", "its process with exit status 5: by the system call itself"
    ),
    "every descriptor closed": End(
        "syscall(SYS_close_range, 3u, ~0u, 0);",
        "its process with exit status 1: the session's connection had been closed, by the cell or",
    ),
    "every descriptor closed, well before the end": End(
        "syscall(SYS_close_range, 3u, ~0u, 0); usleep(100'000);",
        "its process with exit status 1: the session's connection had been closed, by the cell or",
    ),
    "exit of all threads": End(
        "stay(); syscall(SYS_exit_group, 6);",
        "its process with exit status 6: by the system call itself",
    ),
    "exit of the main thread": End(
        "stay(); syscall(SYS_exit, 7);",
        "the main thread with exit status 7: by the system call SYS_exit; its other threads",
    ),
    "main thread killed by seccomp": End(
        "stay(); prctl(PR_SET_SECCOMP, 1);",
        "SIGKILL (killed): it made a system call that it had forbidden itself (seccomp); its other",
    ),
    "killed by seccomp": End(
        "prctl(PR_SET_SECCOMP, 1);", "a system call that it had forbidden itself (seccomp)"
    ),
    "another program": End(
        'execl("/bin/true", "true", nullptr);',
        "exit status 0: it had executed another program in its place; fork first",
    ),
    "another program, traced": End(
        'ptrace(PTRACE_TRACEME); execl("/bin/true", "true", nullptr);',
        "exit status 0: it had executed another program in its place; fork first",
    ),
    "another program that stays": End(
        'execl("/bin/sleep", "sleep", "1000", nullptr);',
        "it had executed another program in its place, which was ended; fork first",
    ),
    "another program, of a thread": End(
        'std::thread([] { execl("/bin/sleep", "sleep", "1000", nullptr); }).join();',
        "it had executed another program in its place, which was ended; fork first",
    ),
    "another program, with a child that holds the connection": End(
        'if (fork() == 0) pause(); execl("/bin/sleep", "sleep", "1000", nullptr);',
        "it had executed another program in its place, which was ended; fork first",
    ),
    "soft limit of time": End(
        "limit(RLIMIT_CPU, 1, 9);\nfor (volatile int n = 0;; n = 0) {}",
        "SIGXCPU (processor time limit): its processor time was used up (RLIMIT_CPU); `ulimit -t`",
        2,
    ),
    "hard limit of time": End(
        "limit(RLIMIT_CPU, 1, 1);\nfor (volatile int n = 0;; n = 0) {}",
        "SIGKILL (killed): by all appearance, its processor time was used up (RLIMIT_CPU)",
    ),
    "killed below its limit of time": End(
        "limit(RLIMIT_CPU, 1000, 1000); raise(SIGKILL);", "by another process, or by itself"
    ),
    "limit of file size": End(
        "limit(RLIMIT_FSIZE, 100, 100);\n"
        'int full = open("/dev/shm", O_TMPFILE | O_WRONLY, 0600);\n'
        "char some[200] = {};\n"
        "for (;;) write(full, some, sizeof some);",
        "SIGXFSZ (file size limit): a file would have grown beyond the limit (RLIMIT_FSIZE",
        4,
    ),
    "a fault of one that is traced": End(
        "ptrace(PTRACE_TRACEME);\n*(volatile int *)nullptr = 1;", "null pointer (write)", 2
    ),
}


def test_each_is_told_apart_and_costs_its_cell(session: Session) -> None:
    session.run(PRELUDE)
    for name, (code, says, line) in ENDS.items():
        with pytest.raises(Crashed) as caught:
            session.run(f"x = 4; {code}")
        assert says in str(caught.value), name
        assert caught.value.report.line == line, name
        assert shown(session.run("x")) == "3", name


def test_one_that_closed_its_connection_and_goes_on_is_ended(session: Session) -> None:
    session.run(PRELUDE)
    with pytest.raises(FarSideLost, match="closed its connection to the session"):
        session.run("x = 4; syscall(SYS_close_range, 3u, ~0u, 0); for (;;) pause();")
    assert shown(session.run("x")) == "3"


def test_one_that_asked_to_be_traced_goes_on(session: Session) -> None:
    session.run(PRELUDE)
    for code in (
        "ptrace(PTRACE_TRACEME); raise(SIGSTOP); ++x;",
        "std::thread([] { ptrace(PTRACE_TRACEME); raise(SIGCONT); ++x; }).join();",
    ):
        # Over a network the supervisor's news may come after the cell's reply, with the next.
        notices = session.run(code).notices + session.run("0;").notices
        assert any("asked to be traced (PTRACE_TRACEME)" in each for each in notices)
    assert shown(run_all(session, "x")) == "5"
