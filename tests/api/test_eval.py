"""What becomes of C++ values in Python."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest

from farside import (
    CppException,
    CppObject,
    Crashed,
    Enumerator,
    FarsideError,
    Pointer,
    Session,
    Unexpected,
    Value,
    ValueGone,
)

PRELUDE = """
#include <any>
#include <atomic>
#include <bitset>
#include <chrono>
#include <complex>
#include <deque>
#include <exception>
#include <filesystem>
#include <forward_list>
#include <functional>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <ranges>
#include <regex>
#include <set>
#include <span>
#include <sstream>
#include <stack>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <valarray>
#include <variant>
#include <vector>
enum class Colour : unsigned char { red = 1, green };
enum Plain { few, many = 1000000 };
struct Point { int x; double y; };
struct Base { int x = 7; std::string name = "b"; };
struct Derived : Base { float x = 1.5f; private: bool from = true; };
struct Bits { unsigned a : 3; signed char b : 4; Colour c : 4; };
struct Printed { int value; };
std::ostream &operator<<(std::ostream &out, const Printed &) { return out << "nothing"; }
struct Node { int value; std::unique_ptr<Node> next; };
struct Knot { int value; std::shared_ptr<Knot> next; };
struct Stash { // an iterator that gives the same object again and again
  struct Job { int n; std::function<void()> f; };
  struct iterator {
    Job job{0, {}};
    const Job &operator*() const { return job; }
    iterator &operator++() { ++job.n; return *this; }
    bool operator!=(const iterator &other) const { return job.n != other.job.n; }
  };
  iterator begin() const { return {}; }
  iterator end() const { return {{2, {}}}; }
};
struct Locked { std::mutex mutex; int n = 3; };
struct Move { std::unique_ptr<int> p; Move() : p(new int(5)) {} };
union Either { int i; float f; };
int twice(int x) { return 2 * x; }
int evaluations = 0;
std::vector<int> table = {1, 2, 3};
auto one = std::make_shared<int>(1), another = std::make_shared<int>(1);
std::string ab = "ab";
char letters[200000] = "a";
struct Grid { int a; double v[2]; std::map<int, std::vector<int>> more; };
"""

MATCHES = ["ab", "b", None]
TABLE: list[tuple[str, Any]] = [
    ("1 + 1", 2),
    ("-5L", -5),
    ("~0ull", 2**64 - 1),
    ("(signed char)-3", -3),
    ("(unsigned char)200", 200),
    ("(__int128)1 << 100", 2**100),
    ("-((__int128)1 << 100)", -(2**100)),
    ("(_BitInt(129))-5", -5),
    ("((unsigned _BitInt(8192))1) << 8191", 2**8191),
    ("std::vector<_BitInt(1024)>{1, -2}", [1, -2]),
    ("true", True),
    ("1 == 2", False),
    ("2.5", 2.5),
    ("0.5f", 0.5),
    ("0.25L", 0.25),
    ("(_Float16)1.5f", 1.5),
    ("'a'", "a"),
    ("u8'b'", "b"),
    ("u'\\u00e9'", "é"),
    ("U'\\U0001F600'", "😀"),
    ("L'w'", "w"),
    ("nullptr", None),
    ("(int *)nullptr", None),
    ("(const char *)nullptr", None),
    ("void(0)", None),
    ('"text"', "text"),
    ('(const char *)"p"', "p"),
    ('"a\\0b"', "a\0b"),
    ("(const char[4]){1, 0, 2}", "\1\0\2"),
    ("letters", "a"),
    ('std::string("a\\0b", 3)', "a\0b"),
    ('std::string("\\xff\\xc3\\xa9")', "\udcffé"),
    ('std::string_view("view")', "view"),
    ('u8"\\u00e9"', "é"),
    ('std::u16string(u"\\U0001F600")', "😀"),
    ("std::u16string(1, 0xdc00)", "\udc00"),
    ('std::u32string(U"x")', "x"),
    ('std::wstring(L"wide")', "wide"),
    ("std::string(300000, 'x')", "x" * 300000),
    ("std::complex<double>(1, -2)", 1 - 2j),
    ("std::complex<float>(1, 2)", 1 + 2j),
    ("Colour::green", 2),
    ("many", 1000000),
    ("std::byte{7}", 7),
    ("std::vector<std::byte>{std::byte{1}, std::byte{255}}", b"\1\xff"),
    ("std::vector<char>{'a', 'b'}", b"ab"),
    ('std::vector<std::string>{"a", "b"}', ["a", "b"]),
    ("std::vector<bool>{true, false}", [True, False]),
    ("std::list<int>{1, 2}", [1, 2]),
    ("std::deque<double>{0.5}", [0.5]),
    ("std::forward_list<int>{}", []),
    ("std::vector<std::pair<int, char>>{{1, 'x'}}", [(1, "x")]),
    ('std::map<std::string, int>{{"a", 1}, {"b", 2}}', {"a": 1, "b": 2}),
    ('std::map<std::vector<std::string>, int>{{{"k"}, 1}}', {("k",): 1}),
    ("std::map<std::pair<int, int>, bool>{{{1, 2}, true}}", {(1, 2): True}),
    ("std::unordered_map<int, std::list<int>>{{1, {2}}}", {1: [2]}),
    ("std::multimap<int, int>{{1, 2}, {1, 3}}", [(1, 2), (1, 3)]),
    ("std::set<int>{3, 1}", {1, 3}),
    ('std::unordered_set<std::string>{"u"}', {"u"}),
    ("std::set<std::list<int>>{{1, 2}}", {(1, 2)}),
    ("std::multiset<int>{1, 1}", [1, 1]),
    # What C++ tells apart is equal in Python.
    ("std::set<std::shared_ptr<int>>{one, another}", [1, 1]),
    ("std::set<long double>{1, 1 + 1e-18L}", [1.0, 1.0]),
    ("std::map<std::variant<int, double>, char>{{1, 'a'}, {1.0, 'b'}}", [(1, "a"), (1.0, "b")]),
    ("std::set<std::optional<std::optional<int>>>{std::nullopt, std::optional<int>()}", [None] * 2),
    ('std::make_pair(1, "two")', (1, "two")),
    ("std::make_tuple(1, 2.5, 'c', nullptr)", (1, 2.5, "c", None)),
    ("std::tuple<>{}", ()),
    ("std::optional<int>(4)", 4),
    ("std::optional<int>()", None),
    ("std::nullopt", None),
    ('std::variant<int, std::string>("v")', "v"),
    ("std::variant<std::monostate, int>()", None),
    ("std::monostate{}", None),
    ("std::make_unique<int>(9)", 9),
    ('std::make_shared<std::string>("s")', "s"),
    ("std::unique_ptr<int>()", None),
    ("std::weak_ptr<int>()", None),
    ("std::ref(evaluations)", 0),
    ("std::any(5)", 5),
    ('std::any(std::string("a"))', "a"),
    ("std::any()", None),
    ("std::any(short(3))", 3),
    ("std::vector<std::any>{std::vector<std::string>{ab}, 2.5}", [["ab"], 2.5]),
    ("std::atomic<int>(3)", 3),
    ('std::bitset<5>("10110")', 0b10110),
    ("std::bitset<3> some(5); some[2]", True),
    ("std::stack<int>({1, 2})", [1, 2]),
    ("std::priority_queue<int>({}, {1, 3, 2})", None),
    ("std::chrono::milliseconds(1500)", timedelta(seconds=1.5)),
    ("std::chrono::hours(-2)", timedelta(hours=-2)),
    ("std::chrono::nanoseconds(1)", Fraction(1, 10**9)),
    ("std::chrono::duration<double>(0.5)", 0.5),
    ("std::chrono::duration<int, std::ratio<3, 2>>(3)", timedelta(seconds=4.5)),
    (
        "std::chrono::system_clock::time_point(std::chrono::seconds(86400))",
        datetime(1970, 1, 2, tzinfo=UTC),
    ),
    ("std::chrono::year(2026) / 11 / 25", date(2026, 11, 25)),
    ('std::filesystem::path("/a/b")', Path("/a/b")),
    ("std::views::iota(1, 4)", [1, 2, 3]),
    ("table | std::views::transform(twice)", [2, 4, 6]),
    ('std::vector<std::optional<std::string>>{"a", std::nullopt}', ["a", None]),
    ("std::exception_ptr()", None),
    ('std::smatch found; std::regex_match(ab, found, std::regex("a(b)(c)?")); found', MATCHES),
    ("found[1]", "b"),
]
TABLE = [row for row in TABLE if "priority_queue" not in row[0]]


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """Return one session for all tests of the module, with the prelude."""
    with Session(output="capture") as session:
        session.run(PRELUDE)
        yield session


def test_the_table(shared: Session) -> None:
    found = [(code, shared.eval(code)) for code, _ in TABLE]
    assert found == TABLE
    for (code, value), (_, expected) in zip(found, TABLE, strict=True):
        same = type(value) is type(expected) or isinstance(value, Enumerator)
        assert same, f"{code}: {type(value)}"


def test_dates_that_python_does_not_have(shared: Session) -> None:
    for code, text in (("2023) / 2 / 30", "2023-02-30"), ("20000) / 1 / 2", "20000-01-02")):
        found = shared.eval(f"std::chrono::year({code}")
        assert isinstance(found, Value)
        assert (found.type, found.text) == ("std::chrono::year_month_day", text)
    assert shared.eval("std::optional<std::chrono::year_month_day>()") is None
    far: Any = shared.eval("std::chrono::system_clock::time_point::max()")
    assert far.type.startswith("std::chrono::time_point<std::chrono::system_clock")
    assert far.text == "a time before 1678 or after 2261"


def test_what_a_std_any_holds_is_known_when_it_is_put_there(shared: Session) -> None:
    shared.run("std::any anything = Point{1, 2.5};")
    assert shared.eval("anything") == shared.eval("Point{1, 2.5}")
    shared.run("struct Late { std::string s; }; anything = Late{ab};")
    assert shared.eval("anything").s == "ab"  # type: ignore[attr-defined]
    assert shared.call("[](std::any *a) { return *a; }", shared.eval("&anything")).s == "ab"
    shown = shared.run("anything").value
    assert shown is not None
    assert shown.text == '(Late) { s = "ab" }'
    assert shared.eval("struct Later { int n; }; anything = Later{3}; anything").n == 3  # type: ignore[attr-defined]


def test_what_a_std_any_holds_without_a_form_lives_on(session: Session) -> None:
    session.run("#include <any>\n#include <vector>\nauto f = [](int x) { return 2 * x; };")
    value: Any = session.eval("std::vector<std::any>{f, 2}")
    assert value[1] == 2
    assert value[0].type == "std::any"
    call = f"std::any_cast<decltype(f)>({value[0]})(4)"
    assert session.eval(call) == 8
    assert session.call("[](const std::any &a) { return a.has_value(); }", value[0]) is True
    alone: Any = session.eval("std::any(f)")
    assert session.eval(f"{alone}.has_value()") is True
    session.undo(2)
    with pytest.raises(ValueGone):
        session.eval(f"{alone}.has_value()")
    assert session.eval(call) == 8
    session.undo(3)
    with pytest.raises(ValueGone):
        session.eval(call)


def test_what_a_value_refers_to_lives_as_long_as_it(shared: Session, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    shared.run("int ended = 0; struct Holds { std::mutex m; Holds() {} ~Holds() { ++ended; } };")
    for code, use, expected in (
        (f'*std::filesystem::directory_iterator("{tmp_path}")', ".path().filename()", Path("file")),
        ("std::vector<int>{5, 6, 7}.begin()", "[2]", 7),
        ("*std::make_unique<std::mutex>()", ".try_lock()", True),
        ("std::make_unique<Holds>()->m", ".try_lock()", True),
        ("Holds().m", ".try_lock()", True),
    ):
        value = shared.eval(code)
        assert isinstance(value, Value)
        shared.run("std::vector<std::string> fills(1000, std::string(40, 'x'));")
        assert shared.eval(f"{value}{use}") == expected, code
    assert shared.eval("ended") == 0


def test_arrays_of_numbers_are_numpys(shared: Session) -> None:
    rows = [
        ("std::vector<double>{1, 2.5}", "float64", [1, 2.5]),
        ("std::vector<int>{}", "int32", []),
        ("std::array<float, 3>{1, 2, 3}", "float32", [1, 2, 3]),
        ("std::span<int>(table)", "int32", [1, 2, 3]),
        ("std::initializer_list<long>{4}", "int64", [4]),
        ("std::valarray<double>{1, 2}", "float64", [1, 2]),
        # Their operands are gone after the expression.
        ("std::valarray<int>{1, 2} + 1", "int32", [2, 3]),
        ("std::valarray<double>{1, 2} * 2.0 > std::valarray<double>{3, 3}", "bool", [False, True]),
        ("std::vector<unsigned char>{1, 255}", "uint8", [1, 255]),
        ("std::vector<std::complex<double>>{{1, 2}}", "complex128", [1 + 2j]),
        ("std::vector<long double>{0.5L}", "longdouble", [0.5]),
        ("std::array<bool, 2>{true, false}", "bool", [True, False]),
        (
            "std::array<std::array<short, 2>, 3>{{{1, 2}, {3, 4}, {5, 6}}}",
            "int16",
            [[1, 2], [3, 4], [5, 6]],
        ),
        ("std::vector<std::array<float, 2>>{{1, 2}}", "float32", [[1, 2]]),
    ]
    for code, dtype, expected in rows:
        found = shared.eval(code)
        assert isinstance(found, numpy.ndarray), code
        assert found.dtype == numpy.dtype(dtype), code
        assert found.tolist() == expected, code
        assert found.flags.writeable
    shared.run(
        "double grid[2][3] = {{1, 2, 3}, {4, 5, 6}};"
        "float four __attribute__((vector_size(16))) = {1, 2, 3, 4};"
    )
    grid: Any = shared.eval("grid")
    assert grid.tolist() == [[1, 2, 3], [4, 5, 6]]
    four: Any = shared.eval("four")
    assert four.tolist() == [1, 2, 3, 4]
    nested: Any = shared.eval("std::vector<std::vector<int>>{{1}, {2, 3}}")
    assert [each.tolist() for each in nested] == [[1], [2, 3]]
    assert shared.eval("std::vector<__int128>{1, -1}") == [1, -1]


def test_results_and_errors_can_be_pickled(shared: Session) -> None:
    value = shared.eval('std::vector(2, std::pair{Point{}, std::runtime_error("x")})')
    (point, error), _ = copy = pickle.loads(pickle.dumps(value))
    assert point == shared.eval("Point{}")
    assert (error.type_name, error.what, len(copy)) == ("std::runtime_error", "x", 2)

    for wrong in ("nowhere + 1", "throw 3", "*(volatile int *)0", "int x =", "int none(); none()"):
        with pytest.raises(FarsideError) as caught:
            shared.eval(wrong)
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))
        assert vars(again) == vars(caught.value)


def test_classes_are_dataclasses(shared: Session) -> None:
    point: Any = shared.eval("Point{1, 2.5}")
    assert (point.x, point.y) == (1, 2.5)
    assert isinstance(shared.eval("Point{}"), CppObject)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2.5}
    assert repr(point) == "(Point) { x = 1, y = 2.5 }"
    assert point == shared.eval("Point{1, 2.5}")
    assert hash(point) == hash(shared.eval("Point{1, 2.5}"))
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    derived: Any = shared.eval("Derived{}")
    assert (derived.x, derived.name, derived.Base__x, derived.from_) == (1.5, "b", 7, True)
    bits: Any = shared.eval("Bits{5, -3, Colour::green}")
    assert (bits.a, bits.b, bits.c) == (5, -3, 2)
    assert shared.eval("Printed{4}").value == 4  # type: ignore[attr-defined]
    assert shared.eval("Move{}").p == 5  # type: ignore[attr-defined]
    assert shared.eval("Either{3}").i == 3  # type: ignore[attr-defined]
    assert shared.eval("std::set<int>{}") == set()
    chain: Any = shared.eval("Node{1, std::make_unique<Node>(2)}")
    assert (chain.value, chain.next.value, chain.next.next) == (1, 2, None)


def test_objects_with_arrays_can_be_compared(shared: Session) -> None:
    code = "Grid{1, {1, 2}, {{3, {4}}}}"
    grid: Any = shared.eval(code)
    assert grid == shared.eval(code)
    assert hash(grid) == hash(shared.eval(code))
    assert grid in [shared.eval(code)]
    assert grid in {shared.eval(code)}
    for other in ("Grid{1, {1, 3}, {{3, {4}}}}", "Grid{1, {1, 2}, {{3, {4, 4}}}}", "Grid{}", "1"):
        assert grid != shared.eval(other)
    assert grid != dataclasses.replace(grid, v=grid.v[:1])
    assert grid != dataclasses.replace(grid, v=1.0)


MEMBERS: list[tuple[str, dict[str, Any]]] = [
    ("struct Hides : A, B { int x = 3; }", {"A__x": 1, "B__x": 2, "x": 3}),
    ("struct Both : A, B {}", {"A__x": 1, "B__x": 2}),
    ("struct Apart : A, Y { int z = 3; }", {"x": 1, "y": 5, "z": 3}),
    ("struct Far : Y, A { }; struct Farther : Far { int x = 4; }", {"y": 5, "A__x": 1, "x": 4}),
    ("struct Made : T<1>, T<2> {}", {"T_1__x": 1, "T_2__x": 2}),
    ("struct Spaces : na::X, nb::X {}", {"na_X__x": 1, "nb_X__x": 2}),
    (
        "struct L : A { int x = 2; }; struct R : A { int x = 3; }; struct Twice : L, R {}",
        {"L__A__x": 1, "L__x": 2, "R__A__x": 1, "R__x": 3},
    ),
    (
        "struct VL : virtual A { int y = 2; }; struct VR : virtual A { int x = 3; int y = 4; };"
        "struct Once : VL, VR { int z = 5; }",
        {"A__x": 1, "VL__y": 2, "x": 3, "VR__y": 4, "z": 5},
    ),
    (
        "struct None : E { int a = 1; }; struct Taken : None { int a = 2; int None__a = 5; }",
        {"None__a_2": 1, "a": 2, "None__a": 5},
    ),
    (
        "struct Held : std::list<int>, std::deque<int> { int list = 1; }",
        {"std_list_int": [], "deque": [], "list": 1},
    ),
    (
        "struct Odd { int mro = 1; int b = 2; int self = 3; int __doc__ = 4; int from = 5;"
        " int from_ = 6; int a$b = 7; int object = 8; }",
        {"mro_": 1, "b": 2, "self": 3, "__doc___": 4, "from__2": 5, "from_": 6, "a_b": 7}
        | {"object": 8},
    ),
]


def test_each_member_has_a_name_of_its_own(shared: Session) -> None:
    shared.run(
        "struct A { int x = 1; }; struct B { int x = 2; }; struct Y { int y = 5; }; struct E {};"
        "template <int n> struct T { int x = n; };"
        "namespace na { struct X { int x = 1; }; } namespace nb { struct X { int x = 2; }; }"
    )
    for code, expected in MEMBERS:
        shared.run(f"{code};")
        name = code.rpartition("struct ")[2].split()[0]
        found = shared.eval(f"{name}{{}}")
        assert vars(found) == expected, code
        assert list(vars(found)) == list(expected), code
        assert pickle.loads(pickle.dumps(found)) == found


def test_enumerators_and_pointers_know_what_they_are(shared: Session) -> None:
    green = shared.eval("Colour::green")
    assert isinstance(green, Enumerator)
    assert (green.name, green.type, repr(green)) == ("green", "Colour", "Colour::green")
    unnamed = shared.eval("(Colour)77")
    assert isinstance(unnamed, Enumerator)
    assert (unnamed, unnamed.name, repr(unnamed)) == (77, "", "(Colour) 77")
    pointer = shared.eval("&evaluations")
    assert isinstance(pointer, Pointer)
    assert pointer.type == "int *"
    assert shared.eval(f"*(int *){int(pointer)}") == 0


def test_exceptions_and_errors_are_values(shared: Session) -> None:
    error = shared.eval('std::runtime_error("bad")')
    assert isinstance(error, CppException)
    assert (error.type_name, error.what) == ("std::runtime_error", "bad")
    for made, kind, what in (
        ('std::out_of_range("far")', "std::out_of_range", "far"),
        ("3", "int", "3"),
        ("'c'", "char", "c"),
        ('"text"', "char const*", "text"),
        ("Plain()", "Plain", "an exception that is no std::exception"),
    ):
        error = shared.eval(f"struct Plain {{}}; std::make_exception_ptr({made})")
        assert isinstance(error, CppException)
        assert (error.type_name, error.what) == (kind, what)


def test_what_is_no_character_of_pythons_is_a_value(shared: Session) -> None:
    shared.run("struct Wide { std::u16string lone; char32_t beyond; std::wstring text; };")
    wide = shared.eval("Wide{std::u16string(1, 0xd800), 0x110000, std::wstring(1, 0x110000)}")
    assert (wide.lone, wide.beyond.text, wide.text.text) == (  # type: ignore[attr-defined]
        "\ud800",
        "U'\\x110000'",
        'L"\\x110000"',
    )
    assert '{ lone = "\\xd800", ' in repr(wide)
    shared.run("typedef bool Bits __attribute__((ext_vector_type(4)));")
    assert shared.eval("Bits{true, false, true}") == [True, False, True, False]
    shared.run("#if __has_include(<expected>)\n#include <expected>\n#endif")
    assert Unexpected(1) == Unexpected(1)


def test_what_has_no_form_stays_alive(shared: Session) -> None:
    shared.run("std::mutex mutex; int opened = 0; struct File { std::mutex m; };")
    value = shared.eval("(++opened, std::mutex{})")
    assert isinstance(value, Value)
    assert value.type == "std::mutex"
    assert shared.eval("opened") == 1
    assert shared.eval(f"{value}.try_lock()") is True
    assert shared.eval(f"{value}.try_lock()") is False
    function = shared.eval("twice")
    assert shared.eval(f"{function}(21)") == 42
    twenty = shared.eval("int twenty = 20; [](int x) { return x + twenty; } // with a comment")
    assert shared.eval(f"{twenty}(1)") == 21
    stream = shared.eval("std::cout")
    assert isinstance(stream, Value)
    shared.run(f'{stream} << "hello"; {stream}.flush();')
    pointer = shared.eval("std::make_unique<std::mutex>()")
    assert shared.eval(f"{pointer}->try_lock()") is True
    held: Any = shared.eval("Locked{}")
    assert held.n == 3
    assert (held.mutex.type, held.mutex.name) == ("std::mutex", "")


def test_what_stays_has_the_place_where_it_was_written(session: Session) -> None:
    value: Any = session.eval("int größe = 1;\n\n  größe; [](int x) { return x; }")
    assert value.type == "(lambda at cell 1:3:12)"
    assert session.eval("int n = 2; [](int x) { return x; }") is not None


def test_a_crash_in_what_stays_has_its_line(session: Session) -> None:
    with pytest.raises(Crashed, match="cell 1, line 3"):
        session.eval("\n\n(__builtin_trap(), [] {})")


# Ranges whose elements are gone once the iterator goes on, and have no form in Python.
FLEETING = {
    'std::filesystem::directory_iterator("@")': '{ "@/only" }',
    'std::filesystem::recursive_directory_iterator("@")': '{ "@/only" }',
    "std::views::iota(0, 2) | std::views::transform([](int i) { return [i] { return i; }; })": (
        "{ { i = 0 }, { i = 1 } }"
    ),
    "std::views::iota(0, 1) | std::views::transform([](int i) {"
    " return std::pair(i, std::vector<std::function<void()>>(1)); })": "{ { 0, { empty } } }",
    "Stash()": "{ { n = 0, f = empty }, { n = 1, f = empty } }",
}


@pytest.mark.parametrize("expression", FLEETING)
def test_a_range_stays_where_its_elements_would_not(
    shared: Session, expression: str, tmp_path: Path
) -> None:
    (tmp_path / "only").touch()
    value = shared.eval(expression.replace("@", str(tmp_path)))
    assert isinstance(value, Value)
    assert value.name
    assert value.text == FLEETING[expression].replace("@", str(tmp_path))


def test_elements_that_stay_or_have_a_form_are_a_list(shared: Session) -> None:
    assert shared.eval(
        "std::views::iota(0, 2) | std::views::transform([](int i) { return Point{i, 0}; })"
    ) == [shared.eval("Point{0, 0}"), shared.eval("Point{1, 0}")]
    shared.run('std::list<std::function<int()>> jobs(2); std::istringstream two("1 2");')
    assert shared.eval("std::views::istream<int>(two)") == [1, 2]
    for expression in ("jobs", "jobs | std::views::filter([](auto &f) { return !f; })"):
        jobs: Any = shared.eval(expression)
        front: Any = shared.eval("&jobs.front()")
        assert jobs[0].text == f"@{int(front):#x}" != jobs[1].text


def test_a_cycle_ends(shared: Session) -> None:
    shared.run("auto knot = std::make_shared<Knot>(Knot{1}); knot->next = knot;")
    knot: Any = shared.eval("knot")
    assert knot.value == 1
    assert knot.next.text == "(cycle)"
    shared.run("knot->next.reset();")


def test_an_expression_is_evaluated_once(shared: Session) -> None:
    shared.run("int once = 0;")
    assert shared.eval("++once") == 1
    twice: Any = shared.eval("std::vector<int>(2, ++once)")
    assert twice.tolist() == [2, 2]
    assert shared.eval("once") == 2


def test_large_arrays_come_through_shared_memory(shared: Session) -> None:
    shared.run("std::vector<double> large(2'000'000); for (auto &x : large) x = &x - &large[0];")
    large: Any = shared.eval("large")
    assert large.shape == (2_000_000,)
    assert (large == numpy.arange(2_000_000)).all()
    large[0] = 5  # a copy
    assert shared.eval("large[0]") == 0
    many: Any = shared.eval(
        "std::vector<std::vector<double>>(100, std::vector<double>(20000, 1.5))"
    )
    assert len(many) == 100
    assert all((each == 1.5).all() for each in many)
    words: Any = shared.eval('std::vector<std::string>(50000, "word")')
    assert words == ["word"] * 50000
    assert shared._execution.given._pieces == {}


def test_a_value_that_cannot_be_walked_costs_its_cell(shared: Session) -> None:
    shared.run(
        "struct Bad { int *p = (int *)8; int *begin() const { return p; }"
        " int *end() const { return p + 1; } };"
    )
    with pytest.raises(Crashed):
        shared.eval("Bad{}")
    shared.run(
        'struct Throws { int *begin() const { throw std::runtime_error("no"); }'
        " int *end() const { return nullptr; } };"
    )
    with pytest.raises(CppException, match="no"):
        shared.eval("Throws{}")
    with pytest.raises(CppException, match="1 GiB"):
        shared.eval("std::views::iota(0)")
    assert shared.eval("table.size()") == 3


def test_code_gives_values_itself(shared: Session) -> None:
    """What a call's result is sent with."""
    shared.run("bool known = false; bool opaque = true; const Point where{1, 2};")
    _, outcome, _, _ = shared._cell(
        "known = __farside::give(where); opaque = __farside::give(std::cout);"
        '__farside::give(std::string("temporary")); __farside::give(nullptr);',
        "main",
    )
    from farside.result.python import to_python

    assert outcome is not None
    first, second, third, fourth = [
        to_python(kind, data, blocks=shared._execution.given) for kind, data in outcome.values
    ]
    assert (repr(first), third, fourth) == ("(Point) { x = 1, y = 2.0 }", "temporary", None)
    assert isinstance(second, Value)
    assert (shared.eval("known"), shared.eval("opaque")) == (True, False)


def test_values_that_nobody_asked_for(session: Session) -> None:
    session.run(
        "#include <string>\nint main() { __farside::give(std::string(1000, 'x')); return 3; }"
    )
    assert session.call_main(["main"]) == 3


def test_a_session_comes_back_with_its_values(tmp_path: Path) -> None:
    path = str(tmp_path / "session")
    with Session() as session:
        session.save(path)
        session.run("#include <mutex>\nint n = 1;")
        value = session.eval("std::mutex()")
        assert session.eval("++n") == 2
        assert isinstance(value, Value)
    with Session.resume(path) as session:
        assert session.eval("n") == 2


def test_c(shared: Session) -> None:
    with Session(language="c") as session:
        session.run("struct P { int x; double y; }; enum E { A, B };")
        assert session.eval("1 + 1") == 2
        point: Any = session.eval("(struct P){1, 2.5}")
        assert (point.x, point.y) == (1, 2.5)
        assert session.eval('"text"') == "text"
        assert session.eval("(_BitInt(129))5") == 5
        session.run("float numbers[3] = {1, 2, 3}; struct P ps[2] = {{1, 1}, {2, 2}};")
        numbers: Any = session.eval("numbers")
        assert numbers.tolist() == [1, 2, 3]
        points: Any = session.eval("ps")
        assert [each.x for each in points] == [1, 2]


@pytest.mark.parametrize("opt", [0, 2])
def test_other_standards(opt: int) -> None:
    with Session(std="c++11", opt=opt, use_pch=False) as session:
        session.run("#include <vector>\n#include <map>\n#include <string>\nstruct S { int a; };")
        assert session.eval('std::map<std::string, std::vector<std::string>>{{"a", {"b"}}}') == {
            "a": ["b"]
        }
        assert session.eval("S{4}").a == 4  # type: ignore[attr-defined]
