"""What a program is given besides cells: libraries, objects, archives, a call of ``main``."""

from __future__ import annotations

from farside.annotations import TYPE_CHECKING
from farside.errors import OptionError

# What reads and links is imported where it is used: a session imports this module before it starts
# the compiler, and there are sessions that load nothing.

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farside.execution import ExecutionSession


def load(execution: ExecutionSession, path: str) -> str:
    """Load a shared library, link an object, or make an archive's members available.

    Returns:
        a sentence about what was done.

    Raises:
        OptionError: the file cannot be read.
        ObjectError, LinkError, RemoteError: it cannot be loaded.
        CppException: an initialiser of an object threw; the object is linked all the same.
    """
    from pathlib import Path

    from farside.accounts import read_file
    from farside.object import is_archive, parse_archive, parse_object
    from farside.platform import MAIN

    file = Path(path)
    to_link = file.suffix in (".o", ".a")
    if not to_link and (".so" in file.suffixes or not ("/" in path or file.exists())):
        execution.open_library(path)
        return f"loaded {path}"
    content = read_file(path)
    if content.startswith(b"\x7fELF\x02") and content[16:18] == b"\x03\0":
        execution.open_library(path)
        return f"loaded {path}"
    if is_archive(content) or file.suffix == ".a":
        execution.offer_members(parse_archive(content, path, file.parent), MAIN)
        return f"the members of {path} are linked when a cell needs them"
    execution.link_files([parse_object(content, path)], path, MAIN)
    return f"linked {path}"


def add_object(execution: ExecutionSession, path: str, dylib: str) -> None:
    """Link an object into a JITDylib. Its initialisers wait for `Platform.open` or `update`.

    Raises:
        OptionError: the file cannot be read.
        ObjectError, LinkError, RemoteError: it cannot be linked.
    """
    from farside.accounts import read_file
    from farside.object import parse_object

    execution.link_files([parse_object(read_file(path), path)], path, dylib, run=False)


def add_archive(
    execution: ExecutionSession, path: str, dylib: str, *, all_members: bool = False
) -> None:
    """Make an archive's members available to a JITDylib, or link them all.

    Raises:
        OptionError: the file cannot be read.
        ObjectError, LinkError, RemoteError: it is malformed, or cannot be linked.
    """
    from pathlib import Path

    from farside.accounts import read_file
    from farside.object import parse_archive

    archive = parse_archive(read_file(path), path, Path(path).parent)
    if all_members:
        execution.link_files(list(archive.objects()), path, dylib, run=False)
    else:
        execution.offer_members(archive, dylib)


def call_main(execution: ExecutionSession, args: Sequence[str]) -> int:
    """Call the ``main`` that a cell defined. Raises OptionError if there is none."""
    address = execution.address_of("main")
    if address is None:
        raise OptionError("no cell defines main")
    return execution.run_main(address, args)
