// Numbers and text of calls from Python, as the types that the program wants them as.
#pragma once

#include <farside/call_bytes.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace farside {
namespace wire {

template <class T> struct Read;
template <class T>
concept readable = requires(Reader &in) {
  { Read<T>::from(in) } -> std::same_as<T>;
};

template <class T, class From> [[noreturn]] void unfit(const char *format, From value) {
  constexpr std::string_view type = nameOf<T>();
  __farside_refuse(format, value, static_cast<int>(type.size()), type.data());
}

template <class T, class From> T number(From value) {
  if constexpr (std::is_integral_v<From> && std::is_integral_v<T>) {
    auto result = static_cast<T>(value);
    if (static_cast<From>(result) != value || (result < T{}) != (value < From{}))
      unfit<T>(std::is_signed_v<From> ? "%ld does not fit %.*s" : "%lu does not fit %.*s",
               static_cast<std::conditional_t<std::is_signed_v<From>, long, unsigned long>>(value));
    return result;
  } else {
    auto result = static_cast<T>(value);
    if constexpr (std::is_floating_point_v<T> && std::is_floating_point_v<From>)
      if (__builtin_isinf(result) && !__builtin_isinf(value))
        unfit<T>("%g does not fit %.*s", static_cast<double>(value));
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
    switch (Tag tag = in.tag()) {
    case Tag::Bool:
      return in.raw<unsigned char>() != 0;
    case Tag::Int:
      return number<bool>(in.raw<std::int64_t>());
    case Tag::UInt:
      return number<bool>(in.raw<std::uint64_t>());
    default:
      misfit<bool>(tag);
    }
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

/// Whether a type is one of farside/call_complex.h.
template <class T> constexpr bool isComplex = false;

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

/// An integer that may need more than 64 bits.
template <class T> T readWide(Reader &in) {
  if (Tag tag = in.peek(); tag != Tag::Wide)
    return tag == Tag::UInt ? static_cast<T>(Read<unsigned long>::from(in))
                            : static_cast<T>(Read<long>::from(in));
  in.tag();
  bool negative = in.raw<unsigned char>() != 0;
  T value = in.raw<T>();
  if ((value < 0) != negative)
    unfit<T>("an int of more than %d bits does not fit %.*s", 64);
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
      __farside_misfit("a negative int does not fit unsigned __int128");
    return static_cast<unsigned __int128>(value);
  }
};

/// Calls `use` with a value as what it is where nothing says what it is to be.
template <class Result, class Use> Result asItself(Reader &in, Use use) {
  switch (Tag tag = in.peek()) {
  case Tag::None:
    return use(Read<std::nullptr_t>::from(in));
  case Tag::Bool:
    return use(Read<bool>::from(in));
  case Tag::Int: {
    auto value = Read<long>::from(in);
    return value == static_cast<int>(value) ? use(static_cast<int>(value)) : use(value);
  }
  case Tag::UInt:
    return use(Read<unsigned long>::from(in));
  case Tag::Float:
    return use(Read<double>::from(in));
  case Tag::String:
  case Tag::Bytes:
    return use(Read<std::string>::from(in));
  default:
    __farside_refuse("%s does not say which type of C++ it is; numbers and text do", wordFor(tag));
  }
}

/// A pointer to text that ends with a zero, or to bytes, or to an array's elements; null for None.
template <class T> struct Read<T *> {
  static T *from(Reader &in);
};

template <class T>
  requires readable<T>
struct Read<std::optional<T>> {
  static std::optional<T> from(Reader &in) {
    if (in.peek() == Tag::None) {
      in.tag();
      return std::nullopt;
    }
    return Read<T>::from(in);
  }
};

} // namespace wire
} // namespace farside
