"""A session for programs that run on `asyncio`."""

from __future__ import annotations

import asyncio
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial

from farside.annotations import TYPE_CHECKING, Any, TypeVar, overload
from farside.errors import SessionBusy, SessionClosed
from farside.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Self, Unpack

    from farside.accounts import Statistics
    from farside.calls.functions import Functions, Methods
    from farside.dylibs import DylibHandle, DylibOutput
    from farside.options import OptionChanges, Options
    from farside.outcome import CellResult, Closing, Past, Variable
    from farside.result.bundle import Display
    from farside.result.value import Value
    from farside.resume import Resumed

T = TypeVar("T")
_INSIST = 0.1  # seconds between interrupts of a cell that was cancelled
_LOOK = 0.05  # seconds between two bytecodes of a thread that waits for a coroutine

# The sessions whose programs wait for what runs in this context.
_waited_for: ContextVar[tuple[AsyncSession, ...]] = ContextVar("_waited_for", default=())


class AsyncSession:
    """An interactive C++ session whose calls do not block the event loop.

    Used as ``async with AsyncSession() as session``. A thread of its own waits for the programs.
    Calls are carried out in the order in which they are made, one at a time, so tasks may share a
    session. To cancel a call is to interrupt its cell: it is taken back, as by Ctrl-C, before the
    task goes on; one that has not begun is not run.

    It has all that `Session` has, under the same names; what runs code or waits is awaited.

    Attributes:
        session: the `Session` itself.
    """

    def __init__(self, options: Options | None = None, **changes: Unpack[OptionChanges]) -> None:
        """Prepare a session; see `Session`. It starts with the ``async with`` block."""
        self._start: Callable[[], Session] = lambda: Session(options, **changes)
        self._thread: ThreadPoolExecutor | None = None
        self._session: Session | None = None
        self._closed = False

    @property
    def session(self) -> Session:
        """The session itself. Raises SessionClosed outside of the ``async with`` block."""
        if self._session is None:
            raise self._not_open()
        return self._session

    def _not_open(self) -> SessionClosed:
        if self._closed:
            return SessionClosed("this session was closed; start another")
        return SessionClosed("the session has not started; use it within `async with`")

    async def __aenter__(self) -> Self:
        if self._thread is not None:
            raise SessionClosed("an AsyncSession can be entered once; make another")
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="farside")
        self._session = await self._in_thread(self._start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._close(hurry=kind is not None)

    async def run(self, code: str, *, dylib: str = "main") -> CellResult:
        """Run one cell; see `Session.run`."""
        return await self._with(lambda session: session.run(code, dylib=dylib))

    async def eval(self, expression: str) -> object:
        """Evaluate an expression; see `Session.eval`."""
        return await self._with(lambda session: session.eval(expression))

    async def type_of(self, expression: str) -> str:
        """Return the type of an expression that is not evaluated; see `Session.type_of`."""
        return await self._with(lambda session: session.type_of(expression))

    async def variables(self, pattern: str = "*") -> tuple[Variable, ...]:
        """Return the variables that cells have defined; see `Session.variables`."""
        return await self._with(lambda session: session.variables(pattern))

    # ------------------------------------------------------------------ calls

    @property
    def fn(self) -> Functions:
        """What the program has that can be called: ``await session.fn.name(1, 2)``."""
        from farside.calls.functions import Functions

        return Functions(self)

    def of(self, value: Value) -> Methods:
        """Return the member functions of an object: ``await session.of(value).name(1)``."""
        from farside.calls.functions import Methods

        return Methods(self, value)

    @overload
    async def call(self, what: Callable[[Session], T], /) -> T: ...
    @overload
    async def call(self, what: str, /, *arguments: object, **named: object) -> Any: ...
    async def call(
        self, what: str | Callable[[Session], Any], /, *arguments: object, **named: object
    ) -> Any:
        """Call something of the program's by its name, or do anything with the session.

        Python callables among the arguments run in the session's thread, coroutine functions on the
        event loop: the program waits for what they return. They cannot use this session meanwhile.

        Args:
            what: as for `Session.call`; or a function that is given the `Session`, in its thread.
            arguments, named: as for `Session.call`.
        """
        if not isinstance(what, str):
            return await self._with(what)
        adapted = self._adapted(arguments)
        return await self._with(lambda session: session.call(what, *adapted, **named))

    async def new(self, callee: str, *arguments: object, **named: object) -> Value:
        """Call a constructor or function and keep its result alive; see `Session.new`."""
        adapted = self._adapted(arguments)
        return await self._with(lambda session: session.new(callee, *adapted, **named))

    async def share(self, name: str, array: Any) -> Any:
        """Make a buffer that both sides see; see `Session.share`."""
        return await self._with(lambda session: session.share(name, array))

    # ------------------------------------------------------------------ besides running cells

    async def undo(self, count: int = 1) -> tuple[str, ...]:
        """Take back the newest cells; see `Session.undo`."""
        return await self._with(lambda session: session.undo(count))

    async def checkpoint(self, name: str) -> None:
        """Keep the present state under a name; see `Session.checkpoint`."""
        await self._with(lambda session: session.checkpoint(name))

    async def restore(self, name: str) -> tuple[str, ...]:
        """Go back to a checkpoint; see `Session.restore`."""
        return await self._with(lambda session: session.restore(name))

    async def history(self) -> tuple[Past, ...]:
        """Return the accepted cells; see `Session.history`."""
        return await self._with(lambda session: session.history())

    async def save(self, path: str, *, replace: bool = True) -> str:
        """Keep the accepted cells in a file; see `Session.save`."""
        return await self._with(lambda session: session.save(path, replace=replace))

    @classmethod
    def resume(cls, path: str, **changes: Any) -> Self:
        """Prepare a session that runs again the cells in a file; see `Session.resume`.

        It does so with the ``async with`` block; `resumed` says afterwards what came of it.
        """
        made = cls()
        made._start = lambda: Session.resume(path, **changes)
        return made

    async def load(self, path: str) -> str:
        """Load a library, or link an object or archive; see `Session.load`."""
        return await self._with(lambda session: session.load(path))

    async def add_library_dir(self, path: str) -> None:
        """Look for libraries in a directory first; see `Session.add_library_dir`."""
        await self._with(lambda session: session.add_library_dir(path))

    async def libraries(self) -> tuple[str, ...]:
        """Return sentences about the libraries; see `Session.libraries`."""
        return await self._with(lambda session: session.libraries())

    async def jitdylib(self, name: str) -> AsyncDylib:
        """Return the JITDylib of that name; see `Session.jitdylib`."""
        return AsyncDylib(self, await self._with(lambda session: session.jitdylib(name)))

    async def defines_main(self) -> bool:
        """Tell whether a cell has defined ``main``."""
        return await self._with(lambda session: session.defines_main())

    async def call_main(self, args: Sequence[str]) -> int:
        """Call the ``main`` that a cell defined; see `Session.call_main`."""
        return await self._with(lambda session: session.call_main(args))

    async def statistics(self) -> Statistics:
        """Count what there is on both sides; see `Session.statistics`."""
        return await self._with(lambda session: session.statistics())

    async def take_output(self) -> tuple[str, str]:
        """Return what was written since the last time; see `Session.take_output`."""
        return await self._with(lambda session: session.take_output())

    def interrupt(self) -> None:
        """Stop what runs now, at once; see `Session.interrupt`."""
        self.session.interrupt()

    # ------------------------------------------------------------------ facts

    @property
    def options(self) -> Options:
        """How the session works."""
        return self.session.options

    @property
    def call_output(self) -> tuple[str, str]:
        """What the newest call wrote; see `Session.call_output`."""
        return self.session.call_output

    @property
    def next_cell(self) -> int:
        """The number of the next cell."""
        return self.session.next_cell

    @property
    def resumed(self) -> Resumed | None:
        """What came of bringing the session back, None for a new one."""
        return self.session.resumed

    @property
    def recovery_seconds(self) -> tuple[float, ...]:
        """How long it took the far side to come back, each time it had to."""
        return self.session.recovery_seconds

    @property
    def worker_pid(self) -> int:
        """The process that runs the cells; 0 before the first has run."""
        return self.session.worker_pid

    @property
    def supervisor_pid(self) -> int:
        """The process that watches the worker; see `Session.supervisor_pid`."""
        return self.session.supervisor_pid

    @property
    def compiler_pid(self) -> int:
        """The compiler's process."""
        return self.session.compiler_pid

    # What listens to a session is called in the session's thread, while the cell runs; to come to
    # the event loop from there, use its `call_soon_threadsafe`.

    @property
    def on_output(self) -> Callable[[str, bytes], None] | None:
        """As `Session.on_output`; called in the session's thread."""
        return self.session.on_output

    @on_output.setter
    def on_output(self, listener: Callable[[str, bytes], None] | None) -> None:
        self.session.on_output = listener

    @property
    def on_display(self) -> Callable[[Display], None] | None:
        """As `Session.on_display`; called in the session's thread."""
        return self.session.on_display

    @on_display.setter
    def on_display(self, listener: Callable[[Display], None] | None) -> None:
        self.session.on_display = listener

    @property
    def on_asked(self) -> Callable[[], None] | None:
        """As `Session.on_asked`; called in the session's thread."""
        return self.session.on_asked

    @on_asked.setter
    def on_asked(self, listener: Callable[[], None] | None) -> None:
        self.session.on_asked = listener

    @property
    def upcoming(self) -> Callable[[], str | None] | None:
        """As `Session.upcoming`; called in the session's thread."""
        return self.session.upcoming

    @upcoming.setter
    def upcoming(self, following: Callable[[], str | None] | None) -> None:
        self.session.upcoming = following

    @property
    def confirm(self) -> Callable[[str], bool] | None:
        """As `Session.confirm`; called in the session's thread."""
        return self.session.confirm

    @confirm.setter
    def confirm(self, ask: Callable[[str], bool] | None) -> None:
        self.session.confirm = ask

    # ------------------------------------------------------------------ the thread

    async def _with(self, action: Callable[[Session], T]) -> T:
        session = self.session
        self._check_turn()
        return await self._in_thread(lambda: action(session))

    def _check_turn(self) -> None:
        """Refuse what would wait for itself.

        Raises:
            SessionBusy: the program waits for the coroutine that asks.
        """
        if self in _waited_for.get():
            raise SessionBusy(
                "a coroutine that the program waits for cannot use the session that waits for it;"
                " return first"
            )

    def _adapted(self, arguments: Sequence[object]) -> list[object]:
        """Return arguments for the session's thread: coroutine functions run on this loop."""
        loop = asyncio.get_running_loop()
        return [
            partial(_on_loop, loop, self, each) if _is_coroutine_function(each) else each
            for each in arguments
        ]

    async def close(self) -> Closing | None:
        """End the session, after the calls that were made before; may be called again.

        To cancel this is to interrupt those calls. So does leaving the ``async with`` block by an
        exception: the session then ends at once, and calls that have not begun are `SessionClosed`.

        Raises:
            SessionBusy: the program waits for the coroutine that calls this.
        """
        return await self._close(hurry=False)

    async def _close(self, *, hurry: bool) -> Closing | None:
        if self._thread is None or self._session is None:
            return None
        self._check_turn()
        session, self._session = self._session, None
        self._closed = True
        in_turn: asyncio.Future[Closing] | None = None
        try:
            if hurry:
                # In another thread than its own a session ends now, and interrupts what keeps it.
                return await asyncio.to_thread(session.close)
            in_turn = asyncio.wrap_future(self._thread.submit(session.close))
            return await asyncio.shield(in_turn)
        except asyncio.CancelledError:
            if in_turn is not None:
                await asyncio.to_thread(session.close)
                await asyncio.wait([in_turn])
            raise
        finally:
            self._thread.shutdown(wait=False)

    async def _in_thread(self, action: Callable[[], T]) -> T:
        if self._thread is None:
            raise self._not_open()
        begun = self._thread.submit(action)
        waiting = asyncio.wrap_future(begun)
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if not begun.cancel():
                while not waiting.done():
                    if self._session is not None:
                        self._session.interrupt()
                    await asyncio.wait([waiting], timeout=_INSIST)
                if not waiting.cancelled():
                    waiting.exception()  # the task is told of its cancellation alone
            raise


def _is_coroutine_function(value: object) -> bool:
    # An object's own call is its class's.
    return inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(
        getattr(type(value), "__call__", None)  # noqa: B004
    )


def _on_loop(
    loop: asyncio.AbstractEventLoop, session: AsyncSession, function: Any, *arguments: object
) -> object:
    """Run a coroutine function on a loop, from the session's thread, and wait for its result.

    Not with `asyncio.run_coroutine_threadsafe`: an interrupt may come at any bytecode of this
    thread, before that has returned what could be cancelled.
    """
    tasks: list[asyncio.Future[Any]] = []
    done = threading.Event()
    over = False

    async def run() -> object:
        return await function(*arguments)

    def start() -> None:
        if not over:
            tasks.append(asyncio.ensure_future(run()))
            tasks[0].add_done_callback(lambda _: done.set())

    def cancel() -> None:
        for task in tasks:
            task.cancel()

    context = copy_context()
    context.run(_waited_for.set, (*_waited_for.get(), session))
    try:
        loop.call_soon_threadsafe(start, context=context)
        while not done.wait(_LOOK):  # an interrupt comes between two bytecodes
            pass
        return tasks[0].result()
    finally:
        over = True
        if not done.is_set():
            loop.call_soon_threadsafe(cancel)


class AsyncDylib:
    """A JITDylib of an `AsyncSession`; see `farside.dylibs.DylibHandle`.

    Attributes:
        name: of the JITDylib.
    """

    def __init__(self, session: AsyncSession, handle: DylibHandle) -> None:
        self.name = handle.name
        self._session = session
        self._handle = handle

    async def run(self, code: str) -> CellResult:
        """Run a cell whose code goes here; see `DylibHandle.run`."""
        return await self._session.call(lambda _: self._handle.run(code))

    async def add_object(self, path: str) -> None:
        """Link an object; see `DylibHandle.add_object`."""
        await self._session.call(lambda _: self._handle.add_object(path))

    async def add_archive(self, path: str, all_members: bool = False) -> None:
        """Make members of an archive available; see `DylibHandle.add_archive`."""
        await self._session.call(lambda _: self._handle.add_archive(path, all_members))

    async def link_order(self) -> tuple[str, ...]:
        """Return the names of the JITDylibs that are searched for what this does not define."""
        return await self._session.call(lambda _: self._handle.link_order)

    async def set_link_order(self, order: Iterable[str | DylibHandle | AsyncDylib]) -> None:
        """Set the link order; see `DylibHandle.link_order`."""
        names = [each if isinstance(each, str) else each.name for each in order]
        await self._session.call(lambda _: setattr(self._handle, "link_order", names))

    async def open(self) -> DylibOutput:
        """Run the initialisers that have not run; see `DylibHandle.open`."""
        return await self._session.call(lambda _: self._handle.open())

    async def update(self) -> DylibOutput:
        """Run the initialisers that have arrived since; see `DylibHandle.update`."""
        return await self._session.call(lambda _: self._handle.update())

    async def close(self) -> DylibOutput:
        """Drop a reference; see `DylibHandle.close`."""
        return await self._session.call(lambda _: self._handle.close())

    async def symbol(self, name: str) -> int | None:
        """Return an address; see `DylibHandle.symbol`."""
        return await self._session.call(lambda _: self._handle.symbol(name))

    async def dlerror(self) -> str:
        """Return what the last ``dl`` function complained of; see `DylibHandle.dlerror`."""
        return await self._session.call(lambda _: self._handle.dlerror())
