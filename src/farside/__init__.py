"""farside: interactive C++ whose cells run out of process.

The public names are loaded when they are first used, so that ``import farside`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farside.options import Options
    from farside.result.value import Value
    from farside.session import CellResult, Closing, Session

__version__ = "0.1.0"
__all__ = ["CellResult", "Closing", "Options", "Session", "Value", "__version__"]

_HOMES = {
    "CellResult": "farside.session",
    "Closing": "farside.session",
    "Options": "farside.options",
    "Session": "farside.session",
    "Value": "farside.result.value",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'farside' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
