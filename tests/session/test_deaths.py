"""A cell dies; the report says of what, where, and on which way it came there."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, NamedTuple

import pytest

from farside.errors import Crashed

from .conftest import end_between_cells, run_all, shown

if TYPE_CHECKING:
    from farside.remote.death import DeathReport
    from farside.session import Session

    from .conftest import NewSession

PRELUDE = """
#include <algorithm>
#include <cassert>
#include <csignal>
#include <cstdlib>
#include <csetjmp>
#include <fcntl.h>
#include <sys/mman.h>
#include <thread>
#include <stdexcept>
#include <unistd.h>
#include <vector>
"""


class Death(NamedTuple):
    """What a cell does, and what the report must say: signal, line of the cell, reason."""

    code: str
    signal: str | None
    line: int | None
    reason: str


DEATHS = {
    "null pointer, write": Death(
        "int a = 1;\n*(volatile int *)nullptr = a;", "SIGSEGV", 2, "null pointer (write)"
    ),
    "null pointer, member": Death(
        "struct P { int a[10], b; };\n\nvolatile int r = ((volatile P *)nullptr)->b;",
        "SIGSEGV",
        3,
        "null pointer plus 40 bytes (read)",
    ),
    "jump to null": Death(
        "void (*volatile no)() = nullptr;\n\n\nno();\n", "SIGSEGV", 4, "null pointer (jump)"
    ),
    "jump to nowhere": Death(
        "auto no = (void (*)())0x700000000000;\nno();",
        "SIGSEGV",
        2,
        "no memory is mapped there (jump)",
    ),
    "jump to data": Death(
        "static int data = 0xc3;\n((void (*)())&data)();",
        "SIGSEGV",
        2,
        "data of cell 2, data (jump)",
    ),
    "constant": Death(
        "extern const int k[3];\nconst int k[3] = {1, 2, 3};\n*(volatile int *)&k[1] = 3;",
        "SIGSEGV",
        3,
        "read-only data of cell 2, k (write)",
    ),
    "code": Death(
        "int fun() { return 3; }\n*(volatile char *)&fun = 1;",
        "SIGSEGV",
        2,
        "code of cell 2, fun() (write)",
    ),
    "code of a library": Death(
        "*(volatile char *)&raise = 1;", "SIGSEGV", 1, "code of libc.so.6 (write)"
    ),
    "not mapped": Death(
        "volatile int r = *(volatile int *)0x10000000000;",
        "SIGSEGV",
        1,
        "no memory is mapped there (read)",
    ),
    "not canonical": Death(
        "\n*(volatile int *)0xdead000000000000 = 1;",
        "SIGSEGV",
        2,
        "an address that no pointer can hold",
    ),
    "protected page": Death(
        "auto m = (volatile char *)mmap(0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
        "m[0] = 1;",
        "SIGSEGV",
        2,
        "memory without any access, such as a guard page (write)",
    ),
    "behind the end of a file": Death(
        'int fd = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);\n'
        "auto m = (volatile char *)mmap(0, 4096, PROT_READ, MAP_SHARED, fd, 0);\n"
        "volatile char c = m[0];",
        "SIGBUS",
        3,
        "memory behind the end of a mapped file",
    ),
    "unused slab": Death(
        "static int here;\nvolatile char *at = (volatile char *)&here - (1 << 30);\n*at = 1;",
        "SIGSEGV",
        3,
        "memory of a cell that was taken back, or that no cell has used (write)",
    ),
    "stack overflow": Death(
        "int deep(volatile int n) {\n"
        "  volatile int m[100] = {n};\n  return n ? deep(m[0] + 1) + m[1] : 0;\n}\n"
        "int top = deep(1);",
        "SIGSEGV",
        None,
        "stack overflow (write)",
    ),
    "division": Death(
        "volatile int zero = 0;\n\nvolatile int r = 1 / zero;",
        "SIGFPE",
        3,
        "division by zero, or a quotient that does not fit",
    ),
    "trap": Death("int a;\n__builtin_trap();", "SIGILL", 2, "an instruction that traps"),
    "breakpoint": Death('{\n  asm volatile("int3; nop");\n}', "SIGTRAP", 2, "a breakpoint"),
    "abort": Death("\nabort();", "SIGABRT", 2, "abort was called"),
    "assertion": Death(
        "volatile int q = 3;\nassert(q == 4);", "SIGABRT", 2, "Assertion `q == 4' failed."
    ),
    "double free": Death(
        "void *volatile p = malloc(10);\nfree(p);\nfree(p);", "SIGABRT", 3, "double free detected"
    ),
    "exception in a thread": Death(
        'std::thread t([] {\n  throw std::runtime_error("boo");\n});\nt.join();',
        "SIGABRT",
        2,
        "std::terminate was called for an exception of type std::runtime_error: boo",
    ),
    "exception out of noexcept": Death(
        "void no() noexcept {\n  throw 7;\n}\nno();",
        "SIGABRT",
        2,
        "std::terminate was called for an exception of type int: 7",
    ),
    "terminate": Death("\n\nstd::terminate();", "SIGABRT", 3, "std::terminate was called"),
    "exit": Death("\nexit(5);", None, 2, "exit status 5: it called exit(5)"),
    "_exit": Death("\n\n_exit(6);", None, 3, "exit status 6: it called _exit(6)"),
    "quick_exit": Death("quick_exit(7);", None, 1, "exit status 7: it called quick_exit(7)"),
    "kill": Death("raise(SIGKILL);", "SIGKILL", None, "by another process, or by itself"),
    "raise": Death("\nraise(SIGSEGV);", "SIGSEGV", 2, "raised by the program itself"),
    "system call": Death("\nraise(SIGSYS);", "SIGSYS", 2, "raised by the program itself"),
}


def report_of(session: Session, code: str) -> tuple[int, DeathReport, str]:
    """Run a cell that dies; return its number, the report and the text of the error."""
    cell = session.next_cell
    with pytest.raises(Crashed) as caught:
        session.run(code)
    return cell, caught.value.report, str(caught.value)


@pytest.mark.parametrize("opt", [None, 0])
@pytest.mark.parametrize("death", list(DEATHS))
def test_each_death_is_told_apart(new_session: NewSession, death: str, opt: int | None) -> None:
    code, name, line, reason = DEATHS[death]
    session = new_session(opt=opt)
    session.run(PRELUDE)
    cell, report, text = report_of(session, code)
    assert report.signal_name == name
    assert report.cell == cell
    if line is not None:
        assert report.line == line, text
        assert text.startswith(f"cell {cell}, line {line}: ")
    assert reason in text.replace("==", " == ").replace("  ", " ")
    assert shown(session.run("1 + 1")) == "2"


def test_address_and_frames_of_a_null_pointer(session: Session) -> None:
    cell, report, text = report_of(session, "int a = 1;\n*(volatile int *)nullptr = a;")
    assert report.fault_address == 0
    assert [(f.function, f.file, f.line) for f in report.frames] == [(None, f"cell {cell}", 2)]
    assert text == (
        f"cell {cell}, line 2: SIGSEGV (segmentation fault) at address 0x0: null pointer (write)\n"
        f"  #0 cell {cell}, line 2"
    )


@pytest.mark.parametrize("opt", [None, 0])
def test_backtrace_through_functions_of_several_cells(
    new_session: NewSession, opt: int | None
) -> None:
    session = new_session(opt=opt)
    session.run("int f(volatile int *p) {\n  int a = *p;\n  return a + 1;\n}")
    session.run("struct S {\n  int g(int *p) {\n    return f(p) * 2;\n  }\n} s;")
    session.run("\n\nint h(int *p) {\n  return s.g(p) + 1;\n}")
    cell, report, text = report_of(session, "int before = 1;\nint r =\n  h(nullptr) + 1;")
    assert cell == 4
    assert report.line == 3, text
    short = [
        ((f.function or "").split("(")[0].split("::")[-1], f.file, f.line) for f in report.frames
    ]
    assert short == [
        ("f", "cell 1", 2),
        ("g", "cell 2", 3),
        ("h", "cell 3", 4),
        ("", "cell 4", 3),
    ]
    assert "#0 f(int volatile*) cell 1, line 2" in text


@pytest.mark.parametrize("opt", [None, 0])
def test_functions_that_take_one_line(new_session: NewSession, opt: int | None) -> None:
    """Their objects may have no line tables; the journal has the line."""
    session = new_session(opt=opt)
    kept = "__attribute__((noinline)) int"
    session.run(f"\n{kept} low(volatile int *p) {{ return *p + 1; }}")
    inner = "int inner(volatile int *p) { return low(p) + 2; }"
    session.run(f"\n\n{inner} {kept} outer(volatile int *p) {{ return inner(p) + 3; }}")
    _, report, text = report_of(session, "int r =\n  outer(nullptr);")
    short = [((f.function or "").split("(")[0], f.file, f.line) for f in report.frames]
    assert short == [
        ("low", "cell 1", 2),
        ("inner", "cell 2", 3),
        ("outer", "cell 2", 3),
        ("", "cell 3", 2),
    ], text
    session.undo()
    _, report, text = report_of(session, "low(nullptr);")
    assert (report.frames[0].file, report.frames[0].line) == ("cell 1", 2), text


@pytest.mark.parametrize("opt", [None, 0])
def test_a_statement_stays_on_the_stack(new_session: NewSession, opt: int | None) -> None:
    session = new_session(opt=opt)
    session.run("void f(int *p) { *p = 1; }")
    session.run("void g(int *p);")
    cell, report, text = report_of(session, "int b = 0;\n\nf((int *)8);")
    assert report.line == 3, text
    assert [f.file for f in report.frames] == ["cell 1", f"cell {cell}"]


@pytest.mark.parametrize("opt", [None, 0])
def test_inlined_calls_lead_back_to_the_line_of_the_cell(
    new_session: NewSession, opt: int | None
) -> None:
    session = new_session(opt=opt)
    session.run("#include <vector>\n#include <memory>\nstd::vector<std::unique_ptr<int>> v(3);")
    cell, report, text = report_of(
        session, "int sum = 0;\nfor (auto &each : v) {\n  sum += *each;\n}"
    )
    assert report.line == 3, text
    assert report.frames[-1].file == f"cell {cell}"


def test_backtrace_through_a_callback_of_libc(new_session: NewSession) -> None:
    session = new_session(opt=0)
    session.run(PRELUDE)
    cell, report, text = report_of(
        session,
        "int compare(const void *a, const void *b) {\n"
        "  return *(volatile int *)nullptr;\n"
        "}\n"
        "void sorter(int *a, int n) {\n"
        "  qsort(a, n, 4, compare);\n"
        "}\n"
        "int a[] = {3, 1, 2};\n"
        "sorter(a, 3);",
    )
    assert report.line == 2
    of_cell = [(f.function, f.line) for f in report.frames if f.file == f"cell {cell}"]
    assert of_cell == [
        ("compare(void const*, void const*)", 2),
        ("sorter(int*, int)", 5),
        (None, 8),
    ]
    assert any(
        f.function and f.function.startswith("qsort") and "libc" in (f.library or "")
        for f in report.frames
    ), text
    assert " in libc.so.6" in text


@pytest.mark.parametrize("opt", [None, 0])
def test_backtrace_through_a_comparator_of_the_library(
    new_session: NewSession, opt: int | None
) -> None:
    session = new_session(opt=opt)
    session.run(PRELUDE)
    cell, report, text = report_of(
        session,
        "std::vector<int> v{3, 2, 1};\n"
        "std::sort(v.begin(), v.end(), [](int a, int b) {\n"
        "  return a < *(volatile int *)nullptr;\n"
        "});",
    )
    assert report.line == 3, text
    assert "stl_algo.h:" in text
    assert (report.frames[-1].file, report.frames[-1].line) in ((f"cell {cell}", 2),)


def test_stack_overflow_keeps_both_ends_of_the_stack(session: Session) -> None:
    session.run(
        "int deep(volatile int n) {\n  volatile int m = n;\n  return n ? deep(m + 1) + m : 0;\n}"
    )
    cell, report, text = report_of(session, "int before = 0;\ndeep(1);")
    assert report.line == 2
    assert report.frames[0].function == "deep(int)"
    assert (report.frames[-1].file, report.frames[-1].line) == (f"cell {cell}", 2)
    assert sum(f.skipped for f in report.frames) > 1000
    assert len(text.splitlines()) < 12


@pytest.mark.parametrize("opt", [None, 0])
def test_stack_overflow_in_a_thread(new_session: NewSession, opt: int | None) -> None:
    session = new_session(opt=opt)
    session.run(PRELUDE)
    session.run(
        "int deep(volatile int n) { volatile int m = n;\n return n ? deep(m + 1) + m : 0; }"
    )
    _, report, text = report_of(session, "std::thread t([] { deep(1); });\nt.join();")
    assert report.reason == "stack overflow (write)", text
    assert report.frames[0].function == "deep(int)"


def test_crash_in_a_thread_of_an_earlier_cell(session: Session) -> None:
    session.run(PRELUDE)
    session.run(
        "int gate[2]; int piped = pipe(gate);\n"
        "std::thread worker([] {\n"
        "  char c; read(gate[0], &c, 1);\n"
        "  *(volatile int *)nullptr = 1;\n"
        "});"
    )
    cell, report, text = report_of(session, 'write(gate[1], "x", 1);\nworker.join();')
    assert report.cell == cell
    assert any((f.file, f.line) == ("cell 2", 4) for f in report.frames), text
    assert report.reason == "null pointer (write)"


def test_pthread_of_c_has_a_stack_for_its_death(session: Session) -> None:
    session.run("#include <pthread.h>")
    _, report, _ = report_of(
        session,
        "void *body(void *) {\n  return *(void *volatile *)16;\n}\n"
        "pthread_t t; pthread_create(&t, nullptr, body, nullptr); pthread_join(t, nullptr);",
    )
    assert (report.frames[0].function, report.frames[0].line) == ("body(void*)", 2)


def test_crash_with_the_heap_destroyed(session: Session) -> None:
    session.run("#include <cstring>\n#include <cstdlib>\n#include <unistd.h>")
    cell, report, text = report_of(
        session,
        "{\n"
        "  char *low = (char *)malloc(1 << 10);\n"
        "  char *high = (char *)sbrk(0);\n"
        "  memset(low, 0x5a, high - low);\n"
        "  void *more = malloc(100000);\n"
        "  *(volatile int *)nullptr = *(int *)more;\n"
        "}",
    )
    assert report.line in (5, 6), text
    assert report.frames[-1].file == f"cell {cell}"


def test_crash_with_the_stack_destroyed(session: Session) -> None:
    session.run("#include <cstring>")
    session.run(
        "__attribute__((noinline)) void smash(char *p) {\n"
        "  memset(p - 64, 0x41, 4096);\n}\n"
        "__attribute__((noinline)) void outer() {\n"
        '  char b[16]; smash(b); asm volatile("" ::"r"(b) : "memory");\n}'
    )
    _, report, text = report_of(session, "outer();")
    assert report.signal_name in ("SIGSEGV", "SIGABRT"), text
    assert report.reason


def test_crash_in_a_signal_handler_of_the_user(session: Session) -> None:
    session.run(PRELUDE)
    session.run("void on_usr1(int) {\n  *(volatile int *)nullptr = 1;\n}")
    cell, report, text = report_of(session, "signal(SIGUSR1, on_usr1);\nraise(SIGUSR1);")
    assert report.frames[0].function == "on_usr1(int)"
    assert report.line == 2, text
    assert report.frames[-1].file == f"cell {cell}"


def test_handler_of_the_user_that_recovers_is_not_disturbed(session: Session) -> None:
    session.run(PRELUDE)
    session.run(
        "sigjmp_buf back; int caught = 0;\n"
        "void on_segv(int) { ++caught; siglongjmp(back, 1); }\n"
        "void tries(int n) {\n"
        "  for (int i = 0; i < n; ++i)\n"
        "    if (!sigsetjmp(back, 1)) *(volatile int *)nullptr = 1;\n"
        "}"
    )
    assert shown(run_all(session, "signal(SIGSEGV, on_segv);", "tries(100);", "caught")) == "100"


def test_handler_of_the_user_may_hand_on_to_the_one_before(session: Session) -> None:
    session.run(PRELUDE)
    session.run(
        "struct sigaction before;\n"
        "void mine(int n, siginfo_t *i, void *c) { before.sa_sigaction(n, i, c); }\n"
        "struct sigaction action{};\n"
        "action.sa_sigaction = mine; action.sa_flags = SA_SIGINFO | SA_ONSTACK;"
    )
    session.run("sigaction(SIGSEGV, &action, &before);")
    _, report, text = report_of(session, "\n\n*(volatile int *)nullptr = 1;")
    assert (report.line, report.reason) == (3, "null pointer (write)"), text


def test_child_of_the_program_leaves_no_record(session: Session) -> None:
    session.run("#include <unistd.h>\n#include <sys/wait.h>\n#include <cstdlib>")
    status = run_all(
        session,
        "int status = 0; pid_t child = fork();\n"
        "if (child == 0) *(volatile int *)nullptr = 1;\n"
        "waitpid(child, &status, 0);",
        "WTERMSIG(status)",
    )
    assert shown(status) == "11"
    _, report, _ = report_of(session, "_exit(3);")
    assert report.reason == "it called _exit(3)"


def test_killed_from_outside(session: Session) -> None:
    session.run("int x = 1;")
    end_between_cells(session, session.worker_pid)
    how, _ = session.run("x = 2;").notices
    assert how.endswith("SIGKILL (killed): by another process, or by itself")


def test_signal_from_another_process_names_it(session: Session) -> None:
    session.run("int x = 1;")
    end_between_cells(session, session.worker_pid, signal.SIGBUS)
    how, _ = session.run("x = 2;").notices
    assert re.search(f"SIGBUS.*sent by process {os.getpid()}", how)


def test_record_full_of_lies_is_survived(session: Session) -> None:
    session.run("#include <cstdio>\n#include <cstring>\n#include <unistd.h>\n#include <csignal>")
    # The shared mapping is the one with "rw-s" and no file behind it but /dev/zero.
    session.run(
        "void lie() {\n"
        '  FILE *maps = fopen("/proc/self/maps", "r"); char line[512];\n'
        "  while (fgets(line, sizeof line, maps)) {\n"
        "    unsigned long low, high;\n"
        '    if (strstr(line, "rw-s") && strstr(line, "/dev/zero") &&\n'
        '        sscanf(line, "%lx-%lx", &low, &high) == 2)\n'
        "      memset((void *)low, 0xff, high - low);\n"
        "  }\n"
        "  fclose(maps);\n"
        "}"
    )
    _, report, text = report_of(session, "lie(); raise(SIGKILL);")
    assert report.signal_name == "SIGKILL", text
    assert shown(session.run("2 + 2")) == "4"
