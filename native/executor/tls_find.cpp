// The quick path of thread-local access: the calling thread has an instance already.
#include "tls.h"
#include "tls_table.h"

namespace farside {

namespace {

thread_local constinit TlsTable *tlsTable = nullptr;

} // namespace

TlsTable *ownTlsTable() { return tlsTable; }
void setOwnTlsTable(TlsTable *table) { tlsTable = table; }

extern "C"
    __attribute__((target("general-regs-only"), no_sanitize("address", "undefined", "thread"),
                   visibility("hidden"), used)) char *
    farsideTlsFind(const TlsEntry *entry) {
  uint64_t key = entry->Key;
  if (key == 0) {
    char *self;
    __asm__("mov %%fs:0, %0" : "=r"(self));
    return self + entry->Address;
  }
  const TlsTable *table = tlsTable;
  if (table == nullptr || key < firstImageKey)
    return nullptr;
  for (uint64_t at = ((key >> 4) * slotMultiplier >> 32) & table->Mask;;
       at = (at + 1) & table->Mask) {
    uint64_t found = __atomic_load_n(&table->Slots[at].Key, __ATOMIC_RELAXED);
    if (found == key)
      return table->Slots[at].Instance + (entry->Address - key);
    if (found == emptyKey)
      return nullptr;
  }
}

} // namespace farside
