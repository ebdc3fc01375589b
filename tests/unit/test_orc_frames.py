"""EPC frames: golden bytes, any cut of the stream, malformed headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.orc.frames import HEADER, Frame, FrameDecoder, Opcode, encode_frame

# Captured from LLVM 22: open("") of the process itself.
OPEN = bytes.fromhex(
    "3800000000000000 0300000000000000 0000000000000000 80a71f5555550000"
    "1032765555550000 0000000000000000 0000000000000000"
)


def test_golden() -> None:
    assert encode_frame(Opcode.CALL, 0, 0x5555551FA780, OPEN[32:]) == OPEN
    decoder = FrameDecoder()
    decoder.feed(OPEN)
    assert decoder.next() == Frame(Opcode.CALL, 0, 0x5555551FA780, OPEN[32:])
    assert decoder.next() is None
    assert not decoder.in_message


def test_a_frame_that_comes_by_itself() -> None:
    decoder = FrameDecoder()
    assert decoder.whole(OPEN) == Frame(Opcode.CALL, 0, 0x5555551FA780, OPEN[32:])
    for other in (b"", OPEN[:31], OPEN[:-1], OPEN + OPEN[:1], OPEN + OPEN):
        assert decoder.whole(other) is None
    with pytest.raises(ProtocolError, match="unknown opcode 4"):
        decoder.whole(HEADER.pack(HEADER.size, 4, 0, 0))
    decoder.feed(OPEN[:1])
    assert decoder.whole(OPEN) is None


FRAMES = st.builds(
    Frame,
    st.just(int(Opcode.CALL)),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(),
)


@given(st.lists(FRAMES, max_size=5), st.lists(st.integers(1, 70)))
def test_any_cut_of_a_stream_gives_the_same_frames(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(encode_frame(*frame) for frame in frames)
    decoder = FrameDecoder()
    found = []
    while stream:
        size = cuts.pop() if cuts else len(stream)
        decoder.feed(stream[:size])
        stream = stream[size:]
        while (frame := decoder.next()) is not None:
            found.append(frame)
    assert found == frames
    assert not decoder.in_message


@pytest.mark.parametrize(
    "header",
    [
        (0, 3, 0, 0),
        (31, 3, 0, 0),
        (1001, 3, 0, 0),
        (2**64 - 1, 3, 0, 0),
        (32, 4, 0, 0),
        (32, 2**63, 0, 0),
        (32, 2, 0, 1),
        (32, 0, 0, 1),
        (32, 1, 0, 1),
    ],
)
def test_a_header_that_is_not_allowed(header: tuple[int, int, int, int]) -> None:
    decoder = FrameDecoder(max_message=1000)
    decoder.feed(HEADER.pack(*header))
    with pytest.raises(ProtocolError):
        decoder.next()


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_any_bytes_are_frames_or_a_protocol_error(parts: list[bytes]) -> None:
    decoder = FrameDecoder()
    for part in parts:
        decoder.feed(part)
        try:
            while decoder.next() is not None:
                pass
        except ProtocolError:
            return
