// Complex numbers in calls from Python.
//
// No `#pragma once`: they are there from the call on that follows a cell's <complex>.
#if (defined(_GLIBCXX_COMPLEX) || defined(_LIBCPP_COMPLEX)) && !defined(FARSIDE_CALL_COMPLEX)
#define FARSIDE_CALL_COMPLEX

#include <farside/call_read.h>

namespace farside {
namespace wire {

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

} // namespace wire
} // namespace farside

#endif
