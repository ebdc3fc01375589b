"""Snapshots on the wire: what wakes, what ends, and what the supervisor does about it."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

import pytest

from farside.errors import Crashed, FarSideLost
from farside.orc import bootstrap, sps
from farside.remote.snapshot import Snapshot
from tests.contract.executor_rig import Rig, descendants
from tests.contract.test_executor_lifetime import wait_gone
from tests.traces import wait_for_end

OPENED: list[Snapshot] = []


@pytest.fixture(autouse=True)
def close_all() -> Iterator[None]:
    """Close every snapshot of the test."""
    yield
    while OPENED:
        OPENED.pop().close()


def new_snapshot() -> Snapshot:
    OPENED.append(Snapshot())
    return OPENED[-1]


def snapshot_of(rig: Rig) -> Snapshot:
    snapshot = new_snapshot()
    rig.executor.take_snapshot(snapshot)
    assert snapshot.ready(20)
    return snapshot


def wake(rig: Rig, snapshot: Snapshot, *keep: Snapshot) -> Snapshot:
    again = new_snapshot()
    rig.executor.wake(snapshot, keep, again)
    return again


def test_a_snapshot_is_a_child_of_the_supervisor(rig: Rig) -> None:
    snapshot = snapshot_of(rig)
    assert snapshot.threads == 1
    with open(f"/proc/{snapshot.pid}/stat") as stat:
        parent = int(stat.read().rpartition(")")[2].split()[1])
    assert parent == rig.executor.supervisor_pid
    assert os.getsid(snapshot.pid) == snapshot.pid
    assert snapshot.pid != rig.executor.worker_pid


def test_it_has_its_name_from_the_first(rig: Rig) -> None:
    rig.run('#include <sys/prctl.h>\nint named = prctl(PR_SET_NAME, "of the program");')
    supervisor, worker = rig.executor.supervisor_pid, rig.executor.worker_pid
    for _ in range(20):
        rig.executor.take_snapshot(new_snapshot())
        rig.executor.resolve(["printf"])  # answered after the fork; the new one need not have run
        names = {pid: name_of(pid) for pid in descendants(supervisor) if pid != worker}
        assert set(names.values()) == {"farside asleep"}
    assert name_of(worker) == "of the program"
    assert OPENED[0].ready(20)
    wake(rig, OPENED[0], *OPENED[1:-1])
    assert name_of(rig.executor.worker_pid) == "of the program"


def name_of(pid: int | None) -> str:
    with open(f"/proc/{pid}/comm") as file:
        return file.read().rstrip("\n")


def test_closing_the_socket_ends_it(rig: Rig) -> None:
    snapshot = snapshot_of(rig)
    snapshot.close()
    wait_gone([snapshot.pid])
    assert not snapshot.ready(0)
    assert rig.executor.resolve(["printf"])


def test_waking_after_the_worker_died(rig: Rig) -> None:
    snapshot = snapshot_of(rig)
    worker = rig.executor.worker_pid
    with pytest.raises(Crashed):
        rig.run("int x = *(volatile int *)8;", "-w")
    again = wake(rig, snapshot)
    assert rig.executor.worker_pid == snapshot.pid != worker
    assert rig.executor.family.usable
    assert rig.executor.death is None
    assert again.ready(20)
    assert rig.executor.resolve(["printf"])


def test_waking_ends_the_living_worker_and_its_children(rig: Rig) -> None:
    snapshot, other = snapshot_of(rig), snapshot_of(rig)
    rig.run(
        "#include <unistd.h>\nint x = [] { int p[2]; pipe(p); if (fork() == 0) { setsid();"
        ' if (fork() == 0) { write(p[1], "x", 1); pause(); } _exit(0); }'
        " char c; read(p[0], &c, 1); return 0; }();"
    )
    keep = {rig.executor.supervisor_pid, snapshot.pid, other.pid}
    gone = [pid for pid in descendants(rig.executor.supervisor_pid) if pid not in keep]
    assert len(gone) >= 2
    again = wake(rig, snapshot, other)
    wait_gone(gone)
    assert other.ready(0)
    assert again.ready(20)
    rig.executor.kill()
    wait_gone(list(keep))


def test_the_only_one_in_its_state_outlives_the_supervisor_until_there_is_another(
    rig: Rig,
) -> None:
    snapshot = snapshot_of(rig)
    supervisor = rig.executor.supervisor_pid
    rig.executor.family.wake(snapshot, ())  # it is the worker, and sleeps until it is told more
    os.kill(supervisor, signal.SIGKILL)
    assert wait_for_end(supervisor)
    again = snapshot_of(rig)
    wait_gone([snapshot.pid])
    wake(rig, again)
    assert rig.executor.worker_pid not in (snapshot.pid, None)
    assert rig.executor.resolve(["printf"])


def test_a_snapshot_that_died_is_no_worker(rig: Rig) -> None:
    snapshot = snapshot_of(rig)
    os.kill(snapshot.pid, signal.SIGKILL)
    wait_gone([snapshot.pid])
    with pytest.raises(FarSideLost, match="gone"):
        wake(rig, snapshot)


def test_an_impostor_among_the_snapshots(rig: Rig) -> None:
    # The pid comes from a process that ran user code; the supervisor knows its children.
    snapshot = snapshot_of(rig)
    honest, snapshot.pid = snapshot.pid, os.getpid()
    with pytest.raises((Crashed, FarSideLost)):
        wake(rig, snapshot)
    rig.executor.kill()
    wait_gone([honest])


@pytest.mark.parametrize("hello", [b"", b"x" * 5, b"\0" * 40, b"\xff" * 4096])
def test_a_malformed_hello(hello: bytes) -> None:
    snapshot = Snapshot()
    with snapshot.far_end() as far:
        far.sendall(hello)
    assert not snapshot.ready(1)
    snapshot.close()


def test_a_request_without_a_descriptor(rig: Rig) -> None:
    reply = rig.executor.call(bootstrap.SNAPSHOT, b"")
    failure = sps.ERROR.decode(sps.Reader(reply))
    assert failure is not None
    assert "descriptor" in failure.text


def test_descriptors_that_nobody_asked_for_are_closed(rig: Rig) -> None:
    before = len(os.listdir(f"/proc/{rig.executor.worker_pid}/fd"))
    for _ in range(5):
        snapshot = snapshot_of(rig)
        snapshot.close()
    rig.executor.resolve(["printf"])
    assert len(os.listdir(f"/proc/{rig.executor.worker_pid}/fd")) == before


def test_snapshots_end_with_the_near_side(rig: Rig) -> None:
    snapshots = [snapshot_of(rig) for _ in range(3)]
    pids = [rig.executor.supervisor_pid, *(each.pid for each in snapshots)]
    rig.executor.close()
    for each in snapshots:
        each.close()
    wait_gone(pids)


def test_threads_are_counted(rig: Rig) -> None:
    rig.run(
        "#include <thread>\n#include <unistd.h>\n"
        "int x = (std::thread([] { for (;;) pause(); }).detach(), 0);"
    )
    snapshot = snapshot_of(rig)
    assert snapshot.threads == 2
    again = wake(rig, snapshot)
    assert again.ready(20)
    assert again.threads == 1


def test_a_sleeping_snapshot_waits_without_end(rig: Rig) -> None:
    snapshot = snapshot_of(rig)
    os.kill(snapshot.pid, signal.SIGTERM)  # blocked while it sleeps
    handle = os.pidfd_open(snapshot.pid)
    assert select.select([handle], [], [], 0)[0] == []
    os.close(handle)
    assert snapshot.ready(0)


def test_one_after_the_other_is_woken_without_a_wait(rig: Rig) -> None:
    snapshot = snapshot_of(rig)
    before = []
    for _ in range(20):
        before.append(rig.executor.worker_pid)
        again = new_snapshot()
        rig.executor.wake(snapshot, (), again, at_once=True)
        assert rig.executor.worker_pid == snapshot.pid
        assert again.ready(20)
        snapshot = again
    assert rig.executor.resolve(["printf"])
    # The call has waited for the last of them; no other is left either.
    assert {pid for pid in before if pid} & set(descendants(rig.executor.supervisor_pid)) == set()
