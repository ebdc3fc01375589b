"""Arrays and Python callables as arguments."""

from __future__ import annotations

from array import array

import numpy
import pytest

from farside.calls.arguments import Ref
from farside.calls.wire import LARGE
from farside.errors import ArgumentMismatch, CppException, SessionBusy
from farside.session import Session

_FUNCTIONS = """
#include <farside/python.h>
#include <functional>
#include <numeric>
#include <optional>
#include <span>
#include <thread>
#include <vector>
double sum(std::span<const double> v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double copied(std::vector<double> v) { return std::accumulate(v.begin(), v.end(), 0.0); }
double raw(const double *p, unsigned long n) { return std::accumulate(p, p + n, 0.0); }
void scale(std::span<double> v, double by) { for (double &x : v) x *= by; }
int apply(std::function<int(int)> f, int x) { return f(x) + 1; }
std::function<int(int)> kept;
void keep(std::function<int(int)> f) { kept = f; }
int use(int x) { return kept(x); }
int caught(const std::function<int(int)> &f) {
  try { return f(1); }
  catch (const farside::PythonError &error) { return error.type() == "KeyError" ? -1 : -2; }
}
void nested(const std::function<void()> &f) { try { f(); } catch (...) { throw; } }
std::optional<int> maybe(std::function<std::optional<int>(int)> f) { return f(3); }
int referred(std::function<const int &()> f) { return f(); }
template <class F> int each(F f) { return (int)f(1, 2.5) + (int)f(2, 3.5); }
int threaded(std::function<int(int)> f) {
  int result = 0;
  std::thread([&] { result = f(20); }).join();
  return result;
}
"""


@pytest.mark.parametrize("count", [3, 2 * LARGE])
def test_arrays(session: Session, count: int) -> None:
    session.run(_FUNCTIONS)
    numbers = array("d", [0.5]) * count
    half = count * 0.5
    assert [session.fn.sum(numbers), session.fn.copied(numbers)] == [half, half]
    assert session.fn.raw(numbers, count) == half
    with pytest.raises(ArgumentMismatch, match="const double"):
        session.fn.scale(numbers, 2.0)
    session.fn.scale(Ref(numbers), 4.0)
    assert set(numbers) == {2.0}
    assert session.fn.sum(memoryview(numbers)[::2]) == 2.0 * ((count + 1) // 2)
    with pytest.raises(ArgumentMismatch, match="writable and contiguous"):
        session.fn.scale(Ref(memoryview(numbers).toreadonly()), 4.0)


def test_callables(session: Session) -> None:
    session.run(_FUNCTIONS)
    fn = session.fn
    seen: list[tuple[int, float]] = []

    def note(x: int, y: float) -> int:
        seen.append((x, y))
        return x

    assert fn.apply(lambda x: x * 2, 20) == 41
    assert fn.each(note) == 3
    assert seen == [(1, 2.5), (2, 3.5)]
    assert fn.threaded(lambda x: x + 1) == 21
    fn.keep(lambda x: x + 100)
    assert fn.use(1) == 101
    assert fn.maybe(lambda x: x + 1) == 4
    assert fn.maybe(lambda _: None) is None
    with pytest.raises(ArgumentMismatch, match=r"a str cannot become int$"):
        fn.maybe(str)
    with pytest.raises(ArgumentMismatch, match="a str cannot be called"):
        fn.maybe("x")
    with pytest.raises(ArgumentMismatch, match="a Python callable returns no reference"):
        fn.referred(lambda: 1)


def test_callables_are_known_as_long_as_the_program_keeps_them(session: Session) -> None:
    session.run(_FUNCTIONS)
    session.run("int keepAndThrow(std::function<int(int)> f) { kept = f; throw 3; }")
    fn = session.fn
    known = session._caller().callbacks._functions

    def often(x: int) -> int:
        return x + 2

    fn.keep(often)
    assert fn.apply(often, 1) == 4
    assert fn.use(1) == 3
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            fn.apply(lambda x: x // 0, 1)
    assert list(known.values()) == [often]
    with pytest.raises(CppException):
        fn.keepAndThrow(lambda x: x + 5)
    assert fn.use(1) == 6
    assert len(known) == 2


def test_exceptions_cross_both_ways(session: Session) -> None:
    session.run(_FUNCTIONS)
    error = KeyError("gone")

    def fail(*_: object) -> int:
        raise error

    assert session.fn.caught(fail) == -1
    with pytest.raises(KeyError) as raised:
        session.fn.nested(fail)
    assert raised.value is error
    with pytest.raises(ArgumentMismatch, match="what a Python callable returned: a str cannot"):
        session.fn.apply(lambda _: "no", 1)
    with pytest.raises(SessionBusy, match="return first"):
        session.fn.apply(session.fn.use, 1)
    with pytest.raises(CppException, match="bad_function_call"):
        session.fn.use(1)
    session.run('int one() { throw farside::PythonError("KeyError", "\'gone\'"); }')
    with pytest.raises(CppException, match="PythonError"):
        session.fn.one()


TEMPLATES = """
#include <span>
#include <string>
#include <vector>
template <class T> std::string name(T) { return __PRETTY_FUNCTION__; }
template <class T> auto size(T &&x) { return x.size(); }
template <class T> auto copied(const T &x) { std::vector<double> v = x; return v.size(); }
template <class T> void pushed(T x) { x.push_back(1); }
template <class T> T same(T x) { return x; }
template <class T> double sum(std::span<T> xs) { double r = 0; for (auto x : xs) r += x; return r; }
template <class F> int called(F f) { return f(3); }
double pointers(const double *a, const double *b, const double *c) { return *a + *b + *c; }
"""


def test_templates_deduce_types_that_have_names(session: Session) -> None:
    session.run(TEMPLATES)
    fn, line, grid = session.fn, numpy.ones(3), numpy.ones((2, 2), "float32")
    for argument, kind in (
        (line, "std::span<const double>"),
        (Ref(line), "std::span<double>"),
        (grid, "farside::ndspan<const float, 2>"),
        (lambda: 1, "farside::Callable"),
    ):
        assert kind in fn.name(argument)
        assert "wire" not in fn.name(argument)
    assert fn.size(line) == fn.copied(line) == fn.sum(line) == 3
    assert fn.pointers(line, line, line) == 3.0
    assert fn.same(line).tolist() == [1, 1, 1]
    with pytest.raises(ArgumentMismatch, match=r"'push_back' in 'std::span<const double>'"):
        fn.pushed(line)
    twice = fn.same(lambda x: 2 * x)
    assert (twice.type, fn.called(twice)) == ("farside::Callable", 6)
    session.run("#include <farside/callable.h>\nstd::vector<farside::Callable> all;")
    session.call("[](farside::Callable f) { all.push_back(f); }", lambda text: f"{text}!")
    assert session.eval('std::string answer = all[0]("ho"); answer') == "ho!"
    assert session.eval("all[0]").text == "a Python callable"  # type: ignore[attr-defined]


def test_objects_of_a_class_that_was_defined_again_are_named(session: Session) -> None:
    session.run("struct K { int x; }; int take(K k) { return k.x; } K old{3};")
    old = session.eval("old")
    session.run("struct K { double y; }; K made{2.5}; double taken(K k) { return k.y; }")
    assert session.fn.taken(session.eval("made")) == 2.5
    with pytest.raises(ArgumentMismatch, match="K was defined again, and this object is of the ol"):
        session.fn.taken(old)
    with pytest.raises(ArgumentMismatch, match="there are two types K: a class was defined again"):
        session.fn.take(session.eval("made"))


def test_arrays_within_other_values_have_a_type(session: Session) -> None:
    session.run("#include <vector>\ntemplate <class T> T same(T x) { return x; }")
    session.run(
        "std::vector<std::vector<float>> floats(std::vector<std::vector<float>> v) { return v; }"
    )
    for given in (array("i", [1, 2]), memoryview(array("i", [1, 2])), numpy.array([1, 2], "i4")):
        alone, listed = session.fn.same(given), session.fn.same([given, given])
        keyed, paired = session.fn.same({"k": given}), session.fn.same((1, given))
        for found in (alone, listed[1], keyed["k"], paired[1]):
            assert isinstance(found, numpy.ndarray)
            assert (found.dtype, found.tolist()) == ("int32", [1, 2])
        assert [each.tolist() for each in session.fn.floats([given, given])] == [[1, 2], [1, 2]]
    assert session.fn.same([numpy.eye(2)])[0][1].tolist() == [0, 1]
    assert session.fn.same([bytearray(b"ab")])[0].tolist() == [97, 98]
    assert session.fn.same([b"ab"]) == ["ab"]
    with pytest.raises(ArgumentMismatch, match="give its text, as a str"):
        session.fn.same(array("u", "ab"))


HOLDERS = """
#include <any>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <typeinfo>
#include <variant>
#include <vector>
using Either = std::variant<std::any, std::vector<int>>;
std::any any(std::function<std::any()> f) { return f(); }
int integer(std::function<std::any()> f) { return std::any_cast<int>(f()); }
bool truth(std::function<std::any()> f) { return std::any_cast<bool>(f()); }
double real(std::function<std::any()> f) { return std::any_cast<double>(f()); }
std::string text(std::function<std::any()> f) { return std::any_cast<std::string>(f()); }
int optional(std::function<std::optional<std::any>()> f) { return std::any_cast<int>(*f()); }
int either(std::function<Either()> f) { return std::any_cast<int>(std::get<0>(f())); }
struct Meters { template <class T> Meters(T v) : m(v) {} double m; };
double meters(std::function<Meters()> f) { return f().m; }
struct Box {
  template <class T> Box(T v) : held(std::make_shared<T>(std::move(v))) {}
  std::shared_ptr<void> held; };
bool boxed(std::function<Box()> f) { return f().held != nullptr; }
template <class F> auto through(F f) { return f(); }
template <class F> auto kept(F f) { auto result = f(); return result; }
"""


def test_what_a_callable_returns_is_held_as_what_it_is(session: Session) -> None:
    session.run(HOLDERS)
    fn = session.fn
    for value in (3, True, 2.5, "text", 2**40, None):
        assert fn.any(lambda value=value: value) == fn.through(lambda value=value: value) == value
    assert [fn.integer(lambda: 3), fn.optional(lambda: 3), fn.either(lambda: 3)] == [3, 3, 3]
    assert [fn.truth(lambda: True), fn.real(lambda: 2.5), fn.text(lambda: "x")] == [True, 2.5, "x"]
    assert fn.meters(lambda: 2.5) == 2.5
    for call in (fn.any, fn.through):
        with pytest.raises(ArgumentMismatch, match=r"returned: a dict does not say which type"):
            call(lambda: {1: 2})
    with pytest.raises(ArgumentMismatch, match=r"does not become what this std::function is to"):
        fn.boxed(lambda: 3)
    with pytest.raises(ArgumentMismatch, match=r"would keep what a Python callable returns"):
        fn.kept(lambda: 3)
