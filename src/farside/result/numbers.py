"""Arrays of numbers, as numpy has them, or as Python has without numpy."""

from __future__ import annotations

import mmap
from array import array
from struct import Struct

from farside.annotations import Any
from farside.errors import ProtocolError
from farside.result.kinds import ValueKind as Kind

Buffer = bytes | bytearray | memoryview | mmap.mmap

_HEAD = Struct("<BBQ")
_MOST_DIMENSIONS = 32  # numpy's

# By kind and bytes of an element: numpy's name of the type, and the letter of Python's own arrays.
_TYPES = {
    (Kind.BOOL, 1): ("?", ""),
    (Kind.INT, 1): ("<i1", "b"),
    (Kind.INT, 2): ("<i2", "h"),
    (Kind.INT, 4): ("<i4", "i"),
    (Kind.INT, 8): ("<i8", "q"),
    (Kind.UINT, 1): ("<u1", "B"),
    (Kind.UINT, 2): ("<u2", "H"),
    (Kind.UINT, 4): ("<u4", "I"),
    (Kind.UINT, 8): ("<u8", "Q"),
    (Kind.FLOAT, 2): ("<f2", "e"),
    (Kind.FLOAT, 4): ("<f4", "f"),
    (Kind.DOUBLE, 8): ("<f8", "d"),
    (Kind.LDOUBLE, 16): ("longdouble", ""),
    (Kind.COMPLEX, 8): ("<c8", ""),
    (Kind.COMPLEX, 16): ("<c16", ""),
}

ELEMENTS = {
    "bool": "bool",
    "int8": "signed char",
    "int16": "short",
    "int32": "int",
    "int64": "long",
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "unsigned int",
    "uint64": "unsigned long",
    "float32": "float",
    "float64": "double",
    "complex64": "std::complex<float>",
    "complex128": "std::complex<double>",
}
"""C++'s names of numbers, by numpy's."""


def numbers(head: bytes, memory: Buffer | None) -> Any:
    """Return an array that can be written to.

    Args:
        head: kind, number of dimensions, size of an element, the dimensions, and, unless they lie
            in `memory`, the elements.
        memory: holds them, and is kept by the array that is returned.

    Raises:
        ProtocolError: they do not fit together.
    """
    if len(head) < _HEAD.size:
        raise ProtocolError("the far side gave numbers without their head")
    kind, dimensions, size = _HEAD.unpack_from(head)
    names = _TYPES.get((kind, size))
    start = _HEAD.size + 8 * dimensions
    if names is None or not 0 < dimensions <= _MOST_DIMENSIONS or len(head) < start:
        raise ProtocolError(f"the far side gave numbers of the kind {kind} with {size} bytes")
    shape = Struct(f"<{dimensions}Q").unpack_from(head, _HEAD.size)
    content: Buffer = bytearray(memoryview(head)[start:]) if memory is None else memory
    count = 1
    for dimension in shape:
        count *= dimension
    if count * size != len(content) or (memory is not None and len(head) != start):
        raise ProtocolError("the far side gave more numbers, or fewer, than it said")
    try:
        import numpy
    except ImportError:
        return _nested(_plain(kind, names[1], content, size), shape)
    return numpy.frombuffer(content, dtype=numpy.dtype(names[0])).reshape(shape)


def _plain(kind: int, letter: str, content: Buffer, size: int) -> Any:
    """Return the numbers in one array, or a list where Python's arrays have no such type."""
    if letter and letter != "e":
        made: Any = array(letter)
        made.frombytes(content)
        return made
    from farside.result.python import to_python

    whole = bytes(content)
    return [to_python(kind, whole[at : at + size]) for at in range(0, len(whole), size)]


def _nested(flat: Any, shape: tuple[int, ...]) -> Any:
    """Return lists of lists for all dimensions but the last."""
    if len(shape) == 1:
        return flat
    step = len(flat) // shape[0] if shape[0] else 0
    return [_nested(flat[at * step : (at + 1) * step], shape[1:]) for at in range(shape[0])]
