"""Recorded conversations with LLVM 22's own programs, as golden bytes.

``clang-repl`` and ``llvm-jitlink`` spoke to farside's executor, and farside to
``llvm-jitlink-executor`` (tests/record_conversation.py). What LLVM's programs said must be
understood, and what farside would say with the same values must be the same bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from farside.orc import bootstrap, sps
from farside.orc.frames import Frame, FrameDecoder, Opcode, encode_frame

DIRECTORY = Path(__file__).parents[1] / "data" / "conversations"
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.z"))

PAIR = sps.Tuple(sps.ADDR, sps.BYTES)
ACTIONS = sps.Sequence(sps.Tuple(PAIR, PAIR))
SEGMENTS = sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64, sps.BYTES))
ADDRESSES = sps.Sequence(sps.ADDR)
SHARED = "__llvm_orc_ExecutorSharedMemoryMapperService_"
SIGNATURES: dict[str, tuple[tuple[sps.Codec[Any], ...], sps.Codec[Any]]] = {
    bootstrap.DYLIB_OPEN: ((sps.ADDR, sps.STRING, sps.U64), sps.Expected(sps.ADDR)),
    bootstrap.DYLIB_RESOLVE: (
        (sps.ADDR, sps.Sequence(sps.Tuple(sps.STRING, sps.BOOL))),
        sps.Expected(sps.Sequence(sps.Optional(sps.SYMBOL_DEF))),
    ),
    bootstrap.MEMORY_RESERVE: ((sps.ADDR, sps.U64), sps.Expected(sps.ADDR)),
    bootstrap.MEMORY_INITIALIZE: ((sps.ADDR, SEGMENTS, ACTIONS), sps.Expected(sps.ADDR)),
    bootstrap.MEMORY_RELEASE: ((sps.ADDR, ADDRESSES), sps.ERROR),
    bootstrap.RUN_AS_MAIN: ((sps.ADDR, sps.Sequence(sps.STRING)), sps.I64),
    SHARED + "Reserve": ((sps.ADDR, sps.U64), sps.Expected(sps.Tuple(sps.ADDR, sps.STRING))),
    SHARED + "Initialize": (
        (sps.ADDR, sps.ADDR, sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64)), ACTIONS),
        sps.Expected(sps.ADDR),
    ),
    SHARED + "Deinitialize": ((sps.ADDR, ADDRESSES), sps.ERROR),
}
SETUP: tuple[sps.Codec[Any], ...] = (
    sps.STRING,
    sps.U64,
    sps.Sequence(sps.Tuple(sps.STRING, sps.BYTES)),
    sps.Sequence(sps.Tuple(sps.STRING, sps.ADDR)),
)


class Said(NamedTuple):
    to_executor: bool
    frame: Frame


def conversation(name: str) -> list[Said]:
    data = zlib.decompress((DIRECTORY / f"{name}.z").read_bytes())
    found, at = [], 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 1)
        frames = FrameDecoder()
        frames.feed(data[at + 5 : at + 5 + size])
        while (frame := frames.next()) is not None:
            found.append(Said(data[at : at + 1] == b">", frame))
        assert not frames.in_message
        at += 5 + size
    return found


def calls(said: list[Said]) -> list[tuple[str, bytes, bytes]]:
    """Return name, arguments and result of the controller's calls of what was offered."""
    names = {a: n for n, a in bootstrap.decode_setup(said[0].frame.payload).symbols.items()}
    results = {
        each.frame.sequence: each.frame.payload
        for each in said
        if not each.to_executor and each.frame.opcode == Opcode.RESULT
    }
    return [
        (names[frame.tag], frame.payload, results[frame.sequence])
        for to_executor, frame in said
        if to_executor and frame.opcode == Opcode.CALL and frame.tag in names
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_frame_is_written_as_it_was_read(name: str) -> None:
    data = zlib.decompress((DIRECTORY / f"{name}.z").read_bytes())
    written = b"".join(encode_frame(*each.frame) for each in conversation(name))
    assert len(written) == len(data) - 5 * data_records(data)
    for each in conversation(name):
        assert encode_frame(*each.frame) in data


def data_records(data: bytes) -> int:
    count = at = 0
    while at < len(data):
        (size,) = struct.unpack_from("<I", data, at + 1)
        at, count = at + 5 + size, count + 1
    return count


@pytest.mark.parametrize("name", NAMES)
def test_setup_is_the_first_message_and_comes_out_the_same(name: str) -> None:
    first = conversation(name)[0]
    assert (first.to_executor, first.frame.opcode) == (False, Opcode.SETUP)
    payload = first.frame.payload
    assert sps.pack(SETUP, sps.unpack(SETUP, payload)) == payload
    assert bootstrap.decode_setup(payload).symbols.keys() >= bootstrap.STOCK_SYMBOLS


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_results_come_out_the_same(name: str) -> None:
    seen = Counter[str]()
    for function, arguments, result in calls(conversation(name)):
        signature = SIGNATURES.get(function)
        if signature is None:
            continue
        codecs, answer = signature
        assert sps.pack(codecs, sps.unpack(codecs, arguments)) == arguments
        assert sps.pack((answer,), sps.unpack((answer,), result)) == result
        seen[function] += 1
    assert seen[bootstrap.DYLIB_OPEN]
    assert seen[bootstrap.DYLIB_RESOLVE]
    if name == "clang-repl":  # with --use-shared-memory
        assert seen[SHARED + "Initialize"] > seen[SHARED + "Reserve"] > 0
    else:
        assert seen[bootstrap.MEMORY_INITIALIZE] > 0
    if name == "llvm-jitlink":
        assert seen[bootstrap.RUN_AS_MAIN] == 1


def test_llvms_executor_offers_just_what_is_known_of_it() -> None:
    setup = bootstrap.decode_setup(conversation("llvm-jitlink-executor")[0].frame.payload)
    assert setup.symbols.keys() == bootstrap.STOCK_SYMBOLS
    assert (setup.version, setup.slab, setup.triple) == (0, None, "x86_64-pc-linux-gnu")


def test_the_runtime_asks_for_initialisers_once_a_cell() -> None:
    said = conversation("llvm-jitlink-executor")
    dispatches = [e.frame for e in said if not e.to_executor and e.frame.opcode == Opcode.CALL]
    assert len({frame.tag for frame in dispatches}) == 1
    assert [frame.sequence for frame in dispatches] == list(range(len(dispatches)))
    assert {len(frame.payload) for frame in dispatches} == {8}  # the JITDylib's header
