// The way back: a call of the near side, for code that runs in farside's executor and, as part of
// the companion, in others.
#pragma once

#include "wrapper.h"

namespace farside {

/// Calls what the near side has for a dispatch tag, an address: blocks until its Result is there.
WrapperResult callNearSide(uint64_t tag, std::string_view arguments);

/// Whether a call of the near side is being served, so that it listens.
bool nearSideListens();

} // namespace farside
