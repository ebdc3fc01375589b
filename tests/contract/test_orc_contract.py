"""What every ORC executor does: farside's own without its supervisor, LLVM's, and the double."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farside.errors import RemoteError
from farside.orc import bootstrap, sps
from farside.orc.frames import FrameDecoder, Opcode, encode_frame
from farside.remote.executor import Executor
from farside.remote.spawn import Spawned
from tests.contract.executor_rig import PROGRAM
from tests.far_sides import STOCK

PAGE = 4096
ROOT = Path(__file__).parents[2]
PROGRAMS = {
    "farside": [str(PROGRAM)],
    "llvm": [str(STOCK)],
    "double": [sys.executable, "-m", "tests.doubles.executor"],
}
ACTIONS = sps.Sequence(sps.Tuple(sps.Tuple(sps.ADDR, sps.BYTES), sps.Tuple(sps.ADDR, sps.BYTES)))
SEGMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64, sps.BYTES))
RETURN_42 = b"\xb8\x2a\0\0\0\xc3"  # mov $42,%eax; ret
RETURN_ARGC = b"\x89\xf8\xc3"  # mov %edi,%eax; ret


class Plain(Executor):
    """An executor without supervisor, whatever it says of itself."""

    @property
    def is_native(self) -> bool:
        return False


@pytest.fixture(params=PROGRAMS)
def started(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[bytes], Spawned]]:
    near, far = socket.socketpair()
    with near, far:
        with far.dup() as other:
            both = [far.fileno(), other.fileno()]
            words = [*PROGRAMS[request.param], f"filedescs={both[0]},{both[1]}"]
            process = subprocess.Popen(words, pass_fds=both, cwd=ROOT)
        far.close()
        yield process, Spawned(0, near, None, None, None)
        near.close()
        process.wait(20)


@pytest.fixture
def executor(started: tuple[subprocess.Popen[bytes], Spawned]) -> Executor:
    made = Plain(started[1])
    made.wait_ready()
    return made


def memory(executor: Executor, name: str, codecs: tuple[sps.Codec[Any], ...], *values: Any) -> Any:
    payload = sps.pack((sps.ADDR, *codecs), (executor.address(bootstrap.MEMORY_MANAGER), *values))
    result = sps.ERROR if name == bootstrap.MEMORY_RELEASE else sps.Expected(sps.ADDR)
    return sps.unpack((result,), executor.call(name, payload))[0]


def place(executor: Executor, code: bytes) -> int:
    base = memory(executor, bootstrap.MEMORY_RESERVE, (sps.U64,), PAGE)
    segments = [(5, base, PAGE, code)]
    codecs = (SEGMENTS, ACTIONS)
    assert memory(executor, bootstrap.MEMORY_INITIALIZE, codecs, segments, []) == base
    return int(base)


def is_llvms(process: subprocess.Popen[bytes]) -> bool:
    return isinstance(process.args, list) and process.args[0] == str(STOCK)


def test_setup(executor: Executor) -> None:
    setup = executor.setup
    assert setup.triple.startswith("x86_64")
    assert setup.page_size == PAGE
    assert 0 not in [setup.symbols[name] for name in (bootstrap.DISPATCH_FN, bootstrap.DYLIB_OPEN)]


def test_code_is_placed_called_and_released(executor: Executor) -> None:
    base = place(executor, RETURN_42)
    payload = sps.pack((sps.ADDR, sps.I32), (base, 7))
    reply = executor.call(bootstrap.RUN_AS_INT_FUNCTION, payload)
    assert sps.unpack((sps.I32,), reply) == (42,)
    reply = executor.call(bootstrap.RUN_AS_VOID_FUNCTION, sps.pack((sps.ADDR,), (base,)))
    assert sps.unpack((sps.I32,), reply) == (42,)
    bases = sps.Sequence(sps.ADDR)
    assert memory(executor, bootstrap.MEMORY_RELEASE, (bases,), [base]) is None
    assert isinstance(memory(executor, bootstrap.MEMORY_RELEASE, (bases,), [base]), sps.Failure)


def test_main_gets_its_arguments(executor: Executor) -> None:
    base = place(executor, RETURN_ARGC)
    assert executor.run_main(base, ["program", "one", "two"]) == 3
    assert executor.run_main(base, []) == 0


def test_errors_of_memory(executor: Executor) -> None:
    codecs = (SEGMENTS, ACTIONS)
    failure = memory(executor, bootstrap.MEMORY_INITIALIZE, codecs, [], [])
    assert isinstance(failure, sps.Failure)
    base = memory(executor, bootstrap.MEMORY_RESERVE, (sps.U64,), PAGE)
    again = [(3, base, PAGE, b"y")]
    assert memory(executor, bootstrap.MEMORY_INITIALIZE, codecs, again, []) == base
    assert isinstance(memory(executor, bootstrap.MEMORY_INITIALIZE, codecs, again, []), sps.Failure)
    assert memory(executor, bootstrap.MEMORY_RESERVE, (sps.U64,), 0) == 0
    assert isinstance(memory(executor, bootstrap.MEMORY_RESERVE, (sps.U64,), 1 << 60), sps.Failure)


def test_memory_is_read_and_written(executor: Executor) -> None:
    base = memory(executor, bootstrap.MEMORY_RESERVE, (sps.U64,), PAGE)
    writes = sps.pack(
        (sps.Sequence(sps.Tuple(sps.ADDR, sps.BYTES)),), ([(base, b"text"), (base + 9, b"")],)
    )
    assert executor.call("__llvm_orc_bootstrap_mem_write_buffers_wrapper", writes) == b""
    ranges = sps.pack((sps.Sequence(sps.ADDR_RANGE),), ([sps.AddrRange(base, base + 6)],))
    reply = executor.call(bootstrap.MEM_READ_BUFFERS, ranges)
    assert sps.unpack((sps.Sequence(sps.BYTES),), reply) == ([b"text\0\0"],)


def test_libraries(executor: Executor) -> None:
    found = executor.resolve(["malloc", "there_is_no_such_function"])
    assert found["malloc"] > PAGE
    assert "there_is_no_such_function" not in found
    libm = executor.open_library("libm.so.6")
    assert executor.resolve(["cos"], libm)["cos"] > PAGE
    with pytest.raises(RemoteError, match=r"no-such-library"):
        executor.open_library("/no-such-library.so")


@pytest.mark.parametrize("name", [bootstrap.MEMORY_RESERVE, bootstrap.DYLIB_OPEN])
def test_malformed_arguments_have_an_empty_result(executor: Executor, name: str) -> None:
    assert executor.call(name, b"\1\2\3") == b""


def test_results_carry_the_number_of_their_call(
    started: tuple[subprocess.Popen[bytes], Spawned],
) -> None:
    near = started[1].data
    frames = FrameDecoder()

    def next_frame() -> Any:
        while (frame := frames.next()) is None:
            frames.feed(near.recv(65536))
        return frame

    setup = next_frame()
    assert (setup.opcode, setup.sequence, setup.tag) == (Opcode.SETUP, 0, 0)
    reserve = bootstrap.decode_setup(setup.payload).symbols[bootstrap.MEMORY_RESERVE]
    for number in (0, 7, 7, 1 << 60):
        near.sendall(encode_frame(Opcode.CALL, number, reserve, b""))
        result = next_frame()
        assert (result.opcode, result.sequence, result.tag) == (Opcode.RESULT, number, 0)
        assert result.payload == b""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", 0),
        (encode_frame(Opcode.HANGUP, 0, 0, b"\0"), 0),
        (b"\x20", 1),
        (b"\x1f" + bytes(31), 1),
        (encode_frame(4, 0, 0), 1),
        (encode_frame(Opcode.SETUP, 0, 0), 1),
        (encode_frame(Opcode.RESULT, 99, 0), 1),
    ],
    ids=["end", "hangup", "cut", "short", "opcode", "setup", "result"],
)
def test_how_it_ends(
    started: tuple[subprocess.Popen[bytes], Spawned], sent: bytes, status: int
) -> None:
    process, spawned = started
    spawned.data.sendall(sent)
    spawned.data.shutdown(socket.SHUT_WR)
    ended_well = process.wait(20) == 0
    # LLVM's returns 1 at times when the connection ends while it listens.
    assert ended_well == (status == 0) or (is_llvms(process) and not ended_well)
