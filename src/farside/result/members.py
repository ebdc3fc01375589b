"""Names in Python for the members of a C++ object, its base classes' among them.

In C++ a derived class may have a member of the same name as its base, and two bases may have the
same ones: a path says which is meant. In Python each is an attribute with a name of its own.
"""

from __future__ import annotations

from collections import Counter
from keyword import iskeyword
from re import sub
from unicodedata import normalize

from farside.annotations import TYPE_CHECKING
from farside.errors import ProtocolError
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_VIRTUAL = "virtual "


class Base(NamedTuple):
    """The part of an object that is one of its base classes.

    Attributes:
        type: the class.
        virtual: whether the object has it once, however many of its classes derive from it.
        parts: what it is made of; None where it is not an object of members in Python.
    """

    type: str
    virtual: bool
    parts: Parts | None


Parts = tuple["str | Base", ...]
"""What an object is made of, in the order of C++: base classes, and members by name."""


class _Member(NamedTuple):
    """A member, or a base class that has no members in Python: then `name` is empty."""

    path: tuple[str, ...]  # of base classes; it starts at a virtual one
    name: str
    virtual: frozenset[str]  # bases of the class that declares it


def parts_of(labels: Iterable[str], bases: Iterable[Parts | None]) -> Parts:
    """Return what an object is made of.

    Args:
        labels: of its parts, as they are sent: ``<Base>``, ``<virtual Base>`` or a member's name.
        bases: what each base is made of.
    """
    found = iter(bases)
    return tuple(
        Base(
            label[1:-1].removeprefix(_VIRTUAL),
            label[1:-1].startswith(_VIRTUAL),
            next(found),
        )
        if label.startswith("<")
        else label
        for label in labels
    )


def virtual_bases(parts: Parts) -> frozenset[str]:
    """Return the labels of all virtual bases that an object has."""
    found: set[str] = set()
    for part in parts:
        if isinstance(part, Base):
            if part.virtual:
                found.add(_VIRTUAL + part.type)
            found |= virtual_bases(part.parts or ())
    return frozenset(found)


def kept(parts: Parts) -> list[int]:
    """Return which of the members of all parts, one after the other, are the object's.

    Members of a virtual base come once for each class that derives from it.

    Raises:
        ProtocolError: two are the same.
    """
    members = _with_repeated(parts)
    places: dict[tuple[tuple[str, ...], str], int] = {}
    for at, member in enumerate(members):
        known = places.setdefault(member[:2], at)
        if known != at and not (member.path and member.path[0].startswith(_VIRTUAL)):
            raise ProtocolError(f"the far side gave two members with the name {member.name}")
    return list(places.values())


def names_of(parts: Parts) -> tuple[str, ...]:
    """Return the names of the members that are `kept`, each of which is there once.

    A member that C++ finds under its plain name in the class has that name. One that is hidden, or
    ambiguous, is ``Class__name``, with the class that declares it; where that is not enough, with
    all classes on the way to it, or with their whole names; in the end it gets a number.
    """
    members = _members(parts)
    names: dict[_Member, str] = {}
    taken: set[str] = set()

    def give(member: _Member, candidates: Sequence[str]) -> None:
        name = next((each for each in candidates if each not in taken), "")
        number = 2
        while not name or name in taken:
            name, number = f"{candidates[-1]}_{number}", number + 1
        names[member] = name
        taken.add(name)

    same: dict[str, list[_Member]] = {}
    for member in members:
        same.setdefault(member.name, []).append(member)
    values = same.pop("", [])
    plain = [
        each
        for group in same.values()
        for each in group
        if all(other is each or _hides(each, other) for other in group)
    ]
    # A name that has to be changed gives way to one that is like that by itself.
    for member in sorted(plain, key=lambda each: _identifier(each.name) != each.name):
        give(member, [_identifier(member.name)])
    for member in values:
        give(member, [_short(member.path[-1]), _whole(member.path[-1])])
    for group in same.values():
        others = [each for each in group if each not in names]
        ways = list(zip(*map(_qualified, others), strict=True))
        counts = [Counter(way) for way in ways]
        for at, member in enumerate(others):
            fit = [way[at] for way, count in zip(ways, counts, strict=True) if count[way[at]] == 1]
            give(member, fit or [ways[-1][at]])
    return tuple(names[each] for each in members)


def _with_repeated(parts: Parts) -> list[_Member]:
    virtual = virtual_bases(parts)
    found = []
    for part in parts:
        if isinstance(part, str):
            _identifier(part)
            found.append(_Member((), part, virtual))
            continue
        start = (f"{_VIRTUAL}{part.type}" if part.virtual else part.type,)
        if part.parts is None:
            found.append(_Member(start, "", frozenset()))
            continue
        for member in _members(part.parts):
            rooted = bool(member.path) and member.path[0].startswith(_VIRTUAL)
            found.append(member if rooted else member._replace(path=start + member.path))
    return found


def _members(parts: Parts) -> list[_Member]:
    members = _with_repeated(parts)
    return [members[at] for at in kept(parts)]


def _hides(member: _Member, other: _Member) -> bool:
    """Return whether `other` is of a base class of the class that `member` is of."""
    return (
        len(other.path) > len(member.path) and other.path[: len(member.path)] == member.path
    ) or (bool(other.path) and other.path[0] in member.virtual)


def _qualified(member: _Member) -> tuple[str, ...]:
    """Return names that say of which class a member is, the shortest first."""
    name = member.name.replace("$", "_")
    short, whole = [[make(each) for each in member.path] for make in (_short, _whole)]
    return tuple(
        _identifier("__".join([*classes, name])) if classes else _identifier(name)
        for classes in (short[-1:], short, whole[-1:], whole)
    )


def _short(type_name: str) -> str:
    """Return a class's own name, without scope and template arguments."""
    name = type_name.removeprefix(_VIRTUAL).partition("<")[0].rpartition("::")[2]
    return name if name.isidentifier() else _whole(type_name)


def _whole(type_name: str) -> str:
    name = sub(r"\W+", "_", type_name.removeprefix(_VIRTUAL)).strip("_")
    return name if name.isidentifier() else "base"


def _identifier(name: str) -> str:
    """Return a name as Python has it.

    Raises:
        ProtocolError: it is no name of C++ either.
    """
    found = normalize("NFKC", name.replace("$", "_"))  # as Python reads its own source
    if not found.isidentifier():
        raise ProtocolError("the far side gave a member whose name is none")
    # `mro` is found in every class, where a dataclass looks for the default of a field.
    return found + "_" if iskeyword(found) or found.startswith("__") or found == "mro" else found
