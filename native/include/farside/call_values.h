// Arguments of calls from Python that are more than numbers, and calls back.
//
// For the code that farside generates for a call (farside/calls/stub.py), beside farside/call.h.
// The bytes of a value say what they are, so a conversion that only the running call shows to be
// impossible is an ArgumentError and no silent change.
#pragma once

#if __cplusplus < 202002L
#error calls with more than numbers need C++20 or later
#else

#include <farside/call_arrays.h>
#include <farside/call_bytes.h>
#include <farside/call_callables.h>
#include <farside/call_containers.h>
#include <farside/call_read.h>
#include <farside/call_records.h>
#include <farside/call_variant.h>
#include <farside/python.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace farside {
namespace wire {

/// An argument whose type the function's parameter says. No number, which has a type of its own.
class Flexible {
public:
  Flexible(unsigned number, Reader at) : Number(number), At(at) {}
  template <class T>
    requires(readable<T> && !needsRecord<T> &&
             (!std::is_arithmetic_v<T> || std::is_same_v<T, char> || isWide<T>))
  operator T() const {
    return argument(Number, [in = At]() mutable { return Read<T>::from(in); });
  }

private:
  unsigned Number;
  Reader At;
};

/// The same of what is a record or has one in it.
class FlexibleRecord {
public:
  FlexibleRecord(unsigned number, Reader at) : Number(number), At(at) {}
  template <class T>
    requires(readable<T> && holdsRecord<T>)
  operator T() const {
    return argument(Number, [in = At]() mutable { return Read<T>::from(in); });
  }

private:
  unsigned Number;
  Reader At;
};

/// A number whose target the function's parameter says: a class that holds numbers.
class Exact {
public:
  template <class N>
    requires(std::is_arithmetic_v<N> && sizeof(N) <= sizeof(std::int64_t))
  Exact(unsigned number, N value) : Number(number) {
    if constexpr (std::is_same_v<N, bool>)
      put(Tag::Bool, value);
    else if constexpr (std::is_floating_point_v<N>)
      put(Tag::Float, static_cast<double>(value));
    else if constexpr (std::is_signed_v<N>)
      put(Tag::Int, static_cast<std::int64_t>(value));
    else
      put(Tag::UInt, static_cast<std::uint64_t>(value));
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
  template <class N> void put(Tag tag, N value) {
    Bytes[0] = static_cast<char>(tag);
    std::memcpy(Bytes + 1, &value, sizeof value);
  }

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

/// The number of an array of no dimensions.
template <class T> T readScalar(Reader &in) {
  in.tag();
  return ArrayView::from(in).template at<T>(0);
}

} // namespace wire
} // namespace farside

#endif
