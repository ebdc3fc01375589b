"""Names that are defined again and again, by every kind of thing: the name always means the newest.

What Clang repeats in later cells, and what it names alike, must never be taken for the old: bodies
out of line, what is local to them, and what stood under the name before a type did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.session.conftest import shown_by

if TYPE_CHECKING:
    from farside.session import Session
    from tests.session.conftest import NewSession

KINDS = ("", "inline ", "static ", "constexpr ", "static inline ", "[[gnu::noinline]] inline ")
BODIES = {
    "recursive": "int h(int n) {{ return n < 1 ? {0} : h(n - 1) + h(n - 1) - h(n - 1); }}",
    "short": "int h(int n) {{ return n + {0} - n; }}",
    "closure": "int h(int n) {{ auto f = [](int m) {{ return m + {0}; }}; return f(n) - n; }}",
    "local class": "int h(int n) {{ struct L {{ int f(int m) {{ return m + {0}; }} }}; "
    "return L().f(n) - n; }}",
}
CALLS = {
    "call": "int k{0} = 3; h(k{0})",
    "pointer": "auto p{0} = &h; p{0}(3)",
    "std::function": "std::function<int(int)> p{0} = h; p{0}(3)",
}


@pytest.mark.parametrize("opt", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_body_is_called(new_session: NewSession, opt: int, kind: str) -> None:
    session = new_session(opt=opt)
    session.run("#include <functional>")
    expected, got = [], []
    for number, (body, call) in enumerate((b, c) for b in BODIES for c in CALLS):
        for turn in (1, 2, 3):
            value = number * 10 + turn
            session.run(kind + BODIES[body].format(value))
            expected.append((body, call, str(value)))
            got.append((body, call, shown_by(session, CALLS[call].format(value))))
    assert got == expected


@pytest.mark.parametrize("opt", [0, 2])
@pytest.mark.parametrize("kind", ["", "inline ", "static "])
def test_static_variables_of_a_body_are_new(new_session: NewSession, opt: int, kind: str) -> None:
    session = new_session(opt=opt)
    for start in (0, 10, 20):
        session.run(f"{kind}int next() {{ static int n = {start}; return ++n; }}")
        assert [shown_by(session, "next()") for _ in range(2)] == [str(start + 1), str(start + 2)]


@pytest.mark.parametrize("kind", ["inline ", "static ", "[[gnu::noinline]] inline "])
def test_callers_of_a_body_out_of_line_come_to_the_new(new_session: NewSession, kind: str) -> None:
    session = new_session(opt=0)
    session.run(kind + "int h() { return 1; }")
    session.run("int g() { return h(); } int (*p)() = h;")
    session.run(kind + "int h() { return 2; }")
    assert [shown_by(session, code) for code in ("g()", "p()", "h()")] == ["2", "2", "2"]
    session.undo(4)
    assert [shown_by(session, code) for code in ("g()", "p()", "h()")] == ["1", "1", "1"]


def test_called_from_python(session: Session) -> None:
    for kind in ("inline ", "static ", "constexpr ", "", "inline "):
        for value in (1, 2):
            session.run(f"{kind}int h(int n) {{ return n < 1 ? {value} : h(n - 1); }}")
            assert session.fn.h(3) == value


def test_inline_and_not_in_turn(session: Session) -> None:
    kinds = ("inline ", "", "", "inline ", "static ", "", "static ", "inline ", "inline ", "")
    for value, kind in enumerate(kinds):
        session.run(f"{kind}int h(int n = 1) {{ return {value}; }}")
        assert shown_by(session, "h()") == str(value)


def test_without_a_precompiled_library(new_session: NewSession) -> None:
    session = new_session(use_pch=False)
    for value in (1, 2):
        session.run(f"inline int h(int n) {{ return n < 1 ? {value} : h(n - 1); }}")
        assert shown_by(session, "int k; for (k = 0; k < 3; ++k); h(k)") == str(value)


def test_a_body_of_which_there_is_no_code_asks_for_none(session: Session) -> None:
    session.run("int nowhere(); inline int h() { return nowhere(); }")
    session.run("inline int h() { return nowhere() + 1; }")
    session.run("inline int h() { return 3; }")
    assert shown_by(session, "h()") == "3"


THINGS = {
    "variable": ("int X = {0};", "X"),
    "static variable": ("static int X = {0};", "X"),
    "inline variable": ("inline int X = {0};", "X"),
    "thread-local": ("thread_local int X = {0};", "X"),
    "function": ("int X(int a = 1) {{ return {0}; }}", "X()"),
    "inline function": ("inline int X(int a = 1) {{ return {0}; }}", "X()"),
    "static function": ("static int X(int a = 1) {{ return {0}; }}", "X()"),
    "extern C": ('extern "C" int X(int a = 1) {{ return {0}; }}', "X()"),
    "lambda": ("auto X = [](int a = 1) {{ return {0}; }};", "X()"),
    "function template": ("template <class T> T X(T a) {{ return {0}; }}", "X<int>(0)"),
    "of a namespace": ("namespace N {{ int X = {0}; }} using N::X;", "X"),
}
TYPES = (
    "struct X {};",
    "union X { int v; };",
    "enum X { XA };",
    "enum class X { XA };",
    "template <class T> struct X {};",
)


@pytest.mark.parametrize("opt", [0, 2])
@pytest.mark.parametrize("kind", THINGS)
def test_a_type_had_the_name_in_between(new_session: NewSession, opt: int, kind: str) -> None:
    session = new_session(opt=opt)
    define, use = THINGS[kind]
    got = []
    for value, between in enumerate((*TYPES, "")):
        session.run(define.format(value))
        got.append(shown_by(session, use))
        if between:
            session.run(between)
    assert got == [str(value) for value in range(len(TYPES) + 1)]


@pytest.mark.parametrize("second", THINGS)
@pytest.mark.parametrize("first", THINGS)
def test_a_type_stood_between_two_kinds(session: Session, first: str, second: str) -> None:
    for value, kind in enumerate((first, second, first)):
        define, use = THINGS[kind]
        session.run(define.format(value))
        assert shown_by(session, use) == str(value)
        session.run("struct X {};")


@pytest.mark.parametrize("type_", ["struct X {};", "enum X { XA };"])
def test_in_a_namespace(session: Session, type_: str) -> None:
    for value in (1, 2):
        session.run(f"namespace n {{ int X = {value}; }}")
        assert shown_by(session, "n::X") == str(value)
        session.run(f"namespace n {{ {type_} }}")
