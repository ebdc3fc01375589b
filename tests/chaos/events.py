"""What can go wrong: code that dies, hangs, breaks its process or its surroundings."""

from __future__ import annotations

# Options of the sessions, which some events run into.
MOST_OUTPUT = 1 << 20
MOST_PROCESSES = 200
MOST_MEMORY = 3 << 30

# The cell's process ends, or is of no use any more. `session` must report it and go back.
DEATHS = {
    "null pointer": "*(volatile int *)nullptr = 1;",
    "wild jump": "((void (*)())0x10)();",
    "trap": "__builtin_trap();",
    "behind the end of a file": (
        '{ int empty = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);'
        " *(volatile char *)mmap(nullptr, 4096, PROT_READ, MAP_SHARED, empty, 0); }"
    ),
    "division": "volatile int zero = 0; volatile int quotient = 77 / zero;",
    "abort": "std::abort();",
    "terminate": "std::thread([] { throw 1; }).join();",
    "exception out of noexcept": "[]() noexcept { throw 1; }();",
    "double free": "volatile auto p = new long[9]; delete[] p; delete[] p; std::abort();",
    "exit": "std::exit(3);",
    "_exit": "_exit(4);",
    "quick_exit": "std::quick_exit(5);",
    "exec": 'execl("/bin/true", "true", nullptr);',
    "file size limit": (
        "{ rlimit small{100, 100}; setrlimit(RLIMIT_FSIZE, &small); std::signal(SIGXFSZ, SIG_DFL);"
        ' int full = open("/dev/shm", O_TMPFILE | O_WRONLY, 0600); char bytes[200];'
        " for (;;) if (write(full, bytes, sizeof bytes) < 0) std::abort(); }"
    ),
    "kill -9 self": "kill(getpid(), SIGKILL);",
    "kill 0": "kill(0, SIGKILL);",
    "terminated": "std::signal(SIGTERM, SIG_DFL); raise(SIGTERM);",
    "stack overflow": (
        "int deep(volatile int n) { volatile int m = n; return n ? deep(m + 1) + m : 0; } deep(1);"
    ),
    "unmapped data": (
        "munmap((void *)((unsigned long)&counter & ~4095ul), 4096); counter = counter + 1;"
    ),
    "unmapped heap": (
        "list = new Node{1, list};"
        " munmap((void *)((unsigned long)list & ~4095ul), 4096); list->value = 2;"
    ),
    "unmapped libc": "munmap((void *)((unsigned long)&std::abort & ~4095ul), 1 << 20); abort();",
    "heap overwritten": "std::memset((char *)sbrk(0) - 60000, 0xff, 60000); std::abort();",
    "executor's data overwritten": (
        "dl_iterate_phdr([](dl_phdr_info *file, size_t, void *) {"
        " for (int n = 0; n < file->dlpi_phnum; ++n)"
        " if (auto &part = file->dlpi_phdr[n]; part.p_type == PT_LOAD && part.p_flags & PF_W)"
        " std::memset((void *)((file->dlpi_addr + part.p_vaddr + part.p_memsz) & ~4095ul), 0x7f,"
        " (file->dlpi_addr + part.p_vaddr + part.p_memsz) & 4095);"
        " return 1; }, nullptr); std::abort();"
    ),
    "executor unmapped": (
        "dl_iterate_phdr([](dl_phdr_info *file, size_t, void *) {"
        " for (int n = 0; n < file->dlpi_phnum; ++n)"
        " if (auto &part = file->dlpi_phdr[n]; part.p_type == PT_LOAD)"
        " munmap((void *)((file->dlpi_addr + part.p_vaddr) & ~4095ul), part.p_memsz);"
        " return 1; }, nullptr);"
    ),
    "handlers": (
        "for (int n = 1; n < 64; ++n) std::signal(n, SIG_IGN);"
        " sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, nullptr); _exit(6);"
    ),
    "alternate stack": (
        "{ stack_t bad{}; bad.ss_sp = (void *)16; bad.ss_size = 1 << 16;"
        " sigaltstack(&bad, nullptr); } *(volatile int *)nullptr = 1;"
    ),
    "limits": (
        "{ rlimit none{0, 0}; setrlimit(RLIMIT_NOFILE, &none); setrlimit(RLIMIT_AS, &none);"
        " setrlimit(RLIMIT_STACK, &none); } std::abort();"
    ),
    "every descriptor closed": "for (int fd = 0; fd < 4096; ++fd) close(fd);",
    "every descriptor replaced": (
        '{ int null = open("/dev/null", O_RDWR);'
        " for (int fd = 0; fd < 1024; ++fd) if (fd != null) dup2(null, fd); }"
    ),
    "garbage to every descriptor": (
        'for (int fd = 3; fd < 1024; ++fd) (void)!write(fd, "garbage garbage garbage garbage", 31);'
    ),
    "thread dies": "std::thread([] { *(volatile int *)8 = 1; }).detach(); for (;;) pause();",
    "orphans": (
        "for (int n = 0; n < 3; ++n) if (fork() == 0) { setsid(); if (fork()) _exit(0);"
        " for (;;) pause(); } std::abort();"
    ),
    "output without end": 'for (;;) std::puts("again and again and again and again");',
    "too many processes": (
        f"for (int n = 0; n < {MOST_PROCESSES * 3 // 2}; ++n) if (fork() == 0) for (;;) pause();"
        " for (;;) pause();"
    ),
    "no system calls": "prctl(PR_SET_SECCOMP, 1);",
    "no main thread": "syscall(SYS_exit, 0);",
    "a daemon": "if (daemon(0, 0)) counter = -1;",
    "supervisor stopped by the cell": "kill(getppid(), SIGSTOP); *(volatile int *)nullptr = 1;",
    "supervisor killed by the cell": "kill(getppid(), SIGKILL); for (;;) pause();",
}

# The cell does not end; it must be interrupted. It has written to `announce` before.
HANGS = {
    "endless loop": "for (volatile int n = 0;; n = 0) {}",
    "signals blocked": (
        "sigset_t all; sigfillset(&all); sigprocmask(SIG_BLOCK, &all, nullptr);"
        " for (volatile int n = 0;; n = 0) {}"
    ),
    "stopped for ever": "for (;;) raise(SIGSTOP);",
    "deadlock": "{ std::mutex m; m.lock(); m.lock(); }",
    "exec of a long-running program": 'execl("/bin/sleep", "sleep", "1000000", nullptr);',
    "exec that holds everything open": (
        "for (int fd = 3; fd < 1024; ++fd) fcntl(fd, F_SETFD, 0);"
        ' execl("/bin/sleep", "sleep", "1000000", nullptr);'
    ),
    "sleeping children": "for (;;) { if (fork() == 0) for (;;) pause(); pause(); }",
}

# Clang or the linker refuses the cell.
REFUSED = {
    "compile error": "int broken = ;",
    "type error": "numbers = 5;",
    "Clang crashes": "#pragma clang __debug crash",
    "LLVM gives up": "#pragma clang __debug llvm_fatal_error",
    "Clang's assertion": "#pragma clang __debug llvm_unreachable",
    "template without end": "template <int N> struct Deep { Deep<N + 1> next; }; Deep<0> deep;",
    "constant without end": "constexpr int spin() { for (;;) {} } constexpr int spun = spin();",
    "link error": "long nobody_defines_this(); counter = nobody_defines_this();",
}

# The cell is accepted; what it leaves behind must not matter.
HARMLESS = {
    "fork without exec": "if (fork() == 0) { for (;;) pause(); }",
    "forked child returns": "{ pid_t child = fork(); if (child) waitpid(child, nullptr, 0); }",
    "collects its children": "while (waitpid(-1, nullptr, WNOHANG) > 0) {}",
    "detached thread": "std::thread([] { for (;;) pause(); }).detach();",
    "busy thread": (
        "std::thread([] { for (;;) { delete new long[100]; usleep(100); } }).detach();"
    ),
    "stopped": "raise(SIGSTOP);",
    "full disk": (
        '{ int full = open("/dev/full", O_WRONLY); if (write(full, "x", 1) == 1) counter = -1;'
        " close(full); }"
    ),
    "memory used up": (
        "{ std::vector<void *> all; while (void *more = std::malloc(256 << 20))"
        " all.push_back(more); for (void *each : all) std::free(each); }"
    ),
    "program started": 'if (std::system("sleep 1000000 &")) counter = -1;',
    "low descriptors used": "for (int fd = 100; fd < 200; ++fd) dup2(2, fd);",
}

# What fills the disk of a few kilobytes, where there is one, and frees it again.
FILL = (
    '{{ int full = open("{0}/fill", O_CREAT | O_WRONLY | O_APPEND, 0600); static char bytes[4096];'
    " while (write(full, bytes, sizeof bytes) > 0) {{}} if (errno != ENOSPC) counter = -1;"
    " close(full); }}"
)
FREE = 'unlink("{0}/fill");'

# Something outside ends, while the session is idle or at any moment of a cell.
KILLED = ("worker", "compiler", "supervisor")
