"""The magics, in a real shell of IPython's."""

# mypy: disable-error-code="no-untyped-call"
from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from IPython.testing.globalipapp import start_ipython

from farside.ui import ipython
from farside.ui.ipython import Shown


@pytest.fixture(scope="module")
def whole_shell() -> Iterator[InteractiveShell]:
    shell: Any = start_ipython() or InteractiveShell.instance()
    shell.run_line_magic("load_ext", "farside")
    yield shell
    assert id(shell) in ipython._loaded
    shell.run_line_magic("unload_ext", "farside")
    assert id(shell) not in ipython._loaded


class Shell:
    def __init__(self, shell: InteractiveShell, capture: pytest.CaptureFixture[str]) -> None:
        self.shell, self.capture = shell, capture

    def cell(self, code: str) -> ExecutionResult:
        self.capture.readouterr()
        result: ExecutionResult = self.shell.run_cell(code)
        self.out, self.err = self.capture.readouterr()
        return result


@pytest.fixture
def shell(whole_shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(whole_shell, capsys)


def test_paths_and_times_cross(shell: Shell) -> None:
    shell.cell("import datetime, pathlib; p = pathlib.Path('/a/é'); o = object()")
    shell.cell("t = [datetime.timedelta(days=-1, microseconds=3)]")
    shell.cell('%%cpp -i p,t -o q,u\nauto q = p / std::filesystem::path("b"); auto u = t;')
    assert shell.cell("q == p / 'b' and u == t").result is True
    wrong = shell.cell("%%cpp -i o\n1")
    assert str(wrong.error_in_exec) == "o: a Python object has no form in C++"


def test_a_cell_shows_its_value(shell: Shell) -> None:
    result = shell.cell("%%cpp\n#include <vector>\nstd::vector<int> v = {1, 2}; v")
    assert result.success
    assert isinstance(result.result, Shown)
    assert repr(result.result) == "(std::vector<int> &) { 1, 2 }"


def test_output_comes_as_it_is_written(shell: Shell) -> None:
    shell.cell('%%cpp\n#include <cstdio>\nputs("grüße"); fputs("oh\\n", stderr);')
    assert shell.out == "grüße\n"
    assert shell.err == "oh\n"


def test_values_cross_by_name(shell: Shell) -> None:
    shell.cell("import numpy; a = [1, 2, 3]; b = 'text'; m = {'k': 2.5}; x = numpy.ones((2, 2))")
    result = shell.cell(
        "%%cpp -i a,b -i m,x -o total,words\n"
        'double total = m["k"] + x[1][1]; for (int each : a) total += each;\n'
        "std::vector<std::string> words = {b, b};"
    )
    assert result.success
    assert shell.shell.user_ns["total"] == 9.5
    assert shell.shell.user_ns["words"] == ["text", "text"]
    shell.cell("n = %cpp words.size() * 10")
    assert shell.shell.user_ns["n"] == 20
    shell.cell("big = numpy.arange(500000) * 0.5")
    shell.cell("%%cpp -i big -o back\nauto back = big; back.push_back(big[3]);")
    assert shell.shell.user_ns["back"].size == 500001
    assert shell.shell.user_ns["back"][-1] == 1.5
    missing = shell.cell("%%cpp -i absent\n1")
    assert "there is no Python variable of that name" in str(missing.error_in_exec)


def test_displays_are_published(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[dict[str, Any]] = []
    monkeypatch.setattr(shell.shell.display_pub, "publish", lambda **each: published.append(each))
    shell.cell(
        "%%cpp\n#include <farside/display.h>\n"
        'farside::display(farside::html("<b>"), "one"); farside::update_display(4, "one");'
        'farside::display(farside::json("{\\"a\\": 1}"));'
    )
    assert [each["update"] for each in published] == [False, True, False]
    assert published[0]["data"]["text/html"] == "<b>"
    assert published[0]["transient"] == {"display_id": "one"}
    assert (
        published[1]["data"] == {"text/plain": "(int) 4"}
        or "4" in published[1]["data"]["text/plain"]
    )
    assert published[2]["data"]["application/json"] == {"a": 1}
    result = shell.cell('%%cpp\nfarside::html("<i>")')
    assert isinstance(result.result, Shown)
    assert result.result._repr_mimebundle_()["text/html"] == "<i>"


def test_errors_come_without_a_traceback(shell: Shell) -> None:
    result = shell.cell("%%cpp\nint broken = ;")
    assert not result.success
    assert "expected expression" in shell.out + shell.err
    assert "Traceback" not in shell.out + shell.err
    assert "session.py" not in shell.out + shell.err
    result = shell.cell("%%cpp\n*(volatile int *)0 = 1;")
    assert "SIGSEGV" in shell.out + shell.err
    assert "as it is before" in shell.out + shell.err or "as it was before" in shell.out + shell.err


def test_an_interrupt_stops_the_cell(shell: Shell) -> None:
    shell.cell(
        "%%cpp\n#include <csignal>\n#include <unistd.h>\nint n = 1; pid_t near_side = getppid();"
    )
    main = threading.main_thread().ident
    assert main is not None
    magics = shell.shell.magics_manager.registry["CppMagics"]
    write, magics._write = magics._write, lambda *_: signal.pthread_kill(main, signal.SIGINT)
    magics.session.on_output = magics._write
    try:
        result = shell.cell('%%cpp\nn = 2; write(1, "!", 1); for (;;) pause();')
    finally:
        magics._write = write
        magics.session.on_output = write
    assert not result.success
    assert type(result.error_in_exec).__name__ == "Interrupted"
    assert shell.cell("%cpp n").result == 1


def test_a_new_session_has_other_options(shell: Shell) -> None:
    shell.cell("%cpp 1")
    wrong = shell.cell("%cpp_session --opt=7")
    assert "the option opt takes an int from 0 to 3" in str(wrong.error_in_exec)
    assert shell.cell("%cpp n").result == 1  # the one before is still there
    shell.cell("%cpp_session --std=c++17")
    assert shell.cell("%cpp __cplusplus").result == 201703
    assert not shell.cell("%cpp n").success


def test_the_magics_go_with_the_extension(shell: Shell) -> None:
    unloaded = shell.shell
    assert shell.cell("%cpp 1 + 2").result == 3
    unloaded.run_line_magic("unload_ext", "farside")
    try:
        for name in ("cpp", "cpp_session", "cpp_undo", "cpp_history"):
            assert unloaded.find_line_magic(name) is None
        assert unloaded.find_cell_magic("cpp") is None
    finally:
        unloaded.run_line_magic("load_ext", "farside")
    assert shell.cell("%cpp 1 + 2").result == 3


def test_types_and_variables_are_printed(shell: Shell) -> None:
    shell.cell("%cpp_session --std=c++20")
    shell.cell("%cpp_vars")
    assert shell.out == "there are no variables\n"
    shell.cell("%%cpp\nint n = 3; unsigned long big = 4;")
    shell.cell("%cpp_type ++n")
    assert shell.out == "int &\n"
    shell.cell("%cpp_vars b*")
    assert shell.out == "unsigned long big = 4\n"
    assert "undeclared" in str(shell.cell("%cpp_type nowhere").error_in_exec)
    assert "needs an expression" in shell.cell("%cpp_type").error_in_exec.args[0]  # type: ignore[union-attr]


def test_values_go_in_as_they_do_in_calls(shell: Shell) -> None:
    shell.cell("import numpy; grid = numpy.arange(2000.0).reshape(40, 50); wide = -2**100")
    shell.cell("waves = numpy.arange(3000) * 1j; numbers = [-1, 2**63]")
    result = shell.cell(
        "%%cpp -i grid,wide,waves,numbers -o corner,back,far\n"
        "double corner = grid[39][49]; auto back = wide + 1; auto far = waves.back();\n"
        "static_assert(std::is_same_v<decltype(numbers), std::vector<__int128>>);"
    )
    assert result.success
    space = shell.shell.user_ns
    assert (space["corner"], space["back"], space["far"]) == (1999, 1 - 2**100, 2999j)
    shell.cell("twice = lambda x: 2 * x\ndef fails(): raise KeyError('k')")
    shell.cell("%%cpp -i twice,fails -o four\nint four = twice(2);")
    assert space["four"] == 4
    assert type(shell.cell("%%cpp\nfails();").error_in_exec).__name__ == "CppException"


def test_going_back(shell: Shell) -> None:
    shell.cell("%cpp_session --std=c++20")
    shell.cell("%%cpp\nint n = 1;")
    assert shell.cell("%cpp_checkpoint one").success
    shell.cell("%%cpp\nn = 2;\nint more;")
    shell.cell("%%cpp\nn = 3;")
    shell.cell("%cpp_history")
    lines = shell.out.splitlines()
    assert [line.split(None, 1)[0] for line in lines] == ["1", "2", "3"]
    assert lines[0].endswith("int n = 1;  [one]")
    assert lines[1].endswith("n = 2; …")
    shell.cell("%cpp_undo")
    assert shell.cell("%cpp n").result == 2
    shell.cell("%cpp_undo 2")  # %cpp is a cell, too
    assert shell.cell("%cpp n").result == 1
    assert "undeclared" in str(shell.cell("%cpp more").error_in_exec)
    shell.cell("%%cpp\nn = 4;")
    shell.cell("%cpp_restore one")
    assert shell.cell("%cpp n").result == 1


def test_going_back_nowhere(shell: Shell) -> None:
    shell.cell("%cpp_session --std=c++20")
    for code, message in (
        ("%cpp_undo many", "%cpp_undo takes a number of cells, but was given 'many'"),
        ("%cpp_checkpoint", "%cpp_checkpoint needs one word"),
        ("%cpp_restore a b", "%cpp_restore needs one word"),
        ("%cpp_history 3", "%cpp_history takes no argument"),
    ):
        wrong = shell.cell(code)
        assert message in str(wrong.error_in_exec), code
    shell.cell("%%cpp\nint n = 1;")
    missing = shell.cell("%cpp_restore nowhere")
    assert "nowhere" in str(missing.error_in_exec)
    assert "Traceback" not in shell.out + shell.err
    assert shell.cell("%cpp n").result == 1
