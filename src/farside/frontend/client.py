"""The client of farside-compiler: cells in, objects and diagnostics out, and back again.

The compiler is one process that holds the state of all accepted cells, and a few sleeping forks of
it that hold earlier states. Nothing is ever undone inside a process: to go back, the client wakes
the newest fork that is old enough, or starts a new process, and has it parse the accepted cells
that it does not know (`Compiler.rollback`). That serves for cells that Clang rejects, for cells
that fail later, for crashes and hangs of Clang, and for undo.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from time import monotonic
from types import TracebackType

from farside.annotations import Any
from farside.errors import (
    CompilerCrashed,
    CompilerKilled,
    InternalError,
    OptionError,
    ProtocolError,
    SetupError,
)
from farside.frontend.cell import AcceptedCell, CompiledCell, DeclarationId, Declared, parse_cell
from farside.frontend.diagnostics import Diagnostic, at_end, parse_diagnostics, render
from farside.frontend.pch import StrPath, build_pch, discard_pch, find_pch
from farside.frontend.process import Child, find_installed, launch
from farside.frontend.snapshots import Snapshot, Snapshots
from farside.frontend.wire import Channel, Disconnected, Interrupts, Message, TimeUp, let_go
from farside.options import Options
from farside.records import NamedTuple

__all__ = ["AcceptedCell", "CompiledCell", "Compiler", "Declared", "find_compiler"]

_REPLAY_AT_ONCE = 256
_LARGE = 1 << 16  # bytes of a cell; more may not fit in the socket of who does not read yet
# Seconds for a compiler to answer to its start. That takes it a tenth of one; a machine that is
# busy, or reads it from a slow disk, may need more.
START_LIMIT = 30.0
_ENDING = 2.0  # seconds for a process that is killed, or has closed its socket
_IN_THE_WAY = 0.1  # seconds for which names wait for a cell that was begun early
# What Clang can die of by itself; it does not send itself any other.
_OWN_SIGNALS = frozenset(
    (
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
    )
)


def find_compiler(options: Options | None = None) -> str:
    """Return the path of the compiler program.

    The first of: the environment's ``FARSIDE_COMPILER``, `Options.compiler`, the installed one.

    Raises:
        SetupError: it is not there or not executable.
    """
    chosen = os.environ.get("FARSIDE_COMPILER")
    if chosen:
        path = chosen
    elif options is not None and options.compiler is not None:
        path = str(options.compiler)
    else:
        path = find_installed("farside-compiler")
    if not os.access(path, os.X_OK) or os.path.isdir(path):
        raise SetupError(
            f"The compiler program {path} is missing or cannot be executed. "
            "Install farside again, or set FARSIDE_COMPILER to its path."
        )
    return path


def brings_instances(options: Options) -> bool:
    """Tell whether the executor has the code of template instances that cells would make.

    Farside's own has, as they come out of the library's headers if nothing is done to them.
    """
    installed = find_installed("farside-executor")
    chosen = options.executor or os.environ.get("FARSIDE_EXECUTOR") or installed
    own = str(chosen) == installed and not options.connect and not options.ssh
    return own and not options.xcc and not any("_GLIBCXX" in each for each in options.defines)


class _Begun(NamedTuple):
    """A rollback that was begun: what it was asked for, and the snapshot that was woken."""

    after: int
    length: int
    last: AcceptedCell | None
    snapshot: Snapshot
    whole: bool  # whether all cells that it does not know were sent

    def is_of(self, after: int, accepted: Sequence[AcceptedCell]) -> bool:
        """Tell whether it was asked for this; cells that are accepted come and go at the end."""
        last = accepted[-1] if accepted else None
        return self.after == after and self.length == len(accepted) and self.last is last


class Compiler:
    """One incremental compiler.

    Attributes:
        pid: the process that knows the present state.
        pch_status: ``used``, ``none``, or why the precompiled header was not used; empty until the
            compiler has started.
        version: Clang's version; empty until the compiler has started.
        triple: the target, such as ``x86_64-pc-linux-gnu``; empty until the compiler has started.
        diagnostics: warnings about the options.
        interrupts: where the wish to stop waiting for Clang comes from, if from anywhere.
    """

    def __init__(
        self, options: Options, path: str, pch: str | None, values: bool, instances: bool
    ) -> None:
        self.pid = 0
        self.pch_status = ""
        self.version = ""
        self.triple = ""
        self.diagnostics: tuple[Diagnostic, ...] = ()
        self._options = options
        self._path = path
        self._pch = pch
        self._renew_pch = False
        self._values = values
        self._instances = instances
        self._start_limit = START_LIMIT
        self._snapshots = Snapshots()
        self._left: list[Snapshot] = []  # processes that nobody needs any more
        self._child: Child | None = None  # where the present process is one
        self._channel: Channel | None = None
        self._starting = False
        self._busy = False
        self._begun: _Begun | None = None
        self._ahead: tuple[int, str] | None = None  # number and code of a cell that was begun early
        self._answer: Message | None = None  # to that, where something else had to be asked
        self._is_asked = False  # for a cell, without an answer so far
        self.interrupts: Interrupts | None = None

    @classmethod
    def spawn(
        cls,
        options: Options,
        path: StrPath | None = None,
        pch: StrPath | None = None,
        *,
        values: bool = True,
        instances: bool = False,
        start_limit: float = START_LIMIT,
    ) -> Compiler:
        """Start a compiler and return at once; its start-up goes on beside the caller's own.

        Args:
            options: what the user chose.
            path: the program; None means `find_compiler`.
            pch: a precompiled header to be used if it fits. None means the cached one if
                `Options.use_pch` says so; where it is missing or does not fit, one is built in the
                background for the next session.
            values: whether a last expression without ``;`` is to be shown.
            instances: whether the objects may leave common template instances to the executor,
                if there is a precompiled library; see `brings_instances`.
            start_limit: seconds after which a program that does not answer to its start is taken
                not to be a compiler.

        Raises:
            SetupError: the program cannot be run, or has ended already.
        """
        program = find_compiler(options) if path is None else os.fspath(path)
        cached = pch is None and options.use_pch
        if cached:
            pch = find_pch(options, program)
        file = None if pch is None else os.fspath(pch)
        compiler = cls(options, program, file, values, instances)
        compiler._start_limit = start_limit
        compiler._renew_pch = cached
        compiler._launch()
        return compiler

    def wait_started(self) -> None:
        """Wait until the compiler has read its options.

        Raises:
            OptionError: Clang rejects them.
            SetupError: the program does not do what farside's compiler does: it ended before it
                answered, or did not answer in time, or with something else.
            CompilerCrashed: it ran out of memory, or somebody ended it.
        """
        if not self._starting:
            return
        if self._channel is not None:
            self._channel.interrupts = self.interrupts
        try:
            body = self._receive(monotonic() + self._start_limit).body
            self.diagnostics = parse_diagnostics(body.get("diagnostics", []))
            if not isinstance(body.get("ok"), bool):
                raise ProtocolError("The compiler's answer lacks 'ok'.")
        except ProtocolError as error:
            self._drop_current()
            raise self._unfit(f"answered to its start with something else. {error}") from error
        self._starting = False
        self._trust()
        if body["ok"] is not True:
            self.close()
            raise OptionError(
                "Clang rejects the options.\n" + render(self.diagnostics)
                if self.diagnostics
                else "Clang rejects the options."
            )
        self.pch_status, self.version, self.triple = (
            _text(body, key) for key in ("pch", "version", "triple")
        )
        if self._renew_pch and not self.uses_pch:
            self._renew_pch = False
            if self._pch is not None:
                discard_pch(self._pch)
            build_pch(self._options, self._path)

    def compile(
        self,
        number: int,
        code: str,
        hidden: Sequence[DeclarationId] = (),
        time_limit: float | None = None,
        *,
        plain: bool = False,
        passing: bool = False,
        given: bool = False,
        all_values: bool = False,
    ) -> CompiledCell:
        """Compile one cell.

        After a result that is not ``ok``, and after any exception, `rollback` must come before the
        next cell; before that, further cells raise `CompilerCrashed`.

        Args:
            number: the cell's number, greater than all before.
            code: its text.
            hidden: declarations of earlier cells that it may define again.
            time_limit: seconds after which Clang is taken to hang; None means no limit.
            plain: whether an object is shown by its address alone.
            passing: whether `rollback` will come next in any case.
            given: whether its value is given to a Python program, and not shown.
            all_values: whether the values of all expressions are shown, and not only of a last one
                without ``;``.

        Raises:
            CompilerCrashed: Clang crashed, ran out of memory, or exceeded `time_limit`.
            CompilerKilled: something else ended the process, before the cell or with it.
            OptionError: Clang rejects the options of the session (first cell only).
            ProtocolError: the compiler's answer is malformed.
        """
        self.wait_started()
        if not self._is_begun(number, code, hidden, (plain, passing, given, all_values)):
            self._begin(
                {
                    "op": "compile",
                    "cell": number,
                    "code": code,
                    "hidden": hidden,
                    "plain": plain,
                    "passing": passing,
                    "given": given,
                    "all": all_values,
                }
            )
        message = self._answered(None if time_limit is None else monotonic() + time_limit, number)
        self._ahead = self._answer = None
        cell = parse_cell(number, message.body, message.attachments)
        if cell.diagnostics:
            said = at_end(cell.diagnostics, f"cell {number}", code)
            cell = cell._replace(diagnostics=said)
        self._busy = not cell.ok
        return cell

    def begin_compile(self, number: int, code: str) -> None:
        """Begin what `compile` of the cell ends, with no other arguments; wait for nothing.

        The compiler must be in the state before the cell, or on its way there (`begin_rollback`, or
        its start). Where the cell turns out not to be the next, `rollback` must come before the one
        that is. Where nothing can be begun, nothing is; nor is a cell that is large or no UTF-8.
        """
        on_its_way = self._begun is not None and self._begun.whole
        if self._ahead is not None or (self._busy and not on_its_way):
            return
        with suppress(CompilerCrashed, SetupError, UnicodeEncodeError):  # which `compile` finds out
            if len(code.encode()) > _LARGE:
                return
            self._begin({"op": "compile", "cell": number, "code": code}, ahead=True)

    def _begin(self, request: dict[str, Any], *, ahead: bool = False) -> None:
        """Have the compiler begin with a cell."""
        if self._channel is None or (self._busy and not ahead):
            raise CompilerCrashed("The compiler is not running.")
        self._busy = self._is_asked = True
        self._ahead = (request["cell"], request["code"]) if ahead else None
        self._answer = None
        try:
            self._channel.send(request)
        except Disconnected as error:
            raise self._crashed(request["cell"]) from error

    def _answered(self, deadline: float | None, cell: int | None = None) -> Message:
        """Wait for the answer to the cell that was begun."""
        if self._answer is None:
            if self._channel is not None:
                self._channel.interrupts = self.interrupts
            self._answer = self._receive(deadline, cell)
            self._is_asked = False
        return self._answer

    def rollback(self, after: int, accepted: Sequence[AcceptedCell], *, sure: bool = False) -> None:
        """Bring the compiler to the state in which it has seen exactly the accepted cells.

        Args:
            after: the last cell up to which nothing has changed: sleeping processes that know
                younger cells are given up. 0 where cells have gone from the middle.
            accepted: all accepted cells in order.
            sure: whether the process that is there must have answered. One that was killed may look
                alive for a while: its socket is closed when its memory is given back.

        Raises:
            CompilerCrashed: no process could be brought there.
        """
        begun = self._begun
        if begun is None or not begun.is_of(after, accepted):
            begun = None
            self._absorb_events()
            self._drop_current()
        self._begun = None
        while (snapshot := begun.snapshot if begun else self._wake(after)) is not None:
            if self._ahead is None:
                self.end_left()
            try:
                if self._ahead is None and snapshot.channel.ended():
                    raise CompilerKilled("The compiler's snapshot was killed.")
                missing = _missing(snapshot, accepted)
                self._replay(missing, begun=begun is not None)
                if sure and not missing and self._ahead is None:
                    self._demangled(())
            except CompilerCrashed:
                self._drop_current()
                # Not the one that it left in its place when it woke, which would fail likewise.
                after, begun = snapshot.after - 1, None
                continue
            self._busy = self._ahead is not None
            return
        self.end_left()
        self._launch()
        self._busy = True  # until it is there: whoever is interrupted here leaves it half way
        self.wait_started()
        self._replay(accepted)
        self._busy = False

    def begin_rollback(self, after: int, accepted: Sequence[AcceptedCell]) -> None:
        """Begin what `rollback` with the same arguments ends; wait for nothing.

        There is nobody to be asked for anything until then. Where there is no snapshot to be woken,
        nothing is begun. Processes that nobody needs any more end with `rollback`; if a cell was
        begun, with `end_left`, which should follow when that is done: they take processors.
        """
        last = accepted[-1] if accepted else None
        present = last.cell if last is not None else 0
        if present > after or not self._snapshots.knows(present):
            self._absorb_events()
        self._leave_current()
        if (snapshot := self._wake(after)) is None:
            return
        missing = _missing(snapshot, accepted)
        whole = len(missing) <= _REPLAY_AT_ONCE
        self._begun = _Begun(after, len(accepted), last, snapshot, whole)
        if missing:
            with suppress(Disconnected):  # which `rollback` finds out
                snapshot.channel.send(_replaying(missing[:_REPLAY_AT_ONCE]))

    def end_left(self) -> None:
        """End the processes that nobody needs any more."""
        for snapshot in self._left:
            snapshot.close()
        self._left.clear()

    def restart_without_pch(self, accepted: Sequence[AcceptedCell]) -> bool:
        """Go on without the precompiled header, in the state after the accepted cells.

        Returns:
            False, with nothing done, where none is in use.

        Raises:
            CompilerCrashed: a cell that was accepted before is not accepted without it; the header
                stays in use, and `rollback` must come before the next cell.
            SetupError, KeyboardInterrupt: the compiler could not be started again, likewise.
        """
        if not self.uses_pch:
            return False
        self._drop_current()
        self._snapshots.close()
        pch, self._pch = self._pch, None
        try:
            self._launch()
            self.wait_started()
            self._replay(accepted)
        except BaseException:
            self._pch = pch
            raise
        return True

    def demangle(self, names: Sequence[str]) -> list[str]:
        """Return mangled names as the programmer wrote them; unchanged where that fails.

        A cell that was begun is given up if it is in the way; see `is_ready`.
        """
        was_ahead = self._ahead is not None
        if self._channel is None or self._begun is not None:
            return list(names)
        if self._is_asked and not was_ahead:  # somebody gave up waiting for a cell
            return list(names)
        with suppress(OptionError, CompilerCrashed, SetupError):  # the next cell says why
            self.wait_started()
            if was_ahead:
                self._answered(monotonic() + _IN_THE_WAY)
            return self._demangled(names)
        if was_ahead:
            with suppress(OptionError, CompilerCrashed, SetupError):
                return self._demangled_elsewhere(names)
        return list(names)

    def _demangled(self, names: Sequence[str]) -> list[str]:
        found = self._call({"op": "demangle", "names": list(names)}).body.get("names")
        if not isinstance(found, list) or [type(name) for name in found] != [str] * len(names):
            raise ProtocolError("The compiler's answer to a question for names is malformed.")
        return found

    def _demangled_elsewhere(self, names: Sequence[str]) -> list[str]:
        """Ask another process, which is in the state of some cell; `rollback` must come next."""
        self._drop_current()
        if self._wake(sys.maxsize) is None:
            self._launch()
            self.wait_started()
            self._busy = True
        return self._demangled(names)

    @property
    def offers_pch(self) -> bool:
        """Whether there is a precompiled header to be used if it fits."""
        return self._pch is not None

    @property
    def uses_pch(self) -> bool:
        """Whether a precompiled header is in use."""
        return self.pch_status == "used"

    def is_ready(
        self, number: int, code: str, hidden: Sequence[DeclarationId] = (), **how: bool
    ) -> bool:
        """Tell whether there is a process that `compile` can ask for a cell, as far as is known.

        Args:
            number, code, hidden, how: as for `compile`.
        """
        if self._ahead is not None:
            return self._is_begun(number, code, hidden, how.values())
        return self.lives

    def _is_begun(
        self, number: int, code: str, hidden: Sequence[DeclarationId], how: Iterable[bool]
    ) -> bool:
        """Tell whether a cell was begun early, which is for the plainest of requests only."""
        return self._ahead == (number, code) and not hidden and not any(how)

    @property
    def lives(self) -> bool:
        """Whether there is a process that can be asked for any cell, as far as is known."""
        return self._channel is not None and not self._busy and not self._channel.ended()

    def close(self) -> None:
        """End the compiler and all its snapshots; may be called twice."""
        self._absorb_events()
        self._drop_current()
        self.end_left()
        self._snapshots.close()

    def __enter__(self) -> Compiler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _launch(self) -> None:
        try:
            self._child = launch(self._path)
        except OSError as error:
            self._drop_current()
            raise SetupError(
                f"The compiler program {self._path} cannot be run: {error.strerror}."
            ) from error
        self._channel = Channel(socket.socket(fileno=self._child.descriptor))
        self.pid = self._channel.pid = self._child.pid
        self._busy = False
        self._starting = True
        try:
            self._channel.send(
                {
                    "op": "start",
                    "args": list(self._options.clang_args()),
                    "pch": self._pch,
                    "values": self._values,
                    "elements": self._options.elements,
                    "redefinition": self._options.redefinition,
                    "instances": self._instances,
                    "memory": self._options.compile_memory or _half_of_memory(),
                }
            )
        except Disconnected as error:
            raise self._crashed(None) from error

    def _wake(self, after: int) -> Snapshot | None:
        """Go on with the newest snapshot that knows no cell after `after`, if there is one."""
        snapshot, younger = self._snapshots.take(after)
        self._left += younger
        if snapshot is not None:
            self._channel = snapshot.channel
            self.pid = snapshot.pid
            let_go(self.pid)
        return snapshot

    def _replay(self, cells: Sequence[AcceptedCell], *, begun: bool = False) -> None:
        """Have cells parsed again; the first of them have been asked for if that was begun."""
        for begin in range(0, len(cells), _REPLAY_AT_ONCE):
            if begun and begin == 0:
                body = self._receive(None).body
            else:
                body = self._call(_replaying(cells[begin : begin + _REPLAY_AT_ONCE])).body
            if body.get("ok") is not True:
                said = parse_diagnostics(body.get("diagnostics", []))
                self._drop_current()
                raise CompilerCrashed(
                    f"Cell {body.get('cell')}, which was accepted before, is not accepted now.",
                    said,
                )

    def _call(
        self, request: dict[str, Any], deadline: float | None = None, cell: int | None = None
    ) -> Message:
        if self._channel is None:
            raise InternalError("The compiler was asked for something after it was closed.")
        try:
            self._channel.send(request)
        except Disconnected as error:
            raise self._crashed(cell) from error
        return self._receive(deadline, cell)

    def _receive(self, deadline: float | None, cell: int | None = None) -> Message:
        """Wait for the response; events that come before it are dealt with."""
        if self._channel is None:
            raise CompilerCrashed("The compiler is not running.")
        while True:
            try:
                message = self._channel.receive(deadline)
            except Disconnected as error:
                raise self._crashed(cell) from error
            except TimeUp as error:
                starting = self._starting
                self._drop_current()
                if starting:
                    what = f"has not answered to its start for {self._start_limit:g} seconds."
                    raise self._unfit(what) from error
                raise CompilerCrashed(
                    "Clang did not come to an end with this cell in the time allowed. "
                    "The cell is taken back."
                ) from error
            if "event" not in message.body:
                return message
            if message.body["event"] == "ended":
                raise self._ended(message, cell)
            self._event(message)

    def _event(self, message: Message) -> None:
        after = message.body.get("after")
        pid = message.body.get("pid")
        if message.descriptor is None:
            raise ProtocolError("The compiler announced a snapshot without its socket.")
        if message.body.get("event") != "snapshot" or not (
            isinstance(after, int) and isinstance(pid, int)
        ):
            os.close(message.descriptor)
            raise ProtocolError("The compiler sent an event of an unknown kind.")
        self._trust()
        sock = socket.socket(fileno=message.descriptor)
        channel = Channel(sock)
        channel.pid = pid
        self._snapshots.add(Snapshot(after, pid, channel))

    def _absorb_events(self) -> None:
        """Take in the snapshots that were announced since the last response."""
        try:
            # A message that has begun will be complete soon, but a dead process sends no more.
            while self._channel is not None and self._channel.pending():
                message = self._channel.receive(monotonic() + 1)
                if "event" in message.body and message.body["event"] != "ended":
                    self._event(message)
        except (Disconnected, TimeUp, ProtocolError):
            return

    def _ended(self, message: Message, cell: int | None) -> CompilerCrashed:
        """Return the error of a process that has told why it ends."""
        self._drop_current(kill=False)
        where = "" if cell is None else f" on cell {cell}"
        why = message.body.get("why")
        if why == "memory":
            return CompilerCrashed(
                f"Clang ran out of memory{where} (compile_memory). The cell is taken back."
            )
        name = _signal_name(why)
        return CompilerCrashed(
            f"Clang crashed{where}{f' ({name})' if name else ''}. The cell is taken back."
        )

    def _trust(self) -> None:
        if self._child is not None:
            self._child.trust()

    def _unfit(self, what: str) -> SetupError:
        """Return the error of a program that is no compiler, as far as can be seen."""
        return SetupError(
            f"The compiler program {self._path} {what}\nIt is not farside's compiler, or cannot run"
            " here. Set FARSIDE_COMPILER (or the option compiler) to the path of farside-compiler,"
            " or unset it; if it is the installed one, install farside again."
        )

    def _crashed(self, cell: int | None) -> CompilerCrashed | SetupError:
        """Return the error of a process that has ended without a word."""
        child = self._child
        self._absorb_events()
        if child is not None and self._starting:
            what = "closed its socket before it answered to its start."
            if child.wait(_ENDING):
                by_itself = child.signal == 0 or child.signal in _OWN_SIGNALS
                signalled = f"on signal {child.signal}"
                status = f"with exit status {child.status}"
                how = signalled if child.status is None else status
                what = f"ended before it answered to its start, {how}." if by_itself else ""
            if what:
                self._drop_current()
                return self._unfit(what)
        self._drop_current(kill=False)
        number = None if child is None else child.signal
        where = "" if cell is None else f" on cell {cell}"
        if number is None or (number and number not in _OWN_SIGNALS):
            return CompilerKilled(f"The compiler was killed{where}. The cell is taken back.")
        what = f" (signal {number})" if number else ""
        return CompilerCrashed(f"Clang crashed{where}{what}. The cell is taken back.")

    def _leave_current(self) -> None:
        """Leave the present process as `_drop_current` does; `end_left` does the rest."""
        if self._child is None and self._channel is not None:
            self._channel.hang_up()  # or it might use a gap to get ready for cells
            self._left.append(Snapshot(sys.maxsize, self.pid, self._channel))
            self._channel = None
        self._drop_current()

    def _drop_current(self, *, kill: bool = True) -> None:
        """Leave the present process. It ends when its socket closes; ours is also waited for."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
            if self._child is None:
                let_go(self.pid)
        self._starting = False
        self._busy = True
        self._begun = None
        self._ahead = self._answer = None
        self._is_asked = False
        if self._child is not None:
            if kill:
                self._child.kill()
            if not self._child.wait(_ENDING):
                self._child.kill()
                self._child.wait(_ENDING)
            self._child = None


def _missing(snapshot: Snapshot, accepted: Sequence[AcceptedCell]) -> list[AcceptedCell]:
    """Return the cells that a snapshot does not know: the last few of thousands."""
    known = len(accepted)
    while known and accepted[known - 1].cell > snapshot.after:
        known -= 1
    return list(accepted[known:])


def _replaying(cells: Sequence[AcceptedCell]) -> dict[str, Any]:
    """Return the request to parse cells again."""
    entries = [{"cell": cell.cell, "code": cell.code, "cookie": cell.cookie} for cell in cells]
    return {"op": "replay", "cells": entries}


def _signal_name(why: object) -> str:
    """Return the name of the signal that a compiler says it dies of; empty where it is none."""
    number = why.removeprefix("signal ") if isinstance(why, str) else ""
    if not (number.isascii() and number.isdecimal()):
        return ""
    try:
        return signal.Signals(int(number)).name
    except ValueError:
        return ""


def _half_of_memory() -> int:
    """Return half of the machine's memory, in bytes; but what any header needs."""
    return max(2 << 30, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str):
        raise ProtocolError(f"The compiler's answer lacks {key!r}.")
    return value
