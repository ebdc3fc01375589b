"""Names in JITDylibs: who sees which definition."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from farside.errors import (
    Crashed,
    DuplicateDefinition,
    ObjectError,
    OptionError,
    UndefinedSymbols,
)
from farside.session import Session
from tests.platform.conftest import Build


def text(session: Session, code: str) -> str:
    value = session.run(code).value
    assert value is not None
    return value.text


def test_names_follow_the_link_order(session: Session, build: Build) -> None:
    for name in ("a", "b"):
        dylib = session.jitdylib(name)
        dylib.add_object(build(f'extern "C" const char *who() {{ return "{name}"; }}'))
    session.jitdylib("b").add_object(build('extern "C" int only_b() { return 2; }'))
    main = session.jitdylib("main")
    main.link_order = ["a", session.jitdylib("b")]
    assert main.link_order == ("a", "b")
    session.run('extern "C" const char *who(); extern "C" int only_b();')
    assert text(session, "who()") == '"a"'
    assert text(session, "only_b()") == "2"
    main.link_order = ["b", "a"]
    assert text(session, "who()") == '"b"'
    main.link_order = []
    with pytest.raises(UndefinedSymbols, match="who"):
        session.run("who()")


def test_link_orders_are_not_transitive(session: Session, build: Build) -> None:
    session.jitdylib("c").add_object(build("int c() { return 3; }", compiler="clang-22"))
    session.jitdylib("b").link_order = ["c"]
    session.jitdylib("b").add_object(
        build("int c(void); int b() { return c() + 10; }", compiler="clang-22")
    )
    session.jitdylib("main").link_order = ["b"]
    session.run('extern "C" int b(); extern "C" int c();')
    assert text(session, "b()") == "13"
    with pytest.raises(UndefinedSymbols):
        session.run("c()")


def test_two_jitdylibs_that_need_each_other(session: Session, build: Build) -> None:
    left, right = session.jitdylib("left"), session.jitdylib("right")
    left.link_order, right.link_order = [right], [left]
    left.add_object(build("int base = 5; int even(int n) { return n + base; }", compiler="gcc"))
    right.add_object(build("int even(int); int odd(int n) { return even(n) * 2; }", compiler="gcc"))
    left.add_object(build("int odd(int); int both(int n) { return odd(n) + 1; }", compiler="gcc"))
    session.jitdylib("main").link_order = [left]
    session.run('extern "C" int both(int);')
    assert text(session, "both(2)") == "15"


def test_a_duplicate_is_one_in_its_own_jitdylib_only(session: Session, build: Build) -> None:
    first = build("int twice = 1;", compiler="gcc", name="first")
    second = build("int twice = 2;", compiler="gcc", name="second")
    one, two = session.jitdylib("one"), session.jitdylib("two")
    one.link_order = [two]
    one.add_object(first)
    two.add_object(second)
    with pytest.raises(DuplicateDefinition) as caught:
        one.add_object(second)
    assert caught.value.symbol == "twice"
    assert caught.value.first.endswith("first.o")
    assert caught.value.second.endswith("second.o")
    assert one.symbol("twice") != two.symbol("twice")


def test_weak_definitions(session: Session, build: Build) -> None:
    weak = build("__attribute__((weak)) int w(void) { return 1; }", compiler="clang-22")
    strong = build("int w(void) { return 2; }", compiler="clang-22")
    user = "int w(void); int {}(void) {{ return w(); }}"
    other, lib = session.jitdylib("other"), session.jitdylib("lib")
    other.add_object(strong)
    lib.link_order = [other]
    # A weak definition of one's own is found before a strong one elsewhere.
    lib.add_object(weak)
    lib.add_object(build(user.format("before"), compiler="clang-22"))
    # In one JITDylib the first weak one stays, and a strong one takes its place.
    lib.add_object(build("__attribute__((weak)) int w(void) { return 3; }", compiler="clang-22"))
    lib.add_object(build(user.format("same"), compiler="clang-22"))
    lib.add_object(strong)
    lib.add_object(build(user.format("after"), compiler="clang-22"))
    session.jitdylib("main").link_order = [lib]
    session.run('extern "C" { int before(); int same(); int after(); }')
    assert text(session, "before() * 100 + same() * 10 + after()") == "112"


def test_hidden_names_stay_in_their_object(session: Session, build: Build) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(
        build(
            '__attribute__((visibility("hidden"))) int secret = 1;\n'
            "int seen(void) { return secret; }",
            compiler="gcc",
        )
    )
    assert lib.symbol("secret") is None
    with pytest.raises(UndefinedSymbols, match="secret"):
        lib.add_object(build("extern int secret; int f(void) { return secret; }", compiler="gcc"))
    assert lib.symbol("seen") is not None


def test_a_cell_may_define_what_a_library_or_another_jitdylib_has(
    session: Session, build: Build
) -> None:
    session.jitdylib("lib").add_object(build("int f(void) { return 1; }", compiler="gcc"))
    session.jitdylib("main").link_order = ["lib"]
    session.run('extern "C" { int f(void); int getpid(void); }')
    assert text(session, "f() * 10 + (getpid() > 1)") == "11"
    session.run('extern "C" int f(void) { return 2; }\nextern "C" int getpid(void) { return -5; }')
    # The slots and stubs of what the names meant before must not serve what they mean now.
    assert text(session, "f() * 10 + getpid()") == "15"
    session.undo(2)
    assert text(session, "f() * 10 + (getpid() > 1)") == "11"


def test_archives_give_members_as_they_are_needed(
    session: Session, build: Build, archive: Callable[..., str]
) -> None:
    members = [
        build(f"int n{i} = {i}; int f{i}(void) {{ return n{i}; }}", compiler="gcc", name=f"m{i}")
        for i in range(3)
    ]
    lib = session.jitdylib("lib")
    lib.add_archive(archive("libmembers.a", *members))
    session.jitdylib("main").link_order = [lib]
    session.run('extern "C" int f1(void);')
    before = session.statistics().images
    session.run("int first = f1();")
    assert session.statistics().images == before + 2  # the member and the cell
    assert text(session, "f1()") == "1"
    assert lib.symbol("f2") is not None
    assert lib.symbol("f9") is None
    everything = session.jitdylib("all")
    everything.add_archive(archive("liball.a", *members), all_members=True)
    assert {everything.symbol(f"f{i}") for i in range(3)}.isdisjoint({None, lib.symbol("f1")})


def test_cells_in_another_jitdylib(session: Session) -> None:
    session.run("#include <cstdio>")
    lib = session.jitdylib("lib")
    assert lib.run('int in_lib = 5; printf("%d ", in_lib);').stdout == "5 "
    assert lib.run("in_lib + 1").value.text == "6"  # type: ignore[union-attr]
    with pytest.raises(UndefinedSymbols, match="in_lib"):
        session.run("in_lib")
    session.jitdylib("main").link_order = [lib]
    assert text(session, "++in_lib") == "6"


def test_recovery_brings_jitdylibs_back(
    session: Session, build: Build, archive: Callable[..., str]
) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(build("int value = 5; int *at(void) { return &value; }", compiler="gcc"))
    lib.add_archive(archive("libmore.a", build("int more(void) { return 7; }", compiler="gcc")))
    lib.open()
    session.jitdylib("main").link_order = [lib]
    session.run('extern "C" { int *at(void); int more(void); }')
    lib.run("int in_lib = 40;")
    session.run("int mine = *at() + more() + in_lib;")
    with pytest.raises(Crashed) as caught:
        session.run("*at() = 6; *(volatile int *)8 = 0;")
    assert len(caught.value.recovery) == 1
    assert text(session, "mine * 100 + *at() * 10 + more() + in_lib") == str(5200 + 50 + 47)
    lib.close()
    with pytest.raises(OptionError, match="there is no JITDylib nowhere"):
        lib.link_order = ["nowhere"]
    assert lib.link_order == ()


def test_a_jitdylib_that_crashes_when_it_is_opened(session: Session, build: Build) -> None:
    session.run("int kept = 3;")
    bad = session.jitdylib("bad")
    bad.add_object(build("static int x = *(volatile int *)8;"))
    with pytest.raises(Crashed, match="opening bad: SIGSEGV"):
        bad.open()
    assert text(session, "kept") == "3"


def test_mistakes(session: Session, build: Build, archive: Callable[..., str]) -> None:
    lib = session.jitdylib("lib")
    with pytest.raises(OptionError, match="No such file"):
        lib.add_object("/nowhere/a.o")
    with pytest.raises(ObjectError):
        lib.add_object(archive("libx.a", build("int x;", compiler="gcc")))
    with pytest.raises(ObjectError):
        lib.add_archive(build("int x;", compiler="gcc"))
    with pytest.raises(OptionError, match="lib itself"):
        lib.link_order = ["lib"]
    with pytest.raises(OptionError, match="twice"):
        lib.link_order = ["main", "main"]
    with pytest.raises(OptionError, match="cannot name"):
        session.jitdylib("")
    assert session.jitdylib("lib").symbol("x") is None


def test_what_an_object_refers_to_cannot_be_undone(session: Session, build: Build) -> None:
    session.run('extern "C" int f() { return 1; }')
    main = session.jitdylib("main")
    main.add_object(build("int f(void); int g(void) { return f(); }", compiler="gcc", name="user"))
    with pytest.raises(OptionError, match=r"user\.o refers to it"):
        session.undo()
    session.run('extern "C" int g();')
    assert text(session, "g()") == "1"
    session.undo(2)


def test_archives_of_the_link_order_come_before_libraries(
    session: Session, build: Build, archive: Callable[..., str]
) -> None:
    mine = build("int getpid(void) { return -7; }", compiler="gcc")
    session.jitdylib("lib").add_archive(archive("libmine.a", mine))
    session.run('extern "C" int getpid(void);')
    assert int(text(session, "getpid()")) > 0
    session.jitdylib("main").link_order = ["lib"]
    assert text(session, "getpid()") == "-7"


def test_a_weak_reference_pulls_no_member_in(
    session: Session, build: Build, archive: Callable[..., str]
) -> None:
    session.jitdylib("lib").add_archive(
        archive("libw.a", build("int maybe(void) { return 1; }", compiler="gcc"))
    )
    session.jitdylib("main").link_order = ["lib"]
    session.run('extern "C" __attribute__((weak)) int maybe(void);')
    assert text(session, "maybe == nullptr") == "true"


def test_archive_members_that_need_each_other_across_jitdylibs(
    session: Session, build: Build, archive: Callable[..., str]
) -> None:
    left, right = session.jitdylib("left"), session.jitdylib("right")
    left.link_order, right.link_order = [right], [left]
    source = "int {0}(void); int {1}(void) {{ return {0}(); }}"
    left.add_archive(archive("libl.a", build(source.format("r", "l"), compiler="gcc", name="l")))
    right.add_archive(archive("libr.a", build(source.format("l", "r"), compiler="gcc", name="r")))
    with pytest.raises(UndefinedSymbols, match="need it in turn"):
        left.symbol("l")
    assert session.run("1").value is not None


def test_thin_archives(session: Session, build: Build, tmp_path: Path) -> None:
    build("int thin(void) { return 3; }", compiler="gcc", name="member")
    command = ["ar", "rcsT", "libthin.a", "member.o"]
    subprocess.run(command, check=True, cwd=tmp_path)
    lib = session.jitdylib("lib")
    lib.add_archive(str(tmp_path / "libthin.a"))
    assert lib.symbol("thin") is not None
    session.load(str(tmp_path / "libthin.a"))
    session.run('extern "C" int thin(void);')
    assert text(session, "thin()") == "3"
