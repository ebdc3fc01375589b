"""What is imported before the compiler is started, and so waited for."""

from __future__ import annotations

import subprocess
import sys

from farside.frontend.start import _early, start_early
from farside.options import Options
from farside.session import Session

EARLY = ("farside.command", "farside.permitted", "farside.frontend.start")
HEAVY = (
    "argparse",
    "farside.bench",
    "farside.execution",
    "farside.link",
    "farside.object",
    "farside.platform",
    "farside.remote",
    "numpy",
    "prompt_toolkit",
    "pygments",
    "rich",
)
# What a session needs for something else than plain cells: a command, an error, a display.
LATER = (
    "dataclasses",
    "farside.frontend.hints",
    "farside.result.type_names",
    "farside.result.value",
    "farside.source.commands",
    "inspect",
    "pathlib",
    "typing",
)


_COMMAND = "import sys; from farside.cli import main; main([]); print(*sys.modules)"


def python(program: str, cells: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program in a Python of its own, with cells on its standard input."""
    return subprocess.run(
        [sys.executable, "-c", program], input=cells, capture_output=True, text=True, check=True
    )


def imported_with(*names: str) -> list[str]:
    """Return the modules that a Python has after importing some."""
    return python(f"import sys, {', '.join(names)}; print(*sys.modules)").stdout.split()


def test_the_compiler_is_started_before_the_linker_is_imported() -> None:
    modules = imported_with("farside.cli", "farside.session")
    assert "farside.frontend.client" in modules
    assert [name for name in HEAVY if name in modules] == []


def test_the_command_launches_the_compiler_before_anything_is_imported() -> None:
    modules = set(imported_with("farside.cli"))
    assert {"farside", "farside.cli", "farside.frontend", "farside.frontend.process"} == {
        name for name in modules if name.startswith("farside")
    }
    assert {"enum", "re", "signal", "socket", "subprocess", "typing"}.isdisjoint(modules)


def test_a_session_of_the_command_takes_the_compiler_that_was_launched_first() -> None:
    program = (
        "import os\n"
        "from farside import cli\n"
        "from farside.frontend import process\n"
        "launch, pids = cli.launch_spare, []\n"
        "def noted():\n"
        "    launch()\n"
        "    pids.append(process._spare[-1].pid)\n"
        "cli.launch_spare = noted\n"
        "spawned, spawn = [], os.posix_spawn\n"
        "def counted(path, *rest, **more):\n"
        "    spawned.append(os.path.basename(path))\n"
        "    return spawn(path, *rest, **more)\n"
        "os.posix_spawn = counted\n"
        "cli.main(['-c', '1'])\n"
        "print(len(pids), spawned)\n"
    )
    done = python(program)
    assert done.stdout == "(int) 1\n1 ['farside-compiler', 'farside-executor']\n"


def test_a_command_that_fails_leaves_no_compiler() -> None:
    program = (
        "import os\n"
        "from farside.cli import main\n"
        "print(main(['--no-such-option']))\n"
        "try:\n"
        "    os.waitpid(-1, 0)\n"
        "except ChildProcessError:\n"
        "    print('none')\n"
    )
    done = python(program)
    assert done.stdout == "2\nnone\n"


def test_the_command_starts_the_compiler_before_the_session_is_imported() -> None:
    modules = imported_with(*EARLY)
    session = ("farside.session", "farside.rescue", "farside.recovery.journal", *HEAVY)
    assert [name for name in session if name in modules] == []


def test_plain_cells_import_nothing_that_only_others_need() -> None:
    done = python(_COMMAND, "int x = 1;\nx = 2;\n")
    assert done.stderr == ""
    modules = done.stdout.split()
    assert "farside.execution" in modules
    assert [name for name in LATER if name in modules] == []


def test_a_command_and_a_compile_error_import_little() -> None:
    done = python(_COMMAND, "int x = 1;\n%undo\nint y = ;\n")
    modules = done.stdout.split()
    assert "farside.source.commands" in modules
    assert [name for name in ("dataclasses", "inspect", "pathlib") if name in modules] == []


def test_a_value_is_shown_without_what_only_others_need() -> None:
    done = python(_COMMAND, "1 + 1\n")
    shown, modules = done.stdout.splitlines()
    assert shown == "(int) 2"
    assert [name for name in LATER if name in modules.split()] == ["farside.result.value"]


def test_the_first_cell_is_sent_before_the_session_is_imported() -> None:
    program = (
        "import sys\n"
        "from farside.cli import main\n"
        "from farside.frontend.client import Compiler\n"
        "begin = Compiler.begin_compile\n"
        "def noted(self, number, code):\n"
        "    print(number, code, 'farside.session' in sys.modules)\n"
        "    begin(self, number, code)\n"
        "Compiler.begin_compile = noted\n"
        "main(['-c', 'int x = 1;', '-c', 'x'])\n"
    )
    done = python(program)
    assert done.stdout == "1 int x = 1; False\n(int) 1\n"


def test_a_session_takes_the_compiler_that_was_started_for_it() -> None:
    options = Options(output="capture")
    start_early(options.with_(opt=0))
    (wrong,) = _early
    start_early(options)
    early = _early[-1].compiler
    with Session(options) as session:
        assert session.compiler_pid == early.pid
        assert session.run("1 + 1").value is not None
    with Session(options) as session:
        assert session.compiler_pid != early.pid
        assert not wrong.compiler.lives
        assert _early == []
