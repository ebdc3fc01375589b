"""What values of all sorts of types look like: (expression, type, text) by cell.

Addresses are written ``@``. Rows of one group share a session.
"""

from __future__ import annotations

Row = tuple[str, str, str]

PRELUDE = (
    """
#include <any>
#include <array>
#include <atomic>
#include <bitset>
#include <chrono>
#include <compare>
#include <complex>
#include <coroutine>
#include <deque>
#include <exception>
#include <filesystem>
#include <forward_list>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <latch>
#include <list>
#include <locale>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <semaphore>
#include <set>
#include <shared_mutex>
#include <source_location>
#include <span>
#include <sstream>
#include <stack>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <typeindex>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <valarray>
#include <variant>
#include <vector>
#include <ranges>
""",
    """
enum Plain { one = 1, two }; enum class Scoped : unsigned char { red, green = 5 };
struct Point { int x = 1; double y = 2.5; };
struct Derived : Point { std::string name = "n"; private: bool hidden = true; };
struct Bits { unsigned a : 3; int b : 5; bool c : 1; Scoped s : 4; };
union Either { int i; float f; };
struct Anonymous { union { int a; unsigned b; }; struct { char c, d; }; int e; };
struct Empty {};
class Secret { int inner = 42; Point p; protected: Point q; public: Point r; };
struct Shape { virtual ~Shape() = default; virtual double area() const = 0; int sides = 4; };
struct Square : Shape { double area() const override { return 1; } double side = 1; };
struct Virtual : virtual Point { int z = 3; };
struct Deeper : Virtual { int w = 4; };
struct MoveOnly { std::unique_ptr<int> p = std::make_unique<int>(7); MoveOnly() = default;
                  MoveOnly(MoveOnly &&) = default; };
struct Node { int value; std::shared_ptr<Node> next; };
struct Refers { int &number; Point &point; };
struct Forward;
template <class T> struct Box { T held{}; };
namespace shapes { struct Circle { double r = 2; }; enum Kind { round }; }
struct Printed { int n; };
std::ostream &operator<<(std::ostream &out, const Printed &p) { return out << "Printed " << p.n; }
namespace text { struct Named { std::string name; };
                 std::string to_string(const Named &n) { return "named " + n.name; } }
struct Convertible { int n = 1; operator int() const { return n; } };
struct Range { int from, to; struct It { int i; int operator*() const { return i; }
               It &operator++() { ++i; return *this; }
               bool operator!=(const It &o) const { return i != o.i; } };
               It begin() const { return {from}; } It end() const { return {to}; } };
struct Failed : std::runtime_error { int code = 3; Failed() : std::runtime_error("it failed") {} };
struct Overloads { int v = 5; Overloads *operator&() { return nullptr; } };
int function(int a) { return a; }
struct Member { int m = 0; int n = 0; void f() {} virtual void g() {} };
""",
    """
int x = 42; const int cx = 7; volatile int vx = 8; int &rx = x; int *px = &x;
int numbers[3] = {1, 2, 3}; int matrix[2][3] = {{1, 2, 3}, {4, 5, 6}}; Point points[2];
const char *words[2] = {"one", "two"}; char letters[8] = "abc"; bool flags[2] = {true, false};
Plain plains[2] = {one, two}; double grid[2][2] = {{1, 2}, {3, 4}}; const char *nothing = nullptr;
Point point; Derived derived; Bits bits{5, -3, true, Scoped::green}; Either either{0};
Anonymous anonymous{{1}, {'c', 'd'}, 2}; Secret secret; Square square; Shape &shape = square;
Deeper deeper; Refers refers{x, point}; const Point constant; MoveOnly only; Member member;
std::vector<int> v{1, 2, 3}; const std::vector<int> cv{4, 5}; std::vector<int> none;
std::string s = "text"; std::map<std::string, std::vector<int>> m{{"a", {1}}, {"b", {}}};
std::shared_ptr<Node> cycle = std::make_shared<Node>(); std::weak_ptr<Node> weak = cycle;
std::unique_ptr<int> owner = std::make_unique<int>(5); std::unique_ptr<int> no_owner;
std::atomic<int> counter{9}; std::mutex mutex; std::exception_ptr no_exception;
typedef int Four __attribute__((vector_size(16))); Four four = {1, 2, 3, 4};
typedef bool Ten __attribute__((ext_vector_type(10))); Ten ten = {true, false, true};
""",
    "cycle->value = 1; cycle->next = cycle;",
)

SCALARS: list[Row] = [
    ("x", "int", "42"),
    ("-x", "int", "-42"),
    ("cx", "const int", "7"),
    ("vx", "int", "8"),
    ("rx", "int", "42"),
    ("true", "bool", "true"),
    ("'c'", "char", "'c'"),
    ("'\\n'", "char", "'\\n'"),
    ("(signed char)65", "signed char", "'A'"),
    ("u8'a'", "char8_t", "u8'a'"),
    ("u'é'", "char16_t", "u'é'"),
    ("U'🙂'", "char32_t", "U'🙂'"),
    ("L'w'", "wchar_t", "L'w'"),
    ("(short)-3", "short", "-3"),
    ("42u", "unsigned int", "42"),
    ("42l", "long", "42"),
    ("42ull", "unsigned long long", "42"),
    ("(__int128)1 << 100", "__int128", "1267650600228229401496703205376"),
    ("(_BitInt(24))-5", "_BitInt(24)", "-5"),
    ("-((_BitInt(201))1 << 150)", "_BitInt(201)", str(-(1 << 150))),
    ("(unsigned _BitInt(256))-1", "unsigned _BitInt(256)", str((1 << 256) - 1)),
    ("(_BitInt(4000))-1", "_BitInt(4000)", "-1"),
    ("1.5f", "float", "1.50000f"),
    ("2.5", "double", "2.5000000"),
    ("1.0", "double", "1.0"),
    ("1.0L", "long double", "1.0L"),
    ("(_Float16)1.5", "_Float16", "1.50000f16"),
    ("nullptr", "std::nullptr_t", "nullptr"),
    ("px", "int *", "@"),
    ("&px", "int **", "@"),
    ("(void *)0", "void *", "0x0"),
    ("(Forward *)16", "Forward *", "0x10"),
    ("one", "Plain", "(one) : unsigned int 1"),
    ("Scoped::green", "Scoped", "(Scoped::green) : unsigned char 5"),
    ("(Scoped)9", "Scoped", " : unsigned char 9"),
    ("shapes::round", "shapes::Kind", "(shapes::round) : unsigned int 0"),
    ("function", "int (int)", "Function @"),
    ("&function", "int (*)(int)", "Function @"),
    ("(int (*)())0", "int (*)()", "0x0"),
    ("&Member::m", "int Member::*", "&Member::m"),
    ("&Member::n", "int Member::*", "&Member::n"),
    ("(int Member::*)nullptr", "int Member::*", "nullptr"),
    ("&Member::f", "void (Member::*)()", "Function @"),
    ("&Member::g", "void (Member::*)()", "virtual function #0"),
    ("(void (Member::*)())nullptr", "void (Member::*)()", "nullptr"),
    ("bits.a", "unsigned int", "5"),
    ("bits.b", "int", "-3"),
    ("std::vector<_BitInt(600)>{-1}", "std::vector<_BitInt(600)>", "{ -1 }"),
    ("four[2]", "int", "3"),
    ("std::bitset<8> eight(5); eight[2]", "std::bitset<8>::reference", "true"),
    ("__builtin_complex(1.0, -2.0)", "_Complex double", "1.0 + -2.0i"),
]

STRINGS: list[Row] = [
    ('"abc"', "const char[4]", '"abc"'),
    ('"a\\"b\\n\\x01"', "const char[6]", '"a\\"b\\n\\x01"'),
    ('"gr\\u00fc\\u00df"', "const char[7]", '"grüß"'),
    ('"\\xff"', "const char[2]", '"\\xff"'),
    ('u8"é"', "const char8_t[3]", 'u8"é"'),
    ('u"é"', "const char16_t[2]", 'u"é"'),
    ('U"é"', "const char32_t[2]", 'U"é"'),
    ('L"é"', "const wchar_t[2]", 'L"é"'),
    ("letters", "char[8]", '"abc"'),
    ('"a\\0b"', "const char[4]", '"a\\0b"'),
    ('u"a\\0b\\0"', "const char16_t[5]", 'u"a\\0b"'),
    ("char zeros[3] = {}; zeros", "char[3]", '""'),
    ("char ends[20000] = {'a'}; ends", "char[20000]", '"a"'),
    ("words[1]", "const char *", '"two"'),
    ("words", "const char *[2]", '{ "one", "two" }'),
    ("nothing", "const char *", "0"),
    ("(const char *)8", "const char *", "<cannot read memory at 0x8>"),
    ('(const wchar_t *)L"wide"', "const wchar_t *", 'L"wide"'),
    ("s", "std::string &", '"text"'),
    ("s + '!'", "std::string", '"text!"'),
    ("std::string()", "std::string", '""'),
    ("std::string_view{s}", "std::string_view", '"text"'),
    ('std::wstring(L"w")', "std::wstring", 'L"w"'),
    ('std::u16string(u"u")', "std::u16string", 'u"u"'),
    ('std::u32string(U"u")', "std::u32string", 'U"u"'),
    ('std::u8string(u8"u")', "std::u8string", 'u8"u"'),
    ("std::string(3, '\\0')", "std::string", '"\\0\\0\\0"'),
    ('std::filesystem::path("/tmp/x")', "std::filesystem::path", '"/tmp/x"'),
]

CLASSES: list[Row] = [
    ("point", "Point &", "{ x = 1, y = 2.5000000 }"),
    ("Point{3, 4}", "Point", "{ x = 3, y = 4.0 }"),
    ("constant", "const Point &", "{ x = 1, y = 2.5000000 }"),
    (
        "derived",
        "Derived &",
        '{ <Point> = { x = 1, y = 2.5000000 }, name = "n", hidden = true }',
    ),
    ("bits", "Bits &", "{ a = 5, b = -3, c = true, s = 5 }"),
    ("either", "Either &", "{ i = 0, f = 0.0f }"),
    ("anonymous", "Anonymous &", "{ a = 1, b = 1, c = 'c', d = 'd', e = 2 }"),
    ("Empty{}", "Empty", "{}"),
    (
        "secret",
        "Secret &",
        "{\n  inner = 42,\n  p = { x = 1, y = 2.5000000 },\n  q = { x = 1, y = 2.5000000 },\n"
        "  r = { x = 1, y = 2.5000000 }\n}",
    ),
    ("shape", "Shape &", "(Square) { sides = 4 }"),
    ("square", "Square &", "{ <Shape> = { sides = 4 }, side = 1.0 }"),
    ("deeper", "Deeper &", "{ <Virtual> = { <Point> = { x = 1, y = 2.5000000 }, z = 3 }, w = 4 }"),
    ("refers", "Refers &", "{ number = 42, point = @@ }"),
    ("only", "MoveOnly &", "{ p = @ -> 7 }"),
    ("MoveOnly{}", "MoveOnly", "{ p = @ -> 7 }"),
    ("Box<int>{}", "Box<int>", "{ held = 0 }"),
    ("Box<std::vector<int>>{{1}}", "Box<std::vector<int>>", "{ held = { 1 } }"),
    ("shapes::Circle{}", "shapes::Circle", "{ r = 2.0 }"),
    ("Printed{3}", "Printed", "Printed 3"),
    ("std::vector<Printed>{{1}, {2}}", "std::vector<Printed>", "{ Printed 1, Printed 2 }"),
    ('text::Named{"it"}', "text::Named", "named it"),
    ("Convertible{}", "Convertible", "{ n = 1 }"),
    ("Range{1, 4}", "Range", "{ 1, 2, 3 }"),
    ("Range{5, 5}", "Range", "{}"),
    ("Overloads{}", "Overloads", "{ v = 5 }"),
    ("member", "Member &", "{ m = 0, n = 0 }"),
    ("std::array<Point, 1>{}", "std::array<Point, 1>", "{ { x = 1, y = 2.5000000 } }"),
    ("[n = 3, &r = x](int) {}", "(lambda at cell @)", "{ n = 3, r = 42 }"),
    ("[] {}", "(lambda at cell @)", "{}"),
    ("[]<class T>(T t) { return t; }", "(lambda at cell @)", "{}"),
    ("(const volatile Point &)point", "const volatile Point &", "{ x = 1, y = 2.5000000 }"),
    (
        "Scoped sa[2] = {Scoped::red, Scoped(7)}; sa",
        "Scoped[2]",
        "{ Scoped::red, (unsigned char) 7 }",
    ),
]

ARRAYS: list[Row] = [
    ("numbers", "int[3]", "{ 1, 2, 3 }"),
    ("matrix", "int[2][3]", "{ { 1, 2, 3 }, { 4, 5, 6 } }"),
    ("grid", "double[2][2]", "{ { 1.0, 2.0 }, { 3.0, 4.0 } }"),
    ("flags", "bool[2]", "{ true, false }"),
    ("plains", "Plain[2]", "{ one, two }"),
    ("points", "Point[2]", "{ { x = 1, y = 2.5000000 }, { x = 1, y = 2.5000000 } }"),
    ("matrix[1]", "int[3]", "{ 4, 5, 6 }"),
    ("&numbers", "int (*)[3]", "@"),
    ("four", "__attribute__((__vector_size__(4 * sizeof(int)))) int", "{ 1, 2, 3, 4 }"),
    (
        "ten",
        "bool __attribute__((ext_vector_type(10)))",
        "{ true, false, true, false, false, false, false, false, false, false }",
    ),
    ("std::array<int, 2>{1, 2}", "std::array<int, 2>", "{ 1, 2 }"),
    ("std::array<int, 0>{}", "std::array<int, 0>", "{}"),
]

CONTAINERS: list[Row] = [
    ("v", "std::vector<int> &", "{ 1, 2, 3 }"),
    ("cv", "const std::vector<int> &", "{ 4, 5 }"),
    ("none", "std::vector<int> &", "{}"),
    ("std::move(v)", "std::vector<int>", "{ 1, 2, 3 }"),
    ("v[1]", "int", "2"),
    ("std::vector<bool>{true, false}", "std::vector<bool>", "{ true, false }"),
    ("std::vector<bool>{true}[0]", "std::vector<bool>::reference", "true"),
    ("std::vector<std::string>{s}", "std::vector<std::string>", '{ "text" }'),
    ("std::vector<std::vector<int>>{{1}, {}}", "std::vector<std::vector<int>>", "{ { 1 }, {} }"),
    ("std::vector<const char *>{words[0]}", "std::vector<const char *>", '{ "one" }'),
    ("std::vector<Scoped>{Scoped::red}", "std::vector<Scoped>", "{ Scoped::red }"),
    ("std::vector<double>{0.5}", "std::vector<double>", "{ 0.50000000 }"),
    ("std::deque<int>{1, 2}", "std::deque<int>", "{ 1, 2 }"),
    ("std::list<char>{'a'}", "std::list<char>", "{ 'a' }"),
    ("std::forward_list<int>{1}", "std::forward_list<int>", "{ 1 }"),
    ("std::set<int>{2, 1}", "std::set<int>", "{ 1, 2 }"),
    ("std::multiset<int>{1, 1}", "std::multiset<int>", "{ 1, 1 }"),
    ("std::unordered_set<int>{1}", "std::unordered_set<int>", "{ 1 }"),
    ("m", "std::map<std::string, std::vector<int>> &", '{ "a" => { 1 }, "b" => {} }'),
    ("std::multimap<int, int>{{1, 2}}", "std::multimap<int, int>", "{ 1 => 2 }"),
    ("std::unordered_map<int, int>{}", "std::unordered_map<int, int>", "{}"),
    ("*m.begin()", "std::pair<const std::string, std::vector<int>> &", '{ "a", { 1 } }'),
    ("std::stack<int>({1, 2})", "std::stack<int>", "{ 1, 2 }"),
    ("std::queue<int>({1, 2})", "std::queue<int>", "{ 1, 2 }"),
    ("std::priority_queue<int>()", "std::priority_queue<int>", "{}"),
    ("std::span<int>{numbers}", "std::span<int>", "{ 1, 2, 3 }"),
    ("std::span<const int, 3>{numbers}", "std::span<const int, 3>", "{ 1, 2, 3 }"),
    ("std::valarray<int>{1, 2}", "std::valarray<int>", "{ 1, 2 }"),
    ("std::initializer_list<int> il = {1, 2}; il", "std::initializer_list<int> &", "{ 1, 2 }"),
    ("std::views::iota(1, 4)", "std::ranges::iota_view<int, int>", "{ 1, 2, 3 }"),
    (
        "auto big = v | std::views::take(2); big",
        "std::ranges::take_view<std::ranges::ref_view<std::vector<int>>> &",
        "{ 1, 2 }",
    ),
    (
        "auto odd = v | std::views::filter([](int i) { return i % 2; }); std::as_const(v)",
        "const std::vector<int> &",
        "{ 1, 2, 3 }",
    ),
    ("odd.front()", "int", "1"),
    ("v.begin()", "std::vector<int>::iterator", "@"),
    ("std::vector<int *>{nullptr}", "std::vector<int *>", "{ 0x0 }"),
]

VOCABULARY: list[Row] = [
    ("std::pair{1, s}", "std::pair<int, std::string>", '{ 1, "text" }'),
    ("std::tuple{1, 'a', 2.5}", "std::tuple<int, char, double>", "{ 1, 'a', 2.5000000 }"),
    ("std::tuple<>{}", "std::tuple<>", "{}"),
    ("std::tie(x)", "std::tuple<int &>", "{ 42 }"),
    ("std::optional{3}", "std::optional<int>", "3"),
    ("std::optional<std::string>{s}", "std::optional<std::string>", '"text"'),
    ("std::optional<int>{}", "std::optional<int>", "nullopt"),
    ("std::nullopt", "const std::nullopt_t &", "{}"),
    ("std::variant<int, std::string>{s}", "std::variant<int, std::string>", '(std::string) "text"'),
    (
        "std::variant<int, Point>{Point{}}",
        "std::variant<int, Point>",
        "(Point) { x = 1, y = 2.5000000 }",
    ),
    ("std::monostate{}", "std::monostate", "{}"),
    ("std::any{3}", "std::any", "(int) 3"),
    ("std::any{s}", "std::any", '(std::string) "text"'),
    ("std::any{point}", "std::any", "(Point) { x = 1, y = 2.5000000 }"),
    ("std::any{}", "std::any", "no value"),
    ("std::function<int(int)>{function}", "std::function<int (int)>", "(int (*)(int)) @@"),
    ("std::function<void()>{}", "std::function<void ()>", "empty"),
    ("std::function<void()>{[] {}}", "std::function<void ()>", "((lambda)) @@"),
    (
        "std::tuple<std::u16string, std::wstring_view>{}",
        "std::tuple<std::u16string, std::wstring_view>",
        '{ u"", L"" }',
    ),
    ("owner", "std::unique_ptr<int> &", "@ -> 5"),
    ("no_owner", "std::unique_ptr<int> &", "0x0"),
    ("std::make_shared<Point>()", "std::shared_ptr<Point>", "@ -> { x = 1, y = 2.5000000 }"),
    ("std::make_unique<int[]>(3)", "std::unique_ptr<int[]>", "@"),
    ("std::shared_ptr<void>(std::make_shared<int>(1))", "std::shared_ptr<void>", "@"),
    ("std::unique_ptr<Shape>(new Square)", "std::unique_ptr<Shape>", "@ -> (Square) { sides = 4 }"),
    ("cycle", "std::shared_ptr<Node> &", "@ -> { value = 1, next = @ -> (cycle) }"),
    ("weak", "std::weak_ptr<Node> &", "@ -> { value = 1, next = @ -> (cycle) }"),
    ("std::weak_ptr<int>()", "std::weak_ptr<int>", "expired"),
    ("std::ref(x)", "std::reference_wrapper<int>", "42"),
    ("std::complex<double>(1, 2)", "std::complex<double>", "1.0 + 2.0i"),
    ("std::complex<float>(1, 2)", "std::complex<float>", "1.0f + 2.0fi"),
    ("std::bitset<6>(5)", "std::bitset<6>", "000101"),
    ("std::chrono::seconds(5)", "std::chrono::seconds", "5s"),
    ("std::chrono::milliseconds(1500)", "std::chrono::milliseconds", "1500ms"),
    ("std::chrono::duration<double>(1.5)", "std::chrono::duration<double>", "1.5000000s"),
    ("std::chrono::hours(2)", "std::chrono::hours", "2h"),
    (
        "std::chrono::system_clock::time_point day(std::chrono::seconds(86400)); day",
        "std::chrono::system_clock::time_point &",
        "1970-01-02 00:00:00 UTC",
    ),
    (
        "std::chrono::steady_clock::time_point start; start",
        "std::chrono::steady_clock::time_point &",
        "0ns",
    ),
    ("std::chrono::year(2026)", "std::chrono::year", "2026"),
    (
        "std::chrono::year_month_day(std::chrono::year(2026), std::chrono::May,"
        " std::chrono::day(4))",
        "std::chrono::year_month_day",
        "{ year = 2026, month = 5, day = 4 }",
    ),
    ("std::thread::id()", "std::thread::id", "thread::id of a non-executing thread"),
    ('std::runtime_error("bad")', "std::runtime_error", '"bad"'),
    ("Failed()", "Failed", '"it failed"'),
    ("(const std::exception &)Failed()", "const std::exception &", '(Failed) "it failed"'),
    (
        'std::make_exception_ptr(std::out_of_range("far"))',
        "std::exception_ptr",
        '(std::out_of_range) "far"',
    ),
    ("std::make_exception_ptr(3)", "std::exception_ptr", "(int) 3"),
    ('std::make_exception_ptr("x\\n")', "std::exception_ptr", '(char const*) "x\\n"'),
    (
        "std::make_exception_ptr(Four())",
        "std::exception_ptr",
        "(int __vector(4)) an exception that is no std::exception",
    ),
    ("no_exception", "std::exception_ptr &", "nullptr"),
    ("counter", "std::atomic<int> &", "9"),
    ("std::atomic_flag()", "std::atomic_flag", "false"),
    ("mutex", "std::mutex &", "unlocked"),
    ("std::cout", "std::ostream &", "good"),
    (
        "std::make_pair(1, std::make_pair(2, 3))",
        "std::pair<int, std::pair<int, int>>",
        "{ 1, { 2, 3 } }",
    ),
]

OBSERVED: list[Row] = [
    ("std::coroutine_handle<>()", "std::coroutine_handle<void>", "nullptr"),
    (
        "std::noop_coroutine()",
        "std::noop_coroutine_handle",
        "{ address = @, done = false }",
    ),
    (
        "auto here() { return std::source_location::current(); } here().function_name()",
        "const char *",
        '"source_location here()"',
    ),
    (
        "std::source_location()",
        "std::source_location",
        '{ file_name = "", line = 0, column = 0, function_name = "" }',
    ),
    ("typeid(Point)", "const std::type_info &", "Point"),
    ("std::type_index(typeid(int **))", "std::type_index", "int**"),
    ("1 <=> 2", "std::strong_ordering", "less"),
    ("2 <=> 2", "std::strong_ordering", "equal"),
    ("2.5 <=> 2.0", "std::partial_ordering", "greater"),
    ("0.0 / 0.0 <=> 1.0", "std::partial_ordering", "unordered"),
    (
        "std::weak_ordering::equivalent",
        "const std::weak_ordering &",
        "equivalent",
    ),
    (
        "std::error_code(2, std::generic_category())",
        "std::error_code",
        '{ value = 2, category = "generic", message = "No such file or directory" }',
    ),
    (
        "std::make_error_condition(std::errc::invalid_argument)",
        "std::error_condition",
        '{ value = 22, category = "generic", message = "Invalid argument" }',
    ),
    ("std::system_category()", "const std::error_category &", '"system"'),
    ("std::locale::classic()", "const std::locale &", '"C"'),
    ('std::regex("(a)(b)")', "std::regex", "{ mark_count = 2 }"),
    ("std::future<int>()", "std::future<int>", "no state"),
    (
        "std::promise<int> made; auto promised = made.get_future(); promised",
        "std::future<int> &",
        "not ready",
    ),
    ("made.set_value(3); promised", "std::future<int> &", "ready"),
    ("promised.get()", "int", "3"),
    (
        "std::async(std::launch::deferred, [] { return 1; }).share()",
        "std::shared_future<int>",
        "deferred",
    ),
    ("std::packaged_task<int()>()", "std::packaged_task<int ()>", "{ valid = false }"),
    ("mutex.lock(); mutex", "std::mutex &", "locked"),
    ("mutex.unlock(); std::recursive_mutex again; again", "std::recursive_mutex &", "unlocked"),
    (
        "std::unique_lock<std::mutex>(mutex)",
        "std::unique_lock<std::mutex>",
        "{ owns_lock = true, mutex = @ }",
    ),
    (
        "std::shared_lock<std::shared_mutex>()",
        "std::shared_lock<std::shared_mutex>",
        "{ owns_lock = false, mutex = 0x0 }",
    ),
    (
        "std::counting_semaphore<5> permits(2); permits",
        "std::counting_semaphore<5> &",
        "{ count = 2 }",
    ),
    ("std::latch gate(3); gate", "std::latch &", "{ count = 3 }"),
    ("std::chrono::year(2026) / 5", "std::chrono::year_month", "{ year = 2026, month = 5 }"),
    ("std::chrono::May / 4", "std::chrono::month_day", "{ month = 5, day = 4 }"),
    ("std::chrono::May / std::chrono::last", "std::chrono::month_day_last", "{ month = 5 }"),
    (
        "std::chrono::year(2024) / 2 / std::chrono::last",
        "std::chrono::year_month_day_last",
        "{ year = 2024, month = 2, day = 29 }",
    ),
    (
        "std::chrono::May / std::chrono::Monday[2]",
        "std::chrono::month_weekday",
        "{ month = 5, weekday_indexed = { weekday = 1, index = 2 } }",
    ),
    (
        "std::chrono::May / std::chrono::Monday[std::chrono::last]",
        "std::chrono::month_weekday_last",
        "{ month = 5, weekday_last = { weekday = 1 } }",
    ),
    (
        "std::chrono::year(2026) / 5 / std::chrono::Monday[1]",
        "std::chrono::year_month_weekday",
        "{ year = 2026, month = 5, weekday = 1, index = 1 }",
    ),
    (
        "using Time = std::chrono::hh_mm_ss<std::chrono::milliseconds>;"
        " Time(std::chrono::milliseconds(-3723004))",
        "Time",
        "{ is_negative = true, hours = 1h, minutes = 2min, seconds = 3s, subseconds = 4ms }",
    ),
    ("std::mt19937 engine; engine", "std::mt19937 &", "{ next = 3499211612 }"),
    ("(unsigned)engine()", "unsigned int", "3499211612"),
    ("std::minstd_rand()", "std::minstd_rand", "{ next = 48271 }"),
    ("std::ranlux24()", "std::ranlux24", "{ next = 15039276 }"),
    ("std::seed_seq{1, 2, 3}", "std::seed_seq", "{ size = 3 }"),
    ("std::slice(1, 2, 3)", "std::slice", "{ start = 1, size = 2, stride = 3 }"),
    (
        'std::stringstream text_stream("1 2"); text_stream',
        "std::stringstream &",
        '{ str = "1 2", state = good }',
    ),
    (
        "int from_stream; while (text_stream >> from_stream) ; text_stream",
        "std::stringstream &",
        '{ str = "1 2", state = failed }',
    ),
    (
        'std::ifstream("/nonexistent")',
        "std::ifstream",
        "{ is_open = false, state = failed }",
    ),
    ("std::streampos(3)", "std::streampos", "3"),
    ("std::stringbuf()", "std::stringbuf", '""'),
    (
        "std::filesystem::file_status(std::filesystem::file_type::directory)",
        "std::filesystem::file_status",
        "{ type = std::filesystem::file_type::directory,"
        " permissions = std::filesystem::perms::unknown }",
    ),
    (
        "std::pmr::polymorphic_allocator<int>()",
        "std::pmr::polymorphic_allocator<int>",
        "{ resource = @ }",
    ),
    ("m.begin()", "std::map<std::string, std::vector<int>>::iterator", "@"),
    (
        "std::thread()",
        "std::thread",
        "{ joinable = false, id = thread::id of a non-executing thread }",
    ),
    ("std::vector<std::strong_ordering>{1 <=> 2}", "std::vector<std::strong_ordering>", "{ less }"),
]

FAILING: list[Row] = [
    (
        "*(Point *)8",
        "Point &",
        "{ x = <cannot read memory at 0x8>, y = <cannot read memory at 0x10> }",
    ),
    ("*(std::string *)8", "std::string &", "<display crashed: SIGSEGV>"),
    (
        "struct Throws { int a; friend std::ostream &operator<<(std::ostream &o, const Throws &) {"
        ' throw std::runtime_error("bad"); } }; Throws{1}',
        "Throws",
        "<display threw std::runtime_error: bad>",
    ),
    (
        "struct Crashes { int a;"
        " friend std::ostream &operator<<(std::ostream &out, const Crashes &) {"
        ' out << "so far"; __builtin_trap(); } }; std::vector<Crashes>{{1}, {2}}',
        "std::vector<Crashes>",
        "{ …, … 1 more } <display crashed: SIGILL>",
    ),
    (
        "struct Exits { int a; friend std::ostream &operator<<(std::ostream &out, const Exits &) {"
        " std::exit(3); } }; Exits{1}",
        "Exits",
        "<display ended before it was done>",
    ),
    ("x", "int", "42"),
]

GROUPS: dict[str, list[Row]] = {
    "scalars": SCALARS,
    "strings": STRINGS,
    "classes": CLASSES,
    "arrays": ARRAYS,
    "containers": CONTAINERS,
    "vocabulary": VOCABULARY,
    "observed": OBSERVED,
    "failing": FAILING,
}
