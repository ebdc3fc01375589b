"""Which programs there are to measure, and how each is started."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from shutil import which

from farside.annotations import TYPE_CHECKING
from farside.bench.rows import ABSENT, FARSIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

# Cling's prompt without its line editor: each line is a cell, one that ends in a backslash goes on.
_CPPYY = """
import sys, cppyy
text = ""
for line in sys.stdin:
    text += line.rstrip("\\n")
    if text.endswith("\\\\"):
        text = text[:-1]
        continue
    cppyy.gbl.gInterpreter.ProcessLine(text)
    text = ""
"""


class Peers:
    """The programs that are measured.

    Attributes:
        repls: by column, the command of each program that reads cells from its standard input.
        compilers: by column, the path of each compiler that works ahead of time.
        missing: by column, why a peer is not there.
        programs: names and paths, for their versions.
    """

    def __init__(self, opt: int | None = None, only: Sequence[str] | None = None) -> None:
        """Look what there is.

        Args:
            opt: the level of optimisation for all; None leaves each at its own default.
            only: the columns to look for; None means all.
        """
        self.repls: dict[str, list[str]] = {}
        self.compilers: dict[str, str] = {}
        self.missing: dict[str, str] = {}
        self.programs: dict[str, str] = {}
        self._only = only
        level = [] if opt is None else [f"-O{opt}"]
        own = [sys.executable, "-m", "farside", *level]
        self._repl(FARSIDE, own)
        self._repl("in-process", [*own, "--in-process"])
        self._clang_repl([] if opt is None else [f"--Xcc=-O{opt}"])
        if self._wanted("cppyy"):
            spec = find_spec("cppyy")
            if spec is None or spec.origin is None:  # a directory of that name is none
                self.missing["cppyy"] = ABSENT
            else:
                self._repl("cppyy", [sys.executable, "-c", _CPPYY])
        for key, names in (("clang++", ("clang++-22", "clang++")), ("g++", ("g++",))):
            found = next(filter(None, map(which, names)), None)
            if not self._wanted(key):
                continue
            if found is None:
                self.missing[key] = ABSENT
            else:
                self.compilers[key] = self.programs[key] = found

    def _wanted(self, key: str) -> bool:
        return self._only is None or key in self._only

    def _repl(self, key: str, command: list[str]) -> None:
        if self._wanted(key):
            self.repls[key] = command

    def _clang_repl(self, level: list[str]) -> None:
        program = which("clang-repl-22") or which("clang-repl")
        for key in filter(self._wanted, ("clang-repl", "clang-repl-oop")):
            if program is None:
                self.missing[key] = ABSENT
                continue
            self.programs["clang-repl"] = program
            if key == "clang-repl":
                self.repls[key] = [program, *level]
                continue
            executor = which("llvm-jitlink-executor-22") or which("llvm-jitlink-executor")
            runtime = _orc_runtime()
            if executor is None or runtime is None:
                self.missing[key] = "its executor or ORC's runtime is not installed"
                continue
            self.programs["llvm-jitlink-executor"] = executor
            more = [f"--oop-executor={executor}", f"--orc-runtime={runtime}"]
            self.repls[key] = [program, *level, *more]


def _orc_runtime() -> str | None:
    from farside.errors import SetupError
    from farside.options import Options
    from farside.stock import find_runtime

    try:
        return str(find_runtime(Options()))
    except SetupError:
        return None
