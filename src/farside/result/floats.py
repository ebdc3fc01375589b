"""Floating-point values of every format, written as Clang-Repl writes them.

Whole numbers that fit an ``int64_t`` get one decimal. Numbers of other than common magnitude, below
1e-4 or above 1e6, are written with six significant digits; the rest with 6 (``float``), 8
(``double``) or 12 (``long double``). Trailing zeros stay: this is C's ``%#.6g``.
"""

from __future__ import annotations

import math
import struct

from farside.errors import ProtocolError


def decode_float(
    data: bytes, *, extended: bool = False, brain: bool = False
) -> tuple[str, float | None]:
    """Return the text of a floating-point number and its value.

    Args:
        data: the object's bytes: 2 (binary16), 4, 8 or 16 (binary128).
        extended: the 16 bytes are an x87 ``long double`` (psABI x86-64, 3.1.2).
        brain: the 2 bytes are a ``__bf16``.

    Returns:
        The value is rounded to a double, and None where it is too large for one.

    Raises:
        ProtocolError: there is no such format.
    """
    match len(data):
        case 2 if brain:
            number: float = struct.unpack("<f", b"\0\0" + data)[0]
            return _text(number, digits=6, suffix="bf16"), number
        case 2:
            number = struct.unpack("<e", data)[0]
            return _text(number, digits=6, suffix="f16"), number
        case 4:
            number = struct.unpack("<f", data)[0]
            return _text(number, digits=6, suffix="f"), number
        case 8:
            number = struct.unpack("<d", data)[0]
            return _text(number, digits=8, suffix=""), number
        case 16 if extended:
            return _extended(data)
        case 16:
            return _binary128(data)
    raise ProtocolError(f"the far side sent {len(data)} bytes as a floating-point number")


def _text(number: float, *, digits: int, suffix: str) -> str:
    if not math.isfinite(number):
        return str(number)  # inf, -inf or nan
    if -(2.0**63) <= number < 2.0**63 and number == int(number):
        return f"{number:.1f}{suffix}"
    if not 1e-4 <= abs(number) <= 1e6:
        digits = 6
    return f"{number:#.{digits}g}{suffix}"


def _extended(data: bytes) -> tuple[str, float | None]:
    """Read the x87 format: 64 bits with an explicit integer bit, 15 of exponent, sign."""
    mantissa = int.from_bytes(data[:8], "little")
    top = int.from_bytes(data[8:10], "little")
    exponent = top & 0x7FFF
    if exponent == 0x7FFF:
        return _special(bool(top >> 15), infinite=mantissa == 1 << 63)
    if exponent and not mantissa >> 63:  # an "unnormal", which the processor takes for a NaN
        return _special(negative=False, infinite=False)
    return _finite(bool(top >> 15), mantissa, max(exponent, 1) - 16383 - 63, "L")


def _binary128(data: bytes) -> tuple[str, float | None]:
    """Read IEEE 754 binary128: 112 bits, 15 of exponent, sign."""
    bits = int.from_bytes(data, "little")
    fraction = bits & ((1 << 112) - 1)
    exponent = bits >> 112 & 0x7FFF
    if exponent == 0x7FFF:
        return _special(bool(bits >> 127), infinite=fraction == 0)
    mantissa = fraction | (1 << 112 if exponent else 0)
    return _finite(bool(bits >> 127), mantissa, max(exponent, 1) - 16383 - 112, "f128")


def _special(negative: bool, *, infinite: bool) -> tuple[str, float]:
    if not infinite:
        return "nan", float("nan")
    return ("-inf", float("-inf")) if negative else ("inf", float("inf"))


def _finite(negative: bool, mantissa: int, scale: int, suffix: str) -> tuple[str, float | None]:
    """Write mantissa × 2^scale, computed exactly; at most some 5,000 digits are at work."""
    sign = "-" if negative else ""
    if mantissa == 0:
        return f"{sign}0.0{suffix}", -0.0 if negative else 0.0
    numerator, denominator = mantissa << max(scale, 0), 1 << max(-scale, 0)
    try:
        magnitude: float | None = numerator / denominator
    except OverflowError:
        magnitude = None
    python = -magnitude if magnitude is not None and negative else magnitude
    whole, rest = divmod(numerator, denominator)
    if rest == 0 and whole < 1 << 63:
        return f"{sign}{whole}.0{suffix}", python
    return f"{sign}{_ratio_text(numerator, denominator)}{suffix}", python


def _ratio_text(numerator: int, denominator: int) -> str:
    """Return what ``%#.12g``, or ``%#.6g``, would, for a positive ratio."""
    from decimal import Decimal, localcontext

    common = denominator <= numerator * 10**4 and numerator <= denominator * 10**6
    digits = 12 if common else 6
    with localcontext(prec=digits):
        rounded = Decimal(numerator) / Decimal(denominator)
        power = rounded.adjusted()
        if -4 <= power < digits:
            return f"{rounded:.{digits - 1 - power}f}"
        lead = f"{rounded.scaleb(-power):.{digits - 1}f}"
        return f"{lead}e{'-' if power < 0 else '+'}{abs(power):02d}"
