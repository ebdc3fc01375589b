// What the companion does for itself that farside-executor, a program of its own, is given by the
// loader or by libc's start-up code.
#pragma once

#include "sps.h"

namespace farside {

/// Must be called once, before anything else.
Error startProcess();

/// Runs what is left of the exit handlers and takes back what this code has registered with libc:
/// it is about to be unmapped. Returns what the first handler that threw has thrown.
Error endProcess();

} // namespace farside
