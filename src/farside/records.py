"""Named tuples whose classes are made quickly.

`typing.NamedTuple` looks at each annotation when a class is made, and compiles those that are text,
as all of farside's are. Whether they are types is a type checker's business, and to the first
result there are 80 such classes with 400 fields: a tenth of the time. Type checkers are given the
original; at run time the same class is made, and the annotations stay as they are written.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Maker(type):
        """Makes a named tuple of what the body of a class says, in place of that class."""

        def __new__(cls, name, bases, body):
            if not bases:
                return super().__new__(cls, name, bases, body)  # `NamedTuple` itself
            fields = body.pop("__annotations__", {})
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            made.__annotations__ = fields
            for key, value in body.items():
                setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Maker):
        """What a class is derived from to become a named tuple with the fields of its body."""
