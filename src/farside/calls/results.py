"""What a call gave, as Python objects."""

from __future__ import annotations

from struct import Struct

from farside.annotations import TYPE_CHECKING, Any
from farside.result.kinds import ValueKind as Kind
from farside.result.living import living
from farside.result.type_names import written_type
from farside.result.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from farside.result.python import Blocks


_POINTER = 12
_STRING = 18
_BYTES = 34  # the elements of an array that a call may have changed
_I1, _I2, _I4, _I8 = (Struct(f"<{letter}") for letter in "bhiq")
_U1, _U2, _U4, _U8 = (Struct(f"<{letter}") for letter in "BHIQ")
_F4, _F8 = Struct("<f"), Struct("<d")


def _first(unpack: Callable[[bytes], tuple[Any, ...]]) -> Callable[[bytes], Any]:
    return lambda data: unpack(data)[0]


# (kind, size) of plain numbers, which are most of what calls return.
_PLAIN: dict[tuple[int, int], Callable[[bytes], Any]] = {
    (0, 0): lambda _: None,
    (1, 1): lambda data: data != b"\0",
    **{
        (kind, packer.size): _first(packer.unpack)
        for kind, packers in (
            (7, (_I1, _I2, _I4, _I8)),
            (8, (_U1, _U2, _U4, _U8)),
            (9, (_F4,)),
            (10, (_F8,)),
        )
        for packer in packers
    },
}


def python_of(kind: int, data: bytes, blocks: Blocks | None) -> Any:
    """Return a value that the program gave.

    Raises:
        ProtocolError: the bytes do not mean a value.
    """
    plain = _PLAIN.get((kind, len(data)))
    if plain is not None:
        return plain(data)
    if kind == _BYTES:
        return data
    from farside.result.python import to_python

    return to_python(kind, data, blocks=blocks)


def given(
    values: Sequence[tuple[int, bytes]], blocks: Blocks | None, called: str = ""
) -> list[Any]:
    """Return all values that were given, in order.

    An object that has no form in Python is given twice: as what it is, and the address where it
    lives on.

    Args:
        values: as they were sent.
        blocks: the memory that came with them.
        called: what was called, for an object whose type has no other name.

    Raises:
        ProtocolError: the bytes do not mean values.
    """
    found: list[Any] = []
    for kind, data in values:
        if kind == _POINTER and len(data) == 8 and found:
            found[-1] = living(found[-1], int.from_bytes(data, "little"), called)
        elif kind == _STRING:  # only a type is given in this way
            found.append(Value(written_type(data.decode(errors="replace")), Kind.OBJECT, "", None))
        else:
            found.append(python_of(kind, data, blocks))
    return found
