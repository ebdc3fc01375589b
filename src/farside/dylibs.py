"""JITDylibs for Python programs: what `Session.jitdylib` returns.

A JITDylib is to linked code what a shared library is to the dynamic loader: a symbol table, an
order in which others are searched, initialisers, exit handlers. ``main`` is that of the cells.
Others are filled with cells, objects and archives; nothing of theirs runs before they are opened,
and C++ code can open them, too, through ``<farside/dlfcn.h>``::

    plugin = session.jitdylib("plugin")
    plugin.add_object("plugin.o")
    session.jitdylib("main").link_order = [plugin]   # cells can refer to what it defines
    plugin.open()                                    # its initialisers run
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Protocol, TypeVar
from farside.errors import CppException
from farside.loading import add_archive, add_object, load
from farside.records import NamedTuple
from farside.recovery.journal import LoadedFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from farside.execution import ExecutionSession
    from farside.recovery.journal import Journal
    from farside.session import CellResult

T = TypeVar("T")


class DylibOutput(NamedTuple):
    """What initialisers or exit handlers wrote, where the session captures output; else empty."""

    stdout: str
    stderr: str


class DylibHost(Protocol):
    """What a handle needs of its session."""

    def operate(self, what: str, action: Callable[[ExecutionSession, Journal], T]) -> T:
        """Do something besides running a cell; whatever goes wrong, the session recovers."""

    def take_output(self) -> tuple[str, str]:
        """Return what the far side has written since the last time, stdout and stderr."""

    def run(self, code: str, *, dylib: str = "main") -> CellResult:
        """Run a cell whose code goes into a JITDylib."""


def make_jitdylib(name: str, execution: ExecutionSession, journal: Journal) -> None:
    """Have a JITDylib of that name, and write down that there is one."""
    execution.platform.jitdylib(name)
    journal.dylibs.setdefault(name, ())


class DylibHandle:
    """One JITDylib of a session.

    Every method raises `SessionBusy` while a cell runs and `SessionClosed` afterwards. A far side
    that dies meanwhile is `Crashed`, and the session recovers: it makes the JITDylib again, fills
    it and, if it was open, opens it.

    Attributes:
        name: unique in the session; C++ code opens it by this name.
    """

    def __init__(self, host: DylibHost, name: str) -> None:
        self._host = host
        self.name = name

    def __repr__(self) -> str:
        return f"<JITDylib {self.name}>"

    def run(self, code: str) -> CellResult:
        """Run a cell whose definitions go into this JITDylib, which is opened if it is not open.

        Raises: as `Session.run`.
        """
        return self._host.run(code, dylib=self.name)

    def add_object(self, path: str) -> None:
        """Link a relocatable object; its initialisers wait for `open` or `update`.

        Raises:
            OptionError: the file cannot be read.
            ObjectError, LinkError: it is no object, or cannot be linked.
        """

        def add(execution: ExecutionSession, journal: Journal) -> None:
            add_object(execution, path, self.name)
            journal.add_file(path, kind="object", dylib=self.name)

        self._host.operate(f"{self.name}: adding {path}", add)

    def add_archive(self, path: str, all_members: bool = False) -> None:
        """Make the members of a static archive available, or link all of them.

        A member is linked when a name that it defines is needed: by code that is linked into this
        JITDylib, by code of a JITDylib with this one in its link order, or by `symbol`.

        Raises:
            OptionError: the file cannot be read.
            ObjectError, LinkError: it is no archive, or a member cannot be linked.
        """

        def add(execution: ExecutionSession, journal: Journal) -> None:
            add_archive(execution, path, self.name, all_members=all_members)
            journal.add_file(
                path, kind="all_members" if all_members else "archive", dylib=self.name
            )

        self._host.operate(f"{self.name}: adding {path}", add)

    @property
    def link_order(self) -> tuple[str, ...]:
        """The names of the JITDylibs that are searched for what this one does not define."""

        def get(execution: ExecutionSession, _: Journal) -> tuple[str, ...]:
            return tuple(each.name for each in execution.platform.jitdylib(self.name).link_order)

        return self._host.operate(f"{self.name}: link order", get)

    @link_order.setter
    def link_order(self, order: Iterable[str | DylibHandle]) -> None:
        """Set it, for what is linked from now on; `open` initialises these first.

        Raises:
            OptionError: a name is unknown, or twice there, or this JITDylib's own.
        """
        names = tuple(each if isinstance(each, str) else each.name for each in order)

        def change(execution: ExecutionSession, journal: Journal) -> None:
            execution.platform.set_link_order(self.name, names)
            journal.dylibs[self.name] = names

        self._host.operate(f"{self.name}: link order", change)

    def open(self) -> DylibOutput:
        """Run the initialisers that have not run, of what it depends on first; count a reference.

        Raises:
            CppException: an initialiser threw, which counts as run; another `open` goes on with
                those after it.
            RemoteError: it, or what it depends on, is being closed.
        """

        def do(execution: ExecutionSession, journal: Journal) -> DylibOutput:
            execution.platform.open(self.name)
            journal.add_file("", kind="open", dylib=self.name)
            return DylibOutput(*self._host.take_output())

        return self._host.operate(f"opening {self.name}", do)

    def update(self) -> DylibOutput:
        """Run the initialisers that have arrived since the last run.

        Raises:
            CppException: one threw, which counts as run; another `update` goes on with those
                after it.
            RemoteError: it is not open.
        """

        def do(execution: ExecutionSession, _: Journal) -> DylibOutput:
            execution.platform.update(execution.platform.jitdylib(self.name).header)
            return DylibOutput(*self._host.take_output())

        return self._host.operate(f"updating {self.name}", do)

    def close(self) -> DylibOutput:
        """Drop a reference. The last one runs exit handlers and finalisers in reverse order, here
        and in what only this JITDylib needed; a later `open` initialises again, in the same memory.

        Raises:
            CppException: an exit handler threw; it is closed all the same.
            RemoteError: it is not open.
        """

        def do(execution: ExecutionSession, journal: Journal) -> DylibOutput:
            try:
                execution.platform.close(execution.platform.jitdylib(self.name).header)
            except CppException:
                journal.forget_open(self.name)
                raise
            journal.forget_open(self.name)
            return DylibOutput(*self._host.take_output())

        return self._host.operate(f"closing {self.name}", do)

    def symbol(self, name: str) -> int | None:
        """Return the address of a function or variable, of this JITDylib, its link order or the
        program's libraries.

        Args:
            name: as the linker knows it, so C++ names are mangled.

        Returns:
            None where there is none; thread-local variables have no one address.
        """
        return self._host.operate(
            f"{self.name}: looking up {name}",
            lambda execution, _: execution.address_of(name, self.name, libraries=True),
        )

    def dlerror(self) -> str:
        """Return what the last ``dl`` function on the main thread complained of, and forget it."""
        return self._host.operate("dlerror", lambda execution, _: execution.platform.dlerror())


def load_again(execution: ExecutionSession, file: LoadedFile) -> None:
    """Do again, on a new far side, what the journal says of a file or JITDylib."""
    if file.kind == "open":
        execution.platform.open(file.dylib)
    elif file.kind == "object":
        add_object(execution, file.path, file.dylib)
    elif file.kind == "load":
        load(execution, file.path)
    else:
        everything = file.kind == "all_members"
        add_archive(execution, file.path, file.dylib, all_members=everything)


def make_again(execution: ExecutionSession, journal: Journal) -> None:
    """Make the session's JITDylibs on a new far side, empty, with their link orders."""
    for name in journal.dylibs:
        execution.platform.jitdylib(name)
    for name, order in journal.dylibs.items():
        execution.platform.set_link_order(name, order)
