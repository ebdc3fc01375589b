"""A session for programs that run on `asyncio`."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from farside.errors import SessionClosed
from farside.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self, Unpack

    from farside.options import OptionChanges, Options
    from farside.outcome import CellResult, Closing

T = TypeVar("T")
_INSIST = 0.1  # seconds between interrupts of a cell that was cancelled


class AsyncSession:
    """An interactive C++ session whose calls do not block the event loop.

    Used as ``async with AsyncSession() as session``. A thread of its own waits for the programs.
    Calls are carried out in the order in which they are made, one at a time, so tasks may share a
    session. To cancel a call is to interrupt its cell: it is taken back, as by Ctrl-C, before the
    task goes on; one that has not begun is not run.

    Attributes:
        session: the `Session`, for what has no method here, through `call`.
    """

    def __init__(self, options: Options | None = None, **changes: Unpack[OptionChanges]) -> None:
        """Prepare a session; see `Session`. It starts with the ``async with`` block."""
        self._options = options
        self._changes = changes
        self._thread: ThreadPoolExecutor | None = None
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """The session itself. Raises SessionClosed outside of the ``async with`` block."""
        if self._session is None:
            raise SessionClosed("the session has not started; use it within `async with`")
        return self._session

    async def __aenter__(self) -> Self:
        if self._thread is not None:
            raise SessionClosed("an AsyncSession can be entered once; make another")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="farside")
        self._session = await self._in_thread(lambda: Session(self._options, **self._changes))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def run(self, code: str, *, dylib: str = "main") -> CellResult:
        """Run one cell; see `Session.run`."""
        return await self.call(lambda session: session.run(code, dylib=dylib))

    async def eval(self, expression: str) -> object:
        """Evaluate an expression; see `Session.eval`."""
        return await self.call(lambda session: session.eval(expression))

    async def call(self, action: Callable[[Session], T]) -> T:
        """Do anything with the session, in its thread.

        Args:
            action: is given the session, and interrupted if the task is cancelled.
        """
        session = self.session
        return await self._in_thread(lambda: action(session))

    async def close(self) -> Closing | None:
        """End the session, after the calls that were made before; may be called again."""
        if self._thread is None or self._session is None:
            return None
        session, self._session = self._session, None
        try:
            return await self._in_thread(session.close, interruptible=False)
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, action: Callable[[], T], *, interruptible: bool = True) -> T:
        if self._thread is None:
            raise SessionClosed("the session has not started; use it within `async with`")
        begun = self._thread.submit(action)
        waiting = asyncio.wrap_future(begun)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not begun.cancel():
                while not waiting.done():
                    if interruptible and self._session is not None:
                        self._session.interrupt()
                    await asyncio.wait([waiting], timeout=_INSIST)
                if not waiting.cancelled():
                    waiting.exception()  # the task is told of its cancellation alone
            raise
