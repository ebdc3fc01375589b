// std::any in calls from Python.
//
// No `#pragma once`: it is there from the call on that follows a cell's <any>.
#if (defined(_GLIBCXX_ANY) || defined(_LIBCPP_ANY)) && !defined(FARSIDE_CALL_ANY)
#define FARSIDE_CALL_ANY

#include <farside/call_callables.h>

namespace farside {
namespace wire {

/// It holds what the value is by itself.
template <> struct Read<std::any> {
  static std::any from(Reader &in) {
    if (in.peek() == Tag::Callable)
      return Read<Callable>::from(in);
    return asItself<std::any>(in, [](auto value) { return std::any(std::move(value)); });
  }
};

} // namespace wire
} // namespace farside

#endif
