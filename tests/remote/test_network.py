"""A network that goes away in the middle of a cell, and comes back or does not; and what is killed
at its far end."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from farside.errors import Crashed, FarSideError, FarSideLost
from farside.options import Options
from farside.orc import bootstrap
from farside.recovery.sentences import AS_IT_WAS, STARTED_AGAIN
from farside.remote.conversation import Conversation
from farside.remote.far_end import receive_message
from farside.session import Session
from tests.far_sides import Front
from tests.session.conftest import shown, start_daemon, wait_for_snapshot
from tests.traces import parent_of, wait_for_end


class Network:
    """What stands between a session and a front: it can be held up, and cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._flows = threading.Event()
        self._flows.set()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def hold(self) -> None:
        """Let nothing through until `resume`."""
        self._flows.clear()

    def resume(self) -> None:
        self._flows.set()

    def cut(self) -> None:
        """End all connections that there are; others can be made."""
        for pair in self._pairs:
            for each in pair:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._flows.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._pairs.append((near, far))
            thread = threading.Thread(target=self._forward, args=(near, far))
            self._threads.append(thread)
            thread.start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, suppress(OSError):
            while True:
                ready, _, _ = select.select([near, far], [], [])
                self._flows.wait()
                for each in ready:
                    data = each.recv(65536)
                    if not data:
                        return
                    (far if each is near else near).sendall(data)


@pytest.fixture
def network(listening: Front) -> Iterator[Network]:
    """Return a network to the front that `options` name."""
    made = Network(listening.port)
    yield made
    made.close()


@pytest.fixture
def session(network: Network, tmp_path: Path) -> Iterator[Session]:
    """Return a session over that network."""
    options = Options(
        output="capture", connect=network.address, token_file=tmp_path / "token", use_pch=False
    )
    with Session(options) as made:
        made.run(
            "#include <farside/display.h>\n#include <csignal>\n#include <fcntl.h>\n"
            "#include <unistd.h>\nint x = 1;"
        )
        made.run("x = 2;")
        yield made


def test_a_network_that_is_away_for_a_while(
    session: Session, network: Network, tmp_path: Path
) -> None:
    to_us, to_cell = tmp_path / "to-us", tmp_path / "to-cell"
    for pipe in (to_us, to_cell):
        os.mkfifo(pipe)
    said, may_go_on = (os.open(pipe, os.O_RDWR) for pipe in (to_us, to_cell))

    def go_away_and_come_back() -> None:
        os.read(said, 1)
        network.hold()
        os.write(may_go_on, b"x")
        os.read(said, 1)  # the cell has gone on, with nobody to be told
        network.resume()

    thread = threading.Thread(target=go_away_and_come_back)
    thread.start()
    result = session.run(
        f'int said = open("{to_us}", O_WRONLY), go = open("{to_cell}", O_RDONLY); char c;'
        ' (void)!write(said, "1", 1); (void)!read(go, &c, 1); x = 3; (void)!write(said, "2", 1); x'
    )
    thread.join()
    os.close(said)
    os.close(may_go_on)
    assert shown(result) == "3"
    assert shown(session.run("x + 1")) == "4"


def test_a_network_that_is_cut(session: Session, network: Network) -> None:
    session.on_display = lambda _: network.cut()
    with pytest.raises(FarSideLost) as caught:
        session.run("farside::display(1); for (;;) pause();")
    assert STARTED_AGAIN in caught.value.recovery
    assert shown(session.run("x")) == "1"


def kill_unheard(
    session: Session,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    until: str | None = None,
) -> None:
    """Kill the program, of which the session hears when it has sent a call of that name, or any."""
    send = Conversation.call
    executor = session._execution.started()
    assert executor is not None

    def send_and_hear(conversation: Conversation, function: int, *rest: Any, **more: Any) -> int:
        sequence = send(conversation, function, *rest, **more)
        if until is None or function == executor.address(until):
            network.resume()
        return sequence

    monkeypatch.setattr(Conversation, "call", send_and_hear)
    wait_for_snapshot(session)
    network.hold()
    worker = session.worker_pid
    os.kill(worker, signal.SIGKILL)
    assert wait_for_end(worker)


def test_a_program_that_is_killed_while_the_network_is_away(
    session: Session, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_unheard(session, network, monkeypatch, bootstrap.COMMIT)
    result = session.run("x += 10;")  # is sent to a program that has ended
    killed = "the program had ended before the cell ran: SIGKILL (killed): by another process, or"
    assert result.notices == (f"{killed} by itself", AS_IT_WAS)
    assert shown(session.run("x")) == "12"


def test_a_call_to_a_program_that_is_killed_while_the_network_is_away(
    session: Session, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("int add(int n) { return x += n; }")
    assert session.fn.add(0) == 2
    session.run("int later;")  # keeps the state
    kill_unheard(session, network, monkeypatch, bootstrap.CALL)
    assert session.fn.add(10) == 12
    assert session.fn.add(1) == 13
    killed = "the program had ended before the call: SIGKILL (killed): by another process, or"
    assert session.run("x").notices == (f"{killed} by itself", AS_IT_WAS)


def test_a_first_call_to_a_program_that_is_killed_while_the_network_is_away(
    session: Session, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.run("int add(int n) { return x += n; }")
    session.run("int later;")  # keeps the state
    kill_unheard(session, network, monkeypatch)
    assert session.fn.add(10) == 12  # its code is sent to a program that has ended
    assert session.fn.add(1) == 13
    killed = "the program had ended before the call: SIGKILL (killed): by another process, or"
    assert session.run("x").notices == (f"{killed} by itself", AS_IT_WAS)


def test_an_executor_that_is_killed_there(session: Session) -> None:
    session.on_display = lambda _: os.kill(session.worker_pid, 9)
    with pytest.raises(Exception, match="SIGKILL") as caught:
        session.run("x = 5; farside::display(1); for (;;) pause();")
    assert caught.value.recovery == ("the program's state is as it was before the cell",)  # type: ignore[attr-defined]
    assert shown(session.run("x")) == "2"


# ------------------------------------------------------------------ without the supervisor

LOSE_SUPERVISOR = "x = 9; kill(getppid(), SIGKILL); for (;;) pause();"


def is_over(reader: int) -> bool:
    """Wait for the end of what writes to a pipe."""
    with open(reader, "rb") as pipe:
        return pipe.read() == b""


def test_a_killed_supervisor_costs_no_value(session: Session, tmp_path: Path) -> None:
    session.checkpoint("two")
    for number in range(2):
        daemon = start_daemon(session, tmp_path / f"pipe-{number}")
        session.run("++x;")
        with pytest.raises(FarSideLost, match="supervisor") as caught:
            session.run(LOSE_SUPERVISOR)
        assert caught.value.recovery == (AS_IT_WAS,)
        assert is_over(daemon)
        assert shown(session.run("x")) == str(number + 3)
        with pytest.raises(Crashed, match=r"SIGSEGV.*null pointer"):
            session.run("x = 9; *(volatile int *)nullptr = 1;")
    session.restore("two")
    assert shown(session.run("x")) == "2"


def test_a_stopped_supervisor_costs_no_value(session: Session) -> None:
    with pytest.raises(FarSideError) as caught:
        session.run("x = 9; kill(getppid(), SIGSTOP); *(volatile int *)nullptr = 1;")
    assert caught.value.recovery == (AS_IT_WAS,)
    assert shown(session.run("x")) == "2"


@pytest.mark.parametrize("end", ["the session is closed", "the network is cut"])
def test_what_a_killed_supervisor_leaves_ends_with_the_session(
    session: Session, network: Network, tmp_path: Path, end: str
) -> None:
    daemon = start_daemon(session, tmp_path / "pipe")
    with pytest.raises(FarSideLost):
        session.run(LOSE_SUPERVISOR)
    assert is_over(daemon)
    daemon = start_daemon(session, tmp_path / "another-pipe")
    supervisor = parent_of(session.worker_pid)
    os.kill(supervisor, signal.SIGKILL)
    assert wait_for_end(supervisor)
    if end == "the network is cut":
        network.cut()
    else:
        session.close()
    assert is_over(daemon)


def test_a_far_end_that_ends_no_leftovers(
    listening: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def receive(*arguments: Any) -> dict[str, Any]:
        return {**receive_message(*arguments), "keeps": False}

    monkeypatch.setattr("farside.remote.connect.receive_message", receive)
    options = Options(
        output="capture", connect=listening.address, token_file=tmp_path / "token", use_pch=False
    )
    with Session(options) as session:
        session.run("#include <unistd.h>\n#include <csignal>\nint x = 1;")
        session.run("x = 2;")
        with pytest.raises(FarSideLost, match="supervisor") as caught:
            session.run(LOSE_SUPERVISOR)
        assert caught.value.recovery == (STARTED_AGAIN,)
        assert shown(session.run("x")) == "1"
