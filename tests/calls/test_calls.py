"""Functions of the program, called from Python."""

from __future__ import annotations

from functools import partial

import pytest

from farside.calls.arguments import As, Ref
from farside.errors import (
    ArgumentCount,
    ArgumentMismatch,
    CallError,
    CppException,
    Crashed,
    OptionError,
    SessionClosed,
    UndefinedName,
)
from farside.session import Session
from tests.session.conftest import NewSession, shown


def test_a_second_call_compiles_nothing(session: Session) -> None:
    session.run("int add(int a, int b) { return a + b; }")
    assert session.fn.add(1, 2) == 3
    assert session._calls is not None
    compiled = session._calls.stubs.compiled
    assert [session.fn.add(n, 1) for n in range(5)] == [1, 2, 3, 4, 5]
    assert session._calls.stubs.compiled == compiled


def test_clang_chooses_between_overloads(session: Session) -> None:
    session.run("""
        #include <string>
        int which(int) { return 1; }
        int which(double) { return 2; }
        int which(const std::string &) { return 3; }
        int which(bool) { return 4; }
        int which(int, int = 5) = delete;
        int defaults(int a, int b = 10) { return a + b; }
        template <class T> T twice(T x) { return x + x; }
        namespace deep { namespace down { int f(long x) { return (int)x; } } }
        struct Doubler { int operator()(int x) const { return 2 * x; } } doubler;
        auto lambda = [](int x) { return x * 3; };
    """)
    fn = session.fn
    assert [fn.which(1.0), fn.which("x"), fn.which(True)] == [2, 3, 4]
    assert [fn.defaults(1), fn.defaults(1, 2)] == [11, 3]
    assert [fn.twice(2), fn.twice(2.5), fn["twice<double>"](2)] == [4, 5.0, 4.0]
    assert fn.deep.down.f(1 << 20) == 1 << 20
    assert [fn.doubler(4), fn["lambda"](4)] == [8, 12]
    assert [fn["operator+"](1, 2), fn["operator-"](5), fn["operator<"](1, 2)] == [3, -5, True]
    with pytest.raises(ArgumentMismatch, match=r"ambiguous|deleted"):
        fn.which(1)


def test_integers_are_never_cut(session: Session) -> None:
    session.run("short f(short x) { return x; } unsigned u(unsigned x) { return x; }")
    assert [session.fn.f(5), session.fn.f(-5), session.fn.u(1 << 31)] == [5, -5, 1 << 31]
    for call, value in ((session.fn.f, 70000), (session.fn.u, -1), (session.fn.u, 1 << 40)):
        with pytest.raises(ArgumentMismatch, match=f"argument 1: {value} does not fit"):
            call(value)
    with pytest.raises(ArgumentMismatch, match="argument 1 is a float"):
        session.fn.f(2.5)
    with pytest.raises(ArgumentMismatch, match="an int of more than 64 bits cannot become short"):
        session.fn.f(1 << 64)


def test_containers_become_what_the_parameter_is(session: Session) -> None:
    session.run("""
        #include <map>
        #include <optional>
        #include <set>
        #include <span>
        #include <string>
        #include <vector>
        double sum(const std::vector<double> &v) { double s = 0; for (double x : v) s += x; return s; }
        int spanned(std::span<const int> v) { int s = 0; for (int x : v) s += x; return s; }
        int map(std::map<std::string, int> m) { return (int)m.size() * 100 + m["b"]; }
        int mixed(std::pair<int, double> p, const std::set<int> &s) { return p.first + (int)s.size(); }
        int maybe(std::optional<int> o) { return o.value_or(-1); }
        int nested(const std::vector<std::vector<int>> &v) { return v.at(1).at(0); }
        int length(const char *s) { return (int)__builtin_strlen(s); }
        template <class T> int sized(const std::vector<T> &v) { return (int)sizeof(T) * (int)v.size(); }
    """)
    fn = session.fn
    assert [fn.sum([1, 2]), fn.sum([1.5, 2]), fn.sum([0.5] * 100), fn.sum([])] == [3, 3.5, 50, 0]
    assert [fn.spanned([1, 2, 3]), fn.spanned([7] * 10)] == [6, 70]
    assert fn.map({"a": 1, "b": 2}) == 202
    assert fn.mixed((1, 2), {3, 4}) == 3
    assert [fn.maybe(None), fn.maybe(7)] == [-1, 7]
    assert fn.nested([[1], [2, 3]]) == 2
    assert fn.length("häuser") == 7
    assert [fn.sized([1, 2]), fn.sized([1.0])] == [8, 8]
    with pytest.raises(ArgumentMismatch, match="argument 1: a str cannot become double"):
        fn.sum([1, "two"])


def test_arguments_that_a_call_changes(session: Session) -> None:
    session.run("""
        enum class Color : unsigned char { Red, Green };
        void next(int &x) { ++x; }
        int hue(Color c) { return 10 * (int)c; }
        void widen(long &x) { x <<= 40; }
    """)
    number = Ref(41)
    assert session.fn.next(number) is None
    assert number.value == 42
    wide = Ref(1, "long")
    session.fn.widen(wide)
    assert wide.value == 1 << 40
    assert session.fn.hue(As("Color", 1)) == 10
    with pytest.raises(ArgumentMismatch, match=r"farside\.Ref"):
        session.fn.next(3)
    with pytest.raises(ArgumentMismatch, match="argument 1: 300 does not fit"):
        session.fn.hue(As("Color", 300))


def test_wrong_use_is_told_in_terms_of_the_call(new_session: NewSession) -> None:
    session = new_session()
    session.run("int add(int a, int b) { return a + b; }\nint add(double a);")
    with pytest.raises(UndefinedName, match=r"nope\(int\): use of undeclared identifier 'nope'"):
        session.fn.nope(1)
    with pytest.raises(ArgumentCount) as count:
        session.fn.add(1, 2, 3)
    assert any("requires 2 arguments" in each for each in count.value.candidates)
    with pytest.raises(ArgumentMismatch) as mismatch:
        session.fn.add("x", 1)
    assert not isinstance(mismatch.value, ArgumentCount)
    assert mismatch.value.callee == "add"
    assert "int add(int a, int b)" in str(mismatch.value)
    assert "__f" not in str(mismatch.value)
    with pytest.raises(ArgumentMismatch, match="a Python object has no form"):
        session.fn.add(object(), 1)
    assert session.fn.add(1, 2) == 3
    session.close()
    with pytest.raises(SessionClosed):
        session.fn.add(1, 2)
    with pytest.raises(OptionError, match="need a session of C"):
        new_session(language="c").fn.add(1)


def test_exceptions_and_crashes(session: Session) -> None:
    session.run("""
        #include <cstdio>
        #include <stdexcept>
        int n = 0;
        int count() { return ++n; }
        void fail(int x) { n += x; throw std::out_of_range("far"); }
        void die(int x) { n += x; std::puts("dying"); std::fflush(stdout); *(volatile int *)nullptr = 1; }
    """)
    assert session.fn.count() == 1
    with pytest.raises(CppException) as thrown:
        session.fn.fail(10)
    assert (thrown.value.type_name, thrown.value.what) == ("std::out_of_range", "far")
    assert [session.fn.count() for _ in range(3)] == [12, 13, 14]
    with pytest.raises(Crashed, match=r"call of die\(int\): SIGSEGV") as crash:
        session.fn.die(100)
    assert crash.value.stdout == "dying\n"
    assert crash.value.recovery == ("the program's state is as it was before the cell",)
    assert session.fn.count() == 15
    with pytest.raises(Crashed):
        session.run("n = 0; *(volatile int *)nullptr = 1;")
    assert shown(session.run("n")) == "15"


def test_a_burst_of_calls_is_made_again_after_a_crash(session: Session) -> None:
    session.run('#include <cstdio>\nlong n = 0; void add(int x) { n = 3 * n + x; std::puts("a"); }')
    session.run("void die() { __builtin_trap(); }")
    for x in range(20):
        session.fn.add(x)
    session.take_output()
    before = shown(session.run("n"))
    for x in range(7):
        session.fn.add(x)
    after = int(before or "") * 3**7 + sum(x * 3 ** (6 - x) for x in range(7))
    session.take_output()
    with pytest.raises(Crashed) as crash:
        session.fn.die()
    assert crash.value.stdout == ""
    assert shown(session.run("n")) == str(after)


def test_stubs_are_no_cells(session: Session) -> None:
    session.run("int f(int x) { return x + 1; }")
    assert session.fn.f(1) == 2
    assert [past.cell for past in session.history()] == [1]
    assert session.run("int y = f(2);").cell == 2
    assert session.fn.f(True) == 2
    session.undo()
    assert [past.cell for past in session.history()] == [1]
    assert session.fn.f(1) == 2
    session.undo()
    with pytest.raises(UndefinedName):
        session.fn.f(1)
    session.run("double f(int x) { return x + 0.5; }")
    assert session.fn.f(1) == 1.5


def test_the_callee_is_the_newest(session: Session) -> None:
    session.run("int f(int x) { return x + 1; }")
    assert session.fn.f(1) == 2
    session.run("int f(int x) { return x + 2; }")
    assert session.fn.f(1) == 3
    session.run("double f(int x) { return x + 0.5; }")
    assert session.fn.f(1) == 1.5
    session.run("int g(double) { return 1; }")
    assert session.fn.g(1) == 1
    session.run("int g(int) { return 2; }")
    assert session.fn.g(1) == 2
    session.undo()
    assert session.fn.g(1) == 1


def test_none_is_no_text_in_an_optional(new_session: NewSession) -> None:
    session = new_session(std="c++20", opt=0)
    session.run("#include <any>\n#include <optional>\n#include <string>")
    session.run("int has(std::optional<std::string> x) { return x.has_value(); }")
    assert [session.fn.has(None), session.fn.has("")] == [0, 1]
    assert session.call("[](std::any x) { return x.type() == typeid(std::nullptr_t); }", None)
    assert session.call("[](auto x) { return std::is_same_v<decltype(x), std::nullptr_t>; }", None)


def test_older_standards_have_calls_with_numbers(new_session: NewSession) -> None:
    session = new_session(std="c++17")
    session.run("int add(int a, int b) { return a + b; }")
    assert session.fn.add(1, 2) == 3
    with pytest.raises(ArgumentMismatch, match=r"need C\+\+20"):
        session.fn.add([1], 2)


def test_warnings_as_errors_are_for_the_users_code(new_session: NewSession) -> None:
    session = new_session(xcc=("-Werror", "-Wall", "-Wextra", "-Wshadow", "-Wconversion"))
    session.run("#include <optional>\nint add(short a, std::optional<int> b) { return a + *b; }")
    assert session.fn.add(1, 2) == 3
    for wrong in ((1 << 20, 2), (1, 1 << 40), (1.5, 2)):
        with pytest.raises(ArgumentMismatch, match="argument"):
            session.fn.add(*wrong)


def test_a_deleted_conversion_is_shown(session: Session) -> None:
    session.run("""
        #include <string>
        #include <vector>
        int which(int) { return 1; }
        int which(const std::string &) { return 2; }
        int which(const std::vector<int> &) { return 3; }
    """)
    with pytest.raises(ArgumentMismatch, match="of this None is deleted") as raised:
        session.fn.which(None)
    assert "basic_string(nullptr_t) = delete" in str(raised.value)


def test_arguments_have_no_names(session: Session) -> None:
    session.run("struct Point { int x; }; int f(int x) { return x; }")
    for call in (session.fn.f, partial(session.call, "f"), partial(session.new, "Point")):
        with pytest.raises(TypeError, match="C\\+\\+ knows no arguments by name, such as x"):
            call(x=1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1+",
        "a b",
        "+",
        "-add",
        "add(",
        "add)",
        "add;",
        "add, add",
        "std::",
        "::",
        "1a",
        '"a"',
        "add<",
        "unsigned long",
        "a::1b",
    ],
)
def test_what_is_no_name_is_refused_before_a_call(session: Session, text: str) -> None:
    for begin in (session.fn, session.fn.std):
        with pytest.raises(CallError, match=r"is no name of C\+\+ that could be called") as caught:
            begin[text]
        assert caught.value.callee == text


def test_what_can_be_called_is_not_refused(session: Session) -> None:
    session.run("#include <functional>\nint twice_plus(int x) { return 2 * x; }")
    fn = session.fn
    for text in ("::twice_plus", " twice_plus ", "(twice_plus)", "(&twice_plus)"):
        assert fn[text](4) == 8
    assert fn["std::plus<>{}"](1, 2) == fn["[](int x) -> int { return x; }"](3) == 3
    assert fn["[](char c) { return c == '(' || *\"{\" == c; }"]("(")
    assert fn["[]<class T>(T x) mutable { return x; }"](3) == 3
    assert fn.std["max<unsigned long>"](1, 2) == fn.std.max["<unsigned long>"](1, 2) == 2
    assert int(fn["operator new"](1)) != 0
