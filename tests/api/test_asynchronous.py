"""`AsyncSession` has what `Session` has."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from farside import (
    AsyncSession,
    CellResult,
    Interrupted,
    Session,
    SessionBusy,
    SessionClosed,
    UndefinedName,
)
from farside.asynchronous import AsyncDylib
from farside.dylibs import DylibHandle

# What a session is given by its own parts, and by the machinery of JITDylibs.
INNER = {"operate", "ask_user", "take_display"}


def test_the_names_are_the_same() -> None:
    public = {name for name in dir(Session) if not name.startswith("_")}
    attributes = {"next_cell", "resumed", "confirm", "on_asked", "on_display", "upcoming"}
    assert (public | attributes) - INNER <= set(dir(AsyncSession))
    handle = {name for name in dir(DylibHandle) if not name.startswith("_")}
    assert handle <= set(dir(AsyncDylib))


def test_calls_cells_and_states(tmp_path: Path) -> None:
    async def main() -> None:
        async with AsyncSession(output="capture") as session:
            await session.run(
                "#include <cstdio>\n#include <functional>\n#include <span>\n"
                "struct Point { int x, y; int sum() const { return x + y; } };\n"
                "int add(int a, int b) { return a + b; }\n"
                "int twice(std::function<int(int)> f) { return f(f(1)); }\n"
                "int main(int n, char **) { return n; }"
            )
            assert await session.fn.add(1, 2) == 3
            assert await session.call("add", 3, 4) == 7
            point = await session.new("Point", 5, 6)
            assert await session.of(point).sum() == 11
            shared = await session.share("buffer", memoryview(bytearray(b"abc")))
            await session.run("buffer[0] = 'x';")
            assert bytes(shared) == b"xbc"

            # A callable runs in the session's thread, a coroutine function on the loop.
            threads: list[object] = []

            def plainly(x: int) -> int:
                threads.append(threading.get_ident())
                return x + 1

            assert await session.fn.twice(plainly) == 3
            assert threading.get_ident() not in threads

            async def slowly(x: int, more: int = 1) -> int:
                threads.append(threading.get_ident())
                await asyncio.sleep(0)
                return x + more

            threads.clear()
            assert await session.fn.twice(slowly) == 3
            assert await session.call("twice", partial(slowly, more=3)) == 7
            assert set(threads) == {threading.get_ident()}

            async def fail(x: int) -> int:
                raise KeyError(x)

            with pytest.raises(KeyError):
                await session.fn.twice(fail)

            async def again(x: int) -> object:
                return await session.eval("1")

            with pytest.raises(SessionBusy, match="a coroutine that the program waits for"):
                await session.fn.twice(again)

            ended = asyncio.Event()
            begun = asyncio.Event()

            async def forever(x: int) -> int:
                begun.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()
                return x

            task = asyncio.create_task(session.call("twice", forever))
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await ended.wait()

            await session.run("int n = 1;")
            await session.checkpoint("one")
            await session.run('n = 2; std::puts("two");')
            await session.eval("n = 3")
            assert await session.undo() == ()
            assert await session.eval("n") == 2
            assert isinstance(await session.restore("one"), tuple)
            assert await session.eval("n") == 1
            assert [each.code for each in await session.history()][-1] == "n"
            await session.eval('std::puts("said")')
            assert await session.take_output() == ("said\n", "")
            assert await session.defines_main()
            assert await session.call_main(["a", "b"]) == 2
            assert (await session.statistics()).images > 0
            assert any("libc" in each for each in await session.libraries())
            await session.add_library_dir(str(tmp_path))
            assert (session.options.output, session.resumed) == ("capture", None)
            assert len({session.worker_pid, session.supervisor_pid, session.compiler_pid, 0}) == 4

            heard: list[str] = []
            session.on_output = lambda name, _: heard.append(name)
            await session.run('std::puts("!");')
            assert set(heard) == {"stdout"}
            session.on_output = None

            dylib = await session.jitdylib("other")
            await dylib.set_link_order(["main"])
            assert await dylib.link_order() == ("main",)
            await dylib.run('extern "C" int there() { return 4; }')
            assert await dylib.symbol("there")
            await session.save(str(tmp_path / "session"))
            cell = session.next_cell
        async with AsyncSession.resume(str(tmp_path / "session")) as resumed:
            assert resumed.resumed is not None
            assert await resumed.eval("n") == 1
            assert resumed.next_cell > cell - 3
            with pytest.raises(UndefinedName):
                await resumed.fn.nothing()

    asyncio.run(main())


async def _endless(session: AsyncSession) -> list[asyncio.Task[CellResult]]:
    """Return a cell that runs without an end, and one that waits for it."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard(name: str, written: bytes) -> None:
        loop.call_soon_threadsafe(started.set)

    session.on_output = heard
    runs = asyncio.ensure_future(
        session.run('#include <cstdio>\nstd::puts("!"); std::fflush(stdout); for (;;);')
    )
    waits = asyncio.ensure_future(session.run("int later;"))
    await started.wait()
    return [runs, waits]


def test_a_block_that_is_left_early_does_not_wait() -> None:
    async def ended(cells: list[asyncio.Task[CellResult]]) -> None:
        runs, waits = await asyncio.gather(*cells, return_exceptions=True)
        assert isinstance(runs, Interrupted)
        assert isinstance(waits, SessionClosed)

    async def main() -> None:
        cells: list[asyncio.Task[CellResult]] = []

        async def left_early() -> None:
            async with AsyncSession(output="capture") as session:
                cells.extend(await _endless(session))
                raise KeyError

        with pytest.raises(KeyError):
            await left_early()
        await ended(cells)

        async with AsyncSession(output="capture") as session:

            async def closing() -> int:
                with suppress(SessionBusy):  # it would wait for itself
                    await session.close()
                    return 0
                return 1

            await session.run("int call(auto f) { int got = f(); return got; }")
            assert await session.fn.call(closing) == 1
            cells = await _endless(session)
            close = asyncio.ensure_future(session.close())
            await asyncio.sleep(0)
            close.cancel()
            with pytest.raises(asyncio.CancelledError):
                await close
            await ended(cells)

    asyncio.run(main())


def test_before_and_after_the_block() -> None:
    async def main() -> None:
        session = AsyncSession(output="capture")
        with pytest.raises(SessionClosed, match="has not started"):
            await session.run("1")
        async with session:
            await session.run("int f(int x) { return x; }")
            with pytest.raises(TypeError, match="no arguments by name"):
                await session.call("f", x=1)
        for action in (lambda: session.run("1"), lambda: session.fn.f(1)):
            with pytest.raises(SessionClosed, match="was closed"):
                await action()

    asyncio.run(main())
