"""``farside executor``: an executor for sessions on other machines."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

from farside.annotations import TYPE_CHECKING, NoReturn
from farside.errors import OptionError, SetupError
from farside.options import Options
from farside.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HELP = """\
usage: farside executor --listen HOST:PORT [options]

Lets sessions from other machines run their cells here:
    farside --oop-executor-connect=HOST:PORT

  --listen HOST:PORT   where to listen; port 0 takes a free one
  --token-file FILE    the token that callers must know is in FILE, which is made if it is not
                       there; without this option a new token is printed
  --sessions N         at once (default 16)
  --executor PATH      the executor that sessions get (default: the installed one)
  --no-tls             do not encrypt; only on a loopback address, or with --insecure
  --insecure           without --token-file ask for no token, on a loopback address only

The connection is encrypted with a certificate that is made at the first start and kept; callers
remember it. Ctrl-C ends all sessions.
"""

_MAX_SESSIONS = 1000


class _Wish(NamedTuple):
    """What the command line asks for."""

    listen: str = ""
    token_file: Path | None = None
    sessions: int = 16
    executor: Path | None = None
    tls: bool = True
    insecure: bool = False
    help: bool = False


def main(words: Sequence[str]) -> int:
    """Run the command and return its exit status.

    Raises:
        OptionError, SetupError: it cannot be done as asked.
    """
    wish = parse(words)
    if wish.help:
        sys.stdout.write(HELP)
        return 0
    from farside.remote.address import is_loopback, parse_address
    from farside.remote.front import Front, load_certificate
    from farside.remote.spawn import find_executor

    host, port = parse_address(wish.listen)
    loopback = is_loopback(host)
    asks = wish.token_file is not None or not wish.insecure
    if not asks and not loopback:
        raise OptionError(f"{host} can be reached by others: without a token only on loopback")
    if not wish.tls and not loopback and not wish.insecure:
        raise OptionError(f"{host} can be reached by others: --no-tls there needs --insecure")
    program = Path(find_executor(Options(executor=wish.executor)))
    token = (_read_token(wish.token_file) if wish.token_file else _fresh_token()) if asks else ""
    context, certificate = load_certificate(_directory()) if wish.tls else (None, b"")
    listener = _listen(host, port)
    where = listener.getsockname()
    shown = f"[{where[0]}]" if ":" in where[0] else where[0]
    print(f"listening on {shown}:{where[1]}")
    if asks and wish.token_file is None:
        print(f"token: {token}")
    if context is not None:
        from farside.remote.handshake import fingerprint

        print(f"certificate: {fingerprint(certificate).hex()}")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, _end)
    try:
        Front(
            listener,
            program,
            token,
            context=context,
            certificate=certificate,
            sessions=wish.sessions,
        ).run()
    except KeyboardInterrupt:
        return 0
    return 0


def _end(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def parse(words: Sequence[str]) -> _Wish:
    """Return what the words after ``farside executor`` ask for. Raises OptionError."""
    wish = _Wish()
    with_value: dict[str, Callable[[str], dict[str, object]]] = {
        "--listen": lambda value: {"listen": value},
        "--token-file": lambda value: {"token_file": Path(value)},
        "--sessions": lambda value: {"sessions": _count(value)},
        "--executor": lambda value: {"executor": Path(value)},
    }
    flags = {"--no-tls": {"tls": False}, "--insecure": {"insecure": True}}
    flags |= {word: {"help": True} for word in ("-h", "--help")}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        changes: dict[str, object]
        if word in flags:
            changes = dict(flags[word])
        elif name in with_value:
            if not equals and not rest:
                raise OptionError(f"{name} needs a value; farside executor --help lists them")
            changes = with_value[name](value if equals else rest.pop(0))
        else:
            raise OptionError(f"farside executor has no option {word}; see farside executor --help")
        wish = wish._replace(**changes)  # type: ignore[arg-type]
    if not wish.listen and not wish.help:
        raise OptionError("farside executor needs --listen HOST:PORT")
    return wish


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= _MAX_SESSIONS):
        raise OptionError(f"--sessions takes a number from 1 to {_MAX_SESSIONS}, not {text!r}")
    return int(text)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except OSError as error:
        raise SetupError(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error


def _directory() -> Path:
    named = os.environ.get("FARSIDE_CONFIG_DIR")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("farside")


def _fresh_token() -> str:
    from farside.remote.handshake import new_token

    return new_token()


def _read_token(path: Path) -> str:
    """Return the token in a file, which is made with a new one if it is not there."""
    try:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            token = path.read_text("utf-8").strip()
            if path.stat().st_mode & 0o077:
                raise SetupError(
                    f"Others can read the token file {path}: chmod 600 {path}"
                ) from None
        else:
            token = _fresh_token()
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(token + "\n")
    except (OSError, ValueError) as error:
        raise SetupError(f"The token file {path} cannot be used: {error}.") from error
    if len(token) < 16:
        raise SetupError(f"The token in {path} is too short: at least 16 characters.")
    return token
