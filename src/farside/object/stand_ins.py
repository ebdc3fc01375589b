"""An object that stands in for functions which are declared and not defined yet."""

from __future__ import annotations

from bisect import bisect_right
from struct import Struct

from farside.annotations import TYPE_CHECKING, Final
from farside.object.elf import (
    RELA,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHT_INIT_ARRAY,
    SHT_PROGBITS,
    STB_GLOBAL,
    STT_FUNC,
    STT_SECTION,
    STV_HIDDEN,
    UNDEFINED,
    ObjectFile,
    ObjectSection,
    ObjectSymbol,
    Strings,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

STAND_INS: Final = "functions without a definition"

_FUNCTION: Final = b"\x0f\x0b".ljust(16, b"\xcc")  # ud2; a jump to the definition has room
_TEXT, _EH_FRAME = 1, 2
_R_X86_64_PC32: Final = 2
_R_X86_64_PLT32: Final = 4
# LSB, "Exception Frames": version 1, augmentation "zR", factors 1 and -8, return address in 16,
# addresses relative and of 4 bytes; the frame begins at rsp + 8, the return address lies before it.
_CIE: Final = bytes.fromhex("14000000 00000000 01 7a5200 01 78 10 01 1b 0c0708 9001 0000")
_FDE = Struct("<IIiIB3x")


def stand_in(names: Sequence[str]) -> ObjectFile:
    """Return an object that defines functions which trap, hidden from other links.

    Args:
        names: mangled.
    """
    code = _FUNCTION * len(names)
    frames = _CIE + _FDE.pack(_FDE.size - 4, len(_CIE) + 4, 0, len(code), 0)
    relocation = RELA.pack(len(_CIE) + 8, _R_X86_64_PC32, 1, 0)
    at = len(code), len(code) + len(frames)
    return ObjectFile(
        STAND_INS,
        memoryview(code + frames + relocation),
        sections={
            _TEXT: ObjectSection(
                _TEXT, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 0, len(code), 16, 0, 0
            ),
            _EH_FRAME: ObjectSection(
                _EH_FRAME, ".eh_frame", SHT_PROGBITS, SHF_ALLOC, at[0], len(frames), 8, 0, 0
            ),
        },
        symbols=[
            ObjectSymbol("", 0, 0, 0, 0, 0, 0),
            ObjectSymbol("", 0, 0, _TEXT, 0, STT_SECTION, 0),
            *(
                ObjectSymbol(
                    name, index * 16, len(_FUNCTION), _TEXT, STB_GLOBAL, STT_FUNC, STV_HIDDEN
                )
                for index, name in enumerate(names)
            ),
        ],
        groups=(),
        relocations={_EH_FRAME: [(at[1], RELA.size)]},
        headers=(0, 0),
        names=Strings(STAND_INS, b"", 0, 0),
    )


def run_at_once(file: ObjectFile, names: Collection[str]) -> bool:
    """Tell whether what an object's initialisers lead to, within it, refers to one of these."""
    starts: dict[int, list[int]] = {index: [0] for index in file.sections}
    for symbol in file.symbols:
        if symbol.section in starts and symbol.type != STT_SECTION:
            starts[symbol.section].append(symbol.value)
    for each in starts.values():
        each.sort()

    def part(section: int, offset: int) -> tuple[int, int]:
        """Return the part of a section that a place is in, a function for example."""
        return section, max(bisect_right(starts[section], offset) - 1, 0)

    referred: dict[tuple[int, int], list[tuple[ObjectSymbol, int]]] = {}
    for index in file.sections:
        for offset, kind, number, addend in file.relocations(index):
            # From the place itself it is four bytes to where the processor counts from.
            after = addend + (4 if kind in (_R_X86_64_PC32, _R_X86_64_PLT32) else 0)
            referred.setdefault(part(index, offset), []).append((file.symbols[number], after))
    kinds = {index: section.type for index, section in file.sections.items()}
    ahead = [place for place in referred if kinds[place[0]] == SHT_INIT_ARRAY]
    reached = set(ahead)
    while ahead:
        for symbol, after in referred.get(ahead.pop(), []):
            if symbol.section == UNDEFINED and symbol.name in names:
                return True
            if symbol.section in starts:
                place = part(symbol.section, symbol.value + after)
                if place not in reached:
                    reached.add(place)
                    ahead.append(place)
    return False
