"""``farside run``: link objects and archives, and run their ``main`` out of process.

No compiler takes part. All files are one link, so initialisers run in the order of their priorities
over all of them, as in a program that a static linker made; then ``main``, then exit handlers and
finalisers, and the exit status is the program's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from farside.annotations import TYPE_CHECKING
from farside.errors import Crashed, FarsideError, LinkError, OptionError
from farside.execution import ExecutionSession
from farside.loading import load
from farside.object import Archive, ObjectFile, is_archive, parse_archive, parse_object
from farside.options import Options
from farside.records import NamedTuple
from farside.ui.terminal import Terminal
from farside.verdict import exception_of

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence

    from farside.remote.death import DeathReport

_FAILED, _MISUSED, _ABORTED, _INTERRUPTED = 1, 2, 134, 130
_SIGNALLED = 128
_SYSTEM_DIRECTORIES = ("/usr/local/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib")
_ELF = b"\x7fELF"


class _Program(NamedTuple):
    """What the command line names, read.

    Attributes:
        objects, archives: to be linked, in order.
        libraries: shared ones, to be loaded first.
        arguments: the program's ``argv``.
    """

    objects: list[ObjectFile]
    archives: list[Archive]
    libraries: list[str]
    arguments: list[str]


def main(argv: Sequence[str]) -> int:
    """Run ``farside run`` with the arguments after the subcommand's name.

    Returns:
        the program's exit status, 128 + N if signal N ended it, 130 after Ctrl-C; 1 if the files
        cannot be linked, 2 for arguments that make no sense.
    """
    words = list(argv)
    cut = words.index("--") if "--" in words else len(words)
    try:
        options = _parser().parse_args(words[:cut])
    except SystemExit as end:
        return _MISUSED if end.code else 0
    try:
        program = _read(options.file, options.library, options.library_path, words[cut + 1 :])
    except OptionError as error:
        return _complain(error, _MISUSED)
    except FarsideError as error:
        return _complain(error, _FAILED)
    try:
        return _run(program)
    except FarsideError as error:
        return _complain(error, _FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _parser() -> ArgumentParser:
    from argparse import ArgumentParser

    parser = ArgumentParser(
        prog="farside run",
        usage="farside run [--library-path DIR]... [-l LIB]... FILE... [-- ARGS...]",
        description="Link objects and archives and run their main out of process.",
        allow_abbrev=False,
    )
    parser.add_argument("file", nargs="+", help="object, static archive or shared library")
    parser.add_argument(
        "--library-path", "-L", metavar="DIR", action="append", default=[], help="where -l looks"
    )
    parser.add_argument(
        "--library", "-l", metavar="LIB", action="append", default=[], help="libLIB.so or libLIB.a"
    )
    return parser


def _read(
    files: Sequence[str], names: Sequence[str], directories: Sequence[str], rest: Sequence[str]
) -> _Program:
    program = _Program([], [], [], [files[0], *rest])
    for path in [*files, *[_find_library(name, directories) for name in names]]:
        if Path(path).name == path and not Path(path).exists() and ".so" in path:
            program.libraries.append(path)  # for the far side's loader to find
            continue
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise OptionError(f"{path}: {error.strerror}") from error
        if is_archive(content):
            program.archives.append(parse_archive(content, path, Path(path).parent))
        elif _is_shared(content):
            program.libraries.append(str(Path(path).resolve()))
        else:
            program.objects.append(parse_object(content, path))
    _find_main(program)
    return program


def _is_shared(content: bytes) -> bool:
    return content.startswith(_ELF) and content[16:18] == b"\3\0"  # e_type ET_DYN


def _find_library(name: str, directories: Sequence[str]) -> str:
    """Return the file of ``-l NAME``: shared before static, in each directory.

    Raises:
        OptionError: there is none.
    """
    for directory in (*directories, *_SYSTEM_DIRECTORIES):
        for suffix in (".so", ".a"):
            path = Path(directory, f"lib{name}{suffix}")
            if not path.is_file():
                continue
            with path.open("rb") as file:
                magic = file.read(20)
            # What is no ELF file is a script for a static linker, which names the real one.
            if is_archive(magic) or _is_shared(magic):
                return str(path)
        versions = sorted(Path(directory).glob(f"lib{name}.so.*"))
        if versions:
            return str(versions[-1])
    raise OptionError(f"there is no library {name} in {', '.join(directories) or 'the system'}")


def _find_main(program: _Program) -> None:
    """Take the archive member that defines ``main``, if no object does."""
    defined = {
        symbol.name
        for each in program.objects
        for symbol in each.symbols
        if symbol.section and symbol.binding
    }
    if "main" in defined:
        return
    for archive in program.archives:
        header = archive.symbols().get("main")
        if header is not None:
            program.objects.append(archive.load(header))
            return
    raise LinkError("none of the files defines main")


def _run(program: _Program) -> int:
    terminal = Terminal.of_streams()
    execution = ExecutionSession(Options(autoload="off"), None)
    try:
        for library in program.libraries:
            load(execution, library)
        name = program.arguments[0]
        outcome = execution.commit(execution.link(program.objects, name, program.archives))
        if outcome.exception:
            print(f"farside run: {exception_of('an initialiser', outcome)}", file=sys.stderr)
            return _ABORTED
        address = execution.address_of("main")
        assert address is not None
        return _status(execution.exit(execution.run_main(address, program.arguments)))
    except Crashed as error:
        if error.report.exit_status is None:
            print(f"farside run: {_explained(error, execution)}", file=sys.stderr)
        return _status(error.report)
    finally:
        execution.kill()
        if terminal is not None:
            terminal.give_back()


def _explained(error: Crashed, execution: ExecutionSession) -> str:
    """Return what the program died of, with its call stack."""
    from farside.autopsy import Evidence, explain

    try:
        evidence = Evidence(execution.places(), {}, {}, execution.slab, tuple)
    except FarsideError:  # it died before it had said anything of itself
        return str(error)
    return f"the program died: {explain(error.report, None, evidence).text}"


def _status(report: DeathReport) -> int:
    if report.exit_status is not None:
        return report.exit_status
    return _SIGNALLED + report.status


def _complain(error: FarsideError, status: int) -> int:
    print(f"farside run: {error}", file=sys.stderr)
    return status
