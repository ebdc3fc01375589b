"""Objects of both compilers, in C and C++, with every way of generating code."""

from __future__ import annotations

import pytest

from farside.errors import Crashed, RelocationError
from farside.session import Session
from tests.conftest import Farside
from tests.platform.conftest import Build

C_SOURCE = """
#include <math.h>
#include <stdio.h>
#include <string.h>
static int counter;
int common_data[100];
__attribute__((constructor(101))) static void first(void) { printf("first "); counter = 10; }
__attribute__((constructor)) static void second(void) { printf("second "); counter++; }
__attribute__((destructor)) static void last(void) { printf("last %d ", counter); }
int work(int n) {
  char text[40];
  snprintf(text, sizeof text, "%d", n);
  common_data[n % 100] += (int)strlen(text);
  counter += (int)sqrt(n * n);
  return counter + common_data[n % 100];
}
"""
CXX_SOURCE = """
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
template <typename T> T twice(T x) { return x + x; }
struct Log { Log() { std::cout << "log "; } ~Log() { std::cout << "end " << std::flush; } };
static Log log_;
inline std::map<std::string, int> &table() { static std::map<std::string, int> t; return t; }
extern "C" int work(int n) {
  table()[std::to_string(n)] = n;
  try {
    if (n > 5) throw std::out_of_range("large");
  } catch (const std::exception &e) {
    return twice((int)std::string(e.what()).size()) + (int)table().size();
  }
  return n;
}
"""
FLAGS = [
    (),
    ("-fPIC",),
    ("-fPIC", "-ffunction-sections", "-fdata-sections"),
    ("-fPIC", "-fno-plt", "-O2"),
    ("-mcmodel=large",),
    ("-mcmodel=large", "-fPIC"),
    ("-fPIC", "-mtls-dialect=gnu2", "-O2"),
    ("-O2", "-g", "-fPIC", "-fno-asynchronous-unwind-tables"),
]


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_c(session: Session, build: Build, compiler: str, flags: tuple[str, ...]) -> None:
    lib = session.jitdylib("lib")
    lib.add_object(build(C_SOURCE, *flags, compiler=compiler))
    assert lib.open().stdout == "first second "
    session.jitdylib("main").link_order = [lib]
    session.run('extern "C" int work(int);')
    assert session.run("work(7) + work(107)").value.text == "148"  # type: ignore[union-attr]
    assert lib.close().stdout == "last 125 "


@pytest.mark.parametrize("compiler", ["clang++-22", "g++"])
@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_cpp(session: Session, build: Build, compiler: str, flags: tuple[str, ...]) -> None:
    if flags[-1:] == ("-fno-asynchronous-unwind-tables",):
        flags = flags[:-1]
    lib = session.jitdylib("lib")
    lib.add_object(build(CXX_SOURCE, *flags, compiler=compiler))
    assert lib.open().stdout == "log "
    session.jitdylib("main").link_order = [lib]
    session.run('extern "C" int work(int);')
    assert session.run("work(3) * 1000 + work(6)").value.text == "3012"  # type: ignore[union-attr]
    assert lib.close().stdout == "end "


@pytest.mark.parametrize("compiler", ["clang-22", "gcc"])
@pytest.mark.parametrize("flags", [(), ("-O2",), ("-ffunction-sections", "-g")], ids=" ".join)
def test_c_for_a_fixed_address(
    session: Session, build: Build, compiler: str, flags: tuple[str, ...]
) -> None:
    lib = session.jitdylib("lib")
    before = session.statistics().slab_bytes
    for _ in range(2):
        lib.add_object(build(C_SOURCE, "-fno-pic", *flags, compiler=compiler))
        assert (lib.symbol("work") or 0) < 1 << 31
        assert lib.open().stdout == "first second "
        session.jitdylib("main").link_order = [lib]
        session.run('extern "C" int work(int);')
        assert session.run("work(7) + work(107)").value.text == "148"  # type: ignore[union-attr]
        with pytest.raises(Crashed):
            session.run("__builtin_trap();")
        assert session.run("work(7) > 0").value.text == "true"  # type: ignore[union-attr]
        assert lib.close().stdout.startswith("last ")
        for name in reversed(list(session._execution._committed)):
            session._execution.remove(name)
    assert session.statistics().slab_bytes == before


def test_fixed_addresses_of_one_object_in_another(farside_run: Farside, build: Build) -> None:
    defines = "int shared = 5; int twice(int n) { return 2 * n; }"
    source = (
        "extern int shared; int twice(int); int (*picked)(int) = twice;"
        "int *where(void) { return &shared; } int main(void) { return picked(*where()); }"
    )
    objects = [build(each, "-fno-pic", compiler="gcc") for each in (source, defines)]
    assert farside_run("run", *objects).returncode == 10


def test_what_fixed_addresses_do_not_reach(session: Session, build: Build) -> None:
    source = "extern char **environ; void *at(void) { return &environ; }"
    with pytest.raises(RelocationError, match="compile with -fPIC or -fPIE"):
        session.load(build(source, "-fno-pic", compiler="gcc"))
    assert session.run("1").value.text == "1"  # type: ignore[union-attr]
