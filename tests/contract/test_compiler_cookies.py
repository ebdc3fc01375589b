"""Cookies that no compiler has made, as a damaged file or a forger might hand them over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farside.errors import CompilerCrashed
from tests.contract import compiler_rig
from tests.contract.compiler_rig import Accepted, Bench

# Each kind of declaration, as they are numbered.
PLAIN = """\
#define MACRO(x) x
int v = 1; extern int e; static int st = 2; thread_local int th;
int f(int a = 3) { return a; } constexpr int cf() { return 1; } consteval int ce() { return 2; }
inline int inl() { return 1; } auto deduced() { return 1; }
struct S { int m(int a = 1) { return a; } static int sm; struct In; enum E2 { x1 }; S();
  virtual ~S(); friend int fr(S) { return 1; } template <class T> T mt(T t) { return t; } };
int S::sm = 4; struct S::In { int i; }; S::S() {} S::~S() = default;
enum E { one, two }; enum class EC { a }; typedef int TD; using AL = S;
static union { int anon1; float anon2; };
extern "C" { int cfun() { return 1; } int cvar; }
int &operator+(S &s, int) { return v; } int operator""_x(unsigned long long) { return 1; }
struct Two { int a, b; }; auto [b1, b2] = Two{1, 2}; namespace { int un; struct UN {}; }
"""
TEMPLATES = """\
template <class T> T tf(T t) { return t; } template <> int tf<int>(int t) { return t + 1; }
template float tf<float>(float);
template <class T> struct CT { T t; T get() { return t; } static T s; struct Inner { T i; };
  template <class U> struct MT { U u; }; };
template <class T> T CT<T>::s = T();
template <> struct CT<char> { int c; }; template <class T> struct CT<T *> { int p; };
template struct CT<long>; template <class T> using AT = CT<T>;
template <class T> T vt = T(1); template <> int vt<int> = 4; template <class T> T vt<T *> = nullptr;
template <class T> concept C = sizeof(T) > 0;
namespace ns { int in; int g() { return 1; } inline namespace inl2 { struct N {}; } struct O; }
namespace na = ns; using namespace ns; using ns::g; struct ns::O { int o; };
CT<short> cs; int use = vt<short> + tf(1L) + CT<short>{}.get(); CT<double>::Inner ci;
CT<int>::MT<int> mm; auto lam = [](auto x) { return x; }; int l2 = lam(3);
"""
USES = """\
int last = v + st + f(1) + cf() + inl() + tf(2) + CT<short>{}.get() + in + lam(4) + (int)sizeof(S);
S made; CT<float> other; int w = other.get() + cfun() + vt<long> + made.mt(3) + 1_x;
"""
PARTS = ("", "b", "m", "a", "d", "o", "i", "c", "k")
REFUSED = "Cell 3, which was accepted before, is not accepted now"
Replay = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """Return a function that has a cell parsed again with a cookie, and returns what was said."""
    benches = compiler_rig.benches(tmp_path_factory.mktemp("cells"), Path())
    bench: Bench = next(benches)()
    bench.cell(PLAIN, TEMPLATES)
    names = bench.compiler.compile(3, USES).cookie.split()[0]

    def replayed(cookie: str) -> list[str]:
        failed: CompilerCrashed | None = None
        try:
            bench.compiler.rollback(
                2, [*bench.accepted, Accepted(3, USES, cookie.format(names=names))]
            )
        except CompilerCrashed as error:
            failed = error
        assert failed is None or str(failed).startswith(REFUSED)
        return [] if failed is None else [each.message for each in failed.diagnostics]

    yield replayed
    next(benches, None)


@pytest.mark.parametrize(
    "hidden",
    [
        "9/0",
        "4294967295/4294967295",
        "1/999999",
        "1/b0",  # a variable has no body
        "1/a0",
        "1/d0",
        "1/c0",
        "1/k0",
        "1/o4",  # a function is not declared anew
        "1/i4",  # nor made of a template
        "1/m999999",
        "9/m0",
        "1/0 1/0",
    ],
)
def test_what_is_not_there_is_not_hidden(replay: Replay, hidden: str) -> None:
    (said,) = replay(f"{{names}} {hidden}")
    assert "names declarations that earlier cells have not made" in said


def test_what_a_cell_declares_itself_was_in_its_own_way(replay: Replay) -> None:
    assert replay("{names} 3/0 3/b1 3/m7") == []


@pytest.mark.parametrize("cookie", ["", "x", "-1", "0 1/x4", "0 1/bm4", "0 /4", "0 1/-4", "p"])
def test_what_is_no_cookie(replay: Replay, cookie: str) -> None:
    (said,) = replay(cookie)
    assert "is missing or damaged" in said


@pytest.mark.parametrize("hidden", ["1/b5", "1/c5", "1/b7"])
def test_a_function_that_is_not_defined_again_has_no_code(replay: Replay, hidden: str) -> None:
    assert replay(f"{{names}} {hidden}")[-1].endswith("is used, and was to be defined again")


HIDDEN = st.builds("{}/{}{}".format, st.integers(1, 2), st.sampled_from(PARTS), st.integers(0, 60))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(HIDDEN, min_size=1, max_size=4))
def test_nothing_that_is_hidden_is_a_crash(replay: Replay, hidden: list[str]) -> None:
    replay(f"{{names}} {' '.join(hidden)}")
