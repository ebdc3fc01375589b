"""The cache of precompiled standard libraries.

A PCH is never needed for a right result. Everything here that fails therefore ends in "no PCH",
without a word. farside-compiler checks at each start that a PCH is whole, of its version of Clang,
and that every header that went into it is as it was and the first to be found; Clang checks the
options. The key below is only there so that a PCH that would be refused is seldom offered.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from zlib import crc32

from farside.annotations import TYPE_CHECKING, TypeAlias
from farside.errors import SetupError
from farside.options import Options

if TYPE_CHECKING:
    import subprocess

StrPath: TypeAlias = "str | os.PathLike[str]"

KEPT = 6
"""How many PCHs the cache keeps; one takes about 30 MB. Those in use of late are kept besides."""

_IN_USE = 3600.0  # seconds after its last use for which a PCH may still be in use

_FORMAT = "3"
_BUILDER = "farside-compiler: "
_NOT_BUILT = "The precompiled standard library was not built: "
_SUFFIX = ".pch"


def cache_directory() -> str | None:
    """Return the directory of the cache, made if missing; None where there can be none.

    It must belong to the user alone: a PCH that somebody else can write decides what cells mean.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    # Of an empty HOME Python would make the root directory.
    home = "" if os.environ.get("HOME") == "" else os.path.expanduser("~/.cache")
    root = base if os.path.isabs(base) else home
    if not os.path.isabs(root):  # the user has no home
        return None
    directory = os.path.join(root, "farside", "pch")
    try:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        return directory if _is_ours(os.lstat(directory), stat.S_ISDIR) else None
    except OSError:
        return None


def find_pch(options: Options, compiler: StrPath) -> str | None:
    """Return the path of a PCH that ought to fit, or None.

    Args:
        options: what the user chose.
        compiler: the path of farside-compiler.
    """
    path = _path_for(options, compiler)
    if path is None:
        return None
    try:
        usable = _is_ours(os.lstat(path), stat.S_ISREG)
        usable = usable and _is_ours(os.lstat(_names_of(path)), stat.S_ISREG)
    except OSError:
        return None
    if not usable:
        return None
    _touch(path)
    return path


def build_pch(options: Options, compiler: StrPath, *, wait: bool = False) -> str | None:
    """Have the PCH for these options built, by default in the background.

    The build is a process of its own at the lowest priority. It outlives this process if need be,
    but not for longer than a few minutes; a second one for the same PCH ends at once, and so does
    one that finds it built from the headers as they are.

    Args:
        options: what the user chose.
        compiler: the path of farside-compiler.
        wait: whether to wait for the end of the build.

    Returns:
        The path that the PCH has or will have; None where there can be none.
    """
    path = _path_for(options, compiler)
    if path is None:
        return None
    try:
        process = _start_builder(options, compiler, path)
    except OSError:
        return None
    if wait:
        return path if process.wait() == 0 else None
    # Nobody waits for it; with a return code set, Python does not warn of that either.
    process.returncode = 0
    return path


def prepare_pch(options: Options, compiler: StrPath) -> None:
    """Have the PCH for these options built, unless it is there, and wait for that.

    Raises:
        SetupError: there can be none.
    """
    path = _path_for(options, compiler)
    if path is None:
        why = "there is no directory for it that is the user's alone, and can be written to"
        raise SetupError(_NOT_BUILT + (why if options.use_pch else "the options forbid it"))
    try:
        process = _start_builder(options, compiler, path, heard=True)
    except OSError as error:
        raise SetupError(_NOT_BUILT + (error.strerror or str(error))) from error
    lines = process.communicate()[1].decode(errors="replace").splitlines()
    if process.returncode != 0:
        own = [line for line in lines if line.startswith(_BUILDER)] or lines[-1:]
        why = own[-1].removeprefix(_BUILDER) if own else f"status {process.returncode}"
        raise SetupError(_NOT_BUILT + why)


def _start_builder(
    options: Options, compiler: StrPath, path: str, *, heard: bool = False
) -> subprocess.Popen[bytes]:
    import subprocess

    _prune(os.path.dirname(path), keep=path)
    return subprocess.Popen(
        [os.fspath(compiler), f"--build-pch={path}", "--", *_args(options)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE if heard else subprocess.DEVNULL,
        start_new_session=True,
        # The root directory is not in the way of who wants to unmount one.
        cwd=os.getcwd() if _is_relative(options) else "/",
    )


def discard_pch(path: str) -> None:
    """Remove a PCH that the compiler refused, so that the next one fits."""
    for file in (path, _names_of(path), path + ".checked"):
        _remove(file)


def _path_for(options: Options, compiler: StrPath) -> str | None:
    if not options.use_pch:
        return None
    directory = cache_directory()
    if directory is None:
        return None
    parts = "\0".join(_key_parts(options, compiler)).encode("utf-8", "surrogateescape")
    # A checksum will do, since a PCH that does not fit is refused; hashlib takes 10 ms to load.
    return os.path.join(directory, f"{crc32(parts):08x}{crc32(parts[::-1]):08x}{_SUFFIX}")


def _key_parts(options: Options, compiler: StrPath) -> Iterator[str]:
    yield _FORMAT
    yield from _args(options)
    if _is_relative(options):
        yield os.getcwd()
    yield os.fspath(compiler)
    try:
        status = os.stat(compiler)
        yield f"{status.st_mtime_ns} {status.st_size} {status.st_ino}"
    except OSError:
        pass
    yield _cpu()


def _is_relative(options: Options) -> bool:
    """Tell whether the options may name a file that is another one elsewhere."""
    files = (*options.include_dirs, *options.includes)
    return bool(options.xcc) or not all(os.path.isabs(file) for file in files)


def _args(options: Options) -> tuple[str, ...]:
    """Return the options that bear on the library: `-include` files come after it."""
    return options.with_(includes=()).clang_args()


def _cpu() -> str:
    """Return what tells one kind of CPU from another; objects are made for the one at hand."""
    wanted = (b"vendor_id", b"cpu family", b"model", b"stepping", b"flags", b"CPU ", b"Features")
    try:
        with open("/proc/cpuinfo", "rb") as file:
            head = file.read(8192)
    except OSError:
        return ""
    first = head.split(b"\n\n", 1)[0]
    lines = [line for line in first.split(b"\n") if line.startswith(wanted)]
    return b"\n".join(lines).decode("ascii", "replace")


def _names_of(path: str) -> str:
    return path + ".names"


def _is_ours(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    private = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return is_kind(status.st_mode) and status.st_uid == os.getuid() and private


def _touch(path: str) -> None:
    """Mark as used; the access time does not say so on all file systems.

    Clang compares a PCH with its headers' times, not its own, so this does not matter to it.
    """
    try:
        os.utime(_names_of(path))
    except OSError:
        return


def _prune(directory: str, keep: str) -> None:
    """Remove the PCHs that have not been used for longest, and what killed builders left."""
    try:
        files = [os.path.join(directory, name) for name in os.listdir(directory)]
    except OSError:
        return
    found = [path for path in files if path.endswith(_SUFFIX) and path != keep]
    found.sort(key=lambda path: _changed(_names_of(path)), reverse=True)
    recently = time.time() - _IN_USE  # no build takes as long
    for leftover in files:
        if leftover.endswith(".tmp") and _changed(leftover) < recently:
            _remove(leftover)
    for path in found[KEPT - 1 :]:
        if _changed(_names_of(path)) > recently:
            continue
        for file in files:
            if file.startswith(f"{path}."):
                _remove(file)
        discard_pch(path)


def _changed(path: str) -> float:
    """Return when a file was last changed, 0 where there is none."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        return
