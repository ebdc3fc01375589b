"""Records what two ORC programs say to each other, for tests/contract/test_golden.py.

    python -m tests.record_conversation FILE EXECUTOR filedescs=IN,OUT

Stands between a controller, which starts it as its executor, and the executor. FILE gets, zlib
compressed, a record for each piece of the conversation: one byte, ``>`` to the executor or ``<``
from it, u32 size, and the bytes of whole frames.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

from farside.orc.frames import HEADER
from tests.doubles.executor import descriptors


def whole_frames(buffer: bytearray) -> bytes:
    """Remove and return the complete frames at the start of a buffer."""
    end = 0
    while len(buffer) - end >= HEADER.size:
        (size,) = struct.unpack_from("<Q", buffer, end)
        if len(buffer) - end < size:
            break
        end += size
    frames = bytes(buffer[:end])
    del buffer[:end]
    return frames


def main(file: str, program: str, words: list[str]) -> int:
    """Relay and record until the controller is done; return the executor's status."""
    reading, writing = descriptors(words)["filedescs"]
    near, far = socket.socketpair()
    number = far.fileno()
    command = [program, f"filedescs={number},{number}"]
    executor = subprocess.Popen(command, pass_fds=[number])
    far.close()
    records: list[bytes] = []
    waiting = {b">": bytearray(), b"<": bytearray()}
    open_ = True
    while open_:
        sources: list[int | socket.socket] = [reading, near]
        ready, _, _ = select.select(sources, [], [])
        for source in ready:
            direction = b"<" if source is near else b">"
            data = near.recv(65536) if source is near else os.read(reading, 65536)
            if not data and direction == b">":
                near.shutdown(socket.SHUT_WR)
                reading = near.fileno()  # nothing more comes from there
                continue
            if not data:
                open_ = False
                break
            if source is near:
                os.write(writing, data)
            else:
                near.sendall(data)
            waiting[direction] += data
            frames = whole_frames(waiting[direction])
            if frames:
                records.append(direction + struct.pack("<I", len(frames)) + frames)
    Path(file).write_bytes(zlib.compress(b"".join(records), 9))
    return executor.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
