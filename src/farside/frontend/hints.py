"""What is to be said of errors that come of how cells differ from functions and files."""

from __future__ import annotations

import re

from farside.annotations import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.frontend.diagnostics import Diagnostic

_HINTS = (
    (
        "non-local lambda expression cannot have a capture-default",
        "variables of cells are global, and lambdas use them without a capture: leave out the =,"
        " or name what is to be copied, as in [x = x]",
    ),
    (
        "cannot be captured because it does not have automatic storage duration",
        "variables of cells are global, and lambdas use them without a capture: leave it out",
    ),
    (
        "use of undeclared label",
        "a label is known within its function, and at the top level within its statement: put"
        " braces around it and the goto, as in { goto done; done: ; }",
    ),
)
_AMBIGUOUS = re.compile(r"reference to '(\w+)' is ambiguous")


def cell_hints(diagnostics: Sequence[Diagnostic]) -> tuple[str, ...]:
    """Return a sentence for each kind of error that a session makes of what is none in ``main``."""
    found: dict[str, None] = {}
    for each in diagnostics:
        if not each.is_error:
            continue
        for message, hint in _HINTS:
            if message in each.message:
                found[hint] = None
        match = _AMBIGUOUS.fullmatch(each.message)
        own = match and f"candidate found by name lookup is '{match[1]}'"
        if match and any(note.message == own for note in each.notes):
            found[f"::{match[1]} is the one of the cells"] = None
    return tuple(found)
