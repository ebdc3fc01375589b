"""What annotations, and classes for type checkers, need of `typing`.

`typing` takes as long to import as the linker, and a class that derives from its `Protocol` or
`Generic` as long to make as three others. Nothing here is asked for its types at run time, so
type checkers are given the originals, and Python what lets a module be read. `dataclasses` knows
`typing.ClassVar` alone.
"""

from __future__ import annotations

__all__ = [
    "IO",
    "TYPE_CHECKING",
    "Any",
    "ClassVar",
    "Final",
    "Generic",
    "Literal",
    "NoReturn",
    "ParamSpec",
    "Protocol",
    "TextIO",
    "TypeAlias",
    "TypeVar",
    "cast",
    "get_args",
    "overload",
]

TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import (
        IO,
        Any,
        ClassVar,
        Final,
        Generic,
        Literal,
        NoReturn,
        ParamSpec,
        Protocol,
        TextIO,
        TypeAlias,
        TypeVar,
        cast,
        get_args,
        overload,
    )
else:
    IO = Any = ClassVar = Final = NoReturn = TextIO = TypeAlias = object

    class _Base:
        __slots__ = ()

        def __class_getitem__(cls, parameters):
            return cls

    class Protocol(_Base):
        """A base of what is satisfied by whatever has the same methods."""

        __slots__ = ()

    class Generic(_Base):
        """A base of what has type parameters."""

        __slots__ = ()

    class TypeVar:
        """A type parameter."""

        def __init__(self, name, *constraints, bound=None):
            self.__name__ = name

    class ParamSpec(TypeVar):
        """Type parameters of a function's parameters."""

    class Literal:
        """`Literal["a", "b"]`; at run time its choices."""

        def __class_getitem__(cls, choices):
            return choices if isinstance(choices, tuple) else (choices,)

    def get_args(literal):
        """Return the choices of a `Literal`."""
        return literal

    def cast(kind, value):
        """Return the value, of which the type checker is told what it is."""
        return value

    def overload(function):
        """Mark one of the types of a function; what is called is defined after all of them."""
        return function
