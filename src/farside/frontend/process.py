"""The compiler's process: how it is started, and how its end is awaited.

A process needs to be told nothing to begin: what session it is for comes over its socket. So the
command `farside` launches one, the *spare*, before it knows what it is asked to do. Nothing is
imported here that Python does not have when it starts, or could do without in any session.

farside's compiler ends when its socket closes. What was started may be another program, which does
not, and may have started others. So it leads a group of processes, and holds one end of a *tie*, a
second pair of sockets: when the other end closes, however this process ended, the kernel kills the
group. The compiler closes its end at once, and has answered before it forks.
"""

from __future__ import annotations

# As `signal`, `socket` and `select`, without what those import.
import _signal  # type: ignore[import-not-found]
import _socket
import os
import select

__all__ = ["Child", "drop_spare", "find_installed", "launch", "launch_spare"]

_PROGRAMS = os.path.dirname(os.path.dirname(__file__)) + "/libexec"
_SOCKET = 3  # descriptor of the compiler's end
_TIE = 4  # and of the tie's
_SIGHUP, _SIGINT, _SIGKILL, _SIGTERM = 1, 2, 9, 15
_F_SETSIG = 10  # of <fcntl.h>, which Python's module does not name
# Each cell leaves some of what it allocates, and holes of the rest. glibc's free lists give the
# oldest hole first, so that cells would write to pages all over a heap that grows: each of them is
# copied once after a fork, and is in no cache. What lies in these lists, which are short by default
# (7), is given again newest first.
_NEWEST_FIRST = "glibc.malloc.tcache_count=1000"


class Child:
    """A program that this process has started.

    Attributes:
        program: its path.
        pid: its process.
        descriptor: of the socket to it; who takes it closes it.
        signal: of which it died, 0 for none; None while that is unknown.
        status: what it gave to ``exit``; None while that is unknown, or where a signal ended it.
    """

    def __init__(self, program: str, pid: int, descriptor: int, tie: _Pair) -> None:
        self.program = program
        self.pid = pid
        self.descriptor = descriptor
        self.signal: int | None = None
        self.status: int | None = None
        self._tie: _Pair | None = tie
        self._ended = False

    def trust(self) -> None:
        """Note that it is farside's compiler: it and its forks end with their sockets."""
        if self._tie is None:
            return
        import fcntl

        far = self._tie[1]
        # Another program may hold it that has started the compiler, and waits for its end.
        fcntl.fcntl(far, fcntl.F_SETFL, fcntl.fcntl(far, fcntl.F_GETFL) & ~fcntl.FASYNC)
        self._untie()

    def _untie(self) -> None:
        if self._tie is not None:
            for each in self._tie:
                each.close()
            self._tie = None

    def kill(self) -> None:
        """End it at once, if it has not been waited for; with its group if it is not trusted."""
        if not self._ended:
            for send in (os.kill,) if self._tie is None else (os.killpg, os.kill):
                try:
                    send(self.pid, _SIGKILL)
                except ProcessLookupError:  # somebody else has waited for it, or it left the group
                    continue

    def wait(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came in time. It is nobody's child then any more."""
        if self._ended:
            return True
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:  # no more descriptors; one that has closed its socket is about to end
            self.kill()
        else:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            ended = poll.poll(seconds * 1000)
            os.close(handle)
            if not ended:
                return False
            if self._tie is not None:
                self.kill()  # what it has left; its number is its own until it is waited for
        self._ended = True
        self._untie()
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:  # somebody else waits for all children of this process
            return True
        self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        self.status = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        return True


_Pair = tuple[_socket.socket, _socket.socket]
"""Two sockets of a pair: the near one, and the one for the program."""


def _pair() -> _Pair:
    near, far = _socket.socketpair()
    # What has the number that it, or another, is to get would be closed with the program's start.
    return (far, near) if far.fileno() == _SOCKET else (near, far)


def _tie(far: _socket.socket, pid: int) -> None:
    """Have the kernel kill a group of processes when the other end of the tie closes."""
    import fcntl  # which takes as long as all else here: the program is on its way already

    try:
        fcntl.fcntl(far, _F_SETSIG, _SIGKILL)
        fcntl.fcntl(far, fcntl.F_SETOWN, -pid)
        fcntl.fcntl(far, fcntl.F_SETFL, fcntl.fcntl(far, fcntl.F_GETFL) | fcntl.FASYNC)
    except OSError:  # it has ended, and been waited for by somebody else
        return


def find_installed(name: str) -> str:
    """Return the path at which one of farside's own programs is installed."""
    return f"{_PROGRAMS}/{name}"


def environment() -> dict[str, str]:
    """Return the environment that the compiler is started with: this process's, and tunables.

    A count of `GLIBC_TUNABLES` that is there already stays.
    """
    before = os.environ.get("GLIBC_TUNABLES", "")
    tunables = before if "tcache_count" in before else f"{before}:{_NEWEST_FIRST}".lstrip(":")
    return {**os.environ, "GLIBC_TUNABLES": tunables}


def launch(program: str) -> Child:
    """Start a compiler, which waits for what it is told over its socket.

    Raises:
        OSError: it cannot be started.
    """
    spare = _spare.pop() if _spare else None
    if spare is not None:
        if spare.program == program:
            return spare
        _drop(spare)
    near, far = _pair()
    try:
        tie = _pair()
    except OSError:
        near.close()
        far.close()
        raise
    # What ends this process waits until the program is tied to it.
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, (_SIGHUP, _SIGINT, _SIGTERM))
    try:
        null = [(os.POSIX_SPAWN_OPEN, each, os.devnull, os.O_RDWR, 0) for each in range(3)]
        pid = os.posix_spawn(
            program,
            [program, f"--fd={_SOCKET}"],
            environment(),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, far.fileno(), _SOCKET),
                (os.POSIX_SPAWN_DUP2, tie[1].fileno(), _TIE),
                *null,
            ],
            setpgroup=0,
            # A Ctrl-C that comes before the program ignores it must not end it.
            setsigmask=[_SIGINT],
        )
        _tie(tie[1], pid)
    except OSError:
        for each in (near, *tie):
            each.close()
        raise
    finally:
        far.close()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    return Child(program, pid, near.detach(), tie)


_spare: list[Child] = []


def launch_spare() -> None:
    """Start the compiler that the first session of this process is likely to want."""
    try:
        _spare.append(
            launch(os.environ.get("FARSIDE_COMPILER") or find_installed("farside-compiler"))
        )
    except OSError:
        return  # who needs it says so


def drop_spare() -> None:
    """End the compiler that no session wanted, if there is one."""
    while _spare:
        _drop(_spare.pop())


def _drop(child: Child) -> None:
    os.close(child.descriptor)
    child.kill()
    child.wait(2)
