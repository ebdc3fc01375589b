"""Makes sure that a conversation that was broken off is not taken up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from farside.errors import FarSideLost

if TYPE_CHECKING:
    from farside.remote.executor import Executor


class Guard:
    """Makes an executor unusable when a call on it is left by an exception."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def __enter__(self) -> None:
        unusable = self._executor._unusable
        if unusable is not None:
            raise FarSideLost(f"The far side cannot be used any more: {unusable}.")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._executor._unusable = self._executor._unusable or "a call on it was broken off"
