"""Cells that take from their process what it needs, or from farside what it relies on."""

from __future__ import annotations

from contextlib import suppress

import pytest

from farside.errors import FarSideError

from .conftest import NewSession, shown

PRELUDE = """
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include <vector>
void limit(__rlimit_resource what, rlim_t most) { rlimit both{most, most}; setrlimit(what, &both); }
int x = 1;
std::vector<int> v{1};
"""

CELLS = {
    # No fork succeeds from here on, or none whose number means anything: no snapshot is taken.
    "a process namespace": "unshare(CLONE_NEWPID);",
    "no more processes": (
        "limit(RLIMIT_NPROC, 0); setgroups(0, nullptr); (void)!setgid(65534); (void)!setuid(65534);"
    ),
    "no more address space": "limit(RLIMIT_AS, 1 << 20); limit(RLIMIT_DATA, 1 << 20);",
    "no more descriptors": "limit(RLIMIT_NOFILE, 0);",
    "all descriptors": 'while (open("/dev/null", O_RDONLY) >= 0) {}',
    "another root": '(void)!chroot("/tmp"); (void)!chdir("/");',
    "no /proc": (
        'unshare(CLONE_NEWNS); mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);'
        ' umount2("/proc", MNT_DETACH);'
    ),
    "no system calls": "prctl(PR_SET_SECCOMP, 1);",
    "no environment": "clearenv(); environ = nullptr;",
    "pages that no fork copies": (
        "madvise(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),"
        " 4096, MADV_DONTFORK);"
    ),
    "a timer": (
        "itimerval soon{{0, 0}, {0, 1000}}; setitimer(ITIMER_REAL, &soon, nullptr); pause();"
    ),
    "a handler that returns": "signal(SIGSEGV, [](int) {});",
    "the name of a snapshot": 'prctl(PR_SET_NAME, "farside asleep");',
    "nothing but its stack": """
      { FILE *maps = fopen("/proc/self/maps", "r");
        char line[512];
        std::vector<std::pair<unsigned long, unsigned long>> all;
        for (unsigned long low, high; fgets(line, sizeof line, maps);)
          if (sscanf(line, "%lx-%lx", &low, &high) == 2 && !strstr(line, "stack"))
            all.push_back({low, high});
        for (auto [low, high] : all) syscall(SYS_mprotect, low, high - low, PROT_NONE); }""",
    "no main thread": "syscall(SYS_exit, 0);",
    "its main thread unwound": "pthread_exit(nullptr);",
    "a daemon": "(void)!daemon(0, 0);",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(CELLS))
def test_the_state_is_that_of_the_accepted_cells(new_session: NewSession, name: str) -> None:
    session = new_session(time_limit=3.0)
    session.run(PRELUDE)
    session.run("x = 2; v.push_back(2);")
    expected = "22"
    with suppress(FarSideError):
        session.run(f"x = 3; v.push_back(3); {CELLS[name]}")
        expected = "33"  # some need root, and are harmless without
    assert shown(session.run("x * 10 + (int)v.size()")) == expected
    for _ in range(2):
        with pytest.raises(FarSideError):
            session.run("x = 9; v.clear(); *(volatile int *)nullptr = 1;")
        assert shown(session.run("x * 10 + (int)v.size()")) == expected
