"""The part of an execution session that keeps states of the program, and goes back to them."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from itertools import islice

from farside.accounts import Committed, KeptState, Mark, WentBack, images_since
from farside.annotations import TYPE_CHECKING
from farside.errors import FarsideError
from farside.orc import bootstrap
from farside.remote.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from farside.libraries.found import FoundLibraries
    from farside.libraries.loaded import LoadedLibraries
    from farside.object import Archive
    from farside.options import Options
    from farside.platform import Platform
    from farside.recovery.keeping import KeptStates
    from farside.recovery.thrift import Thrift
    from farside.remote.calls import FarCalls
    from farside.remote.executor import Executor
    from farside.remote.slabs import Slabs
    from farside.remote.static_tls import StaticTlsPool

_PATIENCE = 5.0  # seconds for a snapshot that was asked for to be there


class KeepsStates:
    """What `farside.execution.ExecutionSession` inherits: kept states, and the ways back to them.

    Attributes:
        noted: by the owner of the session, for the next state that is kept.
        found, calls: see `farside.execution.ExecutionSession`.
    """

    found: FoundLibraries
    calls: FarCalls
    noted: object = None
    _archives: dict[str, list[Archive]]
    _committed: dict[str, Committed | None]
    _executor: Executor
    _kept: KeptStates[KeptState]
    _libraries: LoadedLibraries
    _memory: Slabs
    _options: Options
    _platform: Platform
    _thrift: Thrift[KeptState]
    _tls: StaticTlsPool

    if TYPE_CHECKING:

        def _forget(self, name: str) -> None: ...

    @contextmanager
    def _keeping(self, *, in_any_case: bool = True) -> Iterator[Snapshot | None]:
        """Give a snapshot to be taken with a call of the block, and keep the state it leaves."""
        keeps = self._options.snapshots and self._executor.offers(bootstrap.SNAPSHOT)
        if not (keeps and (in_any_case or self._thrift.may_fork())):
            yield None
            return
        if (snapshot := self._new_snapshot()) is None:
            yield None
            return
        try:
            yield snapshot
        except BaseException:
            snapshot.close()
            raise
        self._kept.add(KeptState(snapshot, self._mark(), self.calls.kept(), self.noted))
        self._thrift.kept(self._executor.worker_pid)

    def _new_snapshot(self) -> Snapshot | None:
        """Return the near end of a snapshot; older ones make room where descriptors are few.

        Returns:
            None where there is no room even so: cells are run again then, should this one fail.
        """
        while True:
            try:
                snapshot = Snapshot()
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE):
                    raise
                if not self._kept.thin(1, lambda _: 1):
                    return None
            else:
                if not snapshot.leaves_few or not self._kept.thin(1, lambda _: 1):
                    return snapshot
                snapshot.close()

    def keep(self) -> None:
        """Keep the present state of the program, after something other than a commit."""
        with self._keeping() as snapshot:
            if snapshot is not None:
                self._executor.take_snapshot(snapshot)

    def settle(self) -> None:
        """Keep the present state if calls have changed it since the last and a copy is cheap."""
        if self.calls.unsettled and self._thrift.may_fork():
            self.keep()

    def _mark(self) -> Mark:
        return Mark(
            len(self._committed),
            self._libraries.mark(),
            {name: len(each) for name, each in self._archives.items()},
            self._platform.link_orders(),
            self._memory.state(),
            self._tls.keep(),
        )

    @property
    def present(self) -> KeptState | None:
        """The kept state that the program is in, if it is kept."""
        newest = self._kept.newest
        return newest if newest is not None and newest.images == len(self._committed) else None

    def images_since(self, names: Collection[str]) -> list[str]:
        """Return the committed images, oldest first, from the first of those named on."""
        return images_since(self._committed, names)

    def keeps_before(self, names: Collection[str]) -> KeptState | None:
        """Return the state before the first of these images; None if it is not kept."""
        return self._kept_with(len(self._committed) - len(self.images_since(names)))

    def kept_after(self, names: Sequence[str]) -> list[bool]:
        """Tell of each of these images, oldest first, whether the state before the next is kept."""
        before = {name: position for position, name in enumerate(self._committed)}
        found = []
        count = len(before)
        for name in reversed(names):
            found.append(self._kept_with(count) is not None)
            count = before.get(name, count)
        return found[::-1]

    def _kept_with(self, count: int) -> KeptState | None:
        """Return the state with so many images; None if it is not kept."""
        while (state := self._kept.find(count)) is not None and not state.snapshot.ready(_PATIENCE):
            self._kept.remove(state)
        return state

    def is_kept(self, state: KeptState) -> bool:
        """Tell whether a state can still be gone back to."""
        return any(each is state for each in self._kept) and state.snapshot.ready(_PATIENCE)

    def recover(self) -> WentBack | None:
        """Go back to the newest kept state; None if there is none, and `restart` must follow."""
        while (state := self._kept.newest) is not None:
            try:
                return self.go_back(state)
            except FarsideError:
                self._kept.remove(state)
        return None

    def go_back(self, state: KeptState, *, at_once: bool = False) -> WentBack:
        """Put the program into a kept state. All that were kept later are forgotten.

        Args:
            state: which.
            at_once: whether not to wait for the program to say that it is there again, if that is
                on this machine. Should it not be, the next call finds out.

        Raises:
            FarSideLost, Crashed, TimedOut: it cannot be; `recover` or `restart` must follow.
        """
        later = self._kept.take_after(state)
        others = [each.snapshot for each in self._kept if each is not state]
        # These end by themselves, but one of which nothing was heard yet, with the worker.
        ending = [each.snapshot for each in later if each.snapshot.pid]
        asleep, again = state.snapshot, Snapshot()
        lost: tuple[str, ...] | None = None
        try:
            try:
                self._executor.family.begin_wake(asleep, [*others, *ending])
            finally:
                for each in later:  # while the far side is at work: each takes a while to end
                    each.close()
            if at_once:
                lost = self._return_to(state)  # likewise
            self._executor.wake(asleep, others, again, at_once=at_once)
        except BaseException:
            again.close()
            raise
        state.snapshot = again
        if lost is None:
            lost = self._return_to(state)
        return WentBack(lost, max(0, asleep.threads - 1), asleep.streams)

    def _return_to(self, state: KeptState) -> tuple[str, ...]:
        """Forget what the program has not got in a kept state; return the images, oldest first."""
        self.calls.return_to(state.number)
        mark = state.mark
        newest = list(islice(reversed(self._committed), len(self._committed) - mark.images))
        for name in newest:
            self._forget(name)
        self._platform.return_to(mark.link_orders)
        self._memory.return_to(mark.memory)
        self._tls.return_to(mark.static_tls)
        self._libraries.return_to(mark.libraries)
        self.found.forget_loaded()
        for name, archives in self._archives.items():
            del archives[mark.archives.get(name, 0) :]
        return tuple(newest[::-1])
