// Arrays of calls from Python.
#pragma once

#include <farside/call_read.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

namespace farside {
namespace wire {

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

} // namespace wire
} // namespace farside
