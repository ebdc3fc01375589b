"""Finding the executor program and starting it."""

from __future__ import annotations

import fcntl
import os
import signal
import socket

from farside.annotations import TYPE_CHECKING
from farside.errors import SetupError
from farside.records import NamedTuple
from farside.remote.leftovers import MARK_NAME, Mark, new_mark

if TYPE_CHECKING:
    from threading import Thread

    from farside.options import Options
    from farside.remote.in_process import HostedExecutor

_ENVIRONMENT = "FARSIDE_EXECUTOR"
_DATA_FD, CONTROL_FD = 3, 4
_ABOVE_STANDARD = 64
# A fork copies page tables: a gigabyte in small pages takes 25 ms or more, in huge ones next to
# nothing.
_HUGE_PAGES = "glibc.malloc.hugetlb=1"


def find_executor(options: Options | None = None) -> str:
    """Return the path of the executor program.

    In order: `Options.executor`, the environment variable FARSIDE_EXECUTOR, the installed one.

    Raises:
        SetupError: the program is missing or cannot be executed.
    """
    candidates = [
        ("the options", options.executor if options is not None else None),
        ("the environment variable FARSIDE_EXECUTOR", os.environ.get(_ENVIRONMENT)),
        (
            "the installation",
            f"{os.path.dirname(os.path.dirname(__file__))}/libexec/farside-executor",
        ),
    ]
    origin, path = next((origin, os.fspath(path)) for origin, path in candidates if path)
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise SetupError(f"The executor {path}, named by {origin}, is not an executable file.")
    return path


class Spawned(NamedTuple):
    """A started executor and the near ends of its streams.

    Attributes:
        pid: of the process that was started, its supervisor if it has one; 0 where it runs on
            another machine.
        data: the socket of the calls.
        control: the socket of its supervisor; None where there can be none.
        stdout, stderr: descriptors of pipes, or None where the executor inherited ours.
        relay: carries the streams to another machine; None where there is no need.
        mark: what all its processes have; None where they are not to be found by it.
        hosted: the executor where it runs in this very process; then `pid` is 0, too.
        keeper: to what ends leftovers on another machine (`farside.remote.keeper`).
    """

    pid: int
    data: socket.socket
    control: socket.socket | None
    stdout: int | None
    stderr: int | None
    relay: Thread | None = None
    mark: Mark | None = None
    hosted: HostedExecutor | None = None
    keeper: socket.socket | None = None

    def abandon(self) -> None:
        """End what nobody has taken over."""
        from farside.remote.executor import Executor

        Executor(self).kill()
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                os.close(pipe)


def spawn_executor(
    program: str | os.PathLike[str], *, slab_bytes: int | None, capture: bool
) -> Spawned:
    """Start an executor with a data and a control socket.

    Args:
        program: the executable.
        slab_bytes: size of its slab, None for its own choice.
        capture: whether its stdout and stderr are pipes to us.

    Raises:
        SetupError: the program cannot be started.
    """
    data, far_data = socket.socketpair()
    control, far_control = socket.socketpair()
    mark = new_mark()
    arguments = [os.fspath(program), f"filedescs={_DATA_FD},{_DATA_FD}", f"control={CONTROL_FD}"]
    arguments.append(f"mark={mark.limit}")
    if slab_bytes is not None:
        arguments.append(f"slab={slab_bytes}")
    # The targets are low numbers, so no source may be one: the first dup2 would close the second.
    moves = [(_above(far_data.detach()), _DATA_FD), (_above(far_control.detach()), CONTROL_FD)]
    stdout = stderr = None
    if capture:
        stdout, far_stdout = os.pipe()
        stderr, far_stderr = os.pipe()
        moves += [(_above(far_stdout), 1), (_above(far_stderr), 2)]
    try:
        pid = os.posix_spawn(
            program,
            arguments,
            _environment(mark.text),
            file_actions=[(os.POSIX_SPAWN_DUP2, source, target) for source, target in moves],
            # Python ignores the first two; user code expects the default.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT],
            # Ctrl-C at the terminal is the session's to deal with.
            setsid=True,
        )
    except OSError as error:
        data.close()
        control.close()
        for pipe in (stdout, stderr):
            if pipe is not None:
                os.close(pipe)
        raise SetupError(f"The executor {program} cannot be started: {error.strerror}.") from error
    finally:
        for source, _ in moves:
            os.close(source)
    return Spawned(pid, data, control, stdout, stderr, mark=mark)


def spawn_librarian(stream: int) -> None:
    """Start a librarian on a socket of ours; it ends when the other end is closed.

    Raises:
        SetupError: it cannot be started.
    """
    program = find_executor()
    arguments = [program, f"librarian={_DATA_FD}"]
    source = _above(os.dup(stream))
    try:
        starter = os.posix_spawn(
            program,
            arguments,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, source, _DATA_FD)],
            setsigdef=[signal.SIGPIPE, signal.SIGINT],
        )
        os.waitpid(starter, 0)
    except ChildProcessError:
        pass  # somebody else waits for all children of this process
    except OSError as error:
        raise SetupError(f"The program {program} cannot be started: {error.strerror}.") from error
    finally:
        os.close(source)


def _environment(mark: str) -> dict[str, str]:
    """Return the executor's environment; what is added for its allocator it takes out again."""
    before = os.environ.get("GLIBC_TUNABLES", "")
    tunables = before if "hugetlb" in before else f"{before}:{_HUGE_PAGES}".lstrip(":")
    return {**os.environ, MARK_NAME: mark, "GLIBC_TUNABLES": tunables}


def _above(descriptor: int) -> int:
    for lowest in (_ABOVE_STANDARD, CONTROL_FD + 1):
        try:
            moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, lowest)
        except OSError:  # the limit is lower than that, or reached
            continue
        os.close(descriptor)
        return moved
    os.close(descriptor)
    raise SetupError("The executor cannot be started: too many files are open (ulimit -n).")
