"""Every exception that farside raises, as one tree.

::

    FarsideError
    ├── OptionError            an option or argument that cannot be honoured
    ├── SetupError             a program or file that farside needs is missing or unusable
    ├── CompileError           Clang rejected the cell
    │   ├── UndefinedName      it refers to what nothing declares
    │   └── CompilerCrashed    Clang itself crashed or hung on the cell
    │       └── CompilerKilled     something else ended it, again when it was tried again
    ├── ObjectError            bytes that are not the object file or archive they claim to be
    ├── LinkError              a well-formed object that cannot be linked
    │   ├── UndefinedSymbols   names that nothing defines
    │   ├── DuplicateDefinition  a strong symbol defined twice
    │   ├── RelocationError    a fix-up that does not fit, or of an unknown kind
    │   └── OutOfAddressSpace  the far side's address range is used up
    ├── FarSideError           the far side did not do what was asked
    │   ├── CppException       user code threw and nothing caught it
    │   ├── Crashed            the process that ran the cell died
    │   ├── TimedOut           the cell ran longer than it was allowed to
    │   ├── TooManyProcesses  the program had more processes than it was allowed to
    │   ├── TooMuchOutput      the cell wrote more than it was allowed to
    │   ├── ListenerFailed     what was to listen to the cell raised an exception
    │   ├── Interrupted        the user stopped the cell
    │   ├── RemoteError        an ORC call returned an error
    │   └── FarSideLost        the connection to the far side is gone
    ├── CallError              a call from Python that cannot be made
    │   └── ArgumentMismatch   nothing of that name takes these arguments
    │       └── ArgumentCount  nor so many of them
    ├── ProtocolError          the peer sent what the protocol does not allow
    ├── ValueGone              a value is used whose cell was taken back
    ├── SessionClosed          the session was closed by its owner
    ├── SessionBusy            another cell is running in this session
    └── InternalError          a defect of farside itself

``str(error)`` is one or more complete
sentences that say what happened, where, and what to do. Everything in the text is also a field.
"""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from farside.frontend.diagnostics import Diagnostic
    from farside.remote.death import DeathReport


class FarsideError(Exception):
    """The root of the tree; catching it catches everything farside raises on purpose.

    Attributes:
        stdout, stderr: what the cell had written, where the session captures output.
        recovery: what was done to go on, a sentence each; empty where nothing was needed.
    """

    stdout: str = ""
    stderr: str = ""
    recovery: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by their text, which is not what their classes take.
        return _again, (type(self), self.args), vars(self)


def _again(kind: type[FarsideError], args: tuple[Any, ...]) -> FarsideError:
    return kind.__new__(kind, *args)


class OptionError(FarsideError):
    """An option or argument that cannot be honoured."""


class SetupError(FarsideError):
    """A program or file that farside needs is missing or unusable."""


class CompileError(FarsideError):
    """Clang rejected the cell; the session is as it was before it.

    Attributes:
        diagnostics: what Clang said, in its order, errors and warnings alike.
    """

    def __init__(self, message: str, diagnostics: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.diagnostics = tuple(diagnostics)


class UndefinedName(CompileError):
    """The cell refers to names that nothing declares, and is well-formed for all that is known.

    Attributes:
        names: the names, in the order of their first use.
    """

    def __init__(
        self,
        message: str,
        diagnostics: Sequence[Diagnostic],
        names: Sequence[str],
        hint: str = "define it in a cell, or include the header that declares it",
    ) -> None:
        super().__init__(f"{message}\n{hint}" if hint else message, diagnostics)
        self.names = tuple(names)


class CompilerCrashed(CompileError):
    """Clang itself crashed or hung on this input; the cell is taken back."""


class CompilerKilled(CompilerCrashed):
    """The compiler's process was ended by somebody else; the cell may be tried again."""


class ObjectError(FarsideError):
    """Bytes that are not the object file or archive they claim to be.

    Attributes:
        file: the name under which the bytes were given.
        offset: where in the file, in bytes, or None where no single place is at fault.
    """

    def __init__(self, file: str, reason: str, offset: int | None = None) -> None:
        where = file if offset is None else f"{file}, offset {offset:#x}"
        super().__init__(f"{where}: {reason}")
        self.file = file
        self.reason = reason
        self.offset = offset


class LinkError(FarsideError):
    """A well-formed object that cannot be linked."""


class UndefinedSymbols(LinkError):
    """Names that nothing defines.

    Attributes:
        symbols: the mangled names, sorted.
        referrer: the object or cell that refers to them.
        near: of some of them, names that are defined and nearly like it, mangled, nearest first.
        searched: the search path of the libraries that were looked through, if they were.
    """

    def __init__(
        self,
        message: str,
        symbols: Sequence[str],
        referrer: str,
        *,
        near: Mapping[str, Sequence[str]] | None = None,
        searched: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.symbols = tuple(symbols)
        self.referrer = referrer
        self.near = dict(near or {})
        self.searched = tuple(searched)


class DuplicateDefinition(LinkError):
    """A strong symbol defined twice.

    Attributes:
        symbol: the mangled name.
        first, second: the objects or cells that define it.
    """

    def __init__(self, message: str, symbol: str, first: str, second: str) -> None:
        super().__init__(message)
        self.symbol = symbol
        self.first = first
        self.second = second


class RelocationError(LinkError):
    """A fix-up whose value does not fit its field, or whose kind is not known.

    Attributes:
        object_name, section, offset: the place, the offset in bytes from the section's start.
        relocation: the psABI's name of the relocation, such as ``R_X86_64_PC32``.
        symbol: the symbol it refers to.
        value: the value that was to be stored, or None where the kind is unknown.
        low, high: the smallest and largest value that the field can hold.
    """

    def __init__(
        self,
        message: str,
        *,
        object_name: str,
        section: str,
        offset: int,
        relocation: str,
        symbol: str,
        value: int | None = None,
        low: int | None = None,
        high: int | None = None,
    ) -> None:
        super().__init__(message)
        self.object_name = object_name
        self.section = section
        self.offset = offset
        self.relocation = relocation
        self.symbol = symbol
        self.value = value
        self.low = low
        self.high = high


class OutOfAddressSpace(LinkError):
    """The far side's reserved address range has no room for the image."""


class FarSideError(FarsideError):
    """The far side did not do what was asked."""


class CppException(FarSideError):
    """User code threw and nothing caught it; what the cell did before stays.

    Attributes:
        type_name: the demangled type of the exception object.
        what: the text of ``what()``, or None where the type has none.
    """

    def __init__(self, message: str, type_name: str, what: str | None) -> None:
        super().__init__(message)
        self.type_name = type_name
        self.what = what


class Crashed(FarSideError):
    """The process that ran the cell died.

    Attributes:
        report: signal or exit status, and the cell that was running.
    """

    def __init__(self, message: str, report: DeathReport) -> None:
        super().__init__(message)
        self.report = report


class TimedOut(FarSideError):
    """The cell ran longer than it was allowed to; the cell is taken back."""


class TooManyProcesses(FarSideError):
    """The program had more processes than it was allowed to; the cell is taken back."""


class TooMuchOutput(FarSideError):
    """The cell wrote more than it was allowed to; the cell is taken back."""


class ListenerFailed(FarSideError):
    """What listens to the session raised an exception; the cell is taken back.

    ``__cause__`` is the exception.

    Attributes:
        listener: which attribute of the session it is: ``on_output`` or ``on_display``.
    """

    def __init__(self, listener: str, error: Exception) -> None:
        what = f"{type(error).__name__}: {error}"
        super().__init__(f"{listener} raised {what}. The cell is taken back.")
        self.listener = listener


class Interrupted(FarSideError):
    """The user stopped the cell; the cell is taken back."""


class RemoteError(FarSideError):
    """An ORC call on the far side returned an error."""


class FarSideLost(FarSideError):
    """The connection to the far side is gone, from an outside cause."""


class CallError(FarsideError):
    """A call from Python that cannot be made; nothing was called.

    Attributes:
        callee: what was to be called, as it was written.
        candidates: what Clang says of each function of that name, empty where it says nothing.
        diagnostics: all that Clang said.
    """

    def __init__(
        self,
        message: str,
        callee: str = "",
        candidates: Sequence[str] = (),
        diagnostics: Sequence[Diagnostic] = (),
    ) -> None:
        super().__init__(message)
        self.callee = callee
        self.candidates = tuple(candidates)
        self.diagnostics = tuple(diagnostics)


class ArgumentMismatch(CallError):
    """Nothing of that name takes these arguments, or one of them does not fit its type."""


class ArgumentCount(ArgumentMismatch):
    """Nothing of that name takes so many arguments."""


class ProtocolError(FarsideError):
    """The peer sent what the protocol does not allow; the connection is no longer used."""


class ValueGone(FarsideError):
    """A value of the far side is used that is not there any more, or is another session's.

    Attributes:
        name: the C++ name that it had.
        cell: the number of the cell that evaluated it.
    """

    def __init__(self, message: str, name: str, cell: int) -> None:
        super().__init__(message)
        self.name = name
        self.cell = cell


class SessionClosed(FarsideError):
    """The session was closed by its owner."""


class SessionBusy(FarsideError):
    """Another cell is running in this session."""


class InternalError(FarsideError):
    """A defect of farside itself; please report it with the text of the message."""
