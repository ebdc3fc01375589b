"""Objects that C++ gave, changed or not, as arguments again; variants within other values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy
import pytest

from farside import ArgumentMismatch, As, Session
from tests.session.conftest import NewSession

CODE = """
#include <cstddef>
#include <map>
#include <string>
#include <variant>
#include <vector>
struct P { int x = 1; };
struct Alternative { std::variant<int, std::string, P> v; int n; };
struct Arrays { char name[8]; int n; double grid[2][3]; std::string s;
  std::byte raw[2]; };
struct Merged { int k; union { int i; float f; char c[4]; }; struct { int q; P p; }; int *at; };
struct Base { char name[4]; };
struct Derived : Base { int m; };
struct Fixed { const char name[4]; };
Alternative alternative(Alternative a) { return a; }
Arrays arrays(Arrays a) { return a; }
Merged merged(Merged m) { return m; }
Derived derived(Derived d) { return d; }
int fixed(Fixed) { return 1; }
template <class V> int index(const std::vector<V> &vs) {
  int r = 0; for (auto &v : vs) r = 10 * r + 1 + v.index(); return r; }
int indices(const std::vector<std::variant<int, std::string>> &vs) { return index(vs); }
int doubles(const std::vector<std::variant<double, int, bool, std::vector<int>>> &vs) { return index(vs); }
int keyed(const std::map<std::string, std::variant<std::monostate, double>> &m) { return m.at("k").index(); }
using Any = std::variant<std::monostate, bool, char, int, double, std::string, P, std::vector<long>>;
int any(Any v) { return v.index(); }
int number = 3;
"""


@pytest.fixture
def session(new_session: NewSession) -> Session:
    session = new_session(opt=0)
    session.run(CODE)
    return session


def test_copies_are_made_again_with_what_they_hold(session: Session) -> None:
    for name, code in (
        ("alternative", 'Alternative{"abc", 3}'),
        ("alternative", "Alternative{P{4}, 3}"),
        ("arrays", 'Arrays{"abc", 3, {{1, 2, 3}, {4, 5, 6}}, "s", {std::byte(9)}}'),
        ("arrays", 'Arrays{{1, 0, 2, 0, 0, 0, 0, 3}, 3, {}, "", {}}'),
        ("merged", "Merged{1, {300}, {2, {3}}, &number}"),
        ("derived", 'Derived{{"abc"}, 5}'),
    ):
        value = session.eval(code)
        assert session.call(name, value) == value, code


def test_copies_can_be_changed(session: Session) -> None:
    value: Any = session.eval('Alternative{"abc", 3}')
    for held in (5, "text"):
        assert session.fn.alternative(replace(value, v=held)).v == held
    with pytest.raises(ArgumentMismatch, match="None cannot become std::variant<int"):
        session.fn.alternative(replace(value, v=None))
    arrays: Any = session.eval('Arrays{"abc"}')
    changed = replace(arrays, name="q", grid=numpy.ones((2, 3)))
    assert session.fn.arrays(changed) == changed
    assert session.fn.arrays(replace(arrays, grid=[[1, 2, 3], [4, 5, 6]])).grid.sum() == 21
    for name, wrong, message in (
        ("name", "ninechars", "text of 9 characters does not fit an array of 8"),
        ("grid", numpy.ones((3, 3)), "9 values cannot become double"),
        ("grid", [[1, 2], [3, 4]], "2 values cannot become double"),
        ("raw", b"abc", "text of 3 characters does not fit an array of 2"),
    ):
        with pytest.raises(ArgumentMismatch, match=message):
            session.fn.arrays(replace(arrays, **{name: wrong}))
    with pytest.raises(ArgumentMismatch, match="cannot be made again of its members"):
        session.fn.fixed(session.eval('Fixed{"abc"}'))


def test_members_of_a_union_must_agree(session: Session) -> None:
    value: Any = session.eval("Merged{1, {5}, {2, {3}}, nullptr}")
    assert session.fn.merged(replace(value, k=7)).k == 7
    with pytest.raises(ArgumentMismatch, match="members of a union, which are one and the same"):
        session.fn.merged(replace(value, i=6))
    changed = replace(value, i=6, f=8.407790785948902e-45, c="\6")
    assert session.fn.merged(changed) == changed


def test_variants_within_other_values(session: Session) -> None:
    fn = session.fn
    assert fn.indices([1, "a", 2]) == 121
    assert fn.doubles([1.5, 1, True, [1]]) == 1234
    assert fn.keyed({"k": None}) == 0
    assert fn.keyed({"k": 1}) == 1
    given = [None, True, 3, 2.5, "x", "text", session.eval("P{}"), [1, 2]]
    assert [fn.any(each) for each in given[:-2]] == [0, 1, 3, 4, 5, 5]
    assert fn.any(given[-2]) == 6
    kind = "std::variant<int, std::string, std::vector<double>>"
    for value, index in ((3, 0), ("a", 1), ([1.5], 2)):
        assert session.call("[](auto v) { return v.index(); }", As(kind, value)) == index
    with pytest.raises(ArgumentMismatch, match="a complex cannot become std::variant<int"):
        fn.indices([1j, 1j])
