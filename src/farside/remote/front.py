"""``farside executor --listen``: lets sessions from elsewhere in, each to an executor of its own.

The listening process accepts and counts; it reads nothing of what a caller sends. For each caller
it forks a child, which lets the caller prove that it knows the token (`farside.remote.handshake`)
and only then reads a byte more, and starts an executor. A caller that does not come to the end of
its proof in time is cut off, and so are those beyond a number of half-open ones. Tries with a wrong
token are counted for each address.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from farside.errors import SetupError
from farside.remote import handshake
from farside.remote.far_end import serve
from farside.remote.tunnel import SocketTunnel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

_HANDSHAKE = 10.0  # seconds for a caller's proof
_HALF_OPEN = 16
_TRIES, _WINDOW = 10, 60.0  # wrong tries of one address, in so many seconds
_MAX_ADDRESSES = 4096
_LET_IN = b"+"


class Doorkeeper:
    """Counts wrong tries, so that nobody can try tokens without end.

    Args:
        now: the clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._failures: dict[str, deque[float]] = {}

    def may_try(self, address: str) -> bool:
        """Whether an address has tries left."""
        failures = self._failures.get(address)
        if failures is None:
            return True
        while failures and failures[0] < self._now() - _WINDOW:
            failures.popleft()
        return len(failures) < _TRIES

    def note_failure(self, address: str) -> None:
        """Count a wrong try."""
        if len(self._failures) >= _MAX_ADDRESSES:
            oldest = min(self._failures, key=lambda each: self._failures[each][-1])
            del self._failures[oldest]
        self._failures.setdefault(address, deque(maxlen=_TRIES)).append(self._now())


class _Caller(NamedTuple):
    """A child that serves one."""

    pid: int
    address: str
    pipe: int  # it writes there when the caller is let in


class Front:
    """A listening executor.

    Args:
        listener: bound and listening.
        program: the executor that sessions get.
        token: what callers must know; empty lets everybody in.
        context: for TLS, None for none.
        certificate: the certificate in DER form that goes with it.
        sessions: how many there may be at once.
    """

    def __init__(
        self,
        listener: socket.socket,
        program: Path,
        token: str,
        *,
        context: ssl.SSLContext | None,
        certificate: bytes,
        sessions: int,
    ) -> None:
        self._listener = listener
        self._program = program
        self._token = token
        self._context = context
        self._shown = handshake.fingerprint(certificate) if context else handshake.NO_CERTIFICATE
        self._sessions = sessions
        self._doorkeeper = Doorkeeper()
        self._half_open: dict[int, _Caller] = {}  # by pipe
        self._let_in: set[int] = set()
        # Children see its end when this process goes, however it goes.
        self._life, self._alive = os.pipe2(os.O_CLOEXEC)

    def run(self) -> None:
        """Serve until interrupted; then end all sessions."""
        try:
            while True:
                self._turn()
        finally:
            os.close(self._alive)
            self._listener.close()
            for pid in [*self._let_in, *(each.pid for each in self._half_open.values())]:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _turn(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        for pipe in self._half_open:
            poll.register(pipe, select.POLLIN)
        for descriptor, _ in poll.poll(1000):
            if descriptor in self._half_open:
                self._hear(self._half_open[descriptor])
            else:
                self._accept()
        self._let_in = {pid for pid in self._let_in if not _has_ended(pid)}

    def _accept(self) -> None:
        try:
            connected, peer = self._listener.accept()
        except OSError:  # it has gone again, or there are no descriptors left for now
            return
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        self._let_in = {pid for pid in self._let_in if not _has_ended(pid)}
        with connected:
            if len(self._let_in) >= self._sessions:
                _refuse(connected, handshake.SESSIONS)
            elif len(self._half_open) >= _HALF_OPEN:
                _refuse(connected, handshake.CALLERS)
            elif not self._doorkeeper.may_try(address):
                _refuse(connected, handshake.TRIES)
            else:
                self._fork(connected, address)

    def _fork(self, connected: socket.socket, address: str) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pid = os.fork()
        if pid:
            os.close(writing)
            self._half_open[reading] = _Caller(pid, address, reading)
            return
        status = 1
        try:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(reading)
            os.close(self._alive)
            for pipe in self._half_open:
                os.close(pipe)
            self._listener.close()
            self._serve(connected, writing)
            status = 0
        finally:
            os._exit(status)

    def _serve(self, connected: socket.socket, writing: int) -> None:
        """Be the child: check the caller, then relay for it."""
        deadline = time.monotonic() + _HANDSHAKE
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.dup2(null, 1)  # the program's output goes to its session
        try:
            secure = self._admit(connected, deadline)
        except (OSError, ValueError):
            return
        if secure is None:
            return
        os.write(writing, _LET_IN)
        os.close(writing)
        serve(SocketTunnel(secure), self._program, self._life)

    def _admit(self, connected: socket.socket, deadline: float) -> socket.socket | None:
        nonce = os.urandom(handshake.NONCE_SIZE)
        connected.settimeout(_HANDSHAKE)
        # A caller that sends a byte a second must not live longer than one that sends nothing.
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.setitimer(signal.ITIMER_REAL, max(0.01, deadline - time.monotonic()))
        connected.sendall(handshake.make_banner(nonce, tls=self._context is not None))
        secure = connected
        if self._context is not None:
            secure = self._context.wrap_socket(connected, server_side=True)
        proof = b""
        while len(proof) < handshake.PROOF_SIZE:
            more = secure.recv(handshake.PROOF_SIZE - len(proof))
            if not more:
                return None
            proof += more
        answer = handshake.check_caller(self._token, nonce, proof, self._shown)
        if answer is None:
            return None
        secure.sendall(answer)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return secure

    def _hear(self, caller: _Caller) -> None:
        """Learn what came of a caller's proof."""
        del self._half_open[caller.pipe]
        said = os.read(caller.pipe, 1)
        os.close(caller.pipe)
        if said == _LET_IN:
            self._let_in.add(caller.pid)
            return
        self._doorkeeper.note_failure(caller.address)
        with suppress(ChildProcessError):
            os.waitpid(caller.pid, 0)


def _refuse(connected: socket.socket, why: bytes) -> None:
    """Say why a caller is not taken; that much fits any new connection's buffer."""
    connected.setblocking(False)
    with suppress(OSError):
        connected.sendall(handshake.make_refusal(why))


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def load_certificate(directory: Path) -> tuple[ssl.SSLContext, bytes]:
    """Return a TLS context with this machine's certificate, and that in DER form.

    It is created on first use, by the ``openssl`` program, and kept in `directory`.

    Raises:
        SetupError: there is no ``openssl``, or it or the files do not do what they should.
    """
    import ssl

    certificate, key = directory / "executor.pem", directory / "executor.key"
    try:
        if not (certificate.exists() and key.exists()):
            _create_certificate(directory, certificate, key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
        der = ssl.PEM_cert_to_DER_cert(certificate.read_text("ascii"))
    except (OSError, ValueError) as error:
        raise SetupError(f"The certificate in {directory} cannot be used: {error}.") from error
    return context, der


def _create_certificate(directory: Path, certificate: Path, key: Path) -> None:
    import subprocess

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = [f"{path}.{os.getpid()}" for path in (certificate, key)]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "36500", "-subj", "/CN=farside executor"]
    command += ["-out", new[0], "-keyout", new[1]]
    before = os.umask(0o077)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError as error:
        raise SetupError("Creating a certificate needs the program openssl.") from error
    finally:
        os.umask(before)
    if done.returncode:
        raise SetupError(f"openssl creates no certificate: {done.stderr.strip()[-300:]}")
    os.replace(new[1], key)
    os.replace(new[0], certificate)
