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
    requires(readable<T> && (!std::is_arithmetic_v<T> || std::is_same_v<T, char> || isWide<T>))
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

/// A member of a class that is made again of its members.
template <class T>
  requires readable<std::remove_cv_t<T>>
std::remove_cv_t<T> member(Reader &in) {
  return Read<std::remove_cv_t<T>>::from(in);
}

/// The same of one that is read again.
template <class T>
  requires readable<std::remove_cv_t<T>>
std::remove_cv_t<T> memberAt(Reader in) {
  return Read<std::remove_cv_t<T>>::from(in);
}

/// The same of a pointer that C++ gave.
template <class T> std::remove_cv_t<T> pointerMember(Reader &in) {
  return reinterpret_cast<std::remove_cv_t<T>>(Read<unsigned long>::from(in));
}

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
        __farside_misfit("an array is too large");
    if (in.raw<unsigned char>() != 0)
      in.take(8);
    else
      in.take(bytes);
    break;
  }
  }
  return at;
}

template <class T> void fill(T &member, Reader in);

/// Assigns text to an array of characters; what is left of it becomes zeros.
template <class T, std::size_t N, class Text> void fillText(T (&array)[N], const Text &text) {
  if (text.size() > N)
    __farside_refuse("text of %zu characters does not fit an array of %zu", text.size(), N);
  std::memset(array, 0, sizeof array);
  std::memcpy(array, text.data(), text.size() * sizeof(T));
}

template <class T, std::size_t N> void fillArray(T (&array)[N], Reader in) {
  using Element = std::remove_all_extents_t<T>;
  if (Tag tag = in.peek(); tag == Tag::String || tag == Tag::Bytes) {
    if constexpr (isWide<T> && sizeof(T) > 1)
      return fillText(array, widened<T>(readText(in, /*bytesToo=*/false)));
    else if constexpr (sizeof(T) == 1 && std::is_trivially_copyable_v<T>)
      return fillText(array, readText(in));
  }
  std::size_t filled = 0;
  forElements<T[N]>(
      in,
      [&](Reader &more) {
        Reader element = skip(more);
        if (filled < N)
          fill(array[filled], element);
        ++filled;
      },
      [&](const ArrayView &view) {
        auto *elements = reinterpret_cast<Element *>(&array);
        std::size_t count = sizeof array / sizeof(Element);
        for (std::size_t i = 0; i < view.count && view.count == count; ++i)
          elements[i] = view.at<Element>(i);
        filled = view.count == count ? N : view.count;
      });
  if (filled != N)
    countMisfits<T[N]>(filled);
}

/// Assigns the value at a place to a member, which may be an array.
template <class T> void fill(T &member, Reader in) {
  if constexpr (std::is_array_v<T>)
    fillArray(member, in);
  else
    member = Read<T>::from(in);
}

/// Where the members of an object are that were assigned to. Those of a union without a name are
/// given like members of the class around it, and which of them holds is not told.
class Places {
public:
  template <class T> void add(const T &member) {
    Each.push_back({reinterpret_cast<const char *>(&member), sizeof member});
  }

  /// Makes sure that a member which shares its memory with others still is what was assigned to it.
  template <class T> void check(const T &member, Reader in) const {
    if constexpr (std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>) {
      const auto *begin = reinterpret_cast<const char *>(&member);
      unsigned sharing = 0;
      for (const Place &each : Each)
        sharing += each.begin < begin + sizeof member && begin < each.begin + each.size;
      if (sharing < 2)
        return;
      T again;
      std::memset(static_cast<void *>(&again), 0, sizeof again);
      fill(again, in);
      if (std::memcmp(&again, &member, sizeof again) != 0)
        __farside_misfit("members of a union, which are one and the same memory, say different "
                         "things; change such an object in the program");
    }
  }

private:
  struct Place {
    const char *begin;
    std::size_t size;
  };
  std::vector<Place> Each;
};

} // namespace wire
} // namespace farside

#endif
