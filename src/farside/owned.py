"""What a session hands to its parts in place of itself.

Nothing that a session owns may refer to it: who drops a session without closing it wants it to go,
and its processes with it.
"""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable

    from farside.execution import ExecutionSession
    from farside.frontend.client import Compiler
    from farside.interrupts import InterruptGate


class Asker(Protocol):
    """What can ask the user a question."""

    def ask_user(self, question: str) -> bool | None:
        """Return the answer, None where nobody can be asked."""


class Audience(Protocol):
    """What displays are for."""

    def take_display(self, payload: bytes) -> None:
        """Take what the program shows while it runs."""


def show_to_owner(session: weakref.ref[Audience], payload: bytes) -> None:
    """Hand a display on, as long as there is a session."""
    alive = session()
    if alive is not None:
        alive.take_display(payload)


def demangle_with(compiler: Compiler, name: str) -> str:
    """Return a mangled name as the programmer wrote it."""
    return compiler.demangle([name])[0]


def ask_owner(session: weakref.ref[Asker], question: str) -> bool | None:
    """Ask the user, as long as there is a session."""
    alive = session()
    return None if alive is None else alive.ask_user(question)


def ask_to_end(execution: ExecutionSession, told: Callable[[], None] | None) -> None:
    """Ask the cell that runs to end, and say so, if anybody wants to know."""
    execution.ask_to_end()
    if told is not None:
        told()


def abandon(
    process: int, execution: ExecutionSession, compiler: Compiler, gate: InterruptGate
) -> None:
    """End what a session owns at once, unless this is a fork of its process."""
    if os.getpid() == process:
        execution.kill()
        compiler.close()
        gate.close()
