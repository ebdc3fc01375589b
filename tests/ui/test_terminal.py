"""farside on a real terminal: a pseudo-terminal with a person who waits for the prompt."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\r")


class Person:
    """Types into a terminal and reads what appears there."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self._terminal, far = pty.openpty()
        # setsid makes the terminal the controlling one, so that Ctrl-C becomes a signal.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=far,
            stdout=far,
            stderr=far,
            env={**os.environ, **environ},
        )
        os.close(far)
        self._seen = ""

    def types(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def waits_for(self, text: str, seconds: float = 60) -> str:
        """Read until `text` appears; return what came before it, without control sequences."""
        deadline = monotonic() + seconds
        while text not in (plain := _CONTROL.sub("", self._seen)):
            ready, _, _ = select.select([self._terminal], [], [], max(0, deadline - monotonic()))
            assert ready, f"{text!r} did not appear in {plain!r}"
            try:
                self._seen += os.read(self._terminal, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"{text!r} did not appear in {plain!r}") from None
        before, _, after = plain.partition(text)
        self._seen = after
        return before

    def settings(self) -> list[object]:
        return list(termios.tcgetattr(self._terminal))

    def leaves(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._terminal)


@pytest.fixture(params=["xterm", "dumb"])
def person(
    request: pytest.FixtureRequest, farside_command: list[str], tmp_path: Path
) -> Iterator[Person]:
    # prompt_toolkit asks a terminal for the cursor's position; a pseudo-terminal does not answer.
    environ = {
        "TERM": request.param,
        "XDG_STATE_HOME": str(tmp_path),
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "NO_COLOR": "1",
    }
    person = Person(farside_command, environ)
    yield person
    person.leaves()


@pytest.mark.usefixtures("leaves_nothing")
def test_a_session_at_the_terminal(person: Person) -> None:
    person.waits_for("farside[1]>")
    person.types("int f() {\r")
    person.waits_for("...>")
    person.types("return 42; }\r")
    person.waits_for("farside[2]>")
    person.types("f()\r")
    person.waits_for("(int) 42")
    person.waits_for("farside[3]>")
    person.types("#include <cstdio>\r")
    person.waits_for("farside[4]>")
    person.types('std::puts("it runs"); for (;;);\r')
    person.waits_for("it runs\n")
    person.types("\x03")
    person.waits_for("interrupted")
    person.waits_for("farside[5]>")
    person.types("f() + 1\r")
    person.waits_for("(int) 43")
    person.waits_for("farside[6]>")
    person.types("\x04")
    assert person.process.wait() == 0


@pytest.mark.usefixtures("leaves_nothing")
def test_raw_mode_ends_with_the_cell(person: Person) -> None:
    before = person.settings()
    person.waits_for("farside[1]>")
    person.types("#include <cstdio>\r")
    person.waits_for("farside[2]>")
    person.types("#include <termios.h>\r")
    person.waits_for("farside[3]>")
    person.types("termios t; tcgetattr(0, &t); cfmakeraw(&t); tcsetattr(0, TCSANOW, &t);\r")
    person.waits_for("the program had changed the terminal's settings; they are as before it\n")
    person.waits_for("farside[4]>")
    person.types('t.c_lflag |= ISIG; tcsetattr(0, TCSANOW, &t); std::puts("raw"); for (;;);\r')
    person.waits_for("raw\n")
    person.types("\x03")
    person.waits_for("the cell had changed the terminal's settings; they are as before it\n")
    person.waits_for("farside[5]>")
    person.types("tcsetattr(0, TCSANOW, &t); __builtin_trap();\r")
    person.waits_for("SIGILL")
    person.waits_for("the cell had changed the terminal's settings; they are as before it\n")
    person.waits_for("farside[6]>")
    person.types("\x04")
    assert person.process.wait() == 0
    assert person.settings() == before


@pytest.mark.usefixtures("leaves_nothing")
def test_ctrl_c_as_a_question(farside_command: list[str]) -> None:
    person = Person([*farside_command, "--on-interrupt=keep"], {"TERM": "dumb"})
    person.waits_for("farside[1]>")
    person.types("#include <cstdio>\r")
    person.waits_for("farside[2]>")
    person.types('std::puts("it runs"); for (;;);\r')
    person.waits_for("it runs\n")
    person.types("\x03")
    person.waits_for("the cell was asked to end; Ctrl-C again takes it back\n")
    person.types("\x03")
    person.waits_for("interrupted and taken back")
    person.waits_for("farside[3]>")
    person.types("\x04")
    assert person.process.wait() == 0
    person.leaves()


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("end", ["", "raise(SIGKILL);"])
def test_a_script_leaves_the_terminal_as_it_was(
    farside_command: list[str], tmp_path: Path, end: str
) -> None:
    script = tmp_path / "raw.cpp"
    script.write_text(
        "#include <csignal>\n#include <termios.h>\n"
        "int main() { termios t; tcgetattr(0, &t); cfmakeraw(&t); tcsetattr(0, TCSANOW, &t);"
        f" tcgetattr(0, &t); if (t.c_lflag & ICANON) return 1; {end} return 3; }}"
    )
    person = Person([*farside_command, str(script)], {"TERM": "dumb"})
    before = person.settings()
    if end:
        person.waits_for("the cell had changed the terminal's settings; they are as before it")
    assert person.process.wait() == (137 if end else 3)
    assert person.settings() == before
    person.leaves()


RAW = "termios t; tcgetattr(0, &t); cfmakeraw(&t); tcsetattr(0, TCSANOW, &t);"


@pytest.mark.usefixtures("leaves_nothing")
def test_code_of_the_command_line_leaves_the_terminal_as_it_was(farside_command: list[str]) -> None:
    cells = ["-c", f"#include <termios.h>\n{RAW}", "-c", "t.c_lflag & ICANON"]
    person = Person([*farside_command, *cells], {"TERM": "dumb"})
    before = person.settings()
    person.waits_for("(unsigned int) 0")
    assert person.process.wait() == 0
    assert person.settings() == before
    person.leaves()


@pytest.mark.usefixtures("leaves_nothing")
@pytest.mark.parametrize("end", ["", "raise(SIGKILL);"])
def test_objects_that_are_run_leave_the_terminal_as_it_was(
    farside_command: list[str], tmp_path: Path, end: str
) -> None:
    source = (
        f"#include <signal.h>\n#include <termios.h>\nint main() {{ struct {RAW} {end} return 3; }}"
    )
    program = str(tmp_path / "raw.o")
    subprocess.run(["gcc", "-c", "-xc", "-", "-o", program], input=source, text=True, check=True)
    person = Person([*farside_command, "run", program], {"TERM": "dumb"})
    before = person.settings()
    assert person.process.wait() == (137 if end else 3)
    assert person.settings() == before
    person.leaves()


SHELL = """
import termios
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "farside")
before = termios.tcgetattr(0)
shell.run_cell_magic("cpp", "", "#include <csignal>\\n#include <termios.h>\\nRAW")
print("accepted", termios.tcgetattr(0) == before)
shell.run_cell("%%cpp\\nt.c_lflag = 0; tcsetattr(0, TCSANOW, &t); raise(SIGKILL);")
print("killed", termios.tcgetattr(0) == before)
shell.run_line_magic("unload_ext", "farside")
"""


@pytest.mark.usefixtures("leaves_nothing")
def test_a_shell_of_ipython_finds_its_terminal_as_it_was(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SHELL.replace("RAW", RAW)]
    person = Person(command, {"TERM": "dumb", "IPYTHONDIR": str(tmp_path)})
    assert "the program had changed the terminal's settings" in person.waits_for("accepted True")
    assert "SIGKILL" in person.waits_for("killed True")
    assert person.process.wait() == 0
    person.leaves()
