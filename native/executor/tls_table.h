// The calling thread's table of instances, shared by the quick path and the slow one.
#pragma once

#include <cstdint>

namespace farside {

/// Open addressing, linear probing. `Key` is read without a lock by the owner and cleared (to
/// `removedKey`) under the registry's lock by whoever deregisters an image.
struct TlsSlot {
  uint64_t Key;
  char *Instance;
};

struct TlsTable {
  uint64_t Mask; // slots - 1
  uint64_t Used; // slots that are not empty
  TlsSlot *Slots;
  uint64_t Rounds;
  TlsTable *Previous;
  TlsTable *Following;
};

constexpr uint64_t emptyKey = 0;
constexpr uint64_t removedKey = 1;

/// Keys below are no images but glibc's numbers of libraries' thread-local storage.
constexpr uint64_t firstImageKey = 65536;

/// Where the search for a key starts: ((key >> 4) * slotMultiplier >> 32) & mask. The quick path
/// writes it out, because it can inline nothing that may use vector registers.
constexpr uint64_t slotMultiplier = 0x9e3779b97f4a7c15u;

inline uint64_t firstSlot(uint64_t key, uint64_t mask) {
  return ((key >> 4) * slotMultiplier >> 32) & mask;
}

/// That of the calling thread, null if it has none yet.
TlsTable *ownTlsTable();
void setOwnTlsTable(TlsTable *table);

/// The same, by the key at which threads end.
TlsTable *tlsTableOfKey();

} // namespace farside
