"""A disk of a few kilobytes that belongs to this process and those that it starts."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REC_PRIVATE = 0x4000 | (1 << 18)
_SIZE = 128 << 10

_libc = ctypes.CDLL(None, use_errno=True)


def enter_namespace() -> bool:
    """Give this process mounts of its own, as root or as the root of a user namespace.

    Returns:
        False where the kernel does not let it. The process must have one thread.
    """
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(_CLONE_NEWNS) != 0:
        if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWUSER) != 0:
            return False
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"0 {user} 1"),
            ("gid_map", f"0 {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    return bool(_libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None) == 0)


def mount(place: Path) -> bool:
    """Make a directory with a small disk behind it; tell whether it could be mounted."""
    place.mkdir()
    options = f"size={_SIZE}".encode()
    return bool(_libc.mount(b"tmpfs", os.fsencode(place), b"tmpfs", 0, options) == 0)


def unmount(place: Path) -> None:
    """Give a disk up, with what is still open there."""
    _libc.umount2(os.fsencode(place), 2)
