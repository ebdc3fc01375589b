// Reading the program's memory where it may not be readable.
#pragma once

#include <cstddef>
#include <cstdint>

namespace farside {

/// Copies what it can of `size` bytes at `from`. Returns how many: fewer where memory ends.
size_t readCarefully(void *to, uint64_t from, size_t size);

} // namespace farside
