"""Handles of objects that live on in the program, at an address."""

from __future__ import annotations

import re
from itertools import count

from farside.annotations import Any
from farside.errors import ProtocolError
from farside.result.value import Value

_numbers = count(1)  # of such objects, in all sessions
_NAMELESS = re.compile(r"\((?:lambda|unnamed|anonymous)")
_OF_VARIABLE = re.compile(r"decltype\(\s*[\w:]+\s*\)")


def living(value: Any, address: int, called: str = "") -> Any:
    """Return the handle of an object that lives on at an address.

    One whose type has no name in C++, as that of a lambda, can be referred to only where the type
    was said by the name of a variable.

    Args:
        value: what is known of the object.
        address: where it is.
        called: what was called that made it.

    Raises:
        ProtocolError: there is no object that could live there.
    """
    if not isinstance(value, Value):
        raise ProtocolError("the far side gave an address where it should give an object")
    kind = value.type
    if _NAMELESS.search(kind):
        if _OF_VARIABLE.fullmatch(called) is None:
            return value
        kind = f"__remove_cvref({called})"  # of a reference, too, there is an object
    # The number tells it from one that lies there later, and from those of other sessions.
    place = f"{address:#x}ul /* {next(_numbers)} */"
    return value.with_(name=f"(*reinterpret_cast<{kind} *>({place}))", text=f"@{address:#x}")
