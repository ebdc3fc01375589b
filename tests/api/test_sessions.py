"""Sessions as Python programs use them: keywords, threads, asyncio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import farside
from farside import AsyncSession, Interrupted, Options, Session, SessionClosed


def test_keywords_are_options(tmp_path: Path) -> None:
    (tmp_path / "mine.h").write_text("inline int mine() { return 4; }\n")
    with Session(Options(opt=0), std="c++17", include=tmp_path, output="capture") as session:
        assert session.options.opt == 0
        assert session.options.std == "c++17"
        assert session.options.include_dirs == (str(tmp_path),)
        result = session.run('#include <cstdio>\n#include "mine.h"\nputs("out"); mine()')
        assert str(result.value) == "(int) 4"
        assert result.stdout == "out\n"
        assert session.eval("__cplusplus") == 201703
    assert Session.__init__.__doc__


def test_the_names_of_the_package_exist() -> None:
    for name in farside.__all__:
        assert getattr(farside, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        _ = farside.nothing


def test_importing_farside_imports_nothing_else() -> None:
    code = (
        "import sys, farside; print([m for m in sys.modules if m.startswith('farside.')],"
        " 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[] False\n"


def test_a_session_needs_no_numpy() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from farside import Session\n"
        "with Session() as s:\n"
        "    s.run('#include <vector>\\n#include <array>\\n#include <complex>')\n"
        "    print(s.eval('std::vector<double>{1, 2}'))\n"
        "    print(s.eval('std::array<std::array<int, 2>, 2>{{{1, 2}, {3, 4}}}'))\n"
        "    print(s.eval('std::vector<std::complex<double>>{1}'))\n"
        "    print(sum(s.eval('std::vector<double>(100000, 0.5)')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "array('d', [1.0, 2.0])\n[array('i', [1, 2]), array('i', [3, 4])]\n[(1+0j)]\n50000.0\n"
    )


def test_sessions_in_several_threads() -> None:
    found: dict[int, object] = {}

    def work(number: int) -> None:
        with Session() as session:
            session.run(f"int own = {number};")
            found[number] = [session.eval(f"own * {each}") for each in range(5)]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number * each for each in range(5)] for number in range(3)}


def test_asyncio() -> None:
    async def main() -> None:
        async with AsyncSession(output="capture") as session:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    ticks += 1
                    await asyncio.sleep(0)

            ticking = asyncio.create_task(tick())
            assert (await session.run("int n = 1; n")).value is not None
            results = await asyncio.gather(*(session.eval(f"n += {i}") for i in range(1, 4)))
            assert results == [2, 4, 7]
            ticking.cancel()
            assert ticks > 3
            assert await session.call(lambda inner: inner.next_cell) == 5
        with pytest.raises(SessionClosed):
            await session.eval("1")

    asyncio.run(main())


def test_cancelling_interrupts_the_cell() -> None:
    async def main() -> None:
        async with AsyncSession(output="capture") as session:
            started = asyncio.Event()
            loop = asyncio.get_running_loop()
            await session.run("#include <unistd.h>\nint n = 1;")

            def begun(*_: object) -> None:
                loop.call_soon_threadsafe(started.set)

            session.session.on_output = begun
            endless = asyncio.create_task(session.run('n = 2; write(1, "!", 1); for (;;) pause();'))
            waiting = asyncio.create_task(session.run("n = 3;"))
            await started.wait()
            waiting.cancel()
            endless.cancel()
            for task in (waiting, endless):
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert await session.eval("n") == 1

    asyncio.run(main())


def test_a_time_limit_in_asyncio() -> None:
    async def main() -> None:
        async with AsyncSession(output="capture") as session:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(session.run("for (;;);"), 1)
            assert await session.eval("1 + 1") == 2

    asyncio.run(main())


def test_an_interrupt_from_another_thread(session: Session) -> None:
    session.run("#include <unistd.h>")
    session.on_output = lambda *_: session.interrupt()
    with pytest.raises(Interrupted):
        session.run('write(1, "!", 1); for (;;) pause();')
