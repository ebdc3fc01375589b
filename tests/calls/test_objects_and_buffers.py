"""Objects that live on in the program, and buffers that both sides see."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from farside import (
    ArgumentMismatch,
    As,
    CallError,
    CppException,
    Crashed,
    OptionError,
    Ref,
    UndefinedName,
    Value,
    ValueGone,
)
from farside.session import Session
from tests.session.conftest import NewSession

_COUNTER = """
#include <functional>
struct Counter {
  int n;
  explicit Counter(int start) : n(start) {}
  int add(int by) { return n += by; }
  int add() { return add(1); }
  int operator[](int i) const { return n * i; }
};
int total(const Counter &a, const Counter &b) { return a.n + b.n; }
auto adder(int n) { return [n](int x) { return x + n; }; }
enum class Color { Red, Green };
Color color(int n) { return static_cast<Color>(n); }
int hue(Color c) { return 10 * static_cast<int>(c); }
"""


def test_objects_live_on(session: Session) -> None:
    session.run(_COUNTER)
    one, other = session.new("Counter", 5), session.new("Counter", 7)
    assert one.type == "Counter"
    assert [session.of(one).add(2), session.of(other).add(), session.of(one)["add"](1)] == [7, 8, 8]
    assert [session.fn.total(one, other), session.fn["operator[]"](other, 3)] == [16, 24]
    assert session.eval(f"{one}.n") == 8
    assert session.eval("Counter(3)").n == 3  # type: ignore[attr-defined]
    assert session.fn.hue(session.fn.color(1)) == 10
    unnamed = session.fn.adder(3)
    assert isinstance(unnamed, Value)
    with pytest.raises(ArgumentMismatch, match="not alive"):
        session.fn.total(unnamed, one)


def test_objects_of_types_without_a_name(session: Session) -> None:
    session.run(
        "auto twice = [](int x) { return 2 * x; };"
        "struct { int q = 5; int more() { return ++q; } } unnamed;"
        "template <class F> int apply(F &&f) { return f(21); }"
    )
    twice = session.new("decltype(twice)", session.eval("twice"))
    unnamed = session.new("decltype(unnamed)")
    assert (session.of(unnamed).more(), session.eval(f"{unnamed}.q")) == (6, 6)
    assert (session.fn.apply(twice), session.eval(f"{twice}(4)")) == (42, 8)
    session.run("auto twice = [](int x) { return x + x + 1; };")
    with pytest.raises(ValueGone, match="is gone"):
        session.fn.apply(twice)
    assert session.fn.apply(session.new("decltype(twice)", session.eval("twice"))) == 43
    assert session.of(unnamed).more() == 7
    with pytest.raises(CallError, match=r'session.new\("decltype\(name\)"'):
        session.new("decltype([] {})")


def test_an_object_is_not_moved_unasked(session: Session) -> None:
    session.run(
        "#include <memory>\nint take(std::unique_ptr<int> p, int n) { return *p + n; }"
        "struct Once { Once() = default; Once(Once &&) = default; };"
        "int rvalue(Once &&) { return 1; } int plain(Once) { return 1; }"
    )
    one = session.new("std::make_unique<int>", 3)
    with pytest.raises(ArgumentMismatch) as told:
        session.fn.take(one, 4)
    assert 'session.eval(f"take(std::move({value}), …)")' in str(told.value)
    assert session.eval(f"take(std::move({one}), 4)") == 7
    once = session.new("Once")
    for name in ("rvalue", "plain"):
        with pytest.raises(ArgumentMismatch) as told:
            session.call(name, once)
        assert f'session.eval(f"{name}(std::move({{value}}))")' in str(told.value)


def test_objects_are_made_in_place(session: Session) -> None:
    session.run(
        "#include <mutex>\nstruct Bare { int a; Bare(int a) : a(a) {} Bare(const Bare &) = delete; };"
        "Bare bare(int a) { return Bare(a); } Bare one(1); Bare &old() { return one; }" + _COUNTER
    )
    session.new("std::mutex")
    for callee, number in (("Bare", 5), ("bare", 6)):
        assert session.eval(f"{session.new(callee, number)}.a") == number
    assert session.eval(f"&{session.new('old')} == &one") is True
    with pytest.raises(CallError, match=r"type without a name.*auto name = adder"):
        session.new("adder", 3)


def test_what_has_no_form_is_told_by_its_place(session: Session) -> None:
    session.run("int add(int a, int b) { return a + b; }\nvoid nothing(int) {}")
    for wrong in (object(), As("int", object())):
        with pytest.raises(ArgumentMismatch, match=r"^add: argument 2: a Python object has no"):
            session.fn.add(1, wrong)
    with pytest.raises(CallError, match=r"nothing was called and returned nothing \(void\)"):
        session.new("nothing", 1)
    with pytest.raises(UndefinedName) as caught:
        session.fn.nowhere(1)
    assert str(caught.value).count("define it in a cell") == 1


def test_objects_go_with_what_is_taken_back(session: Session) -> None:
    session.run(_COUNTER)
    early = session.new("Counter", 1)
    session.run("void die() { __builtin_trap(); }")
    late = session.new("Counter", 2)
    with pytest.raises(Crashed):
        session.fn.die()
    assert session.of(early).add() == 2
    session.undo()
    assert session.of(early).add() == 2
    with pytest.raises(ValueGone, match=r"Counter.* is gone"):
        session.of(late).add()


def test_a_buffer_is_seen_by_both_sides(session: Session) -> None:
    near = session.share("far", array("d", [1, 2, 3]))
    table = session.share("table", np.arange(6, dtype=np.float32).reshape(2, 3))
    assert session.eval("far[1] + table(1, 2)") == 7.0
    session.run("far[0] = 10; table(0, 1) = -1;")
    assert (near[0], table[0, 1]) == (10, -1)
    near[2] = 30
    with pytest.raises(Crashed):
        session.run("far[1] = 20; __builtin_trap();")
    assert session.eval("far[0] + far[1] + far[2]") == 60.0
    assert near[1] == 20


def test_a_buffer_of_dimensions_is_nested(session: Session) -> None:
    session.share("table", np.arange(6, dtype=np.float32).reshape(2, 3))
    value = session.run("table").value
    assert value is not None
    assert value.text == "{ { 0.0f, 1.0f, 2.0f }, { 3.0f, 4.0f, 5.0f } }"
    found = session.eval("table")
    assert isinstance(found, np.ndarray)
    assert (found.shape, found.dtype, found[1, 2]) == ((2, 3), np.float32, 5)
    large = session.share("large", np.arange(60_000, dtype=complex).reshape(3, 20, 1000))
    assert np.array_equal(session.eval("large"), large)  # type: ignore[arg-type]
    session.share("none", np.zeros((2, 0, 3), "i2"))
    assert session.eval("none").shape == (2, 0, 3)  # type: ignore[attr-defined]
    pair = session.eval("std::make_pair(1, table)")
    assert pair[1].shape == (2, 3)  # type: ignore[index]
    session.run(
        'std::string words[2] = {"a", "b"}; farside::ndspan<std::string, 2> w(words, {1, 2});'
    )
    assert session.eval("w") == [["a", "b"]]
    session.run("template <class T> T same(T x) { return x; }")
    assert session.fn.same(np.ones((2, 3, 4))).shape == (2, 3, 4)


def test_a_buffer_outlives_the_program(new_session: NewSession) -> None:
    session = new_session(snapshots=0)
    near = session.share("far", np.arange(3))
    with pytest.raises(Crashed):
        session.run("__builtin_trap();")
    near[1] = 5
    assert session.eval("far[1]") == 5
    session.close()
    assert near.tolist() == [0, 5, 2]


def test_what_a_call_writes_is_its_own(session: Session) -> None:
    session.run("#include <cstdio>\n#include <stdexcept>")
    session.run('int say(int n) { printf("%d\\n", n); if (n < 0) throw n; return n; }')
    assert session.fn.say(1) == 1
    assert session.call_output == ("1\n", "")
    assert session.run('std::puts("cell");').stdout == "cell\n"
    session.fn.say(2)
    with pytest.raises(CppException) as caught:
        session.fn.say(-1)
    assert caught.value.stdout == "-1\n"
    assert session.call_output == ("", "")
    session.eval('std::puts("eval")')
    assert session.run('std::puts("cell");').stdout == "cell\n"
    assert session.take_output() == ("1\n2\neval\n", "")
    assert session.take_output() == ("", "")


def test_arrays_without_elements_are_shared(session: Session) -> None:
    session.run("#include <span>")
    assert session.share("none", np.zeros(0, ">f8")).shape == (0,)
    assert session.share("grid", np.zeros((0, 3), "i4")).shape == (0, 3)
    assert session.share("bytes", bytearray()).nbytes == 0
    assert session.eval("none.size() + bytes.size() + grid.size()") == 0
    assert session.eval("grid.extent(1)") == 3
    assert session.share("swapped", np.array([1, 2], ">i4")).tolist() == [1, 2]
    assert session.eval("swapped[1]") == 2


def test_what_cannot_be_shared(session: Session) -> None:
    for name, value, error in (
        ("a b", array("d", [1]), OptionError),
        ("x", 5, ArgumentMismatch),
        ("x", np.array(1.0), ArgumentMismatch),
        ("x", np.zeros(2, dtype="U3"), ArgumentMismatch),
    ):
        with pytest.raises(error):
            session.share(name, value)
    assert session.eval("1 + 1") == 2


def test_arrays_of_numpy(session: Session) -> None:
    session.run("""
        #include <farside/python.h>
        #include <span>
        #include <vector>
        double sum(std::span<const double> v) { double s = 0; for (double x : v) s += x; return s; }
        double trace(farside::ndspan<const double, 2> m) { return m(0, 0) + m(1, 1); }
        float half(float x) { return x / 2; }
        int small(short x) { return x; }
        void fill(std::span<int> v, int x) { for (int &each : v) each = x; }
        int grid(const std::vector<std::vector<long>> &v) { return (int)(v.size() * 10 + v[0].size()); }
    """)
    fn = session.fn
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert [fn.sum(matrix[:, 0]), fn.trace(matrix), fn.trace(matrix.T)] == [4, 5, 5]
    assert [fn.half(np.float32(3)), fn.half(np.int64(3)), fn.small(np.int64(7))] == [1.5, 1.5, 7]
    with pytest.raises(ArgumentMismatch, match="argument 1: 70000 does not fit short"):
        fn.small(np.int64(70000))
    whole = np.zeros(4, dtype=np.int32)
    fn.fill(Ref(whole), 9)
    assert whole.tolist() == [9] * 4
    assert fn.grid(np.ones((2, 3), dtype=np.int32)) == 23
    assert fn.sum(np.arange(4)) == 6
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    with pytest.raises(ArgumentMismatch, match=r"sum: argument 1: an array with masked elements"):
        fn.sum(masked)
    assert fn.sum(masked.compressed()) == 1
    assert fn.half(As("short", 3)) == 1.5


def test_a_buffer_is_not_named_by_what_is_taken(session: Session) -> None:
    for name in ("class", "std", "main"):
        with pytest.raises(OptionError, match=f"'{name}' cannot name a variable in this session: "):
            session.share(name, np.zeros(3))
    with pytest.raises(OptionError, match="3 cannot name a variable"):
        session.share(3, np.zeros(3))  # type: ignore[arg-type]
    assert session.share("fresh", np.zeros(3)).tolist() == [0, 0, 0]


REFERENCES = """
#include <functional>
#include <span>
#include <string>
using Doubles = std::span<double>;
void change(Doubles v, int &n, std::string &s, bool fail) {
  v[0] = 43; n = 8; s += "!";
  if (fail) throw 1; }
void call_back(Doubles v, std::function<void()> f, int &n) { v[0] = 7; n = 8; f(); v[1] += 1; }
int two(Doubles a, Doubles b) { a[0] = 1; b[0] = 2; return (int)a[0]; }
int variables(int &a, int &b) { a = 1; b = 2; return a; }
std::function<void(int)> kept;
void keep(std::function<void(int)> f) { kept = f; throw 3; }
"""
SIZES = (3, 20_000)  # within the message, and beside it


@pytest.mark.parametrize("size", SIZES)
def test_what_a_call_changed_stays_when_it_throws(session: Session, size: int) -> None:
    session.run(REFERENCES)
    for fail in (False, True):
        numbers, number, text = np.zeros(size), Ref(1), Ref("a")
        try:
            session.fn.change(Ref(numbers), number, text, fail)
            assert not fail
        except CppException:
            assert fail
        assert (numbers[0], number.value, text.value) == (43, 8, "a!")
    numbers, number = np.zeros(size), Ref(1)
    with pytest.raises(ZeroDivisionError):
        session.fn.call_back(Ref(numbers), lambda: 1 // 0, number)
    assert (numbers[0], number.value) == (7, 8)
    with pytest.raises(CppException):
        session.fn.keep(lambda x: text.__setattr__("value", x))
    session.run("kept(5);")
    assert text.value == 5


@pytest.mark.parametrize("size", SIZES)
def test_an_array_that_is_lost_on_the_way_is_told(session: Session, size: int) -> None:
    session.run(REFERENCES)
    number = Ref(1)

    def fail() -> None:
        numbers.resize(2 * size, refcheck=False)
        raise KeyError

    numbers = np.zeros(size)
    with pytest.raises(ArgumentMismatch, match=r"array of argument 1 was resized.*call was made"):
        session.fn.call_back(Ref(numbers), lambda: numbers.resize(2 * size, refcheck=False), number)
    assert (numbers.max(), number.value) == (0, 8)
    numbers = np.zeros(size)
    with pytest.raises(KeyError) as caught:
        session.fn.call_back(Ref(numbers), fail, number)
    assert ["argument 1 was resized" in note for note in caught.value.__notes__] == [True]
    numbers = np.zeros(size)

    def write() -> None:
        numbers[:] = 100

    session.fn.call_back(Ref(numbers), write, number)  # it has a copy of its own
    assert numbers[:3].tolist() == [7, 1, 0]


@pytest.mark.parametrize("size", SIZES)
def test_two_references_are_to_two_variables(session: Session, size: int) -> None:
    session.run(REFERENCES)
    two, whole, small, one = session.fn.two, np.zeros(size), np.zeros(3), Ref(1)
    for pair in ((whole, whole), (whole, whole[1:]), (whole[1:], whole[:-1])):
        with pytest.raises(
            ArgumentMismatch, match="arguments 1 and 2 are arrays that share memory"
        ):
            two(*map(Ref, pair))
    for call, ref in ((two, Ref(whole)), (session.fn.variables, one)):
        with pytest.raises(ArgumentMismatch, match="arguments 1 and 2 are the same Ref"):
            call(ref, ref)
    assert (whole.max(), one.value) == (0, 1)
    for first, second in ((whole[:1], whole[1:]), (whole, small), (small, whole)):
        assert two(Ref(first), Ref(second)) == 1
        assert (first[0], second[0]) == (1, 2)
    other = Ref(1)
    assert (session.fn.variables(one, other), one.value, other.value) == (1, 1, 2)


def test_what_cannot_be_shared_says_why(session: Session) -> None:
    times = np.array(["2020"], "M8[s]")
    for given, message in (
        (np.array(5.0), r"an array of no dimensions cannot be shared; give it one"),
        (times[0], r"an array of no dimensions cannot be shared; give it one"),
        (times, r"datetime64\[s\] has no form in C\+\+; share its numbers, as from array\.astype"),
        ([1], "a Python list is no array that can be shared"),
    ):
        with pytest.raises(ArgumentMismatch, match=message):
            session.share("shared", given)
