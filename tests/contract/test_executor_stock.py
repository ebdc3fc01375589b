"""LLVM ORC's own services, by their wrapper functions and with LLVM's own clients."""

from __future__ import annotations

import mmap
import os
import select
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from farside.orc import bootstrap, sps
from farside.orc.sps import (
    ADDR,
    BOOL,
    BYTES,
    ERROR,
    I32,
    STRING,
    U8,
    U16,
    U32,
    U64,
    Codec,
    Expected,
    Failure,
    Optional,
    Sequence,
    Tuple,
)
from tests.contract.executor_rig import PAGE, PROGRAM, Rig

CALL = Tuple(ADDR, BYTES)
ACTIONS = Sequence(Tuple(CALL, CALL))
SEGMENTS = Sequence(Tuple(U8, ADDR, U64, BYTES))
SHARED_SEGMENTS = Sequence(Tuple(U8, ADDR, U64))
NONE = (0, b"")
MEMORY = "__llvm_orc_SimpleExecutorMemoryManager_"
SHARED = "__llvm_orc_ExecutorSharedMemoryMapperService_"
ACCESS = "__llvm_orc_bootstrap_mem_"


class Stock:
    """Calls by ORC's names."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def call(
        self, name: str, codecs: tuple[Codec[Any], ...], values: tuple[Any, ...], result: Codec[Any]
    ) -> Any:
        reply = self.rig.executor.call(name, sps.pack(codecs, values))
        return sps.unpack((result,), reply)[0]

    def memory(self, name: str, codecs: tuple[Codec[Any], ...], *values: Any) -> Any:
        instance = self.rig.executor.address(MEMORY + "Instance")
        result = ERROR if name in ("deinitialize", "release") else Expected(ADDR)
        return self.call(f"{MEMORY}{name}_wrapper", (ADDR, *codecs), (instance, *values), result)

    def shared(self, name: str, codecs: tuple[Codec[Any], ...], *values: Any) -> Any:
        instance = self.rig.executor.address(SHARED + "Instance")
        results: dict[str, Codec[Any]] = {
            "Reserve": Expected(Tuple(ADDR, STRING)),
            "Initialize": Expected(ADDR),
        }
        return self.call(
            SHARED + name, (ADDR, *codecs), (instance, *values), results.get(name, ERROR)
        )

    def read(self, start: int, size: int) -> bytes:
        ranges = [sps.AddrRange(start, start + size)]
        name = bootstrap.MEM_READ_BUFFERS
        found = self.call(name, (Sequence(sps.ADDR_RANGE),), (ranges,), Sequence(BYTES))
        return bytes(found[0])

    def jitdylib(self, name: str, header: int) -> tuple[Any, Any]:
        """Return an action pair whose effect can be seen: a name can be registered only once."""
        executor = self.rig.executor
        return (
            (
                executor.address(bootstrap.REGISTER_JITDYLIB),
                sps.pack((STRING, ADDR), (name, header)),
            ),
            (executor.address(bootstrap.DEREGISTER_JITDYLIB), sps.pack((ADDR,), (header,))),
        )

    def registered(self, name: str) -> bool:
        payload = sps.pack((STRING, I32), (name, 1))
        reply = self.rig.executor.call(bootstrap.JIT_DLOPEN, payload)
        return bool(sps.unpack((ADDR,), reply)[0])


@pytest.fixture
def stock(rig: Rig) -> Stock:
    return Stock(rig)


def test_reserve_initialize_release(stock: Stock) -> None:
    base = stock.memory("reserve", (U64,), 2 * PAGE + 1)
    assert base % PAGE == 0
    segments = [
        (1, base, PAGE, b"read"),
        (5, base + PAGE, PAGE, b"\xb8\x2a\0\0\0\xc3"),
        (3, base + 2 * PAGE, 100, b""),
    ]
    actions = [stock.jitdylib("a", 16), (NONE, NONE), stock.jitdylib("b", 32)]
    assert stock.memory("initialize", (SEGMENTS, ACTIONS), segments, actions) == base
    assert stock.read(base, 6) == b"read\0\0"
    assert stock.rig.call(base + PAGE) == 42
    assert stock.registered("a")
    assert stock.memory("release", (Sequence(ADDR),), [base]) is None
    assert not stock.registered("a")
    assert not stock.registered("b")
    failure = stock.memory("release", (Sequence(ADDR),), [base])
    assert "not the base of a reservation" in failure.text


def test_reserving_nothing_and_too_much(stock: Stock) -> None:
    assert stock.memory("reserve", (U64,), 0) == 0
    assert "memory" in stock.memory("reserve", (U64,), 1 << 60).text
    assert "too large" in stock.memory("reserve", (U64,), 2**64 - 1).text


def test_initialize_checks_before_it_copies(stock: Stock) -> None:
    base = stock.memory("reserve", (U64,), 4 * PAGE)

    def refused(*segments: tuple[int, int, int, bytes]) -> str:
        result = stock.memory("initialize", (SEGMENTS, ACTIONS), segments, [])
        assert isinstance(result, Failure)
        return result.text

    assert "empty" in refused()
    assert "larger than" in refused((3, base, 4, b"12345"))
    assert "outside" in refused((3, 8, 4, b"1234"))
    assert "outside" in refused((3, base + 3 * PAGE, 2 * PAGE, b""))
    assert "wraps" in refused((3, base, 2**64 - 1, b""))
    assert stock.memory("initialize", (SEGMENTS, ACTIONS), [(3, base, PAGE, b"x")], []) == base
    assert "overlaps" in refused((3, base + 8, 8, b"y"))
    assert stock.read(base, 1) == b"x"


def test_a_failing_action_undoes_those_before_it(stock: Stock) -> None:
    base = stock.memory("reserve", (U64,), PAGE)
    actions = [stock.jitdylib("a", 16), stock.jitdylib("a", 32)]
    failure = stock.memory("initialize", (SEGMENTS, ACTIONS), [(1, base, 8, b"x")], actions)
    assert "duplicate" in failure.text
    assert not stock.registered("a")
    actions = [stock.jitdylib("a", 16)]
    assert stock.memory("initialize", (SEGMENTS, ACTIONS), [(1, base, 8, b"y")], actions) == base
    assert stock.memory("deinitialize", (Sequence(ADDR),), [base]) is None
    assert not stock.registered("a")
    assert stock.memory("deinitialize", (Sequence(ADDR),), [base]) is None
    assert "unknown" in stock.memory("deinitialize", (Sequence(ADDR),), [base + 8]).text


def test_shared_memory(stock: Stock) -> None:
    size = 16 * PAGE
    base, name = stock.shared("Reserve", (U64,), size)
    path = Path("/dev/shm") / name[1:]
    with path.open("r+b") as file:
        path.unlink()
        with mmap.mmap(file.fileno(), size) as mapping:
            mapping[:6] = b"\xb8\x07\0\0\0\xc3"
            mapping[PAGE : PAGE + 4] = b"data"
            segments = [(5, base, 6), (1, base + PAGE, 4)]
            codecs = (ADDR, SHARED_SEGMENTS, ACTIONS)
            actions = [stock.jitdylib("s", 16)]
            assert stock.shared("Initialize", codecs, base, segments, actions) == base
            assert stock.rig.call(base) == 7
            assert stock.read(base + PAGE, 4) == b"data"
            outside = [(1, base + size, 1)]
            assert "outside" in stock.shared("Initialize", codecs, base, outside, []).text
            assert "unknown" in stock.shared("Initialize", codecs, 8, [], []).text
    assert stock.shared("Deinitialize", (Sequence(ADDR),), [base]) is None
    assert not stock.registered("s")
    assert "unknown" in stock.shared("Deinitialize", (Sequence(ADDR),), [base]).text
    assert stock.shared("Release", (Sequence(ADDR),), [base]) is None
    assert "unknown" in stock.shared("Release", (Sequence(ADDR),), [base]).text


@pytest.mark.parametrize(
    ("name", "codec", "value"),
    [
        ("uint8s", U8, 0xA5),
        ("uint16s", U16, 0xA55A),
        ("uint32s", U32, 0xA55A_1234),
        ("uint64s", U64, 0xA55A_1234_5678_9ABC),
        ("pointers", ADDR, 0x7FFF_1234_5678),
    ],
)
def test_memory_access(stock: Stock, name: str, codec: Codec[int], value: int) -> None:
    base = stock.memory("reserve", (U64,), PAGE)
    writes = [(base, value), (base + 64, 1)]
    payload = sps.pack((Sequence(Tuple(ADDR, codec)),), (writes,))
    assert stock.rig.executor.call(f"{ACCESS}write_{name}_wrapper", payload) == b""
    found = stock.call(
        f"{ACCESS}read_{name}_wrapper", (Sequence(ADDR),), ([base, base + 64],), Sequence(codec)
    )
    assert found == [value, 1]


def test_buffers_and_strings(stock: Stock) -> None:
    base = stock.memory("reserve", (U64,), PAGE)
    payload = sps.pack(
        (Sequence(Tuple(ADDR, BYTES)),), ([(base, b"text\0more"), (base + 99, b"")],)
    )
    assert stock.rig.executor.call(f"{ACCESS}write_buffers_wrapper", payload) == b""
    assert stock.read(base, 9) == b"text\0more"
    assert stock.read(base, 0) == b""
    strings = stock.call(
        f"{ACCESS}read_strings_wrapper",
        (Sequence(ADDR),),
        ([base, base + 5, base + 4],),
        Sequence(STRING),
    )
    assert strings == ["text", "more", ""]


def test_run_as(stock: Stock) -> None:
    image = stock.rig.run(
        'extern "C" int twice(int n) { return 2 * n; } extern "C" int minus() { return -1; }'
    )
    name = bootstrap.RUN_AS_INT_FUNCTION
    assert stock.call(name, (ADDR, I32), (image.symbols["twice"], -21), I32) == -42
    name = bootstrap.RUN_AS_VOID_FUNCTION
    assert stock.call(name, (ADDR,), (image.symbols["minus"],), I32) == -1


def test_open_and_resolve(stock: Stock) -> None:
    executor = stock.rig.executor
    instance = executor.address(bootstrap.DYLIB_MANAGER)
    opened = (ADDR, STRING, U64)
    first = stock.call(bootstrap.DYLIB_OPEN, opened, (instance, "", 0), Expected(ADDR))
    second = stock.call(bootstrap.DYLIB_OPEN, opened, (instance, "", 0), Expected(ADDR))
    assert first != second
    failure = stock.call(bootstrap.DYLIB_OPEN, opened, (instance, "", 1), Expected(ADDR))
    assert failure == Failure("open: non-zero mode bits not yet supported")
    names = [("printf", False), ("missing", False), ("missing", True), ("", False), ("", True)]
    found = stock.call(
        bootstrap.DYLIB_RESOLVE,
        (ADDR, Sequence(Tuple(STRING, BOOL))),
        (first, names),
        Expected(Sequence(Optional(sps.SYMBOL_DEF))),
    )
    assert found[0][0] != 0
    assert found[0][1] == (0x10, 0)
    assert found[1:] == [(0, (0x10, 0)), None, None, None]


def test_debug_objects_are_listed(stock: Stock) -> None:
    payload = sps.pack((sps.ADDR_RANGE, BOOL), (sps.AddrRange(64, 128), True))
    reply = stock.rig.executor.call(bootstrap.REGISTER_DEBUG_OBJECT, payload)
    assert reply == b"\0"
    symbols = stock.rig.executor.resolve(["__jit_debug_descriptor"])
    content = stock.read(symbols["__jit_debug_descriptor"], 24)
    assert content[:8] == b"\1\0\0\0\1\0\0\0"
    entry = int.from_bytes(content[8:16], "little")
    assert stock.read(entry + 16, 16) == (64).to_bytes(8, "little") + (64).to_bytes(8, "little")


@pytest.mark.parametrize("name", sorted(bootstrap.STOCK_SYMBOLS | bootstrap.FARSIDE_SYMBOLS))
def test_malformed_arguments_have_an_empty_result(rig: Rig, name: str) -> None:
    without = {
        bootstrap.JIT_DLERROR,
        bootstrap.JIT_EXCEPTION,
        bootstrap.STATISTICS,
        bootstrap.PLATFORM_SHUTDOWN,
        bootstrap.TLS_GET_ADDR,
        bootstrap.TLSDESC,
        bootstrap.DISPATCH_FN,
        bootstrap.DISPATCH_CTX,
        bootstrap.SNAPSHOT,
        bootstrap.LOADED_LIBRARIES,
    }
    # A tag is an address that only tells calls of the far side apart.
    if name in without or name.endswith(("Instance", "_tag")):
        assert rig.executor.address(name) != 0
        return
    for payload in (b"", b"\1", b"\xff" * 7):
        assert rig.executor.call(name, payload) == b""


# --- LLVM's own clients ------------------------------------------------------------------------

CLANG_REPL = shutil.which("clang-repl-22")
JITLINK = shutil.which("llvm-jitlink-22")


def orc_runtime() -> Path:
    directory = subprocess.run(
        ["clang++-22", "-print-resource-dir"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return Path(directory) / "lib/linux/liborc_rt-x86_64.a"


CELLS = """
#include <cstdio>
#include <stdexcept>
int x = 42;
printf("%d\\n", x);
struct S { ~S() { printf("destroyed\\n"); } } s;
try { throw std::runtime_error("thrown"); } catch (std::exception &e) { printf("%s\\n", e.what()); }
thread_local int t = 3;
printf("%d\\n", t);
%quit
"""


@pytest.mark.parametrize("memory", [(), ("--use-shared-memory",)])
def test_clang_repl_runs_on_this_executor(memory: tuple[str, ...]) -> None:
    assert CLANG_REPL is not None
    done = subprocess.run(
        [CLANG_REPL, f"--oop-executor={PROGRAM}", f"--orc-runtime={orc_runtime()}", *memory],
        input=CELLS,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["42", "thrown", "3", "destroyed"]
    assert not done.stderr
    assert not [name for name in os.listdir("/dev/shm") if name.startswith("jitlink_")]


@pytest.mark.parametrize("runtime", [False, True])
def test_llvm_jitlink_runs_on_this_executor(tmp_path: Path, runtime: bool) -> None:
    assert JITLINK is not None
    source, built = tmp_path / "main.cpp", tmp_path / "main.o"
    source.write_text(
        """
        #include <cstdio>
        #include <stdexcept>
        struct S { S() { std::puts("made"); } ~S() { std::puts("gone"); } };
        int main(int argc, char **argv) {
          S s;
          for (int i = 1; i < argc; ++i) std::puts(argv[i]);
          try { throw std::runtime_error("thrown"); }
          catch (std::exception &e) { std::puts(e.what()); }
          std::fflush(stdout);
          return 5;
        }
        """
    )
    subprocess.run(["clang++-22", "-c", "-fPIC", "-o", built, source], check=True)
    command = [JITLINK, f"--oop-executor={PROGRAM}", str(built)]
    if runtime:
        command.append(f"-orc-runtime={orc_runtime()}")
    done = subprocess.run(
        [*command, "-args", "zero", "one", "two"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 5
    assert done.stdout.split() == ["made", "one", "two", "thrown", "gone"]


def test_llvm_jitlink_connects_to_a_port(tmp_path: Path) -> None:
    assert JITLINK is not None
    source, built = tmp_path / "main.c", tmp_path / "main.o"
    source.write_text(
        "#include <stdio.h>\n"
        'int main(int n, char **words) { printf("%d %s\\n", n, words[n - 1]); return fflush(0); }\n'
    )
    subprocess.run(["clang-22", "-c", "-fPIC", "-o", built, source], check=True)
    with subprocess.Popen(
        [PROGRAM, "listen=127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as executor:
        assert executor.stderr is not None
        assert executor.stdout is not None
        port = executor.stderr.readline().split()[-1]
        command = [JITLINK, f"--oop-executor-connect=127.0.0.1:{port}", str(built)]
        with subprocess.Popen([*command, "-args", "one", "two"]) as client:
            # The client has all but run the program when this is printed. It would wait for ever
            # once it has the result, because it never shuts its socket down, and is ended here.
            assert executor.stdout.readline() == "2 two\n"
            client.kill()
        # The latter where the result found nobody any more.
        assert executor.wait(20) in (0, 1)


@pytest.mark.parametrize("by", ["pipes", "socket"])
def test_a_client_that_is_killed_while_its_program_runs(by: str, tmp_path: Path) -> None:
    assert JITLINK is not None
    source, built = tmp_path / "main.c", tmp_path / "main.o"
    source.write_text(
        "#include <stdio.h>\n#include <unistd.h>\n"
        "int main(void) {\n"
        "  int child = fork();\n"
        "  if (child == 0) for (;;) pause();\n"
        '  printf("%d %d\\n", getpid(), child); fflush(0);\n'
        "  for (;;) ;\n"
        "}\n"
    )
    subprocess.run(["clang-22", "-c", "-fPIC", "-o", built, source], check=True)
    with ExitStack() as opened:
        if by == "socket":
            executor = opened.enter_context(
                subprocess.Popen(
                    [PROGRAM, "listen=127.0.0.1:0"],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            assert executor.stderr is not None
            port = executor.stderr.readline().split()[-1]
            where, output = f"--oop-executor-connect=127.0.0.1:{port}", executor.stdout
        else:
            where, output = f"--oop-executor={PROGRAM}", None
        client = opened.enter_context(
            subprocess.Popen([JITLINK, where, str(built)], stdout=subprocess.PIPE, text=True)
        )
        output = output or client.stdout
        assert output is not None
        processes = [os.pidfd_open(int(pid)) for pid in output.readline().split()]
        client.kill()
        for process in processes:
            assert select.select([process], [], [], 60)[0]
            os.close(process)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "192.0.2.1:0", "127.0.0.1", "127.0.0.1:x", ":1"])
def test_only_loopback_is_listened_on(address: str) -> None:
    done = subprocess.run(
        [PROGRAM, f"listen={address}"], capture_output=True, text=True, check=False, timeout=20
    )
    assert done.returncode == 2
    assert "listen=" in done.stderr


def test_a_symbol_that_nobody_has_is_reported_by_the_client(tmp_path: Path) -> None:
    assert JITLINK is not None
    source, built = tmp_path / "main.c", tmp_path / "main.o"
    source.write_text("int nobody_has_this(void); int main(void) { return nobody_has_this(); }\n")
    subprocess.run(["clang-22", "-c", "-fPIC", "-o", built, source], check=True)
    done = subprocess.run(
        [JITLINK, f"--oop-executor={PROGRAM}", str(built)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    assert "nobody_has_this" in done.stderr
