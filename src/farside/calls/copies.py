"""Copies of objects that C++ gave, as code that makes such objects again of their members."""

from __future__ import annotations

from enum import Enum

from farside.annotations import TYPE_CHECKING, Any
from farside.calls.wire import array_of
from farside.errors import ArgumentMismatch
from farside.result.members import Base
from farside.result.objects import CppObject, nested
from farside.result.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable

_MADE = "__fs_made"


class _Later(Enum):
    """Which members are assigned to when the object is there, and not initialised."""

    NONE = 0
    ARRAYS = 1  # which nothing initialises
    ALL = 2  # as of unions without names, of whose members only one can be initialised


class Copy:
    """How an object is made again.

    Attributes:
        leaves: the values that are read for it, in order.
        bodies: of functions that make it, the best first. All read the same.
    """

    def __init__(self, value: CppObject, is_type: Callable[[object], bool]) -> None:
        """See what an object is made of.

        Raises:
            ArgumentMismatch: its class has no name, or a virtual base; or a member has no form.
        """
        self.leaves: list[object] = []
        self._is_type = is_type
        self._later = _Later.NONE
        self._assigned: list[str] = []
        self._checks: list[str] = []
        kind, parts = value.__cpp_type__, nested(value)
        self.bodies = [f"return {self._object(kind, parts, _MADE)};"]
        places = ", ".join(["farside::wire::skip(__fs_in)"] * len(self.leaves))
        for self._later in (_Later.ARRAYS, _Later.ALL):
            self.leaves, self._assigned, self._checks = [], [], []
            made = self._object(kind, parts, _MADE).removeprefix(kind)
            if not self._assigned:
                continue
            steps = " ".join(self._assigned + self._checks)
            self.bodies.append(
                f"farside::wire::Reader __fs_at[] = {{{places}}}; farside::wire::Places"
                f" __fs_places; {kind} {_MADE}{made}; {steps} return {_MADE};"
            )

    def _object(self, kind: str, parts: list[tuple[str | Base, Any]], path: str) -> str:
        """Return the expression that makes an object of a class out of its parts.

        Args:
            kind: the class.
            parts: as `nested` gives them.
            path: of the object, for what is assigned afterwards.
        """
        if not self._is_type(kind) or "(" in kind:
            raise ArgumentMismatch(
                f"an object of {kind} cannot be made again: its class has no name"
            )
        # Bases have no designators, and what stands beside them can have none either.
        designated = not any(isinstance(part, Base) for part, _ in parts)
        made = []
        for part, member in parts:
            if isinstance(part, Base):
                if part.virtual:
                    raise ArgumentMismatch(
                        f"an object of {kind} cannot be made again: {part.type} is a virtual base"
                    )
                name = what = part.type
                place = f"static_cast<{what} &>({path})"
                inner = member if part.parts is not None else None
            else:
                name, what, place = part, f"decltype({kind}::{part})", f"{path}.{part}"
                inner = nested(member) if isinstance(member, CppObject) else None
            if inner is not None:
                of = part.type if isinstance(part, Base) else member.__cpp_type__
                text = self._object(of, inner, place)
            else:
                text = self._leaf(name, what, place, member, kind)
            made.append(f".{name} = {text}" if designated else text)
        return f"{kind}{{{'' if self._later is _Later.ALL else ', '.join(made)}}}"

    def _leaf(self, name: str, what: str, place: str, member: object, kind: str) -> str:
        """Return the expression that a member is initialised with, or have it assigned to.

        Args:
            name: of the member.
            what: its type.
            place: where it is.
            member: its value.
            kind: the class.
        """
        if isinstance(member, Value):
            raise ArgumentMismatch(
                f"an object of {kind} cannot be made again: its member {name} has no form in Python"
            )
        at = f"__fs_at[{len(self.leaves)}]"
        self.leaves.append(member)
        points = isinstance(member, int) and str(getattr(member, "type", "")).endswith("*")
        if self._later is _Later.NONE:
            return f"farside::wire::{'pointerMember' if points else 'member'}<{what}>(__fs_in)"
        read = f"farside::wire::{'pointerMember' if points else 'memberAt'}<{what}>"
        array = isinstance(member, str | bytes | list) or array_of(member) is not None
        if self._later is _Later.ALL and not points:
            self._checks.append(f"__fs_places.check({place}, {at});")
        if array:
            self._assigned.append(f"farside::wire::fill({place}, {at});")
        elif self._later is _Later.ALL:
            self._assigned.append(f"{place} = {read}({at});")
        if self._later is _Later.ALL and not points:
            self._assigned.append(f"__fs_places.add({place});")
        return "{}" if array else f"{read}({at})"
