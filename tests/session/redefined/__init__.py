"""Cells that define again what others have defined, and what expressions show after them."""

from __future__ import annotations

from tests.session.redefined import classes, functions, names, specialisations, templates, variables

ROWS = [
    *functions.ROWS,
    *classes.ROWS,
    *variables.ROWS,
    *templates.ROWS,
    *specialisations.ROWS,
    *names.ROWS,
]
