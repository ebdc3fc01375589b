"""Handles of objects that live on in the program, at an address."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count
from typing import Any

from farside.errors import ProtocolError
from farside.result.value import Value

_numbers = count(1)  # of such objects, in all sessions
_NAMELESS = re.compile(r"\((?:lambda|unnamed|anonymous)")


def living(value: Any, address: int) -> Any:
    """Return the handle of an object that lives on at an address.

    One whose type has no name in C++, as that of a lambda, cannot be referred to.

    Raises:
        ProtocolError: there is no object that could live there.
    """
    if not isinstance(value, Value):
        raise ProtocolError("the far side gave an address where it should give an object")
    if _NAMELESS.search(value.type):
        return value
    # The number tells it from one that lies there later, and from those of other sessions.
    place = f"{address:#x}ul /* {next(_numbers)} */"
    return replace(
        value, name=f"(*reinterpret_cast<{value.type} *>({place}))", text=f"@{address:#x}"
    )
