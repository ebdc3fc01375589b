"""What ends an input and what does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farside.source import completeness
from farside.source.completeness import Scanner, is_complete

FINISHED = [
    "int x = 1;",
    "x",
    "f(3)",
    "a * f(x)",
    "a < b",
    "new Foo(3)",
    "int(3)",
    "std::string(3, 'a')",
    "std::vector<int>(3)",
    "throw X(3)",
    "not f(x)",
    "sizeof(int)",
    "(int)x",
    "auto x = g()",
    "auto l = [](int x) { return x; };",
    "for (int i = 0; i < 3; i++) f(i);",
    "if (x) y();",
    "struct S { int a; };",
    "struct S s;",
    "template <class T> T f(T t) { return t; }",
    "template class X<int>;",
    'extern "C" int f();',
    "int f() {\n  return 1;\n}",
    "int f()\n{\n  return 1;\n}",
    "#include <vector>",
    "#define OPEN {",
    "#define TWO 1 + \\\n  1",
    "#error don't",
    "#if 0\n{ don't (\n#endif",
    "#ifdef A\nvoid f() {\n#else\nvoid f(int) {\n#endif\n}",
    'R"x(a)" ")x"',
    'u8R"(\n})"',
    "1'000'000",
    "'\\'' + '{' + '\"'",
    '"a\\"{" + b',
    "x // {",
    "x /* { */",
    "x /* {\n */",
    "\"it's { open",
    "int a<::> = <%1%>;",
    "%:define X {",
    "a \\\n + b",
    "co_await f()",
    "bool b = x == (y);",
]

UNFINISHED = [
    "int f() {",
    "int f(",
    "int a[",
    "x = (1 +",
    "int a[] = {1,",
    "int a<:",
    "/* a",
    "x /* a\n b",
    'R"(a',
    'R"x(a)"',
    'LR"x(a\n)x',
    "x \\",
    "#define X \\",
    "#define X /* a",
    "// a \\",
    "#if X",
    "#if 0\n}",
    "#ifdef A\n#if B\n#endif",
    "template <class T>",
    "template <>",
    "template <class T>\nrequires C<T>",
    "struct S",
    "struct S : T",
    "enum class E : int",
    "namespace a::b",
    'extern "C"',
    "if (x)",
    "while (f(x))",
    "for (auto x : y)",
    "else",
    "do",
    "int f()",
    "int main(int argc, char **argv)",
    "std::vector<int> f(int a)",
    "auto f() -> int",
    "void S::g() const",
    "static inline int g(int x) noexcept",
    "bool operator==(A a, B b)",
    "S operator+(S a, S b)",
    "int f() { if (x) { }",
]

BROKEN = ["}", "f())", "(]", "int f() }", "([)]", ":>"]


@pytest.mark.parametrize("text", FINISHED)
def test_finished(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize("text", UNFINISHED)
def test_unfinished(text: str) -> None:
    assert not is_complete(text)


@pytest.mark.parametrize("text", BROKEN)
def test_a_closer_that_nothing_opened_ends_the_input(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize("text", ["int f()", "struct S", "template <class T>", "if (x)", "else"])
def test_a_blank_line_ends_what_only_looks_like_a_beginning(text: str) -> None:
    assert is_complete(text + "\n\n")


@pytest.mark.parametrize("text", ["int f() {", 'R"(', "/*", "#if X"])
def test_a_blank_line_does_not_end_what_is_open(text: str) -> None:
    assert not is_complete(text + "\n\n")


@pytest.mark.parametrize(
    "unit",
    [
        "(",
        "x ",
        '"a\n',
        "\\\n",
        "/*",
        'R"(',
        "'",
        "1'",
        "#if\n{\n",
        "u8",
        "a\n",
        "\\",
        "<",
        "R",
        "//\n",
    ],
)
def test_a_megabyte_is_read_in_one_pass(unit: str) -> None:
    scanner = Scanner()
    scanner.feed(unit * (1_000_000 // len(unit)))
    assert scanner.finished in (True, False)


WORDS = '{ } ( ) [ ] " \' \\ // /* */ R"( )" template< > int f ; 1\'0 struct = <% %:'
PIECES = st.sampled_from([*WORDS.split(), " ", "\n", "#if 1\n", "#else\n", "#endif\n"])
CODE = st.one_of(st.lists(PIECES).map("".join), st.text())


@given(CODE)
def test_any_text_is_one_or_the_other(text: str) -> None:
    assert is_complete(text) in (True, False)


WITHIN = (
    '.5 1.e+5\'0 :: ::> :> <: <:: <% %> %:> -> u8"a u\'b uR"x( )x" LR x8"y / /= /* */ < > % : ; é ٣'
)
INSIDE = st.lists(st.sampled_from([*WORDS.split(), *WITHIN.split(), "\n", " "])).map("".join)


@given(INSIDE)
def test_what_says_nothing_within_brackets_is_skipped_as_if_read(text: str) -> None:
    states = []
    for inert in (completeness._INERT, re.compile("")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(completeness, "_INERT", inert)
            scanner = Scanner()
            scanner.feed("{ " + text)
        states.append((scanner._brackets, scanner._until, scanner._broken, scanner.finished))
    assert states[0] == states[1]


@given(st.lists(CODE.map(lambda text: text.replace("\n", " "))))
def test_reading_by_lines_is_reading_at_once(lines: list[str]) -> None:
    by_line = Scanner()
    for line in lines:
        by_line.feed(line + "\n")
    at_once = Scanner()
    at_once.feed("".join(line + "\n" for line in lines))
    assert by_line.finished == at_once.finished


@given(CODE)
def test_what_is_finished_stays_so_inside_a_block(text: str) -> None:
    # A prefix property: an open brace before anything well-formed keeps the input open.
    whole = text + "\n"
    if is_complete(whole) and is_complete("{" + whole + "}\n"):
        assert is_complete("{" + whole + "\n}\n")
