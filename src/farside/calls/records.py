"""Objects of members within other values: copies of what C++ gave, and Python's dataclasses.

The program reads them by the names of their members (``native/include/farside/call_records.h``). A
copy that is an argument of its own is made again by code that is written for it, which can do more:
see `farside.calls.copies`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass

from farside.annotations import Any
from farside.errors import ArgumentMismatch
from farside.result.members import Base
from farside.result.objects import CppObject, nested
from farside.result.value import Value

_DEEPEST = 8  # as `farside.calls.arguments.cpp_type` looks
_NO_RECORDS = frozenset((bool, int, float, complex, str, bytes, type(None)))


def is_record(value: object) -> bool:
    """Tell whether a value is an object of members.

    A class is none, nor what can be called, nor farside's own, which stand for something else.
    """
    if isinstance(value, CppObject):
        return True
    foreign = type(value).__module__.partition(".")[0] != "farside"
    return is_dataclass(value) and foreign and not callable(value)


def members_of(value: object) -> list[tuple[str, Any]] | None:
    """Return the members of a record with their names in C++, None for any other value.

    Raises:
        ArgumentMismatch: one has no form in C++.
    """
    if not is_record(value):
        return None
    if not isinstance(value, CppObject):
        assert is_dataclass(value)
        return [(each.name, getattr(value, each.name)) for each in fields(value)]
    found = _flat(value.__cpp_type__, nested(value))
    for name, member in found:
        if isinstance(member, Value):
            raise _not_again(value.__cpp_type__, f"its member {name} has no form in Python")
    return found


def _flat(kind: str, parts: list[tuple[str | Base, Any]]) -> list[tuple[str, Any]]:
    """Return members, with those of the base class if it alone has any.

    Raises:
        ArgumentMismatch: members stand in several classes.
    """
    found: list[list[tuple[str, Any]]] = []
    own: list[tuple[str, Any]] = []
    for part, member in parts:
        if isinstance(part, str):
            own.append((part, member))
        elif part.parts is None:
            raise _not_again(kind, f"its base class {part.type} is none of members")
        else:
            found.append(_flat(part.type, member))
    with_members = [each for each in (*found, own) if each]
    if len(with_members) > 1:
        raise _not_again(kind, "it has base classes with members")
    return with_members[0] if with_members else []


def _not_again(kind: str, why: str) -> ArgumentMismatch:
    return ArgumentMismatch(
        f"an object of {kind} cannot be made again within another value: {why}; make it in the"
        " program, with session.new"
    )


def holds_record(value: object, depth: int = 0) -> bool:
    """Tell whether a value is a record or has one in it.

    Raises:
        ArgumentMismatch: the first that is found cannot be made again.
    """
    if is_record(value):
        members_of(value)
        return True
    if depth > _DEEPEST or isinstance(value, str | bytes):
        return False
    if isinstance(value, Mapping):
        return holds_record(list(value), depth) or holds_record(list(value.values()), depth)
    if isinstance(value, Sequence | AbstractSet) and not hasattr(value, "dtype"):
        kinds = set(map(type, value))
        return not kinds <= _NO_RECORDS and any(holds_record(each, depth + 1) for each in value)
    return False
