// Numbers and text of calls from Python, as the types that the program wants them as.
#pragma once

#include <farside/call_bytes.h>

#ifdef FARSIDE_CALL_COMPLEX
#include <complex>
#endif
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
    case Tag::String:
      if (std::string_view text = in.text(); sizeof(T) == 1 && text.size() == 1)
        return static_cast<T>(text[0]);
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

} // namespace wire
} // namespace farside
