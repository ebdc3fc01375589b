// What Python and the program hand each other in a call.
//
//   double trace(farside::ndspan<const double, 2> m);   // a numpy array of two dimensions
//   try { f(3); } catch (const farside::PythonError &error) { ... }   // what a callback raised
//
// A one-dimensional array is a std::span. The memory of an array that is an argument lasts as long
// as the call.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <string>
#include <utility>

namespace farside {

/// What a Python callable raised when the program called it. Where nothing catches it, the call
/// raises the original exception.
class PythonError : public std::exception {
public:
  PythonError(std::string type, std::string text) : Type(std::move(type)), Text(std::move(text)) {
    What = Text.empty() ? Type : Type + ": " + Text;
  }
  const char *what() const noexcept override { return What.c_str(); }
  /// The name of its class, as `ValueError`.
  const std::string &type() const noexcept { return Type; }
  /// Its text, without the class.
  const std::string &text() const noexcept { return Text; }

private:
  std::string Type;
  std::string Text;
  std::string What;
};

/// The elements of a contiguous array of N dimensions, in C's order. It owns nothing.
template <class T, std::size_t N> class ndspan {
  static_assert(N > 0);

public:
  using element_type = T;

  constexpr ndspan() = default;
  constexpr ndspan(T *data, const std::size_t (&extents)[N]) : Data(data) {
    for (std::size_t i = 0; i < N; ++i)
      Extents[i] = extents[i];
  }
  /// From one whose elements may be changed.
  template <class U>
    requires(!std::same_as<U, T> && std::convertible_to<U (*)[], T (*)[]>)
  constexpr ndspan(const ndspan<U, N> &other) : Data(other.data()) {
    for (std::size_t i = 0; i < N; ++i)
      Extents[i] = other.extent(i);
  }

  static constexpr std::size_t rank() { return N; }
  constexpr std::size_t extent(std::size_t dimension) const { return Extents[dimension]; }
  constexpr T *data() const { return Data; }
  constexpr std::size_t size() const {
    std::size_t count = 1;
    for (std::size_t each : Extents)
      count *= each;
    return count;
  }
  constexpr T *begin() const { return Data; }
  constexpr T *end() const { return Data + size(); }

  /// The element at one index for each dimension; nothing is checked.
  template <class... Index>
    requires(sizeof...(Index) == N && (std::convertible_to<Index, std::size_t> && ...))
  constexpr T &operator()(Index... index) const {
    std::size_t at = 0;
    std::size_t dimension = 0;
    ((at = at * Extents[dimension++] + static_cast<std::size_t>(index)), ...);
    return Data[at];
  }

private:
  T *Data = nullptr;
  std::size_t Extents[N] = {};
};

} // namespace farside
