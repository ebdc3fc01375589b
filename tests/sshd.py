"""A real sshd on loopback, with keys, a configuration and a home of its own.

The port is one that the kernel gave us: we listen, and hand each connection to an ``sshd -i``.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.traces import MARK_NAME

PROGRAM = "/usr/sbin/sshd"
HOST = "another-machine"


class Sshd(NamedTuple):
    """A running sshd.

    Attributes:
        command: what runs the ssh that reaches it, for FARSIDE_SSH.
        home: the home directory of who logs in.
        directory: holds its files.
    """

    command: str
    home: Path
    directory: Path


@contextmanager
def sshd(directory: Path) -> Iterator[Sshd]:
    """Let ``ssh another-machine`` reach an sshd of this machine, for the block."""
    home = directory / "home"
    home.mkdir(parents=True)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # as Debian's own service has it made
    for name in ("host", "user"):
        words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)]
        subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    (directory / "authorized").write_bytes((directory / "user.pub").read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        host_key = (directory / "host.pub").read_text()
        (directory / "known").write_text(f"[127.0.0.1]:{port} {host_key}")
        (directory / "config").write_text(_client(directory, port))
        (directory / "sshd_config").write_text(_server(directory, home))
        served = threading.Thread(target=_serve, args=(listener, directory), daemon=True)
        served.start()
        yield Sshd(f"ssh -T -F {shlex.quote(str(directory / 'config'))}", home, directory)
        listener.shutdown(socket.SHUT_RDWR)
        served.join()


def _client(directory: Path, port: int) -> str:
    return f"""
Host {HOST}
  HostName 127.0.0.1
  Port {port}
  User {getpass.getuser()}
  IdentityFile {directory}/user
  IdentitiesOnly yes
  UserKnownHostsFile {directory}/known
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  BatchMode yes
"""


def _server(directory: Path, home: Path) -> str:
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    mark = os.environ.get(MARK_NAME, "none")
    return f"""
HostKey {directory}/host
AuthorizedKeysFile {directory}/authorized
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PermitRootLogin yes
PidFile none
SetEnv HOME={home} PATH={path} {MARK_NAME}={mark}
"""


def _serve(listener: socket.socket, directory: Path) -> None:
    running = []
    with (directory / "log").open("wb") as log:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                break
            with connected:
                words = [PROGRAM, "-i", "-e", "-f", str(directory / "sshd_config")]
                stream = connected.fileno()
                running.append(subprocess.Popen(words, stdin=stream, stdout=stream, stderr=log))
    for each in running:
        try:
            each.wait(10)
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()
