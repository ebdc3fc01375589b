"""What the user is told about libraries and about names that nothing defines."""

from __future__ import annotations

import re

from farside.annotations import TYPE_CHECKING
from farside.errors import FarsideError, UndefinedSymbols
from farside.libraries.librarian import THREAD_LOCAL, loaded_libraries, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from farside.libraries.autoload import Autoload
    from farside.libraries.choice import Choice
    from farside.libraries.found import Program
    from farside.libraries.librarian import Defined
    from farside.remote.executor import Executor

_MOST_SHOWN = 20  # names in one message
_MOST_HINTS = 3  # names that hints are given for
_NEAR = 3  # hints for one name
_MOST_OWN = 2000  # names of cells that are compared
# A function of the global namespace, by the Itanium C++ ABI: _Z, the length of its name, its name.
_PLAIN_FUNCTION = re.compile(r"_Z([1-9][0-9]{0,3})(.+)", re.ASCII)


def _listed(names: Sequence[str], most: int = _MOST_SHOWN) -> str:
    """Return names as a list in a sentence."""
    shown = list(names[:most])
    if len(names) > len(shown):
        shown.append(f"{len(names) - len(shown)} more")
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def notice_of(choice: Choice, demangle: Callable[[str], str]) -> str:
    """Return the sentence that reports a library that was loaded."""
    name = printable(choice.library.path.rpartition("/")[2])
    wanted = _listed([demangle(each) for each in choice.names[:4]] + list(choice.names[4:]), 3)
    text = f"loaded {name} for {wanted}"
    if choice.others:
        others = _listed([each.soname for each in choice.others], 4)
        verb = "defines" if len(choice.others) == 1 else "define"
        text += (
            f" ({others} {verb} it, too; to choose another: %undo, then %lib"
            f" {printable(choice.others[0].path)})"
        )
    return text


def question_of(choices: Sequence[Choice], demangle: Callable[[str], str]) -> str:
    """Return the question whether libraries may be loaded."""
    parts = [
        f"{printable(choice.library.path)} for {_listed([demangle(n) for n in choice.names[:3]])}"
        for choice in choices
    ]
    return f"load {_listed(parts)}?"


def described(autoload: Autoload, executor: Executor) -> tuple[str, ...]:
    """Return sentences about what is loaded, where libraries are looked for, what is skipped."""
    loaded = [printable(path) for path in loaded_libraries(executor)]
    sentences = [f"loaded: {path}" for path in loaded]
    report = autoload.look(executor)
    if report is None:
        return (*sentences, "other libraries cannot be looked for on this far side")
    sentences += [f"search path: {place}" for place in report.places]
    sentences.append(
        f"{report.libraries} libraries there define {report.symbols} names that cells can use"
    )
    sentences += [f"skipped: {path}: {why}" for path, why in report.skipped]
    more = report.skipped_count - len(report.skipped)
    if more > 0:
        sentences.append(f"skipped: {more} more")
    return tuple(sentences)


def explained(
    error: UndefinedSymbols,
    missing: Sequence[str],
    found: Mapping[str, Collection[Defined]],
    autoload: Autoload,
    program: Program,
) -> UndefinedSymbols:
    """Return the error that says which names are nowhere, what was meant, and where was looked."""
    demangle = autoload.demangle
    shown = [demangle(name) for name in missing[:_MOST_SHOWN]]
    if len(missing) > len(shown):
        shown.append(f"{len(missing) - len(shown)} more")
    verb = "is" if len(missing) == 1 else "are"
    sentences = [f"{', '.join(shown)} {verb} undefined (used in {error.referrer})."]
    near: dict[str, tuple[str, ...]] = {}
    nowhere = [name for name in missing if not found.get(name)]
    for name in missing[:_MOST_HINTS]:
        sentences += [_useless(name, each, demangle) for each in list(found.get(name, ()))[:1]]
    if nowhere:
        hints, near = _hints(nowhere[:_MOST_HINTS], autoload, program)
        sentences += hints
        sentences.append(_where(autoload))
    result = UndefinedSymbols(
        " ".join(sentences),
        missing,
        error.referrer,
        near=near,
        searched=autoload.report.places if autoload.report is not None else (),
    )
    for note in getattr(error, "__notes__", ()):
        result.add_note(note)
    return result


def _useless(name: str, definition: Defined, demangle: Callable[[str], str]) -> str:
    """Say why a definition that was found is of no use."""
    path = printable(definition.library.path)
    if definition.kind & THREAD_LOCAL:
        return (
            f"{demangle(name)} is a thread-local variable of {path}, whose place differs from"
            " thread to thread; only code of the library can reach it."
        )
    return (
        f"{path} defines {demangle(name)}, but the program has another copy of the library, which"
        " does not: the file has been replaced since it was loaded, or cannot be loaded."
    )


def _where(autoload: Autoload) -> str:
    report = autoload.report
    if report is None:
        return "It was looked for in the libraries that are loaded."
    places = ", ".join(report.places[:6]) + (", …" if len(report.places) > 6 else "")
    text = (
        f"It was looked for in the libraries that are loaded and in {report.libraries} on the"
        f" search path ({places})."
    )
    if report.skipped_count:
        files = "1 file was" if report.skipped_count == 1 else f"{report.skipped_count} files were"
        text += f" {files} skipped (%lib lists them)."
    return text


def _hints(
    names: Sequence[str], autoload: Autoload, program: Program
) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Return a sentence for each name that something is known about, and the names near it."""
    sentences: list[str] = []
    near: dict[str, tuple[str, ...]] = {}
    theirs = autoload.near(names, _NEAR)
    own = program.names()
    for name in names:
        plain = _declared_without_c_linkage(name, autoload, program)
        if plain is not None:
            sentences.append(plain)
            continue
        known = {each: printable(where) for each, where in theirs.get(name, ())}
        for each in _nearest(name, own):
            known.setdefault(each, "")
        if not known:
            continue
        near[name] = tuple(known)
        shown = [
            autoload.demangle(each) + (f" of {where}" if where else "")
            for each, where in list(known.items())[:_NEAR]
        ]
        subject = f"For {autoload.demangle(name)}: did" if len(names) > 1 else "Did"
        sentences.append(f"{subject} you mean {' or '.join(shown)}?")
    return sentences, near


def _nearest(name: str, own: Sequence[str]) -> list[str]:
    """Return names of the session's own code that are nearly like one."""
    from difflib import get_close_matches

    candidates = [each for each in own[-_MOST_OWN:] if abs(len(each) - len(name)) <= 3]
    return [each for each in get_close_matches(name, candidates, _NEAR, 0.85) if each != name]


def _declared_without_c_linkage(name: str, autoload: Autoload, program: Program) -> str | None:
    """Return a sentence if a name is a C++ one of what a library defines as C."""
    match = _PLAIN_FUNCTION.fullmatch(name)
    if match is None or int(match[1]) >= len(match[2]):
        return None
    plain = match[2][: int(match[1])]
    try:
        found = autoload.find([plain], program.executor)[plain]
        where = found[0].library.soname if found else ""
        if not found and not program.executor.resolve([plain]):
            return None
    except FarsideError:
        return None
    return (
        f"{where or 'A library that is loaded'} defines {printable(plain)} with C linkage: declare"
        ' it extern "C".'
    )
