"""How results, diagnostics and errors look in a terminal or a log."""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING, TextIO
from farside.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farside.errors import FarsideError
    from farside.frontend.diagnostics import Diagnostic

_RESET = "\x1b[0m"
_BOLD_RED = "\x1b[1;31m"
_BOLD_CYAN = "\x1b[1;36m"


def wants_colour(stream: TextIO, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether to write colours to `stream`: on a terminal, unless ``NO_COLOR`` is set."""
    if environ.get("NO_COLOR") or environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def render_diagnostics(diagnostics: Sequence[Diagnostic], *, colour: bool) -> str:
    """Return diagnostics as Clang prints them, without a final newline."""
    return "\n".join(diagnostic.render(color=colour) for diagnostic in diagnostics)


def in_files(diagnostics: Sequence[Diagnostic], files: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """Return diagnostics with the names of files in place of those of cells that are files."""
    return tuple(
        each._replace(file=files.get(each.file) or each.file, notes=in_files(each.notes, files))
        for each in diagnostics
    )


def render_error(
    error: FarsideError, *, colour: bool, files: Mapping[str, str] | None = None
) -> str:
    """Return an error with what was done about it, without a final newline.

    Args:
        error: what happened.
        colour: whether to write colours.
        files: the files that cells are, by the names of the cells.
    """
    if isinstance(error, CompileError) and error.diagnostics:
        lines = [render_diagnostics(in_files(error.diagnostics, files or {}), colour=colour)]
    else:
        lines = [_labelled("error", _BOLD_RED, str(error), colour=colour)]
    notes = [*error.recovery, *getattr(error, "__notes__", ())]
    return "\n".join([*lines, *(render_notice(note, colour=colour) for note in notes)])


def render_notice(text: str, *, colour: bool) -> str:
    """Return something the user should know."""
    return _labelled("note", _BOLD_CYAN, text, colour=colour)


def _labelled(label: str, style: str, text: str, *, colour: bool) -> str:
    return f"{style}{label}:{_RESET} {text}" if colour else f"{label}: {text}"
