"""Values that the far side shows: bytes of a known kind, their text and their Python counterpart.

The text is what Clang-Repl prints in process, with four differences, each on purpose:

* control characters and bytes that are not UTF-8 are escaped as in a C++ literal, so that nothing
  from the far side reaches a terminal raw;
* ``char8_t``, ``char16_t``, ``char32_t``, ``wchar_t``, ``__int128``, ``_Float16`` and ``nullptr``,
  on which Clang-Repl 22 crashes or prints an error of its own, look like the literal that denotes
  them;
* a ``long double`` is shown with its own value (Clang-Repl 22 prints ``0.0L`` for ``1.0L``);
* a ``std::string`` shows its contents instead of its address.

The kinds are those of ``native/include/farside/value_kinds.h``. The bytes come from the process
that runs user code and are checked here: a size that does not fit the kind is a `ProtocolError`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from farside.errors import ProtocolError
from farside.result.floats import decode_float

if TYPE_CHECKING:
    from collections.abc import Container, Mapping


class ValueKind(IntEnum):
    """How the bytes of a value are to be read; names and numbers of ``farside/value_kinds.h``."""

    NONE = 0
    BOOL = 1
    CHAR = 2
    CHAR8 = 3
    CHAR16 = 4
    CHAR32 = 5
    WCHAR = 6
    INT = 7
    UINT = 8
    FLOAT = 9
    DOUBLE = 10
    LDOUBLE = 11
    POINTER = 12
    NULLPTR = 13
    ENUM = 14
    UENUM = 15
    CSTR = 16
    CSTR_NULL = 17
    STRING = 18
    OBJECT = 19
    COMPLEX = 20


STRING_LIMIT = 10_000
"""Bytes of a string that are shown; one more says that the string goes on."""

PythonValue = bool | int | float | complex | str | bytes | None


@dataclass(frozen=True, slots=True)
class Value:
    """The value of a cell's last expression.

    Attributes:
        type: the C++ type as Clang spells it.
        kind: how the far side sent it.
        text: the value without its type.
        python: the natural Python object: bool, int, float, complex, str, bytes (a string that is
            not UTF-8), or None where there is none or it would not be the whole value. What is
            wider than a ``double`` is rounded to one.
    """

    type: str
    kind: ValueKind
    text: str
    python: PythonValue

    def __str__(self) -> str:
        return f"({self.type}) {self.text}"


def decode_value(
    kind: int,
    data: bytes,
    type_name: str,
    *,
    enumerators: Mapping[int, str] | None = None,
    underlying: str = "",
) -> Value | None:
    """Return the value that `data` holds, or None for the kind that says there is none.

    Args:
        kind: a `ValueKind` as sent.
        data: the bytes of the object, little-endian, untrusted.
        type_name: the C++ type, from the compiler.
        enumerators: of an enumeration, the qualified names by value, from the compiler.
        underlying: of an enumeration, the underlying type.

    Raises:
        ProtocolError: the kind is unknown or the bytes do not fit it.
    """
    try:
        known = ValueKind(kind)
    except ValueError:
        raise ProtocolError(f"the far side sent a value of the unknown kind {kind}") from None
    if len(data) not in _SIZES[known]:
        raise ProtocolError(
            f"the far side sent {len(data)} bytes as a value of kind {known.name} ({type_name})"
        )
    if known is ValueKind.NONE:
        return None
    if known in (ValueKind.ENUM, ValueKind.UENUM):
        number = int.from_bytes(data, "little", signed=known is ValueKind.ENUM)
        text = _enum_text(number, (enumerators or {}).get(number, ""), underlying)
        return Value(type_name, known, text, number)
    text, python = _decode(known, data, type_name)
    return Value(type_name, known, text, python)


_INTEGER = range(1, 17)
_ADDRESS = (8,)

_SIZES: dict[ValueKind, Container[int]] = {
    ValueKind.NONE: (0,),
    ValueKind.BOOL: (1,),
    ValueKind.CHAR: (1,),
    ValueKind.CHAR8: (1,),
    ValueKind.CHAR16: (2,),
    ValueKind.CHAR32: (4,),
    ValueKind.WCHAR: (4,),
    ValueKind.INT: _INTEGER,
    ValueKind.UINT: _INTEGER,
    ValueKind.FLOAT: (2, 4, 16),
    ValueKind.DOUBLE: (8,),
    ValueKind.LDOUBLE: (16,),
    ValueKind.POINTER: _ADDRESS,
    ValueKind.NULLPTR: (0,),
    ValueKind.ENUM: _INTEGER,
    ValueKind.UENUM: _INTEGER,
    ValueKind.CSTR: range(STRING_LIMIT + 2),
    ValueKind.CSTR_NULL: (0,),
    ValueKind.STRING: range(STRING_LIMIT + 2),
    ValueKind.OBJECT: _ADDRESS,
    ValueKind.COMPLEX: (4, 8, 16, 32),
}

_PREFIXES = {
    ValueKind.CHAR8: "u8",
    ValueKind.CHAR16: "u",
    ValueKind.CHAR32: "U",
    ValueKind.WCHAR: "L",
}


def _decode(kind: ValueKind, data: bytes, type_name: str) -> tuple[str, PythonValue]:
    unsigned = int.from_bytes(data[:16], "little")
    match kind:
        case ValueKind.BOOL:
            return ("true" if unsigned else "false"), bool(unsigned)
        case ValueKind.CHAR:
            return f"'{_escape_byte(unsigned)}'", chr(unsigned)
        case ValueKind.INT:
            signed = int.from_bytes(data, "little", signed=True)
            return str(signed), signed
        case ValueKind.UINT:
            return str(unsigned), unsigned
        case ValueKind.FLOAT | ValueKind.DOUBLE | ValueKind.LDOUBLE:
            return decode_float(data, extended=kind is ValueKind.LDOUBLE, brain="bf16" in type_name)
        case ValueKind.COMPLEX:
            return _complex(data)
        case ValueKind.POINTER:
            # Clang-Repl tells function pointers by their type, too.
            return f"{'Function @' if '(*)(' in type_name else ''}{unsigned:#x}", unsigned
        case ValueKind.CSTR | ValueKind.STRING:
            return _string(data)
        case ValueKind.CSTR_NULL:
            return "0", None
        case ValueKind.NULLPTR:
            return "nullptr", None
        case ValueKind.OBJECT:
            return f"@{unsigned:#x}", None
        case _:
            return _wide_char(_PREFIXES[kind], unsigned)


def _complex(data: bytes) -> tuple[str, complex | None]:
    half = len(data) // 2
    extended = half == 16
    real_text, real = decode_float(data[:half], extended=extended)
    imaginary_text, imaginary = decode_float(data[half:], extended=extended)
    whole = None if real is None or imaginary is None else complex(real, imaginary)
    return f"{real_text} + {imaginary_text}i", whole


def _enum_text(number: int, name: str, underlying: str) -> str:
    """Return ``(EC::X) : unsigned char 1``; what the compiler did not say is left out."""
    if not underlying:
        return f"({name}) {number}" if name else str(number)
    return f"{f'({name})' if name else ''} : {underlying} {number}"


# ---------------------------------------------------------------------- characters and strings

_ESCAPES = {
    "\0": "\\0",
    "\a": "\\a",
    "\b": "\\b",
    "\t": "\\t",
    "\n": "\\n",
    "\v": "\\v",
    "\f": "\\f",
    "\r": "\\r",
    "\\": "\\\\",
}


def _escape(char: str, quote: str) -> str:
    """Return one character as it would be written in a literal between `quote`s."""
    if char == quote:
        return "\\" + char
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_byte(value: int) -> str:
    return _escape(chr(value), "'") if value < 0x80 else f"\\x{value:02x}"


def _string(data: bytes) -> tuple[str, str | bytes | None]:
    """Return a string literal and the string; not the string where only its start was sent."""
    if len(data) > STRING_LIMIT:
        return _string(_whole_characters(data[:STRING_LIMIT]))[0] + "…", None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Each byte that is no part of UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF.
        mixed = data.decode(errors="surrogateescape")
        shown = (
            f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else _escape(char, '"')
            for char in mixed
        )
        return f'"{"".join(shown)}"', data
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"', text
    return f'"{"".join(_escape(char, chr(34)) for char in text)}"', text


def _whole_characters(data: bytes) -> bytes:
    """Return `data` without a UTF-8 sequence that its end cuts in two."""
    for back in range(1, 4):
        lead = data[-back]
        if lead >= 0xC0:
            length = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
            return data[:-back] if length > back else data
        if lead < 0x80:
            break
    return data


def _wide_char(prefix: str, code: int) -> tuple[str, str | None]:
    if code > 0x10FFFF or (prefix == "u8" and code >= 0x80):
        python = chr(code) if code <= 0x10FFFF else None
        return f"{prefix}'\\x{code:02x}'", python
    return f"{prefix}'{_escape(chr(code), chr(39))}'", chr(code)
