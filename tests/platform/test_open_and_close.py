"""dlopen, dlclose, dlsym, dlerror: references, dependencies, exit handlers."""

from __future__ import annotations

import pytest

from farside.errors import CppException, RemoteError
from farside.session import Session
from tests.platform.conftest import TRACE, Build


def fill(session: Session, build: Build, **orders: str) -> None:
    """Make JITDylibs with one traced object each; the values are link orders."""
    for name in orders:
        dylib = session.jitdylib(name)
        dylib.add_object(build(f'{TRACE}static Trace trace("{name}");'))
    for name, order in orders.items():
        session.jitdylib(name).link_order = order.split()


def test_dependencies_come_first_and_go_last(session: Session, build: Build) -> None:
    fill(session, build, app="mid util", mid="low", util="low", low="")
    app, mid = session.jitdylib("app"), session.jitdylib("mid")
    assert app.open().stdout == "+low +mid +util +app "
    assert mid.open().stdout == ""
    assert app.close().stdout == "-app -util "
    assert mid.close().stdout == "-mid -low "


def test_a_cycle_is_initialised_once_and_goes_as_a_whole(session: Session, build: Build) -> None:
    fill(session, build, a="b", b="c", c="a", user="b")
    assert session.jitdylib("a").open().stdout == "+c +b +a "
    assert session.jitdylib("user").open().stdout == "+user "
    assert session.jitdylib("a").close().stdout == ""
    assert session.jitdylib("user").close().stdout == "-user -a -b -c "
    assert session.jitdylib("c").open().stdout == "+b +a +c "


def test_references_are_counted(session: Session, build: Build) -> None:
    fill(session, build, lib="")
    lib = session.jitdylib("lib")
    for _ in range(2):  # the second time after a reset, in the same memory
        assert lib.open().stdout == "+lib "
        assert lib.open().stdout == ""
        assert lib.close().stdout == ""
        assert lib.close().stdout == "-lib "
    with pytest.raises(RemoteError, match="dlclose: JITDylib lib is not open"):
        lib.close()
    with pytest.raises(RemoteError, match="JITDylib must be open"):
        lib.update()
    with pytest.raises(RemoteError, match="dlclose: JITDylib main is not open"):
        session.jitdylib("main").close()


def test_the_same_memory_is_initialised_again(session: Session, build: Build) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(
        build(
            "#include <cstdio>\n"
            "static int plain = 1;\n"
            'static int computed = (printf("%d ", plain++), plain);'
        )
    )
    assert lib.open().stdout == "1 "
    lib.close()
    assert lib.open().stdout == "2 "


def test_cpp_opens_updates_looks_up_and_closes(session: Session, build: Build) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(
        build(
            TRACE + 'static Trace t("t"); extern "C" int six = 6;'
            'extern "C" int times(int x) { return x * six; }'
        )
    )
    session.run("#include <farside/dlfcn.h>\n#include <cstdio>")
    result = session.run(
        """
        farside::JitDylib lib("lib");
        ++*lib.variable<int>("six");
        printf("%d ", lib.function<int(int)>("times")(6));
        printf("%d [%s] ", lib.symbol("absent") == nullptr, farside::JitDylib::error());
        printf("[%s] ", farside::JitDylib::error());
        printf("%d ", lib.close());
        printf("%d ", (bool)lib);
        """
    )
    assert result.stdout == "+t 42 1 [Symbols not found: [ absent ]] [] -t 1 0 "
    result = session.run(
        """
        printf("%d [%s] ", __orc_rt_jit_dlopen("nowhere", 1) == nullptr, __orc_rt_jit_dlerror());
        printf("%d [%s] ", __orc_rt_jit_dlclose((void *)0x1234), __orc_rt_jit_dlerror());
        printf("%d [%s] ", __orc_rt_jit_dlupdate((void *)0x1234), __orc_rt_jit_dlerror());
        printf("%d [%s] ", __orc_rt_jit_dlsym((void *)16, "x") == nullptr, __orc_rt_jit_dlerror());
        printf("%d", __orc_rt_jit_dlerror() == nullptr);
        """
    )
    assert result.stdout == (
        "1 [dlopen: no JITDylib is named nowhere] "
        "-1 [dlclose: no JITDylib has the header 0x1234] "
        "-1 [dlupdate: no JITDylib has the header 0x1234] "
        "1 [dlsym: no JITDylib has the header 0x10] 1"
    )


def test_cells_find_themselves_in_main(session: Session) -> None:
    session.run("#include <farside/dlfcn.h>\n#include <cstdio>")
    session.run('extern "C" int earlier = 1; thread_local int local = 1;')
    result = session.run(
        """
        extern "C" { int now = 2; }
        void *self = __orc_rt_jit_dlopen("main", 1);
        printf("%d %d ", *(int *)__orc_rt_jit_dlsym(self, "earlier") == earlier,
               __orc_rt_jit_dlsym(self, "now") == &now);
        printf("%d ", __orc_rt_jit_dlsym(self, "local") == nullptr);
        printf("%s ", __orc_rt_jit_dlerror());
        printf("%d %d", __orc_rt_jit_dlclose(self), __orc_rt_jit_dlclose(self));
        """
    )
    assert result.stdout == "1 1 1 dlsym: local is thread-local 0 -1"
    assert session.run("earlier").value.text == "1"  # type: ignore[union-attr]


def test_threads_of_the_program_look_names_up(session: Session, build: Build) -> None:
    session.jitdylib("lib").add_object(build("int f(void) { return 7; }", compiler="gcc"))
    session.run("#include <farside/dlfcn.h>\n#include <thread>\n#include <cstdio>")
    result = session.run(
        """
        int sum = 0;
        std::thread([] {
          farside::JitDylib lib("lib");
          for (int i = 0; i < 20; ++i) sum += lib.function<int()>("f")();
        }).join();
        printf("%d", sum);
        """
    )
    assert result.stdout == "140"


EXITS = """
#include <cstdio>
#include <cstdlib>
extern "C" int __cxa_thread_atexit(void (*)(void *), void *, void *);
extern "C" void *__dso_handle;
struct T { const char *n; ~T() { printf("%s ", n); } };
static T global{"global"};
static thread_local T local{"thread_local"};
static void nested() { printf("nested "); }
static void registers() { printf("registers "); atexit(nested); }
static int setup = (atexit(registers), local.n != nullptr ? 0 : 1);
static T last{"last"};
__attribute__((destructor)) static void fini() { printf("fini "); }
"""


@pytest.mark.parametrize("compiler", ["clang++-22", "g++"])
def test_exit_handlers_of_a_jitdylib(session: Session, build: Build, compiler: str) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(build(EXITS, "-fPIC", compiler=compiler))
    for _ in range(2):
        lib.open()
        assert lib.close().stdout == "thread_local last registers nested global fini "


def test_the_end_of_the_session_runs_them_all_in_reverse(session: Session, build: Build) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(build(f'{TRACE}static Trace lib("lib");'))
    session.run(f"{TRACE}#include <cstdlib>")
    session.run('Trace first("first");')
    lib.open()
    session.run('void nested() { printf("nested "); }')
    session.run('void handler() { printf("handler "); atexit(nested); }')
    session.run("atexit(handler);")
    session.run('struct __attribute__((visibility("default"))) Q {}; Trace last("last");')
    session.run('at_quick_exit([] { printf("quick "); });')
    session.run('static Trace *leaked = new Trace("leaked");')
    session.run('__attribute__((destructor)) void fini() { printf("fini "); }')
    assert session.close().stdout == "fini -last handler nested -lib -first "


def test_a_handler_that_throws_at_close_is_reported(session: Session, build: Build) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(
        build(
            TRACE + "#include <cstdlib>\n"
            'static Trace a("a"); static int r = atexit([] { throw 5; }); static Trace b("b");'
        )
    )
    lib.open()
    with pytest.raises(
        CppException, match="exit handler: uncaught exception of type int"
    ) as caught:
        lib.close()
    assert caught.value.type_name == "int"
    assert caught.value.stdout == "-b -a "
    assert lib.open().stdout == "+a +b "


def test_names_of_libraries_are_found(session: Session) -> None:
    session.run("#include <farside/dlfcn.h>\n#include <thread>\n#include <unistd.h>")
    lib = session.jitdylib("lib")
    assert lib.symbol("getpid") == session.jitdylib("main").symbol("getpid") is not None
    assert lib.symbol("sqlite3_libversion") is None
    session.run('extern "C" int getpid_again() { return getpid(); }')
    session.run('farside::JitDylib lib("lib"); int same = 0;')
    # From a thread, while the main one waits for it.
    session.run(
        """std::thread([] {
             auto *function = lib.function<int()>("getpid");
             same = function && function() == getpid_again();
           }).join();"""
    )
    assert session.run("same").value.text == "1"  # type: ignore[union-attr]
    session.load("libsqlite3.so.0")
    assert lib.symbol("sqlite3_libversion") is not None
    found = session.run(
        'lib.symbol("sqlite3_libversion") != nullptr && !lib.symbol("no_such")'
    ).value
    assert found is not None
    assert found.text == "true"


def test_a_definition_comes_before_a_library_s(session: Session) -> None:
    session.run('#include <farside/dlfcn.h>\nextern "C" int getpid() { return -3; }')
    assert session.run('farside::JitDylib("main").function<int()>("getpid")()').value.text == "-3"  # type: ignore[union-attr]
