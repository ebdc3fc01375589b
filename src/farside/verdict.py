"""What became of code that ran: its value, or the exception that ended it."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.errors import CppException

if TYPE_CHECKING:
    from farside.frontend.cell import CompiledCell
    from farside.remote.commit import RunOutcome
    from farside.result.value import Value


def value_of(compiled: CompiledCell, outcome: RunOutcome | None) -> Value | None:
    """Return the value that a cell shows, None where it shows none.

    Raises:
        ProtocolError: what the far side sent is not a value.
    """
    if compiled.value_type is None or outcome is None or not outcome.values:
        return None
    from farside.result.value import decode_value

    kind, data = outcome.values[-1]
    return decode_value(
        kind,
        data,
        compiled.value_type,
        enumerators=compiled.value_enumerators,
        underlying=compiled.value_underlying,
    )


def exception_of(what: str, outcome: RunOutcome) -> CppException:
    """Return the exception that ended `what`."""
    from farside.result.type_names import written_type

    said = "" if outcome.what is None else f": {outcome.what}"
    kind = written_type(outcome.exception_type)
    return CppException(f"{what} threw {kind}{said}", kind, outcome.what)
