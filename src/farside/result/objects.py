"""What C++ has and Python does not: objects of classes, enumerators, pointers, errors as values."""

from __future__ import annotations

from dataclasses import dataclass, fields, make_dataclass
from functools import lru_cache
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, ClassVar

from farside.errors import ProtocolError
from farside.result.text import string_literal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

_MOST_SHOWN = 100  # elements in a repr


class CppObject:
    """A copy of an object of a C++ class, with its data members as attributes.

    Each C++ class has a subclass of its own, a frozen dataclass: `dataclasses.fields`, ``asdict``
    and ``replace`` work, objects of one class with equal members are equal. Members of base classes
    come first; one that a class hides is called ``Base__name``. A name that is a keyword of
    Python's has an underscore added.

    Attributes:
        __cpp_type__: the name of the class.
    """

    __cpp_type__: ClassVar[str] = ""

    def __repr__(self) -> str:
        return f"({self.__cpp_type__}) {cpp_text(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Its class is made when it is needed, in another process as well.
        return _again, (self.__cpp_type__, vars(self))


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
        labels: of the members; ``<Base>`` for the part that is a base class.
        values: of the members.

    Raises:
        ProtocolError: a name is none, or is there twice.
    """
    members: dict[str, Any] = {}
    for label, value in zip(labels, values, strict=True):
        if not label.startswith("<"):
            continue
        if isinstance(value, CppObject):
            members.update(vars(value))
        else:
            members[_identifier(label.strip("<>").partition("<")[0].rpartition("::")[2])] = value
    inherited = dict(members)
    for label, value in zip(labels, values, strict=True):
        if label.startswith("<"):
            continue
        name = _identifier(label)
        if name in inherited:
            base = _origin(labels, values, name)
            members[f"{base}__{name}"] = inherited.pop(name)
        elif name in members:
            raise ProtocolError(f"the far side gave two members with the name {name}")
        members[name] = value
    return _again(type_name, members)


def _again(type_name: str, members: dict[str, Any]) -> CppObject:
    made: CppObject = object.__new__(_class_of(type_name, tuple(members)))
    vars(made).update(members)
    return made


def _origin(labels: Sequence[str], values: Sequence[Any], name: str) -> str:
    """Return the short name of the base class that a member is inherited from."""
    for label, value in zip(labels, values, strict=True):
        if label.startswith("<") and isinstance(value, CppObject) and name in vars(value):
            short = label.strip("<>").partition("<")[0].rpartition("::")[2]
            return short if short.isidentifier() else "base"
    return "base"


def _identifier(label: str) -> str:
    if not label.isidentifier():
        raise ProtocolError("the far side gave a member whose name is none")
    return label + "_" if iskeyword(label) or label.startswith("__") else label


@lru_cache(maxsize=4096)
def _class_of(type_name: str, names: tuple[str, ...]) -> type[CppObject]:
    short = type_name.partition("<")[0].rpartition("::")[2]
    return make_dataclass(
        short if short.isidentifier() and not iskeyword(short) else "CppObject",
        names,
        bases=(CppObject,),
        namespace={"__cpp_type__": type_name, "__doc__": f"A copy of an object of {type_name}."},
        frozen=True,
        repr=False,
    )


def hashable(value: Any) -> Any:
    """Return what stands for a value as a key: tuples for lists and arrays, and so on."""
    try:
        hash(value)
    except TypeError:
        pass
    else:
        return value
    if isinstance(value, dict):
        return tuple((key, hashable(each)) for key, each in value.items())
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, CppObject):
        names = [each.name for each in fields(value)]  # type: ignore[arg-type]
        return make_object(
            value.__cpp_type__, names, [hashable(getattr(value, name)) for name in names]
        )
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
            return string_literal(value.encode(errors="surrogateescape"))[0]
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
