"""Paths, times, wide text, large integers and copies of objects as arguments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest

from farside import As, Ref, Session
from farside.errors import ArgumentMismatch, CompileError, UndefinedName
from tests.session.conftest import NewSession

CODE = """
#include <any>
#include <chrono>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
namespace fs = std::filesystem;
namespace ch = std::chrono;
fs::path path(const fs::path &p) { return p / "x"; }
std::string text(const std::string &s) { return s; }
int chars(const char *s) { return std::string_view(s).size(); }
int paths(const std::vector<fs::path> &ps) { return ps.size(); }
std::wstring wide(std::wstring s) { return s; }
std::u16string u16(const std::u16string &s) { return s; }
std::u32string u32(std::u32string_view s) { return std::u32string(s); }
std::u8string u8(std::u8string s) { return s; }
size_t wcount(const wchar_t *s) { return std::wstring_view(s).size(); }
size_t units(const std::u16string &s) { return s.size(); }
wchar_t wc(wchar_t c) { return c; }
int wides(const std::vector<std::wstring> &s) { return s.size() * 10 + s[0].size(); }
long s(ch::seconds d) { return d.count(); }
long ms(ch::milliseconds d) { return d.count(); }
long long ns(ch::nanoseconds d) { return d.count(); }
double fs_(ch::duration<double> d) { return d.count(); }
short h(ch::duration<short, std::ratio<3600>> d) { return d.count(); }
long opt(std::optional<ch::seconds> d) { return d ? d->count() : -1; }
long total(const std::vector<ch::seconds> &ds) { long n = 0; for (auto d : ds) n += d.count(); return n; }
long long when(ch::system_clock::time_point t) { return t.time_since_epoch().count(); }
ch::sys_seconds same(ch::sys_seconds t) { return t; }
int days(ch::sys_days d) { return d.time_since_epoch().count(); }
ch::year_month_day next(ch::year_month_day d) { return ch::sys_days(d) + ch::days(1); }
__int128 big(__int128 x) { return x + 1; }
unsigned __int128 ubig(unsigned __int128 x) { return x - 1; }
int small(int x) { return x; }
double sum(std::span<const double> xs) { double r = 0; for (double x : xs) r += x; return r; }
int isum(const std::vector<int> &xs) { int r = 0; for (int x : xs) r += x; return r; }
struct Point { int x; double y; };
struct Line { Point from, to; std::string name; std::vector<int> marks; int class_(); };
struct Base { int b; };
struct Derived : Base { int d; };
struct Account { Account(int x) : balance(x) {} int balance; };
enum class Colour { red, green };
struct Pen { Colour colour; std::optional<int> width; };
Point moved(const Point &p) { return {p.x + 1, p.y}; }
double length(Line l) { return l.to.y - l.from.y + l.marks.size() + l.name.size(); }
int derived(Derived d) { return d.d; }
struct Person { int id; };
struct Nobody {};
template <int> struct Employee : Person { int id; };
struct Teacher : Employee<1>, Nobody, Employee<2> { int id; };
Teacher teacher(Teacher t) { return t; }
int account(Account a) { return a.balance; }
int pen(Pen p) { return int(p.colour) * 10 + p.width.value_or(5); }
"""
DAY = 86400 * 10**9
TEXTS = ["", "a", "ä€😀", "x" * 300 + "😀"]

FITS = [
    ("path", (Path("/a"),), Path("/a/x")),
    ("path", ("/a",), Path("/a/x")),
    ("path", (Path("/\udcff"),), Path("/\udcff/x")),
    ("text", (Path("/a"),), "/a"),
    ("chars", (Path("/ab"),), 3),
    ("paths", ([Path("a"), Path("b")],), 2),
    *[(name, (text,), text) for name in ("wide", "u16", "u32", "u8") for text in TEXTS],
    ("wcount", ("ä😀",), 2),
    ("units", ("😀",), 2),
    ("wc", ("ä",), "ä"),
    ("wides", (["äb", "c"],), 22),
    ("s", (timedelta(days=1),), 86400),
    ("s", (timedelta.max - timedelta(microseconds=999999),), 86399999999999),
    ("ms", (timedelta(seconds=-1.5),), -1500),
    ("ns", (timedelta(microseconds=3),), 3000),
    ("fs_", (timedelta(milliseconds=1),), 0.001),
    ("h", (timedelta(hours=-5),), -5),
    ("opt", (As("std::optional<std::chrono::seconds>", timedelta(minutes=1)),), 60),
    ("opt", (None,), -1),
    ("total", ([timedelta(seconds=1), timedelta(seconds=2)],), 3),
    ("ns", (np.timedelta64(7, "ns"),), 7),
    ("s", (np.timedelta64(2, "m"),), 120),
    ("when", (datetime(1970, 1, 2, tzinfo=UTC),), DAY),
    ("when", (datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),), 0),
    ("when", (np.datetime64(5, "ns"),), 5),
    ("same", (datetime(2024, 2, 29, 12, tzinfo=UTC),), datetime(2024, 2, 29, 12, tzinfo=UTC)),
    ("days", (date(1970, 1, 3),), 2),
    ("next", (date(2024, 2, 28),), date(2024, 2, 29)),
    ("next", (np.datetime64("2024-02-28"),), date(2024, 2, 29)),
    ("big", (2**100,), 2**100 + 1),
    ("big", (-(2**127),), -(2**127) + 1),
    ("big", (5,), 6),
    ("ubig", (2**128 - 1,), 2**128 - 2),
    ("ubig", (2**64,), 2**64 - 1),
    ("sum", (np.array([1.0, 2.0], ">f8"),), 3.0),
    ("isum", (np.array([[1, 2]], ">i4")[0],), 3),
]
MISFITS = [
    ("text", "a\udcff", r"the str 'a\\udcff' is no valid text: .* at index 1; .* pathlib.Path"),
    ("path", "a\udcff", "is no valid text"),
    ("wide", b"a", "bytes cannot become std::(__cxx11::)?basic_string<wchar_t>|no matching"),
    ("wc", "ab", "a str cannot become wchar_t"),
    ("s", timedelta(seconds=1.5), "a timedelta is not exact as, or does not fit, std::chrono"),
    ("ns", timedelta.max, "a timedelta is not exact as, or does not fit, std::chrono"),
    ("h", timedelta(hours=40000), "does not fit"),
    ("opt", timedelta(1), "this timedelta does not say which type of C"),
    ("s", 5, "no known conversion from 'int' to"),
    (
        "small",
        timedelta(1),
        r"small\(timedelta\)(.|\n)*conversion from a Python timedelta to 'int'",
    ),
    ("s", np.timedelta64("NaT"), "NaT has no form"),
    (
        "ns",
        np.timedelta64(3, "ps"),
        r"in the unit 'ps' has no form .*astype\('timedelta64\[ns\]'\)",
    ),
    ("s", np.array([1, 2], "m8[s]"), r"an array of timedelta64\[s\] has no form in C\+\+; .*int64"),
    ("when", datetime(2024, 1, 1), "does not say its time zone; give it one"),
    ("when", datetime(9999, 1, 1, tzinfo=UTC), "a datetime is not exact as, or does not fit"),
    ("same", datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC), "a datetime is not exact"),
    ("small", 2**100, "argument 1: an int of more than 64 bits cannot become int"),
    ("big", 2**127, "does not fit"),
    ("ubig", -(2**100), "does not fit"),
    ("big", 2**200, r"an int of more than 128 bits: C\+\+ has no integer"),
    ("sum", Ref(np.array([1.0], ">f8")), "must have the machine's byte order"),
]


def test_arguments_of_more_kinds(new_session: NewSession) -> None:
    session = new_session(opt=0)  # there is much to compile
    session.run(CODE)
    for name, arguments, expected in FITS:
        assert session.call(name, *arguments) == expected, (name, arguments)
    for name, argument, message in MISFITS:
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, argument)
    # A template takes what they are by themselves.
    for argument, kind in (
        (Path("a"), "std::filesystem::"),
        (date(2024, 1, 1), "std::chrono::year_month_day"),
        (2**100, "__int128"),
    ):
        assert kind in session.call(
            "[](auto x) { return std::string(__PRETTY_FUNCTION__); }", argument
        )
    assert (
        session.call("[](auto x) { return x.count(); }", As("std::chrono::hours", timedelta(1)))
        == 24
    )

    # What eval and calls gave can be given again.
    point = session.eval("Point{1, 2.5}")
    assert session.fn.moved(point) == session.eval("Point{2, 2.5}")
    line = session.eval('Line{{1, 2.5}, {2, 4}, "ab", {7, 8, 9}}')
    assert session.fn.length(line) == 6.5
    assert session.fn.pen(session.eval("Pen{Colour::green, {}}")) == 15
    assert session.fn.pen(session.eval("Pen{Colour::green, 3}")) == 13
    assert session.fn.derived(session.eval("Derived{{1}, 2}")) == 2
    teacher = session.eval("Teacher{{{1}, 2}, {}, {{3}, 4}, 5}")
    assert session.fn.teacher(teacher) == teacher
    session.run("struct At { int *p; }; int pointed = 7; int *at(At a) { return a.p; }")
    for expression, at in (("At{&pointed}", "&pointed"), ("At{nullptr}", "(int *)nullptr")):
        assert session.fn.at(session.eval(expression)) == session.eval(at)
    for name, expression, message in (
        ("account", "Account(3)", "an object of Account cannot be made again of its members"),
        ("moved", "Pen{}", "no known conversion from 'Pen' to 'const Point'"),
    ):
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, session.eval(expression))
    # Callbacks return what can be an argument.
    assert (
        session.call(
            "[](std::function<ch::seconds()> f) { return f().count(); }", lambda: timedelta(1)
        )
        == 86400
    )


def test_times_and_complex_numbers_after_a_first_call(new_session: NewSession) -> None:
    session = new_session(use_pch=False)
    session.run("#include <vector>\nlong sum(std::vector<long> v) { return v[0] + v[1]; }")
    assert session.fn.sum([1, 2]) == 3
    session.run("#include <chrono>\nlong later(std::chrono::seconds s) { return s.count(); }")
    assert session.fn.later(timedelta(minutes=1)) == 60
    session.run("#include <complex>\ndouble im(std::complex<double> c) { return c.imag(); }")
    assert session.fn.im(1 + 2j) == 2.0


def test_arguments_by_name_are_told_what_to_do(session: Session) -> None:
    session.run("struct Box { int n = 1; int twice(int x) { return 2 * x; } }; int f(int x);")
    box = session.new("Box")
    for call in (session.fn.f, session.of(box).twice):
        with pytest.raises(TypeError, match="no arguments by name, such as x; give the values"):
            call(x=1)


def test_a_member_that_is_not_there(session: Session) -> None:
    session.run("struct Box { int n = 1; };")
    with pytest.raises(UndefinedName, match="no member named 'nothing' in 'Box'") as caught:
        session.of(session.new("Box")).nothing(3)
    assert caught.value.names == ("nothing",)
    assert "include" not in str(caught.value)


def test_code_that_is_no_text(session: Session) -> None:
    for use in (session.run, session.eval, session.call):
        with pytest.raises(CompileError, match=r"alone, '\\udc80', in line 2, character 7"):
            use('1;\nx = "a\udc80";')
    assert session.eval("1") == 1


def test_an_older_standard_is_said_plainly(new_session: NewSession) -> None:
    session = new_session(std="c++17")
    session.run("#include <vector>\nint size(std::vector<int> v) { return v.size(); }")
    with pytest.raises(
        ArgumentMismatch,
        match=r"^size\(list\): calls with more than numbers need C\+\+20 or later; this",
    ):
        session.fn.size([1, 2])
