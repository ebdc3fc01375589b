"""What C++ has and Python does not: objects of classes, enumerators, pointers, errors as values."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from functools import lru_cache
from keyword import iskeyword

from farside.annotations import TYPE_CHECKING, Any, ClassVar
from farside.result.members import Base, Parts, kept, names_of, parts_of, virtual_bases
from farside.result.text import text_literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self

_MOST_SHOWN = 100  # elements in a repr


class CppObject:
    """A copy of an object of a C++ class, with its data members as attributes.

    Each C++ class has a subclass of its own, a frozen dataclass: `dataclasses.fields`, ``asdict``
    and ``replace`` work, objects of one class with equal members are equal. Members of base classes
    come first; one that C++ does not find under its plain name is called ``Base__name``. A name
    that Python cannot have, such as a keyword, has an underscore added.

    Attributes:
        __cpp_type__: the name of the class.
        __cpp_parts__: what it is made of in C++.
        __cpp_names__: the names of the attributes.
    """

    __cpp_type__: ClassVar[str] = ""
    __cpp_parts__: ClassVar[Parts] = ()
    __cpp_names__: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return f"({self.__cpp_type__}) {cpp_text(self)}"

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(map(_same, vars(self).values(), vars(other).values()))

    def __hash__(self) -> int:
        return hash((type(self), *map(hashable, vars(self).values())))

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class is made when it is needed, in another process as well.
        return _again, (self.__cpp_type__, self.__cpp_parts__, tuple(vars(self).values()))


class Enumerator(int):
    """The value of an enumeration: an `int` that knows its name.

    Attributes:
        name: the enumerator without its scope; empty for a number that has none.
        type: the enumeration.
    """

    name: str
    type: str

    def __new__(cls, number: int, name: str = "", type: str = "") -> Self:
        """Make one of a number."""
        made = super().__new__(cls, number)
        made.name, made.type = name, type
        return made

    def __repr__(self) -> str:
        return f"{self.type}::{self.name}" if self.name else f"({self.type}) {int(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Enumerator, (int(self), self.name, self.type)

    __str__ = __repr__


class Pointer(int):
    """An address in the program, as an `int`. A null pointer is None.

    Attributes:
        type: the pointer's C++ type.
    """

    type: str

    def __new__(cls, address: int, type: str = "") -> Self:
        """Make one of an address."""
        made = super().__new__(cls, address)
        made.type = type
        return made

    def __repr__(self) -> str:
        return f"({self.type}) {int(self):#x}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Pointer, (int(self), self.type)

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Unexpected:
    """What a ``std::expected`` holds in place of its value.

    Attributes:
        error: the error.
    """

    error: object


def make_object(type_name: str, labels: Sequence[str], values: Sequence[Any]) -> CppObject:
    """Return an object of a C++ class.

    Args:
        type_name: of the class.
        labels: of its parts: a member's name; ``<Base>`` or ``<virtual Base>`` for a base class.
        values: of the parts.

    Raises:
        ProtocolError: a name is none, or is there twice.
    """
    bases: list[Parts | None] = []
    flat: list[Any] = []
    for label, value in zip(labels, values, strict=True):
        if not label.startswith("<"):
            flat.append(value)
        elif isinstance(value, CppObject):
            bases.append(value.__cpp_parts__)
            flat += vars(value).values()
        else:
            bases.append(None)
            flat.append(value)
    made, places = _plan(type_name, tuple(labels), tuple(bases))
    return _filled(made, flat if places is None else [flat[at] for at in places])


@lru_cache(maxsize=4096)
def _plan(
    type_name: str, labels: tuple[str, ...], bases: tuple[Parts | None, ...]
) -> tuple[type[CppObject], list[int] | None]:
    """Return the class of an object, and which values it has if not all."""
    parts = parts_of(labels, bases)
    places = kept(parts)
    return _class_of(type_name, parts), places if virtual_bases(parts) else None


def _filled(made: type[CppObject], values: Iterable[Any]) -> CppObject:
    found = object.__new__(made)
    vars(found).update(zip(made.__cpp_names__, values, strict=True))
    return found


def _again(type_name: str, parts: Parts, values: Iterable[Any]) -> CppObject:
    return _filled(_class_of(type_name, parts), values)


@lru_cache(maxsize=4096)
def _class_of(type_name: str, parts: Parts) -> type[CppObject]:
    short = type_name.partition("<")[0].rpartition("::")[2]
    names = names_of(parts)
    return make_dataclass(
        short if short.isidentifier() and not iskeyword(short) else "CppObject",
        names,
        bases=(CppObject,),
        namespace={
            "__cpp_type__": type_name,
            "__cpp_parts__": parts,
            "__cpp_names__": names,
            "__doc__": f"A copy of an object of {type_name}.",
        },
        frozen=True,
        repr=False,
        eq=False,
    )


def nested(value: CppObject) -> list[tuple[str | Base, Any]]:
    """Return an object's parts as C++ has them.

    Returns:
        Names of members with their values; base classes with lists of the same kind, or with their
        value where they have no members in Python. What is of a virtual base is there once.
    """
    values = iter(vars(value).values())
    known: set[str] = set()

    def walk(parts: Parts) -> list[tuple[str | Base, Any]]:
        found: list[tuple[str | Base, Any]] = []
        for part in parts:
            if isinstance(part, Base) and part.virtual:
                if part.type in known:
                    continue
                known.add(part.type)
            within = part.parts if isinstance(part, Base) else None
            found.append((part, next(values) if within is None else walk(within)))
        return found

    return walk(value.__cpp_parts__)


def _same(value: Any, other: Any) -> bool:
    """Return whether two values are equal. Two arrays of numpy's say that of each element."""
    if value is other:
        return True
    if isinstance(value, list | tuple) and type(value) is type(other):
        return len(value) == len(other) and all(map(_same, value, other))
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(
            _same(each, other[key]) for key, each in value.items()
        )
    shape = getattr(value, "shape", None)
    if shape != getattr(other, "shape", None):
        return False
    return bool(value == other if shape is None else (value == other).all())


def hashable(value: Any) -> Any:
    """Return what stands for a value as a key: tuples for lists and arrays, and so on.

    What is equal stays equal.
    """
    try:
        hash(value)
    except TypeError:
        pass
    else:
        return value
    if isinstance(value, dict):
        return frozenset((key, hashable(each)) for key, each in value.items())
    if isinstance(value, set):
        return frozenset(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    return tuple(map(hashable, value)) if isinstance(value, list | tuple) else str(value)


def cpp_text(value: Any) -> str:
    """Return a value as C++ would write it, and farside shows it."""
    match value:
        case None:
            return "nullptr"
        case bool():
            return "true" if value else "false"
        case str():
            return text_literal(value)
        case CppObject():
            return _braced([f"{name} = {cpp_text(each)}" for name, each in vars(value).items()])
        case dict():
            return _braced([f"{cpp_text(key)} => {cpp_text(each)}" for key, each in value.items()])
        case list() | tuple() | set() | frozenset():
            return _braced([cpp_text(each) for each in list(value)[:_MOST_SHOWN]], len(value))
        case _ if hasattr(value, "tolist"):
            return cpp_text(value[:_MOST_SHOWN].tolist())
    return repr(value)


def _braced(parts: list[str], count: int = 0) -> str:
    more = [f"… {count - len(parts)} more"] if count > len(parts) else []
    return f"{{ {', '.join(parts + more)} }}" if parts else "{}"
