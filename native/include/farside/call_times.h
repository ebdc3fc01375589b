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

/// As a duration of another unit: exact, or an ArgumentError; with floating point the nearest.
template <class D> D exactly(__int128 nanoseconds, Tag tag) {
  using Rep = typename D::rep;
  __int128 unit = static_cast<__int128>(D::period::num) * 1'000'000'000;
  __int128 scaled = 0;
  bool fits = !__builtin_mul_overflow(nanoseconds, static_cast<__int128>(D::period::den), &scaled);
  if constexpr (std::is_floating_point_v<Rep>) {
    if (fits && scaled % unit == 0)
      return D(static_cast<Rep>(scaled / unit)); // rounded once
    return D(static_cast<Rep>(static_cast<long double>(nanoseconds) * D::period::den / unit));
  } else {
    auto ticks = static_cast<Rep>(scaled / unit);
    if (!fits || scaled % unit != 0 || static_cast<__int128>(ticks) != scaled / unit) {
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

/// A part of a date of type T, whose constructor takes an int and keeps a Held of it.
template <class T, class Held> T readPart(Reader &in) {
  if (Tag tag = in.peek(); tag != Tag::Int && tag != Tag::UInt && tag != Tag::Bool)
    misfit<T>(tag);
  long value = Read<long>::from(in);
  if (static_cast<Held>(value) != value)
    unfit<T>("%ld does not fit %.*s", value);
  return T(static_cast<Held>(value));
}
template <> struct Read<std::chrono::year> {
  static std::chrono::year from(Reader &in) { return readPart<std::chrono::year, short>(in); }
};
template <> struct Read<std::chrono::month> {
  static std::chrono::month from(Reader &in) {
    return readPart<std::chrono::month, unsigned char>(in);
  }
};
template <> struct Read<std::chrono::day> {
  static std::chrono::day from(Reader &in) { return readPart<std::chrono::day, unsigned char>(in); }
};
template <> struct Read<std::chrono::weekday> {
  static std::chrono::weekday from(Reader &in) {
    return readPart<std::chrono::weekday, unsigned char>(in);
  }
};

} // namespace wire
} // namespace farside

#endif
