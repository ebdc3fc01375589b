"""The executor as a library in this very process, instead of a program of its own.

The calls go through a socket all the same, to a thread of the library's, so that everything above
talks to it as to any executor. ``native/executor/in_process.h`` says how it lives with the rest of
the process. A crash of a cell is a crash of this process.
"""

from __future__ import annotations

import ctypes
import os
import socket
import threading
import time
from functools import cache
from pathlib import Path

from farside.annotations import TYPE_CHECKING
from farside.errors import OptionError, SetupError
from farside.remote.spawn import Spawned

if TYPE_CHECKING:
    from farside.options import Options

_LIBRARY = "libfarside-in-process.so"
# What the program brings into its global scope by being linked to it; cells look there.
_RUNTIME = ("libstdc++.so.6", "libgcc_s.so.1", "libm.so.6")
_USED = 1  # this copy of the library has had its session
_STOP = 300  # milliseconds for a cell to leave its code before it is put to sleep
_ENDING = 0.05  # seconds in which a thread that Python does not list any more has ended
_SEMAPHORE = 32  # bytes of a sem_t; glibc, bits/semaphore.h

NOTICE = (
    "the cells run in this very process: a crash or exit() ends it, no snapshots are kept, so an"
    " interrupt or a time limit costs the values of variables, and %undo takes back what a cell"
    " defined, not what it did"
)

_cell_threads: set[int] = set()  # of all sessions in this process


def start_in_process(options: Options, *, capture: bool) -> Spawned:
    """Start an executor on a thread of this process.

    Args:
        options: say how large.
        capture: whether its stdout and stderr are pipes to us; while a call runs, those of the
            whole process are.

    Raises:
        SetupError: the library is missing or cannot be loaded.
        OptionError: a limit was asked for that only a process of its own can have, or an executor
            elsewhere.
    """
    if options.connect is not None or options.ssh is not None:
        raise OptionError("--in-process has its executor here, not where another option says")
    for name in ("memory_limit", "process_limit"):
        if getattr(options, name) is not None:
            option = name.replace("_", "-")
            raise OptionError(f"--{option} needs a process for the cells; --in-process has none")
    data, far_data = socket.socketpair()
    stdout = stderr = None
    far = [far_data.detach()]
    if capture:
        stdout, far_stdout = os.pipe()
        stderr, far_stderr = os.pipe()
        far += [far_stdout, far_stderr]
    try:
        hosted = HostedExecutor(far, options.slab_bytes or 0)
    except BaseException:
        data.close()
        for pipe in (stdout, stderr):
            if pipe is not None:
                os.close(pipe)
        raise
    finally:
        for descriptor in far:
            os.close(descriptor)
    return Spawned(0, data, None, stdout, stderr, hosted=hosted)


class HostedExecutor:
    """A copy of the library, and the thread in it that runs the cells."""

    def __init__(self, streams: list[int], slab_bytes: int) -> None:
        """Load the library and start the thread.

        Args:
            streams: descriptors of the calls and, if captured, stdout and stderr.
            slab_bytes: size of its slab, 0 for its own choice.

        Raises:
            SetupError: it cannot be loaded or started.
        """
        self._process = os.getpid()
        self._before = _threads()
        self._ended = False
        self._copy: int | None = None
        path = Path(__file__).parent.parent / "libexec" / _LIBRARY
        try:
            for name in _RUNTIME:
                ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
            self._library = ctypes.CDLL(str(path))
            status, why = self._start(streams, slab_bytes)
            if status == _USED:
                # It could not be unloaded, or serves another session.
                _unload(self._library)
                self._copy = os.memfd_create(_LIBRARY)
                with open(self._copy, "wb", closefd=False) as copy:
                    copy.write(path.read_bytes())
                self._library = ctypes.CDLL(f"/proc/self/fd/{self._copy}")
                status, why = self._start(streams, slab_bytes)
        except OSError as error:
            raise SetupError(f"The executor cannot be loaded into this process: {error}") from error
        if status:
            raise SetupError(f"The executor does not start in this process: {why}.")
        self._thread = int(self._library.farside_in_process_thread())
        _cell_threads.add(self._thread)

    def _start(self, streams: list[int], slab_bytes: int) -> tuple[int, str]:
        given = [os.dup(each) for each in streams]  # the library closes them
        data, out, err = given if len(given) == 3 else (given[0], -1, -1)
        why = ctypes.create_string_buffer(256)
        start = self._library.farside_in_process_start
        start.argtypes = (
            *[ctypes.c_int] * 3,
            ctypes.c_void_p,
            ctypes.c_uint64,
            ctypes.c_char_p,
            ctypes.c_size_t,
        )
        status = int(start(data, out, err, _output_turn(), slab_bytes, why, len(why)))
        if status == _USED:
            for descriptor in given:
                os.close(descriptor)
        return status, why.value.decode("utf-8", "replace")

    def ask_to_end(self, sequence: int) -> None:
        """Let the call with this number see that the user wants it to end."""
        self._library.farside_in_process_interrupt(ctypes.c_uint64(sequence))

    def join(self, timeout: float) -> None:
        """Wait for the thread to end, now that its stream has; stop what it does otherwise.

        Args:
            timeout: seconds; what it runs is given up on before, as nobody waits for it.
        """
        if self._ended or os.getpid() != self._process:
            return
        self._ended = True
        patience = min(_STOP, int(timeout * 1000))
        ended = bool(self._library.farside_in_process_stop(patience))
        if ended:
            _cell_threads.discard(self._thread)
        if ended and not self._other_remains():
            self._library.farside_in_process_release()
            _unload(self._library)
            if self._copy is not None:
                os.close(self._copy)

    def _other_remains(self) -> bool:
        """Tell whether such a thread is there, rather than one of Python's that is just ending."""
        deadline = time.monotonic() + _ENDING
        while self._others():
            if time.monotonic() >= deadline:
                return True
            time.sleep(0.001)
        return False

    def _others(self) -> set[int]:
        """Return threads that the cells may have started, and that may run their code."""
        ours = {each.native_id or 0 for each in threading.enumerate()}
        return _threads() - self._before - ours - _cell_threads


def _threads() -> set[int]:
    """Return the numbers of this process' threads."""
    return {int(each) for each in os.listdir("/proc/self/task")}


@cache
def _output_turn() -> ctypes.Array[ctypes.c_char]:
    """Return the semaphore that all sessions of this process redirect output under."""
    turn = ctypes.create_string_buffer(_SEMAPHORE)
    ctypes.CDLL(None).sem_init(turn, 0, 1)
    return turn


def _unload(library: ctypes.CDLL) -> None:
    from _ctypes import dlclose

    dlclose(library._handle)
