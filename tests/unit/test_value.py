"""The text of values: what Clang-Repl 22.1.8 prints in process, or what the module says instead."""

from __future__ import annotations

import copy
import math
import pickle
import re
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.errors import ProtocolError
from farside.result.value import STRING_LIMIT, PythonValue, Value, ValueKind, decode_value

HEADER = Path(__file__).parents[2] / "native" / "include" / "farside" / "value_kinds.h"


def x87(mantissa: int, exponent: int, negative: bool = False) -> bytes:
    top = exponent | (0x8000 if negative else 0)
    return mantissa.to_bytes(8, "little") + top.to_bytes(2, "little") + b"\xaa" * 6


def integer(value: int, size: int = 4) -> bytes:
    return value.to_bytes(size, "little", signed=value < 0)


K = ValueKind

# Each text was printed by clang-repl-22 for an expression of that type and value.
AS_CLANG_REPL: list[tuple[ValueKind, bytes, str, str]] = [
    (K.BOOL, b"\1", "bool", "true"),
    (K.BOOL, b"\0", "bool", "false"),
    (K.CHAR, b"a", "char", "'a'"),
    (K.CHAR, b'"', "char", "'\"'"),
    (K.CHAR, b"A", "signed char", "'A'"),
    (K.CHAR, b"A", "unsigned char", "'A'"),
    (K.INT, integer(-3, 2), "short", "-3"),
    (K.UINT, integer(65535, 2), "unsigned short", "65535"),
    (K.INT, integer(42), "int", "42"),
    (K.INT, integer(1), "const int", "1"),
    (K.UINT, integer(42), "unsigned int", "42"),
    (K.INT, integer(42, 8), "long", "42"),
    (K.UINT, integer(42, 8), "unsigned long", "42"),
    (K.INT, integer(42, 8), "long long", "42"),
    (K.UINT, integer(42, 8), "unsigned long long", "42"),
    *[
        (K.FLOAT, struct.pack("<f", number), "float", text)
        for number, text in [
            (0.1, "0.100000f"),
            (1.0, "1.0f"),
            (1 / 3, "0.333333f"),
            (100.0, "100.0f"),
            (1e10, "10000000000.0f"),
            (16777216.0, "16777216.0f"),
            (123456.789, "123457.f"),
            (99999.5, "99999.5f"),
            (1234567.5, "1.23457e+06f"),
            (1e-5, "1.00000e-05f"),
            (1e-4, "0.000100000f"),
            (0.00012345678, "0.000123457f"),
            (1e20, "1.00000e+20f"),
            (3.4028234e38, "3.40282e+38f"),
            (math.inf, "inf"),
            (math.nan, "nan"),
        ]
    ],
    *[
        (K.DOUBLE, struct.pack("<d", number), "double", text)
        for number, text in [
            (0.1, "0.10000000"),
            (1.0, "1.0"),
            (1 / 3, "0.33333333"),
            (1e15, "1000000000000000.0"),
            (1e17, "100000000000000000.0"),
            (9.2e18, "9200000000000000000.0"),
            (9.3e18, "9.30000e+18"),
            (1e22, "1.00000e+22"),
            (1e300, "1.00000e+300"),
            (1.7976931348623157e308, "1.79769e+308"),
            (5e-324, "4.94066e-324"),
            (123456789.0, "123456789.0"),
            (1234567890123456789.0, "1234567890123456768.0"),
            (123456.789, "123456.79"),
            (99999.5, "99999.500"),
            (999999.5, "999999.50"),
            (1234567.5, "1.23457e+06"),
            (4503599627370495.5, "4.50360e+15"),
            (1e-5, "1.00000e-05"),
            (0.00009999, "9.99900e-05"),
            (1e-4, "0.00010000000"),
            (0.0001234, "0.00012340000"),
            (0.000123456789, "0.00012345679"),
            (math.inf, "inf"),
            (math.nan, "nan"),
        ]
    ],
    (K.LDOUBLE, x87(0xCCCCCCCCCCCCCCCD, 0x3FFB), "long double", "0.100000000000L"),
    (K.LDOUBLE, x87(0xAAAAAAAAAAAAAAAB, 0x3FFD), "long double", "0.333333333333L"),
    (K.POINTER, integer(0, 8), "int *", "0x0"),
    (K.POINTER, integer(0x1234, 8), "int *", "0x1234"),
    (K.FUNCTION, integer(0x7F88C0F6B000, 8), "int (*)(int)", "Function @0x7f88c0f6b000"),
    (K.POINTER, integer(0x7F88C0F6B000, 8), "int (*)[3]", "0x7f88c0f6b000"),
    (K.CSTR, b"hello", "const char *", '"hello"'),
    (K.CSTR, b"", "const char *", '""'),
    (K.CSTR_NULL, b"", "const char *", "0"),
    (K.OBJECT, integer(0x7F68BA2D2000, 8), "S &", "@0x7f68ba2d2000"),
]

# Where the text differs from Clang-Repl's, or Clang-Repl has none.
OWN: list[tuple[ValueKind, bytes, str, str]] = [
    (K.CHAR, b"\n", "char", "'\\n'"),
    (K.CHAR, b"'", "char", "'\\''"),
    (K.CHAR, b"\\", "char", "'\\\\'"),
    (K.CHAR, b"\0", "char", "'\\0'"),
    (K.CHAR, b"\x1b", "char", "'\\x1b'"),
    (K.CHAR, b"\x7f", "char", "'\\x7f'"),
    (K.CHAR, b"\xe9", "char", "'\\xe9'"),
    (K.CHAR8, b"a", "char8_t", "u8'a'"),
    (K.CHAR8, b"\xe9", "char8_t", "u8'\\xe9'"),
    (K.CHAR16, integer(0x20AC, 2), "char16_t", "u'€'"),
    (K.CHAR16, integer(0xD800, 2), "char16_t", "u'\\xd800'"),
    (K.CHAR32, integer(0xDFFF), "char32_t", "U'\\xdfff'"),
    (K.STRING, b"\xffa\xffg", "std::string", '"\\x{ff}a\\xffg"'),
    (K.STRING16, b"\0\xdcf\0\xfd\xff", "std::u16string", 'u"\\x{dc00}f�"'),
    (K.STRING32, integer(0x110000) + integer(0xFFFD), "std::u32string", 'U"\\x110000�"'),
    (K.WSTRING, integer(0x1F600) + integer(0xD800), "std::wstring", 'L"😀\\xd800"'),
    (K.CHAR32, integer(0x1F600), "char32_t", "U'😀'"),
    (K.CHAR32, integer(0x110000), "char32_t", "U'\\x110000'"),
    (K.CHAR32, integer(0xE0001), "char32_t", "U'\\U000e0001'"),
    (K.WCHAR, integer(10), "wchar_t", "L'\\n'"),
    (K.WCHAR, integer(0x202E), "wchar_t", "L'\\u202e'"),
    (K.INT, integer(-(1 << 127), 16), "__int128", str(-(1 << 127))),
    (K.UINT, integer(1 << 127, 16), "unsigned __int128", str(1 << 127)),
    (K.INT, integer(-1, 3), "_BitInt(20)", "-1"),
    (K.FLOAT, struct.pack("<e", 1.5), "_Float16", "1.50000f16"),
    (K.FLOAT, struct.pack("<f", 1.5)[2:], "__bf16", "1.50000bf16"),
    (K.FLOAT, (0x3FFF << 112).to_bytes(16, "little"), "__float128", "1.0f128"),
    (K.FLOAT, (0x3FFF << 112 | 1 << 111).to_bytes(16, "little"), "__float128", "1.50000000000f128"),
    (K.FLOAT, (0x7FFF << 112).to_bytes(16, "little"), "__float128", "inf"),
    (K.DOUBLE, struct.pack("<d", -0.0), "double", "-0.0"),
    (K.DOUBLE, struct.pack("<d", -math.inf), "double", "-inf"),
    (K.LDOUBLE, x87(1 << 63, 0x3FFF), "long double", "1.0L"),
    (K.LDOUBLE, x87(1 << 63, 0x3FFF, negative=True), "long double", "-1.0L"),
    (K.LDOUBLE, x87(0, 0), "long double", "0.0L"),
    (K.LDOUBLE, x87(0, 0, negative=True), "long double", "-0.0L"),
    (K.LDOUBLE, x87(1 << 63, 0x7FFF), "long double", "inf"),
    (K.LDOUBLE, x87(1 << 63, 0x7FFF, negative=True), "long double", "-inf"),
    (K.LDOUBLE, x87(3 << 62, 0x7FFF), "long double", "nan"),
    (K.LDOUBLE, x87(1, 0x3FFF), "long double", "nan"),
    (K.LDOUBLE, x87((1 << 64) - 1, 0x7FFE), "long double", "1.18973e+4932L"),
    (K.LDOUBLE, x87(1, 0), "long double", "3.64520e-4951L"),
    (K.NULLPTR, b"", "std::nullptr_t", "nullptr"),
    (K.CSTR, b'he"l\\lo\n\t\x01', "const char *", '"he\\"l\\\\lo\\n\\t\\x01"'),
    (K.CSTR, b"\xe9\xc3\xa9\x1b[0m", "const char *", '"\\xe9é\\x1b[0m"'),
    (K.STRING, "a€\u202e".encode(), "std::string", '"a€\\u202e"'),
    (K.STRING, b"a\0b", "std::string", '"a\\0b"'),
    (K.COMPLEX, struct.pack("<dd", 1.0, 0.5), "_Complex double", "1.0 + 0.50000000i"),
    (K.COMPLEX, struct.pack("<ff", 1.0, -2.0), "_Complex float", "1.0f + -2.0fi"),
]


def shown(kind: int, data: bytes, type_name: str = "T") -> Value:
    value = decode_value(kind, data, type_name)
    assert value is not None
    return value


@pytest.mark.parametrize(("kind", "data", "type_name", "text"), AS_CLANG_REPL + OWN)
def test_text(kind: ValueKind, data: bytes, type_name: str, text: str) -> None:
    value = shown(kind, data, type_name)
    assert value.text == text
    assert str(value) == f"({type_name}) {text}"
    assert value.kind is kind


@pytest.mark.parametrize(
    ("kind", "data", "python"),
    [
        (K.BOOL, b"\1", True),
        (K.CHAR, b"a", "a"),
        (K.INT, integer(-5), -5),
        (K.FLOAT, struct.pack("<f", 0.5), 0.5),
        (K.DOUBLE, struct.pack("<d", 0.1), 0.1),
        (K.LDOUBLE, x87(3 << 62, 0x3FFF, negative=True), -1.5),
        (K.LDOUBLE, x87(1 << 63, 0x7FFE), None),
        (K.POINTER, integer(16, 8), 16),
        (K.NULLPTR, b"", None),
        (K.ENUM, integer(-7), -7),
        (K.UENUM, integer(200, 1), 200),
        (K.CSTR, "é".encode(), "é"),
        (K.STRING, b"\xe9", b"\xe9"),
        (K.CSTR_NULL, b"", None),
        (K.OBJECT, integer(16, 8), None),
        (K.CHAR16, integer(0x20AC, 2), "€"),
        (K.COMPLEX, struct.pack("<dd", 1.0, 2.0), 1 + 2j),
    ],
)
def test_python_object(kind: ValueKind, data: bytes, python: PythonValue) -> None:
    value = shown(kind, data)
    assert value.python == python
    assert type(value.python) is type(python)


def test_an_enumeration_is_shown_with_its_enumerator() -> None:
    def text(kind: ValueKind, data: bytes) -> str:
        value = decode_value(kind, data, "E", enumerators={1: "EC::X", -5: "N"}, underlying="long")
        return "" if value is None else value.text

    assert text(K.UENUM, integer(1)) == "(EC::X) : long 1"
    assert text(K.ENUM, integer(-5)) == "(N) : long -5"
    assert text(K.ENUM, integer(9)) == " : long 9"
    assert shown(K.ENUM, integer(9)).text == "9"


def test_no_value() -> None:
    assert decode_value(K.NONE, b"", "void") is None


def test_a_long_string_is_cut_between_characters() -> None:
    data = b"x" * (STRING_LIMIT - 1) + "€".encode()
    value = shown(K.STRING, data[: STRING_LIMIT + 1])
    assert value.text == '"' + "x" * (STRING_LIMIT - 1) + '"…'
    assert value.python is None
    assert shown(K.STRING, b"x" * STRING_LIMIT).python == "x" * STRING_LIMIT


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (-1, b""),
        (K.LABEL, b"x"),
        (37, b""),
        (255, b"x" * 8),
        (K.NONE, b"x"),
        (K.BOOL, b""),
        (K.BOOL, b"xx"),
        (K.INT, b""),
        (K.INT, b"x" * 1025),
        (K.FLOAT, b"xxx"),
        (K.FLOAT, b"x" * 8),
        (K.DOUBLE, b"xxxx"),
        (K.LDOUBLE, b"x" * 10),
        (K.POINTER, b"x" * 4),
        (K.OBJECT, b"x" * 9),
        (K.COMPLEX, b"x" * 15),
        (K.STRING, b"x" * (STRING_LIMIT + 2)),
        (K.CHAR32, b"xx"),
    ],
)
def test_bytes_that_do_not_fit(kind: int, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_value(kind, data, "T")


@given(st.integers(-5, 300), st.binary(max_size=40), st.text(max_size=10))
def test_hostile_bytes_make_a_value_or_a_protocol_error(
    kind: int, data: bytes, type_name: str
) -> None:
    try:
        value = decode_value(kind, data, type_name)
    except ProtocolError:
        return
    assert value is None or value.text.isprintable()


@given(st.floats(width=64))
def test_a_long_double_that_is_a_double_has_its_value(number: float) -> None:
    if not math.isfinite(number) or number == 0:
        return
    mantissa, exponent = math.frexp(abs(number))
    data = x87(int(mantissa * 2**64), exponent + 16382, number < 0)
    assert shown(K.LDOUBLE, data).python == number


def test_the_kinds_are_those_of_the_header() -> None:
    defined = dict(
        re.findall(r"^#define FARSIDE_VALUE_(\w+) (\d+)\b", HEADER.read_text(), re.MULTILINE)
    )
    assert int(defined.pop("STRING_LIMIT")) == STRING_LIMIT
    assert {name: int(number) for name, number in defined.items()} == {
        kind.name: kind.value for kind in ValueKind
    }


def test_a_value_is_what_it_was_made() -> None:
    value = Value("int", ValueKind.INT, "3", 3)
    assert value == Value("int", ValueKind.INT, "3", 3, {}, "", None, "")
    assert value != value.with_(text="4")
    assert value != ("int", ValueKind.INT, "3", 3, {}, "", None, "")
    assert value.with_(name="x", type="long") == Value("long", ValueKind.INT, "3", 3, name="x")
    assert repr(value).startswith("Value(type='int', kind=<ValueKind.INT: 7>, text='3', python=3,")
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    with pytest.raises(AttributeError, match="the text of a value cannot be changed"):
        value.text = "4"
    with pytest.raises(AttributeError, match="deleted"):
        del value.text
    with pytest.raises(TypeError, match="unhashable"):
        hash(value)
    with pytest.raises(TypeError, match="nope"):
        value.with_(nope=1)
