"""LLVM ORC's Simple Packed Serialization (SPS).

Little-endian, no padding, no alignment, no type tags. A codec is a value of this module that stands
for one SPS type; `pack` and `unpack` take a codec for each value::

    pack((ADDR, STRING), (0x1000, "main"))
    unpack((Sequence(U64), BOOL), payload)

Encoding appends pieces to one list that is joined once. Decoding trusts nothing: a count or length
is compared with the bytes that are left before anything is built from it, and whatever is wrong
raises `ProtocolError`, nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from struct import Struct

from farside.annotations import TYPE_CHECKING, Any, Generic, TypeVar
from farside.errors import ProtocolError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Sequence as AbstractSequence

T = TypeVar("T")

_U64 = Struct("<Q")


class Failure(NamedTuple):
    """The other side of ``Expected``: the text of an error."""

    text: str


class AddrRange(NamedTuple):
    """``ExecutorAddrRange``: first address and one past the last."""

    start: int
    end: int


class Reader:
    """A place in a payload. Every step is checked against the end.

    Attributes:
        data: the payload.
        position: offset in bytes of what is read next.
    """

    __slots__ = ("data", "position")

    def __init__(self, data: bytes, position: int = 0) -> None:
        self.data = data
        self.position = position

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self.data) - self.position

    def take(self, layout: Struct) -> tuple[Any, ...]:
        """Read the values of one struct layout."""
        start = self.position
        end = start + layout.size
        if end > len(self.data):
            raise _short(layout.size, len(self.data) - start)
        self.position = end
        return layout.unpack_from(self.data, start)

    def take_bytes(self) -> bytes:
        """Read a ``Sequence<char>``: u64 length and that many bytes."""
        (size,) = self.take(_U64)
        start = self.position
        if size > len(self.data) - start:
            raise _short(size, len(self.data) - start)
        self.position = start + size
        return self.data[start : start + size]

    def take_count(self, smallest: int) -> int:
        """Read a u64 count of elements that take at least `smallest` bytes each, and one at least.

        ORC has no element that takes none; without that a count would be believed.
        """
        (count,) = self.take(_U64)
        least = count * max(smallest, 1)
        if least > self.left:
            raise _short(least, self.left)
        return int(count)


def _short(wanted: int, left: int) -> ProtocolError:
    return ProtocolError(
        f"SPS value of {wanted} bytes or more in a message with {left} bytes left."
    )


class Codec(ABC, Generic[T]):
    """One SPS type.

    Attributes:
        smallest: the least number of bytes that a value takes.
    """

    __slots__ = ()
    smallest = 1

    @abstractmethod
    def encode(self, value: T, out: list[bytes]) -> None:
        """Append the bytes of `value` to `out`."""

    @abstractmethod
    def decode(self, reader: Reader) -> T:
        """Read one value. Raises ProtocolError."""


class _Integer(Codec[int]):
    __slots__ = ("layout", "smallest")

    def __init__(self, letter: str) -> None:
        self.layout = Struct("<" + letter)
        self.smallest = self.layout.size

    def encode(self, value: int, out: list[bytes]) -> None:
        out.append(self.layout.pack(value))

    def decode(self, reader: Reader) -> int:
        return int(reader.take(self.layout)[0])


class _Bool(Codec[bool]):
    __slots__ = ()
    _layout = Struct("<B")

    def encode(self, value: bool, out: list[bytes]) -> None:
        out.append(b"\1" if value else b"\0")

    def decode(self, reader: Reader) -> bool:
        (byte,) = reader.take(self._layout)
        if byte > 1:
            raise ProtocolError(f"SPS bool with the value {byte}.")
        return bool(byte)


class _Bytes(Codec[bytes]):
    __slots__ = ()
    smallest = 8

    def encode(self, value: bytes, out: list[bytes]) -> None:
        out.append(_U64.pack(len(value)))
        out.append(value)

    def decode(self, reader: Reader) -> bytes:
        return reader.take_bytes()


class _String(Codec[str]):
    __slots__ = ()
    smallest = 8

    def encode(self, value: str, out: list[bytes]) -> None:
        BYTES.encode(value.encode("utf-8", "surrogateescape"), out)

    def decode(self, reader: Reader) -> str:
        # What is no UTF-8 stays readable and can be printed anywhere.
        return reader.take_bytes().decode("utf-8", "backslashreplace")


class Sequence(Codec["AbstractSequence[T]"]):
    """``Sequence<T>``: u64 count, then the elements; a list when decoded."""

    __slots__ = ("element",)
    smallest = 8

    def __init__(self, element: Codec[T]) -> None:
        self.element = element

    def encode(self, value: AbstractSequence[T], out: list[bytes]) -> None:
        """Append the count and each element."""
        out.append(_U64.pack(len(value)))
        for item in value:
            self.element.encode(item, out)

    def decode(self, reader: Reader) -> list[T]:
        """Read a list. Raises ProtocolError."""
        decode = self.element.decode
        return [decode(reader) for _ in range(reader.take_count(self.element.smallest))]


class Tuple(Codec[tuple[Any, ...]]):
    """``Tuple<...>``: the elements in order."""

    __slots__ = ("elements", "smallest")

    def __init__(self, *elements: Codec[Any]) -> None:
        self.elements = elements
        self.smallest = sum(element.smallest for element in elements)

    def encode(self, value: tuple[Any, ...], out: list[bytes]) -> None:
        """Append each element."""
        for element, item in zip(self.elements, value, strict=True):
            element.encode(item, out)

    def decode(self, reader: Reader) -> tuple[Any, ...]:
        """Read a tuple. Raises ProtocolError."""
        return tuple([element.decode(reader) for element in self.elements])


class Optional(Codec["T | None"]):
    """``Optional<T>``: a bool, then the value if it is there."""

    __slots__ = ("element",)

    def __init__(self, element: Codec[T]) -> None:
        self.element = element

    def encode(self, value: T | None, out: list[bytes]) -> None:
        """Append the bool and the value."""
        BOOL.encode(value is not None, out)
        if value is not None:
            self.element.encode(value, out)

    def decode(self, reader: Reader) -> T | None:
        """Read the value or None. Raises ProtocolError."""
        return self.element.decode(reader) if BOOL.decode(reader) else None


class Expected(Codec["T | Failure"]):
    """``Expected<T>``: a bool that says whether there is a value, then it or the error's text."""

    __slots__ = ("element",)

    def __init__(self, element: Codec[T]) -> None:
        self.element = element

    def encode(self, value: T | Failure, out: list[bytes]) -> None:
        """Append the bool and the value or text."""
        if isinstance(value, Failure):
            BOOL.encode(False, out)
            STRING.encode(value.text, out)
        else:
            BOOL.encode(True, out)
            self.element.encode(value, out)

    def decode(self, reader: Reader) -> T | Failure:
        """Read the value, or a Failure. Raises ProtocolError."""
        if BOOL.decode(reader):
            return self.element.decode(reader)
        return Failure(STRING.decode(reader))


class _Error(Codec["Failure | None"]):
    """``Error``: a bool that says whether there is an error (not, as for Expected, a value)."""

    __slots__ = ()

    def encode(self, value: Failure | None, out: list[bytes]) -> None:
        BOOL.encode(value is not None, out)
        if value is not None:
            STRING.encode(value.text, out)

    def decode(self, reader: Reader) -> Failure | None:
        return Failure(STRING.decode(reader)) if BOOL.decode(reader) else None


class _AddrRange(Codec[AddrRange]):
    __slots__ = ()
    smallest = 16
    _layout = Struct("<QQ")

    def encode(self, value: AddrRange, out: list[bytes]) -> None:
        out.append(self._layout.pack(*value))

    def decode(self, reader: Reader) -> AddrRange:
        return AddrRange(*reader.take(self._layout))


U8, U16, U32, U64 = _Integer("B"), _Integer("H"), _Integer("I"), _Integer("Q")
I8, I16, I32, I64 = _Integer("b"), _Integer("h"), _Integer("i"), _Integer("q")
ADDR = U64
BOOL = _Bool()
BYTES = _Bytes()
STRING = _String()
ERROR = _Error()
ADDR_RANGE = _AddrRange()
SYMBOL_FLAGS = Tuple(U8, U8)
SYMBOL_DEF = Tuple(ADDR, SYMBOL_FLAGS)


def pack(codecs: Iterable[Codec[Any]], values: Iterable[Any]) -> bytes:
    """Return the values, each encoded by its codec."""
    out: list[bytes] = []
    for codec, value in zip(codecs, values, strict=True):
        codec.encode(value, out)
    return b"".join(out)


def unpack(codecs: Iterable[Codec[Any]], payload: bytes) -> tuple[Any, ...]:
    """Read one value for each codec. Bytes after the last are ignored, as LLVM does.

    Raises:
        ProtocolError: the payload is not what the codecs say.
    """
    reader = Reader(payload)
    return tuple([codec.decode(reader) for codec in codecs])
