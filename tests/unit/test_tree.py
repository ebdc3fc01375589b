"""Trees of tokens: well-formed ones, and whatever else may come from the far side."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.result.bundle import Display, decode_display
from farside.result.kinds import ValueKind as K
from farside.result.tree import MAX_DEPTH
from farside.result.value import STRING_LIMIT, Value, decode_value


def token(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<BI", kind, len(data)) + data


def number(value: int) -> bytes:
    return token(K.INT, value.to_bytes(4, "little", signed=True))


def labelled(name: str, value: bytes) -> bytes:
    return token(K.LABEL, name.encode()) + value


def opened(kind: int, *parts: bytes, text: str = "") -> bytes:
    return token(kind, text.encode()) + b"".join(parts) + token(K.CLOSE)


def count(value: int) -> bytes:
    return token(K.COUNT, struct.pack("<Q", value))


def text_of(tree: bytes) -> str:
    value = decode_value(K.TREE, tree, "T")
    assert value is not None
    return value.text


TREES = [
    (number(3), "3"),
    (opened(K.SEQUENCE), "{}"),
    (opened(K.SEQUENCE, number(1), number(2)), "{ 1, 2 }"),
    (opened(K.SEQUENCE, count(9), number(1), token(K.CUT)), "{ 1, … 8 more }"),
    (opened(K.SEQUENCE, number(1), token(K.CUT)), "{ 1, … }"),
    (opened(K.MAP, number(1), number(2)), "{ 1 => 2 }"),
    (opened(K.MAP, number(1)), "{}"),
    (opened(K.RECORD, labelled("a", number(1))), "{ a = 1 }"),
    (opened(K.TYPED, number(1), text="int"), "(int) 1"),
    (opened(K.QUANTITY, number(1), text="ms"), "1ms"),
    (opened(K.OPTIONAL, text="nullopt"), "nullopt"),
    (opened(K.OPTIONAL, token(K.TEXT, b"a"), token(K.TEXT, b"b")), "ab"),
    (opened(K.UNEXPECTED, number(1)), "unexpected 1"),
    (opened(K.POINTEE, token(K.POINTER, b"\x10" + b"\0" * 7), number(1)), "0x10 -> 1"),
    (token(K.SEQUENCE) + number(1), "{ 1 }"),
    (token(K.SEQUENCE) + number(1) + token(K.ERROR, b"crashed"), "{ 1, … } <display crashed>"),
    (token(K.ERROR, b"crashed"), "<display crashed>"),
    (b"", "<display is empty>"),
    (token(K.TEXT, b"\x1b[31mred\n"), "\\x1b[31mred\n"),
    (labelled("\x1b", number(1)), "1"),
    (token(K.CYCLE), "(cycle)"),
    (token(K.STRING16, "é".encode("utf-16-le")), 'u"é"'),
    (token(K.STRING16, b"\x00\xd8"), 'u"\\xd800"'),
    (
        opened(K.SEQUENCE, token(K.ARRAY, struct.pack("<BQhh", K.INT, 2, 1, -2))),
        "{ 1, -2 }",
    ),
]

MALFORMED = [
    b"\x07",
    token(K.INT, b"1234")[:-1],
    token(199),
    token(K.NONE),
    token(K.TREE),
    token(K.CLOSE),
    token(K.INT),
    token(K.INT, b"x" * 1025),
    token(K.COUNT, b"1"),
    token(K.ARRAY, b"1"),
    token(K.ARRAY, struct.pack("<BQ", K.INT, 0)),
    token(K.ARRAY, struct.pack("<BQ", K.INT, 4) + b"123"),
    token(K.ARRAY, struct.pack("<BQ", K.SEQUENCE, 1) + b"1"),
    token(K.ARRAY, struct.pack("<BQ", 255, 1) + b"1"),
    token(K.METHOD, b"1"),
    token(K.TIME, b"1"),
    token(K.UNREADABLE, b"1"),
    token(K.STRING16, b"1"),
    token(K.STRING, b"x" * (STRING_LIMIT + 2)),
    token(K.SEQUENCE) * (MAX_DEPTH + 1),
    number(1) + number(2),
]


@pytest.mark.parametrize(("tree", "text"), TREES)
def test_text(tree: bytes, text: str) -> None:
    assert text_of(tree) == text


@pytest.mark.parametrize("tree", MALFORMED)
def test_malformed(tree: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_value(K.TREE, tree, "T")


def test_a_single_plain_value_keeps_its_python_form() -> None:
    value = decode_value(K.TREE, token(K.STRING, b"abc"), "std::string")
    assert value is not None
    assert (value.kind, value.text, value.python) == (K.STRING, '"abc"', "abc")


def test_long_values_are_folded() -> None:
    text = text_of(opened(K.RECORD, *[labelled(f"n{i}", number(i)) for i in range(20)]))
    assert text.startswith("{\n  n0 = 0,\n")
    assert text.endswith("\n  n19 = 19\n}")
    filled = text_of(opened(K.SEQUENCE, *map(number, range(100)))).splitlines()
    assert len(filled) < 10
    assert max(map(len, filled)) <= 100


def test_a_bundle_comes_before_the_text() -> None:
    bundle = opened(K.BUNDLE, labelled("text/html", token(K.DATA, b"<b>")))
    value = decode_value(K.TREE, bundle + number(1), "T")
    assert value is not None
    assert (value.text, value.bundle) == ("1", {"text/html": "<b>"})


kinds = st.sampled_from([int(kind) for kind in K]) | st.integers(0, 255)
tokens = st.builds(token, kinds, st.binary(max_size=20))


@given(st.lists(tokens, max_size=30).map(b"".join) | st.binary(max_size=200))
def test_any_bytes(tree: bytes) -> None:
    try:
        value = decode_value(K.TREE, tree, "T")
    except ProtocolError:
        return
    assert isinstance(value, Value)
    assert all(char.isprintable() or char == "\n" for char in value.text)


@given(st.binary(max_size=100))
def test_any_display(payload: bytes) -> None:
    try:
        display = decode_display(payload)
    except ProtocolError:
        return
    assert isinstance(display, Display)
