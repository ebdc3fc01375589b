// The alternate stacks on which a thread's crash is recorded, and the bounds of its own stack.
#pragma once

#include <cstdint>

namespace farside {

struct StackBounds {
  uint64_t Low;
  uint64_t High;
};

/// Gives the calling thread an alternate stack, and notes the bounds of its own. Threads that are
/// started through the executor's `pthread_create` do so before they run anything.
void useAlternateStack();

/// The stack of the calling thread; safe in a signal handler. (0, 0) if it is not known.
StackBounds currentStack();

} // namespace farside
