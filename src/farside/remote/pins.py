"""The certificates of executors that were connected to before, as ssh keeps its known hosts."""

from __future__ import annotations

import os
from pathlib import Path

from farside.errors import FarSideLost, SetupError

_ENVIRONMENT = "FARSIDE_KNOWN_EXECUTORS"


def pins_path() -> Path:
    """Return the file: one line for each executor, ``HOST:PORT SHA256-in-hexadecimal``."""
    named = os.environ.get(_ENVIRONMENT)
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("farside") / "known_executors"


def pinned(address: str) -> str | None:
    """Return the fingerprint that is known for an address, None on first use."""
    try:
        lines = pins_path().read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SetupError(f"{pins_path()} cannot be read: {error.strerror}.") from error
    for line in lines:
        name, _, known = line.partition(" ")
        if name == address:
            return known.strip()
    return None


def check_pin(address: str, shown: bytes) -> bool:
    """Compare a certificate's fingerprint with the one that is known.

    Returns:
        whether it is known; False on first use.

    Raises:
        FarSideLost: it is another.
    """
    known = pinned(address)
    if known is None:
        return False
    if known != shown.hex():
        raise FarSideLost(
            f"The executor at {address} shows another certificate than before (SHA-256"
            f" {shown.hex()}): somebody may be in between. If it was set up anew, remove its line"
            f" from {pins_path()}."
        )
    return True


def add_pin(address: str, shown: bytes) -> None:
    """Note the certificate of an executor. Raises SetupError if the file cannot be written."""
    path = pins_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{address} {shown.hex()}\n")
    except OSError as error:
        raise SetupError(f"{path} cannot be written: {error.strerror}.") from error
