"""Python values as C++ source: declarations of variables that hold them."""

from __future__ import annotations

from datetime import timedelta
from math import isnan
from pathlib import PurePath

from farside.annotations import Any
from farside.errors import OptionError
from farside.result.members import Base
from farside.result.numbers import ELEMENTS
from farside.result.objects import CppObject, Enumerator, Pointer, nested
from farside.result.value import Value

_MOST = 100_000  # elements that are written down in source

_INTEGERS = (
    ("int", range(-(1 << 31), 1 << 31)),
    ("long", range(-(1 << 63), 1 << 63)),
    ("unsigned long", range(1 << 64)),
    ("__int128", range(-(1 << 127), 1 << 127)),
    ("unsigned __int128", range(1 << 128)),
)

_SUFFIXES = {"int": "", "long": "L", "unsigned long": "UL"}

_HEADERS = {
    "std::string": "string",
    "std::vector": "vector",
    "std::map": "map",
    "std::set": "set",
    "std::tuple": "tuple",
    "std::complex": "complex",
    "std::nullptr_t": "cstddef",
    "std::filesystem": "filesystem",
    "std::chrono": "chrono",
}


def declaration(name: str, value: object) -> str:
    """Return C++ source that defines a variable which holds a Python value.

    Args:
        name: of the variable.
        value: see docs/python.md for what becomes what.

    Raises:
        OptionError: it has no form in C++.
    """
    if isinstance(value, Value):
        if not value.name:
            raise OptionError(f"{name}: this value is not alive on the far side")
        return f"auto &&{name} = {value.name};"
    try:
        kind = cpp_type(value)
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from None
    headers = "".join(
        f"#include <{header}>\n" for start, header in _HEADERS.items() if start in kind
    )
    return f"{headers}{kind} {name} = {initialiser(value, kind)};"


def cpp_type(value: Any) -> str:
    """Return the C++ type that fits a Python value.

    Raises:
        OptionError: there is none.
    """
    match value:
        case None:
            return "std::nullptr_t"
        case bool():
            return "bool"
        case Enumerator() | Pointer():
            return value.type
        case int():
            return _integer(value)
        case float():
            return "double"
        case complex():
            return "std::complex<double>"
        case str():
            return "std::string"
        case bytes() | bytearray():
            return "std::vector<unsigned char>"
        case CppObject():
            return value.__cpp_type__
        case PurePath():
            return "std::filesystem::path"
        case timedelta():
            return "std::chrono::microseconds"
        case tuple():
            return f"std::tuple<{', '.join(map(cpp_type, value))}>"
        case dict():
            return f"std::map<{_common(list(value))}, {_common(list(value.values()))}>"
        case set() | frozenset():
            return f"std::set<{_common(list(value))}>"
        case list():
            return f"std::vector<{_common(value)}>"
    dtype = getattr(value, "dtype", None)
    element = ELEMENTS.get(getattr(dtype, "name", ""))
    if element is None:
        raise OptionError(f"a Python {type(value).__name__} has no form in C++")
    for _ in value.shape:
        element = f"std::vector<{element}>"
    return element


def _integer(value: int) -> str:
    for name, numbers in _INTEGERS:
        if value in numbers:
            return name
    raise OptionError("an int does not fit 128 bits")


def _common(values: list[Any]) -> str:
    """Return one type for all elements of a container."""
    if not values:
        return "int"
    kinds = set(map(cpp_type, values))
    if len(kinds) == 1:
        return kinds.pop()
    integers = {name for name, _ in _INTEGERS}
    if kinds <= integers:
        for name, numbers in _INTEGERS:
            if all(each in numbers for each in values):
                return name
    elif kinds <= {*integers, "double"}:
        return "double"
    raise OptionError(f"the elements are of several types in C++: {', '.join(sorted(kinds))}")


def initialiser(value: Any, kind: str = "") -> str:
    """Return what a variable is initialised with.

    Args:
        value: the Python value.
        kind: the type of the variable.

    Raises:
        OptionError: it is too large for source.
    """
    match value:
        case None:
            return "nullptr"
        case bool():
            return "true" if value else "false"
        case Pointer():
            return f"({value.type}){int(value):#x}"
        case Enumerator():
            return f"({value.type}){int(value)}"
        case int():
            return _number(value)
        case float():
            return _floating(value)
        case complex():
            return f"{{{_floating(value.real)}, {_floating(value.imag)}}}"
        case str():
            return f"std::string({_string(value)}, {len(_bytes(value))})"
        case bytes() | bytearray():
            return _braced([str(each) for each in value])
        case PurePath():
            return f"std::filesystem::path({initialiser(str(value))})"
        case timedelta():
            return f"std::chrono::microseconds({value // timedelta(microseconds=1)}L)"
        case CppObject():
            return _parts(nested(value))
        case dict():
            return _braced(
                [f"{{{initialiser(key)}, {initialiser(each)}}}" for key, each in value.items()]
            )
        case list() | tuple() | set() | frozenset():
            return _braced([initialiser(each) for each in value])
    if hasattr(value, "tolist"):
        found = value.tolist()
        return initialiser(found) if isinstance(found, list) else f"{kind}({initialiser(found)})"
    raise OptionError(f"a Python {type(value).__name__} has no form in C++")


def _parts(parts: list[tuple[str | Base, Any]]) -> str:
    return _braced(
        [
            _parts(each) if isinstance(part, Base) and part.parts is not None else initialiser(each)
            for part, each in parts
        ]
    )


def _number(value: int) -> str:
    if value in (-(2**31), -(2**63), -(2**127)):
        return f"({_number(value + 1)} - 1)"  # the smallest number has no literal of its own
    kind = _integer(value)
    if kind.endswith("__int128"):
        high, low = divmod(abs(value), 1 << 64)
        sign = "-" if value < 0 else ""
        return f"{sign}(({kind}){high}UL << 64 | {low}UL)"
    return f"{value}{_SUFFIXES[kind]}"


def _floating(value: float) -> str:
    if isnan(value):
        return '__builtin_nan("")'
    if value in (float("inf"), float("-inf")):
        return f"{'-' if value < 0 else ''}__builtin_inf()"
    return repr(value)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _string(text: str) -> str:
    """Return a literal; three octal digits end an escape wherever they stand."""
    return (
        '"'
        + "".join(
            chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}"
            for byte in _bytes(text)
        )
        + '"'
    )


def _braced(parts: list[str]) -> str:
    if len(parts) > _MOST:
        raise OptionError(f"{len(parts)} elements are too many to be written as C++ source")
    return f"{{{', '.join(parts)}}}"
