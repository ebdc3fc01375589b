"""What the user chose, as one frozen value that every stage can read.

This module imports nothing of farside, so that the command line can build an `Options` and hand it
to the compiler process before anything heavy is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from farside.annotations import TYPE_CHECKING, Any, Literal
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import TypedDict

Language = Literal["c++", "c"]
StandardLibrary = Literal["libstdc++", "libc++"]
OutputMode = Literal["inherit", "capture"]
OnLoss = Literal["definitions", "replay"]
OnInterrupt = Literal["restore", "keep"]
AutoloadMode = Literal["on", "ask", "off"]


class Options(NamedTuple):
    """How a session compiles and runs cells.

    Attributes:
        language: ``c++``, or ``c`` for ``-xc``.
        std: the value of ``-std=``, or None for the newest that the library supports well.
        stdlib: which C++ standard library the cells are compiled against.
        opt: the optimisation level, 0 to 3; None means the default of farside (2).
        include_dirs: ``-I``, in order.
        defines: ``-D``, each ``NAME`` or ``NAME=VALUE``.
        includes: ``-include``, files included before the first cell.
        xcc: further options handed to Clang as they are (``--Xcc=``).
        use_pch: whether the precompiled standard library may be used.
        redefinition: whether a cell may define again what an earlier one defined.
        output: ``inherit`` gives the far side the near side's stdout and stderr;
            ``capture`` collects both for `CellResult`.
        slab_bytes: size of the far side's reserved address range; None lets the executor choose.
        libraries: shared libraries, objects and archives that a session loads as it starts, in
            order; see `Session.load`. A session that is kept in a file keeps them as loaded files.
        library_dirs: directories of the far side that are searched for libraries first.
        autoload: whether a library is loaded by itself when a cell refers to what it defines.
        time_limit: seconds that a cell may run, None for as long as it takes.
        compile_limit: seconds that Clang may take for a cell, None for as long as it takes.
        compile_memory: bytes that Clang may allocate; beyond it the cell is given up. None for half
            of the machine's memory.
        memory_limit: bytes that the program may allocate, None for no limit. Beyond it allocations
            fail: ``new`` throws, ``malloc`` returns null.
        process_limit: processes that the program may have beside its first, None for no limit.
            They are counted every few hundredths of a second; with too many it is ended.
        output_limit: bytes that a cell may write where output is captured, and may show with
            ``farside::display``; where ``Session.on_display`` is given what is shown, more is left
            out of the result only.
        snapshots: how many earlier states of the program are kept, for recovery and ``%undo``;
            0 keeps none.
        snapshot_memory: bytes that only snapshots may hold; the older ones are given up first.
            None for half of what the machine has to give.
        on_loss: what is done when no snapshot can be woken: ``definitions`` gives variables their
            initial values, ``replay`` runs all accepted cells again.
        on_interrupt: what an interrupt does to the running cell: ``restore`` takes it back;
            ``keep`` asks it to end by itself (``farside::interrupted()``), and a second interrupt
            takes it back.
        elements: how many elements of a container are shown, 1 to 100,000.
        compiler, executor: paths of the two programs; None means the installed ones.
        orc_runtime: LLVM's ORC runtime, for an executor that is not farside's own; None looks for
            it in the usual places.
        connect: ``HOST:PORT`` of an executor that listens, instead of starting one.
        token_file: holds the token that it asks for; None takes it from FARSIDE_TOKEN.
        insecure: whether an executor elsewhere that does not encrypt may be talked to.
        ssh: the machine on which ssh starts the executor.
        in_process: whether the cells run in this very process, on a thread of their own. A crash
            of theirs is its end.
        shared_memory: whether the bytes of large images travel through memory that is shared with
            the executor, which must be on this machine.
        trace: a file for the path of each cell, in Chrome's trace event format.
    """

    language: Language = "c++"
    std: str | None = None
    stdlib: StandardLibrary = "libstdc++"
    opt: int | None = None
    include_dirs: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    xcc: tuple[str, ...] = ()
    use_pch: bool = True
    redefinition: bool = True
    output: OutputMode = "inherit"
    slab_bytes: int | None = None
    libraries: tuple[str, ...] = ()
    library_dirs: tuple[str, ...] = ()
    autoload: AutoloadMode = "on"
    time_limit: float | None = None
    compile_limit: float | None = None
    compile_memory: int | None = None
    memory_limit: int | None = None
    process_limit: int | None = None
    output_limit: int = 64 << 20
    snapshots: int = 10
    snapshot_memory: int | None = None
    on_loss: OnLoss = "definitions"
    on_interrupt: OnInterrupt = "restore"
    elements: int = 100
    compiler: Path | None = None
    executor: Path | None = None
    orc_runtime: Path | None = None
    connect: str | None = None
    token_file: Path | None = None
    insecure: bool = False
    ssh: str | None = None
    in_process: bool = False
    shared_memory: bool = False
    trace: str | None = None

    def with_(self, **changes: Any) -> Options:
        """Return a copy with the given attributes replaced."""
        return Options(**{**self._asdict(), **changes})

    def clang_args(self) -> tuple[str, ...]:
        """Return these options as arguments for Clang's driver, in their order."""
        args: list[str] = ["-xc" if self.language == "c" else "-xc++"]
        if self.std is not None:
            args.append(f"-std={self.std}")
        if self.language == "c++":
            args.append(f"-stdlib={self.stdlib}")
        args.append(f"-O{2 if self.opt is None else self.opt}")
        for directory in self.include_dirs:
            args += ["-I", directory]
        if (headers := _own_headers()) is not None:
            args += ["-isystem", headers]
        args += [f"-D{definition}" for definition in self.defines]
        for header in self.includes:
            args += ["-include", header]
        # A loop that never ends is to be stopped by Ctrl-C or a limit. As C++ has it, the optimiser
        # may delete `while (true) ++n;` with all that follows it: a cell that runs into the next.
        args.append("-fno-finite-loops")
        # So that a death report can name lines. With columns, or key instructions, each expression
        # has a place of its own, which costs more than the lines.
        args += ["-gline-tables-only", "-gno-column-info", "-gno-key-instructions"]
        args += self.xcc
        return tuple(args)


if TYPE_CHECKING:

    class OptionChanges(TypedDict, total=False):
        """The attributes of `Options` as keywords; paths may be strings."""

        language: Language
        std: str | None
        stdlib: StandardLibrary
        opt: int | None
        include: str | Path | Sequence[str | Path]
        include_dirs: Sequence[str | Path]
        defines: Sequence[str]
        includes: Sequence[str]
        xcc: Sequence[str]
        use_pch: bool
        redefinition: bool
        output: OutputMode
        slab_bytes: int | None
        libraries: Sequence[str]
        library_dirs: Sequence[str]
        autoload: AutoloadMode
        time_limit: float | None
        compile_limit: float | None
        compile_memory: int | None
        memory_limit: int | None
        process_limit: int | None
        output_limit: int
        snapshots: int
        snapshot_memory: int | None
        on_loss: OnLoss
        on_interrupt: OnInterrupt
        elements: int
        compiler: str | Path | None
        executor: str | Path | None
        orc_runtime: str | Path | None
        connect: str | None
        token_file: str | Path | None
        insecure: bool
        ssh: str | None
        in_process: bool
        shared_memory: bool
        trace: str | Path | None


_SEVERAL = frozenset(("include_dirs", "defines", "includes", "xcc", "libraries", "library_dirs"))
_NAMES = (*Options._fields, "include")  # those of OptionChanges


def changed(options: Options, changes: OptionChanges) -> Options:
    """Return options with those that are given as keywords in place of their own.

    What they may be is looked at when a session starts: `farside.permitted`.

    Raises:
        OptionError: there is no option of that name.
        TypeError: both ``include`` and ``include_dirs`` are given.
    """
    if not changes:
        return options
    given: dict[str, Any] = dict(changes)
    for name in given:
        if name not in _NAMES:
            raise _unknown(name)
    if "include" in given:
        if "include_dirs" in given:
            raise TypeError("include and include_dirs are the same option; give one of them")
        given["include_dirs"] = given.pop("include")
    for name, value in given.items():
        if name in _SEVERAL:
            if isinstance(value, str | os.PathLike):
                given[name] = (os.fspath(value),)
            elif isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
                given[name] = tuple(value)
    return options.with_(**given)


def _unknown(name: str) -> Exception:
    """Return what is raised for a keyword that is no option."""
    import difflib

    from farside.errors import OptionError

    near = difflib.get_close_matches(name, _NAMES, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; see help(farside.Options)"
    return OptionError(f"there is no option {name!r}{hint}")


def _own_headers() -> str | None:
    """Return where ``<farside/…>`` lies: in the installed package, or beside it in its sources."""
    package = os.path.dirname(__file__)
    sources = os.path.dirname(os.path.dirname(package))
    for directory in (f"{package}/include", f"{sources}/native/include"):
        if os.path.isdir(f"{directory}/farside"):
            return directory
    return None
