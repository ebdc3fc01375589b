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

/// An argument does not fit what it is to become. The function was not called. The executor makes
/// it (`__farside_misfit`): a class whose objects are made here would have its virtual table, and
/// all that this takes, read from the PCH at the start of each session.
class ArgumentError : public std::exception {};

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
  Date = 15,     // i64 days since 1970-01-01
  Record = 16,   // u64 count, of each member u64 size, its name, a zero, and its value
  Pointer = 17   // u64 address, of a record's member
};

/// Data that arguments refer to for as long as the call lasts.
class Keeper {
public:
  Keeper() = default;
  Keeper(const Keeper &) = delete;
  Keeper &operator=(const Keeper &) = delete;
  ~Keeper() {
    while (Newest != nullptr)
      Newest->Destroy(std::exchange(Newest, Newest->Before));
  }

  template <class T> T *keep(T value) {
    auto *held = new Held<T>{{Newest, destroy<Held<T>>}, std::move(value)};
    Newest = held;
    return &held->Value;
  }
  /// Memory that is aligned for anything.
  char *memory(std::size_t size) {
    struct Bytes {
      char *Memory;
      explicit Bytes(char *memory) : Memory(memory) {}
      Bytes(Bytes &&other) noexcept : Memory(std::exchange(other.Memory, nullptr)) {}
      ~Bytes() { ::operator delete(Memory); }
    };
    return keep(Bytes(static_cast<char *>(::operator new(size))))->Memory;
  }

private:
  struct Any {
    Any *Before;
    void (*Destroy)(Any *);
  };
  template <class T> struct Held : Any {
    T Value;
  };
  template <class H> static void destroy(Any *held) { delete static_cast<H *>(held); }

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
  /// Tells the elements of an array that were changed, unless the near side sees them.
  void tellArray(const void *data, std::size_t size) const {
    auto offset = reinterpret_cast<std::uintptr_t>(data) - reinterpret_cast<std::uintptr_t>(Memory);
    if (offset >= MemorySize || Memory == nullptr)
      __farside_value(34, data, size);
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
  case Tag::Record:
    return "a dataclass";
  case Tag::Pointer:
    return "a pointer";
  }
  return "something unknown";
}

template <class T> [[noreturn]] void misfit(Tag tag) {
  constexpr std::string_view type = nameOf<T>();
  __farside_refuse("%s cannot become %.*s", wordFor(tag), static_cast<int>(type.size()),
                   type.data());
}

/// Reads argument `number`; a misfit says which it is.
template <class Body> decltype(auto) argument(unsigned number, Body body) {
  try {
    return body();
  } catch (const ArgumentError &error) {
    __farside_refuse("argument %u: %s", number, error.what());
  }
}

} // namespace wire
} // namespace farside
