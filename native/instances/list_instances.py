"""List the functions of the executor's instances: see instances.cmake.

``list_instances.py emit CLANG IR OBJECT OPTION…`` makes code of all functions of a module that
Clang wrote without optimising it, also of those that are inlined wherever they are called.
``list_instances.py list NM LARGE SMALL IR TABLE NAMES USES TEXT`` writes the tables of names.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_INLINE = re.compile(r"^define linkonce_odr (hidden )?", re.MULTILINE)
_FUNCTION = re.compile(
    r'^define [^\n]*?@"?([\w.$]+)"?\([^\n]*\{\n(.*?)^\}$', re.MULTILINE | re.DOTALL
)
_LABEL = re.compile(r'^("[^"]+"|[\w.$-]+):')
_TARGET = re.compile(r'\blabel %("[^"]+"|[\w.$-]+)')
# Of what LLVM has itself only these are calls.
_CALL = re.compile(r"\b(call|invoke)\b(?!.*@llvm\.(?!mem))")
_SYMBOL = re.compile(r"^(_Z[NKSVt]\S*) W ([0-9a-f]+) ([0-9a-f]+)$", re.MULTILINE)


def emit(clang: str, ir: str, code: str, *options: str) -> None:
    """Compile `ir` with all functions kept; it becomes what the optimiser leaves of it."""
    path = Path(ir)
    # Hidden, or the linker would export what libstdc++ has as well.
    path.write_text(_INLINE.sub("define weak_odr hidden ", path.read_text()))
    subprocess.run([clang, *options, "-S", "-emit-llvm", ir, "-o", f"{ir}.tmp"], check=True)
    Path(f"{ir}.tmp").replace(path)
    optimised = ("-Xclang", "-disable-llvm-passes")
    subprocess.run([clang, *options, *optimised, "-c", ir, "-o", code], check=True)


class _Blocks:
    """The basic blocks of a function, by their labels."""

    def __init__(self, body: str) -> None:
        self.calls: set[str] = set()
        self.after: dict[str, list[str]] = {"": []}
        self.before: dict[str, list[str]] = {}
        here = ""
        for line in body.splitlines():
            if label := _LABEL.match(line):
                here = label[1]
                self.after.setdefault(here, [])
            if _CALL.search(line):
                self.calls.add(here)
            for target in _TARGET.findall(line):
                self.after[here].append(target)
                self.before.setdefault(target, []).append(here)

    def back_edges(self) -> list[tuple[str, str]]:
        """Return the edges that lead back to a block on the way from the entry."""
        found = []
        seen = {""}
        way = [("", iter(self.after[""]))]
        on_way = {""}
        while way:
            here, targets = way[-1]
            for target in targets:
                if target in on_way:
                    found.append((here, target))
                elif target not in seen:
                    seen.add(target)
                    on_way.add(target)
                    way.append((target, iter(self.after[target])))
                    break
            else:
                on_way.discard(here)
                way.pop()
        return found

    def loop(self, last: str, head: str) -> set[str]:
        """Return the blocks of the natural loop of a back edge."""
        found = {head}
        pending = [last]
        while pending:
            here = pending.pop()
            if here not in found:
                found.add(here)
                pending += self.before.get(here, ())
        return found


def has_tight_loop(body: str) -> bool:
    """Tell whether a function has a loop that calls nothing.

    Such code is worth being made for the processor that it runs on, and with what its caller knows.
    """
    blocks = _Blocks(body)
    return any(not blocks.loop(*edge) & blocks.calls for edge in blocks.back_edges())


def _functions(nm: str, code: str) -> dict[str, int]:
    """Return the weak functions of std in an object, and their sizes in bytes."""
    words = [nm, "--defined-only", "--format=posix", code]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    found = {name: int(size, 16) for name, _, size in _SYMBOL.findall(text)}
    return {name: size for name, size in found.items() if "__farside" not in name}


def _table(label: str, entries: list[str]) -> str:
    return (
        f"\t.globl {label}, {label}End\n\t.hidden {label}, {label}End\n"
        f"{label}:\n{''.join(entries)}{label}End:\n"
    )


def write(nm: str, large: str, small: str, ir: str, *paths: str) -> None:
    """Write the executor's table, the compiler's names, and the source file with `common_uses.h`.

    Tables hold signed 32-bit distances from their beginning, so that nothing has to be relocated
    when a program starts. An entry of the executor's is the distance of the name, that of the
    code, and the code's size; one of the compiler's is the distance of the name.
    """
    table, names, uses, text = map(Path, paths)
    kept = _functions(nm, large)  # by the optimiser, as too large to be inlined
    others = _functions(nm, small)
    bodies = dict(_FUNCTION.findall(Path(ir).read_text()))
    light = {
        name: size
        for name, size in others.items()
        if name not in kept and name in bodies and not has_tight_loop(bodies[name])
    }
    if len(kept) < 50 or len(light) < 1000:
        sys.exit(f"{large} has only {len(kept)} instances, {small} {len(light)}")
    sizes = dict(sorted({**kept, **light}.items()))  # both programs search by bisection
    labels = {name: f".Lname{number}" for number, name in enumerate(sizes)}
    start = '\t.section .rodata.farsideInstances,"a",@progbits\n\t.balign 4\n'
    end = "".join(f'{label}:\t.asciz "{name}"\n' for name, label in labels.items())
    end += '\t.section .note.GNU-stack,"",@progbits\n'
    entries = [
        f"\t.long {labels[name]} - farsideInstances, {name} - farsideInstances, {size}\n"
        for name, size in sizes.items()
    ]
    table.write_text(start + _table("farsideInstances", entries) + end)
    lists = ""
    for label, wanted in (("farsideLargeInstances", kept), ("farsideSmallInstances", light)):
        lists += _table(label, [f"\t.long {labels[n]} - {label}\n" for n in sizes if n in wanted])
    names.write_text(start + lists + end)
    text.write_text(
        "extern const char *const farsideCommonUses;\n"
        f'const char *const farsideCommonUses = R"uses({uses.read_text()})uses";\n'
    )


if __name__ == "__main__":
    {"emit": emit, "list": write}[sys.argv[1]](*sys.argv[2:])
