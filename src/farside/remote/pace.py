"""Waiting for an answer without sleeping, while calls follow each other quickly.

A process that sleeps is woken some tens of microseconds late, which is longer than most calls take.
So while short calls come one after the other, the answer is looked for a moment before the thread
sleeps. The far side does the same between calls (``native/executor/pace.h``).
"""

from __future__ import annotations

import os
from time import perf_counter_ns

_MOMENT = 60_000  # nanoseconds for which an answer is looked for
_SHORT = 30_000  # nanoseconds that the function of a call takes that is worth it
_PAUSE = 1_000_000  # nanoseconds between two calls that do not follow each other quickly
_FEWEST, _MOST = 4, 1024  # short calls in a row before the next answer is looked for


class Pace:
    """Whether the next answer is worth being looked for."""

    __slots__ = ("_at", "_looks", "_short", "_wanted")

    def __init__(self) -> None:
        self._at = 0  # of the answer before
        self._short = 0  # calls in a row
        self._wanted = _FEWEST
        self._looks = False

    def patience(self) -> int:
        """Return for how many nanoseconds the answer to the next call is to be looked for."""
        if perf_counter_ns() - self._at > _PAUSE:
            self._looks, self._short = False, 0
        return _MOMENT if self._looks else 0

    def answered(self, *, slept: bool, nanoseconds: int) -> None:
        """Take note of an answer.

        Args:
            slept: whether the thread slept until it was there.
            nanoseconds: that the function took.
        """
        self._at = perf_counter_ns()
        if self._looks:
            if not slept:
                self._wanted = _FEWEST
                return
            self._looks, self._short = False, 0
            self._wanted = min(2 * self._wanted, _MOST)
        self._short = self._short + 1 if nanoseconds < _SHORT else 0
        # Who looks on the only processor keeps the other side from answering.
        self._looks = self._short >= self._wanted and len(os.sched_getaffinity(0)) > 1
