"""The compiler's process: how it is started, and how its end is awaited.

A process needs to be told nothing to begin: what session it is for comes over its socket. So the
command `farside` launches one, the *spare*, before it knows what it is asked to do. Nothing is
imported here that Python does not have when it starts, or could do without in any session.
"""

from __future__ import annotations

# As `socket` and `select`, without what those import.
import _socket
import os
import select

__all__ = ["Child", "drop_spare", "find_installed", "launch", "launch_spare"]

_PROGRAMS = os.path.dirname(os.path.dirname(__file__)) + "/libexec"
_SOCKET = 3  # descriptor of the compiler's end
_SIGINT, _SIGKILL = 2, 9
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
    """

    def __init__(self, program: str, pid: int, descriptor: int) -> None:
        self.program = program
        self.pid = pid
        self.descriptor = descriptor
        self.signal: int | None = None
        self._ended = False

    def kill(self) -> None:
        """End it at once, if it has not been waited for."""
        if not self._ended:
            try:
                os.kill(self.pid, _SIGKILL)
            except ProcessLookupError:  # somebody else has waited for it
                return

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
        self._ended = True
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:  # somebody else waits for all children of this process
            return True
        self.signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        return True


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
    near, far = _socket.socketpair()
    if far.fileno() == _SOCKET:  # which would be closed with the program's start
        near, far = far, near
    try:
        null = [(os.POSIX_SPAWN_OPEN, each, os.devnull, os.O_RDWR, 0) for each in range(3)]
        pid = os.posix_spawn(
            program,
            [program, f"--fd={_SOCKET}"],
            environment(),
            file_actions=[(os.POSIX_SPAWN_DUP2, far.fileno(), _SOCKET), *null],
            # A Ctrl-C that comes before the program ignores it must not end it.
            setsigmask=[_SIGINT],
        )
    except OSError:
        near.close()
        raise
    finally:
        far.close()
    return Child(program, pid, near.detach())


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
