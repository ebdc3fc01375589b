"""Characters and strings as C++ would write them, escaped so that none reaches a terminal raw."""

from __future__ import annotations

import re

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
    if code > 0x10FFFF or (prefix == "u8" and code >= 0x80):
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
        if unit != 1:
            text = data[: len(data) // unit * unit].decode(codec, errors="replace")
            return f'{prefix}"{_escaped(text)}"', data
        # Each byte that is no part of UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF.
        mixed = data.decode(errors="surrogateescape")
        shown = (
            f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else escape(char, '"')
            for char in mixed
        )
        return f'{prefix}"{"".join(shown)}"', data
    return f'{prefix}"{_escaped(text)}"', text


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
