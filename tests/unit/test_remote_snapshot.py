"""What a process says when it has fallen asleep; a program can say the same."""

from __future__ import annotations

import pytest

from farside.orc import bootstrap, sps
from farside.orc.frames import Opcode, encode_frame
from farside.remote.snapshot import Snapshot


def says(pid: int) -> Snapshot:
    snapshot = Snapshot()
    hello = sps.pack((sps.U32, sps.U32, sps.U32, sps.U64), (pid, 1, 2, 3_000_000_000))
    with snapshot.far_end() as far:
        far.sendall(encode_frame(Opcode.CALL, 0, bootstrap.SNAPSHOT_SLEEPS, hello))
    return snapshot


@pytest.mark.parametrize("pid", [0, 1 << 31, (1 << 32) - 1])
def test_a_number_that_no_process_has(pid: int) -> None:
    snapshot = says(pid)
    assert not snapshot.ready(20)
    assert snapshot.pid == 0
    snapshot.close()


def test_a_number_that_one_may_have() -> None:
    snapshot = says(1234)
    assert snapshot.ready(20)
    assert (snapshot.pid, snapshot.threads, snapshot.streams) == (1234, 1, 2)
    assert snapshot.seconds == 3.0
    snapshot.close()
