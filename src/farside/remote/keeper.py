"""What ends, on another machine, the processes that a killed supervisor left there.

On its own machine the near side does that itself (`farside.remote.leftovers`). Elsewhere it asks
the far end of the connection, on a stream of its own. A request is a u32, how many processes stay,
and their numbers, u32 each; it is answered by one byte when all others of the executor have ended.
"""

from __future__ import annotations

import socket
from array import array
from contextlib import suppress
from struct import Struct

from farside.annotations import TYPE_CHECKING
from farside.remote.leftovers import end_leftovers, resume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.remote.leftovers import Mark

_COUNT = Struct("<I")
_MOST = 4096  # processes that stay
_DONE = b"\0"


def ask(keeper: socket.socket, keep: Sequence[int], patience: float) -> bool:
    """Have the far end end all processes of the executor but some, and wait until it has.

    Args:
        keeper: the stream to it.
        keep: the processes that stay; they are continued if somebody has stopped them.
        patience: in seconds.

    Returns:
        False if there is no answer: nobody knows what is left. The stream is closed then, as a late
        answer would be taken for that to another request.
    """
    with suppress(OSError):
        keeper.settimeout(patience)
        keeper.sendall(_COUNT.pack(len(keep)) + array("I", keep).tobytes())
        if keeper.recv(1) == _DONE:
            return True
    keeper.close()
    return False


def start(mark: Mark | None) -> socket.socket:
    """Serve such requests in a thread, and return the stream for them; its end is the end.

    Args:
        mark: of the executor's processes.
    """
    import threading

    ours, theirs = socket.socketpair()
    threading.Thread(target=_serve, args=(theirs, mark), name="keeper", daemon=True).start()
    return ours


def _serve(stream: socket.socket, mark: Mark | None) -> None:
    with stream, suppress(OSError):
        while head := stream.recv(_COUNT.size, socket.MSG_WAITALL):
            if len(head) < _COUNT.size or (count := _COUNT.unpack(head)[0]) > _MOST:
                return
            body = stream.recv(count * _COUNT.size, socket.MSG_WAITALL) if count else b""
            if len(body) < count * _COUNT.size:
                return
            keep = array("I", body)
            end_leftovers(mark, keep)
            resume(mark, keep)
            stream.sendall(_DONE)
