"""The processes of one executor: whether they live, how they ended, and which take their place.

They are a supervisor, its worker, and the snapshots that sleep. A `Family` waits for what they
say, on the connection to the worker and on the control socket, and finds out why nothing comes. It
makes no calls: what the worker can be asked is the business of `farside.remote.executor`.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress

from farside.annotations import TYPE_CHECKING, NoReturn
from farside.errors import Crashed, FarSideLost, TimedOut
from farside.remote.conversation import GRACE, Conversation
from farside.remote.snapshot import pids_of
from farside.remote.supervisor import Supervisor
from farside.remote.transport import SocketTransport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from farside.orc.frames import Frame
    from farside.remote.guard import Guard
    from farside.remote.pipes import OutputPipes
    from farside.remote.snapshot import Snapshot
    from farside.remote.spawn import Spawned

_REAP_GRACE = 5.0  # seconds for the supervisor to do what it is asked
_MOST_STOPS = 3  # looks, a second apart, that find the supervisor stopped although it was continued
# Of an end: on the connection, on the worker's process, and what the supervisor says.
_SIGNS = (select.POLLRDHUP, select.POLLIN, select.POLLIN)
_LOOKS = (0.5, 1.0)  # seconds after which one that lives on may have executed another program
_CLOSING = 0.5  # seconds for one that has closed its connection to come to the end of its cell
_SLICE = 0.05  # seconds between two looks whether the supervisor that is waited for serves


class Family:
    """The supervisor, worker and snapshots of an executor.

    Attributes:
        supervisor: the present one; another takes its place where a snapshot outlives it.
        conversation: the connection to the worker.
    """

    def __init__(
        self,
        spawned: Spawned,
        pipes: OutputPipes,
        guard: Guard,
        set_up: Callable[[Frame], None],
    ) -> None:
        """Take over the processes of a started executor.

        Args:
            spawned: says which they are, and holds the sockets to them.
            pipes: that their output comes through.
            guard: says whether the executor can be used.
            set_up: takes the Setup frame, and calls `know`.
        """
        self._remarks: dict[int, int] = {}
        self.supervisor = Supervisor(spawned, self._remarks)
        self.conversation = Conversation(
            SocketTransport(spawned.data), self.raise_death, set_up, self.has_ended, self._look
        )
        if self.supervisor.exists:
            self.conversation.watch(self.supervisor.fileno(), self._read_control)
        self._pipes = pipes
        self._guard = guard
        self._is_native = False  # as far as is known
        self._most_processes = 0
        self._stops = 0  # of the supervisor, in a row
        self._watched: tuple[int, ...] = ()
        self._signs = select.poll()  # of an end
        self._waking: Snapshot | None = None  # which the supervisor was asked to adopt

    def know(self, *, native: bool) -> None:
        """Note whether they are of farside's own executor, as its Setup message tells."""
        supervisor = self.supervisor
        self._is_native = native
        supervisor.serves = native and supervisor.exists
        if not native and supervisor.pid:
            supervisor.worker_pid = supervisor.pid

    def limit_processes(self, most: int) -> None:
        """Let the program have so many processes beside its first.

        Beyond it the program is ended, with a remark of the kind `REMARK_TOO_MANY_PROCESSES`.
        """
        self._most_processes = most
        self.supervisor.limit_processes(most)

    def take_remarks(self) -> dict[int, int]:
        """Return and forget what supervisors said by the way, by `bootstrap.REMARK_…`."""
        remarks = dict(self._remarks)
        self._remarks.clear()
        return remarks

    def _read_control(self) -> None:
        self.supervisor.read()
        if self.supervisor.ended:
            self.conversation.unwatch(self.supervisor.fileno())

    # --- whether they live ---------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        """Whether calls can still be made."""
        return (
            self._guard.reason is None and not self.conversation.ended and not self.supervisor.ended
        )

    def has_ended(self) -> bool:
        """Tell whether the worker, or who watches it, is known to have ended."""
        return self.supervisor.death is not None or self.supervisor.ended

    def lives(self) -> bool:
        """Tell whether calls can be made, as far as the kernel knows; nothing is waited for."""
        if not self.usable:
            return False
        watched = (self.conversation.fileno(), *self.supervisor.descriptors)
        if watched != self._watched:
            self._watched = watched
            self._signs = select.poll()
            for descriptor, event in zip(watched, _SIGNS, strict=True):
                if descriptor >= 0:
                    self._signs.register(descriptor, event)
        if not self._signs.poll(0):
            return not self.has_ended()
        if self.conversation.is_cut() or self.supervisor.worker_has_ended():
            return False
        self._read_control()
        return not self.has_ended()

    def had_begun(self) -> bool:
        """Tell whether the worker, which has ended, had begun the call that was waited for.

        One that somebody ends may live on for the near side until the news comes, and be sent
        calls. Where nobody knows, it had.
        """
        death = self.supervisor.death
        begun = None if death is None else death.begun
        return begun is None or begun > self.conversation.outer_call

    # --- waiting -------------------------------------------------------------------------------

    def wait_until(self, done: Callable[[], bool], deadline: float | None) -> None:
        """Serve what arrives until something of it is there.

        Raises:
            Crashed, FarSideLost: it cannot come any more.
            TimedOut: it has not come by the deadline, of `time.monotonic`.
        """
        while not done():
            self.conversation.turn(deadline)
            if (self.conversation.ended or self.has_ended()) and not done():
                self.raise_death()

    def await_replaced(self) -> None:
        """Wait for the end of a worker in whose place there is another, if that is still to come.

        Raises:
            FarSideLost: nobody knows of it: the supervisor has ended or was stopped, or that worker
                does not die.
        """
        if not self.supervisor.is_replacing:
            return
        with self._guard:
            try:
                self._await_supervisor(lambda: not self.supervisor.is_replacing)
            except TimedOut as error:
                raise FarSideLost("The program that was taken back does not end.") from error

    def _await_supervisor(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _REAP_GRACE
        while not done():
            if self.supervisor.ended:
                raise FarSideLost("The far side is gone: its supervisor ended.")
            try:
                self.conversation.turn(min(deadline, time.monotonic() + _SLICE))
            except TimedOut:
                if time.monotonic() >= deadline or self.supervisor.is_stopped():
                    self.supervisor.ended = True
                    raise

    def _look(self) -> None:
        """Look whether what is waited for can still come.

        A child of the program may hold the connection of a worker that is dead, or of which only
        the main thread is, and a supervisor that the program has stopped reports nothing.
        """
        if not self._is_native:
            return
        if not self.supervisor.is_stopped():
            self._stops = 0
            self.supervisor.look()
            return
        if self._guard.reason is None and not self.supervisor.worker_lives():
            self.raise_death()
        # It would have continued the program, had somebody stopped that as well.
        self.supervisor.resume()
        self._stops += 1
        if self._stops >= _MOST_STOPS and self._guard.reason is None:
            self._stops = 0
            self.conversation.stop_reading()
            raise FarSideLost(
                "The program's supervisor was stopped again and again, by the program or something"
                " that it has started; all of that was ended."
            )

    # --- how they ended ------------------------------------------------------------------------

    def raise_death(self) -> NoReturn:
        """Say why the stream ended: the supervisor knows how the worker did.

        Raises:
            Crashed, FarSideLost: what it was.
        """
        supervisor = self.supervisor
        self.conversation.stop_reading()
        gone = supervisor.serves and supervisor.ended
        if not gone and not self._await_death(lives=supervisor.worker_lives()):
            if supervisor.serves and supervisor.is_stopped():
                raise FarSideLost(
                    "The program's supervisor was stopped, by the program itself or by somebody"
                    " else, so nobody saw how the program ended."
                )
            # It does not hold its connection any more. `wake` or `Executor.kill` will end it.
            raise FarSideLost("The program on the far side closed its connection to the session.")
        self._pipes.drain()
        if supervisor.death is not None:
            raise Crashed(f"{supervisor.death}.", supervisor.death)
        what = "its supervisor ended" if supervisor.exists else "the connection ended"
        raise FarSideLost(f"The far side is gone: {what}.")

    def _await_death(self, *, lives: bool) -> bool:
        supervisor = self.supervisor
        stopped = supervisor.serves and supervisor.is_stopped()
        now = time.monotonic()
        deadline = now + (0.0 if stopped else _CLOSING if lives else GRACE)
        if not supervisor.serves:
            return supervisor.learn_end(deadline)
        for each in () if lives else _LOOKS:
            if self._hears_of_end(now + each):
                return True
            if now + each >= deadline:
                return False
            supervisor.look()
        return self._hears_of_end(deadline)

    def _hears_of_end(self, until: float) -> bool:
        """Wait for the supervisor to say how the worker ended, or to end; tell whether it did."""
        try:
            while not self.has_ended():
                self.conversation.turn(until)
        except TimedOut:
            return False
        return True

    # --- going back ----------------------------------------------------------------------------

    def begin_wake(self, snapshot: Snapshot, keep: Iterable[Snapshot]) -> None:
        """Begin what `wake` with the same snapshots ends; wait for nothing.

        Raises:
            FarSideLost: there is no such snapshot. Nothing has been done then.
        """
        pids = pids_of((snapshot, *keep), GRACE)
        if snapshot.pid not in pids:
            raise FarSideLost("The snapshot is gone.")
        self._guard.reason = "its program is being put back"
        # Not closed before the worker has ended, which would else run its exit handlers.
        self.conversation.pause()
        supervisor = self.supervisor
        self._waking = None
        if not supervisor.ended and snapshot.supervisor == supervisor.number:
            # Woken before, it might fork while the supervisor still kills what it does not know.
            supervisor.replace_worker(pids, snapshot.pid)
            self._waking = snapshot

    def wake(self, snapshot: Snapshot, keep: Iterable[Snapshot]) -> None:
        """Make a snapshot the worker, in whatever state the present one and its connection are.

        The present worker is ended, and so is everything that the program has started, but for the
        snapshots in `keep`. Whether the snapshot has lived through it the next call finds out, and
        waits for the end of the worker before.

        Raises:
            FarSideLost: there is no such snapshot; only `Executor.kill` is of use then.
            Crashed: the snapshot died at once.
        """
        keep = tuple(keep)
        if self._waking is not snapshot:
            self.begin_wake(snapshot, keep)
        adopted, self._waking = self._waking is snapshot and self._await_adoption(), None
        if not adopted:
            self._found_another(snapshot, keep)
        self._pipes.drain()
        self.conversation.reconnect(SocketTransport(snapshot.socket))
        self._guard.reason = None

    def _await_adoption(self) -> bool:
        """Wait for the supervisor to make a child of its own the worker; tell whether it did.

        Raises:
            Crashed: the child has ended.
        """
        with suppress(FarSideLost, TimedOut):  # it has ended or was stopped; the snapshot is asleep
            self._await_supervisor(self._has_adopted)
            return True
        return False

    def _has_adopted(self) -> bool:
        supervisor = self.supervisor
        return supervisor.worker_pid is not None or supervisor.death is not None

    def _found_another(self, snapshot: Snapshot, keep: Sequence[Snapshot]) -> None:
        """Have a snapshot become the supervisor, and its child the worker.

        The supervisor before was killed; or it is not the snapshot's, which outlived its own, and
        then it has nothing any more that is to be kept.
        """
        self.conversation.unwatch(self.supervisor.fileno())
        self.supervisor.make_way(pids_of((snapshot, *keep), GRACE))
        near, far = socket.socketpair()
        self.supervisor = self.supervisor.successor(snapshot.pid, near)
        self.supervisor.limit_processes(self._most_processes)
        self.conversation.watch(self.supervisor.fileno(), self._read_control)
        with far:
            snapshot.found_family(far)
        self._await_supervisor(lambda: self.supervisor.worker_pid is not None)
