"""What each option may be; a session looks at all of them before it starts anything.

Each rule either returns the value in the form that the rest of farside relies on or says in words
what the option takes.
"""

from __future__ import annotations

from os import PathLike, fspath

from farside.annotations import TYPE_CHECKING, Any, NoReturn, get_args
from farside.errors import OptionError
from farside.options import (
    AutoloadMode,
    Language,
    OnInterrupt,
    OnLoss,
    Options,
    OutputMode,
    StandardLibrary,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_ADDRESSES = (1 << 47) - 1  # bytes that a program's part of the address space has
_LONGEST = 1e9  # seconds
_SHOWN = 60  # characters of a wrong value


def permitted(options: Options) -> Options:
    """Return options that a session can work with: paths as `Path`, several strings as a tuple.

    Raises:
        OptionError: one of them is what it cannot be; it says which, what it was given, and what
            it takes.
    """
    if not isinstance(options, Options):
        raise OptionError(
            f"a session's options are farside.Options, but were given {_said(options)}; a single"
            " option is a keyword, as in Session(opt=0)"
        )
    changes: dict[str, Any] = {}
    for name, default in Options._field_defaults.items():
        given = getattr(options, name)
        if given is default:
            continue
        made = RULES[name](name, given)
        if made is not given:
            changes[name] = made
    checked = options.with_(**changes) if changes else options
    _check_standard(checked)
    return checked


def _wrong(name: str, takes: str, given: object) -> NoReturn:
    said = "include (include_dirs)" if name == "include_dirs" else name
    raise OptionError(f"the option {said} takes {takes}, but was given {_said(given)}")


def _said(given: object) -> str:
    try:
        text = repr(given)
    except Exception:
        text = "something"
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return text if given is None or isinstance(given, str) else f"{text} ({type(given).__name__})"


def _check_standard(options: Options) -> None:
    """Refuse a standard that Clang would, or whose language cannot show values.

    Clang starts beside everything else and says so late. Its own word is waited for where options
    that are handed to it may change the language.
    """
    if options.std is None or any(each.startswith(("-x", "--lang")) for each in options.xcc):
        return
    if options.std not in _STANDARDS[options.language]:
        *others, last = _NAMED[options.language]
        gnu = last.replace("c", "gnu", 1)
        takes = f"{', '.join(others)} or {last} (or as {gnu}) with language={options.language!r}"
        _wrong("std", f"{takes}, or None", options.std)


def _choice(kind: Any) -> Callable[[str, object], object]:
    choices = get_args(kind)
    takes = " or ".join(map(repr, choices)) if len(choices) == 2 else f"one of {choices}"

    def rule(name: str, given: object) -> object:
        if not isinstance(given, str) or given not in choices:
            _wrong(name, takes, given)
        return given

    return rule


def _whole(low: int, high: int, takes: str, *, optional: bool) -> Callable[[str, object], object]:
    takes = f"{takes}, or None" if optional else takes

    def rule(name: str, given: object) -> object:
        if given is None and optional:
            return given
        # An integer of numpy's is one, too; True is none.
        if isinstance(given, bool) or not hasattr(given, "__index__"):
            _wrong(name, takes, given)
        number = int(given.__index__())
        if not low <= number <= high:
            _wrong(name, takes, given)
        return given if type(given) is int else number

    return rule


def _count(low: int, high: int, *, optional: bool = False) -> Callable[[str, object], object]:
    return _whole(low, high, f"an int from {low} to {high:,}", optional=optional)


def _size(*, low: int = 1, optional: bool = True) -> Callable[[str, object], object]:
    return _whole(
        low, _ADDRESSES, f"a number of bytes, an int from {low} to 2**47 - 1", optional=optional
    )


def _seconds(name: str, given: object) -> object:
    if given is None:
        return given
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not 0 < given < _LONGEST:  # type: ignore[operator]  # a NaN is neither
        _wrong(name, "a number of seconds above 0 and below 1e9, or None", given)
    return given


def _flag(name: str, given: object) -> object:
    if not isinstance(given, bool):
        _wrong(name, "True or False", given)
    return given


def _is_text(given: object) -> bool:
    return isinstance(given, str) and bool(given) and "\0" not in given


def _word(takes: str) -> Callable[[str, object], object]:
    def rule(name: str, given: object) -> object:
        if given is not None and not _is_text(given):
            _wrong(name, f"{takes}, or None", given)
        return given

    return rule


def _path(name: str, given: object) -> object:
    text = fspath(given) if isinstance(given, PathLike) else given
    if given is not None and not _is_text(text):
        _wrong(name, "a path, or None", given)
    if given is None:
        return None
    from pathlib import Path

    return given if isinstance(given, Path) else Path(str(text))


def _name(name: str, given: object) -> object:
    text = fspath(given) if isinstance(given, PathLike) else given
    if given is not None and not _is_text(text):
        _wrong(name, "the path of a file, or None", given)
    return given if given is None or isinstance(given, str) else text


def _several(takes: str) -> Callable[[str, object], object]:
    def rule(name: str, given: object) -> object:
        if not isinstance(given, tuple | list):
            _wrong(name, takes, given)
        texts = tuple(fspath(each) if isinstance(each, PathLike) else each for each in given)
        for each in texts:
            if not _is_text(each):
                _wrong(name, takes, each)
        return given if texts == given else texts

    return rule


# What Clang 22 knows, by the names that people use; then all of them, drafts and GNU's included.
# C++98 and C++03 have no `decltype`, without which nothing can be shown.
_NAMED: dict[Language, tuple[str, ...]] = {
    "c++": ("c++11", "c++14", "c++17", "c++20", "c++23", "c++26"),
    "c": ("c89", "c99", "c11", "c17", "c23"),
}
_STANDARDS: dict[Language, frozenset[str]] = {
    "c++": frozenset(
        f"{family}++{year}"
        for family in ("c", "gnu")
        for year in "11 14 17 20 23 26 0x 1y 1z 2a 2b 2c".split()
    ),
    "c": frozenset(
        f"{family}{year}"
        for family in ("c", "gnu")
        for year in "89 90 99 9x 11 1x 17 18 23 2x 2y".split()
    )
    | frozenset(
        f"iso9899:{year}" for year in "1990 199409 1999 199x 2011 201x 2017 2018 2024".split()
    ),
}

_PATHS = "a path or a sequence of paths"
_TEXTS = "a str or a sequence of str, none of them empty or with a zero"

RULES: dict[str, Callable[[str, object], object]] = {
    "language": _choice(Language),
    "std": _word("the name of a standard, such as 'c++20'"),
    "stdlib": _choice(StandardLibrary),
    "opt": _count(0, 3, optional=True),
    "include_dirs": _several(_PATHS),
    "defines": _several(_TEXTS),
    "includes": _several(_PATHS),
    "xcc": _several(_TEXTS),
    "use_pch": _flag,
    "redefinition": _flag,
    "output": _choice(OutputMode),
    "slab_bytes": _size(),
    "libraries": _several(_PATHS),
    "library_dirs": _several(_PATHS),
    "autoload": _choice(AutoloadMode),
    "time_limit": _seconds,
    "compile_limit": _seconds,
    "compile_memory": _size(),
    "memory_limit": _size(),
    "process_limit": _count(1, 9_999_999, optional=True),
    "output_limit": _size(low=0, optional=False),
    "snapshots": _count(0, 1000),
    "snapshot_memory": _size(),
    "on_loss": _choice(OnLoss),
    "on_interrupt": _choice(OnInterrupt),
    "elements": _count(1, 100_000),
    "compiler": _path,
    "executor": _path,
    "orc_runtime": _path,
    "connect": _word("HOST:PORT"),
    "token_file": _path,
    "insecure": _flag,
    "ssh": _word("the name of a machine"),
    "in_process": _flag,
    "shared_memory": _flag,
    "trace": _name,
}
