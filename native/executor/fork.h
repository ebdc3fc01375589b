// Forks that the program does not notice; snapshot.h says how.
#pragma once

#include <cstdint>
#include <sys/types.h>

namespace farside {

/// How many threads the process has; 0 where that cannot be found out.
uint32_t countThreads();

/// Forks a process that is not a child of this one. All signals must be blocked, and are in the new
/// process. 0 there, something positive here, -1 with errno on failure. `threads` is as
/// `countThreads` tells; what is done for an unknown number is right for any.
pid_t forkUnseen(uint32_t threads);

/// Forks a child; the calling thread must be the only one. Handlers of pthread_atfork are not run.
pid_t forkChild();

} // namespace farside
