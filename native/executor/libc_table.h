// Names that cells may use and that dlsym does not find, or must not find.
#pragma once

#include <cstdint>
#include <string_view>

namespace farside {

/// The executor's own answer for a name looked up in the process; 0 if it has none.
uint64_t findOwnSymbol(std::string_view name);

} // namespace farside
