"""Named tuples whose classes are made quickly.

`typing.NamedTuple` looks at each annotation when a class is made, and compiles those that are text,
as all of farside's are; `collections.namedtuple` compiles a constructor. To the first result there
are 80 such classes with 400 fields, of most of which nothing is made by then. So annotations stay
as they are written, as whether they are types is a type checker's business, and a constructor is
compiled when it is first called. Type checkers are given the original, whose methods these have.
Modules with such a class have their annotations postponed (`from __future__ import annotations`).
"""

from __future__ import annotations

from sys import intern

from farside.annotations import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:
    from collections import _tuplegetter

    class _Record(tuple):
        """What all named tuples have in common."""

        __slots__ = ()
        _fields = ()

        def __new__(cls, *args, **kwargs):
            """Make the constructor of the class, and call it."""
            owner = next(each for each in cls.__mro__ if "_fields" in vars(each))
            owner.__new__ = staticmethod(_constructor(owner))
            return owner.__new__(cls, *args, **kwargs)

        @classmethod
        def _make(cls, iterable):
            made = tuple.__new__(cls, iterable)
            if len(made) != len(cls._fields):
                raise TypeError(f"{cls.__name__} takes {len(cls._fields)} fields, not {len(made)}")
            return made

        def _replace(self, /, **changes):
            made = self._make(map(changes.pop, self._fields, self))
            if changes:
                raise TypeError(
                    f"{type(self).__name__} has no field {', '.join(map(repr, changes))}"
                )
            return made

        __replace__ = _replace

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            fields = map("{}={!r}".format, self._fields, self)
            return f"{type(self).__name__}({', '.join(fields)})"

        def __getnewargs__(self):
            return tuple(self)

    def _constructor(owner):
        names = "".join(f"{field}, " for field in owner._fields)
        source = f"lambda _cls, {names}: _tuple_new(_cls, ({names}))"
        # Not by `eval`: where Ctrl-C comes in one, Python ends by the signal though it was caught.
        (code, *_) = compile(source, "<string>", "eval").co_consts
        space = {"_tuple_new": tuple.__new__, "__builtins__": {}, "__name__": owner.__module__}
        made = type(_constructor)(code, space, "__new__", tuple(owner._field_defaults.values()))
        made.__qualname__ = f"{owner.__qualname__}.__new__"
        return made

    class _Maker(type):
        """Makes a named tuple of what the body of a class says, in place of that class."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)  # `NamedTuple` itself
            fields = tuple(map(intern, body.get("__annotations__", ())))
            defaults = {field: body[field] for field in fields if field in body}
            body.update(
                _fields=fields, _field_defaults=defaults, __match_args__=fields, __slots__=()
            )
            for at, field in enumerate(fields):
                body[field] = _tuplegetter(at, field)
            return type(name, (_Record,), body)

    class NamedTuple(metaclass=_Maker):
        """What a class is derived from to become a named tuple with the fields of its body."""
