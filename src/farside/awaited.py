"""Functions that cells declare and use before a cell defines them.

A parser of three functions that need each other is typed one function a cell. Code that lacks
nothing else is linked with an object that stands in for them, whose functions trap. A definition
that comes turns each of these into a jump to it, as a function is when it is defined again.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from farside.errors import UndefinedSymbols
    from farside.frontend.cell import Declared
    from farside.link import Definition, LinkedImage
    from farside.object import ObjectFile
    from farside.orc.jitdylib import JitDylib

_CLASSES = frozenset(("class", "struct", "union", "class template"))
_UNDEFINED = (
    "a function that a cell declares may be used before a cell defines it, but not by code that"
    " runs at once"
)


class Declarations:
    """What cells have declared and may define later.

    Names stay when their cells go, as nothing can refer to them then.
    """

    def __init__(self, demangle: Callable[[str], str]) -> None:
        self._demangle = demangle
        self._functions: set[str] = set()  # mangled
        self._own: set[str] = set()  # those that no later cell can define, mangled
        self._classes: set[str] = set()  # qualified

    def note(self, declared: Iterable[Declared]) -> None:
        """Take in what a cell declares."""
        for each in declared:
            if each.kind == "function" and each.symbol and not each.definition:
                (self._functions if each.external else self._own).add(each.symbol)
            elif each.kind in _CLASSES:
                self._classes.add(each.name)

    def has_function(self, symbol: str) -> bool:
        """Tell whether a mangled name is that of a cell's function, or of a member of its class.

        Not of an instance of a template: Clang does not make it once the cell that uses it has
        ended.
        """
        if symbol in self._functions:
            return True
        if not self._classes or not symbol.startswith("_ZN"):
            return False
        name, bracket, _ = self._demangle(symbol).partition("(")
        scope = name.rpartition("::")[0]
        if not bracket or "<" in scope:
            return False
        while scope and scope not in self._classes:
            scope = scope.rpartition("::")[0]  # of a class within a class
        return bool(scope)

    def explained(self, error: UndefinedSymbols) -> UndefinedSymbols:
        """Return the error of a link, in other words where no library is to blame."""
        if not self._own.issuperset(error.symbols):
            return error
        from farside.errors import UndefinedSymbols

        sentences = []
        for symbol in error.symbols:
            internal = symbol.startswith("_ZL") or "_GLOBAL__N_" in symbol
            sentences.append(
                f"{self._demangle(symbol)} is declared and not defined (used in {error.referrer});"
                f" it {'has internal linkage' if internal else 'is inline'}, so the cell that uses"
                " it first must define it."
            )
        return UndefinedSymbols(" ".join(sentences), error.symbols, error.referrer)


class Awaited:
    """The stand-ins of one program."""

    def __init__(self) -> None:
        # By JITDylib and mangled name: the image of each, and where it lies.
        self._places: dict[tuple[str, str], dict[str, int]] = {}

    def with_stand_ins(
        self,
        objects: Sequence[ObjectFile],
        error: UndefinedSymbols,
        may_await: Callable[[str], bool] | None,
    ) -> Sequence[ObjectFile]:
        """Return the objects of a link that failed, with one that lets it succeed.

        Args:
            objects: of the link.
            error: why it failed.
            may_await: tells which functions may be defined later; None is for none.

        Raises:
            UndefinedSymbols: the error, if there is no help for it.
        """
        if may_await is None or not all(map(may_await, error.symbols)):
            raise error
        from farside.object import run_at_once, stand_in

        if any(run_at_once(each, error.symbols) for each in objects):
            error.add_note(_UNDEFINED)
            raise error
        return [*objects, stand_in(error.symbols)]

    def enter(self, image: LinkedImage, dylib: str) -> None:
        """Note the stand-ins of an image that was committed."""
        for name, address in _stand_ins(image):
            self._places.setdefault((dylib, name), {})[image.name] = address

    def remove(self, image: str) -> None:
        """Forget those of an image that goes."""
        for key, places in list(self._places.items()):
            if places.pop(image, None) is not None and not places:
                del self._places[key]

    def ended_by(self, image: LinkedImage, dylib: JitDylib[Definition]) -> list[tuple[int, int]]:
        """Return (address, definition) of the stand-ins that an image's definitions end.

        Those of a name that is defined already lead to that definition.

        Args:
            image: is to be committed.
            dylib: its JITDylib.
        """
        if not self._places:
            return []
        return [
            (address, definition.address)
            for name, definition in image.defined.items()
            if definition.callable and name not in dylib
            for address in self._places.get((dylib.name, name), {}).values()
        ]


def awaited_by(image: LinkedImage) -> list[str]:
    """Return the mangled names of the functions that an image has stand-ins for."""
    return [name for name, _ in _stand_ins(image)]


def waiting_for(functions: Sequence[str]) -> str:
    """Return what the user should know where a cell has used functions that are not defined yet."""
    be = "is" if len(functions) == 1 else "are"
    return f"{', '.join(functions)} {be} not defined yet; a call before that ends the program"


def _stand_ins(image: LinkedImage) -> list[tuple[str, int]]:
    if not image.hidden:
        return []
    from farside.object import STAND_INS

    ranges = [
        (each.address, each.address + each.size)
        for each in image.sections
        if each.object_name == STAND_INS
    ]
    return [
        (name, symbol.address)
        for name, symbol in image.hidden.items()
        if any(start <= symbol.address < end for start, end in ranges)
    ]
