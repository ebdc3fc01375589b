"""Directives and macros in cells, which are no files."""

from __future__ import annotations

import pytest

from farside.errors import CompileError
from farside.session import Session

from .conftest import run_all, shown


def messages(session: Session, code: str) -> list[str]:
    return [each.message for each in session.run(code).diagnostics]


@pytest.mark.parametrize(
    "code",
    [
        "F(1",
        "F(3) + F(",
        "int a = F(2; int b;",
        "{ F(",
        "void f() { F((1",
        "G",
        "#include <cassert>\nassert(1 == 1;",
    ],
)
def test_arguments_of_a_macro_that_do_not_end(session: Session, code: str) -> None:
    session.run("#define F(x) x\n#define G F(")
    with pytest.raises(CompileError, match="unterminated function-like macro invocation"):
        session.run(code)
    assert shown(run_all(session, "int b = F(7);", "G 1) + b")) == "8"


def test_arguments_of_a_macro_on_several_lines(session: Session) -> None:
    session.run("#define FIRST(x, ...) x\n#define LONG(a, \\\n  b) ((a) + \\\n (b))")
    assert shown(session.run("FIRST(\n4\n,\n5)")) == "4"
    assert shown(session.run("LONG(1, \\\n2)")) == "3"


@pytest.mark.parametrize(
    "pragma",
    ["once", "GCC system_header", "clang system_header", 'GCC dependency "cell 1"'],
)
def test_pragmas_about_the_file_have_no_effect(session: Session, pragma: str) -> None:
    session.run(f"#pragma {pragma}\nint x = 3;")
    assert shown(session.run("x")) == "3"
    assert messages(session, "x == 4;") == ["equality comparison result unused"]


def test_packing_lasts_over_cells_and_is_warned_of_once(session: Session) -> None:
    warning = "unterminated '#pragma pack (push, ...)' at end of file"
    assert messages(session, "#pragma pack(push, 1)") == [warning]
    assert messages(session, "struct S { char c; int i; };") == []
    with pytest.raises(CompileError) as caught:
        session.run("sizeof(Q)")
    assert warning not in str(caught.value)
    result = session.run("sizeof(S)")
    assert (shown(result), result.diagnostics) == ("5", ())
    assert messages(session, "#pragma pack(pop)") == []
    assert shown(session.run("struct T { char c; int i; }; sizeof(T)")) == "8"


def test_a_weak_name_that_is_not_declared_is_warned_of_once(session: Session) -> None:
    assert messages(session, "#pragma weak later") == ["weak identifier 'later' never declared"]
    assert messages(session, "int x;") == []


def test_assertions_in_statements_are_no_cause_for_warnings(session: Session) -> None:
    session.run("#include <cassert>")
    assert messages(session, "assert(1 == 1);") == []
    assert messages(session, "assert(2 == 2)") == []


def test_conditionals_end_in_their_cell(session: Session) -> None:
    with pytest.raises(CompileError, match="unterminated conditional directive"):
        session.run("#if 0")
    with pytest.raises(CompileError, match="#endif without #if"):
        session.run("#endif")
    session.run("#ifdef NOT_THERE\nint x = ;\n#elifdef __cplusplus\nint x = 2;\n#endif")
    assert shown(session.run("x")) == "2"


def test_lines_that_a_cell_numbers_itself(session: Session) -> None:
    session.run('#line 100 "other.cc"\nint line = __LINE__; const char *file = __FILE__;')
    assert shown(session.run("line")) == "100"
    assert shown(session.run("file")) == '"other.cc"'
    assert shown(session.run("__LINE__")) == "1"
    with pytest.raises(CompileError, match="undeclared identifier 'nope'"):
        session.run("#line 4294967295\nint a = nope;")
