// Arrays of calls from Python.
#pragma once

#include <farside/call_read.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace farside {
namespace wire {

/// How many elements an array has in each dimension: as many as Python's buffers can have.
struct Extents {
  std::size_t Count = 0;
  std::size_t Each[64];

  std::size_t size() const { return Count; }
  bool empty() const { return Count == 0; }
  std::size_t operator[](std::size_t dimension) const { return Each[dimension]; }
};

/// An array as it lies in the bytes or beside them.
struct ArrayView {
  char kind = 0;
  std::size_t element = 0;
  Extents extents;
  char *data = nullptr;
  std::size_t count = 1;

  static ArrayView from(Reader &in) {
    ArrayView view;
    view.kind = in.raw<char>();
    view.element = in.raw<unsigned char>();
    view.extents.Count = in.raw<unsigned char>();
    if (view.extents.Count > sizeof view.extents.Each / sizeof *view.extents.Each)
      __farside_misfit("an array has too many dimensions");
    for (std::size_t i = 0; i < view.extents.Count; ++i) {
      view.extents.Each[i] = in.raw<std::uint64_t>();
      if (__builtin_mul_overflow(view.count, view.extents.Each[i], &view.count))
        __farside_misfit("an array is too large");
    }
    std::size_t bytes = 0;
    if (__builtin_mul_overflow(view.count, view.element, &bytes))
      __farside_misfit("an array is too large");
    if (in.raw<unsigned char>() != 0) {
      view.data = in.beside(in.raw<std::uint64_t>(), bytes);
    } else {
      // The message is not aligned.
      view.data = in.keeper().memory(bytes);
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
    if constexpr (!std::is_arithmetic_v<T>) {
      misfit<T>(Tag::Array);
    } else {
      switch (kind) {
      case 'b':
      case 'u':
        return number<T>(unsignedAt(from));
      case 'i':
        return number<T>(signedAt(from));
      case 'f':
        if constexpr (std::is_integral_v<T>)
          misfit<T>(Tag::Float);
        else
          return number<T>(floatAt(from));
      default:
        misfit<T>(Tag::Array);
      }
    }
  }

private:
  template <class T> static T load(const char *from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  unsigned long unsignedAt(const char *from) const {
    return element == 1   ? load<unsigned char>(from)
           : element == 2 ? load<unsigned short>(from)
           : element == 4 ? load<unsigned>(from)
                          : load<unsigned long>(from);
  }
  long signedAt(const char *from) const {
    return element == 1   ? load<signed char>(from)
           : element == 2 ? load<short>(from)
           : element == 4 ? load<int>(from)
                          : load<long>(from);
  }
  long double floatAt(const char *from) const {
    return element == 4   ? static_cast<long double>(load<float>(from))
           : element == 8 ? static_cast<long double>(load<double>(from))
                          : load<long double>(from);
  }
};

} // namespace wire
} // namespace farside
