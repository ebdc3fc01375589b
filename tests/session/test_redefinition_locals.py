"""What is local to a body that is defined again is new, whatever the function is.

Clang names it after the function, so under the old names the linker would keep the old.
"""

from __future__ import annotations

import pytest

from tests.session.conftest import NewSession, shown

# Entities of a body, each of which counts for V; some are named before the body ends.
PRELUDE = """
#include <functional>
template <class T> int late(T f) { return f(); }
template <class T> auto early(T f) { return f(); }
auto closure = [] {};
struct { int a; } unnamed;
namespace { struct Internal {}; }
struct S { int v; S(int); ~S(); int method(); operator int(); static int of_class(); };
template <class X> struct Q {
  int v; Q(int); ~Q(); int method(); template <class U> int of(U); static int of_class();
};
template <class X> int made(X) { return 0; }
int left;
"""
LOCAL = """
  static int n = V;
  struct L { int operator()() { static int m = V; return m; } };
  typedef struct { int operator()() { return V; } } Named;
  auto f = [] { static int m = V; return m; };
  std::function<int()> erased = [] { return V; };
  int sum = n + late(f) + early(f) + late(L()) + early(L()) + late(Named()) + erased()
    + early([] { return early([] { return V; }); });
"""
UNNAMED = """
  struct { int operator()() { return V; } } u;
  sum += early(u) - V;
"""
FUNCTIONS = {
    "function": ("int f() { LOCAL UNNAMED return sum; }", "f()"),
    "inline function": ("inline int f() { LOCAL UNNAMED return sum; }", "f()"),
    "static function": ("static int f() { LOCAL UNNAMED return sum; }", "f()"),
    "extern C": ('extern "C" int f() { LOCAL UNNAMED return sum; }', "f()"),
    "takes a closure": ("int f(decltype(closure)) { LOCAL UNNAMED return sum; }", "f(closure)"),
    "takes an unnamed type": ("int f(decltype(unnamed)) { LOCAL return sum; }", "f(unnamed)"),
    "takes an internal type": ("inline int f(Internal) { LOCAL return sum; }", "f(Internal())"),
    "deduced result": ("auto f() { LOCAL return sum; }", "f()"),
    "constructor": ("S::S(int) { LOCAL UNNAMED v = sum; } S::~S() {}", "S(1).v"),
    "inline constructor": ("inline S::S(int) { LOCAL v = sum; } inline S::~S() {}", "S(1).v"),
    "destructor": (
        "S::S(int) {} S::~S() { LOCAL left = sum; }",
        "[] { { S s(1); } return left; }()",
    ),
    "method": ("int S::method() { LOCAL UNNAMED return sum; }", "((S *)&left)->method()"),
    "conversion": ("S::operator int() { LOCAL return sum; }", "(int)*(S *)&left"),
    "static method": ("int S::of_class() { LOCAL return sum; }", "S::of_class()"),
    "method of a template": (
        "template <class X> int Q<X>::method() { LOCAL UNNAMED return sum; }",
        "((Q<int> *)&left)->method()",
    ),
    "static method of a template": (
        "template <class X> int Q<X>::of_class() { LOCAL return sum; }",
        "Q<int>::of_class()",
    ),
    "constructor of a template": (
        "template <class X> Q<X>::Q(int) { LOCAL UNNAMED v = sum; }"
        "template <class X> Q<X>::~Q() {}",
        "Q<int>(1).v",
    ),
    "member template": (
        "template <class X> template <class U> int Q<X>::of(U) { LOCAL UNNAMED return sum; }",
        "((Q<int> *)&left)->of(1)",
    ),
    "specialisation": ("template <> int made(int) { LOCAL UNNAMED return sum; }", "made(1)"),
    "specialised method": (
        "template <> int Q<char>::method() { LOCAL UNNAMED return sum; }",
        "((Q<char> *)&left)->method()",
    ),
}


@pytest.mark.parametrize("opt", [0, 2])
def test_what_is_local_is_new(new_session: NewSession, opt: int) -> None:
    session = new_session(opt=opt)
    session.run(PRELUDE)
    got = {}
    for kind, (code, call) in FUNCTIONS.items():
        sums = []
        for value in (1, 2, 3):
            text = code.replace("LOCAL", LOCAL).replace("UNNAMED", UNNAMED)
            session.run(text.replace("V", str(value)))
            sums.append(shown(session.run(call)))
        got[kind] = sums
    assert got == {kind: ["8", "16", "24"] for kind in FUNCTIONS}


@pytest.mark.parametrize("opt", [0, 2])
def test_static_variables_of_c_are_new(new_session: NewSession, opt: int) -> None:
    session = new_session(language="c", opt=opt)
    for kind in ("", "static "):
        for start in (10, 20, 30):
            for name in ("f", "g"):
                session.run(
                    f"{kind}int {name}(void) {{ static int n = {start}; int a = ++n;"
                    f" {{ static int n = {start}; a += ++n; }} return a; }}"
                )
            for turn in (1, 2):
                assert shown(session.run("f() + g()")) == str(4 * (start + turn))


@pytest.mark.parametrize("opt", [0, 2])
def test_objects_are_made_and_ended_by_the_new(new_session: NewSession, opt: int) -> None:
    """A constructor and a destructor have several symbols."""
    session = new_session(opt=opt)
    session.run("int ends; struct B { int v; B(int); virtual ~B(); };")
    session.run("B::B(int) {} B::~B() {}")
    session.run("struct D : B { using B::B; D() : B(5) {} }; D old() { return D(); }")
    for kind in ("", "inline "):
        for value in (1, 2, 3):
            session.run(f"{kind}B::B(int a) : v(a + {value}) {{}} {kind}B::~B() {{ ends += v; }}")
            session.run("ends = 0; { B b(1); D d; D e(2); delete new D; B *p = new D; delete p; }")
            assert shown(session.run("ends")) == str(18 + 5 * value)
            assert shown(session.run("old().v")) == str(5 + value)
