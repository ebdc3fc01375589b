"""Unwind information: registration, look-up under load, malformed sections."""

from __future__ import annotations

import struct

import pytest

from farside.errors import RemoteError
from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall
from tests.contract.executor_rig import PAGE, Rig

BOTH = (sps.ADDR_RANGE, sps.ADDR_RANGE)
NOTHING = sps.AddrRange(0, 0)

# zR, code alignment 1, data alignment -8, return address in column 16, pcrel sdata4; CFA = rsp + 8.
CIE_BODY = b"\0\0\0\0\1zR\0\1\x78\x10\1\x1b\x0c\7\x08\x90\1"
CIE = struct.pack("<I", len(CIE_BODY)) + CIE_BODY


def fde(section: int, offset: int, code: int, size: int) -> bytes:
    """Return an entry at `offset` of a section whose common entry lies at its start."""
    body = struct.pack("<I", offset + 4) + struct.pack("<i", code - (section + offset + 8))
    body += struct.pack("<I", size) + b"\0\0\0\0"
    return struct.pack("<I", len(body)) + body


def frames(section: int, codes: list[tuple[int, int]]) -> bytes:
    """Return an .eh_frame section that describes (address, size) pieces of code."""
    content = CIE
    for code, size in codes:
        content += fde(section, len(content), code, size)
    return content + b"\0\0\0\0"


def pair(rig: Rig, section: sps.AddrRange) -> tuple[WrapperCall, WrapperCall]:
    return (
        rig.action(bootstrap.REGISTER_OBJECT_SECTIONS, BOTH, section, NOTHING),
        rig.action(bootstrap.DEREGISTER_OBJECT_SECTIONS, BOTH, section, NOTHING),
    )


def _commit_at(
    rig: Rig, place: int, content: bytes, actions: list[tuple[WrapperCall, WrapperCall]]
) -> int:
    size = (len(content) + PAGE - 1) & -PAGE
    return rig.executor.commit(CommitRequest([(1, place, size)], [(place, content)], actions)).key


THROWER = """
#include <stdexcept>
extern "C" int printf(const char *, ...);
__attribute__((noinline)) void deep(int n) {
  struct Guard { int *n; ~Guard() { ++*n; } };
  static int unwound;
  Guard guard{&unwound};
  if (n == 0) throw std::runtime_error("deep");
  deep(n - 1);
  asm volatile("");
}
extern "C" int throws(void) {
  int caught = 0;
  for (int i = 0; i < 100; ++i)
    try { deep(20); } catch (const std::runtime_error &) { ++caught; }
  return caught;
}
"""


def test_throws_among_very_many_registrations(rig: Rig) -> None:
    image = rig.run(THROWER)
    assert rig.call(image.symbols["throws"]) == 100
    code = rig.space(10_000 * 16)
    keys = []
    for batch in range(10):
        size = 1000 * 64
        place = rig.space(size)
        content, actions = bytearray(size), []
        for i in range(1000):
            at = place + 64 * i
            part = frames(at, [(code + 16 * (1000 * batch + i), 16)])
            content[64 * i : 64 * i + len(part)] = part
            actions.append(pair(rig, sps.AddrRange(at, at + len(part))))
        keys.append(_commit_at(rig, place, bytes(content), actions))
    assert rig.call(image.symbols["throws"]) == 100
    for key in keys[::2]:
        rig.executor.uncommit(key)
    assert rig.call(image.symbols["throws"]) == 100


def test_threads_throw_while_cells_come_and_go(rig: Rig) -> None:
    image = rig.run(
        THROWER
        + """
        #include <atomic>
        #include <thread>
        static std::atomic<bool> stop;
        static std::atomic<int> bad, rounds;
        static std::thread threads[3];
        extern "C" int start(void) {
          for (auto &thread : threads)
            thread = std::thread([] { while (!stop) { bad += throws() != 100; ++rounds; } });
          return 0;
        }
        extern "C" int finish(void) {
          while (rounds < 3) std::this_thread::yield();
          stop = true;
          for (auto &thread : threads) thread.join();
          return bad;
        }
        """
    )
    rig.call(image.symbols["start"])
    place = rig.space(1 << 20)
    rig.executor.commit(CommitRequest([(1, place, 1 << 20)]))
    code = rig.space(1 << 20)
    for number in range(300):
        at = place + number * 256
        content = frames(at, [(code + number * 64 + 16 * i, 16) for i in range(4)])
        actions = [pair(rig, sps.AddrRange(at, at + len(content)))]
        key = rig.executor.commit(CommitRequest([], [(at, content)], actions)).key
        if number % 2:
            rig.executor.uncommit(key)
    assert rig.call(image.symbols["finish"]) == 0


def test_code_that_was_taken_back_can_be_described_again(rig: Rig) -> None:
    place = rig.space(PAGE)
    content = frames(place, [(place, 8), (place + 8, 8)])
    action = pair(rig, sps.AddrRange(place, place + len(content)))
    key = _commit_at(rig, place, content, [action])
    with pytest.raises(RemoteError, match="registered already"):
        rig.executor.commit(CommitRequest(actions=[action]))
    rig.executor.uncommit(key)
    key = rig.executor.commit(CommitRequest(actions=[action])).key
    rig.executor.uncommit(key)


def test_a_clash_in_the_middle_registers_nothing(rig: Rig) -> None:
    place = rig.space(PAGE)
    first = frames(place, [(place + 64, 8)])
    second_at = place + 512
    second = frames(second_at, [(place + 48, 8), (place + 64, 8), (place + 80, 8)])
    rig.executor.commit(CommitRequest([(1, place, PAGE)], [(place, first), (second_at, second)]))
    one = pair(rig, sps.AddrRange(place, place + len(first)))
    two = pair(rig, sps.AddrRange(second_at, second_at + len(second)))
    key = rig.executor.commit(CommitRequest(actions=[one])).key
    with pytest.raises(RemoteError, match="for this code is registered already"):
        rig.executor.commit(CommitRequest(actions=[two]))
    rig.executor.uncommit(key)
    rig.executor.commit(CommitRequest(actions=[two]))


def malformed() -> dict[str, bytes]:
    good = frames(0, [(64, 8)])
    return {
        "length beyond the end": struct.pack("<I", 4096) + good[4:],
        "64-bit length": b"\xff\xff\xff\xff" + good[4:],
        "version 2": good[:8] + b"\2" + good[9:],
        "augmentation without end": struct.pack("<I", 8)
        + b"\0\0\0\0\1zRR"
        + struct.pack("<IIiI", 12, 16, 0, 8),
        "unknown augmentation": good.replace(b"zR\0", b"zQ\0"),
        "no z": good.replace(b"zR\0", b"eh\0"),
        "unknown encoding": good.replace(b"\x10\1\x1b", b"\x10\1\x1f"),
        "data-relative": good.replace(b"\x10\1\x1b", b"\x10\1\x3b"),
        "indirect": good.replace(b"\x10\1\x1b", b"\x10\1\x9b"),
        "omitted": good.replace(b"\x10\1\x1b", b"\x10\1\xff"),
        "common entry before the section": CIE + struct.pack("<IIiII", 16, 4096, 0, 8, 0),
        "common entry behind the section": CIE + struct.pack("<IIiII", 16, 2**32 - 64, 0, 8, 0),
        "common entry that is none": CIE + struct.pack("<IIiII", 16, 2, 0, 8, 0),
        "entry too short": CIE + struct.pack("<II", 4, len(CIE) + 4),
        "id missing": CIE + struct.pack("<IH", 2, 0),
    }


@pytest.mark.parametrize("name", malformed())
def test_a_malformed_section_is_refused(rig: Rig, name: str) -> None:
    content = malformed()[name]
    # At the very end of accessible memory: a read beyond the section would be a crash.
    page = rig.space(2 * PAGE)
    at = page + PAGE - len(content)
    rig.executor.commit(CommitRequest([(1, page, PAGE)], [(at, content)]))
    with pytest.raises(RemoteError, match=r"malformed \.eh_frame"):
        rig.executor.commit(
            CommitRequest(actions=[pair(rig, sps.AddrRange(at, at + len(content)))])
        )


def test_a_section_may_end_without_a_terminator_and_describe_nothing(rig: Rig) -> None:
    page = rig.space(2 * PAGE)
    content = frames(0, [])[:-4] + fde(0, len(CIE), 0, 0)
    at = page + PAGE - len(content)
    rig.executor.commit(CommitRequest([(1, page, PAGE)], [(at, content)]))
    rig.executor.commit(
        CommitRequest(actions=[(pair(rig, sps.AddrRange(at, at + len(content)))[0], NO_CALL)])
    )


def test_a_section_that_ends_before_it_starts(rig: Rig) -> None:
    with pytest.raises(RemoteError, match="ends before"):
        rig.executor.commit(CommitRequest(actions=[pair(rig, sps.AddrRange(64, 32))]))
