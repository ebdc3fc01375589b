"""SPS: golden bytes, round trips, and decoding of anything at all."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.orc import sps
from farside.orc.sps import Codec, Failure

GOLDEN: list[tuple[Codec[Any], Any, str]] = [
    (sps.BOOL, True, "01"),
    (sps.U8, 255, "ff"),
    (sps.U16, 0x1234, "3412"),
    (sps.U32, 1, "01000000"),
    (sps.I32, -2, "feffffff"),
    (sps.U64, 0x1000, "0010000000000000"),
    (sps.I64, -16448, "c0bfffffffffffff"),
    (sps.STRING, "main", "0400000000000000 6d61696e"),
    (sps.STRING, "", "0000000000000000"),
    (sps.BYTES, b"\0\1", "0200000000000000 0001"),
    (sps.Sequence(sps.U8), [1, 2], "0200000000000000 0102"),
    (sps.Tuple(sps.U8, sps.U16), (1, 2), "01 0200"),
    (sps.Optional(sps.U8), None, "00"),
    (sps.Optional(sps.U8), 7, "01 07"),
    # Error and Expected have opposite polarity.
    (sps.ERROR, None, "00"),
    (sps.ERROR, Failure("no"), "01 0200000000000000 6e6f"),
    (sps.Expected(sps.U8), 7, "01 07"),
    (sps.Expected(sps.U8), Failure("no"), "00 0200000000000000 6e6f"),
    (sps.ADDR_RANGE, sps.AddrRange(1, 2), "0100000000000000 0200000000000000"),
    (sps.SYMBOL_DEF, (0x7F8E580B7000, (0x10, 0)), "00700b588e7f0000 10 00"),
    # Captured from LLVM 22: the result of reserve(0x1000), and push_initializers' reply.
    (sps.Expected(sps.ADDR), 0x7F8E66D6F000, "01 00f0d6668e7f0000"),
    (
        sps.Expected(sps.Sequence(sps.Tuple(sps.ADDR, sps.Sequence(sps.ADDR)))),
        [(0x10, [0x20]), (0x20, [])],
        "01 0200000000000000 1000000000000000 0100000000000000 2000000000000000"
        "2000000000000000 0000000000000000",
    ),
]


@pytest.mark.parametrize(("codec", "value", "text"), GOLDEN)
def test_golden(codec: Codec[Any], value: Any, text: str) -> None:
    data = bytes.fromhex(text)
    assert sps.pack((codec,), (value,)) == data
    assert sps.unpack((codec,), data) == (value,)
    assert sps.unpack((codec,), data + b"ignored") == (value,)


@pytest.mark.parametrize(("codec", "value", "text"), GOLDEN)
def test_every_truncation_is_a_protocol_error(codec: Codec[Any], value: Any, text: str) -> None:
    data = bytes.fromhex(text)
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            sps.unpack((codec,), data[:size])


def typed_values() -> st.SearchStrategy[tuple[Codec[Any], Any]]:
    """Return pairs of a codec, however deep, and a value that it takes."""
    integers = [
        st.tuples(st.just(codec), st.integers(low, high))
        for codec, low, high in (
            (sps.U8, 0, 2**8 - 1),
            (sps.U16, 0, 2**16 - 1),
            (sps.U32, 0, 2**32 - 1),
            (sps.U64, 0, 2**64 - 1),
            (sps.I8, -(2**7), 2**7 - 1),
            (sps.I16, -(2**15), 2**15 - 1),
            (sps.I32, -(2**31), 2**31 - 1),
            (sps.I64, -(2**63), 2**63 - 1),
        )
    ]
    text = st.text(st.characters(exclude_categories=["Cs"]))
    simple: st.SearchStrategy[tuple[Codec[Any], Any]] = st.one_of(
        *integers,
        st.tuples(st.just(sps.BOOL), st.booleans()),
        st.tuples(st.just(sps.STRING), text),
        st.tuples(st.just(sps.BYTES), st.binary()),
        st.tuples(st.just(sps.ERROR), st.one_of(st.none(), text.map(Failure))),
    )

    def deeper(inner: st.SearchStrategy[tuple[Codec[Any], Any]]) -> Any:
        return st.one_of(
            st.tuples(inner, st.integers(0, 3)).map(
                lambda pair: (sps.Sequence(pair[0][0]), [pair[0][1]] * pair[1])
            ),
            st.lists(inner, min_size=1, max_size=3).map(
                lambda pairs: (sps.Tuple(*(c for c, _ in pairs)), tuple(v for _, v in pairs))
            ),
            inner.filter(lambda pair: pair[1] is not None).map(
                lambda pair: (sps.Optional(pair[0]), pair[1])
            ),
            inner.filter(lambda pair: not isinstance(pair[1], Failure)).map(
                lambda pair: (sps.Expected(pair[0]), pair[1])
            ),
            st.tuples(inner, text).map(lambda pair: (sps.Expected(pair[0][0]), Failure(pair[1]))),
        )

    return st.recursive(simple, deeper, max_leaves=8)


@given(st.lists(typed_values(), max_size=4))
def test_round_trip(pairs: list[tuple[Codec[Any], Any]]) -> None:
    codecs = [codec for codec, _ in pairs]
    values = tuple(value for _, value in pairs)
    data = sps.pack(codecs, values)
    assert sps.unpack(codecs, data) == values
    assert len(data) >= sum(codec.smallest for codec in codecs)


@given(typed_values(), st.binary(max_size=60))
def test_any_bytes_decode_or_are_a_protocol_error(
    pair: tuple[Codec[Any], Any], data: bytes
) -> None:
    try:
        (value,) = sps.unpack((pair[0],), data)
    except ProtocolError:
        return
    assert sps.pack((pair[0],), (value,)) is not None


@pytest.mark.parametrize("count", [2**64 - 1, 2**61, 10**12, 10**7])
def test_a_count_costs_nothing_before_it_is_checked(count: int) -> None:
    tracemalloc.start()
    for codec in (sps.BYTES, sps.STRING, sps.Sequence(sps.U64), sps.Sequence(sps.U8)):
        with pytest.raises(ProtocolError):
            sps.unpack((codec,), struct.pack("<Q", count) + bytes(50))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_text_that_is_no_utf8_stays_readable() -> None:
    data = struct.pack("<Q", 3) + b"a\xffb"
    assert sps.unpack((sps.STRING,), data) == ("a\\xffb",)


def test_text_from_file_names_goes_out_as_it_was() -> None:
    assert sps.pack((sps.STRING,), (b"/tmp/\xff".decode("utf-8", "surrogateescape"),))[8:] == (
        b"/tmp/\xff"
    )
