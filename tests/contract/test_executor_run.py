"""Commits: memory, initialisers, output, values, exceptions, exit handlers."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from farside.errors import RemoteError
from farside.orc import bootstrap, sps
from farside.remote.commit import NO_CALL, CommitRequest, WrapperCall
from tests.contract.executor_rig import PAGE, SECTIONS, Rig

PRINTF = 'extern "C" int printf(const char *, ...);\n'
STDEXCEPT = "#include <stdexcept>\n#include <string>\n"


def test_initialisers_run_once_in_order(rig: Rig) -> None:
    image = rig.run(
        PRINTF
        + """
        struct S { S(int n) { printf("%d ", n); } };
        S a(1);
        S b(2);
        __attribute__((constructor(200))) void early() { printf("0 "); }
        """
    )
    assert image.outcome is not None
    assert image.outcome.initialisers_run == 2
    assert image.outcome.nanoseconds > 0
    assert not image.outcome.exception
    assert rig.output.out == b"0 1 2 "
    again = rig.executor.commit(CommitRequest(dlupdate=rig.header))
    assert again.initialisers_run == 0
    assert rig.output.out == b"0 1 2 "


def test_initialisers_get_the_arguments_of_main(rig: Rig) -> None:
    rig.run(
        PRINTF
        + """
        __attribute__((constructor)) void f(int argc, char **argv, char **envp) {
          printf("%d %s %d", argc, argv[0], envp != nullptr);
        }"""
    )
    assert rig.output.out == b"1 farside 1"


def test_output_of_all_streams_is_there_before_the_outcome(rig: Rig) -> None:
    rig.run(
        """
        #include <cstdio>
        #include <iostream>
        int x = (std::printf("printf,"), std::cout << "cout,", std::wcout << L"wcout", 0);
        int y = (std::cerr << "cerr", 0);
        """
    )
    assert rig.output.out == b"printf,cout,wcout"
    assert rig.output.err == b"cerr"


def test_more_output_than_a_pipe_holds(rig: Rig) -> None:
    rig.run(
        PRINTF
        + 'int x = [] { for (int i = 0; i < 100000; ++i) printf("0123456789"); return 0; }();'
    )
    assert len(rig.output.out) == 1_000_000


def test_one_cell_calls_another(rig: Rig) -> None:
    first = rig.run("int counter = 41; int next() { return ++counter; }")
    second = rig.run(
        'int next(); extern "C" int twice() { next(); return next(); }',
        defined={"_Z4nextv": first.symbols["_Z4nextv"]},
    )
    assert rig.call(second.symbols["twice"]) == 43


def test_pages_are_never_writable_and_executable(rig: Rig) -> None:
    rig.run("int data = 1; int f() { return data; }")
    slab = rig.executor.slab
    seen = set()
    for line in Path(f"/proc/{rig.executor.worker_pid}/maps").read_text().splitlines():
        low, high = (int(part, 16) for part in line.split()[0].split("-"))
        if slab.base <= low and high <= slab.base + slab.size:
            seen.add(line.split()[1][:3])
    assert seen == {"---", "r--", "rw-", "r-x"}


def test_two_commits_share_a_page(rig: Rig) -> None:
    page = rig.space(PAGE)
    rig.executor.commit(CommitRequest([(5, page, PAGE)], [(page, b"\xb8\7\0\0\0\xc3")]))
    rig.executor.commit(CommitRequest([], [(page + 16, b"\xb8\x08\0\0\0\xc3")]))
    assert rig.call(page) == 7
    assert rig.call(page + 16) == 8


def test_protect_gives_fresh_zero_pages(rig: Rig) -> None:
    page = rig.space(PAGE)
    read = sps.Sequence(sps.U64)
    for _ in range(2):
        rig.executor.commit(CommitRequest([(3, page, PAGE)]))
        payload = sps.pack((read,), ([page],))
        result = rig.executor.call(bootstrap.MEM_READ_UINT64S, payload)
        assert sps.unpack((read,), result) == ([0],)
        rig.executor.commit(CommitRequest([], [(page, b"garbage!")]))


def test_large_content_and_huge_zeros(rig: Rig) -> None:
    size = 40 << 20
    start = rig.space(size)
    rig.executor.commit(CommitRequest([(1, start, size)], [(start, b"\x5a" * size)]))
    ends = sps.Sequence(sps.ADDR_RANGE)
    ranges = [(start, start + 4), (start + size - 4, start + size)]
    result = rig.executor.call(bootstrap.MEM_READ_BUFFERS, sps.pack((ends,), (ranges,)))
    assert sps.unpack((sps.Sequence(sps.BYTES),), result) == ([b"ZZZZ", b"ZZZZ"],)
    rig.executor.commit(CommitRequest([(3, rig.space(1 << 30), 1 << 30)]))


@pytest.mark.parametrize(
    ("protect", "write", "text"),
    [
        ([(7, 0, PAGE)], [], "both writable and executable"),
        ([(3, 0, PAGE - 1)], [], "whole pages"),
        ([(3, 0, 0)], [], "whole pages"),
        ([(3, -(1 << 40), PAGE)], [], "outside the slab"),
        ([(3, 0, 1 << 62)], [], "outside the slab"),
        ([], [(-(1 << 40), b"x")], "outside the slab"),
    ],
)
def test_what_a_commit_may_not_do(
    rig: Rig, protect: list[tuple[int, int, int]], write: list[tuple[int, bytes]], text: str
) -> None:
    page = rig.space(PAGE)
    request = CommitRequest(
        [(prot, page + offset, size) for prot, offset, size in protect],
        [(page + offset, content) for offset, content in write],
    )
    with pytest.raises(RemoteError, match=text):
        rig.executor.commit(request)
    assert rig.executor.commit(CommitRequest()).exception is False


def test_an_unknown_jitdylib_is_an_error(rig: Rig) -> None:
    with pytest.raises(RemoteError, match="no JITDylib"):
        rig.executor.commit(CommitRequest(dlupdate=1234))


def test_actions_of_a_failed_commit_are_undone(rig: Rig) -> None:
    def pair(name: str, header: int) -> tuple[WrapperCall, WrapperCall]:
        codecs = (sps.STRING, sps.ADDR)
        return (
            rig.action(bootstrap.REGISTER_JITDYLIB, codecs, name, header),
            rig.action(bootstrap.DEREGISTER_JITDYLIB, (sps.ADDR,), header),
        )

    with pytest.raises(RemoteError, match="duplicate"):
        rig.executor.commit(CommitRequest(actions=[pair("a", 16), pair("b", 32), pair("a", 48)]))
    key = rig.executor.commit(CommitRequest(actions=[pair("a", 16), pair("b", 32)])).key
    rig.executor.uncommit(key)
    rig.executor.commit(CommitRequest(actions=[pair("a", 16)]))
    with pytest.raises(RemoteError, match="no such commit"):
        rig.executor.uncommit(key)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [(8, 15, "whole number"), (16, 8, "whole number"), (4, 12, "whole number")],
)
def test_malformed_initialiser_sections(rig: Rig, start: int, end: int, text: str) -> None:
    sections = [(start, end)]
    action = rig.action(
        bootstrap.REGISTER_INIT_SECTIONS, (sps.ADDR, SECTIONS), rig.header, sections
    )
    with pytest.raises(RemoteError, match=text):
        rig.executor.commit(CommitRequest(actions=[(action, NO_CALL)], dlupdate=rig.header))


@pytest.mark.parametrize(
    ("thrown", "type_name", "what"),
    [
        ('std::runtime_error("boom")', "std::runtime_error", "boom"),
        ("Derived()", "Derived", "derived"),
        ("42", "int", "42"),
        ("'c'", "char", "c"),
        ("true", "bool", "true"),
        ("-7L", "long", "-7"),
        ('"text"', "char const*", "text"),
        ("(const char *)nullptr", "char const*", "(null)"),
        ("(char *)mutable_text", "char*", "changed"),
        (
            'std::string("long " + std::string(100, 0x2d))',
            "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
            "long " + "-" * 100,
        ),
        ("Plain()", "Plain", None),
        ("Angry()", "Angry", None),
        ("nullptr", "decltype(nullptr)", "nullptr"),
    ],
)
def test_uncaught_exceptions(rig: Rig, thrown: str, type_name: str, what: str | None) -> None:
    image = rig.run(
        STDEXCEPT
        + PRINTF
        + f"""
        struct Derived : std::exception {{
          const char *what() const noexcept override {{ return "derived"; }}
        }};
        struct Plain {{}};
        struct Angry : std::exception {{
          const char *what() const noexcept(true) override;
        }};
        const char *Angry::what() const noexcept {{ return nullptr; }}
        char mutable_text[] = "changed";
        __attribute__((constructor(101))) void first() {{ printf("first "); }}
        __attribute__((constructor(102))) void second() {{ printf("second "); throw {thrown}; }}
        __attribute__((constructor(103))) void third() {{ printf("third "); }}
        """
    )
    outcome = image.outcome
    assert outcome is not None
    assert outcome.exception
    assert outcome.initialisers_run == 1
    expected = "std::nullptr_t" if type_name == "decltype(nullptr)" else type_name
    assert outcome.exception_type in (type_name, expected)
    assert outcome.what == ("(null)" if thrown == "Angry()" else what)
    assert rig.output.out == b"first second "
    after = rig.executor.commit(CommitRequest(dlupdate=rig.header))
    assert after.initialisers_run == 0
    rig.run(PRINTF + 'int x = printf("next");')
    assert rig.output.out == b"first second next"


def test_exceptions_cross_cells(rig: Rig) -> None:
    thrower = rig.run(
        STDEXCEPT + 'void thrower(int n) { throw std::out_of_range("far " + std::to_string(n)); }'
    )
    image = rig.run(
        STDEXCEPT
        + PRINTF
        + """
        void thrower(int);
        struct Guard { ~Guard() { printf("unwound "); } };
        int x = [] {
          try { Guard g; thrower(7); }
          catch (const std::logic_error &e) { printf("caught %s", e.what()); }
          return 0;
        }();
        """,
        defined={"_Z7throweri": thrower.symbols["_Z7throweri"]},
    )
    assert image.outcome is not None
    assert not image.outcome.exception
    assert rig.output.out == b"unwound caught far 7"


def test_values_travel_with_the_outcome(rig: Rig) -> None:
    image = rig.run(
        """
        extern "C" void __farside_value(unsigned char kind, const void *data, unsigned long size);
        static char large[20 << 20];
        int x = (__farside_value(3, "abc", 3), __farside_value(255, nullptr, 0), 0);
        int y = (__farside_value(9, large, sizeof large), __farside_value(4, "end", 3), 0);
        """,
        room=32 << 20,
    )
    assert image.outcome is not None
    assert image.outcome.values == [(3, b"abc"), (255, b""), (4, b"end")]
    assert rig.executor.commit(CommitRequest(dlupdate=rig.header)).values == []


EXIT_HANDLERS = (
    PRINTF
    + """
    extern "C" int atexit(void (*)());
    struct S {
      int n;
      S(int n) : n(n) { printf("+%d ", n); }
      ~S() { printf("-%d ", n); }
    };
    S a(1);
    int x = atexit([] { printf("atexit "); atexit([] { printf("late "); }); });
    S b(2);
    """
)


def test_exit_handlers_run_in_reverse_at_the_end(rig: Rig) -> None:
    rig.run(EXIT_HANDLERS)
    rig.run(PRINTF + 'struct T { ~T() { printf("last-in "); } } t;')
    assert rig.output.out == b"+1 +2 "
    rig.executor.close()
    assert rig.output.out == b"+1 +2 last-in -2 atexit late -1 "


def test_exit_handlers_run_when_a_commit_is_taken_back(rig: Rig) -> None:
    rig.run(PRINTF + 'struct T { ~T() { printf("stays "); } } t;')
    image = rig.run(EXIT_HANDLERS)
    assert image.outcome is not None
    rig.executor.uncommit(image.outcome.key)
    assert rig.output.out == b"+1 +2 -2 atexit late -1 "
    pages = [(0, address, size) for _, address, size in image.request.protect]
    rig.executor.commit(CommitRequest(pages))
    rig.executor.close()
    assert rig.output.out == b"+1 +2 -2 atexit late -1 stays "


def test_exit_in_a_cell_runs_handlers_and_tells_the_status(rig: Rig) -> None:
    from farside.errors import Crashed

    rig.run(EXIT_HANDLERS)
    with pytest.raises(Crashed) as caught:
        rig.run('extern "C" void exit(int); int x = (exit(3), 0);')
    assert caught.value.report.exit_status == 3
    assert rig.output.out == b"+1 +2 -2 atexit late -1 "


def test_quick_exit_runs_its_own_handlers(rig: Rig) -> None:
    from farside.errors import Crashed

    rig.run(EXIT_HANDLERS)
    rig.run(
        '#include <unistd.h>\nextern "C" int at_quick_exit(void (*)());'
        'int x = at_quick_exit([] { write(1, "quick ", 6); });'
    )
    with pytest.raises(Crashed) as caught:
        rig.run('extern "C" void quick_exit(int); int x = (quick_exit(4), 0);')
    assert caught.value.report.exit_status == 4
    assert rig.output.out == b"+1 +2 quick "


def test_handlers_of_a_jitdylib_run_when_it_is_closed_and_again_after_reopening(rig: Rig) -> None:
    rig.run(PRINTF + 'struct T { T() { printf("+ "); } ~T() { printf("- "); } } t;')
    header = sps.pack((sps.ADDR,), (rig.header,))
    name = sps.pack((sps.STRING, sps.I32), ("main", 1))

    def call(function: str, payload: bytes, codec: sps.Codec[int]) -> int:
        return int(sps.unpack((codec,), rig.executor.call(function, payload))[0])

    assert call(bootstrap.JIT_DLOPEN, name, sps.ADDR) == rig.header
    assert call(bootstrap.JIT_DLOPEN, name, sps.ADDR) == rig.header
    assert call(bootstrap.JIT_DLCLOSE, header, sps.I32) == 0
    assert rig.output.out == b"+ "
    assert call(bootstrap.JIT_DLCLOSE, header, sps.I32) == 0
    rig.executor.commit(CommitRequest(dlupdate=rig.header))
    assert rig.output.out == b"+ - + "
    assert call(bootstrap.JIT_DLCLOSE, header, sps.I32) == -1
    (why,) = sps.unpack((sps.STRING,), rig.executor.call(bootstrap.JIT_DLERROR, b""))
    assert why == "dlclose: JITDylib main is not open"
    assert call(bootstrap.JIT_DLOPEN, sps.pack((sps.STRING, sps.I32), ("x", 1)), sps.ADDR) == 0


def test_finaliser_sections_run_after_the_handlers_of_initialisers(rig: Rig) -> None:
    image = rig.place(
        EXIT_HANDLERS + '__attribute__((destructor)) void fini() { printf("fini "); }'
    )
    request = rig.request(image)
    fini = rig.action(
        bootstrap.REGISTER_FINI_SECTIONS,
        (sps.ADDR, SECTIONS),
        rig.header,
        image.ranges(".fini_array"),
    )
    rig.executor.commit(request._replace(actions=[*request.actions, (fini, NO_CALL)]))
    rig.executor.close()
    assert rig.output.out == b"+1 +2 -2 atexit late -1 fini "


def test_run_main(rig: Rig) -> None:
    image = rig.run(
        PRINTF
        + """extern "C" int entry(int argc, char **argv) {
          for (int i = 0; i < argc; ++i) printf("[%s]", argv[i]);
          return argv[argc] == nullptr ? -argc : 1;
        }"""
    )
    assert rig.executor.run_main(image.symbols["entry"], ["prog", "", "zwei"]) == -3
    assert rig.output.out == b"[prog][][zwei]"


def test_ifuncs_are_resolved_into_read_only_slots(rig: Rig) -> None:
    image = rig.place(
        'int chosen() { return 77; } extern "C" void *pick() { return (void *)chosen; }'
    )
    slot = rig.space(PAGE)
    request = rig.request(image)
    action = rig.action(bootstrap.RESOLVE_IFUNC, (sps.ADDR, sps.ADDR), slot, image.symbols["pick"])
    code = b"\xff\x25" + struct.pack("<i", slot - (slot - PAGE + 6))  # jmp *slot
    rig.executor.commit(
        CommitRequest(
            [*request.protect, (1, slot, PAGE), (5, slot - PAGE, PAGE)],
            [*request.write, (slot - PAGE, code)],
            [*request.actions, (action, NO_CALL)],
        )
    )
    assert rig.call(slot - PAGE) == 77


def test_the_platform_asks_the_near_side_for_names(rig: Rig) -> None:
    image = rig.run('extern "C" int answer(int, char **) { return 42; }')
    asked = []

    def look_up(payload: bytes) -> bytes:
        header, name = sps.unpack((sps.ADDR, sps.STRING), payload)
        asked.append((header, name))
        assert "printf" in rig.executor.resolve(["printf"])  # calls nest
        found = image.symbols.get(name)
        value = sps.Failure(f"Symbols not found: [ {name} ]") if found is None else found
        return sps.pack((sps.Expected(sps.ADDR),), (value,))

    rig.executor.handle(bootstrap.SYMBOL_LOOKUP_TAG, look_up)
    codecs = (sps.STRING, sps.STRING, sps.Sequence(sps.STRING))
    for entry, status in (("answer", 42), ("missing", -1)):
        payload = sps.pack(codecs, ("main", entry, ["prog"]))
        result = rig.executor.call(bootstrap.RUN_PROGRAM, payload)
        assert sps.unpack((sps.I64,), result) == (status,)
    assert asked == [(rig.header, "answer"), (rig.header, "missing")]
    result = rig.executor.call(bootstrap.JIT_DLERROR, b"")
    assert sps.unpack((sps.STRING,), result) == ("Symbols not found: [ missing ]",)


def test_commits_go_on_when_no_file_can_be_opened(rig: Rig) -> None:
    rig.run(
        "#include <sys/resource.h>\n"
        "int x = [] { rlimit none{0, 0}; return setrlimit(RLIMIT_NOFILE, &none); }();"
    )
    page = rig.space(3 * PAGE)
    protect = [(5, page, PAGE), (1, page + PAGE, PAGE), (3, page + 2 * PAGE, PAGE)]
    content = b"\xb8\x07\0\0\0\xc3".ljust(3 * PAGE, b"\x90")
    rig.executor.commit(CommitRequest(protect, [(page, content)]))
    assert rig.call(page) == 7
    rig.executor.commit(CommitRequest([], [(page + 1, b"\x08")]))
    assert rig.call(page) == 8
    maps = Path(f"/proc/{rig.executor.worker_pid}/maps").read_text()
    assert "rwxp" not in maps


DISPATCHER = """
#include <cstring>
#include <cstdio>
#include <thread>
struct Result { union { char *pointer; char text[8]; }; unsigned long size; };
extern "C" Result dispatch(void *context, const void *tag, const char *data, unsigned long size);
extern "C" char tag;
unsigned long ask(const char *name) {
  char data[64];
  unsigned long header = 7, length = strlen(name);
  memcpy(data, &header, 8);
  memcpy(data + 8, &length, 8);
  memcpy(data + 16, name, length);
  Result result = dispatch(nullptr, &tag, data, 16 + length);
  unsigned long address;
  memcpy(&address, result.pointer + 1, 8);
  free(result.pointer);
  return address;
}
"""


def test_threads_of_the_program_may_call_the_near_side(rig: Rig) -> None:
    def look_up(payload: bytes) -> bytes:
        header, name = sps.unpack((sps.ADDR, sps.STRING), payload)
        assert header == 7
        assert rig.executor.resolve(["printf"])  # served by whoever waits
        return sps.pack((sps.Expected(sps.ADDR),), (int(name),))

    rig.executor.handle(bootstrap.SYMBOL_LOOKUP_TAG, look_up)
    defined = {
        "dispatch": rig.executor.address(bootstrap.DISPATCH_FN),
        "tag": rig.executor.address(bootstrap.SYMBOL_LOOKUP_TAG),
    }
    image = rig.run(
        "#include <cstdlib>\n"
        + DISPATCHER
        + """
        #include <atomic>
        int x = [] {  // the main thread runs this cell, so the threads read the replies
          std::thread one([] { std::printf("%lu ", ask("11")); });
          one.join();
          std::atomic<unsigned long> sum{0};
          std::thread more[4];
          for (auto &thread : more)
            thread = std::thread([&] { for (int i = 0; i < 50; ++i) sum += ask("2"); });
          for (int i = 0; i < 50; ++i) sum += ask("3");
          for (auto &thread : more) thread.join();
          return std::printf("%lu ", sum.load());
        }();
        std::thread later;
        std::atomic<unsigned long> answer{0};
        extern "C" int start() { later = std::thread([] { answer = ask("5"); }); return 0; }
        extern "C" int finish() { later.join(); return (int)answer; }
        """,
        defined=defined,
    )
    assert rig.output.out == b"11 550 "
    rig.call(image.symbols["start"])
    assert rig.call(image.symbols["finish"]) == 5


def test_what_was_left_to_the_main_thread_is_not_forgotten_when_that_has_its_answer(
    rig: Rig,
) -> None:
    """A thread that reads leaves calls to the main thread, which may wait for the last time."""
    conversation = rig.executor._conversation
    served: list[int] = []

    def look_up(payload: bytes) -> bytes:
        _, name = sps.unpack((sps.ADDR, sps.STRING), payload)
        if name == "1":  # the thread, which has no answer before the main thread has its own
            while not served:
                rig.executor.resolve(["printf"])
        else:  # the thread reads this call and the answer together
            call = sps.pack((sps.ADDR,), (image.symbols["serve"],))
            function = rig.executor.address(bootstrap.RUN_AS_VOID_FUNCTION)
            served.append(conversation.call(function, call, None))
        return sps.pack((sps.Expected(sps.ADDR),), (int(name),))

    rig.executor.handle(bootstrap.SYMBOL_LOOKUP_TAG, look_up)
    image = rig.run(
        "#include <cstdlib>\n"
        + DISPATCHER
        + """
        #include <atomic>
        #include <fstream>
        #include <unistd.h>
        int calls = 0;
        std::atomic<int> reader{0};
        bool sleeps(int thread) {
          std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
          std::string pid, name, state;
          stat >> pid >> name >> state;
          return state == "S";
        }
        extern "C" int serve() { return ++calls; }
        extern "C" int start() {
          std::thread other([] { reader = gettid(); ask("1"); });
          while (reader == 0 || !sleeps(reader)) std::this_thread::yield();
          ask("2");
          int seen = calls;
          other.join();
          reader = 0;
          return seen;
        }
        """,
        defined={
            "dispatch": rig.executor.address(bootstrap.DISPATCH_FN),
            "tag": rig.executor.address(bootstrap.SYMBOL_LOOKUP_TAG),
        },
    )
    for times in range(1, 31):  # the two seldom come together
        assert rig.call(image.symbols["start"]) == times
        assert sps.unpack((sps.I32,), conversation.result(served.pop())) == (times,)
