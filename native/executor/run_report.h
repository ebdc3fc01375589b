// What running initialisers came to.
#pragma once

#include "exception_text.h"

#include <cstdint>
#include <optional>

namespace farside {

struct RunReport {
  uint64_t Completed = 0; // initialisers that returned
  uint64_t Nanoseconds = 0;
  std::optional<ExceptionText> Exception;
};

/// Writes out what C and C++ streams still hold.
void flushOutput();

} // namespace farside
