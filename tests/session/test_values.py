"""Values of all types, as they are shown, and what a display must not do."""

from __future__ import annotations

import re

import pytest

from farside.errors import CppException
from farside.session import Session
from tests.far_sides import STOCK
from tests.session.conftest import NewSession, run_all, shown
from tests.session.value_table import GROUPS, PRELUDE, Row


def normalised(text: str) -> str:
    """Return text with addresses and places in cells replaced by ``@``."""
    text = re.sub(r"0x[0-9a-f]{5,}", "@", text)
    return re.sub(r"cell \d+:\d+:\d+", "cell @", text).replace("Function @@", "Function @")


def observed(session: Session, rows: list[Row]) -> list[Row]:
    found = []
    for code, _, _ in rows:
        value = session.run(code).value
        assert value is not None, code
        found.append((code, normalised(value.type), normalised(value.text)))
    return found


def test_the_table_is_long_enough() -> None:
    assert sum(map(len, GROUPS.values())) >= 150


LIBCXX: dict[str, tuple[str, str]] = {
    "std::thread::id()": ("std::thread::id", "0"),  # as its operator<< writes it
    "std::thread()": ("std::thread", "{ joinable = false, id = 0 }"),
    # libc++ compares the addresses of type_infos, and the executor's library has another of it.
    **{
        f"std::make_exception_ptr({made})": (
            "std::exception_ptr",
            "an exception that is no std::exception",
        )
        for made in ('std::out_of_range("far")', "3", '"x\\n"', "Four()")
    },
}
"""Rows that differ with libc++."""

DIES_WITH_ITS_DISPLAY = ("*(std::string *)8", "struct Crashes", "struct Exits")
"""Rows left out where the executor makes no child for a display, so that the cell is lost."""


@pytest.mark.parametrize("opt", [None, 0], ids=["default", "O0"])
def test_values(new_session: NewSession, opt: int | None) -> None:
    session = new_session(opt=opt)  # the default is -O2
    run_all(session, *PRELUDE)
    for rows in GROUPS.values():
        assert observed(session, rows) == rows


def test_values_with_libcxx(new_session: NewSession) -> None:
    session = new_session(stdlib="libc++")
    run_all(session, *PRELUDE)
    for rows in GROUPS.values():
        expected = [(row[0], *LIBCXX.get(row[0], row[1:])) for row in rows]
        assert observed(session, rows) == expected


def test_values_in_a_stock_executor(new_session: NewSession) -> None:
    session = new_session(executor=STOCK)
    run_all(session, *PRELUDE)
    for rows in GROUPS.values():
        rest = [row for row in rows if not row[0].startswith(DIES_WITH_ITS_DISPLAY)]
        assert observed(session, rest) == rest


def test_each_standard_has_display(new_session: NewSession) -> None:
    for std in ("c++11", "c++14", "c++17"):
        session = new_session(std=std, use_pch=False)
        session.run("#include <vector>\n#include <map>\n#include <tuple>\n#include <memory>")
        session.run("struct S { int a; std::vector<int> v; };")
        assert shown(session.run("S{1, {2, 3}}")) == "{ a = 1, v = { 2, 3 } }"
        assert shown(session.run("std::map<int, int>{{1, 2}}")) == "{ 1 => 2 }"
        assert shown(session.run("std::make_tuple(1, 'a')")) == "{ 1, 'a' }"


def test_c(new_session: NewSession) -> None:
    session = new_session(language="c")
    session.run(
        "struct P { int x, y; }; struct S { int a; char n[4]; struct P p; unsigned b : 3; };"
    )
    result = session.run('struct S s = {1, "ab", {2, 3}, 5}; s')
    assert str(result.value) == '(struct S &) { a = 1, n = "ab", p = { x = 2, y = 3 }, b = 5 }'
    assert str(session.run("struct P ps[2] = {{1, 2}}; ps").value) == (
        "(struct P[2]) { { x = 1, y = 2 }, { x = 0, y = 0 } }"
    )
    assert str(session.run("int m[2][2] = {{1, 2}, {3, 4}}; m").value) == (
        "(int[2][2]) { { 1, 2 }, { 3, 4 } }"
    )
    assert str(session.run('"abc"').value) == '(char[4]) "abc"'


def test_a_display_changes_nothing(session: Session) -> None:
    run_all(
        session,
        "#include <sstream>\n#include <ranges>\n#include <iostream>",
        'std::istringstream in("1 2 3"); auto words = std::views::istream<int>(in);',
    )
    assert shown(session.run("words")) == "{ 1, 2, 3 }"
    assert shown(session.run("words")) == "{ 1, 2, 3 }"
    session.run(
        "int shown = 0; struct Counts {}; std::ostream &operator<<(std::ostream &o, const Counts &)"
        " { return o << ++shown; }"
    )
    assert shown(session.run("Counts{}")) == "1"
    assert shown(session.run("Counts{}")) == "1"
    assert shown(session.run("shown")) == "0"


def test_what_the_cell_did_stays_when_its_display_dies(session: Session) -> None:
    run_all(session, "#include <iostream>", "int n = 0;")
    session.run(
        "struct Bad {}; std::ostream &operator<<(std::ostream &, const Bad &) { __builtin_trap(); }"
    )
    worker = session.worker_pid
    value = session.run("n = 5; Bad{}").value
    assert value is not None
    assert value.problem == "crashed: SIGILL"
    assert session.worker_pid == worker
    assert shown(session.run("n")) == "5"


def test_a_program_whose_templates_fail_only_when_shown(session: Session) -> None:
    session.run(
        "template <class T> struct R {"
        " T *begin() const { static_assert(sizeof(T) == 1); return 0; }"
        " T *end() const { return 0; } };"
        " R<int> r; int n = 3;"
    )
    value = session.run("n = 4; r").value
    assert value is not None
    assert value.type == "R<int> &"
    assert value.text.startswith("@0x")
    assert shown(session.run("n")) == "4"


def test_a_text_that_is_given_later_is_used(session: Session) -> None:
    run_all(session, "#include <iostream>\n#include <vector>", "struct T { int a = 1; };")
    assert shown(session.run("std::vector<T>(1)")) == "{ { a = 1 } }"
    session.run("std::ostream &operator<<(std::ostream &o, const T &t) { return o << '<' << t.a; }")
    assert shown(session.run("std::vector<T>(1)")) == "{ <1 }"


def test_long_values_are_cut_and_folded(new_session: NewSession) -> None:
    session = new_session(elements=30)
    session.run("#include <vector>\n#include <string>\n#include <ranges>")
    text = shown(session.run("std::vector<int>(1000, 12345)"))
    assert text is not None
    assert text.count("12345") == 30
    assert text.endswith("… 970 more\n}")
    assert max(map(len, text.splitlines())) <= 100
    endless = shown(session.run("std::views::iota(1)"))
    assert endless is not None
    assert endless.endswith("30, …\n}")
    nested = shown(session.run("std::vector<std::vector<int>>(1000, std::vector<int>(1000))"))
    assert nested is not None
    assert len(nested) < 20_000
    long = session.run("std::string(20'000, 'x')").value
    assert long is not None
    assert long.text == '"' + "x" * 10_000 + '"…'


@pytest.mark.slow
def test_a_display_that_does_not_end(session: Session) -> None:
    run_all(session, "#include <iostream>", "struct E {};")
    session.run(
        "std::ostream &operator<<(std::ostream &o, const E &) { for (volatile int i = 0;;) i = 1; }"
    )
    assert shown(session.run("E{}")) == "<display took longer than 5 seconds>"
    assert shown(session.run("1")) == "1"


def test_displays(session: Session) -> None:
    seen = []
    session.on_display = lambda display: seen.append((display.id, display.update))
    session.run("#include <farside/display.h>\n#include <vector>\n#include <iostream>")
    result = session.run(
        'std::cout << "before"; farside::display(std::vector<int>{1, 2});'
        ' farside::display(farside::html("<b>x</b>"), "name");'
        ' farside::update_display(3, "name"); 5'
    )
    assert [each.data["text/plain"] for each in result.displays] == ["{ 1, 2 }", "<b>x</b>", "3"]
    assert result.displays[1].data["text/html"] == "<b>x</b>"
    assert seen == [(None, False), ("name", False), ("name", True)]
    assert shown(result) == "5"
    assert result.stdout == "before"


def test_bundles(session: Session) -> None:
    session.run("#include <farside/display.h>")
    session.run(
        "struct Own {}; farside::Bundle mime_bundle(const Own &) {"
        ' return {{"text/html", "<i>own</i>"}, {"image/png", std::string("\\x89PNG\\xff")}}; }'
        "struct Json { std::string dump() const {"
        ' return R"({"image/svg+xml": "<svg/>", "application/json": {"a": [1]}})"; } };'
        "struct Peer { int n = 1; }; Json mime_bundle_repr(const Peer &) { return {}; }"
        "struct Bad {}; farside::Bundle mime_bundle(const Bad &) { throw 3; }"
    )
    own = session.run("Own{}").value
    assert own is not None
    assert own.bundle == {"text/html": "<i>own</i>", "image/png": "iVBOR/8="}
    peer = session.run("Peer{}").value
    assert peer is not None
    assert peer.text == "{ n = 1 }"
    assert peer.bundle == {"image/svg+xml": "<svg/>", "application/json": '{"a": [1]}'}
    bad = session.run("Bad{}").value
    assert bad is not None
    assert bad.problem == "threw int: 3"
    assert shown(session.run("1")) == "1"


def test_large_images(session: Session) -> None:
    session.run("#include <farside/display.h>")
    result = session.run("farside::display(farside::svg(std::string(3 << 20, 'x')));")
    assert len(result.displays[0].data["image/svg+xml"]) == 3 << 20


def test_the_class_of_an_object_that_was_defined_again(session: Session) -> None:
    for members in ("int a = 1;", "int a = 1, b = 2;"):
        session.run(f"struct Base {{ virtual ~Base() {{}} {members} }}; struct Child : Base {{}};")
    assert shown(session.run("Base base; base")) == "{ a = 1, b = 2 }"
    assert shown(session.run("Child child; (Base &)child")) == "(Child) { a = 1, b = 2 }"


def test_libcxx(new_session: NewSession) -> None:
    session = new_session(stdlib="libc++")
    session.run("#include <vector>\n#include <map>\n#include <string>\n#include <optional>")
    value = session.run('std::map<std::string, std::vector<int>>{{"a", {1, 2}}}').value
    assert str(value) == '(std::map<std::string, std::vector<int>>) { "a" => { 1, 2 } }'
    assert shown(session.run("std::optional<int>(3)")) == "3"


def test_what_the_program_formats(new_session: NewSession) -> None:
    session = new_session(stdlib="libc++")
    session.run(
        "#include <format>\n#include <iostream>\n#include <vector>\n"
        "struct P { int x = 1; }; std::ostream &operator<<(std::ostream &o, P) { return o << 2; }"
    )
    assert shown(session.run("P{}")) == "2"
    session.run(
        "template <> struct std::formatter<P> : std::formatter<int> {"
        " auto format(const P &p, auto &context) const {"
        ' return std::format_to(context.out(), "<{}>", p.x); } };'
    )
    assert shown(session.run("P{3}")) == "<3>"
    assert shown(session.run("std::vector<P>(2)")) == "{ <1>, <1> }"
    session.run("template <class T> struct Q { T t; T *begin() { return &t; } T *end(); };")
    session.run("template <class T> T *Q<T>::end() { return &t + 1; }")
    assert shown(session.run("Q<int>{4}")) == "{ 4 }"
    session.run(
        "template <class T> struct std::formatter<Q<T>> : std::formatter<T> {"
        " auto format(const Q<T> &q, auto &context) const {"
        ' throw std::format_error("no"); return context.out(); } };'
    )
    value = session.run("Q<int>{4}").value
    assert value is not None
    assert value.problem == "threw std::__1::format_error: no"


def test_display_needs_no_more_than_the_executor(session: Session) -> None:
    """The display's process is not seen by the program."""
    session.run("#include <vector>\n#include <sys/wait.h>\n#include <cerrno>")
    session.run("std::vector<int> v{1};")
    session.run("v")
    assert shown(session.run("waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD")) == "true"


def test_what_was_written_before_an_exception_is_shown(session: Session) -> None:
    session.run(
        """
        #include <iostream>
        #include <stdexcept>
        #include <vector>
        struct T { int n; };
        std::ostream &operator<<(std::ostream &out, const T &t) {
          out << "before " << t.n << ',';
          if (t.n == 2)
            throw std::runtime_error("bad");
          return out << " after";
        }
        """
    )
    value = session.run("T{2}").value
    assert value is not None
    assert value.text == "before 2,… <display threw std::runtime_error: bad>"
    assert value.problem == "threw std::runtime_error: bad"
    assert shown(session.run("std::vector<T>{{1}, {2}, {3}}")) == (
        "{ before 1, after, before 2,…, … 1 more } <display threw std::runtime_error: bad>"
    )
    assert shown(session.run("T{1}")) == "before 1, after"


def test_matches_are_text(session: Session) -> None:
    session.run("#include <regex>\n#include <string>")
    session.run('std::string text = "ab"; std::smatch found; std::cmatch other;')
    session.run('std::regex_match(text, found, std::regex("(a)(b)(c)?"));')
    assert shown(session.run("found")) == '{ "ab", "a", "b", no match }'
    session.run('std::regex_search("xy", other, std::regex("y"));')
    assert shown(session.run("other[0]")) == '"y"'


def test_spans_of_several_dimensions_of_the_library(new_session: NewSession) -> None:
    session = new_session(stdlib="libc++", std="c++23")
    session.run("#include <mdspan>\ndouble all[] = {1, 2, 3, 4, 5, 6};")
    value = session.run(
        "std::mdspan grid(all, std::extents<int, 2, std::dynamic_extent>(3)); grid"
    ).value
    assert value is not None
    assert value.text == "{ { 1.0, 2.0, 3.0 }, { 4.0, 5.0, 6.0 } }"
    assert value.type == "std::mdspan<double, std::extents<int, 2, std::dynamic_extent>> &"
    assert shown(session.run("grid.extents()")) == "{ 2, 3 }"


def test_types_that_are_thrown_have_the_names_that_programmers_write(session: Session) -> None:
    session.run("#include <string>\n#include <map>")
    for code, name in (
        ('std::string("no")', "std::string"),
        ("std::map<std::string, std::wstring>()", "std::map<std::string, std::wstring>"),
        ("[] {}", "(lambda)"),
    ):
        with pytest.raises(CppException) as told:
            session.run(f"throw {code};")
        assert told.value.type_name == name


@pytest.mark.parametrize("opt", [0, 2])
def test_a_text_is_that_of_the_operator_as_it_is_now(new_session: NewSession, opt: int) -> None:
    """Also where the cell that showed the type first had the operator compiled in."""
    session = new_session(opt=opt)
    session.run("#include <iostream>\n#include <vector>\nstruct I { int n; }; I i{1};")
    session.run("std::vector<I> all{i};")
    for text in ("old", "new"):
        operator = "std::ostream &operator<<(std::ostream &out, const I &i)"
        assert shown(session.run(f'{operator} {{ return out << "{text} " << i.n; }} i')) == (
            f"{text} 1"
        )
        assert shown(session.run("all")) == f"{{ {text} 1 }}"
        listed = {each.name: each.text for each in session.variables()}
        assert listed["i"] == f"{text} 1"


def test_a_display_that_had_no_memory_says_so(session: Session) -> None:
    session.run("#include <sys/resource.h>\n#include <string>")
    session.run("rlimit limit{1 << 20, 1 << 20}; setrlimit(RLIMIT_AS, &limit);")
    assert shown(session.run("std::string(3, 'x')")) == "<display had no memory>"
