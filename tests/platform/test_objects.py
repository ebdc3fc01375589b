"""Objects of both compilers, in C and C++, with every way of generating code."""

from __future__ import annotations

import pytest

from farside.errors import RelocationError
from farside.session import Session
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
def test_addresses_below_2_gib_cannot_be_had(session: Session, build: Build, compiler: str) -> None:
    lib = session.jitdylib("lib")
    with pytest.raises(RelocationError, match="compile with -fPIC or -fPIE"):
        lib.add_object(build(C_SOURCE, "-fno-pic", compiler=compiler))
