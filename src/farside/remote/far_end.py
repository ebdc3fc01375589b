"""The far end of a connection: starts an executor for the session at the other end.

Also a program, for ssh: ``python3 -m farside.remote.far_end PATH-OF-EXECUTOR`` serves one session
on its standard input and output. It is copied to other machines together with the modules that it
imports, `COPIED`, and so must import nothing else of farside.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
from contextlib import suppress
from pathlib import Path
from struct import Struct
from struct import error as struct_error

from farside.annotations import TYPE_CHECKING, Any
from farside.errors import FarsideError, ProtocolError
from farside.remote import keeper
from farside.remote.leftovers import end_leftovers
from farside.remote.process import collect
from farside.remote.relay import (
    CONTROL_CHANNEL,
    DATA_CHANNEL,
    KEEPER_CHANNEL,
    STDERR_CHANNEL,
    STDOUT_CHANNEL,
    Relay,
)
from farside.remote.spawn import spawn_executor
from farside.remote.tunnel import PipeTunnel

if TYPE_CHECKING:
    from collections.abc import Callable

    from farside.remote.tunnel import Tunnel

COPIED = (
    "__init__.py",
    "annotations.py",
    "errors.py",
    "records.py",
    "remote/__init__.py",
    "remote/death.py",
    "remote/far_end.py",
    "remote/keeper.py",
    "remote/leftovers.py",
    "remote/process.py",
    "remote/relay.py",
    "remote/spawn.py",
    "remote/tunnel.py",
)

_SIZE = Struct("<I")
_MAX_WISH = 4096
_PATIENCE = 10.0  # seconds for the wish to be there
_GRACE = 5.0


def pack_message(values: dict[str, Any]) -> bytes:
    """Return the wish of a session, or the answer to it: u32 size and JSON."""
    encoded = json.dumps(values).encode()
    return _SIZE.pack(len(encoded)) + encoded


def take_message(buffer: bytearray) -> dict[str, Any] | None:
    """Remove one such message from the start of what came; None if it is not complete.

    Raises:
        ProtocolError: it is none.
    """
    try:
        (size,) = _SIZE.unpack_from(buffer)
    except struct_error:
        return None
    if size > _MAX_WISH:
        raise ProtocolError(f"A message of {size} bytes where a session says what it wants.")
    if len(buffer) < _SIZE.size + size:
        return None
    encoded = bytes(buffer[_SIZE.size : _SIZE.size + size])
    del buffer[: _SIZE.size + size]
    try:
        values = json.loads(encoded)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("A session says what it wants in no JSON.") from error
    if not isinstance(values, dict):
        raise ProtocolError("A session says what it wants in no object.")
    return values


def receive_message(
    tunnel: Tunnel, buffer: bytearray, patience: float, life: int | None = None
) -> dict[str, Any]:
    """Wait for one message.

    Args:
        tunnel: to the other end.
        buffer: what has come and is not taken yet.
        patience: in seconds.
        life: a descriptor whose end is the end of the wait, too.

    Raises:
        ProtocolError: what comes is none, or too late.
    """
    deadline = time.monotonic() + patience
    poll = select.poll()
    poll.register(tunnel.filenos()[0], select.POLLIN)
    if life is not None:
        poll.register(life, select.POLLIN)
    while True:
        message = take_message(buffer)
        if message is not None:
            return message
        data = tunnel.receive()
        if data:
            buffer += data
            continue
        left = deadline - time.monotonic()
        if data == b"" or left <= 0:
            raise ProtocolError("The other end fell silent before it had said what it wants.")
        if any(ready == life for ready, _ in poll.poll(left * 1000)):
            raise ProtocolError("The listening executor ends.")


def refuse(tunnel: Tunnel, why: str, life: int | None = None) -> None:
    """Say to a session, when it says what it wants, that it cannot have it; close the tunnel."""
    with suppress(ProtocolError, OSError):
        receive_message(tunnel, bytearray(), _PATIENCE, life)
        _answer(tunnel, {"error": why})
    tunnel.close()


def serve(
    tunnel: Tunnel,
    program: Path,
    life: int | None = None,
    *,
    over: Callable[[], None] | None = None,
) -> None:
    """Serve one session: start an executor as it wishes and relay until either ends.

    Args:
        tunnel: to the session; it is closed.
        program: the executor.
        life: ends the session when it is at its end.
        over: called when the session is over and its executor is about to end.
    """
    buffer = bytearray()
    try:
        wish = receive_message(tunnel, buffer, _PATIENCE, life)
        slab, memory = _size_of(wish, "slab"), _size_of(wish, "memory")
        spawned = _limited(memory, program, slab)
    except (FarsideError, OSError) as error:
        _answer(tunnel, {"error": str(error)})
        tunnel.close()
        return
    # A session of an older farside does not say what output it has taken, nor asks a keeper.
    tells, keeps = wish.get("tells") is True, wish.get("keeps") is True
    _answer(tunnel, {"version": 1, "tells": tells, "keeps": keeps})
    assert spawned.control is not None
    assert spawned.stdout is not None
    assert spawned.stderr is not None
    streams = {
        DATA_CHANNEL: spawned.data.detach(),
        CONTROL_CHANNEL: spawned.control.detach(),
        STDOUT_CHANNEL: spawned.stdout,
        STDERR_CHANNEL: spawned.stderr,
    }
    if keeps:
        streams[KEEPER_CHANNEL] = keeper.start(spawned.mark).detach()
    relay = Relay(tunnel, streams, life=life, tells=tells)
    relay.feed(bytes(buffer))
    try:
        relay.run()
    finally:
        if over is not None:
            over()
        collect(spawned.pid, _GRACE)
        end_leftovers(spawned.mark, ())  # of one that was killed, and the families after it


def _size_of(wish: dict[str, Any], name: str) -> int | None:
    value = wish.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 47:
        raise ProtocolError(f"A session wants {name} to be {value!r}.")
    return value


def _limited(memory: int | None, program: Path, slab: int | None) -> Any:
    """Start the executor with a limit on what it and its children may allocate."""
    if memory is None:
        return spawn_executor(program, slab_bytes=slab, capture=True)
    from resource import RLIMIT_DATA, getrlimit, setrlimit

    soft, hard = getrlimit(RLIMIT_DATA)
    setrlimit(RLIMIT_DATA, (memory if hard < 0 else min(memory, hard), hard))
    try:
        return spawn_executor(program, slab_bytes=slab, capture=True)
    finally:
        setrlimit(RLIMIT_DATA, (soft, hard))


def _answer(tunnel: Tunnel, values: dict[str, Any]) -> None:
    with suppress(OSError):  # it has gone, as the relay will find
        tunnel.send(memoryview(pack_message(values)))  # a fresh connection takes that much


def main() -> None:
    """Serve one session on the standard streams."""
    reading, writing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)  # nothing that prints may disturb the frames
    serve(PipeTunnel(reading, writing), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
