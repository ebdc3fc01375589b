// Arguments of calls from Python that are more than numbers, and calls back.
//
// For the code that farside generates for a call (farside/calls/stub.py), beside farside/call.h.
// The bytes of a value say what they are, so a conversion that only the running call shows to be
// impossible is an ArgumentError and no silent change. The numbers of `Tag` are those of
// farside/calls/wire.py.
#pragma once

#if __cplusplus < 202002L
#error calls with more than numbers need C++20 or later
#else

#include <farside/call.h>
#include <farside/python.h>

#ifdef FARSIDE_CALL_COMPLEX
#include <complex>
#endif
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

extern "C" {
void *__farside_callback_open(unsigned long id);
const char *__farside_callback_send(void *callback, unsigned long *size, const char **failure);
void __farside_callback_close(void *callback);
}

namespace farside {

/// An argument does not fit what it is to become. The function was not called.
class ArgumentError : public std::exception {
public:
  explicit ArgumentError(std::string text) : Text(std::move(text)) {}
  const char *what() const noexcept override { return Text.c_str(); }

private:
  std::string Text;
};

namespace wire {

enum class Tag : unsigned char {
  None = 0,
  Bool = 1,      // u8
  Int = 2,       // i64
  UInt = 3,      // u64
  Float = 4,     // f64
  String = 5,    // u64 size, UTF-8, a zero that does not count
  Bytes = 6,     // the same
  Complex = 7,   // f64, f64
  Sequence = 8,  // u64 count, values
  Map = 9,       // u64 count, keys and values by turns
  Array = 10,    // u8 kind, u8 element size, u8 dimensions, u64 extents, u8 where, data
  Callable = 11, // u64 id
  Wide = 12,     // u8 whether negative, 16 bytes
  Duration = 13, // i64 seconds, u32 nanoseconds
  Time = 14,     // the same, since 1970 in UTC
  Date = 15      // i64 days since 1970-01-01
};

/// Data that arguments refer to for as long as the call lasts.
class Keeper {
public:
  template <class T> T *keep(T value) {
    auto held = std::make_shared<T>(std::move(value));
    Kept.push_back(held);
    return held.get();
  }

private:
  std::vector<std::shared_ptr<void>> Kept;
};

/// Bytes of values that say what they are, and the memory beside them.
class Reader : public Input {
public:
  Reader(const void *data, unsigned long size, void *memory, unsigned long memorySize, Keeper *kept)
      : Input(data, size), Memory(static_cast<char *>(memory)), MemorySize(memorySize), Kept(kept) {
  }

  Tag tag() { return static_cast<Tag>(raw<unsigned char>()); }
  Tag peek() const {
    if (Next == End)
      throw ArgumentError("the bytes of the arguments end too early");
    return static_cast<Tag>(static_cast<unsigned char>(*Next));
  }
  /// A count of things that take a byte each at least.
  std::uint64_t count() {
    auto number = raw<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(End - Next))
      throw ArgumentError("the bytes of the arguments end too early");
    return number;
  }
  std::string_view text() {
    auto size = raw<std::uint64_t>();
    if (size == ~std::uint64_t{0})
      throw ArgumentError("the bytes of the arguments end too early");
    return {take(size + 1), static_cast<std::size_t>(size)};
  }
  /// `size` bytes at `offset` of the memory that came beside the bytes.
  char *beside(std::uint64_t offset, std::uint64_t size) {
    if (offset > MemorySize || size > MemorySize - offset)
      throw ArgumentError("an array lies outside the memory that came with the call");
    return Memory + offset;
  }
  Keeper &keeper() { return *Kept; }

private:
  char *Memory;
  unsigned long MemorySize;
  Keeper *Kept;
};

// ---------------------------------------------------------------- what is said of a misfit

template <class T> constexpr std::string_view nameOf() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  return text.substr(0, text.size() - 1);
}

inline const char *wordFor(Tag tag) {
  switch (tag) {
  case Tag::None:
    return "None";
  case Tag::Bool:
    return "a bool";
  case Tag::Int:
  case Tag::UInt:
    return "an int";
  case Tag::Float:
    return "a float";
  case Tag::String:
    return "a str";
  case Tag::Bytes:
    return "bytes";
  case Tag::Complex:
    return "a complex";
  case Tag::Sequence:
    return "a sequence";
  case Tag::Map:
    return "a dict";
  case Tag::Array:
    return "an array";
  case Tag::Callable:
    return "a callable";
  case Tag::Wide:
    return "an int of more than 64 bits";
  case Tag::Duration:
    return "a timedelta";
  case Tag::Time:
    return "a datetime";
  case Tag::Date:
    return "a date";
  }
  return "something unknown";
}

template <class T> [[noreturn]] void misfit(Tag tag) {
  throw ArgumentError(std::string(wordFor(tag)) + " cannot become " + std::string(nameOf<T>()));
}

/// Reads argument `number`; a misfit says which it is.
template <class Body> decltype(auto) argument(unsigned number, Body body) {
  try {
    return body();
  } catch (const ArgumentError &error) {
    throw ArgumentError("argument " + std::to_string(number) + ": " + error.what());
  }
}

// ---------------------------------------------------------------- reading values

template <class T> struct Read;
template <class T>
concept readable = requires(Reader &in) {
  { Read<T>::from(in) } -> std::same_as<T>;
};

inline std::string shown(double value) {
  char text[32];
  return {text, text + __builtin_snprintf(text, sizeof text, "%g", value)};
}

template <class T, class From> T number(From value) {
  if constexpr (std::is_integral_v<From> && std::is_integral_v<T>) {
    auto result = static_cast<T>(value);
    if (static_cast<From>(result) != value || (result < T{}) != (value < From{}))
      throw ArgumentError(std::to_string(value) + " does not fit " + std::string(nameOf<T>()));
    return result;
  } else {
    auto result = static_cast<T>(value);
    if constexpr (std::is_floating_point_v<T> && std::is_floating_point_v<From>)
      if (__builtin_isinf(result) && !__builtin_isinf(value))
        throw ArgumentError(shown(value) + " does not fit " + std::string(nameOf<T>()));
    return result;
  }
}

/// The character types of strings other than those of char.
template <class T>
constexpr bool isWide = std::is_same_v<T, wchar_t> || std::is_same_v<T, char8_t> ||
                        std::is_same_v<T, char16_t> || std::is_same_v<T, char32_t>;

/// Text in another encoding; it is valid UTF-8, as Python makes it.
template <class T> std::basic_string<T> widened(std::string_view text) {
  std::basic_string<T> result;
  if constexpr (sizeof(T) == 1)
    return {text.begin(), text.end()};
  for (std::size_t at = 0; at < text.size();) {
    auto first = static_cast<unsigned char>(text[at++]);
    unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    char32_t code = more == 0 ? first : first & (0x3fu >> more);
    for (; more != 0 && at < text.size(); --more)
      code = code << 6 | (static_cast<unsigned char>(text[at++]) & 0x3fu);
    if (sizeof(T) == 2 && code > 0xffff) {
      result.push_back(static_cast<T>(0xd7c0 + (code >> 10)));
      code = 0xdc00 + (code & 0x3ff);
    }
    result.push_back(static_cast<T>(code));
  }
  return result;
}

template <> struct Read<bool> {
  static bool from(Reader &in) {
    Tag tag = in.tag();
    if (tag != Tag::Bool)
      misfit<bool>(tag);
    return in.raw<unsigned char>() != 0;
  }
};

template <class T>
  requires std::is_integral_v<T>
struct Read<T> {
  static T from(Reader &in) {
    switch (Tag tag = in.tag()) {
    case Tag::Int:
      return number<T>(in.raw<std::int64_t>());
    case Tag::UInt:
      return number<T>(in.raw<std::uint64_t>());
    case Tag::Bool:
      return static_cast<T>(in.raw<unsigned char>());
    case Tag::String: {
      std::string_view text = in.text();
      if (sizeof(T) == 1 && text.size() == 1)
        return static_cast<T>(text[0]);
      if constexpr (isWide<T>)
        if (std::basic_string<T> wide = widened<T>(text); wide.size() == 1)
          return wide[0];
    }
      [[fallthrough]];
    default:
      misfit<T>(tag);
    }
  }
};

template <class T>
  requires std::is_floating_point_v<T>
struct Read<T> {
  static T from(Reader &in) {
    switch (Tag tag = in.tag()) {
    case Tag::Float:
      return number<T>(in.raw<double>());
    case Tag::Int:
      return static_cast<T>(in.raw<std::int64_t>());
    case Tag::UInt:
      return static_cast<T>(in.raw<std::uint64_t>());
    case Tag::Bool:
      return static_cast<T>(in.raw<unsigned char>());
    default:
      misfit<T>(tag);
    }
  }
};

template <class T>
  requires std::is_enum_v<T>
struct Read<T> {
  static T from(Reader &in) { return static_cast<T>(Read<std::underlying_type_t<T>>::from(in)); }
};

template <> struct Read<std::nullptr_t> {
  static std::nullptr_t from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::None)
      misfit<std::nullptr_t>(tag);
    return nullptr;
  }
};

#ifdef FARSIDE_CALL_COMPLEX
template <class T> constexpr bool isComplex = false;
template <class T> constexpr bool isComplex<std::complex<T>> = true;

template <class T> struct Read<std::complex<T>> {
  static std::complex<T> from(Reader &in) {
    if (in.peek() != Tag::Complex)
      return Read<T>::from(in);
    in.tag();
    auto real = number<T>(in.raw<double>());
    return {real, number<T>(in.raw<double>())};
  }
};
#else
template <class T> constexpr bool isComplex = false;
#endif

inline std::string_view readText(Reader &in, bool bytesToo = true) {
  Tag tag = in.tag();
  if (tag != Tag::String && !(bytesToo && tag == Tag::Bytes))
    misfit<std::string>(tag);
  return in.text();
}
template <> struct Read<std::string_view> {
  static std::string_view from(Reader &in) { return readText(in); }
};
template <> struct Read<std::string> {
  static std::string from(Reader &in) { return std::string(readText(in)); }
};

/// Only Python's str: bytes do not say how they are encoded.
template <class C, class Traits, class A>
  requires isWide<C>
struct Read<std::basic_string<C, Traits, A>> {
  static std::basic_string<C, Traits, A> from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::String)
      misfit<std::basic_string<C>>(tag);
    std::basic_string<C> text = widened<C>(in.text());
    return {text.begin(), text.end()};
  }
};
template <class C>
  requires isWide<C>
struct Read<std::basic_string_view<C>> {
  static std::basic_string_view<C> from(Reader &in) {
    return *in.keeper().keep(Read<std::basic_string<C>>::from(in));
  }
};

/// std::filesystem::path.
template <class T>
  requires requires {
    T::preferred_separator;
    typename T::string_type;
  }
struct Read<T> {
  static T from(Reader &in) { return T(std::string(readText(in))); }
};

/// An integer that may need more than 64 bits.
template <class T> T readWide(Reader &in) {
  if (Tag tag = in.peek(); tag != Tag::Wide)
    return tag == Tag::UInt ? static_cast<T>(Read<unsigned long>::from(in))
                            : static_cast<T>(Read<long>::from(in));
  in.tag();
  bool negative = in.raw<unsigned char>() != 0;
  T value = in.raw<T>();
  if ((value < 0) != negative)
    throw ArgumentError("an int of more than 64 bits does not fit " + std::string(nameOf<T>()));
  return value;
}
template <> struct Read<__int128> {
  static __int128 from(Reader &in) { return readWide<__int128>(in); }
};
template <> struct Read<unsigned __int128> {
  static unsigned __int128 from(Reader &in) {
    if (in.peek() == Tag::Wide)
      return readWide<unsigned __int128>(in);
    auto value = readWide<__int128>(in);
    if (value < 0)
      throw ArgumentError("a negative int does not fit unsigned __int128");
    return static_cast<unsigned __int128>(value);
  }
};

#if defined(_GLIBCXX_CHRONO) || defined(_LIBCPP_CHRONO) // that is, where <chrono> is included
/// A duration from Python, in nanoseconds.
inline __int128 readNanoseconds(Reader &in) {
  auto seconds = in.raw<std::int64_t>();
  return static_cast<__int128>(seconds) * 1'000'000'000 + in.raw<std::uint32_t>();
}

/// As a duration of another unit: exact, or an ArgumentError.
template <class D> D exactly(__int128 nanoseconds, Tag tag) {
  using Rep = typename D::rep;
  __int128 scaled = nanoseconds * D::period::den; // of at most 77 bits and 31
  __int128 unit = static_cast<__int128>(D::period::num) * 1'000'000'000;
  if constexpr (std::is_floating_point_v<Rep>) {
    return D(static_cast<Rep>(scaled) / static_cast<Rep>(unit));
  } else {
    auto ticks = static_cast<Rep>(scaled / unit);
    if (scaled % unit != 0 || static_cast<__int128>(ticks) != scaled / unit)
      throw ArgumentError(std::string(wordFor(tag)) + " is not exact as, or does not fit, " +
                          std::string(nameOf<D>()));
    return D(ticks);
  }
}

template <class R, class P> struct Read<std::chrono::duration<R, P>> {
  using Result = std::chrono::duration<R, P>;
  static Result from(Reader &in) {
    Tag tag = in.tag();
    if (tag != Tag::Duration)
      misfit<Result>(tag);
    return exactly<Result>(readNanoseconds(in), tag);
  }
};

template <class D> struct Read<std::chrono::time_point<std::chrono::system_clock, D>> {
  using Result = std::chrono::time_point<std::chrono::system_clock, D>;
  static Result from(Reader &in) {
    Tag tag = in.tag();
    if (tag == Tag::Date)
      return Result(
          exactly<D>(static_cast<__int128>(in.raw<std::int64_t>()) * 86400 * 1'000'000'000, tag));
    if (tag != Tag::Time)
      misfit<Result>(tag);
    return Result(exactly<D>(readNanoseconds(in), tag));
  }
};

template <> struct Read<std::chrono::year_month_day> {
  static std::chrono::year_month_day from(Reader &in) {
    Tag tag = in.tag();
    if (tag != Tag::Date)
      misfit<std::chrono::year_month_day>(tag);
    return std::chrono::sys_days(std::chrono::days(in.raw<std::int64_t>()));
  }
};
#endif

/// A pointer to text that ends with a zero, or to bytes, or to an array's elements; null for None.
template <class T> struct Read<T *> {
  static T *from(Reader &in);
};

template <class T> struct Read<std::optional<T>> {
  static std::optional<T> from(Reader &in) {
    if (in.peek() == Tag::None) {
      in.tag();
      return std::nullopt;
    }
    return Read<T>::from(in);
  }
};

/// An array as it lies in the bytes or beside them.
struct ArrayView {
  char kind = 0;
  std::size_t element = 0;
  std::vector<std::size_t> extents;
  char *data = nullptr;
  std::size_t count = 1;

  static ArrayView from(Reader &in) {
    ArrayView view;
    view.kind = in.raw<char>();
    view.element = in.raw<unsigned char>();
    view.extents.resize(in.raw<unsigned char>());
    for (std::size_t &extent : view.extents) {
      extent = in.raw<std::uint64_t>();
      if (__builtin_mul_overflow(view.count, extent, &view.count))
        throw ArgumentError("an array is too large");
    }
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(view.count, view.element, &bytes))
      throw ArgumentError("an array is too large");
    if (in.raw<unsigned char>() != 0) {
      view.data = in.beside(in.raw<std::uint64_t>(), bytes);
    } else {
      // The message is not aligned.
      auto *copy =
          in.keeper().keep(std::vector<std::max_align_t>(bytes / sizeof(std::max_align_t) + 1));
      view.data = reinterpret_cast<char *>(copy->data());
      const char *from = in.take(bytes);
      if (bytes != 0)
        std::memcpy(view.data, from, bytes);
    }
    return view;
  }

  /// Whether the elements are as those of T lie.
  template <class T> bool holds() const {
    using Bare = std::remove_cv_t<T>;
    if (element != sizeof(Bare))
      return false;
    if constexpr (std::is_same_v<Bare, bool>)
      return kind == 'b';
    else if constexpr (std::is_floating_point_v<Bare>)
      return kind == 'f';
    else if constexpr (std::is_integral_v<Bare>)
      return kind == (std::is_signed_v<Bare> ? 'i' : 'u') ||
             (sizeof(Bare) == 1 && (kind == 'u' || kind == 'i'));
    else if constexpr (std::is_same_v<Bare, std::byte>)
      return kind == 'u' || kind == 'i';
    else
      return kind == 'c' && isComplex<Bare>;
  }

  template <class T> T at(std::size_t index) const {
    const char *from = data + index * element;
    auto as = [&]<class From>(From value) {
      std::memcpy(&value, from, sizeof value);
      if constexpr (std::is_integral_v<T> && std::is_floating_point_v<From>)
        misfit<T>(Tag::Float);
      else if constexpr (std::is_arithmetic_v<T>)
        return number<T>(value);
      else
        misfit<T>(Tag::Array);
      return T{};
    };
    switch (kind) {
    case 'b':
      return as((unsigned char){});
    case 'f':
      return element == 4 ? as(float{}) : element == 8 ? as(double{}) : as((long double){});
    case 'i':
      return element == 1   ? as((signed char){})
             : element == 2 ? as(short{})
             : element == 4 ? as(int{})
                            : as(long{});
    case 'u':
      return element == 1   ? as((unsigned char){})
             : element == 2 ? as((unsigned short){})
             : element == 4 ? as((unsigned){})
                            : as((unsigned long){});
    default:
      misfit<T>(Tag::Array);
    }
  }
};

template <class C>
concept sequence = requires(C &c, typename C::value_type v) {
  c.push_back(std::move(v));
} && !std::is_convertible_v<C, std::string_view> && !requires { typename C::traits_type; };
template <class C>
concept mapping = requires(C &c, typename C::key_type k, typename C::mapped_type v) {
  c.emplace(std::move(k), std::move(v));
};
template <class C>
concept setlike =
    requires(C &c, typename C::key_type k) { c.emplace(std::move(k)); } && !mapping<C>;

/// Calls `each(reader)` for the elements of a sequence, or `whole(view)` for an array.
template <class T, class Each, class Whole> void forElements(Reader &in, Each each, Whole whole) {
  Tag tag = in.tag();
  if (tag == Tag::Array)
    return whole(ArrayView::from(in));
  if (tag == Tag::Bytes) {
    std::string_view bytes = in.text();
    ArrayView view;
    view.kind = 'u';
    view.element = 1;
    view.extents = {bytes.size()};
    view.count = bytes.size();
    view.data = const_cast<char *>(bytes.data());
    return whole(view);
  }
  if (tag != Tag::Sequence)
    misfit<T>(tag);
  for (std::uint64_t left = in.count(); left != 0; --left)
    each(in);
}

template <class C>
  requires(sequence<C> && readable<typename C::value_type>)
struct Read<C> {
  using Element = typename C::value_type;
  static C from(Reader &in) {
    C result;
    forElements<C>(
        in, [&](Reader &more) { result.push_back(Read<Element>::from(more)); },
        [&](const ArrayView &view) { result = ofArray(view, view.data, 0); });
    return result;
  }
  static C ofArray(const ArrayView &view, const char *, std::size_t begin,
                   std::size_t dimension = 0) {
    C result;
    std::size_t stride = 1;
    for (std::size_t i = dimension + 1; i < view.extents.size(); ++i)
      stride *= view.extents[i];
    bool last = dimension + 1 == view.extents.size();
    if constexpr (requires { Read<Element>::ofArray(view, view.data, begin, dimension); }) {
      if (last || view.extents.empty())
        misfit<C>(Tag::Array);
      for (std::size_t i = 0; i < view.extents[dimension]; ++i)
        result.push_back(
            Read<Element>::ofArray(view, view.data, begin + i * stride, dimension + 1));
    } else {
      if (!last)
        misfit<C>(Tag::Array);
      std::size_t count = view.extents[dimension];
      if constexpr (std::is_trivially_copyable_v<Element>) {
        if (view.holds<Element>()) {
          const auto *first = reinterpret_cast<const Element *>(view.data) + begin;
          return C(first, first + count);
        }
      }
      for (std::size_t i = 0; i < count; ++i)
        result.push_back(view.at<Element>(begin + i));
    }
    return result;
  }
};

template <class C>
  requires(setlike<C> && readable<typename C::key_type>)
struct Read<C> {
  static C from(Reader &in) {
    C result;
    using Key = typename C::key_type;
    forElements<C>(
        in, [&](Reader &more) { result.emplace(Read<Key>::from(more)); },
        [&](const ArrayView &view) {
          for (std::size_t i = 0; i < view.count; ++i)
            result.emplace(view.at<Key>(i));
        });
    return result;
  }
};

template <class C>
  requires(mapping<C> && readable<typename C::key_type> && readable<typename C::mapped_type>)
struct Read<C> {
  static C from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::Map)
      misfit<C>(tag);
    C result;
    for (std::uint64_t left = in.count(); left != 0; --left) {
      auto key = Read<typename C::key_type>::from(in);
      result.emplace(std::move(key), Read<typename C::mapped_type>::from(in));
    }
    return result;
  }
};

template <class T> void expectCount(Reader &in, std::size_t count) {
  if (Tag tag = in.tag(); tag != Tag::Sequence)
    misfit<T>(tag);
  if (std::uint64_t have = in.count(); have != count)
    throw ArgumentError(std::to_string(have) + " values cannot become " + std::string(nameOf<T>()));
}

template <class T>
  requires requires { std::tuple_size<T>::value; }
struct Read<T> {
  static T from(Reader &in) {
    constexpr std::size_t size = std::tuple_size_v<T>;
    if constexpr (requires(T &array) { array[0]; }) { // std::array
      T result{};
      std::size_t filled = 0;
      forElements<T>(
          in,
          [&](Reader &more) {
            auto element = Read<typename T::value_type>::from(more);
            if (filled < size)
              result[filled] = std::move(element);
            ++filled;
          },
          [&](const ArrayView &view) {
            for (; filled < view.count && filled < size; ++filled)
              result[filled] = view.at<typename T::value_type>(filled);
            filled = view.count;
          });
      if (filled != size)
        throw ArgumentError(std::to_string(filled) + " values cannot become " +
                            std::string(nameOf<T>()));
      return result;
    } else {
      expectCount<T>(in, size);
      return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return T{Read<std::remove_cv_t<std::tuple_element_t<I, T>>>::from(in)...};
      }(std::make_index_sequence<size>());
    }
  }
};

template <class T> struct Read<std::span<T>> {
  static std::span<T> from(Reader &in) {
    using Bare = std::remove_cv_t<T>;
    if (in.peek() == Tag::Array) {
      Reader ahead = in;
      ahead.tag();
      ArrayView view = ArrayView::from(ahead);
      if (view.extents.size() == 1 && view.holds<Bare>()) {
        in = ahead;
        return {reinterpret_cast<T *>(view.data), view.count};
      }
    }
    static_assert(std::is_const_v<T>, "a span of what may be changed needs farside.Ref(array)");
    auto *kept = in.keeper().keep(Read<std::vector<Bare>>::from(in));
    return {kept->data(), kept->size()};
  }
};

template <class T> T *Read<T *>::from(Reader &in) {
  using Bare = std::remove_cv_t<T>;
  Tag tag = in.peek();
  if (tag == Tag::None) {
    in.tag();
    return nullptr;
  }
  if constexpr (std::is_const_v<T> &&
                (std::is_void_v<T> ||
                 sizeof(std::conditional_t<std::is_void_v<T>, char, Bare>) == 1)) {
    if (tag == Tag::String || tag == Tag::Bytes)
      return reinterpret_cast<T *>(readText(in).data());
  }
  if constexpr (std::is_const_v<T> && isWide<Bare> && !std::is_same_v<Bare, char8_t>)
    if (tag == Tag::String)
      return in.keeper().keep(Read<std::basic_string<Bare>>::from(in))->c_str();
  if constexpr (std::is_const_v<T> && !std::is_void_v<T>) {
    return Read<std::span<T>>::from(in).data();
  } else {
    in.tag();
    misfit<T *>(tag);
  }
}

// ---------------------------------------------------------------- calls back

/// Whether a value needs nothing that it was made of.
template <class T> constexpr bool owns = !std::is_pointer_v<T>;
template <class C> constexpr bool owns<std::basic_string_view<C>> = false;
template <class T> constexpr bool owns<std::span<T>> = false;

/// What a Python callable returned: becomes what it is needed as.
class Returned {
public:
  explicit Returned(std::string bytes) : Bytes(std::move(bytes)) {}
  template <class T>
    requires(readable<T> && owns<T>)
  operator T() const {
    Keeper kept;
    Reader in(Bytes.data(), Bytes.size(), nullptr, 0, &kept);
    try {
      return Read<T>::from(in);
    } catch (const ArgumentError &error) {
      throw ArgumentError(std::string("what a Python callable returned: ") + error.what());
    }
  }

private:
  std::string Bytes;
};

/// A Python callable. It can be called by any thread while a call or a cell runs.
class Callable {
public:
  explicit Callable(std::uint64_t id) : Id(id), Token(std::make_shared<char>()) {}

  /// Whether there are copies of it beside this one.
  bool isKept() const { return Token.use_count() > 1; }

  template <class... Arguments> Returned operator()(Arguments &&...arguments) const {
    struct Open {
      void *Handle;
      ~Open() { __farside_callback_close(Handle); }
    } open{__farside_callback_open(Id)};
    (wire::give(arguments), ...);
    unsigned long size = 0;
    const char *failure = nullptr;
    const char *reply = __farside_callback_send(open.Handle, &size, &failure);
    if (reply == nullptr)
      throw PythonError("RuntimeError", failure);
    Keeper kept;
    Reader in(reply, size, nullptr, 0, &kept);
    if (in.raw<unsigned char>() == 0)
      return Returned(std::string(in.take(size - 1), size - 1));
    std::string type(in.text());
    throw PythonError(std::move(type), std::string(in.text()));
  }

private:
  std::uint64_t Id;
  std::shared_ptr<char> Token;
};

template <> struct Read<Callable> {
  static Callable from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::Callable)
      misfit<Callable>(tag);
    return Callable(in.raw<std::uint64_t>());
  }
};
template <class R, class... Arguments> struct Read<std::function<R(Arguments...)>> {
  static std::function<R(Arguments...)> from(Reader &in) {
    if (in.peek() == Tag::None) {
      in.tag();
      return nullptr;
    }
    return Read<Callable>::from(in);
  }
};

// ---------------------------------------------------------------- arguments

/// An argument whose type the function's parameter says. No number, which has a type of its own.
class Flexible {
public:
  Flexible(unsigned number, Reader at) : Number(number), At(at) {}
  template <class T>
    requires(readable<T> && (!std::is_arithmetic_v<T> || std::is_same_v<T, char> || isWide<T>))
  operator T() const {
    return argument(Number, [in = At]() mutable { return Read<T>::from(in); });
  }

private:
  unsigned Number;
  Reader At;
};

/// A number whose target the function's parameter says: a class that holds numbers.
template <class N> class Exact {
public:
  Exact(unsigned number, N value) : Number(number) {
    Bytes[0] = static_cast<char>(std::is_same_v<N, bool>       ? Tag::Bool
                                 : std::is_floating_point_v<N> ? Tag::Float
                                 : std::is_signed_v<N>         ? Tag::Int
                                                               : Tag::UInt);
    std::memcpy(Bytes + 1, &value, sizeof value);
  }
  template <class T>
    requires(readable<T> && owns<T> && !std::is_arithmetic_v<T>)
  operator T() const {
    return argument(Number, [&] {
      Reader in(Bytes, sizeof Bytes, nullptr, 0, nullptr);
      return Read<T>::from(in);
    });
  }

private:
  unsigned Number;
  char Bytes[1 + sizeof(std::int64_t)] = {};
};

/// A one-dimensional array: a span that becomes a pointer or a vector where that is asked for.
template <class T> class Array : public std::span<T> {
public:
  using std::span<T>::span;
  operator T *() const { return this->data(); }
  template <class A> operator std::vector<std::remove_cv_t<T>, A>() const {
    return {this->begin(), this->end()};
  }
};

/// An array of more dimensions.
template <class T, std::size_t N> class NdArray : public ndspan<T, N> {
public:
  using ndspan<T, N>::ndspan;
  operator T *() const { return this->data(); }
};

template <class T, std::size_t N> auto readArray(Reader &in) {
  if (Tag tag = in.tag(); tag != Tag::Array)
    misfit<Array<T>>(tag);
  ArrayView view = ArrayView::from(in);
  if (view.extents.size() != N || !view.holds<T>())
    misfit<Array<T>>(Tag::Array);
  auto *data = reinterpret_cast<T *>(view.data);
  if constexpr (N == 1) {
    return Array<T>(data, view.count);
  } else {
    std::size_t extents[N];
    for (std::size_t i = 0; i < N; ++i)
      extents[i] = view.extents[i];
    return NdArray<T, N>(data, extents);
  }
}

/// A member of a class that is made again of its members.
template <class T> T member(Reader &in) { return Read<std::remove_cv_t<T>>::from(in); }

/// Skips a value and returns where it was.
inline Reader skip(Reader &in) {
  Reader at = in;
  switch (Tag tag = in.tag()) {
  case Tag::None:
    break;
  case Tag::Bool:
    in.take(1);
    break;
  case Tag::Int:
  case Tag::UInt:
  case Tag::Float:
  case Tag::Callable:
    in.take(8);
    break;
  case Tag::Complex:
    in.take(16);
    break;
  case Tag::Wide:
    in.take(17);
    break;
  case Tag::Duration:
  case Tag::Time:
    in.take(12);
    break;
  case Tag::Date:
    in.take(8);
    break;
  case Tag::String:
  case Tag::Bytes:
    in.text();
    break;
  case Tag::Sequence:
  case Tag::Map:
    for (std::uint64_t left = in.count() * (tag == Tag::Map ? 2 : 1); left != 0; --left)
      skip(in);
    break;
  case Tag::Array: {
    auto element = (in.raw<char>(), in.raw<unsigned char>());
    std::uint64_t bytes = element;
    for (unsigned char left = in.raw<unsigned char>(); left != 0; --left)
      if (__builtin_mul_overflow(bytes, in.raw<std::uint64_t>(), &bytes))
        throw ArgumentError("an array is too large");
    if (in.raw<unsigned char>() != 0)
      in.take(8);
    else
      in.take(bytes);
    break;
  }
  }
  return at;
}

} // namespace wire
} // namespace farside

#endif
