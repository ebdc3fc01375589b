"""Questions about types and variables, which are no cells."""

from __future__ import annotations

import pytest

from farside import CompileError, Session, UndefinedName, ValueGone, Variable

CODE = """
#include <map>
#include <string>
#include <vector>
std::map<std::string, int> m{{"a", 1}};
struct S { int bits : 3; auto get() { return this; } };
using Alias = S;
int f(double);
int counter = 0;
template <class T> T same(T value) { ++counter; return value; }
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("counter", "int"),
        ("(counter)", "int &"),
        ("++counter", "int &"),
        ("counter++;", "int"),
        ("same(2.5f)  // a comment", "float"),
        ("S().bits", "int"),
        ("S().get()", "S *"),
        ("m", "std::map<std::string, int>"),
        ("std::string()", "std::string"),
        ("f", "int (double)"),
        ("&f", "int (*)(double)"),
        ("throw 1", "void"),
        ("1, 2L", "long"),
        ("size_t", "size_t (aka unsigned long)"),
        ("Alias", "Alias (aka S)"),
        ("const std::vector<int> *", "const std::vector<int> *"),
        ("int[3]", "int[3]"),
        ("decltype(counter)", "int"),
        ("std::vector<int>().front()", "int &"),
        ("std::vector<int>().size()", "size_t (aka unsigned long)"),
        ("void (int)", "void (int)"),
    ],
)
def test_a_type_is_told(asked: Session, expression: str, expected: str) -> None:
    assert asked.type_of(expression) == expected


@pytest.fixture(scope="module")
def asked() -> object:
    with Session(output="capture", std="c++20") as session:
        session.run(CODE)
        yield session
        assert session.eval("counter") == 0
        assert [each.cell for each in session.history()] == [1, session.next_cell - 1]


@pytest.mark.parametrize(
    ("expression", "kind", "said"),
    [
        ("nowhere + 1", UndefinedName, "expression:1:1: error: use of undeclared identifier"),
        ("std::vector<Nothing>", UndefinedName, "undeclared identifier 'Nothing'"),
        ("1 +", CompileError, "expected expression"),
        ("counter = ", CompileError, "expected expression"),
        ("const Nothing", UndefinedName, "unknown type name 'Nothing'"),
        ("std::vector", CompileError, "requires template arguments"),
        ("std", CompileError, "unexpected namespace name"),
        ("int x = 1", CompileError, "expression:1:"),
    ],
)
def test_what_is_neither_is_refused(
    asked: Session, expression: str, kind: type[CompileError], said: str
) -> None:
    with pytest.raises(kind) as caught:
        asked.type_of(expression)
    assert said in str(caught.value)


def test_a_question_leaves_no_trace(session: Session) -> None:
    session.run("int x = 1;")
    before, next_cell = session.statistics(), session.next_cell
    assert session.type_of("x = 5") == "int &"
    assert session.variables()[0].text == "1"
    assert (session.statistics(), session.next_cell) == (before, next_cell)
    assert len(session.history()) == 1
    session.undo()
    with pytest.raises(UndefinedName):
        session.type_of("x")
    assert session.variables() == ()


def test_a_value_that_is_gone_has_no_type(session: Session) -> None:
    value = session.eval("[] { return 1; }")
    assert session.type_of(f"{value}()") == "int"
    session.undo()
    with pytest.raises(ValueGone):
        session.type_of(f"{value}()")


def test_variables_are_listed_in_order_with_their_values(session: Session) -> None:
    session.run(
        "#include <map>\n#include <string>\n#include <vector>\n#include <iostream>\n"
        "enum class Colour { red, green };\nstruct Money { int cents; };\n"
        "std::ostream &operator<<(std::ostream &o, const Money &m) { return o << m.cents << 'c'; }"
    )
    session.run(
        'int first = 1; const char *text = "a\\nb"; namespace inner { double second = 2.5; }\n'
        "namespace { Money money{3}; } Colour colour = Colour::green; static int hidden = 4;\n"
        "extern int elsewhere; int function(); auto [left, right] = std::pair(1, 2.5);\n"
        "std::vector<std::vector<int>> grid(9, std::vector<int>(9, 1)); auto f = [] {};"
    )
    session.run("first = 7; grid.clear(); int &alias = first;")
    assert [(each.type, each.name, each.text) for each in session.variables()] == [
        ("int", "first", "7"),
        ("const char *", "text", '"a\\nb"'),
        ("double", "inner::second", "2.5000000"),
        ("Money", "money", "3c"),
        ("Colour", "colour", "(Colour::green) : int 1"),
        ("int", "hidden", "4"),
        ("int", "left", "1"),
        ("double", "right", "2.5000000"),
        ("std::vector<std::vector<int>>", "grid", "{}"),
        ("(lambda at cell 2:4:73)", "f", "{}"),
        ("int &", "alias", "7"),
    ]
    assert [each.name for each in session.variables("*d")] == ["inner::second", "grid"]


def test_what_was_replaced_is_not_listed(session: Session) -> None:
    session.run("int a = 1, b = 2, c = 3, d = 4;")
    session.run("double a = 0.5; int b() { return 1; }")
    session.run("#define c 5\nstruct d {};")
    assert session.variables() == (Variable("a", "double", "0.50000000", 2),)
    session.undo(2)
    assert [each.name for each in session.variables()] == ["a", "b", "c", "d"]


def test_long_values_are_cut(session: Session) -> None:
    session.run('#include <string>\n#include <vector>\nstd::vector<std::string> v(50, "text");')
    text = session.variables()[0].text
    assert len(text) == 72
    assert text.endswith("…")
    assert "\n" not in text


def test_a_display_that_fails_costs_nothing(session: Session) -> None:
    session.run(
        "#include <iostream>\nstruct Bad {} bad; int after = 2;\n"
        "std::ostream &operator<<(std::ostream &, const Bad &) { __builtin_trap(); }"
    )
    assert [each.text for each in session.variables()] == ["<display crashed: SIGILL>", "2"]
    assert session.eval("after") == 2


def test_c_has_variables_too() -> None:
    with Session(language="c", output="capture") as session:
        session.run(
            "int n = 3; struct P { int x; } p = {1}; double d[2] = {1, 2}; struct n { int m; };"
        )
        assert [(each.type, each.name, each.text) for each in session.variables()] == [
            ("int", "n", "3"),
            ("struct P", "p", "{ x = 1 }"),
            ("double[2]", "d", "{ 1.0, 2.0 }"),
        ]
        assert session.type_of("d[0] + n++") == "double"
        assert session.type_of("struct P *") == "struct P *"
        assert session.eval("n") == 3
