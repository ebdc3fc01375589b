// Running the function that stands for a call from Python, whoever keeps the JITDylibs.
#pragma once

#include "commit_steps.h"

#include <cstdint>
#include <string_view>

namespace farside {

/// Who keeps account of whose code runs.
class CallScope {
public:
  virtual ~CallScope() = default;
  virtual void enter(uint64_t header) = 0;
  virtual void leave() = 0;
};

/// Calls `function`, which is a
/// `void (*)(const void *arguments, unsigned long size, void *memory, unsigned long size)`, as an
/// initialiser of a cell is called. `memory` came beside the arguments, or is null.
RunOutcome runCall(CallScope &scope, uint64_t header, uint64_t function, std::string_view arguments,
                   void *memory, uint64_t memorySize);

} // namespace farside
