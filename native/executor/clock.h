// The clock by which waits and runs are measured.
#pragma once

#include <cstdint>
#include <ctime>

namespace farside {

/// The monotonic clock, in nanoseconds.
inline uint64_t monotonicNanoseconds() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_nsec);
}

} // namespace farside
