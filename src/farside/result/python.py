"""Python objects out of the values that a program gives.

The far side sends a tree of the same tokens as for a value that is shown, but whole
(``native/include/farside/value_kinds.h``). `to_python` reads them in one pass; docs/python.md has
the table of what becomes what. Large arrays and strings lie in memory of their own, which was
mapped and not copied: see `Blocks`.

The tokens come from a process that runs user code: whatever is out of place is a `ProtocolError`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from functools import partial
from pathlib import Path
from struct import Struct

from farside.annotations import TYPE_CHECKING, Any, NoReturn, Protocol
from farside.errors import CppException, ProtocolError
from farside.records import NamedTuple
from farside.result.floats import decode_float
from farside.result.kinds import ValueKind as Kind
from farside.result.numbers import Buffer, numbers
from farside.result.objects import (
    Enumerator,
    Pointer,
    Unexpected,
    hashable,
    make_object,
)
from farside.result.text import string_literal, wide_char_literal
from farside.result.type_names import written_type
from farside.result.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MAX_DEPTH", "Blocks", "to_python"]

_HEAD = Struct("<BI")
_BLOCK = Struct("<BQQ")
_FLOAT = Struct("<f")
_DOUBLE = Struct("<d")
_NANOSECONDS = Struct("<q")

_LARGEST = 1024  # bytes of an integer, a _BitInt

MAX_DEPTH = 256
"""Values within values; the far side stops earlier, at 200."""

_OPENING = range(Kind.SEQUENCE, Kind.BITS + 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Blocks(Protocol):
    """Memory that came beside an answer."""

    def take(self, number: int, size: int) -> Buffer:
        """Return what lies in the memory of that number; its owner is the caller.

        Raises:
            ProtocolError: there is no such memory.
        """

    def lives(self, name: str) -> None:
        """Take note of an object that lives on, by its name in C++."""


def to_python(
    kind: int, data: bytes, type_name: str = "", *, blocks: Blocks | None = None
) -> object:
    """Return the object that a given value is in Python.

    Args:
        kind: a `ValueKind` as sent: a plain one, ``TREE``, or ``BLOCK`` for a tree elsewhere.
        data: its bytes, untrusted.
        type_name: the C++ type of a plain value, where it is known.
        blocks: the memory that came with it.

    Raises:
        ProtocolError: the bytes do not mean a value.
    """
    if kind == Kind.TREE:
        return _build(data, blocks)
    if kind == Kind.BLOCK:
        inner, head, memory = _block(data, blocks)
        if inner != Kind.TREE or head:
            raise ProtocolError("the far side sent memory that is no value")
        return _build(memory, blocks)
    reader = _LEAVES.get(kind)
    if reader is None:
        raise ProtocolError(f"the far side gave a value of the unknown kind {kind}")
    found = reader(data)
    return Pointer(found, type_name) if kind in _ADDRESSES and isinstance(found, int) else found


class _Open:
    """A value whose end has not come yet."""

    __slots__ = ("items", "kind", "labels", "last", "text")

    def __init__(self, kind: int, text: bytes) -> None:
        self.kind = kind
        self.text = text
        self.items: list[Any] = []
        self.labels: list[str] = []
        self.last = 0  # the kind of the last item


def _build(data: Buffer, blocks: Blocks | None) -> object:
    view = memoryview(data)
    position, end = 0, len(view)
    top = root = _Open(Kind.OPTIONAL, b"")
    outer: list[_Open] = []
    label = ""
    head = _HEAD.unpack_from
    while position < end:
        if end - position < _HEAD.size:
            raise ProtocolError("the far side gave a value that ends within a token")
        kind, size = head(view, position)
        position += _HEAD.size
        if size > end - position:
            raise ProtocolError("the far side gave a token that is longer than its value")
        payload = bytes(view[position : position + size])
        position += size
        item: object
        if (leaf := _LEAVES.get(kind)) is not None:
            item = leaf(payload)
        elif kind in _OPENING:
            if len(outer) == MAX_DEPTH:
                raise ProtocolError("the far side gave a value that is nested too deep")
            outer.append(top)
            if label:
                top.labels.append(label)
                label = ""
            top = _Open(kind, payload)
            continue
        elif kind == Kind.CLOSE:
            if not outer:
                raise ProtocolError("the far side closed a value that it had not opened")
            inner, top = top, outer.pop()
            kind, item = inner.kind, _closed(inner, top.kind)
            if isinstance(item, Value) and item.name and blocks is not None:
                blocks.lives(item.name)
            top.items.append(item)
            top.last = kind
            continue
        elif kind == Kind.LABEL:
            label = _text(payload) or f"_{len(top.labels)}"
            continue
        elif kind == Kind.COUNT:
            continue
        elif kind == Kind.BLOCK:
            kind, start, memory = _block(payload, blocks)
            item = _in_memory(kind, start, memory)
        elif kind == Kind.ARRAY:
            top.items += _elements(payload)
            continue
        else:
            raise ProtocolError(f"the far side gave a token of the kind {kind}, which has no place")
        if label:
            top.labels.append(label)
            label = ""
        top.items.append(item)
        top.last = kind
    if outer or len(root.items) != 1:
        raise ProtocolError("the far side gave something else where one value was due")
    return root.items[0]


def _block(payload: bytes, blocks: Blocks | None) -> tuple[int, bytes, Buffer]:
    """Return kind, head and memory of what lies elsewhere."""
    if len(payload) < _BLOCK.size or blocks is None:
        raise ProtocolError("the far side gave memory where there is none")
    kind, number, size = _BLOCK.unpack_from(payload)
    return kind, payload[_BLOCK.size :], blocks.take(number, size)


def _in_memory(kind: int, head: bytes, memory: Buffer) -> object:
    if kind == Kind.NUMBERS:
        return numbers(head, memory)
    reader = _LEAVES.get(kind)
    if reader is None or head or kind not in _LARGE:
        raise ProtocolError(f"the far side gave memory of the kind {kind}")
    return reader(bytes(memory))


def _elements(payload: bytes) -> list[object]:
    """Read an array of plain values that numpy has no type for."""
    if len(payload) < 9:
        raise ProtocolError("the far side gave an array without its head")
    reader, size = _LEAVES.get(payload[0]), int.from_bytes(payload[1:9], "little")
    if reader is None or not size or (len(payload) - 9) % size:
        raise ProtocolError("the far side gave an array whose elements are no values")
    return [reader(payload[at : at + size]) for at in range(9, len(payload), size)]


# ---------------------------------------------------------------------------- plain values


def _wrong(what: str) -> NoReturn:
    raise ProtocolError(f"the far side gave {what} of another size")


def _bool(data: bytes) -> bool:
    return data != b"\0" if len(data) == 1 else _wrong("a bool")


def _signed(data: bytes) -> int:
    whole = 0 < len(data) <= _LARGEST
    return int.from_bytes(data, "little", signed=True) if whole else _wrong("a number")


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little") if 0 < len(data) <= _LARGEST else _wrong("a number")


def _double(data: bytes) -> float:
    found: float = _DOUBLE.unpack(data)[0] if len(data) == 8 else _wrong("a double")
    return found


def _float(data: bytes) -> float:
    if len(data) == 4:
        found: float = _FLOAT.unpack(data)[0]
        return found
    return _rounded(*decode_float(data))


def _extended(data: bytes) -> float:
    return _rounded(*decode_float(data, extended=True))


def _rounded(text: str, number: float | None) -> float:
    """Return a number as a double; what is too large for one is infinite."""
    if number is None:
        return float("-inf") if text.startswith("-") else float("inf")
    return number


def _complex(data: bytes) -> complex:
    half = len(data) // 2
    if len(data) not in (4, 8, 16, 32):
        _wrong("a complex number")
    read = _extended if half == 16 else _float if half != 8 else _double
    return complex(read(data[:half]), read(data[half:]))


def _address(data: bytes) -> int:
    return int.from_bytes(data, "little") if len(data) == 8 else _wrong("an address")


def _pointer(data: bytes) -> int | None:
    return _address(data) or None


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _text16(data: bytes) -> str:
    return data.decode("utf-16-le", "surrogatepass") if len(data) % 2 == 0 else _wrong("a string")


def _text32(data: bytes, kind: Kind = Kind.STRING32, prefix: str = "U") -> str | Value:
    """Read a string of 32 bits a character; what is above U+10FFFF is none of Python's."""
    if len(data) % 4:
        _wrong("a string")
    try:
        return data.decode("utf-32-le", "surrogatepass")
    except UnicodeDecodeError:
        return Value("", kind, string_literal(data, prefix, 4)[0], None)


def _character(data: bytes) -> str:
    return _text(data) if len(data) == 1 else _wrong("a character")


def _wide_character(data: bytes, kind: Kind = Kind.CHAR32, prefix: str = "U") -> str | Value:
    code = _unsigned(data)
    if code <= 0x10FFFF:
        return chr(code)
    return Value("", kind, wide_char_literal(prefix, code)[0], None)


def _nothing(_: bytes) -> None:
    return None


def _time(data: bytes) -> datetime:
    """Read a time of the system clock; a `datetime` holds microseconds, so it is rounded down."""
    if len(data) != _NANOSECONDS.size:
        _wrong("a time")
    return _EPOCH + timedelta(microseconds=_NANOSECONDS.unpack(data)[0] // 1000)


def _path(data: bytes) -> Path:
    return Path(_text(data))


def _numbers(data: bytes) -> object:
    return numbers(data, None)


def _cycle(_: bytes) -> Value:
    return Value("", Kind.CYCLE, "(cycle)", None)


def _unreadable(data: bytes) -> Value:
    return Value("", Kind.UNREADABLE, f"<cannot read memory at {_address(data):#x}>", None)


_LEAVES: dict[int, Callable[[bytes], Any]] = {
    Kind.BOOL: _bool,
    Kind.CHAR: _character,
    Kind.CHAR8: _character,
    Kind.CHAR16: _wide_character,
    Kind.CHAR32: _wide_character,
    Kind.WCHAR: partial(_wide_character, kind=Kind.WCHAR, prefix="L"),
    Kind.INT: _signed,
    Kind.UINT: _unsigned,
    Kind.FLOAT: _float,
    Kind.DOUBLE: _double,
    Kind.LDOUBLE: _extended,
    Kind.POINTER: _pointer,
    Kind.FUNCTION: _pointer,
    Kind.NULLPTR: _nothing,
    Kind.ENUM: _signed,
    Kind.UENUM: _unsigned,
    Kind.CSTR: _text,
    Kind.CSTR_NULL: _nothing,
    Kind.STRING: _text,
    Kind.STRING8: _text,
    Kind.STRING16: _text16,
    Kind.STRING32: _text32,
    Kind.WSTRING: partial(_text32, kind=Kind.WSTRING, prefix="L"),
    Kind.OBJECT: _address,
    Kind.COMPLEX: _complex,
    Kind.TIME: _time,
    Kind.TEXT: _text,
    Kind.NAME: _text,
    Kind.DATA: bytes,
    Kind.PATH: _path,
    Kind.NUMBERS: _numbers,
    Kind.CYCLE: _cycle,
    Kind.UNREADABLE: _unreadable,
}

_ADDRESSES = (Kind.POINTER, Kind.FUNCTION)
_LARGE = (
    Kind.CSTR,
    Kind.STRING,
    Kind.STRING8,
    Kind.STRING16,
    Kind.STRING32,
    Kind.WSTRING,
    Kind.DATA,
)


# ---------------------------------------------------------------------------- what has parts


def _closed(value: _Open, outer: int) -> object:
    """Return the object that a value with parts is, within one of the kind `outer`."""
    if outer == Kind.EXCEPTION:
        return _what(value)
    maker = _MAKERS.get(value.kind)
    if maker is None:
        raise ProtocolError(f"the far side gave a value of the kind {Kind(value.kind).name}")
    return maker(value)


def _sequence(value: _Open) -> list[Any]:
    return value.items


def _set(value: _Open) -> set[Any] | list[Any]:
    """Return a set, or a list where elements that C++ tells apart are equal in Python."""
    found = {hashable(each) for each in value.items}
    return found if len(found) == len(value.items) else value.items


def _map(value: _Open) -> dict[Any, Any] | list[tuple[Any, Any]]:
    """Return a dict, or pairs where keys that C++ tells apart are equal in Python."""
    if len(value.items) % 2:
        raise ProtocolError("the far side gave a key without a value")
    keys, values = value.items[::2], value.items[1::2]
    found = dict(zip(map(hashable, keys), values, strict=True))
    return found if len(found) == len(keys) else list(zip(keys, values, strict=True))


def _tuple(value: _Open) -> tuple[Any, ...]:
    return tuple(value.items)


def _record(value: _Open) -> object:
    if len(value.labels) != len(value.items):
        raise ProtocolError("the far side gave a member without a name")
    labels = [written_type(each) if each.startswith("<") else each for each in value.labels]
    # Unlike a string's, its text must be one that Python can encode: it becomes that of a class.
    name = value.text.decode("utf-8", "backslashreplace")
    return make_object(written_type(name), labels, value.items)


def _only(value: _Open) -> Any:
    if len(value.items) != 1:
        raise ProtocolError("the far side gave no value, or several, where one was due")
    return value.items[0]


def _typed(value: _Open) -> object:
    item = _only(value)
    if value.last in _ADDRESSES:
        return None if item is None else Pointer(item, written_type(_text(value.text)))
    if value.last == Kind.OBJECT:
        return _opaque(value)
    if value.last == Kind.OPTIONAL and isinstance(item, Value):  # a time that Python has not
        return item.with_(type=written_type(_text(value.text)))
    return item


def _opaque(value: _Open) -> Value:
    lives = value.last == Kind.BOOL and len(value.items) == 2
    address = value.items[0] if lives else _only(value)
    if not isinstance(address, int) or not (lives or value.last == Kind.OBJECT):
        raise ProtocolError("the far side gave an object without its address")
    found = Value(written_type(_text(value.text)), Kind.OBJECT, f"@{address:#x}", None)
    if not lives:
        return found
    from farside.result.living import living

    alive: Value = living(found, address)
    return alive


# Of native/compiler/shown_header.cpp: nanoseconds since 1970 do not hold it.
_FAR_TIME = b"a time before "


def _optional(value: _Open) -> object:
    if not value.items and value.text.startswith(_FAR_TIME):
        return Value("", Kind.OPTIONAL, _text(value.text), None)
    return _only(value) if value.items else None


def _unexpected(value: _Open) -> Unexpected:
    return Unexpected(_only(value))


def _enumeration(value: _Open) -> Enumerator:
    number, *names = value.items or [None]
    if not isinstance(number, int) or len(names) > 1 or not all(isinstance(n, str) for n in names):
        raise ProtocolError("the far side gave an enumerator that is no number with a name")
    name = names[0].rpartition("::")[2] if names else ""
    return Enumerator(number, name, written_type(_text(value.text)))


_UNITS: Mapping[str, Fraction] = {
    "ns": Fraction(1, 10**9),
    "µs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "min": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
}


def _quantity(value: _Open) -> timedelta | Fraction | float:
    """Return a duration: seconds where a `timedelta` would not be exact."""
    count, name = _only(value), _text(value.text)
    unit = _UNITS.get(name)
    if unit is None:
        try:
            unit = Fraction(name.removesuffix("]s").removeprefix("["))
        except (ValueError, ZeroDivisionError):
            raise ProtocolError(f"the far side gave a duration in {name!r}") from None
    if isinstance(count, float):
        return count * float(unit)
    if not isinstance(count, int):
        raise ProtocolError("the far side gave a duration that is no number")
    seconds = count * unit
    micros = seconds * 10**6
    if micros.denominator == 1 and abs(seconds) < timedelta.max.total_seconds():
        return timedelta(microseconds=int(micros))
    return seconds


def _exception(value: _Open) -> CppException | None:
    """Return an exception object; the dynamic type says more than the static one."""
    item = _only(value)
    if not isinstance(item, _What):
        return None  # a null exception_ptr
    kind = item.type or written_type(_text(value.text)) or "std::exception"
    return CppException(f"{kind}: {item.text}", kind, item.text)


class _What(NamedTuple):
    """What is said of an exception object."""

    type: str
    text: str


def _what(value: _Open) -> _What | None:
    """Read the type, if RTTI knows a better one, and the text."""
    text = _text(value.text)
    if value.kind not in (Kind.TYPED, Kind.OPTIONAL):
        raise ProtocolError("the far side gave an exception without its text")
    if not value.items:
        return None if text == "nullptr" else _What("", text)
    said = _only(value)
    return _What(written_type(text), said if isinstance(said, str) else "")


def _date(value: _Open) -> date | Value:
    record = _only(value)
    try:
        parts = (record.year, record.month, record.day)
        return date(*parts)
    except AttributeError:
        raise ProtocolError("the far side gave a date that is none") from None
    except (ValueError, TypeError, OverflowError):
        # The 30th of February, or a year that a `date` cannot hold.
        text = "-".join([f"{each:02}" if isinstance(each, int) else "?" for each in parts])
        return Value("std::chrono::year_month_day", Kind.DATE, text, None)


def _bits(value: _Open) -> int:
    digits = _only(value)
    if not isinstance(digits, str) or not set(digits) <= {"0", "1"}:
        raise ProtocolError("the far side gave bits that are none")
    return int(digits or "0", 2)


_MAKERS: dict[int, Callable[[_Open], object]] = {
    Kind.SEQUENCE: _sequence,
    Kind.SET: _set,
    Kind.MAP: _map,
    Kind.TUPLE: _tuple,
    Kind.RECORD: _record,
    Kind.TYPED: _typed,
    Kind.QUANTITY: _quantity,
    Kind.OPTIONAL: _optional,
    Kind.UNEXPECTED: _unexpected,
    Kind.ENUMERATION: _enumeration,
    Kind.OPAQUE: _opaque,
    Kind.EXCEPTION: _exception,
    Kind.DATE: _date,
    Kind.BITS: _bits,
}
