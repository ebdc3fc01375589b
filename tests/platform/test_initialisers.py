"""Initialisers: which run, in which order, how often, and what happens when one throws."""

from __future__ import annotations

import pytest

from farside.errors import CppException, Crashed, LinkError, RemoteError
from farside.session import Session
from tests.platform.conftest import TRACE, Build

ALL_KINDS = """
  .macro say label, text
  .type \\label, @function
\\label:
  push %rbp
  leaq \\label\\()_text(%rip), %rdi
  xor %eax, %eax
  call printf@PLT
  pop %rbp
  ret
  .pushsection .rodata
\\label\\()_text: .asciz "\\text "
  .popsection
  .endm

  .text
  say i1, "init"
  say i2, "init2"
  say i100, "init.100"
  say i300, "init.300"
  say c, "ctors"
  say c65335, "ctors.65335"
  say pre, "preinit"
  say f1, "fini1"
  say f2, "fini2"
  say f100, "fini.100"
  say d, "dtors"

  .section .init_array,"aw",@init_array
  .quad i1, 0, i2
  .section .init_array.00300,"aw",@init_array
  .quad i300
  .section .init_array.00100,"aw",@init_array
  .quad i100
  .section .ctors,"aw",@progbits
  .quad -1, c, 0
  .section .ctors.65335,"aw",@progbits
  .quad c65335
  .section .preinit_array,"aw",@preinit_array
  .quad pre
  .section .fini_array,"aw",@fini_array
  .quad f1, f2
  .section .fini_array.00100,"aw",@fini_array
  .quad f100
  .section .dtors,"aw",@progbits
  .quad d
  .section .note.GNU-stack,"",@progbits
"""


def test_every_kind_of_section_in_its_order(session: Session, build: Build) -> None:
    dylib = session.jitdylib("all")
    dylib.add_object(build(ALL_KINDS, compiler="as"))
    # .ctors.65335 has the priority 65535 - 65335 = 200.
    assert dylib.open().stdout == "preinit init.100 ctors.65335 init.300 init init2 ctors "
    assert dylib.open().stdout == ""
    assert dylib.close().stdout == ""
    assert dylib.close().stdout == "dtors fini2 fini1 fini.100 "


def test_update_runs_what_has_arrived_since_and_nothing_twice(
    session: Session, build: Build
) -> None:
    dylib = session.jitdylib("lib")
    for name in ("a", "b"):
        dylib.add_object(build(f'{TRACE}static Trace {name}("{name}");'))
    assert dylib.open().stdout == "+a +b "
    assert dylib.update().stdout == ""
    for name in ("c", "d"):
        dylib.add_object(build(f'{TRACE}static Trace {name}("{name}");'))
    assert dylib.update().stdout == "+c +d "
    assert dylib.update().stdout == ""
    assert dylib.open().stdout == ""
    dylib.close()
    assert dylib.close().stdout == "-d -c -b -a "


def test_an_open_never_finds_the_state_erased(session: Session, build: Build) -> None:
    dylib = session.jitdylib("lib")
    dylib.add_object(build(f'{TRACE}static Trace one("one");'))
    dylib.open()
    dylib.add_object(build(f'{TRACE}static Trace two("two");'))
    # The second object waits through another open of something else, and a cell.
    other = session.jitdylib("other")
    other.open()
    session.run("int unrelated = 1;")
    assert dylib.open().stdout == "+two "


def test_an_initialiser_that_throws_costs_only_itself(session: Session, build: Build) -> None:
    source = (
        TRACE
        + """
        #include <stdexcept>
        static Trace a("a");
        static int b = [] { throw std::runtime_error("no b"); return 1; }();
        __attribute__((constructor(400))) static void early() { printf("early "); throw 7; }
        __attribute__((constructor(401))) static void next() { printf("next "); }
        """
    )
    last = f'{TRACE}static Trace c("c");'
    dylib = session.jitdylib("lib")
    dylib.add_object(build(source))
    dylib.add_object(build(last))
    with pytest.raises(CppException, match="lib: uncaught exception of type int") as caught:
        dylib.open()
    assert caught.value.stdout == "early "
    assert (caught.value.type_name, caught.value.what) == ("int", "7")
    with pytest.raises(CppException, match="std::runtime_error: no b") as caught:
        dylib.open()
    assert caught.value.stdout == "next +a "
    assert (caught.value.type_name, caught.value.what) == ("std::runtime_error", "no b")
    assert dylib.open().stdout == "+c "
    assert dylib.close().stdout == "-c -a "
    with pytest.raises(RemoteError, match="is not open"):
        dylib.close()


def test_update_goes_on_after_a_throw(session: Session, build: Build) -> None:
    dylib = session.jitdylib("lib")
    dylib.open()
    arrays = "".join(
        f'static int v{i} = (printf("{i} "), {i % 2} ? throw {i} : 0);' for i in range(5)
    )
    dylib.add_object(build("#include <cstdio>\n" + arrays))
    seen = []
    for _ in range(6):
        try:
            seen.append(dylib.update().stdout)
        except CppException as error:
            seen.append(error.stdout + "!")
    # One function of the compiler runs all five variables, so it is what is dropped.
    assert seen == ["0 1 !", "", "", "", "", ""]
    for i in range(4):
        dylib.add_object(
            build(
                f'#include <cstdio>\nint w = (printf("{i} "), {i} % 2 ? throw 1 : 0);'.replace(
                    "int w", f"int w{i}"
                )
            )
        )
    seen = []
    for _ in range(4):
        try:
            seen.append(dylib.update().stdout)
        except CppException as error:
            seen.append(error.stdout + "!")
    assert seen == ["0 1 !", "2 3 !", "", ""]


def test_a_cell_that_throws_does_not_go_on_with_its_next_statement(session: Session) -> None:
    session.run("#include <cstdio>")
    with pytest.raises(CppException, match="threw int"):
        session.run('printf("one "); int x = 5; throw 3; printf("two "); int y = printf("") + 6;')
    result = session.run('printf("next %d %d", x, y);')
    assert result.stdout == "next 5 0"


def test_an_initialiser_may_open_another_jitdylib(session: Session, build: Build) -> None:
    inner = session.jitdylib("inner")
    inner.add_object(build(f'{TRACE}static Trace inner("inner");'))
    source = (
        TRACE
        + """
        #include <farside/dlfcn.h>
        static Trace before("before");
        static farside::JitDylib opened("inner");
        static Trace after("after");
        static farside::JitDylib myself("outer");
        static int next = (printf("next "), 0);
        """
    )
    outer = session.jitdylib("outer")
    outer.add_object(build(source, *headers(session)))
    outer.add_object(build(f'{TRACE}static Trace late("late");'))
    # Opening oneself from an initialiser does not run what follows it.
    assert outer.open().stdout == "+before +inner +after next +late "
    session.run("#include <farside/dlfcn.h>\n#include <cstdio>")
    assert session.run('printf("%d", farside::JitDylib("inner").update());').stdout == "1"
    assert outer.close().stdout == ""  # it holds a reference to itself


def headers(session: Session) -> list[str]:
    args = session.options.clang_args()
    return ["-isystem", args[args.index("-isystem") + 1]]


def test_a_thousand_cells_with_an_initialiser_each(session: Session) -> None:
    session.run("int runs = 0; int last = -1; int disorder = 0;")
    for i in range(1000):
        session.run(
            f"int v{i} = (++runs, disorder += last != {i} - 1, last = {i});"
            if i % 2
            else f"struct S{i} {{ S{i}() {{ ++runs; disorder += last != {i - 1}; last = {i}; }} }};"
            f"S{i} s{i};"
        )
    value = session.run("runs * 10 + disorder").value
    assert value is not None
    assert value.text == "10000"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('.section .init_array,"aw"\n.quad f\n.byte 1\n.text\nf: ret', "of 9 bytes is not a whole"),
        ('.section .init_array,"aw"\n.quad 0x1234', "pointer to 0x1234, which is no code"),
        ('.section .init_array,"aw"\n.quad f+100\n.text\nf: ret', "which is no code"),
        ('.section .init_array,"aw"\n.quad f-1\n.text\nf: ret', "which is no code"),
        ('.section .init_array,"aw"\n.quad f\n.data\nf: .quad 0', "which is no code"),
        ('.section .init_array,"aw"\n.long f-., 0\n.text\nf: ret', "which is no code"),
        ('.section .init_array,"aw"\n.long 0\n.quad f\n.long 0\n.text\nf: ret', "is no code"),
        ('.section .fini_array,"aw"\n.quad f, 0x99\n.text\nf: ret', "pointer to 0x99, which"),
    ],
)
def test_arrays_that_cannot_be_run(
    session: Session, build: Build, source: str, message: str
) -> None:
    dylib = session.jitdylib("lib")
    before = session.statistics()
    with pytest.raises(LinkError, match=message):
        dylib.add_object(build(source + "\n", compiler="as"))
    assert session.statistics() == before
    assert dylib.open().stdout == ""


def test_a_failure_that_no_exception_caused(session: Session, build: Build) -> None:
    session.run("#include <farside/dlfcn.h>\n#include <cstdio>")
    inner = session.jitdylib("inner")
    inner.add_object(build("int x = (throw 1, 0);"))
    outer = session.jitdylib("outer")
    source = '#include <farside/dlfcn.h>\nvoid *tried = __orc_rt_jit_dlopen("inner", 1);'
    outer.add_object(build(source, "-Inative/include"))
    outer.open()  # what its initialiser dealt with is not its failure
    with pytest.raises(RemoteError, match="inner is not open"):
        inner.close()


def test_a_loaded_object_whose_initialiser_throws(session: Session, build: Build) -> None:
    path = build('#include <stdexcept>\nint n = 3; int x = (++n, throw std::logic_error("no"), 0);')
    with pytest.raises(CppException, match="threw std::logic_error: no"):
        session.load(path)
    session.run("extern int n;")
    assert session.run("n").value.text == "4"  # type: ignore[union-attr]
    with pytest.raises(Crashed):
        session.run("__builtin_trap();")
    assert session.run("n").value.text == "4"  # type: ignore[union-attr]
