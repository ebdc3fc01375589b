"""Classes whose vtable and typeinfo come with their key function, in a cell of its own."""

from __future__ import annotations

import pytest

from farside.errors import CppException, UndefinedSymbols

from .conftest import NewSession, run_all, shown

LEVELS = pytest.mark.parametrize("opt", [None, 0], ids=["default", "O0"])


@LEVELS
def test_the_vtable_comes_with_the_key_function(new_session: NewSession, opt: int | None) -> None:
    session = new_session(opt=opt)
    session.run("struct K { virtual int f(); int v = 4; };")
    session.run("int K::f() { return v + 1; }")
    assert shown(run_all(session, "K k;", "K *p = &k;", "p->f()")) == "5"
    assert shown(session.run("K *q = new K; q->v = 9; int r = q->f(); delete q; r")) == "10"


@LEVELS
def test_objects_of_classes_with_key_functions_are_thrown_caught_and_told(
    new_session: NewSession, opt: int | None
) -> None:
    session = new_session(opt=opt)
    session.run(
        "#include <typeinfo>\n"
        "struct Base { virtual ~Base(); virtual int id(); };\n"
        "struct Derived : Base { ~Derived() override; int id() override; };"
    )
    session.run("Base::~Base() {} int Base::id() { return 1; }")
    session.run("Derived::~Derived() {} int Derived::id() { return 2; }")
    session.run("void thrower() { throw Derived(); }")
    session.run("int caught = 0; try { thrower(); } catch (Base &b) { caught = b.id(); }")
    session.run("Base *d = new Derived, *b = new Base;")
    assert shown(session.run("caught")) == "2"
    assert shown(session.run("typeid(*d) == typeid(Derived) && typeid(*b) == typeid(Base)")) == (
        "true"
    )
    assert shown(session.run("dynamic_cast<Derived *>(d) == d && !dynamic_cast<Derived *>(b)")) == (
        "true"
    )
    with pytest.raises(CppException) as told:
        session.run("throw Derived();")
    assert told.value.type_name == "Derived"


def test_a_vtable_whose_functions_are_missing_names_them(new_session: NewSession) -> None:
    session = new_session()
    session.run("struct Half { virtual ~Half(); virtual int id(); };")
    with pytest.raises(UndefinedSymbols, match=r"Half::id\(\) is undefined"):
        session.run("Half::~Half() {} int n = Half().id();")
    (notice,) = session.run("Half::~Half() {}").notices
    assert notice.startswith("Half::id() is not defined yet")
    session.run("int Half::id() { return 6; }")
    assert shown(session.run("Half().id()")) == "6"


def test_an_exception_class_with_a_key_function_tells_what(new_session: NewSession) -> None:
    session = new_session()
    session.run(
        "#include <exception>\n"
        "struct Failure : std::exception { const char *what() const noexcept override; };"
    )
    session.run('const char *Failure::what() const noexcept { return "of mine"; }')
    with pytest.raises(CppException) as told:
        session.run("throw Failure();")
    assert (told.value.type_name, told.value.what) == ("Failure", "of mine")
