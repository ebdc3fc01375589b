"""Crash records: what a dying worker wrote, right or wrong."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.remote.record import CrashRecord, Mapping, RawFrame, decode_record

HEADER = struct.Struct("<IIiiiiiIQQQQQQQQQQIIII")
FRAME = struct.Struct("<QQII")
MAGIC = 0x68746431


def record(
    frames: int = 1,
    *,
    seen: int | None = None,
    text: bytes = b"\0libx.so\0f\0",
    prot: int = 0x80000000,
) -> bytes:
    header = HEADER.pack(
        MAGIC, 1, 7, 8, 11, 1, 0, prot, 0x10, 0x20, 0x30, 2, 14, 0x1000, 0x2000, 0x5000, 0x6000,
        frames if seen is None else seen, 1, 9, 0, len(text),
    )  # fmt: skip
    body = b"".join([FRAME.pack(100 + i, 5, 9, 1) for i in range(frames)])
    return header + body + text


def decoded(data: bytes) -> CrashRecord:
    found = decode_record(data)
    assert found is not None
    return found


def test_fields() -> None:
    found = decoded(record())
    assert (found.process, found.thread, found.signal, found.address) == (7, 8, 11, 0x10)
    assert (found.stack, found.error, found.trap) == ((0x1000, 0x2000), 2, 14)
    assert found.frames == (RawFrame(100, "libx.so", 5, "f"),)
    assert found.mapping == Mapping(0, 0, 0, None)
    assert (found.message, found.exception, found.omitted) == ("f", None, 0)


@pytest.mark.parametrize(
    ("prot", "mapping"),
    [(0x7FFFFFFF, None), (3, Mapping(0x5000, 0x6000, 3, "libx.so"))],
)
def test_mapping(prot: int, mapping: Mapping | None) -> None:
    assert decoded(record(prot=prot)).mapping == mapping


def test_the_ring_of_outermost_frames_is_put_in_order() -> None:
    found = decoded(record(128, seen=128 + 3))
    addresses = [frame.address - 100 for frame in found.frames]
    assert addresses == [*range(64), *range(67, 128), 64, 65, 66]
    assert found.omitted == 3


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 127, b"\xff" * 4096, record()[:-1], record() + b"x", record(seen=2)],
    ids=["empty", "short", "ones", "cut", "long", "fewer frames"],
)
def test_what_is_no_record(data: bytes) -> None:
    assert decode_record(data) is None


def test_names_are_printable_and_end() -> None:
    found = decoded(record(text=b"\0\x1b[31m\0\0\0x\xffy"))
    assert found.frames[0].library == "?[31m"
    assert decoded(record(text=b"\0abcdefghij")).message is None


@given(st.binary(max_size=600), st.integers(0, 2**32 - 1))
def test_any_bytes(data: bytes, word: int) -> None:
    decode_record(data)
    whole = bytearray(record(3))
    for at in range(0, min(len(data), len(whole) - 4), 7):
        struct.pack_into("<I", whole, at, word)
        decode_record(bytes(whole))
