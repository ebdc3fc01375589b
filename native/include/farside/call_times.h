// Durations, times and dates in calls from Python.
//
// No `#pragma once`: they are there from the call on that follows a cell's <chrono>.
#if (defined(_GLIBCXX_CHRONO) || defined(_LIBCPP_CHRONO)) && !defined(FARSIDE_CALL_TIMES)
#define FARSIDE_CALL_TIMES

#include <farside/call_read.h>

#include <cstdint>
#include <string>
#include <type_traits>

namespace farside {
namespace wire {

/// A duration from Python, in nanoseconds.
inline __int128 readNanoseconds(Reader &in) {
  auto seconds = in.raw<std::int64_t>();
  return static_cast<__int128>(seconds) * 1'000'000'000 + in.raw<std::uint32_t>();
}

/// As a duration of another unit: exact, or an ArgumentError.
template <class D> D exactly(__int128 nanoseconds, Tag tag) {
  using Rep = typename D::rep;
  __int128 scaled = nanoseconds * D::period::den; // of at most 77 bits and 31
  __int128 unit = static_cast<__int128>(D::period::num) * 1'000'000'000;
  if constexpr (std::is_floating_point_v<Rep>) {
    return D(static_cast<Rep>(scaled) / static_cast<Rep>(unit));
  } else {
    auto ticks = static_cast<Rep>(scaled / unit);
    if (scaled % unit != 0 || static_cast<__int128>(ticks) != scaled / unit) {
      constexpr std::string_view type = nameOf<D>();
      __farside_refuse("%s is not exact as, or does not fit, %.*s", wordFor(tag),
                       static_cast<int>(type.size()), type.data());
    }
    return D(ticks);
  }
}

template <class R, class P> struct Read<std::chrono::duration<R, P>> {
  using Result = std::chrono::duration<R, P>;
  static Result from(Reader &in) {
    Tag tag = in.tag();
    if (tag != Tag::Duration)
      misfit<Result>(tag);
    return exactly<Result>(readNanoseconds(in), tag);
  }
};

template <class D> struct Read<std::chrono::time_point<std::chrono::system_clock, D>> {
  using Result = std::chrono::time_point<std::chrono::system_clock, D>;
  static Result from(Reader &in) {
    Tag tag = in.tag();
    if (tag == Tag::Date)
      return Result(
          exactly<D>(static_cast<__int128>(in.raw<std::int64_t>()) * 86400 * 1'000'000'000, tag));
    if (tag != Tag::Time)
      misfit<Result>(tag);
    return Result(exactly<D>(readNanoseconds(in), tag));
  }
};

template <> struct Read<std::chrono::year_month_day> {
  static std::chrono::year_month_day from(Reader &in) {
    Tag tag = in.tag();
    if (tag != Tag::Date)
      misfit<std::chrono::year_month_day>(tag);
    return std::chrono::sys_days(std::chrono::days(in.raw<std::int64_t>()));
  }
};

} // namespace wire
} // namespace farside

#endif
