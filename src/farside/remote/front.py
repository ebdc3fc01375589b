"""``farside executor --listen``: lets sessions from elsewhere in, each to an executor of its own.

The listening process accepts and counts; it reads nothing of what a caller sends. For each caller
it forks a child, which lets the caller prove that it knows the token (`farside.remote.handshake`)
and only then reads a byte more, and starts an executor. A caller that does not come to the end of
its proof in time is cut off, and so is the oldest where there are too many half-open ones. Tries
with a wrong token are counted for each address, and sessions when the token was right.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from farside.annotations import TYPE_CHECKING
from farside.errors import SetupError
from farside.remote import handshake
from farside.remote.far_end import refuse, serve
from farside.remote.tunnel import SocketTunnel

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from pathlib import Path

_HANDSHAKE = 10.0  # seconds for a caller's proof
_HALF_OPEN = 16
_HALF_OPEN_AT_LEAST = 1.0  # seconds before another gets the place
_FOR_A_PLACE = 2.0  # seconds in which a session may end
_TRIES, _WINDOW = 10, 60.0  # wrong tries of one address, in so many seconds
_MAX_ADDRESSES = 4096
_YES, _NO = b"+", b"-"


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


class _State(Enum):
    HALF_OPEN = "has not proved anything"
    PROVED = "waits for a place"
    LET_IN = "has a session"


@dataclass
class Caller:
    """A child that serves one.

    Attributes:
        pid: of the child.
        address: of the caller.
        since: when it came, or when it had proved that it knows the token; in seconds.
        line: to the child, which tells there what came of the proof, hears whether there is a
            place for a session, and is at its end when the session is.
    """

    pid: int
    address: str
    since: float
    line: socket.socket
    state: _State = _State.HALF_OPEN


def whose_place(callers: Sequence[Caller], now: float) -> tuple[Caller, float] | None:
    """Tell whose place a newcomer gets, where all for half-open callers are taken.

    It is the oldest of the address that has the most, so that nobody who takes all places keeps
    others out, and it is left a second, in which whoever knows the token has shown it.

    Returns:
        it, and the seconds that it still has; None while there is a free place.
    """
    if len(callers) < _HALF_OPEN:
        return None
    most = Counter(each.address for each in callers).most_common(1)[0][0]
    oldest = min((each for each in callers if each.address == most), key=lambda each: each.since)
    return oldest, max(0.0, oldest.since + _HALF_OPEN_AT_LEAST - now)


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
        self._callers: dict[int, Caller] = {}  # by descriptor of the line
        self._ending: set[int] = set()  # children whose sessions are over
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
            for caller in self._callers.values():
                if caller.state is not _State.LET_IN:
                    _kill(caller.pid)
            for pid in [*self._ending, *(each.pid for each in self._callers.values())]:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _turn(self) -> None:
        poll = select.poll()
        now = time.monotonic()
        patience = 1.0
        leaves = whose_place(self._those(_State.HALF_OPEN), now)
        if leaves is None or leaves[1] == 0.0:
            poll.register(self._listener, select.POLLIN)
        else:
            patience = min(patience, leaves[1])
        for descriptor in self._callers:
            poll.register(descriptor, select.POLLIN)
        for caller in self._those(_State.PROVED):
            patience = min(patience, max(0.0, caller.since + _FOR_A_PLACE - now))
        ready = [descriptor for descriptor, _ in poll.poll(patience * 1000 + 1)]
        for descriptor in ready:
            if descriptor in self._callers:
                self._hear(self._callers[descriptor])
        self._give_places()
        if self._listener.fileno() in ready:
            self._accept()
        self._ending = {pid for pid in self._ending if not _has_ended(pid)}

    def _those(self, state: _State) -> list[Caller]:
        return [each for each in self._callers.values() if each.state is state]

    def _give_places(self) -> None:
        """Let in who has proved to know the token; tell those who wait in vain for others' ends.

        A session that its owner has just closed may still be about to end, so nobody is sent away
        at once.
        """
        for caller in sorted(self._those(_State.PROVED), key=lambda each: each.since):
            if len(self._those(_State.LET_IN)) < self._sessions:
                caller.state = _State.LET_IN
                _say(caller.line, _YES)
            elif time.monotonic() >= caller.since + _FOR_A_PLACE:
                _say(caller.line, _NO)
                self._forget(caller)

    def _accept(self) -> None:
        try:
            connected, peer = self._listener.accept()
        except OSError:  # it has gone again, or there are no descriptors left for now
            return
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        leaves = whose_place(self._those(_State.HALF_OPEN), time.monotonic())
        if leaves is not None:
            _kill(leaves[0].pid)
            self._forget(leaves[0])
        with connected:
            if not self._doorkeeper.may_try(address):
                _refuse(connected, handshake.TRIES)
                return
            try:
                self._fork(connected, address)
            except OSError:  # no process, or no descriptors: those who are here go on
                _refuse(connected, handshake.CALLERS)

    def _fork(self, connected: socket.socket, address: str) -> None:
        line, far_line = socket.socketpair()
        with far_line:
            try:
                pid = os.fork()
            except OSError:
                line.close()
                raise
            if pid:
                self._callers[line.fileno()] = Caller(pid, address, time.monotonic(), line)
                return
            status = 1
            try:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                line.close()
                os.close(self._alive)
                for caller in self._callers.values():
                    caller.line.close()
                self._listener.close()
                self._serve(connected, far_line)
                status = 0
            finally:
                os._exit(status)

    def _serve(self, connected: socket.socket, line: socket.socket) -> None:
        """Be the child: check the caller, then relay for it."""
        deadline = time.monotonic() + _HANDSHAKE
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, 0)
        os.dup2(null, 1)  # the program's output goes to its session
        try:
            secure = self._admit(connected, line, deadline)
        except (OSError, ValueError):
            return
        if secure is None:
            return
        line.sendall(_YES)
        verdict = line.recv(1)
        if verdict == _NO:
            refuse(SocketTunnel(secure), handshake.REFUSALS[handshake.SESSIONS], self._life)
        elif verdict == _YES:
            serve(SocketTunnel(secure), self._program, self._life, over=line.close)

    def _admit(
        self, connected: socket.socket, line: socket.socket, deadline: float
    ) -> socket.socket | None:
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
            line.sendall(_NO)
            secure.sendall(handshake.NO)
            return None
        secure.sendall(answer)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return secure

    def _hear(self, caller: Caller) -> None:
        """Learn what came of a caller's proof, or that it has gone.

        Only a wrong proof is a wrong try. Who connects and says nothing, as what looks whether a
        port is open does, learns nothing of the token.
        """
        try:
            said = caller.line.recv(1)
        except OSError:
            said = b""
        if said == _YES and caller.state is _State.HALF_OPEN:
            caller.state, caller.since = _State.PROVED, time.monotonic()
            return
        if said == _NO:
            self._doorkeeper.note_failure(caller.address)
        self._forget(caller)

    def _forget(self, caller: Caller) -> None:
        del self._callers[caller.line.fileno()]
        caller.line.close()
        self._ending.add(caller.pid)


def _say(line: socket.socket, what: bytes) -> None:
    with suppress(OSError):  # it has just ended, which its line will tell
        line.sendall(what)


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


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
