"""A session without processes, for tests of what the user sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from farside.errors import CompileError, Crashed, FarsideError, Interrupted, OptionError
from farside.frontend.diagnostics import Diagnostic
from farside.outcome import Variable
from farside.remote.death import CLD_EXITED, CLD_KILLED, DeathReport
from farside.result.value import Value, ValueKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from farside.result.bundle import Display


@dataclass(frozen=True)
class FakeResult:
    value: Value | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    notices: tuple[str, ...] = ()
    stdout: str = ""
    stderr: str = ""
    timings: Mapping[str, float] = field(
        default_factory=lambda: {"compile": 0.0123, "link": 0.0004, "commit": 3.0, "run": 2.5}
    )


@dataclass(frozen=True)
class FakePast:
    cell: int
    code: str
    kept: bool
    checkpoints: tuple[str, ...]


WARNING = Diagnostic("warning", "unused", file="cell 1", line=1, column=1, source="unused")
ERROR = Diagnostic("error", "expected expression", file="cell 1", line=1, column=1, source="bad")


class FakeSession:
    """Understands numbers and a few words; everything else runs and shows nothing."""

    def __init__(self) -> None:
        self.next_cell = 1
        self.on_display: Callable[[Display], None] | None = None
        self.on_asked: Callable[[], None] | None = None
        self.upcoming: Callable[[], str | None] | None = None
        self.ran: list[str] = []
        self.undone: list[int] = []
        self.loaded: list[str] = []
        self.library_dirs: list[str] = []
        self.checkpoints: list[str] = []
        self.main: int | FarsideError | None = None
        self.argv: list[str] = []

    def run(self, code: str) -> FakeResult:
        self.ran.append(code)
        self.next_cell += 1
        match code.strip().split():
            case [number] if number.isdecimal():
                return FakeResult(Value("int", ValueKind.INT, number, int(number)))
            case ["warn"]:
                return FakeResult(diagnostics=(WARNING,), notices=("loaded libz.so",))
            case ["print"]:
                return FakeResult(stdout="out\n", stderr="err\n")
            case ["bad"]:
                raise CompileError("cell 1:1:1: error: expected expression", (ERROR,))
            case ["segfault"]:
                raise death(CLD_KILLED, 11)
            case ["exit", status]:
                raise death(CLD_EXITED, int(status))
            case ["interrupt"]:
                raise Interrupted("cell 1 was interrupted and taken back")
            case ["ctrl-c"]:
                raise KeyboardInterrupt
        return FakeResult()

    def undo(self, count: int = 1) -> tuple[str, ...]:
        if count > len(self.ran):
            raise OptionError("there are not that many cells")
        self.undone.append(count)
        return ("only names were taken back",) if count > 1 else ()

    def checkpoint(self, name: str) -> None:
        self.checkpoints.append(name)

    def restore(self, name: str) -> tuple[str, ...]:
        if name not in self.checkpoints:
            raise OptionError(f"there is no checkpoint {name!r}")
        return ("a thread did not come back",)

    def history(self) -> Sequence[FakePast]:
        return [
            FakePast(n, code, n == len(self.ran), tuple(self.checkpoints) if n == 1 else ())
            for n, code in enumerate(self.ran, 1)
        ]

    def type_of(self, expression: str) -> str:
        return f"type of {expression}"

    def variables(self, pattern: str = "*") -> Sequence[Variable]:
        known = [Variable("x", "int", "41", 1), Variable("m", "std::mutex", "", 2)]
        return [each for each in known if fnmatchcase(each.name, pattern)]

    def load(self, path: str) -> str:
        if path.startswith("missing"):
            raise OptionError(f"{path}: no such file")
        self.loaded.append(path)
        return f"loaded {path}"

    def save(self, path: str) -> str:
        if path.startswith("/missing"):
            raise OptionError(f"{path}: No such file or directory")
        return f"kept in {path}"

    def add_library_dir(self, path: str) -> None:
        self.library_dirs.append(path)

    def libraries(self) -> tuple[str, ...]:
        return ("loaded: /lib/libc.so.6", "search path: /lib")

    def defines_main(self) -> bool:
        return self.main is not None

    def call_main(self, args: Sequence[str]) -> int:
        self.argv = list(args)
        if isinstance(self.main, int):
            return self.main
        assert self.main is not None
        raise self.main


def death(code: int, status: int) -> Crashed:
    report = DeathReport(pid=1, code=code, status=status)
    error = Crashed(str(report), report)
    error.recovery = ("the far side was started again",)
    return error
