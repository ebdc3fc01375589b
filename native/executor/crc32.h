// CRC-32 as zlib and Python's `zlib.crc32` compute it (polynomial 0xEDB88320, reflected).
#pragma once

#include <cstdint>
#include <string_view>

namespace farside {

uint32_t crc32(std::string_view bytes);

} // namespace farside
