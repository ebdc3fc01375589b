"""Executors over ssh: authentication and encryption are ssh's.

The other machine needs ``sh``, ``tar`` and Python 3.11. The executor and the few Python modules
that relay for it are copied to a directory of their own there, whose name is their checksum, so
that another version never meets them.
"""

from __future__ import annotations

import hashlib
import io
import os
import select
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from farside.errors import OptionError, SetupError
from farside.remote.far_end import COPIED
from farside.remote.tunnel import PipeTunnel

_ENVIRONMENT = "FARSIDE_SSH"
_PATIENCE = 60.0  # seconds; a user may have to type a passphrase
_READY, _MISSING = b"farside ready\n", b"farside missing\n"


class SshTunnel(PipeTunnel):
    """The standard streams of an ssh, which is collected when they are closed."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        super().__init__(process.stdout.fileno(), process.stdin.fileno())

    @property
    def status(self) -> int | None:
        """What ssh has returned, which is what the program there has; None as long as it runs."""
        return self._process.returncode

    def close(self) -> None:
        """Close the streams and let ssh end; kill it if it does not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # what was not sent is not missed
                stream.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def open_ssh(host: str, program: Path) -> SshTunnel:
    """Start what serves a session on another machine; see `connect_by_ssh`."""
    if not host or host.startswith("-") or not host.isprintable():
        raise OptionError(f"{host!r} names no machine for ssh")
    files = _files(program)
    key = hashlib.sha256(b"".join([name.encode() + data for name, data, _ in files])).hexdigest()
    directory = f"$HOME/.cache/farside/far-{key[:16]}"
    serve = (
        f'd="{directory}"; if [ -x "$d/farside-executor" ]; then echo farside ready; cd /;'
        f' PYTHONPATH="$d" exec python3 -m farside.remote.far_end "$d/farside-executor";'
        " else echo farside missing; fi"
    )
    for attempt in range(2):
        process = _start(host, f"cd; {serve}")
        said = _first_line(process)
        if said == _READY:
            return SshTunnel(process)
        _give_up(process)
        if said != _MISSING or attempt:
            break
        _copy(host, directory, files)
    if said:
        what = f"it said {said[:200]!r}"
    else:
        status = process.returncode
        what = f"it ended with {status}" if status and status > 0 else "it said nothing"
    raise SetupError(
        f"ssh {host} starts no executor; {what}. The other machine needs sh, tar and Python 3.11."
    )


def _files(program: Path) -> list[tuple[str, bytes, int]]:
    """Return name, content and mode of what is copied; the executor is the last."""
    package = Path(__file__).parent.parent
    found = [(f"farside/{name}", (package / name).read_bytes(), 0o600) for name in COPIED]
    return [*found, ("farside-executor", program.read_bytes(), 0o700)]


def _copy(host: str, directory: str, files: list[tuple[str, bytes, int]]) -> None:
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, data, mode in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    # Unpacked beside and then renamed, so that a copy that breaks off is never taken for one.
    command = (
        f'umask 077; d="{directory}"; if mkdir -p "$d.$$" && tar -xf - -C "$d.$$"; then'
        ' mv -T "$d.$$" "$d" 2>/dev/null || rm -rf "$d.$$";'
        ' else s=$?; rm -rf "$d.$$"; exit $s; fi'
    )
    done = subprocess.run(
        [*_ssh(), host, command],
        input=packed.getvalue(),
        stdout=subprocess.DEVNULL,
        check=False,
        timeout=600,
    )
    if done.returncode:
        raise SetupError(
            f"The executor cannot be copied to {host}: ssh ended with {done.returncode}. It needs"
            " tar there, and some megabytes below ~/.cache."
        )


def _ssh() -> list[str]:
    return shlex.split(os.environ.get(_ENVIRONMENT, "ssh -T"))


def _start(host: str, command: str) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [*_ssh(), host, command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            process_group=0,  # Ctrl-C is the session's to deal with
        )
    except OSError as error:
        raise SetupError(f"{_ssh()[0]} cannot be started: {error.strerror}.") from error


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Return the first line that comes, or what there is of it; not a byte beyond it."""
    assert process.stdout is not None
    poll = select.poll()
    poll.register(process.stdout, select.POLLIN)
    deadline = time.monotonic() + _PATIENCE
    line = b""
    while not line.endswith(b"\n") and len(line) < 256:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            break
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line


def _give_up(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    SshTunnel(process).close()
