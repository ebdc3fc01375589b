"""A far side that lies: what the librarian's client does not believe."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.errors import FarSideLost, ProtocolError
from farside.libraries.librarian import Librarian, printable
from farside.orc import sps
from farside.orc.frames import Opcode, encode_frame


@pytest.fixture
def ends() -> Iterator[tuple[Librarian, socket.socket]]:
    near, far = socket.socketpair()
    client = Librarian(near)
    yield client, far
    client.close()
    far.close()


def answer(far: socket.socket, payload: bytes) -> None:
    far.sendall(encode_frame(Opcode.RESULT, 0, 0, payload))


def found(path: bytes, number: int = 0, answers: int = 1) -> bytes:
    definition = sps.Sequence(sps.Tuple(sps.U32, sps.U8, sps.STRING))
    return (
        b"\0"
        + sps.pack((sps.U64, sps.BYTES, sps.STRING), (1, path, "libx.so"))
        + sps.pack((sps.U32, sps.BOOL, sps.U64), (0, True, 0))
        + sps.pack((sps.Sequence(definition),), ([[(number, 8, "")]] * answers,))
    )


def test_an_answer_that_is_sound_is_taken(ends: tuple[Librarian, socket.socket]) -> None:
    client, far = ends
    answer(far, found(b"/lib/libx.so"))
    stale, definitions = client.find(["x"])
    assert not stale
    assert definitions["x"][0].library.path == "/lib/libx.so"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\2",
        found(b"relative/libx.so"),
        found(b""),
        found(b"/lib/\0libx.so"),
        found(b"/lib/libx.so", number=1),
        found(b"/lib/libx.so", answers=2),
        found(b"/lib/libx.so", answers=0),
    ],
)
def test_an_answer_that_cannot_be_is_refused(
    ends: tuple[Librarian, socket.socket], payload: bytes
) -> None:
    client, far = ends
    answer(far, payload)
    with pytest.raises(ProtocolError):
        client.find(["x"])


@pytest.mark.parametrize(
    "message",
    [
        encode_frame(Opcode.RESULT, 7, 0, b""),
        encode_frame(Opcode.CALL, 0, 9, b""),
        encode_frame(Opcode.HANGUP, 0, 0, b""),
        b"\xff" * 32,
    ],
)
def test_a_message_that_cannot_come_is_refused(
    ends: tuple[Librarian, socket.socket], message: bytes
) -> None:
    client, far = ends
    far.sendall(message)
    with pytest.raises(ProtocolError):
        client.find(["x"])


def test_its_end_is_told(ends: tuple[Librarian, socket.socket]) -> None:
    client, far = ends
    far.close()
    with pytest.raises(FarSideLost):
        client.find(["x"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from(["scan", "find", "near"]))
def test_no_answer_does_anything_but_raise(payload: bytes, what: str) -> None:
    near, far = socket.socketpair()
    with far:
        client = Librarian(near)
        answer(far, payload)
        try:
            if what == "scan":
                client.scan([])
            elif what == "find":
                client.find(["x"])
            else:
                client.near(["x"], 3)
        except ProtocolError:
            pass
        client.close()


def test_what_is_shown_is_printable() -> None:
    assert printable("libz.so.1") == "libz.so.1"
    assert printable("\x1b[2J\nq\udcff") == "\\x1b[2J\\nq\\udcff"
