// The code of template instances that programs use most; see native/instances.
#pragma once

#include <cstdint>
#include <string_view>

namespace farside {

/// The address of an instance by its mangled name; 0 if the executor brings none.
uint64_t findInstance(std::string_view name);

/// The name of the instance whose code an address lies in, or null. Calls nothing of libc.
const char *instanceAt(uint64_t address);

} // namespace farside
