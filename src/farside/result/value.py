"""Values that the far side shows: bytes of a known kind, their text and their Python counterpart.

The text is what Clang-Repl prints in process, with four differences, each on purpose:

* control characters and bytes that are not UTF-8 are escaped as in a C++ literal, so that nothing
  from the far side reaches a terminal raw;
* ``char8_t``, ``char16_t``, ``char32_t``, ``wchar_t``, ``__int128``, ``_Float16`` and ``nullptr``,
  on which Clang-Repl 22 crashes or prints an error of its own, look like the literal that denotes
  them;
* a ``long double`` is shown with its own value (Clang-Repl 22 prints ``0.0L`` for ``1.0L``);
* a ``std::string``, and all else that is made of other values, shows what it holds instead of its
  address (`farside.result.tree`).

The kinds are those of ``native/include/farside/value_kinds.h``. The bytes come from the process
that runs user code and are checked here: a size that does not fit the kind is a `ProtocolError`.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Any, NoReturn
from farside.errors import ProtocolError
from farside.result.floats import decode_float
from farside.result.kinds import ValueKind
from farside.result.text import (
    STRING_LIMIT,
    char_literal,
    string_literal,
    wide_char_literal,
)

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from farside.result.tree import Node

__all__ = ["STRING_LIMIT", "PythonValue", "Value", "ValueKind", "decode_value"]


PythonValue = bool | int | float | complex | str | bytes | None


class Value:
    """A value as farside shows it: of a cell's last expression, or one without a Python form.

    It cannot be changed. No dataclass, which the first result would wait for, and no named tuple,
    since tuples are what `std::tuple` becomes in Python.

    Attributes:
        type: the C++ type as Clang spells it.
        kind: how the far side sent it.
        text: the value without its type.
        python: the natural Python object: bool, int, float, complex, str, bytes (a string that is
            not UTF-8), or None where there is none or it would not be the whole value. What is
            wider than a ``double`` is rounded to one.
        bundle: texts by MIME type, where the type has a ``mime_bundle``; binary ones in base64.
        problem: what ended the display before its end, such as a crash, else empty.
        tree: what a value made of others is made of, else None.
        name: the C++ expression that denotes the value, where it is still alive and a Python
            program may use it: ``session.eval(f"{value}.size()")``. Else empty.
    """

    __match_args__ = ("type", "kind", "text", "python", "bundle", "problem", "tree", "name")
    __slots__ = __match_args__

    type: str
    kind: ValueKind
    text: str
    python: PythonValue
    bundle: Mapping[str, str]
    problem: str
    tree: Node | None
    name: str

    def __init__(  # noqa: PLR0917
        self,
        type: str,
        kind: ValueKind,
        text: str,
        python: PythonValue,
        bundle: Mapping[str, str] | None = None,
        problem: str = "",
        tree: Node | None = None,
        name: str = "",
    ) -> None:
        given = (type, kind, text, python, bundle or {}, problem, tree, name)
        for field, each in zip(self.__match_args__, given, strict=True):
            object.__setattr__(self, field, each)

    def with_(self, **changes: Any) -> Value:
        """Return a copy with the given attributes replaced."""
        return Value(**{**dict(zip(self.__match_args__, self._all(), strict=True)), **changes})

    def _all(self) -> tuple[Any, ...]:
        return tuple([getattr(self, field) for field in self.__match_args__])

    def __setattr__(self, name: str, _: object) -> NoReturn:
        raise AttributeError(f"the {name} of a value cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"the {name} of a value cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return self._all() == other._all() if isinstance(other, Value) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it cannot be the key of a dict

    def __repr__(self) -> str:
        fields = zip(self.__match_args__, self._all(), strict=True)
        return f"Value({', '.join([f'{field}={each!r}' for field, each in fields])})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Value, self._all()

    def __str__(self) -> str:
        return f"({self.type}) {self.text}"

    def __format__(self, spec: str) -> str:
        """Return the name, so that an f-string of C++ code can mention the value; else the text."""
        return format(self.name or str(self), spec)


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
    if known is ValueKind.TREE:
        return _tree_value(data, type_name)
    _check_size(known, data, type_name)
    if known is ValueKind.NONE:
        return None
    if known in (ValueKind.ENUM, ValueKind.UENUM):
        number = int.from_bytes(data, "little", signed=known is ValueKind.ENUM)
        text = _enum_text(number, (enumerators or {}).get(number, ""), underlying)
        return Value(type_name, known, text, number)
    text, python = _decode(known, data, type_name)
    return Value(type_name, known, text, python)


def _check_size(kind: ValueKind, data: bytes, type_name: str) -> None:
    if len(data) not in _SIZES.get(kind, ()):
        raise ProtocolError(
            f"the far side sent {len(data)} bytes as a value of kind {kind.name} ({type_name})"
        )


def _tree_value(data: bytes, type_name: str) -> Value:
    """Read a value made of others."""
    from farside.result.bundle import bundle_of
    from farside.result.tree import parse_tree, tree_text

    def leaf(kind: ValueKind, data: bytes) -> str:
        _check_size(kind, data, type_name)
        return _decode(kind, data, "")[0]

    root, problem = parse_tree(data)
    bundle: Mapping[str, str] = {}
    if root is not None and root.children[0].kind is ValueKind.BUNDLE:
        formats = root.children.pop(0)
        bundle = bundle_of(formats)
        if formats.cut and not problem:
            problem = "left out formats beyond 15 MiB"
    if root is None or not root.children:
        return Value(
            type_name, ValueKind.TREE, f"<display {problem or 'is empty'}>", None, bundle, problem
        )
    node = root.children[0]
    text = tree_text(node, leaf)
    if problem:
        text = f"{'' if text == '…' else text + ' '}<display {problem}>"
    python: PythonValue = None
    kind = ValueKind.TREE
    if node.kind in _SIZES:
        _check_size(node.kind, node.data, type_name)
        python, kind = _decode(node.kind, node.data, type_name)[1], node.kind
    return Value(type_name, kind, text, python, bundle, problem, node)


_INTEGER = range(1, 1025)
_ENUMERATOR = range(1, 17)
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
    ValueKind.ENUM: _ENUMERATOR,
    ValueKind.UENUM: _ENUMERATOR,
    ValueKind.CSTR: range(STRING_LIMIT + 2),
    ValueKind.CSTR_NULL: (0,),
    ValueKind.STRING: range(STRING_LIMIT + 2),
    ValueKind.OBJECT: _ADDRESS,
    ValueKind.COMPLEX: (4, 8, 16, 32),
    ValueKind.STRING8: range(STRING_LIMIT + 2),
    ValueKind.STRING16: range(0, STRING_LIMIT + 3, 2),
    ValueKind.STRING32: range(0, STRING_LIMIT + 5, 4),
    ValueKind.WSTRING: range(0, STRING_LIMIT + 5, 4),
    ValueKind.FUNCTION: _ADDRESS,
}

_STRINGS = {
    ValueKind.STRING8: ("u8", 1),
    ValueKind.STRING16: ("u", 2),
    ValueKind.STRING32: ("U", 4),
    ValueKind.WSTRING: ("L", 4),
}

_PREFIXES = {
    ValueKind.CHAR8: "u8",
    ValueKind.CHAR16: "u",
    ValueKind.CHAR32: "U",
    ValueKind.WCHAR: "L",
}


def _decode(kind: ValueKind, data: bytes, type_name: str) -> tuple[str, PythonValue]:
    unsigned = int.from_bytes(data, "little")
    match kind:
        case ValueKind.BOOL:
            return ("true" if unsigned else "false"), bool(unsigned)
        case ValueKind.CHAR:
            return char_literal(unsigned), chr(unsigned)
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
            return f"{unsigned:#x}", unsigned
        case ValueKind.FUNCTION:
            return f"Function @{unsigned:#x}" if unsigned else "0x0", unsigned
        case ValueKind.CSTR | ValueKind.STRING:
            return string_literal(data)
        case _ if kind in _STRINGS:
            prefix, unit = _STRINGS[kind]
            return string_literal(data, prefix, unit)
        case ValueKind.CSTR_NULL:
            return "0", None
        case ValueKind.NULLPTR:
            return "nullptr", None
        case ValueKind.OBJECT:
            return f"@{unsigned:#x}", None
        case ValueKind.ENUM | ValueKind.UENUM:
            number = int.from_bytes(data, "little", signed=kind is ValueKind.ENUM)
            return str(number), number
        case _:
            return wide_char_literal(_PREFIXES[kind], unsigned)


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
