"""Makes sure that a conversation that was broken off is not taken up again."""

from __future__ import annotations

from farside.errors import FarSideLost


class Guard:
    """Makes an executor unusable when a call on it, a block of this, is left by an exception.

    Attributes:
        reason: why the executor cannot be used any more; None while it can.
    """

    __slots__ = ("reason",)

    def __init__(self) -> None:
        self.reason: str | None = None

    def __enter__(self) -> None:
        if self.reason is not None:
            raise FarSideLost(f"The far side cannot be used any more: {self.reason}.")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.reason = self.reason or "a call on it was broken off"
