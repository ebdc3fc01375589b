"""The ``%`` commands: text to records, which are told apart by their classes.

Names and meaning are Clang-Repl's; ``%undo N``, the short names and the suggestions are added.
"""

from __future__ import annotations

from farside.errors import OptionError
from farside.records import NamedTuple


class Help(NamedTuple):
    """``%help``: list the commands."""


class Undo(NamedTuple):
    """``%undo [N]``: take back the newest `cells`."""

    cells: int = 1


class Lib(NamedTuple):
    """``%lib PATH``: load a shared library, or link an object or archive."""

    path: str


class LibDir(NamedTuple):
    """``%lib -L DIR``: look for libraries in a directory first."""

    path: str


class Libs(NamedTuple):
    """``%lib``: list what is loaded, where libraries are looked for, and what is skipped."""


class Checkpoint(NamedTuple):
    """``%checkpoint NAME``: keep the present state under a name."""

    name: str


class Restore(NamedTuple):
    """``%restore NAME``: go back to a checkpoint."""

    name: str


class History(NamedTuple):
    """``%history``: list the accepted cells and what can be gone back to."""


class Save(NamedTuple):
    """``%save FILE``: keep the cells in a file from now on."""

    path: str


class Time(NamedTuple):
    """``%time CODE``: run a cell and say how long it took."""

    code: str


class Type(NamedTuple):
    """``%type EXPRESSION``: show the type of an expression without evaluating it."""

    expression: str


class Vars(NamedTuple):
    """``%vars [PATTERN]``: list the variables whose names are like `pattern`."""

    pattern: str = "*"


class Quit(NamedTuple):
    """``%quit``: end the session."""


Command = (
    Help
    | Undo
    | Lib
    | LibDir
    | Libs
    | Checkpoint
    | Restore
    | History
    | Save
    | Time
    | Type
    | Vars
    | Quit
)

HELP_TEXT = """\
%help          list these commands (also %h, %?)
%undo [N]      take back the newest cell, or the newest N, and what they did (also %u)
%history       list the cells; * marks those whose state can be gone back to
%checkpoint X  keep the present state under the name X
%restore X     go back to it
%save FILE     keep the cells in FILE from now on, for farside --resume FILE
%lib PATH      load a shared library (.so), or link an object (.o) or archive (.a)
%lib -L DIR    look for libraries in a directory before all others
%lib           list what is loaded, and where libraries are looked for
%time CODE     run a cell, and say how long it was compiled, linked and run
%type EXPR     show the type of an expression, which is not evaluated, or of a type's name
%vars [NAME]   list the variables with their types and values; * and ? in NAME stand for any text
%quit          end the session (also %q, %exit; or Ctrl-D)"""

_NAMES = {
    "help": "help",
    "h": "help",
    "?": "help",
    "undo": "undo",
    "u": "undo",
    "lib": "lib",
    "checkpoint": "checkpoint",
    "restore": "restore",
    "history": "history",
    "save": "save",
    "time": "time",
    "type": "type",
    "vars": "vars",
    "quit": "quit",
    "q": "quit",
    "exit": "quit",
}

# More cells than any session holds; keeps a number that a user mistyped out of the arithmetic.
_MOST_CELLS = 1_000_000_000


def parse_command(text: str) -> Command:
    """Return the command that `text` is.

    Raises:
        OptionError: there is no such command, or its arguments are wrong; the message says which.
    """
    words = text.split(None, 1)
    word = words[0]
    argument = words[1].strip() if len(words) > 1 else ""
    name = _NAMES.get(word[1:])
    if name is None:
        raise OptionError(_unknown(word))
    if name == "lib":
        return _lib(argument)
    if name == "save":
        if not argument:
            raise OptionError("%save needs the path of a file to keep the session in")
        return Save(_unquote(argument))
    if name == "time":
        if not argument:
            raise OptionError("%time needs the code of a cell")
        if argument[0] == "%":
            raise OptionError(f"%time runs the code of a cell, but was given {argument!r}")
        return Time(argument)
    if name == "type":
        if not argument:
            raise OptionError("%type needs an expression or the name of a type")
        return Type(argument)
    if name == "vars":
        if len(argument.split()) > 1:
            raise OptionError(f"%vars takes one pattern of names, but was given {argument!r}")
        return Vars(argument) if argument else Vars()
    if name == "undo":
        return Undo(_count(argument))
    if name in ("checkpoint", "restore"):
        checkpoint = _checkpoint_name(name, argument)
        return Checkpoint(checkpoint) if name == "checkpoint" else Restore(checkpoint)
    if argument:
        raise OptionError(f"%{name} takes no argument, but was given {argument!r}")
    if name == "history":
        return History()
    return Help() if name == "help" else Quit()


def command_hint(text: str) -> str:
    """Return what is to be said of a cell that is a command's name without ``%``; else nothing.

    Names of one letter are more often those of variables.
    """
    word = text.strip().rstrip(";").strip().removesuffix("()")
    name = _NAMES.get(word)
    if name is None or len(word) == 1:
        return ""
    return {
        "quit": "%quit ends the session, as does Ctrl-D",
        "help": "%help lists the commands",
    }.get(name, f"there is a command %{word}; %help lists all")


def _lib(argument: str) -> Lib | LibDir | Libs:
    if not argument:
        return Libs()
    if not argument.startswith("-L"):
        return Lib(_unquote(argument))
    directory = _unquote(argument[2:].strip())
    if not directory:
        raise OptionError("%lib -L needs the path of a directory")
    return LibDir(directory)


def _checkpoint_name(command: str, argument: str) -> str:
    if not argument or len(argument.split()) != 1 or len(argument) > 100:
        raise OptionError(f"%{command} needs one word, the checkpoint's name")
    if not argument.isprintable():
        raise OptionError(f"%{command}: a checkpoint's name must be printable")
    return argument


def _count(argument: str) -> int:
    if not argument:
        return 1
    if not (argument.isascii() and argument.isdecimal()) or len(argument) > 12:
        raise OptionError(f"%undo takes a number of cells, but was given {argument!r}")
    count = int(argument)
    if not 1 <= count <= _MOST_CELLS:
        raise OptionError(f"%undo takes a number of cells from 1, but was given {argument!r}")
    return count


def _unquote(path: str) -> str:
    for quote in "\"'":
        if len(path) > 2 and path[0] == quote == path[-1]:
            return path[1:-1]
    return path


def _unknown(word: str) -> str:
    import difflib

    names = dict.fromkeys(_NAMES.values())
    near = difflib.get_close_matches(word[1:40], names, n=1, cutoff=0.5)
    hint = f"did you mean %{near[0]}?" if near else "%help lists the commands"
    shown = word if len(word) <= 40 else word[:39] + "…"
    return f"there is no command {shown}; {hint}"
