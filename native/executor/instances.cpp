#include "instances.h"

#include <algorithm>
#include <span>

namespace {

/// Distances in bytes from the table's beginning. An absolute address would have to be relocated
/// whenever an executor starts, and its page be written for it.
struct Entry {
  int32_t Name;
  int32_t Code;
  uint32_t Size;
};

} // namespace

// Made by native/instances/list_instances.py, sorted by name.
extern "C" const Entry farsideInstances[];
extern "C" const Entry farsideInstancesEnd[];

namespace farside {

namespace {

std::span<const Entry> entries() { return {farsideInstances, farsideInstancesEnd}; }

uint64_t fromTable(int32_t distance) {
  return reinterpret_cast<uint64_t>(farsideInstances) + static_cast<uint64_t>(int64_t{distance});
}

const char *nameOf(const Entry &entry) {
  return reinterpret_cast<const char *>(fromTable(entry.Name));
}

} // namespace

uint64_t findInstance(std::string_view name) {
  auto found = std::ranges::lower_bound(
      entries(), name, {}, [](const Entry &entry) { return std::string_view(nameOf(entry)); });
  bool exists = found != entries().end() && nameOf(*found) == name;
  return exists ? fromTable(found->Code) : 0;
}

const char *instanceAt(uint64_t address) {
  for (const Entry &entry : entries())
    if (address - fromTable(entry.Code) < entry.Size)
      return nameOf(entry);
  return nullptr;
}

} // namespace farside
