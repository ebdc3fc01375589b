// Text of other encodings and paths in calls from Python.
#pragma once

#include <farside/call_read.h>

#include <string>
#include <string_view>

namespace farside {
namespace wire {

/// Only Python's str: bytes do not say how they are encoded.
template <class C, class Traits, class A>
  requires isWide<C>
struct Read<std::basic_string<C, Traits, A>> {
  static std::basic_string<C, Traits, A> from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::String)
      misfit<std::basic_string<C>>(tag);
    std::basic_string<C> text = widened<C>(in.text());
    return {text.begin(), text.end()};
  }
};
template <class C>
  requires isWide<C>
struct Read<std::basic_string_view<C>> {
  static std::basic_string_view<C> from(Reader &in) {
    return *in.keeper().keep(Read<std::basic_string<C>>::from(in));
  }
};

/// std::filesystem::path.
template <class T>
  requires requires {
    T::preferred_separator;
    typename T::string_type;
  }
struct Read<T> {
  static T from(Reader &in) { return T(std::string(readText(in))); }
};

} // namespace wire
} // namespace farside
