// Functions that are defined again: whoever calls the old code comes to the new.
#pragma once

#include "wrapper.h"

namespace farside {

/// Error(u64 from, u64 to): puts a jump to `to` over the first five bytes of the function at `from`.
WrapperResult redirectWrapper(const char *data, size_t size);
/// Error(u64 from): puts back what lay there.
WrapperResult undoRedirectWrapper(const char *data, size_t size);

} // namespace farside
