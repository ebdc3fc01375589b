"""Cells become objects that mean what the cells say, each alone and all together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract import compiler_rig
from tests.contract.compiler_rig import Bench

INT, UINT, OBJECT, CSTR, STRING = 7, 8, 19, 16, 18


@pytest.fixture(scope="module")
def main_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiler_rig.build_main(tmp_path_factory.mktemp("main"))


@pytest.fixture
def start(tmp_path: Path, main_object: Path) -> Iterator[Callable[..., Bench]]:
    yield from compiler_rig.benches(tmp_path, main_object)


@pytest.fixture
def bench(start: Callable[..., Bench]) -> Bench:
    return start()


def int_text(value: int) -> str:
    return f"{INT}:{value.to_bytes(4, 'little', signed=True).hex()}"


def test_statements_and_declarations_run_in_order(bench: Bench) -> None:
    bench.cell("int x = 1; x += 2; int y = x * 10; y += 1;", "x", "y")
    assert bench.run() == [int_text(3), int_text(31)]


def test_each_initialiser_is_an_entry_of_its_own(bench: Bench, tmp_path: Path) -> None:
    bench.cell("int f();")
    cell = bench.cell("int a = f(); a++; int b = f(); int f() { return 1; }")
    assert cell.object is not None
    relocations = compiler_rig.readelf(cell.object, tmp_path, "-r")
    _, _, table = relocations.partition("'.rela.init_array'")
    entries = [line for line in table.split("\n\n")[0].splitlines() if "R_X86_64_64" in line]
    assert len(entries) == 3
    names = compiler_rig.symbols(cell.object, tmp_path)
    assert any(name.startswith("__stmts__") and kind == "t" for name, kind in names.items())
    assert not any(name.startswith("_GLOBAL__sub_I") for name in names)


def test_a_static_variable_is_one_in_all_cells(bench: Bench) -> None:
    bench.cell("static int s = 1;", "s += 10;", "static int *p = &s;", "s += 100;", "*p")
    assert bench.last_value() == int_text(111)


def test_a_static_initialiser_runs_once_and_when_its_cell_runs(bench: Bench) -> None:
    bench.cell("int n = 1; int next() { return ++n; }")
    bench.cell("static int s = next();", "static int t = n + 1;", "n = 50;", "s", "t", "n", "s")
    assert bench.run() == [int_text(value) for value in (2, 3, 50, 2)]


def test_a_constant_has_one_address(bench: Bench) -> None:
    bench.cell("const int c = 7;", "const int *p = &c;", "const int *q = &c;", "p == q", "*q")
    assert bench.run() == ["1:01", int_text(7)]


def test_a_static_function_and_its_static_local(bench: Bench) -> None:
    bench.cell("static int count() { static int n = 0; return ++n; }", "count()", "count()")
    assert bench.run() == [int_text(1), int_text(2)]


def test_an_unnamed_namespace_is_one(bench: Bench) -> None:
    bench.cell(
        "namespace { int hidden = 3; struct S { virtual int f() { return hidden; } }; S s; }",
        "hidden = 4;",
        "s.f()",
        "S().f()",
    )
    assert bench.run() == [int_text(4), int_text(4)]


def test_static_locals_of_statements_are_apart(bench: Bench) -> None:
    bench.cell("int r = 0;")
    bench.cell("{ static int n = 10; r += ++n; }", "{ static int n = 20; r += ++n; }", "r")
    assert bench.last_value() == int_text(32)


def test_local_classes_of_statements_are_apart(bench: Bench) -> None:
    bench.cell("#include <vector>", "int r = 0;")
    bench.cell("{ struct S { int f() { return 1; } }; std::vector<S> v(3); r += v[0].f(); }")
    bench.cell(
        "{ struct S { long a[9]; int f() { return sizeof a; } };"
        " std::vector<S> v(3); r += v.back().f(); }"
    )
    bench.cell("r")
    assert bench.last_value() == int_text(73)


def test_lambdas_keep_apart_and_keep_their_state(bench: Bench) -> None:
    bench.cell("auto one = [] { static int n = 0; return ++n; };")
    bench.cell("auto two = [] { static int n = 100; return ++n; };")
    bench.cell("one()", "two()", "one()", "[] { return 5; }()", "[](auto x) { return x + 1; }(6)")
    assert bench.run() == [int_text(value) for value in (1, 101, 2, 5, 7)]


def test_a_lambda_with_captures_lives_on(bench: Bench) -> None:
    bench.cell(
        "#include <functional>\nint k = 2; std::function<int(int)> f = [m = k](int a) "
        "{ return a * m; };",
        "k = 9;",
        "f(21)",
    )
    assert bench.last_value() == int_text(42)


def test_a_variable_of_unnamed_type(bench: Bench) -> None:
    bench.cell("struct { int a = 1; int f() { return ++a; } } thing;", "thing.f();", "thing.f()")
    assert bench.last_value() == int_text(3)


def test_inline_variables_and_functions_are_one(bench: Bench) -> None:
    bench.cell("int made = 0; struct Counted { Counted() { ++made; } int v = 0; };")
    bench.cell("inline Counted shared; inline int next() { static int n = 0; return ++n; }")
    bench.cell("shared.v++; next();", "shared.v++; next();", "made", "shared.v", "next()")
    assert bench.run() == [int_text(1), int_text(2), int_text(3)]


def test_templates_and_specialisations(bench: Bench) -> None:
    bench.cell("template <class T> T twice(T t) { return t + t; }", "twice(4)")
    bench.cell("template <> char twice<char>(char) { return 'c'; }", "twice('a')")
    bench.cell(
        "template <class T> struct Box { static int n; T t; }; "
        "template <class T> int Box<T>::n = sizeof(T);"
    )
    bench.cell("Box<char>::n", "Box<double>::n++;", "Box<double>::n")
    assert bench.run()[-2:] == [int_text(1), int_text(9)]


def test_virtual_functions_across_cells(bench: Bench) -> None:
    bench.cell("struct Base { virtual ~Base() = default; virtual int f() { return 1; } };")
    bench.cell("struct Derived : Base { int f() override { return 2; } };")
    bench.cell("Base *b = new Derived;", "b->f()", "dynamic_cast<Derived *>(b) != nullptr")
    assert bench.run() == [int_text(2), "1:01"]


def test_exceptions_cross_cells(bench: Bench) -> None:
    bench.cell("struct Oops { int code; }; void thrower(int n) { throw Oops{n}; }")
    bench.cell("int got = 0;", "try { thrower(5); } catch (const Oops &o) { got = o.code; }", "got")
    assert bench.last_value() == int_text(5)


def test_thread_local_variables(bench: Bench, tmp_path: Path) -> None:
    bench.cell("int calls = 0; int init() { return ++calls; }")
    cell = bench.cell("thread_local int t = init(); static thread_local int u = init() + 10;")
    assert cell.object is not None
    relocations = compiler_rig.readelf(cell.object, tmp_path, "-r")
    assert "TLSLD" not in relocations
    assert "TPOFF" not in relocations.replace("DTPOFF", "")
    bench.cell("t += u;", "t", "u", "calls")
    assert bench.run() == [int_text(13), int_text(12), int_text(2)]


def test_coroutines(bench: Bench) -> None:
    bench.cell("#include <coroutine>")
    bench.cell(
        "struct Task { struct promise_type { int v = 0; Task get_return_object() {"
        " return {std::coroutine_handle<promise_type>::from_promise(*this)}; }"
        " std::suspend_always initial_suspend() { return {}; }"
        " std::suspend_always final_suspend() noexcept { return {}; }"
        " void return_value(int n) { v = n; } void unhandled_exception() {} };"
        " std::coroutine_handle<promise_type> h; };"
    )
    bench.cell("Task go() { co_return 42; }", "auto task = go(); task.h.resume();")
    bench.cell("task.h.promise().v")
    assert bench.last_value() == int_text(42)


def test_global_constructors_run_in_order_and_destructors_at_the_end(bench: Bench) -> None:
    bench.cell("#include <cstdio>")
    bench.cell(
        'struct N { int n; N(int n) : n(n) { std::printf("+%d\\n", n); }'
        ' ~N() { std::printf("-%d\\n", n); } };'
    )
    bench.cell("N a(1); N b(2);", "N c(3);")
    assert bench.run() == ["+1", "+2", "+3", "-3", "-2", "-1"]


def test_inline_assembly(bench: Bench) -> None:
    bench.cell('int v = 1; { asm("addl $41, %0" : "+r"(v)); }', "v")
    bench.cell('asm(".globl answer\\nanswer: .long 6\\n");', 'extern "C" int answer;', "answer")
    assert bench.run() == [int_text(42), int_text(6)]


def test_extern_c_and_asm_labels(bench: Bench, tmp_path: Path) -> None:
    cell = bench.cell('extern "C" int plain(int a) { return a; }')
    assert cell.object is not None
    assert compiler_rig.symbols(cell.object, tmp_path)["plain"] == "T"
    assert [(each.name, each.symbol) for each in cell.declared] == [("plain", "plain")]


def test_a_cell_without_code_has_no_object(bench: Bench) -> None:
    assert bench.cell("struct S { int a; }; int f(); using T = S;").object is None
    assert bench.cell("// nothing").object is None
    assert bench.cell("").object is None


def test_definitions_bind_within_their_object(bench: Bench, tmp_path: Path) -> None:
    bench.cell("int old = 1;")
    cell = bench.cell("int fresh = 2; int both() { return fresh + old; }")
    assert cell.object is not None
    relocations = compiler_rig.readelf(cell.object, tmp_path, "-r")
    by_name = {
        line.split()[4]: line.split()[2]
        for line in relocations.splitlines()
        if "R_X86_64" in line and len(line.split()) > 4
    }
    assert by_name["old"].startswith("R_X86_64_REX_GOTPCREL")
    assert by_name.get("fresh", "R_X86_64_PC32") == "R_X86_64_PC32"


def test_what_an_earlier_cell_emitted_is_not_emitted_again(bench: Bench, tmp_path: Path) -> None:
    bench.cell("inline int big(int n) { int s = 0; while (n) s += n--; return s; }")
    first = bench.cell("big(3)")
    second = bench.cell("big(4)")
    assert first.object is not None
    assert second.object is not None
    assert compiler_rig.symbols(first.object, tmp_path)["_Z3bigi"] == "W"
    assert compiler_rig.symbols(second.object, tmp_path)["_Z3bigi"] == "U"
    assert bench.run() == [int_text(6), int_text(10)]


@pytest.mark.parametrize("opt", [0, 1, 2, 3])
def test_every_level_of_optimisation(start: Callable[..., Bench], opt: int) -> None:
    bench = start(opt=opt)
    bench.cell("#include <vector>\n#include <algorithm>\n#include <numeric>\n#include <string>")
    bench.cell(
        "static int calls = 0; static int sum(const std::vector<int> &v)"
        " { ++calls; return std::accumulate(v.begin(), v.end(), 0); }"
    )
    bench.cell("std::vector<int> v{3, 1, 2};", "std::sort(v.begin(), v.end());")
    bench.cell("for (int i = 0; i < 10; ++i) v.push_back(i);", "sum(v)", "sum(v) + v[0]", "calls")
    bench.cell('std::string s = "ab"; s += "cd";', "s.size() == 4")
    assert bench.run() == [int_text(51), int_text(52), int_text(2), "1:01"]


VALUES = [
    ("true", "bool", "1:01"),
    ("'A'", "char", "2:41"),
    ("(unsigned char)200", "unsigned char", "2:c8"),
    ("u8'a'", "char8_t", "3:61"),
    ("u'a'", "char16_t", "4:6100"),
    ("U'a'", "char32_t", "5:61000000"),
    ("L'a'", "wchar_t", "6:61000000"),
    ("(short)-2", "short", "7:feff"),
    ("-1L", "long", "7:" + "ff" * 8),
    ("7u", "unsigned int", "8:07000000"),
    ("(__int128)1", "__int128", "7:01" + "00" * 15),
    ("(unsigned _BitInt(13))5", "unsigned _BitInt(13)", "8:0500"),
    ("(_Float16)1", "_Float16", "9:003c"),
    ("1.5f", "float", "9:0000c03f"),
    ("1.0", "double", "10:000000000000f03f"),
    ("nullptr", "std::nullptr_t", "13:"),
    ("(int *)16", "int *", "12:1000000000000000"),
    ('"abc"', "const char[4]", "16:616263"),
    ("(const char *)0", "const char *", "17:"),
    ('std::string("hi")', "std::string", "18:6869"),
    ('std::string("hi").c_str()', "const char *", "16:6869"),
    ('std::string_view("hey")', "std::string_view", "18:686579"),
    ('std::string("a") + "b"', "std::string", "18:6162"),
    ("red", "Color", "15:00000000"),
    ("Scoped::far", "Scoped", "14:feff"),
    ("x = 7", "int", "7:07000000"),
    ("x++", "int", "7:07000000"),
    ("-x", "int", "7:f8ffffff"),
    ("+x, -x", "int", "7:f8ffffff"),
    ("!x", "bool", "1:00"),
    ("~x", "int", "7:f7ffffff"),
    ("*&x", "int", "7:08000000"),
    ("&x == nullptr", "bool", "1:00"),
    ("(x)", "int", "7:08000000"),
    ("counted()", "int", "7:01000000"),
    ("cv", "int", "7:09000000"),
    ("bits.low", "unsigned int", "8:03000000"),
]


def test_values(bench: Bench) -> None:
    bench.cell("#include <string>\n#include <string_view>\n#include <cstddef>")
    bench.cell("enum Color { red, green }; enum class Scoped : short { far = -2 };")
    bench.cell(
        "int calls = 0; int counted() { return ++calls; } const volatile int cv = 9;"
        " struct { unsigned low : 3; } bits{3};"
    )
    bench.cell("int x = 5;")
    for code, type_name, _ in VALUES:
        assert bench.cell(code).value_type == type_name, code
    assert bench.run() == [shown for _, _, shown in VALUES]


def test_long_double_and_complex(bench: Bench) -> None:
    bench.cell("1.0L", "(_Complex float)1")
    first, second = bench.run()
    assert first.startswith("11:0000000000000080ff3f")
    assert second == "20:0000803f00000000"


def test_a_string_is_cut_at_the_limit(bench: Bench) -> None:
    bench.cell("#include <string>", "std::string s(20000, 'x');", "s", "s.c_str()")
    assert [len(line) for line in bench.run()] == [3 + 2 * 10001] * 2


def test_objects_are_never_copied(bench: Bench) -> None:
    bench.cell("struct Fixed { Fixed() = default; Fixed(const Fixed &) = delete; int a = 1; };")
    bench.cell("Fixed fixed; Fixed make() { return {}; }")
    assert bench.cell("fixed").value_type == "Fixed &"
    assert bench.cell("make()").value_type == "Fixed"
    assert bench.cell("&fixed").value_type == "Fixed *"
    lvalue, temporary, pointer = bench.run()
    assert [lvalue, temporary] == [int_text(1)] * 2
    assert pointer.startswith("12:")


def test_other_things_that_have_an_address(bench: Bench) -> None:
    bench.cell("int arr[3] = {1, 2, 3}; int f(int a) { return a; } struct S { int m; };")
    types = [bench.cell(code).value_type for code in ("arr", "f", "&f", "&S::m", "[] {}")]
    assert types[:4] == ["int[3]", "int (int)", "int (*)(int)", "int S::*"]
    assert types[4] is not None
    assert len(bench.run()) == 4  # the lambda has no members


def test_nothing_is_shown(bench: Bench) -> None:
    assert bench.cell("void nothing() {}").value_type is None
    assert bench.cell("nothing()").value_type is None
    assert bench.cell("int k = 1;").value_type is None
    assert bench.cell("k;").value_type is None
    assert bench.cell("if (k) k = 2;").value_type is None
    assert bench.run() == []


def test_the_value_is_not_an_unused_one(bench: Bench) -> None:
    assert bench.cell("int x = 1; x").diagnostics == ()
    assert bench.cell("x == 1").diagnostics == ()
    assert [each.option for each in bench.cell("x;").diagnostics] == ["-Wunused-value"]


def test_enumerators_come_along(bench: Bench) -> None:
    cell = bench.cell("namespace n { enum class E : signed char { a = -1, b, c = 0 }; }\nn::E::b")
    assert cell.value_underlying == "signed char"
    assert cell.value_enumerators == {-1: "n::E::a", 0: "n::E::b"}


def test_no_values_where_none_are_wanted(tmp_path: Path) -> None:
    from farside.frontend.client import Compiler
    from farside.options import Options

    with Compiler.spawn(Options(use_pch=False), compiler_rig.program(), values=False) as compiler:
        cell = compiler.compile(1, "1 + 1")
    assert cell.ok
    assert cell.value_type is None
    if cell.object is not None:
        assert "__farside_value" not in compiler_rig.symbols(cell.object, tmp_path)


DECLARED = """\
int v = 1; static double w;
int f(int a); int f(int a) { return a; }
namespace n { namespace m { class C {}; } inline namespace i { struct D; } union U {}; }
enum E { e1, e2 };
typedef int T; using A = long;
template <class X> struct Box {}; template <class X> X g(X x); template <class X> X pi = 3;
template <class X> using Ref = X &;
template <class X> concept Any = true;
using namespace n; using n::m::C; namespace nm = n::m;
#define MACRO(x) x
auto [p, q] = (int[2]){1, 2};
extern "C" { int c_function(); }
"""


def test_declared_names(bench: Bench) -> None:
    cell = bench.cell(DECLARED)
    found = [(each.name, each.kind, each.line) for each in cell.declared]
    expected = [
        ("v", "variable", 1),
        ("w", "variable", 1),
        ("f", "function", 2),
        ("f", "function", 2),
        ("n", "namespace", 3),
        ("n::m", "namespace", 3),
        ("n::m::C", "class", 3),
        ("n::i", "namespace", 3),
        ("n::D", "struct", 3),
        ("n::U", "union", 3),
        ("E", "enum", 4),
        ("e1", "enumerator", 4),
        ("e2", "enumerator", 4),
        ("T", "typedef", 5),
        ("A", "alias", 5),
        ("Box", "class template", 6),
        ("g", "function template", 6),
        ("pi", "variable template", 6),
        ("Ref", "alias template", 7),
        ("Any", "concept", 8),
        ("n", "using directive", 9),
        ("C", "using", 9),
        ("nm", "namespace alias", 9),
        ("p", "variable", 11),
        ("q", "variable", 11),
        ("c_function", "function", 12),
    ]
    assert sorted(found) == sorted([*expected, ("MACRO", "macro", 10)])
    by_name = {each.name: each for each in cell.declared}
    assert (by_name["v"].type, by_name["v"].symbol) == ("int", "v")
    assert (by_name["w"].type, by_name["w"].symbol) == ("double", "_ZL1w")
    assert (by_name["f"].type, by_name["f"].symbol) == ("int (int)", "_Z1fi")
    assert by_name["f"].definition
    assert not by_name["c_function"].definition


# Takes two steps of a constant evaluation for each number.
SCAN = """
constexpr int scan(int n) { int sum = 0; for (int i = 0; i < n; ++i) sum += i & 1; return sum; }
"""


@pytest.mark.parametrize(("numbers", "called"), [(1_000, False), (100_000, True)])
def test_code_generation_runs_few_steps_of_what_need_not_be_constant(
    bench: Bench, tmp_path: Path, numbers: int, called: bool
) -> None:
    bench.cell(SCAN)
    cell = bench.cell(f"int f() {{ if (scan({numbers}) == {numbers // 2}) return 1; return 2; }}")
    assert cell.object is not None
    assert ("_Z4scani" in compiler_rig.symbols(cell.object, tmp_path)) == called
    bench.cell("f()")
    assert bench.last_value() == int_text(1)


def test_what_has_to_be_constant_has_all_steps(bench: Bench, tmp_path: Path) -> None:
    cell = bench.cell(
        f"{SCAN} constexpr int a = scan(100000); static_assert(a == 50000);"
        "constinit double b = scan(100002); enum { c = scan(100004) };"
        "template <int N> int in() { return N; }"
        "int d() { static const int e = scan(100006); constexpr float g = scan(100008);"
        "  if constexpr (scan(100010) > 0) return e + g; else return 0; }"
        "int h[scan(4)] = {d()};"
    )
    assert cell.object is not None
    assert "_Z4scani" not in compiler_rig.symbols(cell.object, tmp_path)
    bench.cell("a + c + (int)b + h[0] + in<scan(100012)>()")
    assert bench.last_value() == int_text(50_000 + 50_002 + 50_001 + 100_007 + 50_006)


def test_what_is_missing_at_the_end_has_a_place(bench: Bench) -> None:
    bench.cell("int x = 1;")
    result = bench.try_cell("int y = 2;\ndecltype(x)\n")
    assert [each.render() for each in result.diagnostics] == [
        "cell 2:2:12: error: expected unqualified-id\n    2 | decltype(x)\n      |            ^"
    ]
