// Waiting for one controller on a loopback port, as LLVM's executor does with listen=HOST:PORT.
//
// Who connects runs code here, and nobody is asked who they are; so only addresses that no other
// machine can reach are listened on. `farside executor` is for the others.
#pragma once

#include "fd.h"
#include "sps.h"

#include <string_view>

namespace farside {

/// Listens on an address such as "127.0.0.1:4711", "[::1]:4711" or "localhost:4711" until one
/// connection comes. With port 0 the one taken is written to standard error.
Expected<int> acceptOne(std::string_view address);

} // namespace farside
