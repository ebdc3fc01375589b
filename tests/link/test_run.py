"""Objects of both compilers, linked into a process and run there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.link.machine import compile_source, run_child

PROGRAM = """
#include <map>
#include <stdexcept>
#include <string>
#include <vector>
struct Base { virtual ~Base() {} virtual int f() = 0; };
struct Twice : Base { int v; Twice(int v) : v(v) {} int f() override { return v * 2; } };
static Base *make(int n) { return new Twice(n); }
int table[3] = {1, 2, 3};
static int hidden = 5;
int big[1000000];
extern "C" int thrower(int x) {
  if (x > 3) throw std::runtime_error("too big " + std::to_string(x));
  return x;
}
extern "C" int run(int x) {
  try {
    thrower(x);
  } catch (std::exception &e) {
    return std::string(e.what()).size();
  }
  std::map<int, std::string> m;
  for (int i = 0; i < 10; i++) m[i] = std::string(i, 'x');
  Base *b = make(x);
  int r = b->f();
  delete b;
  std::vector<int> v(table, table + 3);
  for (int q : v) r += q;
  big[99999] = 7;
  switch (x) {
    case 0: r += 10; break;
    case 1: r += 20; break;
    case 2: r += 30; break;
    case 3: r += 50;
  }
  return r + hidden + m[5].size() + big[99999];
}
struct Initialised { int v; Initialised() { v = 42; } } init;
extern "C" int initialised() { return init.v; }
"""

CODE_MODELS = [
    (),
    ("-O2",),
    ("-fPIC",),
    ("-fPIC", "-O2"),
    ("-fPIC", "-O2", "-fno-plt"),
    ("-fPIC", "-ffunction-sections", "-fdata-sections"),
    ("-mcmodel=large",),
    ("-mcmodel=large", "-fPIC", "-O1"),
    ("-mcmodel=medium", "-fPIC"),
    ("-fPIC", "-g", "-gz"),
]


@pytest.mark.parametrize("compiler", ["clang++-22", "g++"])
@pytest.mark.parametrize("flags", CODE_MODELS, ids=" ".join)
def test_code_models(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    obj = compile_source(tmp_path, PROGRAM, *flags, compiler=compiler)
    script = """
        m = Machine()
        m.add(args[0])
        print(m.call("run", 2), m.call("run", 9), m.call("initialised"))
    """
    assert run_child(script, obj) == "57 9 42\n"


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
def test_position_dependent_code_below_4_gib(tmp_path: Path, compiler: str) -> None:
    source = """
        int puts(const char *);
        static const char *names[] = {"a", "bc"};
        int value = 3, zeros[10];
        static int helper(int v) { return v + names[1][1]; }
        int (*volatile pointer)(int) = helper;
        int run(int i) { zeros[i] = value; puts("called"); return pointer(zeros[i]) + *names[i]; }
    """
    obj = compile_source(tmp_path, source, "-fno-pic", "-O1", compiler=compiler, suffix=".c")
    script = """
        m = Machine(0x20000000)
        m.add(args[0])
        assert m.call("run", 1) == 3 + ord("c") + ord("b")
    """
    run_child(script, obj)


ACCESS = {
    "general": ("-fPIC",),
    "no-plt": ("-fPIC", "-fno-plt"),
    "large": ("-fPIC", "-mcmodel=large"),
    "local": ("-fPIC", "-ftls-model=local-dynamic"),
}


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize("flags", ACCESS.values(), ids=ACCESS)
def test_dynamic_thread_storage(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    source = """
        __thread int first = 3;
        static __thread long second = 4;
        __thread char zeros[100] __attribute__((aligned(64)));
        int run(int add) {
          first += add; second += 2 * add; zeros[99]++;
          return first * 1000 + second * 10 + zeros[99];
        }
    """
    obj = compile_source(tmp_path, source, "-O1", *flags, compiler=compiler, suffix=".c")
    user = compile_source(
        tmp_path,
        "extern __thread int first; int peek() { return first; }",
        "-fPIC",
        "-O1",
        compiler=compiler,
        suffix=".c",
    )
    script = """
        m = Machine()
        m.symbols["__tls_get_addr"] = m.get_addr
        m.add(args[0])
        print(m.call("run", 1), m.call("run", 1))
        m.add(args[1])
        print(m.call("peek"))
    """
    assert run_child(script, obj, user) == "4061 5082\n5\n"


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
def test_thread_storage_descriptors(tmp_path: Path, compiler: str) -> None:
    """The descriptor function gets its descriptor in rax, and only rax may change."""
    function = """
        .text
        .globl descriptor_function
        descriptor_function:
            push %rdi
            push %rsi
            push %rcx
            push %rdx
            push %r8
            push %r9
            push %r10
            push %r11
            sub $8, %rsp
            mov 8(%rax), %rdi
            call *get_addr(%rip)
            sub %fs:0, %rax
            add $8, %rsp
            pop %r11
            pop %r10
            pop %r9
            pop %r8
            pop %rdx
            pop %rcx
            pop %rsi
            pop %rdi
            ret
        .data
        .globl get_addr
        get_addr: .quad __tls_get_addr
    """
    source = """
        __thread int v = 3;
        static __thread int w = 30;
        int run(int a, int b) { v += a; w += b; return v + w; }
    """
    helper = compile_source(tmp_path, function, suffix=".s")
    flags = ("-fPIC", "-O1", "-mtls-dialect=gnu2")
    obj = compile_source(tmp_path, source, *flags, compiler=compiler, suffix=".c")
    script = """
        m = Machine()
        m.symbols["__tls_get_addr"] = m.get_addr
        m.add(args[0])
        m.descriptor = m.definitions["descriptor_function"].address
        m.add(args[1])
        print(m.call("run", 1, 10), m.call("run", 1, 10))
    """
    assert run_child(script, helper, obj) == "44 55\n"


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize(
    "flags",
    [
        ("-fno-pic", "-mcmodel=large"),
        ("-fPIE",),
        ("-fPIC", "-ftls-model=initial-exec"),
        ("-fPIC", "-mtls-dialect=gnu2", "-DMIXED"),
    ],
    ids=" ".join,
)
def test_static_thread_storage(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    """A piece of the child's own static storage serves as the pool."""
    pool = """
        __thread char pool[256] __attribute__((aligned(64)));
        long pool_offset(void) { char *p; __asm__("mov %%fs:0, %0" : "=r"(p)); return pool - p; }
        void *pool_start(void) { return pool; }
    """
    source = """
        __thread int v = 3;
        #ifdef MIXED
        __attribute__((tls_model("initial-exec")))
        #endif
        static __thread int w = 30;
        __thread int zero;
        int run(int a, int b) { v += a; w += b; zero++; return v + w + 100 * zero; }
    """
    library = tmp_path / "libpool.so"
    (tmp_path / "pool.c").write_text(pool)
    command = ["gcc", "-shared", "-fPIC", "-ftls-model=initial-exec", "-o", str(library)]
    subprocess.run([*command, str(tmp_path / "pool.c")], check=True)
    obj = compile_source(tmp_path, source, "-O1", *flags, compiler=compiler, suffix=".c")
    script = """
        m = Machine()
        library = ctypes.CDLL(args[1])
        library.pool_offset.restype = ctypes.c_long
        library.pool_start.restype = ctypes.c_void_p
        m.static_pool = library.pool_offset()
        image = m.add(args[0])
        static = image.static_tls
        assert static is not None and image.thread_data is None
        ctypes.memmove(library.pool_start(), static.content, len(static.content))
        print(m.call("run", 1, 10), m.call("run", 1, 10))
    """
    assert run_child(script, obj, library) == "144 255\n"


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize("flags", [("-fPIC",), ("-fPIC", "-fno-plt"), ("-fPIE",)], ids=" ".join)
def test_ifuncs(tmp_path: Path, compiler: str, flags: tuple[str, ...]) -> None:
    source = """
        static int slow(int v) { return v + 1; }
        static int fast(int v) { return v + 1000; }
        static int choose = 1;
        static int (*resolve(void))(int) { return choose ? fast : slow; }
        int chosen(int v) __attribute__((ifunc("resolve")));
        int (*pointer)(int) = chosen;
        int run(int v) { int (*volatile p)(int) = chosen; return chosen(v) + p(v) + pointer(v); }
    """
    later = "int chosen(int); int later(int v) { return chosen(v); }"
    obj = compile_source(tmp_path, source, "-O1", *flags, compiler=compiler, suffix=".c")
    user = compile_source(tmp_path, later, "-O1", *flags, compiler=compiler, suffix=".c")
    script = """
        m = Machine()
        m.add(args[0])
        m.add(args[1])
        print(m.call("run", 1), m.call("later", 5))
    """
    assert run_child(script, obj, user) == "3003 1005\n"


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize("flags", [("-fPIC",), ("-fPIC", "-fno-plt"), ("-mcmodel=large",)])
def test_redefinition_reaches_earlier_callers(
    tmp_path: Path, compiler: str, flags: tuple[str, ...]
) -> None:
    sources = (
        "int f(void) { return 1; }",
        "int f(void); int caller(void) { return f() + 10; } int tail(void) { return f(); }",
        "int f(void) { return 2; }",
        "int f(void); int newer(void) { return f() + 20; }",
    )
    objects = [
        compile_source(tmp_path, source, "-O1", *flags, compiler=compiler, suffix=".c")
        for source in sources
    ]
    script = """
        m = Machine(redefinable=True)
        m.add(args[0]), m.add(args[1])
        print(m.call("caller"), m.call("tail"))
        assert m.add(args[2]).redefined == ("f",)
        m.add(args[3])
        print(m.call("caller"), m.call("tail"), m.call("newer"))
    """
    assert run_child(script, *objects) == "11 1\n12 2 22\n"


def test_shared_entries_are_made_once(tmp_path: Path) -> None:
    text = "int puts(const char *); int f{0}(void) {{ return puts(0) + {0}; }}"
    sources = [text.format(number) for number in (1, 2)]
    objects = [compile_source(tmp_path, source, "-fPIC", suffix=".c") for source in sources]
    script = """
        m = Machine(0x20000000)
        first, second = m.add(args[0]), m.add(args[1])
        assert {e.kind for e in first.entries} == {"got", "stub"}, first.entries
        assert second.entries == () and len(m.table) == 2
        m.table.remove(first.new_entries)
        assert len(m.table) == 0
    """
    run_child(script, *objects)


def test_initialisers_in_order(tmp_path: Path) -> None:
    source = """
        #include <cstdio>
        static int count, order[20];
        struct Step { Step(int n) { order[count++] = n; } };
        Step plain(9);
        Step late __attribute__((init_priority(2000))) (4);
        Step early __attribute__((init_priority(101))) (2);
        static void old_late() { order[count++] = 5; }
        static void old_early() { order[count++] = 3; }
        static void before() { order[count++] = 1; }
        typedef void (*Function)();
        __attribute__((section(".ctors.62535"), used)) static Function a = old_late;
        __attribute__((section(".ctors.64535"), used)) static Function b = old_early;
        __attribute__((section(".preinit_array"), used)) static Function c = before;
        __attribute__((section(".ctors"), used)) static Function d[] = {
            [] { order[count++] = 8; }, [] { order[count++] = 7; }, [] { order[count++] = 6; }};
        extern "C" int at(int n) { return order[n]; }
        extern "C" int total() { return count; }
    """
    obj = compile_source(tmp_path, source, "-fPIC")
    script = """
        m = Machine()
        image = m.add(args[0])
        print(*(m.call("at", n) for n in range(m.call("total"))))
        print(*(i.priority for i in image.initialisers))
        slots = [i.slot for i in image.initialisers]
        spans = [range(*span) for span in image.init_ranges]
        assert all(any(slot in span for span in spans) for slot in slots)
        assert sum(map(len, spans)) == 8 * len(slots)
    """
    expected = "1 2 3 4 5 6 7 8 9\n0 101 1000 2000 3000 65536 65536 65536 65536\n"
    assert run_child(script, obj) == expected


@pytest.mark.parametrize("kind", ["rcs", "rcsT", "bsd", "no index"])
def test_archives(tmp_path: Path, kind: str) -> None:
    """Members come as they are needed: the one that would fail to link is not."""
    sources = {
        "first": "int second(void); int first(void) { return second() + 1; }",
        "second": '__attribute__((visibility("hidden"))) int second(void) { return 41; }',
        "a_member_with_a_long_name": "int missing(void); int bad(void) { return missing(); }",
    }
    members = []
    for name, text in sources.items():
        obj = compile_source(tmp_path, text, "-fPIC", suffix=".c")
        members.append(str(obj.rename(tmp_path / f"{name}.o")))
    target = tmp_path / "lib.a"
    command = ["ar", {"no index": "rcS"}.get(kind, kind), str(target)]
    if kind == "bsd":
        command = ["llvm-ar-22", "--format=bsd", "rcs", str(target)]
    subprocess.run([*command, *members], check=True, capture_output=True)
    user = "int first(void); int run(void) { return first(); }"
    obj = compile_source(tmp_path, user, "-fPIC", suffix=".c")
    script = """
        m = Machine()
        image = m.add(args[0], archives=[args[1]])
        print(m.call("run"), *sorted(image.defined))
        assert "second" in image.hidden
    """
    assert run_child(script, obj, target) == "42 first run\n"


def test_weak_functions_that_do_not_exist(tmp_path: Path) -> None:
    source = """
        extern void absent(void) __attribute__((weak));
        int run(void) { if (absent) absent(); return absent == 0; }
    """
    obj = compile_source(tmp_path, source, "-fPIC", suffix=".c")
    script = """
        m = Machine()
        assert m.add(args[0]).undefined_weak == ("absent",)
        print(m.call("run"))
    """
    assert run_child(script, obj) == "1\n"


def test_inline_functions_and_statics_are_one_across_links(tmp_path: Path) -> None:
    header = """
        template <class T> struct Counter { static inline int count = 0; };
        inline int &local() { static int v = 5; return v; }
        struct Thrown { virtual ~Thrown() {} };
    """
    first = header + 'extern "C" int first() { Counter<int>::count++; return ++local(); }'
    second = (
        header
        + """
        extern "C" int first();
        extern "C" int second() { first(); return local() * 10 + Counter<int>::count; }
        extern "C" void thrower() { throw Thrown(); }
    """
    )
    third = (
        header
        + """
        extern "C" void thrower();
        extern "C" int third() { try { thrower(); } catch (Thrown &) { return 1; } return 0; }
    """
    )
    objects = [compile_source(tmp_path, text, "-fPIC", "-O1") for text in (first, second, third)]
    script = """
        m = Machine()
        for file in args:
            m.add(file)
        print(m.call("second"), m.call("third"))
    """
    assert run_child(script, *objects) == "61 1\n"
