"""Ends: of the cell's process, of its supervisor, of the near side."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farside.errors import Crashed, FarSideLost, SetupError, TimedOut
from farside.remote.commit import CommitRequest
from farside.remote.executor import Executor
from tests.contract.executor_rig import PROGRAM, ROOT, Rig, descendants, is_alive

LOOP = """
#include <unistd.h>
int x = [] { write(1, "looping", 7); for (;;) asm volatile(""); return 0; }();
"""


def wait_gone(pids: list[int]) -> None:
    """Wait until every process has ended."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        assert poller.poll(20_000), f"{pid} is still there"
        os.close(handle)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("*(volatile int *)8 = 1", "SIGSEGV (segmentation fault)"),
        ("__builtin_trap()", "SIGILL (illegal instruction)"),
        ("raise(SIGFPE)", "SIGFPE (arithmetic exception)"),
        ("abort()", "SIGABRT (aborted)"),
        ("kill(getpid(), SIGKILL)", "SIGKILL (killed)"),
        ("kill(getpid(), SIGTERM)", "SIGTERM (terminated)"),
        ("raise(SIGPIPE)", "SIGPIPE (broken pipe)"),
        ("raise(40)", "signal 40"),
        ("_exit(0)", "ended its process with exit status 0"),
        ("_exit(77)", "ended its process with exit status 77"),
        ("[]() noexcept { throw 1; }()", "SIGABRT (aborted)"),
        ("std::thread([] { throw 1; }).join()", "SIGABRT (aborted)"),
        ("pthread_exit(nullptr)", "SIGABRT (aborted)"),
        ('execl("/bin/false", "false", nullptr)', "ended its process with exit status 1"),
    ],
)
def test_deaths_are_told_apart(rig: Rig, code: str, text: str) -> None:
    includes = "#include <csignal>\n#include <cstdlib>\n#include <unistd.h>\n#include <thread>\n"
    worker = rig.executor.worker_pid
    with pytest.raises(Crashed) as caught:
        rig.run(f'{includes}int x = (write(1, "before", 6), {code}, 0);', "-w")
    assert text in str(caught.value)
    assert caught.value.report.pid == worker
    assert rig.executor.death == caught.value.report
    assert rig.output.out == b"before"
    with pytest.raises(FarSideLost, match="cannot be used"):
        rig.executor.commit(CommitRequest())
    supervisor = rig.executor.supervisor_pid
    rig.executor.kill()
    assert not is_alive(supervisor)


def test_interrupting_a_call_leaves_an_executor_that_can_be_killed(rig: Rig) -> None:
    class ImpatientError(Exception):
        pass

    def interrupt() -> None:
        rig.output.notice = lambda: None
        raise ImpatientError

    rig.output.notice = interrupt
    worker = rig.executor.worker_pid
    assert worker is not None
    with pytest.raises(ImpatientError):
        rig.run(LOOP)
    with pytest.raises(FarSideLost, match="broken off"):
        rig.executor.resolve(["printf"])
    rig.executor.kill()
    wait_gone([worker])
    with Executor.spawn(PROGRAM) as fresh:
        assert fresh.resolve(["printf"])


def test_a_cell_that_runs_too_long(rig: Rig) -> None:
    worker = rig.executor.worker_pid
    image = rig.place(LOOP)
    with pytest.raises(TimedOut):
        rig.executor.commit(rig.request(image), timeout=0.2)
    rig.executor.kill()
    assert worker is not None
    wait_gone([worker])
    assert rig.output.out == b"looping"


def test_killing_ends_everything_below(rig: Rig) -> None:
    rig.run(
        """
        #include <unistd.h>
        #include <signal.h>
        int x = [] {
          for (int i = 0; i < 3; ++i)
            if (fork() == 0) {
              setsid();
              signal(SIGTERM, SIG_IGN);
              if (fork() == 0) pause();
              pause();
            }
          return 0;
        }();
        """
    )
    # The grandchildren may not have been forked yet: those that come later are found as well.
    pids = [rig.executor.supervisor_pid, *descendants(rig.executor.supervisor_pid)]
    assert len(pids) >= 2
    rig.executor.kill()
    wait_gone(pids)
    assert not any(is_alive(pid) for pid in pids)


def test_a_daemon_does_not_outlive_an_orderly_end(rig: Rig) -> None:
    rig.run(
        """
        #include <unistd.h>
        int x = [] {
          int ends[2];
          pipe(ends);
          if (fork() == 0) {
            setsid();
            if (fork() == 0) { write(ends[1], "x", 1); pause(); }
            _exit(0);
          }
          char byte;
          read(ends[0], &byte, 1);
          return 0;
        }();
        """
    )
    supervisor = rig.executor.supervisor_pid
    pids = descendants(supervisor)
    assert len(pids) >= 2
    rig.executor.close()
    wait_gone([supervisor, *pids])


NEAR_SIDE = """
import os, sys, time
from pathlib import Path
from tests.contract.executor_rig import Rig, descendants
from farside.remote.executor import Executor
rig = Rig(Path(sys.argv[1]))
rig.run('#include <unistd.h>\\nint x = [] { int p[2]; pipe(p);'
        'if (fork() == 0) { setsid(); write(p[1], "x", 1); pause(); }'
        'char c; read(p[0], &c, 1); return 0; }();')
print(rig.executor.supervisor_pid, *descendants(rig.executor.supervisor_pid), flush=True)
if sys.argv[2] == "busy":
    rig.output.notice = lambda: print("looping", flush=True)
    rig.run(sys.argv[3])
sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_killed_near_side_leaves_no_process(tmp_path: Path, state: str) -> None:
    near = subprocess.Popen(
        [sys.executable, "-c", NEAR_SIDE, tmp_path, state, LOOP],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{ROOT / 'src'}",
            "FARSIDE_EXECUTOR": str(PROGRAM),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert near.stdout is not None
    assert near.stdin is not None
    with near, contextlib.ExitStack() as stack:
        stack.callback(near.kill)
        pids = [int(pid) for pid in near.stdout.readline().split()]
        assert len(pids) == 3
        if state == "busy":
            assert near.stdout.readline() == "looping\n"
        near.send_signal(signal.SIGKILL)
        near.wait()
        wait_gone(pids)


def test_a_killed_supervisor_takes_the_worker_along(rig: Rig) -> None:
    worker = rig.executor.worker_pid
    assert worker is not None
    os.kill(rig.executor.supervisor_pid, signal.SIGKILL)
    wait_gone([worker])
    with pytest.raises(FarSideLost, match="supervisor"):
        rig.executor.resolve(["printf"])
    rig.executor.kill()


def test_a_stopped_supervisor_does_not_hold_the_near_side_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farside.remote.supervisor._REAP_GRACE", 0.1)
    worker = rig.executor.worker_pid
    assert worker is not None
    rig.run("#include <csignal>\n#include <unistd.h>\nint x = kill(getppid(), SIGSTOP);")
    rig.executor.kill()
    wait_gone([worker])


def test_forks_from_threads_find_every_lock_free(rig: Rig) -> None:
    rig.run(
        """
        #include <atomic>
        #include <cstdio>
        #include <sys/wait.h>
        #include <thread>
        #include <unistd.h>
        extern "C" int __cxa_thread_atexit(void (*)(void *), void *, void *);
        extern "C" int __cxa_atexit(void (*)(void *), void *, void *);
        extern "C" char __dso_handle;
        void use() {
          __cxa_thread_atexit([](void *) {}, nullptr, &__dso_handle);
          __cxa_atexit([](void *) {}, nullptr, &__dso_handle);
          try { throw 1; } catch (int) {}
        }
        int x = [] {
          std::atomic<bool> stop{false};
          std::thread busy([&] { while (!stop) use(); });
          int failed = 0;
          for (int i = 0; i < 100; ++i) {
            pid_t child = fork();
            if (child == 0) { alarm(10); use(); _exit(0); }
            int status;
            waitpid(child, &status, 0);
            failed += status != 0;
          }
          stop = true;
          busy.join();
          return std::printf("%d failed", failed);
        }();
        """
    )
    assert rig.output.out == b"0 failed"


def test_a_cell_may_close_every_low_descriptor(rig: Rig) -> None:
    rig.run(
        "#include <unistd.h>\nint x = [] { for (int i = 3; i < 200; ++i) close(i); return 0; }();"
    )
    rig.run(
        "#include <unistd.h>\nint x = [] { for (int i = 3; i < 200; ++i) dup2(1, i); return 0; }();"
    )
    assert rig.executor.resolve(["printf"])


def test_a_cell_that_closes_its_connection(rig: Rig) -> None:
    with pytest.raises(FarSideLost, match="closed its connection"):
        rig.run(
            "#include <unistd.h>\n"
            "int x = [] { for (int i = 3; i < 1000; ++i) close(i); pause(); return 0; }();"
        )
    supervisor = rig.executor.supervisor_pid
    rig.executor.kill()
    assert not is_alive(supervisor)


def test_a_forked_child_that_returns_does_not_answer_in_the_workers_name(rig: Rig) -> None:
    rig.run(
        """
        #include <cstdio>
        #include <sys/wait.h>
        #include <unistd.h>
        int x = [] {
          pid_t child = fork();
          if (child != 0) {
            int status;
            waitpid(child, &status, 0);
            std::printf("%d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
          }
          return 0;
        }();
        """
    )
    assert rig.output.out == b"0"
    assert rig.executor.resolve(["printf"])


def test_interrupts_do_not_reach_the_cells(rig: Rig) -> None:
    assert rig.executor.worker_pid is not None
    os.kill(rig.executor.worker_pid, signal.SIGINT)
    os.kill(rig.executor.supervisor_pid, signal.SIGINT)
    assert rig.executor.resolve(["printf"])


def test_close_after_a_handler_that_never_ends_kills(rig: Rig) -> None:
    worker = rig.executor.worker_pid
    rig.run('struct T { ~T() { for (;;) asm volatile(""); } } t;')
    rig.executor.close(timeout=0.2)
    assert worker is not None
    wait_gone([worker])


def test_death_at_start_is_a_setup_error(tmp_path: Path) -> None:
    script = tmp_path / "dies"
    script.write_text("#!/bin/sh\nkill -SEGV $$\n")
    script.chmod(0o755)
    with pytest.raises(SetupError, match="did not start"):
        Executor.spawn(script)
