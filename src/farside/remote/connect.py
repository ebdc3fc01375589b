"""The near end of a connection to an executor on another machine.

`connect` and `connect_by_ssh` return what `spawn_executor` returns, so that nothing above knows the
difference: sockets and pipes, whose other ends a thread relays to the other machine.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

from farside.annotations import TYPE_CHECKING
from farside.errors import FarsideError, FarSideLost, OptionError, ProtocolError, SetupError
from farside.orc.frames import HEADER
from farside.remote import handshake, pins
from farside.remote.address import is_loopback, parse_address
from farside.remote.far_end import pack_message, receive_message
from farside.remote.relay import (
    CONTROL_CHANNEL,
    DATA_CHANNEL,
    KEEPER_CHANNEL,
    OUTPUT_CHANNELS,
    STDERR_CHANNEL,
    STDOUT_CHANNEL,
    Relay,
)
from farside.remote.spawn import Spawned
from farside.remote.tunnel import SocketTunnel

if TYPE_CHECKING:
    from farside.options import Options
    from farside.remote.tunnel import Tunnel

_PATIENCE = 10.0  # seconds for each step of the way to an executor that is ready to start
_ENVIRONMENT = "FARSIDE_TOKEN"


def connect(options: Options, *, capture: bool) -> Spawned:
    """Connect to a listening executor: farside's own, or another of ORC's.

    Args:
        options: says where, with which token, and how large.
        capture: whether its output comes through pipes; else it is written to ours.

    Raises:
        OptionError: the address is none, or the token's file cannot be read.
        SetupError: nobody listens there, or we are not let in.
        FarSideLost: it is not who it was before, or does not know the token.
    """
    assert options.connect is not None
    host, port = parse_address(options.connect)
    address = f"{host}:{port}"
    try:
        connected = socket.create_connection((host, port), timeout=_PATIENCE)
    except OSError as error:
        raise SetupError(
            f"Nobody can be reached at {address}: {error.strerror or error}."
        ) from error
    try:
        start = _peek(connected, len(handshake.MAGIC))
        if start != handshake.MAGIC:
            return _plain_orc(connected, start, host, address, options)
        banner = _receive(connected, handshake.BANNER_SIZE)
        _, tls = handshake.read_banner(banner)
        if tls:
            connected = _wrap(connected)
        _authenticate(connected, banner, (host, address), options)
        return _begin(SocketTunnel(connected), options, address, capture=capture)
    except (OSError, ProtocolError) as error:
        connected.close()
        raise SetupError(f"The executor at {address} cannot be used: {error}") from error
    except BaseException:
        connected.close()
        raise


def read_token(options: Options) -> str:
    """Return the token: from the file that the options name, or the environment; else empty.

    Raises:
        OptionError: the file cannot be read.
    """
    if options.token_file is None:
        return os.environ.get(_ENVIRONMENT, "").strip()
    try:
        return options.token_file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise OptionError(f"the token file {options.token_file}: {error}") from error


def _plain_orc(
    connected: socket.socket, start: bytes, host: str, address: str, options: Options
) -> Spawned:
    """Talk to another executor of ORC's, which sends its Setup at once and asks for nothing."""
    if not start:
        raise ProtocolError("It closed the connection at once.")
    size = int.from_bytes(start, "little") if len(start) == 8 else 0
    if not HEADER.size <= size <= 1 << 24:
        raise ProtocolError("What listens there is no executor.")
    if not is_loopback(host) and not options.insecure:
        raise SetupError(
            f"The executor at {address} asks for no token and encrypts nothing; --insecure talks to"
            " it all the same."
        )
    connected.settimeout(None)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Spawned(0, connected, None, None, None)


def _authenticate(
    connected: socket.socket, banner: bytes, where: tuple[str, str], options: Options
) -> None:
    """Show that we know the token, and see that the listener does."""
    host, address = where
    nonce, tls = handshake.read_banner(banner)
    shown, known = handshake.NO_CERTIFICATE, True
    if tls:
        shown = _certificate_of(connected)
        known = pins.check_pin(address, shown)
    elif not is_loopback(host) and not options.insecure:
        raise SetupError(f"The executor at {address} encrypts nothing; --insecure uses it anyway.")
    elif pins.pinned(address) is not None:
        raise FarSideLost(f"The executor at {address} used to encrypt, and now does not.")
    token, mine = read_token(options), os.urandom(handshake.NONCE_SIZE)
    try:
        connected.sendall(handshake.caller_proof(token, nonce, mine, shown))
        answer = _receive(connected, 32)
    except OSError:
        answer = b""
    if not answer and handshake.says_no(banner):
        raise SetupError(
            f"The executor at {address} cannot be used: what serves a caller there ended, or fell"
            " silent, before it had judged the token; try again."
        )
    if answer in (b"", handshake.NO):
        raise SetupError(
            f"The executor at {address} does not let us in: the token is"
            f" {'wrong' if token else 'missing'} (--token-file, {_ENVIRONMENT})."
        )
    handshake.check_listener(token, nonce, mine, shown, answer)
    if not known:
        pins.add_pin(address, shown)


def _wrap(connected: socket.socket) -> socket.socket:
    """Begin TLS; the certificate is judged later, by its fingerprint and nothing else."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connected)


def _certificate_of(connected: socket.socket) -> bytes:
    """Return the fingerprint of the certificate that the listener has shown."""
    from ssl import SSLSocket

    assert isinstance(connected, SSLSocket)
    return handshake.fingerprint(connected.getpeercert(binary_form=True) or b"")


def _receive(connected: socket.socket, size: int) -> bytes:
    """Receive exactly so many bytes, in `_PATIENCE` however they come; fewer if the stream ends.

    Raises:
        OSError: they do not come in time.
    """
    data = b""
    deadline = time.monotonic() + _PATIENCE
    while len(data) < size:
        connected.settimeout(max(0.001, deadline - time.monotonic()))
        more = connected.recv(size - len(data))
        if not more:
            break
        data += more
    connected.settimeout(_PATIENCE)
    return data


def _peek(connected: socket.socket, size: int) -> bytes:
    """Return the first bytes, which stay in the stream; fewer if it ends. Raises OSError as above.

    A socket with a timeout does not honour MSG_WAITALL; what wakes a waiter is its low-water mark.
    """
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
    try:
        return connected.recv(size, socket.MSG_PEEK)
    finally:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _begin(tunnel: Tunnel, options: Options, where: str, *, capture: bool) -> Spawned:
    """Say what executor is wanted, and relay from then on."""
    buffer = bytearray()
    wish = {"slab": options.slab_bytes, "memory": options.memory_limit}
    wish |= {"tells": True, "keeps": True}
    try:
        tunnel.send(memoryview(pack_message(wish)))  # a fresh connection takes that much
        answer = receive_message(tunnel, buffer, _PATIENCE)
    except (OSError, ProtocolError) as error:
        tunnel.close()
        raise SetupError(f"The executor at {where} cannot be used: {error}") from error
    if "error" in answer:
        tunnel.close()
        raise SetupError(f"The executor at {where} does not start: {str(answer['error'])[:500]}")
    data, far_data = socket.socketpair()
    control, far_control = socket.socketpair()
    streams = {DATA_CHANNEL: far_data.detach(), CONTROL_CHANNEL: far_control.detach()}
    stdout = stderr = None
    if capture:
        stdout, streams[STDOUT_CHANNEL] = os.pipe()
        stderr, streams[STDERR_CHANNEL] = os.pipe()
        # Their reader is who sends the calls: a relay that waits for it would carry none.
        for channel in OUTPUT_CHANNELS:
            os.set_blocking(streams[channel], False)
    else:
        streams[STDOUT_CHANNEL], streams[STDERR_CHANNEL] = os.dup(1), os.dup(2)
    keeper = None
    if answer.get("keeps") is True:
        keeper, far_keeper = socket.socketpair()
        streams[KEEPER_CHANNEL] = far_keeper.detach()
    relay = Relay(tunnel, streams, write_only=OUTPUT_CHANNELS, tells=answer.get("tells") is True)
    relay.feed(bytes(buffer))
    thread = threading.Thread(target=relay.run, name=f"relay to {where}", daemon=True)
    thread.start()
    return Spawned(0, data, control, stdout, stderr, thread, keeper=keeper)


# ------------------------------------------------------------------ ssh


def connect_by_ssh(options: Options, program: str, *, capture: bool) -> Spawned:
    """Start an executor on another machine over ssh, and copy it there if it is missing.

    Args:
        options: says which machine.
        program: the executor for it, which must suit it.
        capture: as for `connect`.

    Raises:
        SetupError: ssh does not get there, or the other machine lacks Python 3, ``tar`` or what the
            executor needs.
    """
    from farside.remote.ssh import open_ssh

    assert options.ssh is not None
    tunnel = open_ssh(options.ssh, Path(program))
    try:
        return _begin(tunnel, options, options.ssh, capture=capture)
    except FarsideError as error:
        tunnel.close()
        if (status := tunnel.status) not in (None, 0):
            raise SetupError(
                f"What serves an executor ended with {status} on {options.ssh}, which needs Python"
                " 3.11 or newer as python3."
            ) from error
        raise
