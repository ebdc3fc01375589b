"""Characters and strings as C++ would write them, escaped so that none reaches a terminal raw."""

from __future__ import annotations

import re
from itertools import zip_longest
from string import hexdigits
from struct import Struct

from farside.annotations import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STRING_LIMIT = 10_000
"""Bytes of a string that are shown; more say that the string goes on."""

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

_CODECS = {1: "utf-8", 2: "utf-16-le", 4: "utf-32-le"}


def escape(char: str, quote: str) -> str:
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


def char_literal(value: int) -> str:
    """Return a ``char`` by its number, 0 to 255."""
    return f"'{escape(chr(value), chr(39)) if value < 0x80 else f'{chr(92)}x{value:02x}'}'"


def wide_char_literal(prefix: str, code: int) -> tuple[str, str | None]:
    """Return the literal of a ``char8_t``, ``char16_t``, ``char32_t`` or ``wchar_t`` and its
    character, None where it stands for none.
    """
    if _stands_alone(code) or (prefix == "u8" and code >= 0x80):
        python = chr(code) if code <= 0x10FFFF else None
        return f"{prefix}'\\x{code:02x}'", python
    return f"{prefix}'{escape(chr(code), chr(39))}'", chr(code)


def string_literal(data: bytes, prefix: str = "", unit: int = 1) -> tuple[str, str | bytes | None]:
    """Return a string literal and the string.

    Args:
        data: code units, little-endian; more than `STRING_LIMIT` bytes are cut off.
        prefix: of the literal.
        unit: bytes of a code unit: 1 (UTF-8), 2 or 4.

    Returns:
        The second is bytes where `data` is not UTF, and None where only its start was sent.
    """
    if len(data) > STRING_LIMIT:
        start = _whole_characters(data[:STRING_LIMIT]) if unit == 1 else data[:STRING_LIMIT]
        return string_literal(start, prefix, unit)[0] + "…", None
    codec = _CODECS[unit]
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return f'{prefix}"{_mixed(_units(data[: len(data) // unit * unit], unit))}"', data
    return f'{prefix}"{_escaped(text)}"', text


def text_literal(text: str) -> str:
    """Return a string as a literal; lone surrogates are bytes that were no UTF-8, or themselves."""
    more = "…" if len(text) > STRING_LIMIT else ""
    text = text[:STRING_LIMIT]
    try:
        text.encode()
    except UnicodeEncodeError:
        return f'"{_mixed(list(map(_byte_or_char, text)))}"{more}'
    return f'"{_escaped(text)}"{more}'


def plain_text(data: bytes) -> str:
    """Return what a program calls the text of a value, its lines kept, nothing else that acts."""
    cut = len(data) > STRING_LIMIT
    text = printable(data[:STRING_LIMIT].decode(errors="replace"))
    return text + "…" if cut else text


def printable(text: str) -> str:
    """Return a text, its lines kept, with all else escaped that acts on a terminal."""
    if text.isprintable():
        return text
    return "".join(
        char if char == "\n" or char.isprintable() else escape(char, "") for char in text
    )


def on_one_line(text: str, width: int) -> str:
    """Return a text of which `width` characters are shown, without line ends and indentation."""
    line = re.sub(r"\s*\n\s*", " ", text)
    return line if len(line) <= width else f"{line[: width - 1]}…"


def _escaped(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return "".join(escape(char, '"') for char in text)


def _stands_alone(code: int) -> bool:
    """Tell whether a code is no character: a surrogate, or above Unicode's last."""
    return 0xD800 <= code <= 0xDFFF or code > 0x10FFFF


def _byte_or_char(char: str) -> str | int:
    """Return what a character of Python's stands for; U+DC80 to U+DCFF are bytes."""
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return code - 0xDC00
    return code if _stands_alone(code) else char


def _units(data: bytes, unit: int) -> list[str | int]:
    """Return the characters of a string, and the code units that are part of none."""
    if unit == 1:
        return list(map(_byte_or_char, data.decode(errors="surrogateescape")))
    if unit == 2:
        codes = list(map(ord, data.decode("utf-16-le", "surrogatepass")))
    else:
        codes = [code for (code,) in Struct("<I").iter_unpack(data)]
    return [code if _stands_alone(code) else chr(code) for code in codes]


def _mixed(units: Sequence[str | int]) -> str:
    """Return characters as in a literal, and code units that are none by their numbers."""
    shown = []
    for each, following in zip_longest(units, units[1:]):
        if isinstance(each, str):
            shown.append(escape(each, '"'))
        elif isinstance(following, str) and following in hexdigits:  # would be a digit of it
            shown.append(f"\\x{{{each:02x}}}")
        else:
            shown.append(f"\\x{each:02x}")
    return "".join(shown)


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
