"""Given values that no honest program sends."""

from __future__ import annotations

import os
import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import FarsideError, ProtocolError
from farside.orc import sps
from farside.remote.given import Answer, GivenMemory
from farside.result.kinds import ValueKind as Kind
from farside.result.python import to_python


def token(kind: int, payload: bytes = b"") -> bytes:
    return struct.pack("<BI", kind, len(payload)) + payload


def within(kind: int, *inner: bytes, text: bytes = b"") -> bytes:
    return token(kind, text) + b"".join(inner) + token(Kind.CLOSE)


INT = token(Kind.INT, b"\1\0\0\0")


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (b"", "where one value was due"),
        (INT + INT, "where one value was due"),
        (INT[:-1], "longer than its value"),
        (b"\1", "ends within a token"),
        (token(Kind.SEQUENCE), "where one value was due"),
        (token(Kind.CLOSE), "had not opened"),
        (token(200), "has no place"),
        (token(Kind.CUT), "has no place"),
        (token(Kind.SEQUENCE) * 300, "too deep"),
        (within(Kind.MAP, INT), "a key without a value"),
        (within(Kind.RECORD, INT), "without a name"),
        (within(Kind.RECORD, token(Kind.LABEL, b"import os"), INT), "whose name is none"),
        (within(Kind.RECORD, *[token(Kind.LABEL, b"a"), INT] * 2), "two members"),
        (within(Kind.TYPED, INT, INT), "several"),
        (within(Kind.OPAQUE, INT), "without its address"),
        (within(Kind.ENUMERATION), "no number"),
        (within(Kind.QUANTITY, INT, text=b"parsec"), "parsec"),
        (within(Kind.QUANTITY, INT, text=b"[1/0]s"), "1/0"),
        (within(Kind.DATE, INT), "date"),
        (within(Kind.BITS, token(Kind.TEXT, b"012")), "bits"),
        (within(Kind.EXCEPTION, within(Kind.RECORD)), "without its text"),
        (within(Kind.BUNDLE, INT), "BUNDLE"),
        (within(Kind.SET, within(Kind.OPAQUE, token(Kind.OBJECT, b"1"))), "an address"),
        (token(Kind.BOOL, b"\1\1"), "bool"),
        (token(Kind.DOUBLE, b"\1"), "double"),
        (token(Kind.COMPLEX, b"\1"), "complex"),
        (token(Kind.WSTRING, b"\1"), "string"),
        (token(Kind.NUMBERS, b"\1"), "without their head"),
        (token(Kind.NUMBERS, struct.pack("<BBQQ", Kind.INT, 1, 4, 2**40)), "more numbers"),
        (token(Kind.NUMBERS, struct.pack("<BBQ", Kind.INT, 0, 4)), "kind 7"),
        (token(Kind.NUMBERS, struct.pack("<BBQ", Kind.CHAR, 1, 1)), "kind 2"),
        (token(Kind.BLOCK, struct.pack("<BQQ", Kind.NUMBERS, 1, 8)), "where there is none"),
        (token(Kind.ARRAY, b"\1"), "without its head"),
        (token(Kind.ARRAY, struct.pack("<BQ", Kind.INT, 3) + b"1234"), "elements"),
    ],
)
def test_what_is_out_of_place(tree: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        to_python(Kind.TREE, tree)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_an_error(data: bytes) -> None:
    for kind in (Kind.TREE, Kind.BLOCK):
        with suppress(FarsideError):
            to_python(kind, data)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([int(each) for each in Kind]),
            st.one_of(st.binary(max_size=40), st.sampled_from([b"a", b"<B>", b"ns", b"\1" * 8])),
        ),
        max_size=12,
    )
)
def test_any_tokens_are_a_value_or_an_error(tokens: list[tuple[int, bytes]]) -> None:
    with suppress(FarsideError):
        to_python(Kind.TREE, b"".join(token(kind, payload) for kind, payload in tokens))


def test_the_name_of_a_class_that_is_no_text() -> None:
    made = to_python(Kind.TREE, within(Kind.RECORD, b"", text=b"\x85A"))
    assert type(made).__doc__ == "A copy of an object of \\x85A."


def test_what_cannot_be_a_key_is_its_text() -> None:
    opaque = within(Kind.OPAQUE, token(Kind.OBJECT, b"\1" * 8), text=b"T")
    assert to_python(Kind.TREE, within(Kind.SET, opaque)) == {"(T) @0x101010101010101"}


def ask(memory: GivenMemory, size: int) -> tuple[int, int]:
    """Return the number of a piece of memory, and the descriptor that the far side would get."""
    answer = memory.answer(sps.pack((sps.U64,), (size,)))
    if isinstance(answer, Answer):
        return sps.unpack((sps.U64,), answer.payload)[0], answer.descriptor
    return sps.unpack((sps.U64,), answer)[0], -1


def test_memory_is_what_was_asked_for() -> None:
    memory = GivenMemory()
    number, descriptor = ask(memory, 4096)
    os.pwrite(descriptor, b"x" * 4096, 0)
    with pytest.raises(OSError, match="not permitted"):
        os.ftruncate(descriptor, 0)
    os.close(descriptor)
    assert bytes(memory.take(number, 4096)) == b"x" * 4096
    for wrong in (number, 0, 99):
        with pytest.raises(ProtocolError, match="does not exist"):
            memory.take(wrong, 4096)
    number, descriptor = ask(memory, 100)
    os.close(descriptor)
    with pytest.raises(ProtocolError, match="of memory of 100"):
        memory.take(number, 101)


def test_memory_that_is_free_again_serves_the_next() -> None:
    memory = GivenMemory()
    size = 32 << 20

    def inode() -> tuple[int, int]:
        number, descriptor = ask(memory, size)
        found = os.fstat(descriptor).st_ino
        os.close(descriptor)
        return number, found

    number, first = inode()
    mapped = memory.take(number, size)
    number, second = inode()
    assert second != first  # that is still in use
    other = memory.take(number, size)
    assert len(other) == size
    del mapped
    memory.clear()
    number, third = inode()
    assert third == first
    del other
    memory.clear()
    memory.clear()  # nothing was asked for
    assert inode()[1] not in (first, second)
    memory.close()


def test_memory_has_bounds() -> None:
    memory = GivenMemory()
    assert ask(memory, 0) == (0, -1)
    assert ask(memory, 2**60) == (0, -1)
    given_out = [ask(memory, 4096) for _ in range(64)]
    assert ask(memory, 4096) == (0, -1)
    for _, descriptor in given_out:
        os.close(descriptor)
    memory.clear()
    number, descriptor = ask(memory, 4096)
    assert number > 64
    os.close(descriptor)
    memory.clear()
