"""Going back: after errors, crashes, hangs and interrupts everything is as it was."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from farside.errors import CompilerCrashed
from farside.frontend.wire import Channel, Message
from tests.contract import compiler_rig
from tests.contract.compiler_rig import Bench

ENDLESS = (
    "constexpr long spin(long n) { long s = 0; for (long i = 0; i < n; ++i) s += i; return s; }\n"
    "static_assert(spin(1000000000) != 1);"
)
ENDLESS_OPTIONS = ("-fconstexpr-steps=2147483647",)


@pytest.fixture(scope="module")
def main_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler_rig.build_main(tmp_path_factory.mktemp("main"))


@pytest.fixture
def start(tmp_path: Path, main_object: Path) -> Iterator[Callable[..., Bench]]:
    yield from compiler_rig.benches(tmp_path, main_object)


@pytest.fixture
def bench(start: Callable[..., Bench]) -> Bench:
    return start()


AS_IT_WAS = {
    "a variable": ("", "int v = 1; int bad = ;", "long v = 2;"),
    "a type": ("", "struct S { int a; }; S s = {1, 2, 3};", "class S; enum S2 {};"),
    "an overload": (
        "int f(long) { return 1; }",
        "int f(int) { return 2; } bad;",
        "static_assert(sizeof(f(1)) == 4); double f(int); static_assert(sizeof(f(1)) == 8);",
    ),
    "a macro": ("#define M 1", "#undef M\n#define M 2\nbad bad", "static_assert(M == 1);"),
    "an undefined macro": ("", "#define GONE\nbad bad", "#ifdef GONE\n#error still there\n#endif"),
    "a specialisation": (
        "template <class T> struct X { static constexpr int v = 1; };",
        "template <> struct X<int> { static constexpr int v = 2; }; bad;",
        "static_assert(X<int>::v == 1);",
    ),
    "an instantiation": (
        "template <class T> struct Y { static constexpr int v = sizeof(T); }; struct Late;",
        "struct Late { int a; }; static_assert(Y<Late>::v == 4); bad;",
        "struct Late { int a, b; }; static_assert(Y<Late>::v == 8);",
    ),
    "a using directive": (
        "namespace n { int inside = 1; }",
        "using namespace n; bad;",
        "int inside = 3; static_assert(sizeof(inside) == 4);",
    ),
    "a default argument": (
        "int g(int a, int b);",
        "int g(int a, int b = 1); bad;",
        "int g(int a, int b = 2);",
    ),
    "an enumerator": ("", "enum E { a, b }; bad;", "int a, b;"),
    "a completed class": ("struct C;", "struct C { int x; }; bad;", "struct C { double x; };"),
    "a friend": (
        "class P { int p; };",
        "bad; class Q { friend int h(); };",
        "class Q {}; double h();",
    ),
    "a pragma": (
        "",
        "#pragma pack(push, 1)\nbad",
        "struct K { char c; int i; }; static_assert(sizeof(K) == 8);",
    ),
    "an unfinished brace": ("", "int k() { if (1) {", "int k() { return 1; }"),
    "an unfinished conditional": ("", "#if 1\nint z;", "int z = 2;"),
    "an unfinished comment": ("", "int y; /* never ended", "int y = 2;"),
    "an unfinished string": ("", 'const char *s = "abc', 'const char *s = "abc";'),
    "a missing header": ("", "int w;\n#include <no/such/header>", "long w;"),
    "an #error": ("", "int w;\n#error stop", "long w;"),
    "a linkage": ("", 'extern "C" { int c(); bad bad }', "double c();"),
    "a namespace": ("", "namespace m { int q; bad }", "int m;"),
    "a template": ("", "template <class T> T tt(T); bad", "int tt;"),
    "a redefinition": ("int r = 1;", "int r = 2;", "static_assert(sizeof(r) == 4);"),
    "a concept": ("", "template <class T> concept K = true; bad", "int K;"),
}


@pytest.mark.parametrize("name", AS_IT_WAS)
def test_as_it_was_after_an_error(bench: Bench, name: str) -> None:
    before, bad, after = AS_IT_WAS[name]
    bench.cell("int x = 1;", before)
    assert bench.error(bad)
    bench.cell(after, "x")


def test_many_errors_in_a_row(bench: Bench) -> None:
    bench.cell("int x = 1;")
    for _ in range(30):
        bench.error("int y = 1; bad;")
        bench.cell("x++;")
    bench.cell("int y = 5;", "x")
    assert bench.last_value() == "7:1f000000"


def test_a_replay_gives_the_same_bytes(start: Callable[..., Bench]) -> None:
    cells = [
        "#include <string>\n#include <vector>",
        "static int s = 3; auto l = [](int a) { return a + s; };",
        "namespace { struct A { int a = l(1); }; A one; }",
        'std::vector<std::string> v{"a", "b"}; { struct L { int i; }; std::vector<L> w(3); }',
        "auto m = [] { return [](auto x) { return x; }; }();",
        "thread_local int t = s;",
    ]
    last = (
        "static int s2 = l(2) + one.a + m(4) + t; auto k = [] { static int n; return ++n; };\n"
        'v.push_back("c"); { static int z; ++z; } s2 + k()'
    )
    straight, bent = start(opt=2), start(opt=2)
    straight.cell(*cells)
    expected = straight.cell(last)
    for code in cells:
        bent.error("auto gone = [] { return 1; }; int n = gone(); bad;")
        bent.cell(code)
    bent.next_cell = straight.next_cell - 1
    numbered = [
        compiler_rig.Accepted(index + 1, each.code, each.cookie)
        for index, each in enumerate(bent.accepted)
    ]
    # Nothing sleeps that knows these numbers, so this replays all in a new process.
    bent.compiler.rollback(0, numbered)
    again = bent.compiler.compile(bent.next_cell, last)
    assert again.object == expected.object
    assert again.cookie == expected.cookie
    bent.compiler.rollback(0, numbered)
    assert bent.compiler.compile(bent.next_cell, last).object == expected.object


def test_undo_goes_back_any_number_of_cells(bench: Bench) -> None:
    for index in range(40):
        bench.cell(f"int v{index} = {index};")
    del bench.accepted[25:]
    bench.go_back()
    bench.next_cell = 41
    bench.cell("v24", "int v25 = 1;")
    assert "v26" in bench.error("v26")
    del bench.accepted[:]
    bench.go_back()
    assert "v0" in bench.error("v0")


def test_cells_can_go_from_the_middle(bench: Bench) -> None:
    bench.cell("int a = 1;", "int b = 2;", "int c = 3;")
    del bench.accepted[1]
    bench.compiler.rollback(0, bench.accepted)
    bench.next_cell = 4
    bench.cell("a + c")
    assert "b" in bench.error("b")


def test_what_was_begun_is_ended(bench: Bench) -> None:
    bench.cell("int a = 1;", "int b = 2;", "int c = 3;")
    del bench.accepted[2:]
    bench.compiler.begin_rollback(2, bench.accepted)
    assert not bench.compiler.lives
    with pytest.raises(CompilerCrashed, match="is not running"):
        bench.compiler.compile(4, "a")
    bench.compiler.rollback(2, bench.accepted)
    bench.next_cell = 4
    bench.cell("a + b")
    assert "c" in bench.error("c")


def test_what_was_begun_is_given_up_for_something_else(bench: Bench) -> None:
    bench.cell("int a = 1;", "int b = 2;", "int c = 3;")
    bench.compiler.begin_rollback(2, bench.accepted[:2])
    bench.compiler.rollback(3, bench.accepted)
    bench.next_cell = 4
    bench.cell("a + b + c")
    bench.compiler.begin_rollback(1, bench.accepted[:1])
    bench.compiler.close()
    bench.compiler.rollback(0, bench.accepted)
    bench.cell("a + b + c")


def test_who_was_asked_to_begin_is_killed(bench: Bench) -> None:
    bench.cell("int a = 1;", "int b = 2;")
    bench.error("bad bad")
    bench.go_back()
    bench.compiler.demangle(["x"])  # whoever answers has left a snapshot
    bench.compiler.begin_rollback(2, bench.accepted)
    os.kill(bench.compiler.pid, signal.SIGKILL)
    assert gone(bench.compiler.pid)
    bench.compiler.rollback(2, bench.accepted)
    bench.next_cell = 4
    bench.cell("a + b")


def test_warnings_are_not_repeated(bench: Bench) -> None:
    assert bench.cell("int f() { }").diagnostics
    bench.error("bad bad")
    assert bench.cell("int x;").diagnostics == ()


def test_killed_while_it_waits(bench: Bench) -> None:
    bench.cell("int x = 1;")
    os.kill(bench.compiler.pid, signal.SIGKILL)
    with pytest.raises(CompilerCrashed, match="The compiler was killed on cell 2"):
        bench.try_cell("x")
    bench.go_back()
    bench.cell("x")


def test_everything_killed(bench: Bench) -> None:
    bench.cell("int x = 1;")
    for _ in range(20):
        os.kill(bench.compiler.pid, signal.SIGKILL)
        with pytest.raises(CompilerCrashed):
            bench.compiler.compile(2, "x")
        bench.go_back()
    bench.cell("x")


def test_a_crash_of_clang(bench: Bench) -> None:
    bench.cell("int x = 1;")
    with pytest.raises(CompilerCrashed, match="cell 2"):
        bench.try_cell("#pragma clang __debug crash")
    bench.go_back()
    bench.cell("x")
    assert bench.last_value() == "7:01000000"


def test_a_hang_of_clang(start: Callable[..., Bench]) -> None:
    bench = start(xcc=ENDLESS_OPTIONS)
    bench.cell("int x = 1;")
    begin = monotonic()
    with pytest.raises(CompilerCrashed, match="time allowed"):
        bench.try_cell(ENDLESS, time_limit=0.2)
    assert monotonic() - begin < 60
    bench.go_back()
    bench.cell("x")


def test_an_interrupt_leaves_the_client_usable(
    start: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = start(xcc=ENDLESS_OPTIONS)
    bench.cell("int x = 1;")
    signal.setitimer(signal.ITIMER_REAL, 0.1)

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            bench.try_cell(ENDLESS)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    with pytest.raises(CompilerCrashed):
        bench.compiler.compile(3, "x")
    bench.go_back()
    bench.cell("x")


def gone(pid: int) -> bool:
    """Wait until a process has ended; it need not be a child of this one."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    import select

    ready = select.select([descriptor], [], [], 30)[0]
    os.close(descriptor)
    return bool(ready)


def test_nothing_is_left_when_the_client_closes(start: Callable[..., Bench]) -> None:
    bench = start()
    bench.cell("int x = 1;")
    pids = [bench.compiler.pid]
    for _ in range(3):
        bench.error("bad bad")
        pids.append(bench.compiler.pid)
        bench.cell("x++;")
    bench.compiler.close()
    assert all(gone(pid) for pid in pids)


def by_hand(*options: str) -> tuple[subprocess.Popen[bytes], Channel]:
    """Start a compiler without the client."""
    near, far = socket.socketpair()
    with far:
        process = subprocess.Popen(
            [str(compiler_rig.program()), f"--fd={far.fileno()}"], pass_fds=(far.fileno(),)
        )
    channel = Channel(near)
    channel.send({"op": "start", "args": [*options], "pch": None, "values": True})
    assert channel.receive().body["ok"]
    return process, channel


def test_a_busy_compiler_dies_with_its_peer() -> None:
    process, channel = by_hand(*ENDLESS_OPTIONS)
    channel.send({"op": "compile", "cell": 1, "code": ENDLESS})
    channel.close()
    assert process.wait(timeout=30) == 0


def receive(channel: Channel, key: str, value: object = None) -> Message:
    """Return the first message that has the key, with a value; others are snapshots."""
    while True:
        message = channel.receive(monotonic() + 60)
        if key in message.body and value in (None, message.body[key]):
            return message
        assert message.descriptor is not None
        os.close(message.descriptor)


def compiles(channel: Channel, cell: int, code: str) -> object:
    channel.send({"op": "compile", "cell": cell, "code": code})
    return receive(channel, "ok").body["ok"]


def snapshot_of(channel: Channel, pids: list[int]) -> Channel:
    """Return the snapshot after cell 1 that a compiler announces."""
    message = receive(channel, "after", 1)
    pids.append(message.body["pid"])
    return Channel(socket.socket(fileno=message.descriptor))


def test_an_idle_compiler_leaves_two_that_know_the_same() -> None:
    process, channel = by_hand()
    pids: list[int] = []
    assert compiles(channel, 1, "int x = 1;")
    first = snapshot_of(channel, pids)
    # Nobody has spoken to it, and it has the next in its place.
    second = snapshot_of(first, pids)
    assert compiles(channel, 2, "int y = x;")
    assert not compiles(first, 2, "int z = y;")
    assert compiles(second, 2, "int y = x;")
    for each in (channel, first, second):
        each.close()
    assert process.wait(timeout=30) == 0
    assert all(gone(pid) for pid in pids)


def test_what_a_snapshot_leaves_in_its_place_gets_ready_when_that_is_idle() -> None:
    process, channel = by_hand()
    pids: list[int] = []
    assert compiles(channel, 1, "int x = 1;")
    first = snapshot_of(channel, pids)
    second = snapshot_of(first, pids)
    assert compiles(first, 2, "int y = x;")
    # Nobody has spoken to that one either.
    third = snapshot_of(second, pids)
    assert compiles(second, 2, "int z = x;")
    assert compiles(third, 2, "int y = x, z = y;")
    for each in (channel, first, second, third):
        each.close()
    assert process.wait(timeout=30) == 0
    assert all(gone(pid) for pid in pids)


def test_a_cell_that_is_not_accepted_any_more_is_named(
    start: Callable[..., Bench], tmp_path: Path
) -> None:
    header = tmp_path / "mine.h"
    header.write_text("int from_header = 5;")
    bench = start(include_dirs=(str(tmp_path),))
    bench.cell("int before = 1;", '#include "mine.h"')
    header.write_text("int from_header = nope;")
    for _ in range(2):
        with pytest.raises(CompilerCrashed, match="Cell 2, which was accepted before"):
            bench.compiler.rollback(0, bench.accepted)
    del bench.accepted[1:]
    bench.compiler.rollback(0, bench.accepted)
    bench.cell("int after = before;")
