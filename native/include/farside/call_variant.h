// std::variant in calls from Python: the alternative that is most like the value.
#pragma once

#include <farside/call_containers.h>
#include <farside/call_text.h>

#include <cstddef>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace farside {
namespace wire {

/// Whether values of Python's with this tag are what a type is in Python, so that the type comes
/// before others that they can become.
template <class T> constexpr bool isLike(Tag tag) {
  switch (tag) {
  case Tag::None:
    return std::is_same_v<T, std::monostate> || std::is_null_pointer_v<T>;
  case Tag::Bool:
    return std::is_same_v<T, bool>;
  case Tag::Int:
  case Tag::UInt:
  case Tag::Wide:
    return std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> &&
           !isWide<T>;
  case Tag::Float:
    return std::is_floating_point_v<T>;
  case Tag::String:
    return std::is_convertible_v<T, std::string_view>;
  default:
    return !std::is_arithmetic_v<T> && !std::is_convertible_v<T, std::string_view>;
  }
}

template <> struct Read<std::monostate> {
  static std::monostate from(Reader &in) {
    if (Tag tag = in.tag(); tag != Tag::None)
      misfit<std::monostate>(tag);
    return {};
  }
};

template <class... T>
  requires(readable<T> || ...)
struct Read<std::variant<T...>> {
  using V = std::variant<T...>;
  static V from(Reader &in) {
    Tag tag = in.peek();
    std::optional<V> made;
    auto find = [&]<std::size_t... I>(std::index_sequence<I...>, bool alike) {
      return ((isLike<T>(tag) == alike && alternative<I>(in, made)) || ...);
    };
    std::index_sequence_for<T...> all;
    if (!find(all, true) && !find(all, false))
      misfit<V>(tag);
    return std::move(*made);
  }

private:
  template <std::size_t I> static bool alternative(Reader &in, std::optional<V> &made) {
    using A = std::variant_alternative_t<I, V>;
    if constexpr (readable<A>) {
      Reader at = in;
      try {
        made.emplace(std::in_place_index<I>, Read<A>::from(at));
      } catch (const ArgumentError &) {
        return false;
      }
      in = at;
      return true;
    }
    return false;
  }
};

} // namespace wire
} // namespace farside
