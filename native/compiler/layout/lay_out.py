"""Lay out the compiler's code in the order in which it runs, by llvm-bolt.

    python3 lay_out.py PROGRAM BRANCHES RESULT BOLT STRIP

PROGRAM is linked with ``--emit-relocs``; BRANCHES says how often each branch was taken when it was
counted (``scripts/count-branches``). A program that llvm-bolt cannot do, or that does not run
afterwards, is taken as it is: it is slower by a fifth, and no worse.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copyfile, copymode
from tempfile import TemporaryDirectory

_OPTIONS = (
    "--reorder-blocks=ext-tsp",
    "--reorder-functions=cdsort",
    "--split-functions",
    "--split-all-cold",
    "--icf=1",
    "--use-gnu-stack",
    # What was counted for another version of a function is of no use for this one.
    "--infer-stale-profile=0",
    "-v=0",
)


def laid_out(program: Path, branches: Path, bolt: str, directory: Path) -> Path:
    """Return the path of the program that llvm-bolt made.

    Raises:
        ImportError: this Python has no lzma.
        OSError: a program cannot be run.
        ValueError: the branches are in another format.
        subprocess.SubprocessError: llvm-bolt failed, or its result does not run.
    """
    from branches import unpack, write_fdata

    counted, made = directory / "branches.fdata", directory / "laid-out"
    with counted.open("w") as file:
        file.writelines(write_fdata(unpack(branches)))
    subprocess.run(
        [bolt, str(program), "-o", str(made), f"--data={counted}", *_OPTIONS],
        check=True,
        capture_output=True,
        text=True,
    )
    # Without arguments it says how it is used: all that is set up before `main` has run.
    ran = subprocess.run([made], capture_output=True, text=True, check=False, timeout=60)
    if ran.returncode != 2 or "usage:" not in ran.stderr:
        raise subprocess.SubprocessError(f"its result ends with {ran.returncode}")
    return made


def main() -> None:
    """Make RESULT."""
    program, branches, result = map(Path, sys.argv[1:4])
    bolt, strip = sys.argv[4:6]
    with TemporaryDirectory(dir=result.parent) as directory:
        source = program
        try:
            source = laid_out(program, branches, bolt, Path(directory))
        except subprocess.CalledProcessError as error:
            words = (error.stderr.strip().splitlines() or [str(error)])[-1]
            print(f"The compiler's code stays as it is laid out: {words}")
        except (ImportError, OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"The compiler's code stays as it is laid out: {error}")
        stripped = Path(directory) / "stripped"
        copyfile(source, stripped)
        copymode(program, stripped)
        subprocess.run([strip, "--strip-all", str(stripped)], check=True)
        stripped.replace(result)


if __name__ == "__main__":
    main()
