"""Which libraries to load for names that nothing defines yet.

The rule, in order:

1. a library that the program has loaded already, in a way that hides its names (``RTLD_LOCAL``), or
   that comes with one that is loaded for another of the names;
2. the order of the search path;
3. in one place of the path: one with a development link (``libz.so``), since that is what somebody
   installed to link to;
4. a strong definition before a weak one;
5. the shorter name, then the alphabet.

Names that only one library defines are settled first, so that what comes with their libraries
counts for the others. Of several libraries, those are *related* that bear one soname or of which
one needs the other; the user is told of the others only if they are not.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.libraries.librarian import WEAK
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from farside.libraries.librarian import Defined, FoundLibrary


class Choice(NamedTuple):
    """A library to load.

    Attributes:
        library: which.
        names: what it is loaded for, sorted.
        others: unrelated libraries that define some of them, too, in the order of the rule.
    """

    library: FoundLibrary
    names: tuple[str, ...]
    others: tuple[FoundLibrary, ...]


def choose(
    found: Mapping[str, Collection[Defined]], loaded: Collection[str] = ()
) -> tuple[Choice, ...]:
    """Return what to load so that each name is defined, in order.

    Args:
        found: the definitions of each name; names without any are left out.
        loaded: paths of the libraries that the program has.
    """
    present = {path.rpartition("/")[2] for path in loaded}
    chosen: dict[str, FoundLibrary] = {}
    names: dict[str, list[str]] = {}
    others: dict[str, dict[str, FoundLibrary]] = {}
    for name in sorted(found, key=lambda name: (len(_unrelated(found[name])), name)):
        definitions = sorted(found[name], key=lambda each: _rank(each, present))
        if not definitions:
            continue
        first = definitions[0].library
        chosen.setdefault(first.soname, first)
        names.setdefault(first.soname, []).append(name)
        present.add(first.soname)
        present |= first.needed
        also = others.setdefault(first.soname, {})
        for each in definitions[1:]:
            if not _related(first, each.library):
                also.setdefault(each.library.soname, each.library)
    return tuple(
        [
            Choice(library, tuple(sorted(names[soname])), tuple(others[soname].values()))
            for soname, library in chosen.items()
        ]
    )


def _rank(definition: Defined, present: Collection[str]) -> tuple[object, ...]:
    library = definition.library
    return (
        library.soname not in present,
        library.place,
        not library.has_link,
        bool(definition.kind & WEAK),
        len(library.soname),
        library.path,
    )


def _related(one: FoundLibrary, other: FoundLibrary) -> bool:
    return one.soname == other.soname or one.soname in other.needed or other.soname in one.needed


def _unrelated(definitions: Collection[Defined]) -> set[str]:
    return {each.library.soname for each in definitions}
