"""The file that brings a session back: what was accepted, in order, as lines of JSON.

The first line says what the file is and with which options the session ran; each line after it is
one step: a cell, a file that was loaded, or a JITDylib with its link order::

    {"farside": "session", "version": 1, "directory": "/home/me", "options": {"std": "c++20"}}
    {"cell": 1, "code": "int x = 1;"}
    {"load": "libz.so.1"}
    {"cell": 4, "code": "++x;", "dylib": "plugin"}

A step is appended when it is accepted, in one write, so a session that is killed loses at most the
line that was being written. The file may have been damaged or made by anybody: `read_session`
takes no field of it on trust. It is a program all the same, and who resumes it runs it.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

from farside.annotations import TYPE_CHECKING, Any, get_args
from farside.errors import OptionError
from farside.options import Options
from farside.permitted import RULES
from farside.records import NamedTuple
from farside.recovery.journal import FileKind, LoadedFile

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 1
_LONGEST_LINE = 1 << 28
_LAST_CELL = 1_000_000_000  # some are left for those that follow: numbers are 32 bits
_KINDS: tuple[str, ...] = get_args(FileKind)
# What belongs to the near side that writes, and not to the session.
_NOT_SAVED = frozenset(("output", "compiler", "executor", "trace"))
_SAVED_AS_STEPS = frozenset(("libraries",))  # which are loaded once by coming back


class SavedCell(NamedTuple):
    """An accepted cell: its number, its source, and the JITDylib of its code."""

    cell: int
    code: str
    dylib: str


class SavedDylib(NamedTuple):
    """A JITDylib was made, or given another link order."""

    name: str
    link_order: tuple[str, ...]


Step = SavedCell | SavedDylib | LoadedFile


class SavedSession(NamedTuple):
    """What a file says.

    Attributes:
        path: of the file.
        options: of the session, but for those that belong to its near side.
        directory: the working directory of the near side that wrote it.
        steps: in order.
        incomplete: whether the last line was cut short; it is left out.
        descriptor: the open file, locked; to be closed by its owner.
    """

    path: str
    options: Options
    directory: str
    steps: tuple[Step, ...]
    incomplete: bool
    descriptor: int


def header_line(options: Options) -> bytes:
    """Return the first line of the file of a session with these options."""
    chosen = {
        name: value
        for name, value in options._asdict().items()
        if name not in _NOT_SAVED | _SAVED_AS_STEPS and value != Options._field_defaults[name]
    }
    for name, value in chosen.items():
        if isinstance(value, Path):
            chosen[name] = os.path.abspath(value)
    if options.include_dirs:
        chosen["include_dirs"] = [os.path.abspath(each) for each in options.include_dirs]
    if options.includes:
        chosen["includes"] = [absolute(each) for each in options.includes]
    directory = os.getcwdb().decode(errors="replace")
    head = {"farside": "session", "version": VERSION, "directory": directory, "options": chosen}
    return _line(head)


def step_line(step: Step) -> bytes:
    """Return the line of a step."""
    record: dict[str, Any]
    if isinstance(step, SavedCell):
        record = {"cell": step.cell, "code": step.code}
        if step.dylib != "main":
            record["dylib"] = step.dylib
    elif isinstance(step, SavedDylib):
        record = {"jitdylib": step.name, "link_order": list(step.link_order)}
    else:
        record = {step.kind: absolute(step.path) if step.path else step.dylib}
        if step.path and step.dylib != "main":
            record["dylib"] = step.dylib
    return _line(record)


def absolute(path: str) -> str:
    """Return a path that means the same in every directory; a bare name is a library's."""
    return os.path.abspath(path) if "/" in path or os.path.exists(path) else path


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(", ", ": ")).encode() + b"\n"


def open_session(path: str) -> int:
    """Open a session's file and lock it against other sessions; return the descriptor.

    Raises:
        OptionError: it cannot be opened, is no file, or is in use.
    """
    try:
        # A pipe would keep us waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise OptionError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OptionError(f"{path} is no file that a session was saved in")
        lock(descriptor, path)
        try:
            same = os.path.samestat(os.stat(path), os.fstat(descriptor))
        except FileNotFoundError:
            same = False
        if not same:  # another session has just put its own there
            raise OptionError(f"{path} is in use by another session")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def lock(descriptor: int, path: str) -> None:
    """Keep other sessions from a file. Raises OptionError if one has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OptionError(f"{path} is in use by another session") from error
    except OSError:
        return  # a file system without locks


def read_session(path: str) -> SavedSession:
    """Read a file that a session was saved in.

    Raises:
        OptionError: it cannot be read, or is not what `header_line` and `step_line` write; the
            message names the line.
    """
    descriptor = open_session(path)
    try:
        with open(descriptor, "rb", closefd=False) as file:
            return _parse(path, file, descriptor)
    except OSError as error:
        os.close(descriptor)
        raise OptionError(f"{path}: {error.strerror}") from error
    except BaseException:
        os.close(descriptor)
        raise


def is_session(path: str) -> bool:
    """Tell whether a file begins like one that a session was saved in, or is empty."""
    if not os.path.isfile(path):  # a pipe would keep us waiting
        return False
    with suppress(OSError, OptionError, ValueError), open(path, "rb") as file:
        first = file.readline(1 << 16)
        return not first or b'"farside": "session"' in first
    return False


def has_steps(path: str) -> bool:
    """Tell whether a session's file holds more than its options. Raises OSError."""
    with open(path, "rb") as file:
        file.readline(_LONGEST_LINE)
        return bool(file.read(1))


def _parse(path: str, file: Any, descriptor: int) -> SavedSession:
    lines = _lines(path, file)
    first = next(lines, None)
    if first is None or not first.whole:
        raise OptionError(f"{path} is no file that a session was saved in")
    head = first.record
    if head.get("farside") != "session":
        raise OptionError(f"{path} is no file that a session was saved in")
    if head.get("version") != VERSION:
        raise OptionError(
            f"{path} was saved in format {str(head.get('version'))[:20]}, and this farside knows"
            f" {VERSION} only"
        )
    options = _options(first)
    directory = first.text("directory")
    steps: list[Step] = []
    last = 0
    incomplete = False
    for line in lines:
        if not line.whole:
            incomplete = True
            break
        step = _step(line, last)
        if isinstance(step, SavedCell):
            last = step.cell
        steps.append(step)
    return SavedSession(path, options, directory, tuple(steps), incomplete, descriptor)


class _Line(NamedTuple):
    """A line of the file; `whole` is false for a last one that was cut short."""

    path: str
    number: int
    record: dict[str, Any]
    whole: bool

    def wrong(self, what: str) -> OptionError:
        return OptionError(f"{self.path}, line {self.number}: {what}; the file is damaged")

    def text(self, key: str) -> str:
        value = self.record.get(key)
        if not isinstance(value, str) or "\0" in value or not _is_text(value):
            raise self.wrong(f"{key!r} must be a text")
        return value


def _lines(path: str, file: Any) -> Iterator[_Line]:
    number = 0
    while data := file.readline(_LONGEST_LINE):
        number += 1
        if not data.endswith(b"\n"):
            if len(data) >= _LONGEST_LINE:
                raise _Line(path, number, {}, True).wrong("it has no end")
            yield _Line(path, number, {}, False)
            return
        if number > 1 and not data.strip():
            continue  # somebody has edited it
        record: object = None
        with suppress(ValueError, RecursionError):
            record = json.loads(data)
        line = _Line(path, number, record if isinstance(record, dict) else {}, True)
        if not isinstance(record, dict):
            if number == 1:
                raise OptionError(f"{path} is no file that a session was saved in")
            raise line.wrong("it is no JSON object")
        yield line


def _step(line: _Line, last: int) -> Step:
    record = line.record
    keys = set(record)
    dylib = line.text("dylib") if "dylib" in keys else "main"
    if "cell" in keys and keys <= {"cell", "code", "dylib"}:
        cell = record["cell"]
        if type(cell) is not int or not last < cell < _LAST_CELL:
            raise line.wrong(
                "a cell's number must be greater than those before and below a billion"
            )
        code = record.get("code")
        if not isinstance(code, str) or not _is_text(code):
            raise line.wrong("'code' must be a text")
        return SavedCell(cell, code, dylib)
    if keys == {"jitdylib", "link_order"}:
        order = record["link_order"]
        if not isinstance(order, list) or not all(isinstance(each, str) for each in order):
            raise line.wrong("'link_order' must be a list of names")
        return SavedDylib(line.text("jitdylib"), tuple(order))
    for kind in _KINDS:
        if kind in keys and keys <= {kind, "dylib"}:
            named = line.text(kind)
            if kind == "open":
                return LoadedFile("", 0, "open", named)
            return LoadedFile(named, 0, kind, dylib)  # type: ignore[arg-type]
    raise line.wrong("it is neither a cell nor a file nor a JITDylib")


def _options(line: _Line) -> Options:
    given = line.record.get("options")
    if not isinstance(given, dict):
        raise line.wrong("'options' must be an object")
    changes: dict[str, Any] = {}
    for name, value in given.items():
        if name not in RULES or name in _NOT_SAVED:
            raise line.wrong(f"there is no option {name[:40]!r}")
        try:
            changes[name] = RULES[name](name, value)
        except OptionError as error:
            raise line.wrong(str(error)) from None
        texts = value if isinstance(value, list) else [value]
        if not all(_is_text(each) for each in texts if isinstance(each, str)):
            raise line.wrong(f"{name!r} must be a text")
    return Options(**changes)


def _is_text(text: str) -> bool:
    """Tell whether a text holds no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
