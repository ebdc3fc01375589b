"""Arguments arrive as they are or not at all, also where the library converts them."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from farside import As, Ref
from farside.errors import ArgumentMismatch
from farside.session import Session

CODE = """
#include <any>
#include <complex>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <variant>
#include <vector>
int opt(std::optional<int> a) { return a.value_or(-1); }
float optf(std::optional<float> a) { return a.value_or(-1); }
int byRef(const std::optional<unsigned char> &a) { return *a; }
int tup(std::tuple<int, short> a) { return std::get<0>(a) + std::get<1>(a); }
int pr(std::pair<int, std::optional<short>> a) { return a.first + a.second.value_or(0); }
int var(std::variant<int, std::string> v) { return v.index(); }
float flt(float f) { return f; }
float cf(std::complex<float> c) { return c.real() + c.imag(); }
std::string any(std::any a) { return std::to_string(std::any_cast<int>(a)); }
struct Meters { template <class T> Meters(T v) : m(v) {} double m; };
double meters(Meters m) { return m.m; }
int over(int) { return 1; }
int over(std::optional<double>) { return 2; }
template <class T> int sizeOf(const T &t) { return t.size(); }
int bytes(auto x) { return sizeof x; }
std::function<int(int)> adder(int n) { return [n](int m) { return n + m; }; }
int apply(std::function<int(int)> f, int x) { return f(x); }
"""

FITS = [
    ("opt", 5, 5),
    ("opt", None, -1),
    ("optf", 2.5, 2.5),
    ("byRef", 255, 255),
    ("tup", (1, 2), 3),
    ("pr", (1, 2), 3),
    ("var", 3, 0),
    ("var", "x", 1),
    ("flt", 2.0, 2.0),
    ("flt", float("inf"), float("inf")),
    ("cf", 1 + 2j, 3.0),
    ("any", 3, "3"),
    ("meters", 2.5, 2.5),
    ("over", 3, 1),
    ("sizeOf", [1, 2], 2),
    ("sizeOf", {"a": 1}, 1),
]
MISFITS = [
    ("opt", 2**40, "argument 1: 1099511627776 does not fit int"),
    ("opt", -(2**31) - 1, "argument 1: -2147483649 does not fit int"),
    ("opt", 2.5, "a float cannot become int"),
    ("optf", 1e300, r"1e\+300 does not fit float"),
    ("byRef", 256, "256 does not fit unsigned char"),
    ("byRef", -1, "-1 does not fit unsigned char"),
    ("tup", (2**40, 1), "1099511627776 does not fit int"),
    ("tup", (1, 70000), "70000 does not fit short"),
    ("pr", (1, 70000), "70000 does not fit short"),
    ("var", 2**40, "no matching function"),
    ("flt", 1e300, r"argument 1: 1e\+300 does not fit float"),
    ("cf", 1e300, r"1e\+300 does not fit float"),
    ("over", 2**40, "1099511627776 does not fit int"),
    ("sizeOf", [], r"does not say which type of C\+\+ it is; .* farside.As"),
    ("sizeOf", [1, "a"], r"does not say which type of C\+\+ it is"),
    ("bytes", [1, None], r"argument 1: a template takes it, and this list does not say which type"),
]


def test_arguments_are_what_they_were(session: Session) -> None:
    session.run(CODE)
    found = [(name, given, session.call(name, given)) for name, given, _ in FITS]
    assert found == FITS
    for name, given, message in MISFITS:
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, given)


def test_a_constructor_is_called_as_it_is(session: Session) -> None:
    session.run(CODE)
    assert session.call("std::string", 3, As("char", "x")) == "xxx"


def test_functions_that_calls_return_are_alive(session: Session) -> None:
    session.run(CODE)
    add = session.call("adder", 5)
    assert session.call("apply", add, 3) == 8
    assert session.call("operator()", add, 4) == 9


def test_a_callback_may_end_the_interpreter(session: Session) -> None:
    session.run(CODE)
    with pytest.raises(SystemExit, match="3"):
        session.call("apply", lambda _: sys.exit(3), 1)
    assert session.call("apply", lambda x: x + 1, 1) == 2


TEXT = r"""
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>
template <class T, class U> auto sum(T a, U b) { return a + b; }
auto added = [](auto a, const auto &b) { return a + b; };
template <class... A> int written(const char *format, A... a) { return std::snprintf(nullptr, 0, format, a...); }
struct Named { template <class T> Named(T x) : name(x) {} const char *name; };
template <class C> int units(const C *text) { return (int)(sizeof(C) * std::strlen(text)); }
int length(const char *text) { return (int)std::strlen(text); }
int wide(const char16_t *text) { int n = 0; while (text[n]) ++n; return n; }
int letters(const char *data, unsigned long size) { int n = 0; while (size--) n += *data++ == 'a'; return n; }
int untyped(const void *data, unsigned long size) { return ((const char *)data)[size - 1]; }
int printed(const char *format, ...) {
  std::va_list all; va_start(all, format);
  int n = std::vsnprintf(nullptr, 0, format, all); va_end(all); return n; }
"""


def test_text_is_no_pointer_to_a_template(session: Session) -> None:
    session.run(TEXT)
    fn = session.fn
    for call, *arguments in (
        (fn.sum, 100, "a"),
        (fn.added, 1, "hello"),
        (fn.written, "%s", "text"),
        (session.new, "Named", "text"),
    ):
        with pytest.raises(ArgumentMismatch, match=r"takes it.*As\(\"const char \*\""):
            call(*arguments)
    assert fn.sum("a", "hello") == fn.added("a", "hello") == "ahello"
    text = As("const char *", "hello")
    assert fn.sum(1, text) == fn["sum<int, const char *>"](1, "hello") == "ello"
    assert [fn.written("%s", text), fn.units("hello"), fn.printed("%s!", "text")] == [5, 5, 5]


def test_text_with_a_zero_is_no_text_that_a_zero_ends(session: Session) -> None:
    session.run(TEXT)
    fn = session.fn
    for call, text in (
        (fn.length, "ab\0cd"),
        (fn.length, b"ab\0cd"),
        (fn.length, As("const char *", "ab\0cd")),
        (fn.wide, "ab\0cd"),
    ):
        with pytest.raises(ArgumentMismatch, match="with a zero, at byte 2"):
            call(text)
    assert [fn.length("abcd"), fn.length(b"abcd"), fn.wide("abcd")] == [4, 4, 4]
    assert fn.letters(memoryview(b"ab\0a").cast("b"), 4) == 2
    assert [fn.untyped(b"ab\0a", 4), fn["std::string"]("a\0b")] == [ord("a"), "a\0b"]


NULLS = """
#include <memory>
#include <optional>
#include <string>
#include <variant>
using Text = std::variant<int, std::string>;
using Maybe = std::variant<std::monostate, int, std::string>;
auto text(Text v) { return v.index(); }
auto text_by_reference(const Text &v) { return v.index(); }
auto view(std::variant<int, std::string_view> v) { return v.index(); }
auto string(std::string v) { return v.size(); }
auto string_view(std::string_view v) { return v.size(); }
auto numbers(std::variant<int, double> v) { return v.index(); }
auto maybe(const Maybe &v) { return v.index(); }
auto last(std::variant<int, std::monostate> v) { return v.index(); }
auto pointer(std::variant<std::string, const char *> v) { return v.index(); }
auto shared(std::variant<int, std::shared_ptr<int>> v) { return v.index(); }
auto optional(std::optional<Text> v) { return v.has_value(); }
auto plain(const int *v) { return v == nullptr; }
"""


@pytest.mark.parametrize("std", ["c++20", "c++23"])
def test_none_is_no_text(std: str) -> None:
    """Before C++23 a null pointer becomes a std::string, which reads there."""
    with Session(std=std, output="capture") as session:
        session.run(NULLS)
        check_nulls(session)


def check_nulls(session: Session) -> None:
    for name in ("text", "text_by_reference", "view", "string", "string_view", "numbers"):
        with pytest.raises(ArgumentMismatch, match=rf"{name}\(None\): "):
            session.call(name, None)
    with pytest.raises(ArgumentMismatch, match=r"Text\(None\): "):
        session.new("Text", None)
    taken = {"maybe": 0, "last": 1, "pointer": 1, "shared": 1, "optional": False, "plain": True}
    assert {name: session.call(name, None) for name in taken} == taken
    assert [session.call(name, "x") for name in ("text", "maybe")] == [1, 2]


BY_NAME = """
#include <any>
#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>
struct Own { int a; Own(int a) : a(a) {} };
struct Meters { template <class T> Meters(T v) : m(v) {} double m; };
bool yes(bool b) { return b; }
int bits(std::vector<bool> v) { return (int)v.size(); }
int length(std::string s) { return (int)s.size(); }
int pointed(const char *s) { return s != nullptr; }
double half(double x) { return x / 2; }
long double exact(long double x) { return x; }
"""
BY_NAME_FITS = [
    ("std::pair<int,int>", (2, 1), (2, 1)),
    ("std::pair<int,float>", (np.int64(2), 1.5), (2, 1.5)),
    ("std::tuple<int,unsigned char>", (2, 200), (2, 200)),
    ("std::optional<int>", (5,), 5),
    ("std::variant<int,double>", (2.5,), 2.5),
    ("std::any", (3,), 3),
    ("std::pair", (1, 2), (1, 2)),
    ("std::make_pair", (1, 2), (1, 2)),
    ("std::make_unique<int>", (2,), 2),
    ("std::make_unique<std::any>", (3,), 3),
    ("std::make_optional<int>", (2,), 2),
    ("int", (7,), 7),
    ("char", ("x",), "x"),
    ("bool", (1,), True),
    ("float", (2.5,), 2.5),
    ("unsigned char", (200,), 200),
    ("yes", (1,), True),
    ("yes", (np.bool_(True),), True),
    ("yes", (np.array(False),), False),
    ("bits", ([1, 0],), 2),
    ("bits", (np.array([1, 0]),), 2),
    ("pointed", (None,), 0),
    ("half", (np.longdouble(1),), 0.5),
    ("exact", (np.longdouble(1),), 1),
]
BY_NAME_MISFITS = [
    ("std::pair<int,int>", (2**40, 1), "argument 1: 1099511627776 does not fit int"),
    ("std::pair<int,int>", (np.int64(2**40), 1), "argument 1: 1099511627776 does not fit int"),
    ("std::tuple<int,unsigned char>", (2, 300), "argument 2: 300 does not fit unsigned char"),
    ("std::optional<int>", (2.5,), "argument 1: a float cannot become int"),
    ("std::make_unique<int>", (2.5,), "a float cannot become int"),
    ("std::make_unique<Own>", (2**40,), "1099511627776 does not fit int"),
    ("std::make_shared<int>", (2**40,), "1099511627776 does not fit int"),
    ("std::make_optional<int>", (2.5,), "a float cannot become int"),
    ("std::make_any<int>", (2.5,), "a float cannot become int"),
    ("int", (2**40,), "1099511627776 does not fit int"),
    ("int", (2.5,), "is a float and would become int"),
    ("char", (300,), "300 does not fit char"),
    ("std::byte", (300,), "300 does not fit std::byte"),
    ("long", (1e30,), "is a float and would become long"),
    ("float", (1e300,), r"1e\+300 does not fit float"),
    ("unsigned char", (300,), "300 does not fit unsigned char"),
    ("int*", (5,), r"this int cannot become int \*"),
    ("bool", ("x",), "str"),
    ("yes", ("False",), "'std::string'"),
    ("yes", ("",), "'std::string'"),
    ("yes", (2,), "2 does not fit bool"),
    ("yes", (np.zeros(1),), "this ndarray of double, 1 cannot become bool"),
    ("yes", (np.zeros(0),), "this ndarray of double, 0 cannot become bool"),
    ("yes", (bytearray(1),), "this bytearray of unsigned char, 1 cannot become bool"),
    ("bits", ([2, 0],), "2 does not fit bool"),
    ("bits", (np.array([2, 0]),), "2 does not fit bool"),
    ("length", (None,), "None cannot become"),
    ("half", (np.longdouble("1e4000"),), "does not fit double"),
]


def test_types_and_factories_by_name_cut_nothing(session: Session) -> None:
    session.run(BY_NAME)
    found = [(name, given, session.call(name, *given)) for name, given, _ in BY_NAME_FITS]
    assert found == BY_NAME_FITS
    for name, given, message in BY_NAME_MISFITS:
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, *given)
    with pytest.raises(ArgumentMismatch, match="does not fit int"):
        session.new("std::pair<int,int>", 2**40, 1)
    assert session.call("Meters", 2.5).m == 2.5
    numbers = session.new("std::vector<int>")
    with pytest.raises(ArgumentMismatch, match="does not fit int"):
        session.of(numbers).emplace_back(2**40)
    assert session.of(numbers).emplace_back(5) == 5


FORWARDS = """
#include <memory>
#include <string>
#include <utility>
#include <vector>
struct Own { int a; Own(int a) : a(a) {} };
int whole(int x) { return x; }
int either(int x) { return 1; }
int either(double x) { return 2; }
template <class T> std::string name(T &&) { return __PRETTY_FUNCTION__; }
template <class T> int on(T &&x) { return whole(std::forward<T>(x)); }
template <class T> int further(T &&x) { return on(std::forward<T>(x)); }
template <class T> auto chosen(T &&x) { return either(std::forward<T>(x)); }
template <class T> auto named(T &&x) { return name(std::forward<T>(x)); }
template <class T, class... A> std::unique_ptr<T> made(A &&...a) {
  return std::make_unique<T>(std::forward<A>(a)...); }
template <class T> struct Box { T held; template <class... A> Box(A &&...a) : held(std::forward<A>(a)...) {} };
struct Bag { std::vector<Own> all; template <class... A> int add(A &&...a) {
  return all.emplace_back(std::forward<A>(a)...).a; } };
template <class T> double half(T &&x) { return x / 2; }
template <class T> auto both(T &&x) { return name(x) + std::to_string(whole(std::forward<T>(x))); }
"""


def test_what_a_template_of_the_users_only_hands_on_does_not_change(session: Session) -> None:
    session.run(FORWARDS)
    for name, given, expected in (
        ("on", 3, 3),
        ("further", 3, 3),
        ("made<Own>", 3, session.eval("Own(3)")),
        ("chosen", 2.5, 2),
        ("chosen", 3, 1),
        ("half", 2.5, 1.25),
        ("named", 3, "std::string name(T &&) [T = int]"),
        ("both", 3, "std::string name(T &&) [T = int &]3"),
    ):
        assert session.call(name, given) == expected, name
    assert session.call("Box<int>", 3).held == 3
    bag = session.new("Bag")
    assert session.of(bag).add(5) == 5
    for name, given, message in (
        ("on", 2**40, "argument 1: 1099511627776 does not fit int"),
        ("on", 2.5, "argument 1: a float cannot become int"),
        ("further", 2**40, "1099511627776 does not fit int"),
        ("made<Own>", 2**40, "1099511627776 does not fit int"),
        ("made<short>", 2.5, "a float cannot become short"),
        ("Box<int>", 2.5, "a float cannot become int"),
    ):
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, given)
    with pytest.raises(ArgumentMismatch, match="does not fit int"):
        session.of(bag).add(2**40)


def test_an_error_says_what_this_call_was_given(session: Session) -> None:
    session.run(BY_NAME)
    for value, said in ((bytearray(b"xy"), "bytearray"), (memoryview(b"xyz"), "memoryview")):
        with pytest.raises(ArgumentMismatch, match=rf"length\({said} of"):
            session.fn.length(value)
    numbers = session.new("std::vector<int>")
    with pytest.raises(ArgumentMismatch, match=r"^std::vector<int>\.at\(int\)"):
        session.of(numbers).at(-1)


SMALL = """
#include <bitset>
#include <chrono>
#include <cstdint>
#include <expected>
#include <optional>
enum Color { red, green = 70000 };
using Deep = std::optional<std::optional<short>>;
int bits(std::bitset<9> b) { return (int)b.to_ulong(); }
int deep(Deep o) { return **o; }
int expected(std::expected<short, int> e) { return *e; }
float flt(float x) { return x; }
float opt_float(std::optional<float> x) { return *x; }
int shrt(short x) { return x; }
const short &by_reference(const short &x) { return x; }
"""
SMALL_FITS = [
    ("bits", 511, 511),
    ("bits", np.int64(5), 5),
    ("std::bitset<4>", 15, 15),
    ("std::bitset<64>", 2**64 - 1, 2**64 - 1),
    ("deep", -5, -5),
    ("deep", As("int", 5), 5),
    ("expected", 5, 5),
    ("std::chrono::year", -5, -5),
    ("std::chrono::day", 30, 30),
    ("flt", As("double", 2.5), 2.5),
    ("flt", As("double", 3), 3.0),
    ("opt_float", As("double", 2.5), 2.5),
    ("shrt", As("int64_t", 7), 7),
    ("shrt", As("Color", 1), 1),
]
SMALL_MISFITS = [
    ("bits", 1000, r"argument 1: 1000 does not fit std::bitset<9>"),
    ("bits", np.int64(1000), r"1000 does not fit std::bitset<9>"),
    ("bits", As("int", 1000), r"1000 does not fit std::bitset<9>"),
    ("bits", -1, "-1 does not fit unsigned long"),
    ("std::bitset<4>", 100, r"100 does not fit std::bitset<4>"),
    ("deep", 70000, "argument 1: 70000 does not fit short"),
    ("deep", np.int64(70000), "argument 1: 70000 does not fit short"),
    ("deep", As("int", 70000), "argument 1: 70000 does not fit short"),
    ("deep", 2.5, "a float cannot become short"),
    ("expected", 70000, "argument 1: 70000 does not fit short"),
    ("std::chrono::year", 70000, "argument 1: 70000 does not fit std::chrono::year"),
    ("std::chrono::month", 300, "300 does not fit std::chrono::month"),
    ("std::chrono::day", 300, "300 does not fit std::chrono::day"),
    ("std::chrono::weekday", 300, "300 does not fit std::chrono::weekday"),
    ("std::chrono::seconds", 2**70, "argument 1: 1180591620717411303424 does not fit long"),
    ("std::chrono::seconds", -(2**70), "-1180591620717411303424 does not fit long"),
    ("flt", As("double", 1e300), r"argument 1: 1e\+300 does not fit float"),
    ("opt_float", As("double", 1e300), r"argument 1: 1e\+300 does not fit float"),
    ("shrt", As("int64_t", 70000), "argument 1: 70000 does not fit short"),
    ("shrt", As("Color", 70000), "argument 1: 70000 does not fit short"),
    ("by_reference", 70000, "argument 1: 70000 does not fit short"),
    (
        "by_reference",
        Ref(70000),
        r'is Ref\(int\) and would become short.*give Ref\(value, "short"\)',
    ),
    ("by_reference", As("double", 2.5), 'is a float and would become short.*As\\("short"'),
]


def test_what_keeps_less_of_a_number_refuses_the_rest(session: Session) -> None:
    session.run(SMALL)
    found = [(name, given, session.call(name, given)) for name, given, _ in SMALL_FITS]
    assert found == SMALL_FITS
    for name, given, message in SMALL_MISFITS:
        with pytest.raises(ArgumentMismatch, match=message):
            session.call(name, given)
    with pytest.raises(ArgumentMismatch, match="70000 does not fit short"):
        session.call("shrt", session.eval("green"))
    assert session.call("shrt", session.eval("red")) == 0


def test_durations_are_the_nearest_or_fit(session: Session) -> None:
    session.run("""
    #include <chrono>
    float seconds(std::chrono::duration<float> d) { return d.count(); }
    long picos(std::chrono::duration<long, std::pico> d) { return d.count(); }
    """)
    halfway = np.timedelta64(2**24 + 1, "s")  # between two floats: the even one
    assert session.fn.seconds(halfway) == 2**24
    assert session.fn.seconds(np.timedelta64(100, "ms")) == float(np.float32(0.1))
    assert session.fn.picos(np.timedelta64(2, "s")) == 2 * 10**12
    with pytest.raises(ArgumentMismatch, match="does not fit"):
        session.fn.picos(np.timedelta64(2**62, "s"))
