#include "shown_header.h"

#include "farside/value_kinds.h"

#include <string>

namespace farside {

namespace {

// The functions of native/executor/show.h.
constexpr const char *Functions = R"(
void __farside_show(void (*)(void *, void *), const volatile void *, unsigned, unsigned long);
unsigned __farside_give(void (*)(void *, void *), const volatile void *);
void __farside_leaf(void *, unsigned, const volatile void *, unsigned long);
void __farside_address(void *, const volatile void *);
void __farside_integer(void *, unsigned, unsigned long long, unsigned long);
void __farside_chars(void *, unsigned, const volatile void *, unsigned long, unsigned long);
void __farside_array(void *, unsigned, const volatile void *, unsigned long, unsigned long);
void __farside_numbers(void *, unsigned, const volatile void *, unsigned long, unsigned long, const char *);
void __farside_enumerator(void *, unsigned, const volatile void *, unsigned long, const char *, const char *);
void __farside_enum(void *, unsigned, const volatile void *, unsigned long, const char *);
void __farside_member(void *, const volatile void *, const char *);
void __farside_open(void *, unsigned, const char *);
void __farside_open_dynamic(void *, const volatile void *, const char *);
void __farside_open_type(void *, const char *);
void __farside_type_name(void *, const char *);
void __farside_caught(void *);
void __farside_bits(void *, const volatile void *, unsigned long);
void __farside_label(void *, const char *);
void __farside_count(void *, unsigned long);
int __farside_more(void *);
int __farside_enter(void *, const volatile void *);
void __farside_leave(void *);
void __farside_close(void *);
)";

// `show<T, G>` and `rich<T, G>` are never defined here: the compiler gives each instance its body
// (show_bodies.h), which most often is a call of one of the templates below. G changes when cells
// have declared what may change how a type is shown; its highest bit says that the value is given
// to Python instead.
constexpr const char *Templates = R"(
namespace __farside {
typedef decltype(sizeof 0) size;
template <class T> struct bare { typedef T type; };
template <class T> struct bare<T &> { typedef T type; };
template <class T> struct bare<T &&> { typedef T type; };
// So that a call with template arguments parses; those that are meant are found by their arguments.
struct hidden;
template <size> void get(hidden);
template <class> void any_cast(hidden);

template <class T, unsigned G> void show(void *out, T &value);
template <class T, unsigned G> void rich(void *out, T &value);
template <class T, unsigned G> void entry(void *out, void *object) {
  __farside::show<T, G>(out, *(T *)object);
}
template <class T, unsigned G> void rich_entry(void *out, void *object) {
  __farside::rich<T, G>(out, *(T *)object);
}

// What a call's result is sent with. The default of G is renewed as G changes.
template <class T, unsigned G = __GIVEN> bool give(T &&value) {
  return __farside_give(&__farside::entry<typename bare<T>::type, G>,
                        &reinterpret_cast<const volatile char &>(value)) != 0;
}

template <class R> auto count(void *out, R &range, int) -> decltype((void)(size)range.size()) {
  __farside_count(out, (size)range.size());
}
template <class R> void count(void *, R &, long) {}

template <class T, unsigned G> void range(void *out, T &value) {
  __farside_open(out, __SEQUENCE, 0);
  __farside::count(out, value, 0);
  for (auto &&element : value) {
    if (!__farside_more(out))
      break;
    __farside::show<typename bare<decltype(element)>::type, G>(out, element);
  }
  __farside_close(out);
}
template <class T, unsigned G> void map(void *out, T &value) {
  __farside_open(out, __MAP, 0);
  __farside::count(out, value, 0);
  for (auto &&element : value) {
    if (!__farside_more(out))
      break;
    auto &&key = element.first;
    auto &&mapped = element.second;
    __farside::show<typename bare<decltype(key)>::type, G>(out, key);
    __farside::show<typename bare<decltype(mapped)>::type, G>(out, mapped);
  }
  __farside_close(out);
}
template <class T, unsigned G> void elements(void *out, T *first, size number) {
  __farside_open(out, __SEQUENCE, 0);
  __farside_count(out, number);
  for (size i = 0; i != number && __farside_more(out); ++i)
    __farside::show<T, G>(out, first[i]);
  __farside_close(out);
}
template <class T> void units(void *out, T &value, unsigned kind) {
  __farside_leaf(out, kind, value.data(), value.size() * sizeof *value.data());
}
template <class T, unsigned G> void set(void *out, T &value) {
  __farside_open(out, __SET, 0);
  for (auto &element : value)
    __farside::show<typename bare<decltype(element)>::type, G>(out, element);
  __farside_close(out);
}
template <class T, unsigned G> void held(void *out, T &value) {
  auto *pointer = value.get();
  if (!pointer)
    return __farside_leaf(out, __NULLPTR, 0, 0);
  if (!__farside_enter(out, pointer))
    return;
  __farside::show<typename bare<decltype(*pointer)>::type, G>(out, *pointer);
  __farside_leave(out);
}
template <class T, unsigned G, size I> void held_alternative(void *out, T &value) {
  if (value.index() != I)
    return;
  auto &&found = get<I>(value);
  __farside::show<typename bare<decltype(found)>::type, G>(out, found);
}
inline void none(void *out) { __farside_leaf(out, __NULLPTR, 0, 0); }
template <class T> void none_if_valueless(void *out, T &value) {
  if (value.valueless_by_exception())
    __farside::none(out);
}
template <class T, unsigned G> void held_or_none(void *out, T &value) {
  if (!value)
    return __farside::none(out);
  auto &&found = *value;
  __farside::show<typename bare<decltype(found)>::type, G>(out, found);
}
template <class T, unsigned G> void locked_or_none(void *out, T &value) {
  auto pointer = value.lock();
  __farside::show<decltype(pointer), G>(out, pointer);
}
template <class T> void numbers(void *out, T &value, unsigned kind, size bytes, const char *inner) {
  __farside_numbers(out, kind, value.data(), bytes, (size)value.size(), inner);
}
template <class T> void grid_numbers(void *out, T &value, unsigned kind, size bytes) {
  char inner[24 * T::rank()]; // a size has 20 digits at most
  char *end = inner;
  for (size i = 1; i < T::rank(); ++i) {
    size rest = value.extent(i);
    char digits[20];
    size number = 0;
    do
      digits[number++] = (char)('0' + rest % 10);
    while (rest /= 10);
    while (number)
      *end++ = digits[--number];
    *end++ = ',';
  }
  end[end == inner ? 0 : -1] = 0;
  __farside_numbers(out, kind, value.data(), bytes, value.extent(0), inner);
}
template <class T> void listed_numbers(void *out, T &value, unsigned kind, size bytes, const char *inner) {
  __farside_numbers(out, kind, value.begin(), bytes, (size)value.size(), inner);
}
template <class T> void valarray_numbers(void *out, T &value, unsigned kind, size bytes, const char *inner) {
  __farside_numbers(out, kind, value.size() ? &value[0] : 0, bytes, (size)value.size(), inner);
}
template <class E> struct computed {
  E *data;
  explicit computed(size number) : data(new E[number ? number : 1]) {}
  ~computed() { delete[] data; }
  computed(const computed &) = delete;
};
template <class T, class E> void computed_numbers(void *out, T &value, unsigned kind, size bytes, const char *inner) {
  size number = value.size();
  computed<E> all(number);
  for (size i = 0; i != number; ++i)
    all.data[i] = value[i];
  __farside_numbers(out, kind, all.data, bytes, number, inner);
}
template <class T> void listed_units(void *out, T &value, unsigned kind) {
  __farside_leaf(out, kind, value.begin(), value.size() * sizeof *value.begin());
}
template <class T> void flat(void *out, T &value, unsigned kind, size bytes) {
  __farside_array(out, kind, value.data(), bytes, (size)value.size());
}
template <class T> void list(void *out, T &value, unsigned kind, size bytes) {
  __farside_array(out, kind, value.begin(), bytes, (size)value.size());
}
template <class T> void string(void *out, T &value, unsigned kind) {
  __farside_leaf(out, kind, value.data(), value.size() * sizeof *value.data());
}
template <class T> void native_path(void *out, T &value) {
  __farside::units(out, value.native(), __PATH);
}
template <class T> void path(void *out, T &value) {
  __farside::string(out, value.native(), __STRING);
}
template <class T, unsigned G> void pair(void *out, T &value) {
  __farside_open(out, __TUPLE, 0);
  __farside::show<typename bare<decltype((value.first))>::type, G>(out, value.first);
  __farside::show<typename bare<decltype((value.second))>::type, G>(out, value.second);
  __farside_close(out);
}
template <class T, unsigned G, size I> void element(void *out, T &value) {
  auto &&found = get<I>(value);
  __farside::show<typename bare<decltype(found)>::type, G>(out, found);
}
template <class T, unsigned G, size I> void alternative(void *out, T &value, const char *type) {
  if (value.index() != I)
    return;
  auto &&found = get<I>(value);
  __farside_open(out, __TYPED, type);
  __farside::show<typename bare<decltype(found)>::type, G>(out, found);
  __farside_close(out);
}
inline void word(void *out, const char *text) { __farside_open(out, __OPTIONAL, text); __farside_close(out); }
template <class T> void valueless(void *out, T &value) {
  if (value.valueless_by_exception())
    __farside::word(out, "valueless by exception");
}
template <class T, unsigned G> void optional(void *out, T &value) {
  if (!value)
    return __farside::word(out, "nullopt");
  __farside_open(out, __OPTIONAL, 0);
  __farside::show<typename bare<decltype(*value)>::type, G>(out, *value);
  __farside_close(out);
}
template <class T, unsigned G> void expected(void *out, T &value) {
  if (value) {
    auto &&held = *value;
    return __farside::show<typename bare<decltype(held)>::type, G>(out, held);
  }
  __farside_open(out, __UNEXPECTED, 0);
  __farside::show<typename bare<decltype((value.error()))>::type, G>(out, value.error());
  __farside_close(out);
}
template <class T, unsigned G> void expected_void(void *out, T &value) {
  if (value)
    return __farside::word(out, "void");
  __farside_open(out, __UNEXPECTED, 0);
  __farside::show<typename bare<decltype((value.error()))>::type, G>(out, value.error());
  __farside_close(out);
}
template <class T> void address(void *out, T &value) {
  auto *pointer = value.get();
  __farside_leaf(out, __POINTER, &pointer, sizeof pointer);
}
template <class T, unsigned G> void pointee(void *out, T &value) {
  auto *pointer = value.get();
  __farside_open(out, __POINTEE, 0);
  __farside_leaf(out, __POINTER, &pointer, sizeof pointer);
  if (pointer && __farside_enter(out, pointer)) {
    __farside::show<typename bare<decltype(*pointer)>::type, G>(out, *pointer);
    __farside_leave(out);
  }
  __farside_close(out);
}
template <class T, unsigned G> void locked(void *out, T &value) {
  auto held = value.lock();
  if (held)
    return __farside::show<decltype(held), G>(out, held);
  __farside::word(out, "expired");
}
template <class T, unsigned G> void referred(void *out, T &value) {
  auto &target = value.get();
  if (!__farside_enter(out, (const volatile char *)&reinterpret_cast<const volatile char &>(target)))
    return;
  __farside::show<typename bare<decltype(target)>::type, G>(out, target);
  __farside_leave(out);
}
template <class T, unsigned G> void loaded(void *out, T &value) {
  auto now = value.load();
  __farside::show<decltype(now), G>(out, now);
}
template <class T> void flag(void *out, T &value) {
  bool now = (bool)value;
  __farside_leaf(out, __BOOL, &now, 1);
}
template <class T, unsigned G> void matched(void *out, T &value) {
  if (!value.matched)
    return (G & __GIVEN) != 0 ? __farside::none(out) : __farside::word(out, "no match");
  auto text = value.str();
  __farside::show<decltype(text), G>(out, text);
}
template <class T> void tested(void *out, T &value) {
  bool now = value.test();
  __farside_leaf(out, __BOOL, &now, 1);
}
template <class T> void digits(void *out, T &value) {
  auto text = value.to_string();
  __farside_leaf(out, __TEXT, text.data(), text.size());
}
template <class T, unsigned G> void quantity(void *out, T &value, const char *unit) {
  auto number = value.count();
  __farside_open(out, __QUANTITY, unit);
  __farside::show<decltype(number), G>(out, number);
  __farside_close(out);
}
template <class T, unsigned G> void since(void *out, T &value) {
  auto passed = value.time_since_epoch();
  __farside::show<decltype(passed), G>(out, passed);
}
template <class T> void system_time(void *out, T &value, long long up, long long down, const char *type) {
  long double passed = value.time_since_epoch().count();
  long double exact = passed * up / down;
  if (!(exact > -9.2e18L && exact < 9.2e18L)) {
    if (*type)
      __farside_open(out, __TYPED, type);
    __farside::word(out, "a time before 1678 or after 2261");
    if (*type)
      __farside_close(out);
    return;
  }
  long long nanoseconds = (long long)exact;
  __farside_leaf(out, __TIME, &nanoseconds, sizeof nanoseconds);
}
template <class N, class T> void converted(void *out, T &value, unsigned kind) {
  N number = (N)value;
  __farside_leaf(out, kind, &number, sizeof number);
}
template <class T, unsigned G> void date(void *out, T &value) {
  auto year = value.year();
  auto month = value.month();
  auto day = value.day();
  __farside_open(out, __RECORD, 0);
  __farside_label(out, "year");
  __farside::converted<int>(out, year, __INT);
  __farside_label(out, "month");
  __farside::converted<unsigned>(out, month, __UINT);
  __farside_label(out, "day");
  __farside::converted<unsigned>(out, day, __UINT);
  __farside_close(out);
}
template <class T> void weekday(void *out, T &value) {
  unsigned number = value.c_encoding();
  __farside_leaf(out, __UINT, &number, sizeof number);
}
template <class F> void function(void *out, F &value) {
  if (!value)
    return __farside::word(out, "empty");
#ifdef __cpp_rtti
  __farside_open_type(out, value.target_type().name());
#else
  __farside_open(out, __TYPED, "a function");
#endif
  __farside_address(out, &value);
  __farside_close(out);
}
template <class X, class T> bool is(void *out, T &value, unsigned kind) {
  auto *found = any_cast<X>(&value);
  if (found)
    __farside_leaf(out, kind, found, sizeof *found);
  return found;
}
// Types that a std::any may hold, besides those that each program puts there.
template <class... X> struct one_of;
template <> struct one_of<> {
  template <class T, unsigned G> static bool show(void *, T &) { return false; }
};
template <class X, class... More> struct one_of<X, More...> {
  template <class T, unsigned G> static bool show(void *out, T &value) {
    auto *found = any_cast<X>(&value);
    if (!found)
      return one_of<More...>::template show<T, G>(out, value);
    __farside::show<X, G>(out, *found);
    return true;
  }
};
// What has no form in Python stays with the program, in a copy.
template <class T, unsigned G> void kept_any(void *out, T &value) {
  if ((G & __GIVEN) == 0)
    return __farside_address(out, &value);
  bool lives = true;
  __farside_open(out, __OPAQUE, "std::any");
  __farside_address(out, new T(value));
  __farside_leaf(out, __BOOL, &lives, 1);
  __farside_close(out);
}
template <class T, unsigned G, class... X> void anything(void *out, T &value) {
  if (!value.has_value())
    return __farside::word(out, "no value");
#ifdef __cpp_rtti
  __farside_open_type(out, value.type().name());
#else
  __farside_open(out, __TYPED, "a value");
#endif
  if (!(is<int>(out, value, __INT) || is<double>(out, value, __DOUBLE) || is<bool>(out, value, __BOOL) ||
        is<char>(out, value, __CHAR) || is<long>(out, value, __INT) || is<unsigned>(out, value, __UINT) ||
        is<unsigned long>(out, value, __UINT) || is<float>(out, value, __FLOAT))) {
    auto *text = any_cast<const char *>(&value);
    if (text)
      __farside_chars(out, __CSTR, *text, (size)-1, 1);
    else if (!one_of<X...>::template show<T, G>(out, value))
      __farside::kept_any<T, G>(out, value);
  }
  __farside_close(out);
}
template <class T, unsigned G, class S, class... X> void any_string(void *out, T &value) {
  auto *found = any_cast<S>(&value);
  if (!found)
    return __farside::anything<T, G, X...>(out, value);
  __farside_open(out, __TYPED, "std::string");
  __farside::string(out, *found, __STRING);
  __farside_close(out);
}
template <class T> void thrown(void *out, T &value, const char *type) {
  __farside_open_dynamic(out, &reinterpret_cast<const volatile char &>(value), type);
  __farside_chars(out, __CSTR, value.what(), (size)-1, 1);
  __farside_close(out);
}
// `known`: the executor's own library threw it.
template <class E, class T, class F> void rethrown(void *out, T &value, F rethrow, size known) {
  if (!value)
    return __farside::word(out, "nullptr");
#ifdef __cpp_exceptions
  try {
    rethrow(value);
  } catch (E &exception) {
    return __farside::thrown(out, exception, "std::exception");
  } catch (...) {
    if (known)
      return __farside_caught(out);
  }
#endif
  __farside::word(out, "an exception that is no std::exception");
}

// Of show_observed.cpp.
template <class T, unsigned G> void type_name(void *out, T &value) {
  __farside_type_name(out, value.name());
}
template <class T, unsigned G> void ordering(void *out, T &value, const char *same) {
  __farside::word(out, value < 0 ? "less" : value > 0 ? "greater" : value == 0 ? same : "unordered");
}
template <class T, unsigned G> void coroutine(void *out, T &value) {
  void *frame = value.address();
  if (!frame)
    return __farside::word(out, "nullptr");
  __farside_open(out, __RECORD, 0);
  __farside_label(out, "address");
  __farside_leaf(out, __POINTER, &frame, sizeof frame);
  __farside_label(out, "done");
  bool done = value.done();
  __farside_leaf(out, __BOOL, &done, 1);
  __farside_close(out);
}
template <class D, class T> void awaited(void *out, T &value) {
  if (!value.valid())
    return __farside::word(out, "no state");
  auto status = value.wait_for(D(0));
  typedef decltype(status) S;
  __farside::word(out, status == S::ready ? "ready" : status == S::deferred ? "deferred" : "not ready");
}
template <class T> auto lock_of(void *out, T &value, int) -> decltype((void)value.native_handle()->__data.__lock) {
  __farside::word(out, value.native_handle()->__data.__lock ? "locked" : "unlocked");
}
template <class T> void lock_of(void *out, T &value, long) {
  __farside_address(out, &reinterpret_cast<const volatile char &>(value));
}
template <class T, unsigned G> void mutex(void *out, T &value) { __farside::lock_of(out, value, 0); }
template <class T, unsigned G> void engine(void *out, T &value) {
  auto copy = value;
  auto next = copy();
  __farside_open(out, __RECORD, 0);
  __farside_label(out, "next");
  __farside::show<decltype(next), G>(out, next);
  __farside_close(out);
}
template <class T, unsigned G> void indexed(void *out, T &value) {
  size number = value.size();
  __farside_open(out, __SEQUENCE, 0);
  __farside_count(out, number);
  for (size i = 0; i != number && __farside_more(out); ++i) {
    auto &&found = value[i];
    __farside::show<typename bare<decltype(found)>::type, G>(out, found);
  }
  __farside_close(out);
}
template <class T, unsigned G> void extents(void *out, T &value) {
  __farside_open(out, __SEQUENCE, 0);
  for (size i = 0; i != T::rank(); ++i) {
    size extent = value.extent(i);
    __farside_leaf(out, __UINT, &extent, sizeof extent);
  }
  __farside_close(out);
}
template <class T, class... I> auto cell(T &value, int, I... at) -> decltype(value.accessor().access(value.data_handle(), value.mapping()(at...))) {
  return value.accessor().access(value.data_handle(), value.mapping()(at...));
}
template <class T, class... I> auto cell(T &value, long, I... at) -> decltype(value(at...)) {
  return value(at...);
}
template <size N> struct axis {
  template <class T, unsigned G, class... I> static void walk(void *out, T &value, I... at) {
    size number = value.extent(sizeof...(at));
    __farside_open(out, __SEQUENCE, 0);
    __farside_count(out, number);
    for (size i = 0; i != number && __farside_more(out); ++i)
      axis<N - 1>::template walk<T, G>(out, value, at..., i);
    __farside_close(out);
  }
};
template <> struct axis<0> {
  template <class T, unsigned G, class... I> static void walk(void *out, T &value, I... at) {
    auto &&found = __farside::cell(value, 0, at...);
    __farside::show<typename bare<decltype(found)>::type, G>(out, found);
  }
};
template <class T, unsigned G> void grid(void *out, T &value) {
  axis<T::rank()>::template walk<T, G>(out, value);
}
template <class T, unsigned G> void state(void *out, T &value) {
  __farside::word(out, value.bad() ? "bad" : value.fail() ? "failed" : value.eof() ? "at its end" : "good");
}
template <class T, unsigned G> void filled(void *out, T &value) {
  __farside::word(out, value ? "a function" : "empty");
}

template <class B> struct buffer : B {
  void *out;
  size room;
  char text[1024];
  size used;
  explicit buffer(void *o) : out(o), room(__STRING_LIMIT + 1), used(0) {}
  ~buffer() { flush(); } // also where what writes to it throws
  bool put(char c) {
    if (room == 0)
      return false;
    --room;
    text[used++] = c;
    if (used == sizeof text)
      flush();
    return true;
  }
  void flush() {
    if (used)
      __farside_leaf(out, __TEXT, text, used);
    used = 0;
  }
  using traits = typename B::traits_type;
  typename B::int_type overflow(typename B::int_type c) override {
    if (!traits::eq_int_type(c, traits::eof()) && !put(traits::to_char_type(c)))
      return traits::eof();
    return traits::not_eof(c);
  }
};
// G is one of its arguments as the operator may be compiled into it.
template <class O, class T, unsigned G> void streamed(void *out, T &value) {
  buffer<typename bare<decltype(*((O *)0)->rdbuf())>::type> sink(out);
  O stream(&sink);
  __farside_open(out, __OPTIONAL, "");
  stream << value;
  sink.flush(); // before it is closed
  __farside_close(out);
}
inline void text(void *out, const char *value) { __farside_chars(out, __TEXT, value, (size)-1, 1); }
template <class S> auto text(void *out, const S &value) -> decltype((void)value.data()) {
  __farside_leaf(out, __TEXT, value.data(), value.size());
}
template <class B> auto bundle(void *out, B &&made, int) -> decltype((void)made.dump()) {
  auto text = made.dump();
  __farside_open(out, __BUNDLE, 0);
  __farside_label(out, "");
  __farside_leaf(out, __DATA, text.data(), text.size());
  __farside_close(out);
}
template <class B>
auto bundle(void *out, B &&made, long) -> decltype((void)(*made.begin()).first.c_str(), (void)(*made.begin()).second.data()) {
  __farside_open(out, __BUNDLE, 0);
  for (auto &&entry : made) {
    __farside_label(out, entry.first.c_str());
    __farside_leaf(out, __DATA, entry.second.data(), entry.second.size());
  }
  __farside_close(out);
}
}
)";

std::string build(bool cxx) {
  std::string text;
  auto define = [&](const char *name, int value) {
    if (cxx)
      text += "  __" + std::string(name) + " = " + std::to_string(value) + ",\n";
  };
  if (cxx)
    text += "extern \"C\" {";
  text += Functions;
  if (cxx)
    text += "}\nnamespace __farside { enum kind : unsigned {\n";
  define("BOOL", FARSIDE_VALUE_BOOL);
  define("CHAR", FARSIDE_VALUE_CHAR);
  define("INT", FARSIDE_VALUE_INT);
  define("UINT", FARSIDE_VALUE_UINT);
  define("FLOAT", FARSIDE_VALUE_FLOAT);
  define("DOUBLE", FARSIDE_VALUE_DOUBLE);
  define("POINTER", FARSIDE_VALUE_POINTER);
  define("CSTR", FARSIDE_VALUE_CSTR);
  define("STRING", FARSIDE_VALUE_STRING);
  define("NULLPTR", FARSIDE_VALUE_NULLPTR);
  define("SET", FARSIDE_VALUE_SET);
  define("PATH", FARSIDE_VALUE_PATH);
  define("OBJECT", FARSIDE_VALUE_OBJECT);
  define("TIME", FARSIDE_VALUE_TIME);
  define("TEXT", FARSIDE_VALUE_TEXT);
  define("SEQUENCE", FARSIDE_VALUE_SEQUENCE);
  define("MAP", FARSIDE_VALUE_MAP);
  define("TUPLE", FARSIDE_VALUE_TUPLE);
  define("RECORD", FARSIDE_VALUE_RECORD);
  define("POINTEE", FARSIDE_VALUE_POINTEE);
  define("TYPED", FARSIDE_VALUE_TYPED);
  define("QUANTITY", FARSIDE_VALUE_QUANTITY);
  define("OPTIONAL", FARSIDE_VALUE_OPTIONAL);
  define("UNEXPECTED", FARSIDE_VALUE_UNEXPECTED);
  define("OPAQUE", FARSIDE_VALUE_OPAQUE);
  define("DATA", FARSIDE_VALUE_DATA);
  define("BUNDLE", FARSIDE_VALUE_BUNDLE);
  define("STRING_LIMIT", FARSIDE_VALUE_STRING_LIMIT);
  if (cxx) {
    text += "  __GIVEN = " + std::to_string(GivenBit) + "u,\n";
    text += std::string("}; }") + Templates;
  }
  return text;
}

} // namespace

llvm::StringRef shownHeader(bool cxx) {
  static const std::string text = build(cxx);
  return text;
}

} // namespace farside
