"""Every kind of name takes the place of every other, and every cell can be run again.

A kind is a cell with a name N and a number V, and an int that shows that N is what the cell says.
"""

from __future__ import annotations

import pytest

from tests.session.conftest import NewSession, shown

KINDS: dict[str, tuple[str, str]] = {
    "function": ("int N(int a) { return a + V; }", "N(0)"),
    "static function": ("static int N(int a) { return a + V; }", "N(0)"),
    "constexpr function": ("constexpr int N(int a) { return a + V; }", "N(0)"),
    "consteval function": ("consteval int N(int a) { return a + V; }", "N(0)"),
    "extern C function": ('extern "C" int N(int a) { return a + V; }', "N(0)"),
    "overloaded function": ("int N(int) { return V; } int N(double) { return 0; }", "N(0)"),
    "function template": ("template <class T> int N(T a) { return a + V; }", "N(0)"),
    "abbreviated template": ("int N(auto a) { return a + V; }", "N(0)"),
    "variable": ("int N = V;", "N"),
    "static variable": ("static int N = V;", "N"),
    "const variable": ("const int N = V;", "N"),
    "constexpr variable": ("constexpr int N = V;", "N"),
    "inline variable": ("inline double N = V;", "(int)N"),
    "thread_local variable": ("thread_local int N = V;", "N"),
    "extern C variable": ('extern "C" { short N = V; }', "N"),
    "variable in an unnamed namespace": ("namespace { int N = V; }", "N"),
    "reference": ("int N_r = V; int &N = N_r;", "N"),
    "array": ("int N[] = {V, 0};", "N[0]"),
    "closure": ("auto N = [](int a) { return a + V; };", "N(0)"),
    "bindings": ("int N_b[1] = {V}; auto [N] = N_b;", "N"),
    "variable template": ("template <class T> T N = V;", "N<int>"),
    "class": ("struct N { int m = V; };", "N().m"),
    "class with members": (
        "class N { int v; public: N(); int get() const; static int s; };"
        "N::N() : v(1) {} int N::get() const { return v + s; } int N::s = V - 1;",
        "N().get()",
    ),
    "union": ("union N { int m = V; };", "N().m"),
    "class template": ("template <class T> struct N { T m = V; };", "N<int>().m"),
    "class template with a guide": (
        "template <class T> struct N { int m; N(T, T); }; template <class T> N(T, T) -> N<T>;"
        "template <class T> N<T>::N(T a, T b) : m(a + b) {}",
        "N(V, 0).m",
    ),
    "enumeration": ("enum N { N_a = V };", "N_a"),
    "enumerator": ("enum { N = V };", "N"),
    "scoped enumeration": ("enum class N { a = V };", "(int)N::a"),
    "used enumeration": ("enum class N_u { N = V }; using enum N_u;", "(int)N"),
    "alias": ("using N = char[V];", "sizeof(N)"),
    "typedef": ("typedef char N[V];", "sizeof(N)"),
    "typedef of a class": ("typedef struct N { int m = V; } N;", "N().m"),
    "alias template": ("template <class T> using N = T[V];", "sizeof(N<char>)"),
    "concept": ("template <class T> concept N = sizeof(T) == V;", "N<char[V]> * V"),
    "namespace": ("namespace N { int m = V; }", "N::m"),
    "inline namespace": ("inline namespace N { int N_m = V; }", "N::N_m"),
    "namespace alias": ("namespace N_s { int m = V; } namespace N = N_s;", "N::m"),
    "using declaration": ("namespace N_s { int N = V; } using N_s::N;", "N"),
    "macro": ("#define N V", "N"),
    "function-like macro": ("#define N(a) ((a) + V)", "N(0)"),
}


def named(code: str, name: str, value: int) -> str:
    """Return code with its N and V replaced."""
    words = code.replace("N_", f"{name}_")
    for word, to in (("N", name), ("V", str(value))):
        parts = []
        rest = words
        while word in rest:
            before, _, rest = rest.partition(word)
            whole = not (before[-1:].isalnum() or before[-1:] == "_" or rest[:1].isalnum())
            parts += [before, to if whole and not rest.startswith("_") else word]
        words = "".join(parts) + rest
    return words


def test_a_name_and_a_number_are_filled_in() -> None:
    assert named("int N = V, NV, aN; N_b", "x", 3) == "int x = 3, NV, aN; x_b"


FUNCTIONS = {name for name in KINDS if name.endswith("function")}
TEMPLATES = {"function template", "abbreviated template"}
LEFT_OUT = {
    **{(old, new): "overloads: both are there" for old in FUNCTIONS for new in TEMPLATES},
    ("function-like macro", "extern C function"): "Clang crashes on what the macro makes of it",
    ("namespace alias", "used enumeration"): "Clang does not say what is in the way",
    ("namespace", "inline namespace"): "a namespace that goes on stays what it is",
}


@pytest.mark.parametrize("new", KINDS)
def test_every_kind_takes_the_place_of_every_other(new_session: NewSession, new: str) -> None:
    session = new_session()
    olds = [old for old in KINDS if (old, new) not in LEFT_OUT]
    names = [f"name{i}" for i in range(len(olds))]
    probe = KINDS[new][1]
    for of in (3, 5):
        kinds = olds if of == 3 else [new] * len(olds)
        # Those that Clang does not see at all stand in cells of their own.
        for macros in (False, True):
            cell = [
                named(KINDS[kind][0], name, of)
                for old, kind, name in zip(olds, kinds, names, strict=True)
                if old.endswith("macro") == macros
            ]
            session.run("\n".join(cell))
    probes = ", ".join(f"(int)({named(probe, name, 5)})" for name in names)
    session.run(f"int seen[] = {{{probes}}};")
    wrong = shown(session.run("int wrong = 0; for (int each : seen) wrong += each != 5; wrong"))
    assert wrong == "0", (shown(session.run("seen")), dict(enumerate(olds)))


# A name comes back to a kind, or two things of another kind stand under it.
SEQUENCES = (
    ("enumeration", "closure", "enumeration"),
    ("class", "enumerator", "class"),
    ("typedef of a class", "extern C function", "typedef of a class"),
    ("scoped enumeration", "static variable", "scoped enumeration"),
    ("scoped enumeration", "used type", "scoped enumeration"),
    ("abbreviated template", "variable", "abbreviated template"),
    ("abbreviated template", "array"),
    ("using declaration", "alias template", "using declaration"),
    ("used type", "function", "used type"),
    ("alias", "used type", "alias"),
    ("concept", "used type", "class template", "used type", "variable template"),
    ("used type", "closure", "used type"),
    ("variable", "used type", "variable"),
    ("enumerator", "used type", "enumerator"),
    ("namespace", "overloaded function", "namespace"),
    ("namespace", "function template", "namespace"),
    ("namespace", "typedef of a class", "namespace"),
    ("namespace", "using declaration", "namespace"),
    ("inline namespace", "used type", "inline namespace"),
    ("namespace", "class", "function", "namespace"),
    ("namespace", "static variable", "class template", "namespace"),
    ("namespace", "class", "static function", "class template"),
)
USED_TYPE = ("namespace N_s { struct N { int m = V; }; } using N_s::N;", "N().m")


def test_a_name_goes_from_kind_to_kind(new_session: NewSession) -> None:
    session = new_session()
    kinds = {**KINDS, "used type": USED_TYPE}
    got = []
    for i, sequence in enumerate(SEQUENCES):
        for value, kind in enumerate(sequence):
            code, probe = (named(text, f"name{i}", value + 2) for text in kinds[kind])
            session.run(code)
            got.append((sequence, kind, shown(session.run(f"(int)({probe})"))))
    assert got == [
        (sequence, kind, str(value + 2))
        for sequence in SEQUENCES
        for value, kind in enumerate(sequence)
    ]
