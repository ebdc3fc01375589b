"""A rig for tests of the compiler: cells in, and what a program made of their objects prints.

The objects are linked in order by the system's linker with a `main` that does nothing: what they do
happens in their initialisers. Values that cells show are printed as ``kind:hexadecimal``.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from farside.frontend.client import CompiledCell, Compiler, find_compiler
from farside.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parents[2]
CLANG = shutil.which("clang++-22") or "clang++-22"
NM = shutil.which("llvm-nm-22") or "llvm-nm-22"
READELF = shutil.which("llvm-readelf-22") or "llvm-readelf-22"

_MAIN = r"""
#include <cstdio>
#include <cstring>
extern "C" void __farside_value(unsigned kind, const void *data, unsigned long size) {
  std::printf("%u:", kind);
  for (unsigned long i = 0; i < size; ++i)
    std::printf("%02x", static_cast<const unsigned char *>(data)[i]);
  std::puts("");
}
// The functions of native/executor/show.h, as far as single values need them.
using Size = unsigned long;
constexpr Size limit = 10001;
extern "C" {
void __farside_show(void (*entry)(void *, void *), const void *object, unsigned, Size) {
  entry(nullptr, const_cast<void *>(object));
}
void __farside_leaf(void *, unsigned kind, const void *data, Size size) {
  __farside_value(kind, data, kind == 18 && size > limit ? limit : size);
}
void __farside_address(void *, const void *object) { __farside_value(19, &object, 8); }
void __farside_chars(void *, unsigned kind, const void *data, Size count, Size direct) {
  const char *text = direct ? (const char *)data : *(const char *const *)data;
  if (!text)
    return __farside_value(17, nullptr, 0);
  __farside_value(kind, text, strnlen(text, !direct || count > limit ? limit : count));
}
void __farside_member(void *, const void *data, const char *) { __farside_value(27, data, 8); }
void __farside_array(void *, unsigned kind, const void *data, Size size, Size count) {
  __farside_value(kind, data, size * count);
}
void __farside_integer(void *, unsigned kind, unsigned long long value, Size size) {
  __farside_value(kind, &value, size);
}
void __farside_enum(void *, unsigned kind, const void *data, Size size, const char *) {
  __farside_value(kind, data, size);
}
void __farside_open(void *, unsigned, const char *) {}
void __farside_open_dynamic(void *, const void *, const char *) {}
void __farside_open_type(void *, const char *) {}
void __farside_type_name(void *, const char *) {}
void __farside_label(void *, const char *) {}
void __farside_count(void *, Size) {}
int __farside_more(void *) { return 1; }
int __farside_enter(void *, const void *) { return 1; }
void __farside_leave(void *) {}
void __farside_close(void *) {}
}
int main() {}
"""


class Accepted(NamedTuple):
    """A cell as `Compiler.rollback` wants it."""

    cell: int
    code: str
    cookie: str


def program() -> Path:
    """Return the compiler under test: `FARSIDE_COMPILER`, the build's, or the installed one."""
    built = ROOT / "build" / "compiler" / "farside-compiler"
    return Path(find_compiler(Options(compiler=built if built.exists() else None)))


@dataclass
class Bench:
    """A session with the compiler alone: cells that are accepted stay."""

    compiler: Compiler
    directory: Path
    main: Path
    accepted: list[Accepted] = field(default_factory=list)
    objects: list[bytes] = field(default_factory=list)
    next_cell: int = 1

    def try_cell(self, code: str, **limits: Any) -> CompiledCell:
        """Compile a cell; it stays if it is accepted, and is rolled back otherwise."""
        number = self.next_cell
        self.next_cell += 1
        cell = self.compiler.compile(number, code, **limits)
        if cell.conflicts and self.compiler.restart_without_pch(self.accepted):
            cell = self.compiler.compile(number, code, **limits)
        if not cell.ok:
            self.go_back()
            return cell
        self.accepted.append(Accepted(number, code, cell.cookie))
        if cell.object is not None:
            self.objects.append(cell.object)
        return cell

    def cell(self, *codes: str) -> CompiledCell:
        """Compile cells that must be accepted; return the last."""
        for code in codes:
            result = self.try_cell(code)
            assert result.ok, "\n".join(each.render() for each in result.diagnostics)
        return result

    def error(self, code: str) -> str:
        """Compile a cell that must be rejected; return the first error's message."""
        result = self.try_cell(code)
        assert not result.ok
        return next(each.message for each in result.diagnostics if each.is_error)

    def go_back(self) -> None:
        """Bring the compiler to the accepted cells."""
        last = self.accepted[-1].cell if self.accepted else 0
        self.compiler.rollback(last, self.accepted)

    def run(self, *flags: str) -> list[str]:
        """Link all objects, run the program and return the lines it prints."""
        files = []
        for index, data in enumerate(self.objects):
            file = self.directory / f"cell{index}.o"
            file.write_bytes(data)
            files.append(str(file))
        output = self.directory / "program"
        command = [CLANG, "-o", str(output), str(self.main), *files, "-pthread", *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        ran = subprocess.run([str(output)], capture_output=True, text=True, check=True)
        return ran.stdout.splitlines()

    def last_value(self, *flags: str) -> str:
        """Run the program and return the last line."""
        return self.run(*flags)[-1]


def build_main(directory: Path) -> Path:
    """Compile the program's `main` once for all tests."""
    source, output = directory / "main.cpp", directory / "main.o"
    source.write_text(_MAIN)
    subprocess.run([CLANG, "-c", "-o", str(output), str(source)], check=True)
    return output


def benches(directory: Path, main: Path) -> Iterator[Any]:
    """Yield a function that opens benches; all are closed afterwards."""
    opened: list[Compiler] = []

    def start(pch: Path | None = None, **changes: Any) -> Bench:
        options = Options(use_pch=False, opt=0).with_(**changes)
        compiler = Compiler.spawn(options, program(), pch)
        opened.append(compiler)
        return Bench(compiler, directory, main)

    yield start
    for compiler in opened:
        compiler.close()


def symbols(data: bytes, directory: Path) -> dict[str, str]:
    """Return the symbols of an object with the letters that nm gives them."""
    file = directory / "symbols.o"
    file.write_bytes(data)
    text = subprocess.run([NM, str(file)], capture_output=True, text=True, check=True).stdout
    found = {}
    for line in text.splitlines():
        *_, letter, name = line.split()
        found[name] = letter
    return found


def readelf(data: bytes, directory: Path, *flags: str) -> str:
    """Return what llvm-readelf says of an object."""
    file = directory / "sections.o"
    file.write_bytes(data)
    command: Sequence[str] = [READELF, *flags, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
