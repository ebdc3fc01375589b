"""Thread-local variables of cells, objects and JITDylibs, on every thread."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from farside.errors import LinkError
from farside.loading import add_object
from farside.options import Options
from farside.session import Session
from tests.platform.conftest import Build

# A pool whose threads run jobs of later cells, one job on each thread at a time.
POOL = """
#include <condition_variable>
#include <cstdio>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
struct Pool {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable changed;
  std::function<void(int)> job;
  int generation = 0, left = 0;
  bool ended = false;
  void add() {
    int number = threads.size(), seen = generation;
    threads.emplace_back([this, number, seen]() mutable {
      std::unique_lock lock(mutex);
      for (;;) {
        changed.wait(lock, [&] { return ended || generation != seen; });
        if (ended) return;
        seen = generation;
        auto now = job;
        lock.unlock();
        now(number);
        lock.lock();
        if (--left == 0) changed.notify_all();
      }
    });
  }
  void each(std::function<void(int)> what) {
    std::unique_lock lock(mutex);
    job = what;
    left = threads.size();
    ++generation;
    changed.notify_all();
    changed.wait(lock, [&] { return left == 0; });
  }
  void end() {
    { std::lock_guard lock(mutex); ended = true; }
    changed.notify_all();
    for (auto &thread : threads) thread.join();
    threads.clear();
  }
  ~Pool() { end(); }
};
"""


def text(session: Session, code: str) -> str:
    value = session.run(code).value
    assert value is not None
    return value.text


def test_a_pool_that_lives_across_cells(session: Session) -> None:
    session.run(POOL)
    session.run("Pool pool; pool.add(); pool.add();")
    session.run("#include <atomic>\nstd::atomic<int> made, gone, wrong;")
    # Declared after two threads have started.
    session.run(
        """
        struct Counted { int v = 7; Counted() { ++made; } ~Counted() { ++gone; } };
        thread_local int initial = 41;
        thread_local int zeros[1000];
        thread_local Counted counted;
        struct alignas(256) Wide { char c[256]; };
        thread_local Wide wide;
        thread_local std::string name = "thread";
        """
    )
    session.run("pool.add();")
    session.run(
        """
        auto use = [](int n) {
          wrong += initial != 41; wrong += zeros[999] != 0; wrong += counted.v != 7;
          wrong += (uintptr_t)&wide % 256 != 0; wrong += name != "thread";
          initial += n; zeros[999] = n; counted.v = n; name += std::to_string(n);
        };
        pool.each(use);
        """
    )
    assert text(session, "made.load() * 100 + gone * 10 + wrong") == "300"
    session.run(
        """
        pool.each([](int n) {
          wrong += initial != 41 + n; wrong += zeros[999] != n; wrong += counted.v != n;
          wrong += name != "thread" + std::to_string(n);
        });
        """
    )
    assert text(session, "wrong.load()") == "0"
    assert text(session, "initial") == "41"  # the main thread's own
    session.run("pool.end();")
    assert text(session, "made.load() * 10 + gone") == "33"
    assert text(session, "counted.v + made") == "11"


OBJECT = """
__thread int start = 5;
__thread char zero[300];
__thread long aligned __attribute__((aligned(64))) = 9;
int *address(void) { return &start; }
int check(void) {
  int wrong = (start != 5) + (zero[299] != 0) * 10 + (aligned != 9) * 100
              + ((unsigned long)&aligned % 64 != 0) * 1000;
  start++; zero[299]++; aligned++;
  return wrong;
}
"""
FLAGS = [
    ("clang-22", "-fPIC"),
    ("gcc", "-fPIC"),
    ("clang-22", "-fPIC", "-O2", "-mtls-dialect=gnu2"),
    ("gcc", "-fPIC", "-O2", "-mtls-dialect=gnu2"),
    ("gcc", "-fPIC", "-ftls-model=local-dynamic"),
    ("gcc", "-fPIE", "-ftls-model=local-exec"),
    ("clang-22", "-fPIC", "-ftls-model=initial-exec"),
]


@pytest.mark.parametrize("how", FLAGS, ids=" ".join)
def test_objects_of_every_access_model(
    session: Session, build: Build, how: tuple[str, ...]
) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(build(OBJECT, *how[1:], compiler=how[0]))
    session.jitdylib("main").link_order = [lib]
    session.run('#include <thread>\nextern "C" { int check(); int *address(); }')
    session.run("int mine = check(); int theirs = -1;")
    session.run("std::thread([] { theirs = check() + (address() == nullptr); }).join();")
    assert text(session, "mine * 10000 + theirs") == "0"
    assert text(session, "check()") == "111"
    assert text(session, "*address()") == "7"


@pytest.mark.parametrize("how", FLAGS, ids=" ".join)
def test_threads_that_ran_before_the_object_came(
    session: Session, build: Build, how: tuple[str, ...]
) -> None:
    session.run(POOL + "Pool pool;")
    session.run("pool.add(); pool.add(); int results[2] = {-1, -1};")
    lib = session.jitdylib("lib")
    lib.add_object(build(OBJECT, *how[1:], compiler=how[0]))
    session.jitdylib("main").link_order = [lib]
    session.run('extern "C" int check();')
    session.run("pool.each([](int n) { results[n] = check(); });")
    assert text(session, "results[0] * 10000 + results[1]") == "0"


def test_variables_of_one_cell_in_the_next(session: Session) -> None:
    session.run("#include <thread>\nthread_local int shared = 3;")
    session.run("int seen = 0; std::thread t([] { seen = ++shared; }); t.join();")
    assert text(session, "seen * 10 + shared") == "43"


def test_a_destructor_belongs_to_the_variable_s_cell() -> None:
    # Without kept states undo takes the cells' code and handlers back one by one.
    with Session(Options(output="capture", snapshots=0)) as session:
        session.run('#include <cstdio>\nstruct T { int v = 1; ~T() { printf("gone "); } };')
        session.run("thread_local T local; T &single() { static T only; return only; }")
        session.run("int used = local.v + single().v;")  # this cell's code constructs both
        session.undo()
        assert session.run("local.v + single().v;").stdout == ""
        session.undo(2)
        assert session.take_output()[0] == "gone gone "


@pytest.mark.parametrize("how", FLAGS, ids=" ".join)
def test_a_re_opened_jitdylib_has_initial_values_in_every_thread(
    session: Session, build: Build, how: tuple[str, ...]
) -> None:
    session.run(POOL + "Pool pool;")
    session.run("pool.add(); int seen[1] = {-1};")
    lib = session.jitdylib("lib")
    lib.add_object(build(OBJECT, *how[1:], compiler=how[0]))
    session.jitdylib("main").link_order = [lib]
    lib.open()
    session.run('extern "C" int check();')
    session.run("check(); pool.each([](int n) { check(); });")
    lib.close()
    lib.open()
    session.run("pool.each([](int n) { seen[n] = check(); });")
    assert text(session, "seen[0] * 10000 + check()") == "0"


@pytest.mark.parametrize("snapshots", [0, 10])
def test_the_static_pool_is_used_again(build: Build, snapshots: int) -> None:
    source = "__thread char big[9000] = {1}; int first(void) { return big[0]++ + big[8999]++; }"
    flags = ("-fPIC", "-ftls-model=initial-exec")
    with Session(Options(output="capture", snapshots=snapshots)) as session:
        for round_ in range(4):
            path = build(source, *flags, compiler="gcc")
            session.run(f"int cell{round_};")
            add_object(session._execution, path, "main")
            session.run('extern "C" int first(); int got = first();')
            assert text(session, "got") == "1"
            assert session.statistics().far_side["static_images"] == 1
            with pytest.raises(LinkError, match="no room for its 9000 bytes"):
                session.jitdylib("more").add_object(path)
            session.undo(2)
            session._execution.remove(path)
            session.undo()
        assert session.statistics().far_side["static_images"] == 0


def test_c11_threads_have_initial_values(session: Session, build: Build) -> None:
    session.run(
        """
        #include <atomic>
        #include <threads.h>
        std::atomic<int (*)()> job{nullptr};
        thrd_t early;
        int body(void *) { while (!job) thrd_yield(); return job.load()(); }
        int made = thrd_create(&early, body, nullptr);
        """
    )
    session.load(build(OBJECT, "-fPIE", "-ftls-model=local-exec", compiler="gcc"))
    session.run('extern "C" int check(); int one = -1, two = -1; thrd_t late;')
    session.run("job = check; thrd_create(&late, body, nullptr);")
    session.run("thrd_join(early, &one); thrd_join(late, &two);")
    assert text(session, "made * 100 + one * 10 + two") == "0"


def test_variables_of_loaded_libraries(session: Session, build: Build, tmp_path: Path) -> None:
    (tmp_path / "lib.cpp").write_text(
        """
        #include <string>
        thread_local int number = 5;
        thread_local std::string words = "abc";
        extern "C" int next() { return ++number; }
        """
    )
    library = tmp_path / "libthreads.so"
    command = ["g++", "-shared", "-fPIC", str(tmp_path / "lib.cpp"), "-o", str(library)]
    subprocess.run(command, check=True)
    session.load(str(library))
    session.run("#include <string>\n#include <thread>")
    session.run("extern thread_local int number; extern thread_local std::string words;")
    session.run('extern "C" int next(); int theirs = 0;')
    session.run("number = 50; std::thread([] { theirs = number++ * 10 + next(); }).join();")
    assert text(session, "theirs * 1000 + next()") == "57051"
    session.run('words += "!"; std::thread([] { theirs = words.size(); }).join();')
    assert text(session, "words") == '"abc!"'
    assert text(session, "theirs") == "3"
    source = "extern __thread int number; int {0}(void) {{ return number++; }}"
    descriptor = ("-fPIC", "-mtls-dialect=gnu2")
    session.load(build(source.format("described"), *descriptor, compiler="gcc"))
    session.run('extern "C" int described();')
    assert text(session, "described() * 100 + number") == "5152"
    with pytest.raises(LinkError, match="storage that each thread allocates"):
        session.load(build(source.format("fixed"), "-ftls-model=initial-exec", compiler="gcc"))
