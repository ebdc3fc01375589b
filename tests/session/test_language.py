"""What C++ programmers expect of their language, a piece in each cell, run for real."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from farside.errors import CppException
from farside.session import Session

from .conftest import NewSession, run_all, shown


@dataclass(frozen=True)
class Story:
    """Cells run in one session, what they print in all, and the value the last one shows."""

    name: str
    cells: tuple[str, ...]
    value: str | None = None
    stdout: str = ""


STORIES = [
    Story(
        "call_across_cells", ("int f() {return 1;}", "int f1() {return f();}", "f1();", "f1()"), "1"
    ),
    Story(
        "containers",
        (
            "#include <vector>\n#include <map>\n#include <string>\n#include <algorithm>",
            "std::vector<int> v{3, 1, 2};",
            "std::sort(v.begin(), v.end());",
            "std::map<std::string, std::vector<int>> m;",
            'm["a"] = v; m["b"].push_back(9);',
            'v[0] * 100 + v[2] * 10 + (int)m["a"].size() + (int)m.size()',
        ),
        "135",
    ),
    Story(
        "more_containers",
        (
            "#include <set>\n#include <unordered_map>\n#include <deque>\n#include <list>\n#include <array>",
            "std::set<int> s{5, 5, 6}; std::unordered_map<int, int> u{{1, 2}, {3, 4}};",
            "std::deque<int> d{1, 2}; d.push_front(0); std::list<int> l{1}; l.splice(l.end(), std::list<int>{2});",
            "std::array<int, 3> a{7, 8, 9};",
            "(int)(s.size() * 1000 + u[3] * 100 + d.size() * 10 + l.size()) + a[0]",
        ),
        "2439",
    ),
    Story(
        "output_streams",
        (
            "#include <iostream>\n#include <cstdio>",
            'std::cout << "cout " << 42 << "\\n";',
            'printf("printf %d\\n", 43);',
            'std::cout << "unflushed";',
        ),
        None,
        "cout 42\nprintf 43\nunflushed",
    ),
    Story(
        "exception_across_cells",
        (
            "#include <stdexcept>\n#include <string>",
            'void thrower(int n) { if (n > 2) throw std::out_of_range("n is " + std::to_string(n)); }',
            "std::string caught(int n) { try { thrower(n); } catch (const std::exception &e) "
            '{ return e.what(); } return "none"; }',
            'caught(1) == "none" && caught(3) == "n is 3"',
        ),
        "true",
    ),
    Story(
        "exception_runs_destructors",
        (
            "int alive = 0; struct Guard { Guard() { ++alive; } ~Guard() { --alive; } };",
            "void deep(int n) { Guard g; if (n == 0) throw 7; deep(n - 1); }",
            "int got = 0; try { deep(20); } catch (int e) { got = e; }",
            "got * 100 + alive",
        ),
        "700",
    ),
    Story(
        "rtti_and_dynamic_cast",
        (
            "#include <typeinfo>",
            "struct Base { virtual ~Base() = default; virtual int id() const { return 1; } };",
            "struct Derived : Base { int id() const override { return 2; } int extra = 5; };",
            "struct Other : Base {};",
            "Base *b = new Derived; Base *o = new Other;",
            "bool same = typeid(*b) == typeid(Derived) && typeid(*o) != typeid(Derived);",
            "b->id() * 100 + dynamic_cast<Derived *>(b)->extra * 10 + "
            "(dynamic_cast<Derived *>(o) == nullptr) + same",
        ),
        "252",
    ),
    Story(
        "virtual_inheritance",
        (
            "struct A { int a = 1; virtual int sum() { return a; } };",
            "struct B : virtual A { int b = 2; int sum() override { return A::sum() + b; } };",
            "struct C : virtual A { int c = 3; };",
            "struct D : B, C { int d = 4; int sum() override { return B::sum() + c + d; } };",
            "D d; A &a = d;",
            "a.sum()",
        ),
        "10",
    ),
    Story(
        "templates_and_specialisations",
        (
            "template <class T> T twice(T x) { return x + x; }",
            'template <> const char *twice(const char *x) { return "special"; }',
            "template <int N> struct Fact { static constexpr int value = N * Fact<N - 1>::value; };",
            "template <> struct Fact<0> { static constexpr int value = 1; };",
            "template <class T> constexpr T pi = T(3.25);",
            "template <class... A> auto total(A... a) { return (a + ...); }",
            "bool special = twice(\"x\")[0] == 's';",
            "twice(4) + Fact<5>::value + (int)pi<double> + total(1, 2, 3) + special",
        ),
        "138",
    ),
    Story(
        "inline_and_constexpr_variables",
        (
            "constexpr int size = 4; const int other = size * 2; inline int counter = 10;",
            "int table[size] = {1, 2, 3, 4};",
            "inline int next_one() { return ++counter; }",
            "int first = next_one();",
            "int second = next_one();",
            "const int *p = &other;",
            "first * 1000 + second * 10 + *p + (p == &other) + table[size - 1]",
        ),
        "11133",
    ),
    Story(
        "static_locals",
        (
            "int hits() { static int n = 100; return ++n; }",
            "inline int inline_hits() { static int n = 0; return ++n; }",
            "hits(); inline_hits();",
            "hits(); inline_hits();",
            "hits() * 10 + inline_hits()",
        ),
        "1033",
    ),
    Story(
        "internal_linkage_is_one_entity",
        (
            "static int hidden = 5; namespace { int unnamed = 7; int get() { return unnamed; } }",
            "static int bump() { return ++hidden; }",
            "bump(); unnamed += 1;",
            "hidden * 100 + bump() * 10 + get() + (unnamed == get())",
        ),
        "679",
    ),
    Story(
        "static_with_a_constructor_runs_once",
        (
            "int made = 0; struct M { int v; M(int x) : v(x) { ++made; } };",
            "static M one(4); const M two(5); inline M three(6);",
            "int a = one.v + two.v + three.v;",
            "int b = one.v + two.v + three.v;",
            "made * 100 + a + b",
        ),
        "330",
    ),
    Story(
        "thread_local_across_cells",
        (
            "#include <thread>",
            "thread_local int t = 40; thread_local int zero;",
            "int read() { return t + zero; }",
            "t = 50; zero = 1;",
            "int other = 0; std::thread([] { ++t; other = read(); }).join();",
            "read() * 100 + other",
        ),
        "5141",
    ),
    Story(
        "lambdas",
        (
            "auto add = [](int a, int b) { return a + b; };",
            "int base = 10;",
            "auto with = [](int x) { return x + base; };",
            "auto generic = [](auto x) { return x * 2; };",
            "base = 20;",
            "auto again = [](int a, int b) { return a * b; };",
            "add(1, 2) * 1000 + with(5) * 10 + generic(4) - again(2, 3)",
        ),
        "3252",
    ),
    Story(
        "std_function",
        (
            "#include <functional>\n#include <vector>",
            "std::vector<std::function<int(int)>> fs;",
            "for (int i = 1; i <= 3; ++i) fs.push_back([i](int x) { return x * i; });",
            "int sum = 0; for (auto &f : fs) sum += f(10);",
            "sum",
        ),
        "60",
    ),
    Story(
        "coroutines",
        (
            "#include <coroutine>",
            "struct Gen { struct promise_type { int v; Gen get_return_object() { return {std::coroutine_handle<"
            "promise_type>::from_promise(*this)}; } std::suspend_always initial_suspend() { return {}; } "
            "std::suspend_always final_suspend() noexcept { return {}; } std::suspend_always yield_value(int x) "
            "{ v = x; return {}; } void return_void() {} void unhandled_exception() {} }; "
            "std::coroutine_handle<promise_type> h; int next() { h.resume(); return h.promise().v; } };",
            "Gen squares() { for (int i = 1;; ++i) co_yield i * i; }",
            "Gen g = squares();",
            "g.next(); g.next();",
            "g.next()",
        ),
        "9",
    ),
    Story(
        "threads",
        (
            "#include <thread>\n#include <mutex>\n#include <vector>\n#include <atomic>",
            "std::atomic<int> n{0}; std::mutex lock; int guarded = 0;",
            "void work() { for (int i = 0; i < 1000; ++i) { ++n; std::lock_guard<std::mutex> g(lock); ++guarded; } }",
            "{ std::vector<std::thread> ts; for (int i = 0; i < 4; ++i) ts.emplace_back(work); "
            "for (auto &t : ts) t.join(); }",
            "n.load() + guarded",
        ),
        "8000",
    ),
    Story(
        "async",
        (
            "#include <future>\n#include <numeric>\n#include <vector>",
            "std::vector<int> v(100, 1);",
            "auto f = std::async(std::launch::async, [] { return std::accumulate(v.begin(), v.end(), 0); });",
            "f.get()",
        ),
        "100",
    ),
    Story(
        "regex",
        (
            "#include <regex>\n#include <string>",
            'std::regex r("(\\\\w+)@(\\\\w+)"); std::smatch m; std::string s = "to bob@home";',
            "bool found = std::regex_search(s, m, r);",
            'found && m[1] == "bob" && m[2] == "home"',
        ),
        "true",
    ),
    Story(
        "streams_and_strings",
        (
            "#include <sstream>\n#include <iomanip>",
            "std::ostringstream os;",
            "os << std::hex << 255 << std::setw(5) << std::setfill('.') << std::dec << 7;",
            'os.str() == "ff....7"',
        ),
        "true",
    ),
    Story(
        "smart_pointers_and_variants",
        (
            "#include <memory>\n#include <variant>\n#include <optional>",
            "auto p = std::make_shared<int>(5); std::weak_ptr<int> w = p; auto u = std::make_unique<int>(6);",
            "std::variant<int, double> x = 2.5; std::optional<int> o;",
            "o = 3;",
            "(int)p.use_count() * 1000 + *w.lock() * 100 + *u * 10 + (int)x.index() + *o",
        ),
        "1564",
    ),
    Story(
        "inline_assembly",
        (
            'int plus(int a, int b) { int r; __asm__("leal (%1,%2), %0" : "=r"(r) : "r"(a), "r"(b)); return r; }',
            "plus(40, 2)",
        ),
        "42",
    ),
    Story(
        "extern_c",
        (
            'extern "C" int c_function(int x) { return x + 1; }',
            'extern "C" { int c_variable = 5; double cos(double); }',
            "c_function(c_variable) * 10 + (int)cos(0.0)",
        ),
        "61",
    ),
    Story(
        "mixed_cell",
        (
            "int a(int x) { return x + 1; }\nint v = a(1);\nv = a(v);\n"
            "struct S { int k; };\nint b(S s) { return s.k * v; }\nS s{5};\nv++;\nint w = b(s);",
            "w",
        ),
        "20",
    ),
    Story(
        "huge_zero_array",
        (
            "char huge[100 * 1000 * 1000];",
            "huge[99999999] = 7; huge[0] = 1;",
            "huge[99999999] * 10 + huge[0] + huge[50000000]",
        ),
        "71",
    ),
    Story(
        "control_flow_at_top_level",
        (
            "int n = 0;",
            "for (int i = 0; i < 10; ++i) { if (i % 2) continue; n += i; }",
            "while (n < 100) n *= 2;",
            "switch (n) { case 160: n = 1; break; default: n = -1; }",
            "n",
        ),
        "1",
    ),
    Story(
        "enums_unions_bitfields",
        (
            "enum class E : unsigned char { A = 1, B }; enum Old { X = 5, Y };",
            "union U { int i; float f; }; struct Bits { unsigned a : 3; unsigned b : 5; };",
            "U u; u.f = 1.0f; Bits bits{5, 17};",
            "(int)E::B * 1000 + Y * 100 + (u.i == 0x3f800000) * 50 + bits.a + bits.b",
        ),
        "2672",
    ),
    Story(
        "operators_and_adl",
        (
            "namespace geo { struct P { int x, y; }; P operator+(P a, P b) { return {a.x + b.x, a.y + b.y}; } "
            "int norm(P p) { return p.x * p.x + p.y * p.y; } }",
            "namespace geo { int extra(P p) { return norm(p) + 1; } }",
            "extra(geo::P{1, 2} + geo::P{2, 2})",
        ),
        "26",
    ),
    Story(
        "forward_declaration_defined_later",
        (
            "int later(int);",
            "int uses(int x);",
            "int later(int x) { return x * 3; }",
            "int uses(int x) { return later(x) + 1; }",
            "uses(4)",
        ),
        "13",
    ),
    Story(
        "range_algorithms_and_structured_bindings",
        (
            "#include <map>\n#include <string>\n#include <numeric>",
            'std::map<std::string, int> ages{{"ann", 30}, {"bob", 40}};',
            "int sum = 0; for (auto &[name, age] : ages) sum += age;",
            "auto [lo, hi] = std::pair{1, 2};",
            "sum + lo + hi",
        ),
        "73",
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
@pytest.mark.parametrize("opt", [None, 0], ids=["default", "O0"])
def test_story(new_session: NewSession, story: Story, opt: int | None) -> None:
    session = new_session(opt=opt)
    printed = ""
    value = None
    for code in story.cells:
        result = session.run(code)
        printed += result.stdout
        value = shown(result)
    assert value == story.value
    assert printed == story.stdout


@pytest.mark.parametrize("use_pch", [True, False])
@pytest.mark.parametrize("opt", [None, 0, 1, 3])
def test_statements_are_not_evaluated_before_the_variables_they_use(
    new_session: NewSession, opt: int | None, use_pch: bool
) -> None:
    session = new_session(opt=opt, use_pch=use_pch)
    result = session.run(
        "#include <algorithm>\n#include <string>\n#include <vector>\nstd::vector<int> v{3, 1, 2};\n"
        "std::sort(v.begin(), v.end());\nstd::to_string(v[0]) + std::to_string(v[2])"
    )
    assert shown(result) == '"13"'
    assert (
        shown(session.run("int a = 1; a = a + 1; int b = a; b = b * 10; int c = a + b; c")) == "22"
    )


def test_global_constructors_run_in_order_and_destructors_at_the_end(
    new_session: NewSession,
) -> None:
    out: list[str] = []
    session = new_session()
    session.run(
        "#include <cstdio>\nstruct N { const char *n; N(const char *x) : n(x) "
        '{ printf("+%s ", n); } ~N() { printf("-%s ", n); fflush(stdout); } };'
    )
    out.append(session.run('N a("a"); N b("b");').stdout)
    out.append(session.run('N c("c");').stdout)
    out.append(session.close().stdout)
    assert "".join(out) == "+a +b +c -c -b -a "


def test_uncaught_exception_is_reported_and_earlier_effects_stay(session: Session) -> None:
    session.run("#include <stdexcept>\nint x = 1;")
    with pytest.raises(CppException) as caught:
        session.run('x = 2; throw std::runtime_error("no luck"); x = 3;')
    assert caught.value.type_name == "std::runtime_error"
    assert caught.value.what == "no luck"
    assert shown(session.run("x")) == "2"


def test_exception_of_a_users_type(session: Session) -> None:
    session.run("struct Oops { int code; };")
    with pytest.raises(CppException) as caught:
        session.run("throw Oops{3};")
    assert caught.value.type_name == "Oops"
    assert caught.value.what is None
    assert shown(run_all(session, "int y = 4;", "y")) == "4"


def test_format_works_or_its_absence_is_said(session: Session) -> None:
    result = session.run(
        "#if __has_include(<format>)\nbool has = true;\n#else\nbool has = false;\n#endif\nhas"
    )
    if shown(result) == "true":
        assert (
            shown(run_all(session, "#include <format>", 'std::format("{}-{}", 1, 2) == "1-2"'))
            == "true"
        )
    else:
        from farside.errors import CompileError

        with pytest.raises(CompileError, match="'format' file not found"):
            session.run("#include <format>")
