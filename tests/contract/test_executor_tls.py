"""Thread-local storage: dynamic images, descriptors, the static pool, destructors."""

from __future__ import annotations

import struct

import pytest

from farside.errors import Crashed, RemoteError
from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall
from farside.remote.static_tls import StaticTlsPool
from tests.contract.executor_rig import PAGE, Rig

NOTHING = sps.AddrRange(0, 0)
BOTH = (sps.ADDR_RANGE, sps.ADDR_RANGE)

DECLARATIONS = """
#include <cstdint>
#include <cstdio>
#include <thread>
struct Entry { uint64_t key, address; };
extern "C" void *get_addr(const Entry *);
extern "C" const Entry entry;
"""


class Thread:
    """A thread-local image of 100 bytes, the first three 1, 2, 3, and an entry for its second."""

    def __init__(self, rig: Rig, alignment: int = 64) -> None:
        self.rig = rig
        page = rig.space(2 * PAGE)
        start = page + alignment
        self.image = sps.AddrRange(start, start + 100)
        self.entry = page + PAGE
        self.actions = (
            rig.action(bootstrap.REGISTER_OBJECT_SECTIONS, BOTH, NOTHING, self.image),
            rig.action(bootstrap.DEREGISTER_OBJECT_SECTIONS, BOTH, NOTHING, self.image),
        )
        self.key = rig.executor.commit(
            CommitRequest(
                [(3, page, 2 * PAGE)],
                [(start, b"\1\2\3"), (self.entry, struct.pack("<QQ", start, start + 1))],
                [self.actions],
            )
        ).key
        self.names = {
            "entry": self.entry,
            "get_addr": rig.executor.address(bootstrap.TLS_GET_ADDR),
            "descriptor_function": rig.executor.address(bootstrap.TLSDESC),
        }


@pytest.mark.parametrize("alignment", [16, 64, 512, 2048])
def test_every_thread_has_an_instance(rig: Rig, alignment: int) -> None:
    tls = Thread(rig, alignment)
    rig.run(
        DECLARATIONS
        + f"""
        void show() {{
          auto *p = (unsigned char *)get_addr(&entry);
          bool zeros = true;
          for (int i = 2; i < 99; ++i) zeros &= p[i] == 0;
          bool aligned = (uintptr_t)(p - 1) % {alignment} == 0;
          std::printf("%d%d%d%d%d ", p[-1], p[0], p[1], zeros, aligned);
          ++p[0];
        }}
        int x = (show(), show(), std::thread(show).join(), show(), std::thread(show).join(), 0);
        """,
        defined=tls.names,
    )
    assert rig.output.out == b"12311 13311 12311 14311 12311 "


def test_very_many_images_and_threads(rig: Rig) -> None:
    count = 500
    page = rig.space(PAGE * 16)
    writes, actions = [], []
    for i in range(count):
        start = page + 64 * i
        writes.append((start, struct.pack("<I", i)))
        image = sps.AddrRange(start, start + 16)
        actions.append(
            (rig.action(bootstrap.REGISTER_OBJECT_SECTIONS, BOTH, NOTHING, image), NO_CALL)
        )
    rig.executor.commit(CommitRequest([(3, page, PAGE * 16)], writes, actions))
    rig.run(
        DECLARATIONS
        + f"""
        int wrong = 0;
        void check() {{
          for (int round = 0; round < 2; ++round)
            for (uint64_t i = 0; i < {count}; ++i) {{
              Entry e{{{page} + 64 * i, {page} + 64 * i}};
              auto *p = (unsigned *)get_addr(&e);
              wrong += *p != i + round;
              ++*p;
            }}
        }}
        int x = (check(), std::thread(check).join(), std::printf("%d", wrong));
        """,
        defined={"get_addr": rig.executor.address(bootstrap.TLS_GET_ADDR)},
    )
    assert rig.output.out == b"0"


def test_key_zero_is_an_offset_from_the_thread_pointer(rig: Rig) -> None:
    rig.run(
        DECLARATIONS
        + """
        Entry e{0, (uint64_t)-64};
        char *tp() { char *p; asm("mov %%fs:0, %0" : "=r"(p)); return p; }
        int x = std::printf("%d", get_addr(&e) == tp() - 64);
        """,
        defined={"get_addr": rig.executor.address(bootstrap.TLS_GET_ADDR)},
    )
    assert rig.output.out == b"1"


DESCRIPTOR = """
extern "C" void descriptor_function();
struct Descriptor { void (*function)(); const Entry *entry; };
Descriptor descriptor{descriptor_function, &entry};
// Fills every register, calls the descriptor function, and counts those that changed.
int changed;
unsigned char *value;
void access() {
  long offset;
  int bad = 0;
  alignas(64) static const unsigned char pattern[32] = "0123456789abcdef0123456789abcde";
  alignas(64) unsigned char after[32];
  asm volatile(
      "vmovdqu %[pattern], %%ymm7\\n vmovdqu %[pattern], %%ymm15\\n vmovdqu %[pattern], %%ymm0\\n"
      "mov $1, %%edi\\n mov $2, %%esi\\n mov $3, %%edx\\n mov $4, %%ecx\\n mov $5, %%r8d\\n"
      "mov $6, %%r9d\\n mov $7, %%r10d\\n mov $8, %%r11d\\n"
      "call *(%%rax)\\n"
      "dec %%edi\\n or %%edi, %[bad]\\n sub $2, %%esi\\n or %%esi, %[bad]\\n"
      "sub $3, %%edx\\n or %%edx, %[bad]\\n sub $4, %%ecx\\n or %%ecx, %[bad]\\n"
      "sub $5, %%r8d\\n or %%r8d, %[bad]\\n sub $6, %%r9d\\n or %%r9d, %[bad]\\n"
      "sub $7, %%r10d\\n or %%r10d, %[bad]\\n sub $8, %%r11d\\n or %%r11d, %[bad]\\n"
      "vpxor %%ymm7, %%ymm15, %%ymm7\\n vpxor %[pattern], %%ymm15, %%ymm15\\n"
      "vpxor %[pattern], %%ymm0, %%ymm0\\n"
      "vpor %%ymm7, %%ymm15, %%ymm15\\n vpor %%ymm0, %%ymm15, %%ymm15\\n"
      "vmovdqu %%ymm15, %[after]\\n"
      : "=a"(offset), [bad] "+b"(bad), [after] "=m"(after)
      : "0"(&descriptor), [pattern] "m"(pattern)
      : "rdi", "rsi", "rdx", "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm7", "xmm15", "cc",
        "memory");
  for (unsigned char byte : after) bad |= byte;
  char *tp;
  asm("mov %%fs:0, %0" : "=r"(tp));
  value = (unsigned char *)tp + offset;
  changed |= bad;
}
"""


def test_descriptors_preserve_every_register(rig: Rig) -> None:
    tls = Thread(rig)
    rig.run(
        DECLARATIONS
        + DESCRIPTOR
        + """
        void show() {
          for (int i = 0; i < 2; ++i) {
            access();
            std::printf("%d%d%d ", (*value)++, changed != 0, value == get_addr(&entry));
          }
        }
        int x = (show(), std::thread(show).join(), 0);
        """,
        "-mavx2",
        "-mno-red-zone",
        defined=tls.names,
    )
    assert rig.output.out == b"201 301 201 301 "


def test_an_address_that_is_used_again_has_fresh_instances(rig: Rig) -> None:
    tls = Thread(rig)
    show = DECLARATIONS + 'int x = std::printf("%d ", (*(unsigned char *)get_addr(&entry))++);'
    rig.run(show, defined=tls.names)
    rig.run(show, defined=tls.names)
    rig.executor.uncommit(tls.key)
    rig.executor.commit(CommitRequest(actions=[tls.actions]))
    rig.run(show, defined=tls.names)
    assert rig.output.out == b"2 3 2 "


def test_registration_errors(rig: Rig) -> None:
    tls = Thread(rig)
    start, end = tls.image
    for image, text in (
        (sps.AddrRange(start, end), "overlaps"),
        (sps.AddrRange(start + 96, end + 64), "overlaps"),
        (sps.AddrRange(start - 32, start + 1), "overlaps"),
        (sps.AddrRange(64, 32), "ends before"),
    ):
        action = rig.action(bootstrap.REGISTER_OBJECT_SECTIONS, BOTH, NOTHING, image)
        with pytest.raises(RemoteError, match=text):
            rig.executor.commit(CommitRequest(actions=[(action, NO_CALL)]))
    rig.executor.uncommit(tls.key)
    with pytest.raises(Crashed, match="SIGABRT"):
        rig.run(DECLARATIONS + "void *x = get_addr(&entry);", defined=tls.names)
    assert b"not registered" in rig.output.err


def test_the_static_pool_has_bounds(rig: Rig) -> None:
    pool = rig.executor.setup.static_tls
    assert pool is not None

    def init(offset: int, content: bytes) -> WrapperCall:
        codecs = (sps.I64, sps.BYTES)
        return rig.action(bootstrap.STATIC_TLS_INIT, codecs, offset, content)

    for offset, size in (
        (pool.offset - 1, 1),
        (pool.offset, pool.size + 1),
        (pool.offset + pool.size, 1),
        (0, 1),
    ):
        with pytest.raises(RemoteError, match="outside the pool"):
            rig.executor.commit(CommitRequest(actions=[(init(offset, bytes(size)), NO_CALL)]))
    rig.executor.commit(CommitRequest(actions=[(init(pool.offset, b""), NO_CALL)]))


def test_static_variables_have_their_initial_bytes_in_later_threads(rig: Rig) -> None:
    pool = rig.executor.setup.static_tls
    assert pool is not None
    image = rig.run(
        DECLARATIONS
        + f"""
        void one() {{
          char *tp;
          asm("mov %%fs:0, %0" : "=r"(tp));
          std::printf("%x ", (*(unsigned *)(tp + {pool.offset + 128}))++);
        }}
        extern "C" int show() {{
          one();
          std::thread(one).join();
          return std::fflush(stdout);
        }}
        """
    )
    rig.call(image.symbols["show"])
    codecs = (sps.I64, sps.BYTES)
    content = struct.pack("<I", 0xABC)
    init = rig.action(bootstrap.STATIC_TLS_INIT, codecs, pool.offset + 128, content)
    rig.executor.commit(CommitRequest(actions=[(init, NO_CALL)]))
    rig.call(image.symbols["show"])
    rig.call(image.symbols["show"])
    assert rig.output.out == b"0 0 abc abc abd abc "


THREAD_EXIT = """
#include <cstdio>
#include <thread>
extern "C" int __cxa_thread_atexit(void (*)(void *), void *, void *);
extern "C" char __dso_handle;
void note(const char *text) {
  __cxa_thread_atexit([](void *p) { std::printf("%s ", (const char *)p); std::fflush(stdout); },
                      (void *)text, &__dso_handle);
}
"""


def test_thread_local_destructors_run_at_the_end_of_their_thread(rig: Rig) -> None:
    rig.run(
        THREAD_EXIT
        + """
        void body() { note("first"); note("second"); }
        int x = (std::thread(body).join(), note("main"), 0);
        struct T { ~T() { std::printf("static "); } } t;
        """
    )
    assert rig.output.out == b"second first "
    rig.executor.close()
    assert rig.output.out == b"second first main static "


def test_thread_local_destructors_of_a_removed_cell(rig: Rig) -> None:
    image = rig.run(THREAD_EXIT + 'int x = (note("a"), note("b"), 0);')
    assert image.outcome is not None
    rig.executor.uncommit(image.outcome.key)
    assert rig.output.out == b"b a "
    rig.executor.commit(CommitRequest([(0, a, s) for _, a, s in image.request.protect]))
    rig.executor.close()
    assert rig.executor.death is not None
    assert rig.executor.death.exit_status == 0
    assert rig.output.out == b"b a "


def test_an_instance_outlives_the_destructors_of_its_thread(rig: Rig) -> None:
    tls = Thread(rig)
    rig.run(
        DECLARATIONS
        + """
        #include <pthread.h>
        extern "C" int __cxa_thread_atexit(void (*)(void *), void *, void *);
        extern "C" char __dso_handle;
        int value() { return (*(unsigned char *)get_addr(&entry))++; }
        pthread_key_t key;
        int x = pthread_key_create(&key, [](void *) { std::printf("key %d ", value()); });
        void body() {
          std::printf("body %d ", value());
          pthread_setspecific(key, &key);
          __cxa_thread_atexit([](void *) { std::printf("dtor %d ", value()); }, 0, &__dso_handle);
        }
        int y = (std::thread(body).join(), 0);
        """,
        defined=tls.names,
    )
    assert rig.output.out == b"body 2 dtor 3 key 4 "


def test_fixed_offsets_of_library_variables(rig: Rig) -> None:
    names = ["errno", "printf", "_ZSt15__once_callable", "no_such_variable"]
    offsets = StaticTlsPool(rig.executor).offsets(names)
    assert set(offsets) <= {"_ZSt15__once_callable", "errno"}
    assert offsets["_ZSt15__once_callable"] < 0
