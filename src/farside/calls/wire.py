"""Python values as bytes that say what they are, for ``farside/call.h`` to read.

A value is a tag and its data, little-endian; the numbers of the tags are those of
``farside::wire::Tag``. Large arrays lie beside the bytes, in memory that is passed as a descriptor.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, timedelta
from struct import Struct

from farside.annotations import TYPE_CHECKING, Any, Protocol
from farside.calls.records import members_of
from farside.errors import ArgumentMismatch
from farside.records import NamedTuple
from farside.result.objects import Pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

NONE, BOOL, INT, UINT, FLOAT, STRING, BYTES, COMPLEX, SEQUENCE, MAP, ARRAY, CALLABLE = range(12)
WIDE, DURATION, TIME, DATE, RECORD, POINTER = range(12, 18)

LARGE = 1 << 16
"""Bytes of an array from which on it lies beside the others."""

MAX_DEPTH = 64
_PAGE = 4096
_KEEP = 1 << 29  # bytes of memory that are kept for the next call

_TAG_INT = Struct("<Bq")
_TAG_UINT = Struct("<BQ")
_TAG_FLOAT = Struct("<Bd")
_TAG_COMPLEX = Struct("<Bdd")
_TAG_COUNT = Struct("<BQ")
_U64 = Struct("<Q")
_TAG_TIME = Struct("<BqI")
_TAG_DATE = Struct("<Bq")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIGNED = range(-(1 << 63), 1 << 63)

# The struct module's letters of native numbers: kind and nothing else, as the size is given.
_KINDS = {
    "?": "b",
    **dict.fromkeys("bhilqn", "i"),
    **dict.fromkeys("BHILQN", "u"),
    "c": "u",
    **dict.fromkeys("fdg", "f"),
    **dict.fromkeys(("Zf", "Zd"), "c"),
}
_ELEMENTS = {
    ("b", 1): "bool",
    ("i", 1): "signed char",
    ("i", 2): "short",
    ("i", 4): "int",
    ("i", 8): "long",
    ("u", 1): "unsigned char",
    ("u", 2): "unsigned short",
    ("u", 4): "unsigned int",
    ("u", 8): "unsigned long",
    ("f", 4): "float",
    ("f", 8): "double",
    ("f", 16): "long double",
    ("c", 8): "std::complex<float>",
    ("c", 16): "std::complex<double>",
}


class Elements(NamedTuple):
    """The elements of an array: the letter of their kind, their size in bytes, their C++ type."""

    kind: str
    size: int
    type: str


def elements_of(view: memoryview) -> Elements:
    """Return what an array is made of.

    Raises:
        ArgumentMismatch: C++ has no such numbers.
    """
    letters = view.format.lstrip("@=<") if view.itemsize > 1 else view.format.lstrip("@=<>")
    kind = _KINDS.get(letters, "")
    found = _ELEMENTS.get((kind, view.itemsize))
    if found is None and letters in ("u", "w"):
        raise ArgumentMismatch("an array of characters has no form in C++; give its text, as a str")
    if found is None:
        raise ArgumentMismatch(
            f"an array of elements {view.format!r} of {view.itemsize} bytes has no form in C++;"
            " convert it, for example with .astype(float)"
        )
    return Elements(kind, view.itemsize, found)


class Memory:
    """Memory beside the bytes of a call; kept, as pages that are there already are fast.

    Attributes:
        descriptor: of the memory, -1 while there is none.
        used: bytes of it that the present call needs.
    """

    def __init__(self) -> None:
        self.descriptor = -1
        self.used = 0
        self._size = 0
        self._map: mmap.mmap | None = None

    def begin(self) -> None:
        """Begin the next call."""
        self.used = 0
        if self._size > _KEEP:
            self.close()

    def put(self, view: memoryview) -> int:
        """Copy an array into the memory and return its offset."""
        offset = -(-self.used // _PAGE) * _PAGE
        self.used = offset + view.nbytes
        flat = _flat(view)
        if self.used > self._size:
            self._grow()
        assert self._map is not None
        self._map[offset : self.used] = flat
        return offset

    def get(self, offset: int, into: memoryview) -> None:
        """Copy what the memory holds at an offset back into an array."""
        assert self._map is not None
        with memoryview(self._map) as whole:
            _flat(into)[:] = whole[offset : offset + into.nbytes]

    def _grow(self) -> None:
        if self.descriptor < 0:
            self.descriptor = os.memfd_create("farside", os.MFD_CLOEXEC)
        self._size = -(-self.used // _PAGE) * _PAGE
        os.ftruncate(self.descriptor, self._size)
        if self._map is None:
            self._map = mmap.mmap(self.descriptor, self._size)
        else:
            self._map.resize(self._size)

    def close(self) -> None:
        """Give it back; may be called again."""
        if self._map is not None:
            self._map.close()
            self._map = None
        if self.descriptor >= 0:
            os.close(self.descriptor)
        self.descriptor, self._size, self.used = -1, 0, 0


def _flat(view: memoryview) -> memoryview:
    if not view.c_contiguous or not view.nbytes:
        return memoryview(view.tobytes())
    return view.cast("B")


class CallbackIds(Protocol):
    """Who knows the callables that the program can call."""

    def number(self, function: Callable[..., Any]) -> int:
        """Return the number under which the program calls it."""


class Encoder:
    """Puts values together as bytes.

    Attributes:
        parts: what there is so far.
        memory: where large arrays go; None where the far side cannot be given any.
    """

    def __init__(self, callbacks: CallbackIds, memory: Memory | None) -> None:
        self.parts: list[bytes] = []
        self.memory = memory
        self._callbacks = callbacks

    def value(self, value: object, depth: int = 0) -> None:
        """Append any value.

        Raises:
            ArgumentMismatch: it has no form in C++.
        """
        if depth > MAX_DEPTH:
            raise ArgumentMismatch(f"a value is nested more than {MAX_DEPTH} deep")
        parts = self.parts
        if value is None:
            parts.append(b"\0")
        elif isinstance(value, bool):
            parts.append(b"\1\1" if value else b"\1\0")
        elif isinstance(value, int):
            parts.append(integer(int(value)))
        elif isinstance(value, float):
            parts.append(_TAG_FLOAT.pack(FLOAT, value))
        elif isinstance(value, str):
            self._text(STRING, encoded(value))
        elif isinstance(value, bytes):
            self._text(BYTES, value)
        elif isinstance(value, complex):
            parts.append(_TAG_COMPLEX.pack(COMPLEX, value.real, value.imag))
        elif (scalar := scalar_of(value)) is not None:
            self.value(scalar, depth)
        elif (when := moment(value)) is not None:
            parts.append(when)
        elif (view := array_of(value)) is not None:
            self.array(view)
        elif isinstance(value, Mapping):
            parts.append(_TAG_COUNT.pack(MAP, len(value)))
            for key, mapped in value.items():
                self.value(key, depth + 1)
                self.value(mapped, depth + 1)
        elif isinstance(value, Sequence | AbstractSet):
            self._sequence(value, depth)
        elif isinstance(value, os.PathLike):
            self._text(STRING, os.fsencode(value))
        elif (members := members_of(value)) is not None:
            self._record(members, depth)
        elif callable(value):
            parts.append(_TAG_COUNT.pack(CALLABLE, self._callbacks.number(value)))
        else:
            raise ArgumentMismatch(f"a Python {type(value).__name__} has no form in C++")

    def _text(self, tag: int, text: bytes) -> None:
        self.parts += (_TAG_COUNT.pack(tag, len(text)), text, b"\0")

    def _sequence(self, value: Iterable[Any], depth: int) -> None:
        values = value if isinstance(value, list | tuple) else list(value)
        numbers = homogeneous(values)
        if numbers is not None:
            self.array(memoryview(numbers))
            return
        self.parts.append(_TAG_COUNT.pack(SEQUENCE, len(values)))
        for each in values:
            self.value(each, depth + 1)

    def _record(self, members: Sequence[tuple[str, Any]], depth: int) -> None:
        self.parts.append(_TAG_COUNT.pack(RECORD, len(members)))
        for name, member in members:
            text = name.encode()
            self.parts += (_U64.pack(len(text)), text, b"\0")
            if isinstance(member, Pointer):
                self.parts.append(_TAG_UINT.pack(POINTER, member))
            else:
                self.value(member, depth + 1)

    def array(self, view: memoryview) -> int | None:
        """Append an array; return its offset in the memory beside, None where it is not there."""
        elements = elements_of(view)
        head = bytes((ARRAY, ord(elements.kind), elements.size, view.ndim))
        self.parts += (head, *map(_U64.pack, view.shape or ()))
        if self.memory is None or view.nbytes < LARGE:
            self.parts += (b"\0", view.tobytes())
            return None
        offset = self.memory.put(view)
        self.parts += (b"\1", _U64.pack(offset))
        return offset


def integer(value: int) -> bytes:
    """Return an integer with its tag. Raises ArgumentMismatch beyond 128 bits."""
    if value in _SIGNED:
        return _TAG_INT.pack(INT, value)
    if 0 <= value < 1 << 64:
        return _TAG_UINT.pack(UINT, value)
    if -(1 << 127) <= value < 1 << 128:
        return bytes((WIDE, value < 0)) + (value & ((1 << 128) - 1)).to_bytes(16, "little")
    raise ArgumentMismatch("an int of more than 128 bits: C++ has no integer for it")


def _duration(tag: int, value: timedelta) -> bytes:
    seconds = value.days * 86400 + value.seconds
    return _TAG_TIME.pack(tag, seconds, value.microseconds * 1000)


def moment(value: object) -> bytes | None:
    """Return a duration, time or date with its tag; None for what is none.

    Raises:
        ArgumentMismatch: it cannot be exact in nanoseconds, or does not say its time zone.
    """
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if kind in ("m", "M") and getattr(value, "shape", None) == ():
        return _moment_of_numpy(value, kind)
    if isinstance(value, timedelta):
        return _duration(DURATION, value)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise ArgumentMismatch(
                f"the datetime {value} does not say its time zone; give it one, for example with"
                " .replace(tzinfo=datetime.UTC) or .astimezone()"
            )
        return _duration(TIME, value - _EPOCH)
    if isinstance(value, date):
        return _TAG_DATE.pack(DATE, value.toordinal() - _EPOCH.toordinal())
    return None


# Units of numpy's whose length does not depend on the calendar, in nanoseconds; less is below one.
_UNITS = {
    "W": 604_800 * 10**9,
    "D": 86_400 * 10**9,
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "ns": 1,
}


def _moment_of_numpy(value: Any, kind: str) -> bytes:
    """Return a ``timedelta64`` or ``datetime64`` with its tag."""
    import numpy as np

    unit, multiple = np.datetime_data(value.dtype)
    if np.isnat(value):
        raise ArgumentMismatch(f"a {type(value).__name__} that is NaT has no form in C++")
    if kind == "M" and unit in ("Y", "M", "D"):
        return _TAG_DATE.pack(DATE, int(value.astype("datetime64[D]").astype("int64")))
    length = _UNITS.get(unit)
    if length is None:
        raise ArgumentMismatch(
            f"a {type(value).__name__} in the unit {unit!r} has no form in C++; convert it, for"
            f" example with .astype('{type(value).__name__}[ns]')"
        )
    seconds, rest = divmod(int(value.astype("int64")) * multiple * length, 10**9)
    return _TAG_TIME.pack(DURATION if kind == "m" else TIME, seconds, rest)


def encoded(text: str) -> bytes:
    """Return text as UTF-8. Raises ArgumentMismatch for surrogates that stand alone."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        raise ArgumentMismatch(
            f"the str {shown!r} is no valid text: it has a surrogate that stands alone, at index"
            f" {error.start}; bytes that are no UTF-8 are given as bytes, as from"
            ' text.encode(errors="surrogateescape"), and names of files as a pathlib.Path'
        ) from error


def homogeneous(values: list[Any] | tuple[Any, ...]) -> array[Any] | None:
    """Return numbers of one kind as an array, which is fast to send; None for all else."""
    if not isinstance(values, list) or len(values) < 8:
        return None
    kinds = set(map(type, values))
    try:
        if kinds == {float}:
            return array("d", values)
        if kinds == {int}:
            return array("q", values)
    except OverflowError:
        pass
    return None


def scalar_of(value: object) -> bool | int | float | complex | None:
    """Return a number of another library, such as numpy's, as Python's own; None if it is none."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):
            return None
        found = value.item() if shape == () and hasattr(value, "item") else None
        return found if isinstance(found, bool | int | float | complex) else None
    if not isinstance(value, bool | int) and hasattr(type(value), "__index__"):
        return int(value.__index__())  # type: ignore[attr-defined]
    return None


def array_of(value: object) -> memoryview | None:
    """Return the elements of what is an array (numpy's, `array`, `bytearray`), else None.

    An array of numpy's in the other byte order is converted.

    Raises:
        ArgumentMismatch: some of its elements are masked, which C++ would not see.
    """
    if isinstance(value, bytes):
        return None
    dtype = getattr(value, "dtype", None)
    if dtype is not None and hasattr(value, "compressed") and value.mask.any():  # type: ignore[attr-defined]
        raise ArgumentMismatch(
            "an array with masked elements has no form in C++; give .filled(…) or .compressed()"
        )
    if getattr(dtype, "byteorder", "=") == ">" and hasattr(value, "astype"):
        value = value.astype(dtype.newbyteorder("="))  # type: ignore[union-attr]
    try:
        return memoryview(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, BufferError):
        return None
