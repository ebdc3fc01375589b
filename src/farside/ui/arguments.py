"""The command line, from words to one frozen `Invocation`.

Written by hand because it stands on the path to the first result: importing argparse and building a
parser costs more than starting both child processes.
"""

from __future__ import annotations

import os

from farside.annotations import TYPE_CHECKING, Any, Literal
from farside.errors import OptionError
from farside.options import Options
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_CODE_SIGNS = ";{}()[]=#%&*+,:<>|^!?\"'"
USAGE = "usage: farside [options] [FILE | CODE]... [-- ARGS...]"

HELP = f"""\
{USAGE}
       farside run [-l LIB] FILE... [-- ARGS]   runs main of objects (farside run --help)
       farside link [options] FILE...     (farside link --help)
       farside executor --listen HOST:PORT   (farside executor --help)
       farside bench [GROUP]...           measures it beside its peers (farside bench --help)

Interactive C++. With neither FILE nor CODE the cells come from standard input: with a prompt if
that is a terminal, else one cell a line, or as many lines as it takes to close what is open.

inputs, taken in the order given:
  FILE                  C++, run as one cell, in which statements are allowed; `-` is standard
                        input. If it defines main, main is called with ARGS at the end.
  FILE.o, .a, .so       is linked or loaded
  CODE                  an argument that is no file's name and holds a character which file names
                        seldom hold: a blank, a newline or one of
                        {" ".join(_CODE_SIGNS)}
                        After the first CODE whatever is no file's name is code.
  -c CODE               is code whatever it looks like

options:
  -std=STD              c++11 to c++23, or c89 to c23 with -xc; default: the newest well supported
  -x LANG, -xLANG       c++ (default) or c
  -stdlib=LIB           libstdc++ (default) or libc++
  -O0 ... -O3           optimisation (default 2)
  -I DIR  -D NAME[=VALUE]  -include FILE    as for Clang
  --Xcc=OPTION, -Xcc OPTION                 any other option for Clang
  --no-pch              do without the precompiled standard library
  --no-redefinition     reject a second definition of a name, as the standard has it
  -L DIR, --library-path=DIR                look for shared libraries in DIR before all others
  --autoload=on|ask|off  whether a shared library is loaded by itself when a cell refers to what it
                        defines (default on; ask: only if you say so)
  --slab-allocate=SIZE  address range for the cells' code and data, such as 512MB or 2GB
  --oop-executor[=PATH] the executor: farside's own (default), or another of ORC's, such as
                        llvm-jitlink-executor
  --oop-executor-connect=HOST:PORT   an executor that listens there (farside executor)
  --token-file=FILE     holds the token that it asks for (or the environment: FARSIDE_TOKEN)
  --insecure            talk even to one elsewhere that does not encrypt
  --ssh=HOST            start the executor on HOST by ssh
  --use-shared-memory   hand large images to the executor, on this machine, in shared memory
  --in-process          run the cells in farside's own process: a crash ends it, nothing is kept
  --orc-runtime[=PATH]  LLVM's ORC runtime, for an executor other than farside's
  --time-limit=SECONDS  stop and take back a cell that runs longer
  --compile-limit=SECONDS  give a cell up for which Clang takes longer
  --compile-memory=SIZE  give a cell up for which Clang needs more (default: half of the machine's)
  --memory-limit=SIZE   let allocations beyond this fail
  --process-limit=N     end a program with more processes beside its first
  --snapshots=N         states of the program that are kept, for recovery after a crash and for
                        %undo (default 10); 0 keeps none
  --snapshot-memory=SIZE  memory that they may take; default: half of what is free
  --on-loss=WHAT        when no state of the program is left: definitions (default) gives variables
                        their initial values, replay runs all cells again
  --on-interrupt=WHAT   on Ctrl-C: restore (default) takes the cell back, keep asks it to end by
                        itself (farside::interrupted()), and the second Ctrl-C takes it back
  --journal=FILE        keep the cells in FILE as they are accepted, as %save does from then on
  --resume=FILE         bring back the session in FILE by running its cells again, and go on with
                        it there; options that are given take the place of the session's
  --trace=FILE          write the path of each cell to FILE, for ui.perfetto.dev or
                        chrome://tracing
  --elements=N          elements of a container that are shown (default 100)
  --prepare             build the precompiled standard library for these options, then end
  --version, --help

exit status: 0; 1 if a cell failed (those after it are run all the same); 2 for a mistake on the
command line or a file that cannot be read; what main returned, or exit() in a FILE was given;
128+N if signal N ended a FILE or its main; 130 if Ctrl-C did.
"""


class Input(NamedTuple):
    """Something to run or to link.

    Attributes:
        kind: ``code`` from the command line; ``file``, a source file or ``-`` for standard input;
            ``link``, an object, archive or shared library.
        text: the code, or the path.
    """

    kind: Literal["code", "file", "link"]
    text: str


Action = Literal["run", "prepare", "help", "version"]


class Invocation(NamedTuple):
    """What the command line asks for.

    Attributes:
        action: what to do; all but ``run`` ignores `inputs`.
        options: how the session is to be set up.
        inputs: in order; none means standard input.
        args: what stood after ``--``.
        chosen: the names of the options that were given.
        journal: the file to keep the session in, or None.
        resume: the file of a session to bring back, or None.
    """

    action: Action
    options: Options
    inputs: tuple[Input, ...]
    args: tuple[str, ...]
    chosen: frozenset[str] = frozenset()
    journal: str | None = None
    resume: str | None = None


def parse_arguments(argv: Sequence[str]) -> Invocation:
    """Return what `argv`, the words after the command's name, asks for.

    Raises:
        OptionError: an option is unknown, lacks its value or has a wrong one; a file is not there.
    """
    return _Parser(argv).parse()


def _path(value: str) -> Path:
    from pathlib import Path  # few sessions are given one

    return Path(value)


_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text: str) -> int:
    """Return a size in bytes: a number with an optional KB, MB or GB (powers of 1024).

    Raises:
        OptionError: it is no such number, or zero.
    """
    number = text.upper().removesuffix("B").removesuffix("I")
    unit = number[-1:] if number[-1:] in _UNITS else ""
    number = number.removesuffix(unit)
    plain = number.isascii() and number.isdecimal() and len(number) <= 15
    size = int(number) * _UNITS[unit] if plain else 0
    if not 0 < size < 1 << 47:
        raise OptionError(f"{text!r} is no size; write for example 512MB or 2GB")
    return size


def parse_count(text: str) -> int:
    """Return a number of snapshots.

    Raises:
        OptionError: it is none, or more than 1000.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) <= 1000):
        raise OptionError(f"--snapshots takes a number from 0 to 1000, but was given {text!r}")
    return int(text)


def parse_elements(text: str) -> int:
    """Return how many elements of a container are shown.

    Raises:
        OptionError: it is no number from 1 to 100000.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= 100_000):
        raise OptionError(f"--elements takes a number from 1 to 100000, but was given {text!r}")
    return int(text)


# Options whose value names something; none of them can be empty.
_NAMING = frozenset(
    ("-std", "-include", "-I", "-D", "-Xcc", "-oop-executor", "-orc-runtime", "-token-file", "-ssh")
) | {"-oop-executor-connect"}


class _Parser:
    """Goes through the words once, collecting as it goes."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._words = list(argv)
        self._next = 0
        self._changes: dict[str, Any] = {}
        self._files: dict[str, str] = {}
        self._lists: dict[str, list[str]] = {
            "include_dirs": [],
            "defines": [],
            "includes": [],
            "library_dirs": [],
            "xcc": [],
        }
        self._inputs: list[Input] = []
        self._action: Action = "run"
        self._seen_code = False

    def parse(self) -> Invocation:
        args: tuple[str, ...] = ()
        while self._next < len(self._words):
            word = self._words[self._next]
            self._next += 1
            if word == "--":
                args = tuple(self._words[self._next :])
                break
            if (
                word.startswith("-")
                and word != "-"
                and not (self._seen_code and word[1].isdecimal())
            ):
                self._option(word)
            else:
                self._inputs.append(self._positional(word))
        self._changes.update({name: tuple(v) for name, v in self._lists.items() if v})
        if len(self._files) > 1:
            raise OptionError("--resume goes on with its file; --journal is for a new session")
        return Invocation(
            self._action,
            Options(**self._changes),
            tuple(self._inputs),
            args,
            frozenset(self._changes),
            self._files.get("journal"),
            self._files.get("resume"),
        )

    # ------------------------------------------------------------------ options

    def _option(self, word: str) -> None:
        if self._flag(word):
            return
        # Clang's spelling has one dash, the customary one two; both are taken.
        single = word[1:] if word.startswith("--") else word
        for name, take in self._with_value().items():
            if single == name:
                value = self._value(word)
                if not value and name in _NAMING:
                    raise OptionError(f"{word} needs a value that is not empty")
                take(value)
                return
            joined = single.removeprefix(name)
            if joined == single:
                continue
            if joined.startswith("="):
                if joined == "=" and name in _NAMING:
                    raise OptionError(f"{word} needs a value; farside --help lists the options")
                take(joined[1:])
                return
            if name in ("-I", "-D", "-x", "-L") and not word.startswith("--"):
                take(joined)
                return
        raise OptionError(_unknown_option(word))

    def _flag(self, word: str) -> bool:
        match word:
            case "-h" | "-help" | "--help":
                self._action = "help"
            case "-version" | "--version":
                self._action = self._action if self._action == "help" else "version"
            case "-prepare" | "--prepare":
                self._action = self._action if self._action != "run" else "prepare"
            case "-oop-executor" | "--oop-executor" | "-orc-runtime" | "--orc-runtime":
                pass  # without a path: the one that is found by itself
            case "-insecure" | "--insecure":
                self._set(insecure=True)
            case "-use-shared-memory" | "--use-shared-memory":
                self._set(shared_memory=True)
            case "-in-process" | "--in-process":
                self._set(in_process=True)
            case "-no-pch" | "--no-pch":
                self._set(use_pch=False)
            case "-no-redefinition" | "--no-redefinition":
                self._set(redefinition=False)
            case "-O0" | "-O1" | "-O2" | "-O3":
                self._set(opt=int(word[2]))
            case "-O":
                self._set(opt=1)
            case _:
                return False
        return True

    def _with_value(self) -> dict[str, Callable[[str], None]]:
        lists = self._lists
        return {
            "-std": lambda value: self._set(std=value),
            "-stdlib": self._stdlib,
            "-x": self._language,
            "-include": lists["includes"].append,
            "-I": lists["include_dirs"].append,
            "-D": lists["defines"].append,
            "-L": self._library_dir,
            "-library-path": self._library_dir,
            "-autoload": self._autoload,
            "-Xcc": lists["xcc"].append,
            "-snapshots": lambda value: self._set(snapshots=parse_count(value)),
            "-snapshot-memory": lambda value: self._set(snapshot_memory=parse_size(value)),
            "-process-limit": self._process_limit,
            "-elements": lambda value: self._set(elements=parse_elements(value)),
            "-slab-allocate": lambda value: self._set(slab_bytes=parse_size(value)),
            "-oop-executor": lambda value: self._set(executor=_path(value)),
            "-orc-runtime": lambda value: self._set(orc_runtime=_path(value)),
            "-oop-executor-connect": lambda value: self._set(connect=value),
            "-token-file": lambda value: self._set(token_file=_path(value)),
            "-ssh": lambda value: self._set(ssh=value),
            "-time-limit": lambda value: self._seconds("time_limit", value),
            "-compile-limit": lambda value: self._seconds("compile_limit", value),
            "-compile-memory": lambda value: self._set(compile_memory=parse_size(value)),
            "-memory-limit": lambda value: self._set(memory_limit=parse_size(value)),
            "-on-loss": lambda value: self._choice("on_loss", value, ("definitions", "replay")),
            "-on-interrupt": lambda value: self._choice("on_interrupt", value, ("restore", "keep")),
            "-journal": lambda value: self._file("journal", value),
            "-resume": lambda value: self._file("resume", value),
            "-trace": self._trace,
            "-c": self._code,
        }

    def _value(self, word: str) -> str:
        if self._next >= len(self._words):
            raise OptionError(f"{word} needs a value; farside --help lists the options")
        self._next += 1
        return self._words[self._next - 1]

    def _set(self, **changes: object) -> None:
        self._changes.update(changes)

    def _process_limit(self, value: str) -> None:
        plain = value.isascii() and value.isdecimal() and len(value) < 8
        if not plain or not int(value):
            raise OptionError(f"--process-limit takes a number from 1, but was given {value!r}")
        self._set(process_limit=int(value))

    def _file(self, name: str, value: str) -> None:
        if not value:
            raise OptionError(f"--{name} needs the name of a file")
        self._files[name] = value

    def _trace(self, value: str) -> None:
        if not value:
            raise OptionError("--trace needs the name of a file")
        self._set(trace=value)

    def _choice(self, name: str, value: str, choices: tuple[str, str]) -> None:
        if value not in choices:
            option = name.replace("_", "-")
            raise OptionError(f"--{option} takes {' or '.join(choices)}, but was given {value!r}")
        self._set(**{name: value})

    def _stdlib(self, value: str) -> None:
        if value not in ("libstdc++", "libc++"):
            raise OptionError(f"-stdlib={value}: the standard libraries are libstdc++ and libc++")
        self._set(stdlib=value)

    def _language(self, value: str) -> None:
        if value not in ("c", "c++"):
            raise OptionError(f"-x {value}: the languages are c++ and c")
        self._set(language=value)

    def _library_dir(self, value: str) -> None:
        if not value:
            raise OptionError("-L needs the path of a directory")
        self._lists["library_dirs"].append(os.path.abspath(value))

    def _autoload(self, value: str) -> None:
        if value not in ("on", "ask", "off"):
            raise OptionError(f"--autoload={value}: it can be on, ask or off")
        self._set(autoload=value)

    def _seconds(self, name: str, value: str) -> None:
        plain = value.replace(".", "", 1)
        seconds = float(value) if plain.isascii() and plain.isdecimal() else 0.0
        if not 0 < seconds < 1e9:
            raise OptionError(f"{value!r} is no time limit; write a number of seconds, such as 2.5")
        self._set(**{name: seconds})

    # ------------------------------------------------------------------ inputs

    def _code(self, code: str) -> None:
        self._seen_code = True
        self._inputs.append(Input("code", code))

    def _positional(self, word: str) -> Input:
        if word == "-":
            return Input("file", word)
        if os.path.exists(word):
            return Input("link" if _is_linkable(word) else "file", word)
        marked = not frozenset(_CODE_SIGNS + " \t\n").isdisjoint(word)
        if (marked or self._seen_code) and not _is_linkable(word):
            self._seen_code = True
            return Input("code", word)
        raise OptionError(f"{word}: no such file (for code that looks like a name: -c CODE)")


def _is_linkable(path: str) -> bool:
    """Tell whether a file's name is that of an object, an archive or a shared library."""
    name = os.path.basename(path)
    return name.endswith((".o", ".a", ".so")) or ".so." in name


def _unknown_option(word: str) -> str:
    import difflib

    names = [
        "-std=",
        "-stdlib=",
        "-include",
        "--Xcc=",
        "--no-pch",
        "--no-redefinition",
        "--slab-allocate=",
    ]
    names += ["--time-limit=", "--compile-limit=", "--memory-limit=", "--process-limit="]
    names += ["--snapshots=", "--elements=", "--snapshot-memory=", "--journal=", "--resume="]
    names += ["--on-loss=", "--on-interrupt=", "--library-path=", "--autoload="]
    names += ["--oop-executor", "--oop-executor-connect=", "--token-file=", "--insecure", "--ssh="]
    names += ["--compile-memory=", "--prepare", "--version", "--help"]
    name = word.partition("=")[0]
    near = [each for each in names if each.startswith(name)]
    if not near and not name.startswith(("-f", "-m", "-W")):  # those are Clang's
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"to hand it to Clang: --Xcc={word}"
    return f"unknown option {word}; {hint}"
