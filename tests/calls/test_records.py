"""Copies of C++ objects within other values, and dataclasses of Python's, as arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from farside import ArgumentMismatch, As, Ref, Session
from tests.session.conftest import NewSession

CODE = """
#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <variant>
#include <vector>
struct P { int x; double y; };
struct Deep { std::string name; P p; int grid[2]; std::vector<P> more; P *at; };
struct Fixed { const int c; std::string n; };
struct Empty { };
struct WithEmpty : Empty { int k; };
struct OnlyBase : P { };
struct Derived : P { int k; };
struct Union { int k; union { int i; float f; }; };
struct Bits { unsigned b : 3; };
struct Made { Made(int q) : q(q) {} int q; };
struct Lock { std::mutex m; int q; };
P some{7, 8};
double total(const std::vector<P> &ps) { double t = 0; for (auto &p : ps) t += p.x + p.y; return t; }
std::vector<P> same(std::vector<P> ps) { return ps; }
P one(P p) { return p; }
int of(const P &p) { return p.x; }
std::map<std::string, P> mapped(std::map<std::string, P> m) { return m; }
std::optional<P> maybe(std::optional<P> p) { return p; }
std::array<P, 2> two(std::array<P, 2> ps) { return ps; }
std::tuple<int, P> pair(std::tuple<int, P> p) { return p; }
int index(std::variant<int, P, std::string> v) { return v.index(); }
int overloaded(const std::vector<double> &) { return 1; }
int overloaded(const std::vector<P> &) { return 2; }
int plain(const std::vector<P> &) { return 1; }
int plain(const std::set<int> &) { return 2; }
int from(std::function<P(int)> f) { return f(3).x; }
template <class T> int sized(const std::vector<T> &v) { return v.size() * sizeof(T); }
template <class T> int whatever(T) { return 1; }
Deep deep(Deep d) { return d; }
Fixed fixed(Fixed f) { return f; }
std::vector<Fixed> fixeds(std::vector<Fixed> f) { return f; }
std::vector<WithEmpty> with(std::vector<WithEmpty> w) { return w; }
std::vector<OnlyBase> only(std::vector<OnlyBase> w) { return w; }
int derived(std::vector<Derived>) { return 1; }
int unions(std::vector<Union>) { return 1; }
int bits(std::vector<Bits>) { return 1; }
int made(std::vector<Made>) { return 1; }
int lock(Lock &&) { return 1; }
void change(P &p) { p.x += 1; }
"""


@dataclass
class Point:
    x: Any
    y: Any


@dataclass
class Deep:
    name: str
    p: Any
    grid: Any
    more: Any
    at: Any


@dataclass
class Short:
    x: int


@dataclass
class Long:
    x: int
    y: float
    z: int


@dataclass
class Counted:
    c: int
    n: str


@dataclass
class Single:
    q: int


@dataclass
class Scaled:
    by: int

    def __call__(self, x: int) -> Any:
        return Point(self.by * x, 0)


@dataclass
class OfBits:
    b: int


@pytest.fixture
def session(new_session: NewSession) -> Session:
    session = new_session(opt=0)
    session.run(CODE)
    return session


def test_copies_in_containers(session: Session) -> None:
    fn = session.fn
    one, two = session.eval("P{1, 2.5}"), session.eval("P{3, 4.5}")
    assert fn.total([one, two]) == fn.total((one, two)) == 11
    assert fn.same([one, two]) == [one, two]
    assert fn.same([]) == []
    assert fn.maybe(None) is None
    assert fn.mapped({"a": one, "b": two}) == {"a": one, "b": two}
    assert fn.two([one, two]) == [one, two]
    assert fn.pair((1, one)) == (1, one)
    assert fn.overloaded([one]) == 2
    assert fn.overloaded([1, 2]) == fn.overloaded([1.5]) == 1
    assert fn.plain([1, 2]) == 2
    assert fn.sized([one, two]) == 32
    for name, code in (("with", "WithEmpty{{}, 3}"), ("only", "OnlyBase{{1, 2}}")):
        value = session.eval(code)
        assert session.call(name, [value]) == [value]
    value = session.eval('Fixed{1, "a"}')
    assert fn.fixeds([value]) == [value]


def test_dataclasses(session: Session) -> None:
    fn = session.fn
    assert fn.one(Point(1, 2.5)) == session.eval("P{1, 2.5}")
    assert fn.of(Point(1, 2)) == 1
    assert fn.total([Point(1, 2.5), session.eval("P{3, 4.5}")]) == 11
    assert fn.mapped({"a": Point(3, 4)})["a"].y == 4
    assert fn.maybe(As("P", Point(1, 2))).x == 1
    assert [fn.index(each) for each in (3, As("P", Point(1, 2)), "a")] == [0, 1, 2]
    assert fn.overloaded([Point(1, 2)]) == 2
    assert fn["from"](lambda n: Point(n, 2.5)) == 3
    assert fn.sized(As("std::vector<P>", [Point(1, 2)])) == 16
    assert fn.fixed(Counted(1, "a")).n == "a"
    assert fn["from"](Scaled(4)) == 12  # what can be called is called
    with pytest.raises(ArgumentMismatch, match="a Python Value has no form"):
        fn.total([session.new("P")])
    changed = Ref(Point(1, 2), "P")
    fn.change(changed)
    assert changed.value.x == 2


def test_members_are_made_like_arguments(session: Session) -> None:
    fn = session.fn
    given = Deep("n", Point(1, 2), [3, 4], [Point(5, 6), session.eval("P{7, 8}")], None)
    found = fn.deep(given)
    assert (found.name, found.p.y, found.grid.tolist()) == ("n", 2, [3, 4])
    assert [each.x for each in found.more] == [5, 7]
    assert found.at is None
    at = session.eval("&some")
    assert fn.deep(replace(given, at=at)).at == at


def test_a_mistake_names_the_member(session: Session) -> None:
    fn = session.fn
    mistakes: tuple[tuple[Callable[[], Any], str], ...] = (
        (lambda: fn.one(Point("a", 2)), "argument 1: member x of P: a str cannot become int"),
        (lambda: fn.one(Point(1.5, 2)), "member x of P: a float cannot become int"),
        (lambda: fn.one(Point(2**40, 2)), "member x of P: 1099511627776 does not fit int"),
        (
            lambda: fn.one(Short(1)),
            "P has the member y, which the dataclass does not have; add a field of this name",
        ),
        (lambda: fn.total([Point(1, 2), Short(1)]), "P has the member y"),
        (lambda: fn.one(Long(1, 2, 3)), "P has no member z; leave this field out"),
        (
            lambda: fn.deep(Deep("n", Point(1, 2), [3, 4], [Point(5, "b")], None)),
            "member more of Deep: member y of P: a str cannot become double",
        ),
        (
            lambda: fn.deep(Deep("n", Point(1, 2), [3, 4, 5], [], None)),
            "member grid of Deep: 3 values cannot become int",
        ),
        (
            lambda: fn.deep(Deep("n", Point(1, 2), [3, 4], [], 5)),
            r"member at of Deep: an int cannot become P \*",
        ),
        (lambda: fn.total([session.eval("P{}"), 3]), "an int cannot become P"),
    )
    for call, message in mistakes:
        with pytest.raises(ArgumentMismatch, match=message):
            call()


def test_classes_that_cannot_be_made(session: Session) -> None:
    fn = session.fn
    for name, value, message in (
        ("derived", session.eval("Derived{{1, 2}, 3}"), "it has base classes with members"),
        (
            "unions",
            session.eval("Union{1, {2}}"),
            "no value of Python's becomes std::vector<Union>",
        ),
        ("bits", OfBits(1), "Bits cannot be made of its members"),
        ("made", session.eval("Made(1)"), "no value of Python's becomes std::vector<Made>"),
        ("made", Single(1), "no known conversion from a Python list to 'std::vector<Made>'"),
    ):
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, [value])
    with pytest.raises(ArgumentMismatch, match="a template takes it"):
        fn.whatever([Point(1, 2)])
