"""Reading the files on the command line, before anything is started on their behalf."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Literal
from farside.errors import OptionError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.ui.arguments import Input

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as a program that the signal ends


class Step(NamedTuple):
    """A part of a script.

    Attributes:
        kind: ``code`` from the command line, which may be a ``%`` command; ``source``, a file that
            was read and is one cell; ``link``, an object, archive or shared library; ``stream``,
            standard input, cell by cell.
        text: the code, or the path of what is to be linked.
        name: the source file's path.
    """

    kind: Literal["code", "source", "link", "stream"]
    text: str = ""
    name: str = ""


def read_inputs(inputs: Sequence[Input]) -> list[Step]:
    """Return the steps that `inputs` call for; without any, that is standard input.

    Raises:
        OptionError: a file cannot be read or is not text.
    """
    return [_read(each) for each in inputs] or [Step("stream")]


def _read(each: Input) -> Step:
    if each.kind != "file":
        return Step(each.kind, each.text)
    path = each.text
    if path == "-":
        return Step("stream")
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise OptionError(f"{path}: {error.strerror}") from error
    if data.startswith((b"\x7fELF", b"!<arch>\n", b"!<thin>\n")):
        return Step("link", path)
    if b"\0" in data:
        raise OptionError(f"{path}: this is a binary file, not C++")
    try:
        code = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise OptionError(f"{path}: line {line} is not UTF-8") from error
    if code.startswith("#!"):
        code = "//" + code[2:]  # lines and columns stay as they are
    return Step("source", code, path)
