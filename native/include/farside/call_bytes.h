// Bytes of values that say what they are, as calls from Python bring them.
//
// For farside/call_values.h, which says with what it may be used. The numbers of `Tag` are those of
// farside/calls/wire.py.
#pragma once

#include <farside/call_input.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

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
  Keeper() = default;
  Keeper(const Keeper &) = delete;
  Keeper &operator=(const Keeper &) = delete;
  ~Keeper() {
    while (Newest != nullptr)
      delete std::exchange(Newest, Newest->Before);
  }

  template <class T> T *keep(T value) {
    auto *held = new Held<T>(std::move(value));
    held->Before = std::exchange(Newest, held);
    return &held->Value;
  }
  /// Memory that is aligned for anything.
  char *memory(std::size_t size) {
    auto *bytes = new Bytes;
    bytes->Before = std::exchange(Newest, bytes);
    return bytes->Memory = static_cast<char *>(::operator new(size));
  }

private:
  struct Any {
    Any *Before = nullptr;
    virtual ~Any() = default;
  };
  template <class T> struct Held : Any {
    explicit Held(T &&value) : Value(std::move(value)) {}
    T Value;
  };
  struct Bytes : Any {
    ~Bytes() override { ::operator delete(Memory); }
    char *Memory = nullptr;
  };

  Any *Newest = nullptr;
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
      __farside_misfit("the bytes of the arguments end too early");
    return static_cast<Tag>(static_cast<unsigned char>(*Next));
  }
  /// A count of things that take a byte each at least.
  std::uint64_t count() {
    auto number = raw<std::uint64_t>();
    if (number > static_cast<std::uint64_t>(End - Next))
      __farside_misfit("the bytes of the arguments end too early");
    return number;
  }
  std::string_view text() {
    auto size = raw<std::uint64_t>();
    if (size == ~std::uint64_t{0})
      __farside_misfit("the bytes of the arguments end too early");
    return {take(size + 1), static_cast<std::size_t>(size)};
  }
  /// `size` bytes at `offset` of the memory that came beside the bytes.
  char *beside(std::uint64_t offset, std::uint64_t size) {
    if (offset > MemorySize || size > MemorySize - offset)
      __farside_misfit("an array lies outside the memory that came with the call");
    return Memory + offset;
  }
  Keeper &keeper() { return *Kept; }

private:
  char *Memory;
  unsigned long MemorySize;
  Keeper *Kept;
};

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

// What goes wrong is rare, and would be most of the code if it were inlined.
[[noreturn, gnu::noinline, gnu::cold]] inline void misfitOf(Tag tag, std::string_view type) {
  throw ArgumentError(std::string(wordFor(tag)) + " cannot become " + std::string(type));
}
[[noreturn, gnu::noinline, gnu::cold]] inline void unfitOf(std::string value,
                                                           std::string_view type) {
  throw ArgumentError(std::move(value) + " does not fit " + std::string(type));
}
[[noreturn, gnu::noinline, gnu::cold]] inline void unfitOf(long value, std::string_view type) {
  unfitOf(std::to_string(value), type);
}
[[noreturn, gnu::noinline, gnu::cold]] inline void unfitOf(unsigned long value,
                                                           std::string_view type) {
  unfitOf(std::to_string(value), type);
}
[[noreturn, gnu::noinline, gnu::cold]] inline void unfitOf(double value, std::string_view type) {
  char text[32];
  __builtin_snprintf(text, sizeof text, "%g", value);
  unfitOf(std::string(text), type);
}
[[noreturn, gnu::noinline, gnu::cold]] inline void countMisfits(std::uint64_t count,
                                                                std::string_view type) {
  throw ArgumentError(std::to_string(count) + " values cannot become " + std::string(type));
}
[[noreturn, gnu::noinline, gnu::cold]] inline void blame(unsigned number,
                                                         const ArgumentError &error) {
  throw ArgumentError("argument " + std::to_string(number) + ": " + error.what());
}

template <class T> [[noreturn]] void misfit(Tag tag) { misfitOf(tag, nameOf<T>()); }

/// Reads argument `number`; a misfit says which it is.
template <class Body> decltype(auto) argument(unsigned number, Body body) {
  try {
    return body();
  } catch (const ArgumentError &error) {
    blame(number, error);
  }
}

} // namespace wire
} // namespace farside
