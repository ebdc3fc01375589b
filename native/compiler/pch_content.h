// Whether the bytes of a precompiled header are those that were written.
#pragma once

#include "llvm/ADT/StringRef.h"

#include <cstdint>

namespace farside {

/// The size and the checksum of a PCH.
struct PchContent {
  uint64_t size;
  uint64_t sum;

  static PchContent of(llvm::StringRef bytes);
  bool operator==(const PchContent &) const = default;
};

/// Milliseconds after which a PCH can be noted to be whole, on most file systems.
constexpr int SettledAfter = 100;

/// Tells whether the file `pch` has this content.
///
/// To read all of it takes a seventh of a start. What was found is noted beside it, in `.checked`,
/// with what the kernel changes whenever somebody writes to a file (`ctime`; some file systems of
/// user space make it up of the time that `utime` sets), and is believed until the machine starts
/// anew.
bool isWhole(llvm::StringRef pch, const PchContent &content);

} // namespace farside
