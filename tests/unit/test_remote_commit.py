"""The commit message against the generic codecs, and outcomes of any shape."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.orc import sps
from farside.remote.commit import (
    CommitRequest,
    RunOutcome,
    WrapperCall,
    decode_outcome,
    encode_commit,
)

CALL = sps.Tuple(sps.ADDR, sps.BYTES)
REQUEST = (
    sps.Sequence(sps.Tuple(sps.U8, sps.ADDR, sps.U64)),
    sps.Sequence(sps.Tuple(sps.ADDR, sps.BYTES)),
    sps.Sequence(sps.Tuple(CALL, CALL)),
    sps.ADDR,
    sps.BOOL,
)
OUTCOME = sps.Expected(
    sps.Tuple(
        sps.U64,
        sps.U8,
        sps.U64,
        sps.U64,
        sps.STRING,
        sps.Optional(sps.STRING),
        sps.Sequence(sps.Tuple(sps.U8, sps.BYTES)),
    )
)

ADDRESSES = st.integers(0, 2**64 - 1)
CALLS = st.builds(WrapperCall, ADDRESSES, st.binary(max_size=20))
REQUESTS = st.builds(
    CommitRequest,
    st.lists(st.tuples(st.integers(0, 7), ADDRESSES, ADDRESSES), max_size=3),
    st.lists(st.tuples(ADDRESSES, st.binary(max_size=20)), max_size=3),
    st.lists(st.tuples(CALLS, CALLS), max_size=3),
    ADDRESSES,
    st.booleans(),
)


@given(REQUESTS)
def test_the_message_is_what_the_signature_says(request: CommitRequest) -> None:
    assert encode_commit(request) == sps.pack(REQUEST, request)


def test_content_may_be_any_buffer() -> None:
    plain = encode_commit(CommitRequest(write=[(8, b"abc")]))
    for content in (bytearray(b"abc"), memoryview(b"abc")):
        assert encode_commit(CommitRequest(write=[(8, content)])) == plain


@pytest.mark.parametrize(
    "outcome",
    [
        RunOutcome(1, False, 2, 345, "", None, []),
        RunOutcome(2**64 - 1, True, 0, 0, "std::runtime_error", "boom", [(3, b"abc"), (0, b"")]),
        RunOutcome(7, True, 1, 1, "int", "", []),
    ],
)
def test_outcomes(outcome: RunOutcome) -> None:
    data = sps.pack((OUTCOME,), (tuple(outcome),))
    assert decode_outcome(data) == outcome
    for size in range(len(data)):
        with pytest.raises(ProtocolError):
            decode_outcome(data[:size])


def test_a_refusal() -> None:
    failure = sps.Failure("no room")
    assert decode_outcome(sps.pack((OUTCOME,), (failure,))) == failure


@given(st.binary(max_size=100), st.booleans())
def test_any_bytes_are_an_outcome_or_a_protocol_error(data: bytes, good: bool) -> None:
    if good:
        data = b"\1" + struct.pack("<QBQQ", 1, 0, 0, 0) + data
    try:
        decode_outcome(data)
    except ProtocolError:
        return
