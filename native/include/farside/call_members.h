// Members of classes that calls from Python make again: each is read, or assigned to.
#pragma once

#include <farside/call_containers.h>
#include <farside/call_text.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

namespace farside {
namespace wire {

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
  case Tag::Pointer:
    in.take(8);
    break;
  case Tag::Record:
    for (std::uint64_t left = in.count(); left != 0; --left) {
      in.text();
      skip(in);
    }
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
