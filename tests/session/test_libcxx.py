"""Sessions on LLVM's own standard library."""

from __future__ import annotations

from pathlib import Path

import pytest

from farside.errors import CppException

from .conftest import NewSession, run_all, shown


@pytest.mark.parametrize("opt", [None, 0], ids=["default", "O0"])
def test_cells_use_libcxx(new_session: NewSession, opt: int | None) -> None:
    session = new_session(stdlib="libc++", opt=opt)
    session.run("#include <iostream>\n#include <stdexcept>\n#include <string>\n#include <vector>")
    session.run("std::vector<std::string> v{\"a\", std::string(40, 'b')};")
    assert session.run("std::cout << v[1].size() << std::endl;").stdout == "40\n"
    maps = Path(f"/proc/{session.worker_pid}/maps").read_text()
    assert "/libc++.so.1" in maps
    with pytest.raises(CppException) as told:
        session.run('throw std::runtime_error("no luck");')
    assert told.value.what == "no luck"
    session.run("int r = 0; try { v.at(9); } catch (const std::out_of_range &) { r = 3; }")
    assert shown(session.run("r")) == "3"
    result = run_all(
        session,
        "#include <map>\n#include <thread>",
        "std::map<int, int> m; std::thread([] { m[1] = 4; }).join();",
        "m[1]",
    )
    assert shown(result) == "4"


def test_libcxx_is_there_again_after_a_crash(new_session: NewSession) -> None:
    session = new_session(stdlib="libc++", snapshots=0)
    session.run("#include <string>\nstd::string s(50, 'x');")
    with pytest.raises(Exception, match="SIGSEGV"):
        session.run("*(volatile int *)nullptr = 1;")
    assert shown(session.run("s.size()")) == "50"
