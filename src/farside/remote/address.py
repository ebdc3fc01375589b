"""Network addresses as users write them."""

from __future__ import annotations

from ipaddress import ip_address

from farside.errors import OptionError


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; an IPv6 address stands in brackets.

    Raises:
        OptionError: it is no such address.
    """
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    plain = port.isascii() and port.isdecimal() and len(port) <= 5
    if not colon or not host or not host.isprintable() or not plain or int(port) > 65535:
        raise OptionError(f"{text!r} is no address; write HOST:PORT, such as localhost:4711")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
