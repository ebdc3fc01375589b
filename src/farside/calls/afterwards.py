"""What a call leaves in its arguments, also where it throws: variables that it changed, callables
that it kept.

The stub tells it in the order of the arguments, after the result; where the call ends by an
exception, last of all, with a bool that says whether all of it could be told.
"""

from __future__ import annotations

from itertools import combinations

from farside.annotations import TYPE_CHECKING, Any
from farside.errors import ArgumentMismatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.calls.arguments import Argument, Ref
    from farside.calls.callbacks import Callbacks
    from farside.calls.wire import Memory

_WHOLE = (1, b"\1")  # a bool that is true


def check_apart(callee: str, described: Sequence[Argument]) -> None:
    """Make sure that no two arguments are to be changed in the same place.

    Each would be a variable of its own, and what the call wrote to all but one would be lost.

    Raises:
        ArgumentMismatch: two are one `Ref`, or arrays that share memory.
    """
    changed = [(index, each) for index, each in enumerate(described) if each.ref is not None]
    if len(changed) < 2:
        return
    places = {index: _place(each) for index, each in changed}
    for (first, one), (second, other) in combinations(changed, 2):
        if one.ref is other.ref:
            shared = "the same Ref"
        elif range(
            max(places[first][0], places[second][0]), min(places[first][1], places[second][1])
        ):
            shared = "arrays that share memory"
        else:
            continue
        raise ArgumentMismatch(
            f"{callee}: arguments {first + 1} and {second + 1} are {shared}, and C++ would change a"
            " copy of it for each; to have one, give it once, or share it with session.share",
            callee,
        )


def _place(argument: Argument) -> tuple[int, int]:
    """Return where an array that may be changed lies; nowhere for all else."""
    if not argument.key.startswith("&["):
        return 0, 0
    from ctypes import addressof, c_char

    assert argument.ref is not None
    with memoryview(argument.ref.value) as view:
        if not view.nbytes:
            return 0, 0
        begin = addressof(c_char.from_buffer(view))
        return begin, begin + view.nbytes


def told(values: Sequence[tuple[int, bytes]]) -> bool:
    """Tell whether a call that threw has told what it left in its arguments."""
    return bool(values) and tuple(values[-1]) == _WHOLE


class Afterwards:
    """What one call leaves in its arguments.

    Args:
        described: the arguments.
        values: what they were given as.
        memory: what large arrays lie in.
    """

    def __init__(
        self, described: Sequence[Argument], values: Sequence[object], memory: Memory
    ) -> None:
        self._arguments = list(zip(described, values, strict=True))
        self._memory = memory

    @property
    def count(self) -> int:
        """How many values the stub tells."""
        return sum(
            each.key == "f" or (each.ref is not None and each.ref.offset is None)
            for each, _ in self._arguments
        )

    def take(self, found: Sequence[Any], callbacks: Callbacks) -> list[int]:
        """Give references what the call left in them, and forget callables that were not kept.

        Args:
            found: what the stub told.
            callbacks: that know the callables.

        Returns:
            The arguments whose arrays were changed meanwhile, so that nothing could be put there.
        """
        lost = []
        position = 0
        for index, (each, value) in enumerate(self._arguments):
            if each.key == "f":
                callbacks.returned(value, kept=bool(found[position]))  # type: ignore[arg-type]
                position += 1
            elif each.ref is not None and each.key.startswith("&["):
                data = found[position] if each.ref.offset is None else None
                position += data is not None
                if not self._put(each.ref, data):
                    lost.append(index)
            elif each.ref is not None:
                each.ref.value = found[position]
                position += 1
        return lost

    def _put(self, ref: Ref, data: bytes | None) -> bool:
        """Put an array's elements where they came from; those in the memory beside if None."""
        offset, ref.offset = ref.offset, None
        try:
            view = memoryview(ref.value)
        except (TypeError, ValueError, BufferError):
            return False
        with view:
            if view.nbytes != ref.size or view.readonly or not view.c_contiguous:
                return False
            if data is None:
                assert offset is not None
                self._memory.get(offset, view)
            elif data:
                view.cast("B")[:] = data
        return True


def lost_arrays(callee: str, lost: Sequence[int]) -> str:
    """Return what to say of arrays that were changed while a call had them."""
    which = " and ".join(str(index + 1) for index in lost)
    return (
        f"{callee}: the array of argument {which} was resized or replaced while the call ran, and"
        " what the call left in it is lost; the call was made"
    )
