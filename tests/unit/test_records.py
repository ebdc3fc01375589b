"""Named tuples are those of `typing`, but for how long it takes to make their classes."""

from __future__ import annotations

import pickle
import typing
from typing import TYPE_CHECKING, Any

import pytest

from farside.options import Options
from farside.records import NamedTuple

if TYPE_CHECKING:
    from pathlib import Path


class Place(NamedTuple):
    """Where something is."""

    line: int
    file: Path | None = None
    column: int = 1

    @property
    def is_first(self) -> bool:
        """Whether nothing is before it."""
        return (self.line, self.column) == (1, 1)

    @classmethod
    def first(cls) -> Place:
        return cls(1)

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


class Original(typing.NamedTuple):
    """Where something is."""

    line: int
    file: Path | None = None
    column: int = 1


def test_it_has_what_the_original_has() -> None:
    for name in ("_fields", "_field_defaults", "__match_args__", "__doc__", "__module__"):
        assert getattr(Place, name) == getattr(Original, name)
    assert Place.__annotations__ == {"line": "int", "file": "Path | None", "column": "int"}
    assert Place.__qualname__ == "Place"
    assert repr(Place(3, column=2)) == repr(Original(3, column=2)).replace("Original", "Place")
    assert Place(3) == (3, None, 1)
    assert hash(Place(3)) == hash(Original(3))
    assert Place(3)._replace(column=4) == (3, None, 4)
    assert Place(3)._asdict() == Original(3)._asdict()
    assert Place._make([1, None, 2]) == Place(1, column=2)
    assert isinstance(Place(3), tuple)
    assert not hasattr(Place(3), "__dict__")
    with pytest.raises(AttributeError):
        Place(3).line = 4  # type: ignore[misc]


def test_what_its_body_defines_is_there() -> None:
    assert Place.first().is_first
    assert not Place(2).is_first
    assert str(Place(2)) == "2:1"


def test_it_can_be_copied_to_another_process() -> None:
    for value in (Place(2), Options(opt=1)):
        assert pickle.loads(pickle.dumps(value)) == value


class Named(Place):
    """What is derived from one is made by the same constructor, as itself."""

    __slots__ = ()


@pytest.mark.parametrize("kind", [Named, Place])  # neither is the first of which one is made
def test_what_is_derived_from_one(kind: type[Place]) -> None:
    made = kind(2, column=3)
    assert type(made) is kind
    assert repr(made) == f"{kind.__name__}(line=2, file=None, column=3)"
    assert type(made._replace(line=1)) is kind


class Nothing(NamedTuple):
    """What says nothing but that it is there."""


def test_one_without_fields() -> None:
    assert Nothing() == ()
    assert repr(Nothing()) == "Nothing()"
    with pytest.raises(TypeError):
        Nothing(1)  # type: ignore[call-arg]


@pytest.mark.parametrize("given", [{}, {"line": 1, "nope": 2}])
def test_wrong_arguments(given: Any) -> None:
    with pytest.raises(TypeError, match=r"Place\.__new__\(\) "):
        Place(**given)


def test_wrong_fields() -> None:
    with pytest.raises(TypeError):
        Place(1)._replace(nope=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        Place._make([1])
