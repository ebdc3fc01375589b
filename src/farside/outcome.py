"""What a session hands to its user: the result of a cell, of its end, and its past."""

from __future__ import annotations

from types import MappingProxyType

from farside.annotations import TYPE_CHECKING
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from farside.accounts import KeptState
    from farside.frontend.diagnostics import Diagnostic
    from farside.result.bundle import Display
    from farside.result.value import Value


class CellResult(NamedTuple):
    """What a cell that ran to its end left behind.

    Attributes:
        cell: its number.
        value: the value of a last expression without ``;``, else None.
        diagnostics: Clang's warnings and remarks.
        notices: what the user should know besides, a sentence each.
        stdout, stderr: what it wrote, where the session captures output; else empty.
        timings: seconds by phase: ``compile``, ``link``, ``commit``, ``accept`` (what is written
            down of it), ``run`` (a part of commit).
        displays: what it showed with ``farside::display``, in order.
    """

    cell: int
    value: Value | None
    diagnostics: tuple[Diagnostic, ...]
    notices: tuple[str, ...]
    stdout: str
    stderr: str
    timings: Mapping[str, float] = MappingProxyType({})
    displays: tuple[Display, ...] = ()


class Closing(NamedTuple):
    """What the end of a session left behind: output of destructors, and what went wrong."""

    stdout: str
    stderr: str
    notices: tuple[str, ...]


class Checkpoint(NamedTuple):
    """A named state: what the program was after a cell (0 before the first)."""

    name: str
    cell: int
    state: KeptState


class Variable(NamedTuple):
    """A variable of a session.

    Attributes:
        name: its name, with that of its namespace.
        type: its type, as Clang prints it.
        text: its value as it is shown, on one line and cut where it is long; empty where it could
            not be shown.
        cell: the cell that defined it.
    """

    name: str
    type: str
    text: str
    cell: int


class Past(NamedTuple):
    """An accepted cell in the history of a session.

    Attributes:
        cell: its number.
        code: its source.
        kept: whether the program's state after it is kept.
        checkpoints: names given to that state.
    """

    cell: int
    code: str
    kept: bool
    checkpoints: tuple[str, ...]
