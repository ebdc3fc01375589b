// std::bitset in calls from Python.
//
// No `#pragma once`: it is there from the call on that follows a cell's <bitset>.
#if (defined(_GLIBCXX_BITSET) || defined(_LIBCPP_BITSET)) && !defined(FARSIDE_CALL_BITSET)
#define FARSIDE_CALL_BITSET

#include <farside/call_read.h>

#include <cstddef>

namespace farside {
namespace wire {

/// The bits of an int. The constructor of the library would leave out those that there is no place
/// for.
template <std::size_t N> struct Read<std::bitset<N>> {
  static std::bitset<N> from(Reader &in) {
    if (Tag tag = in.peek(); tag != Tag::Int && tag != Tag::UInt && tag != Tag::Bool)
      misfit<std::bitset<N>>(tag);
    auto bits = Read<unsigned long>::from(in);
    if (N < 64 && bits >> (N % 64) != 0)
      unfit<std::bitset<N>>("%lu does not fit %.*s", bits);
    return std::bitset<N>(bits);
  }
};

} // namespace wire
} // namespace farside

#endif
