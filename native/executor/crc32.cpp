#include "crc32.h"

#include <array>
#include <cstring>

namespace farside {

namespace {

using Tables = std::array<std::array<uint32_t, 256>, 8>;

/// Table n gives what a byte contributes that n further bytes follow: eight bytes a step.
constexpr Tables makeTables() {
  Tables tables{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit)
      value = (value & 1) != 0 ? (value >> 1) ^ 0xEDB88320U : value >> 1;
    tables[0][byte] = value;
  }
  for (size_t table = 1; table < 8; ++table)
    for (size_t byte = 0; byte < 256; ++byte) {
      uint32_t before = tables[table - 1][byte];
      tables[table][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

constexpr Tables tables = makeTables();

} // namespace

uint32_t crc32(std::string_view bytes) {
  uint32_t crc = 0xffffffffU;
  while (bytes.size() >= 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    word ^= crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i)
      crc ^= tables[7 - i][(word >> (8 * i)) & 0xff];
    bytes.remove_prefix(8);
  }
  for (char c : bytes)
    crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

} // namespace farside
