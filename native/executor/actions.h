// Allocation actions: pairs of wrapper calls that go with memory, one for its arrival, one for its
// departure.
#pragma once

#include "sps.h"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace farside {

/// SPSWrapperFunctionCall as it lies in a message; function 0 stands for no call.
using CallView = std::tuple<uint64_t, std::string_view>;
/// SPSAllocActionCallPair: (finalize, dealloc).
using ActionPair = std::tuple<CallView, CallView>;

/// A dealloc action that outlives the message it came in.
struct OwnedCall {
  uint64_t Function = 0;
  std::string Arguments;
};

/// Runs the finalize calls in order. The first that fails ends it: the dealloc calls of those
/// before it are run in reverse and the failure is returned. Otherwise returns the dealloc calls.
Expected<std::vector<OwnedCall>> runFinalizeActions(const std::vector<ActionPair> &actions);

/// Runs the calls in reverse, all of them, and returns the failures as one error.
Error runDeallocActions(const std::vector<OwnedCall> &calls);

} // namespace farside
