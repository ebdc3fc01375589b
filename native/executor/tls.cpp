#include "tls.h"

#include "tls_table.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <pthread.h>

extern "C" void *__tls_get_addr(const farside::TlsEntry *entry); // glibc's

namespace farside {

namespace {

struct Registry {
  std::mutex Mutex;
  std::map<uint64_t, uint64_t> Images; // start -> end
  TlsTable *Tables = nullptr;
  pthread_key_t ThreadEnd{};
};

Registry &registry() {
  // Never destroyed: threads may outlive main.
  static auto *instance = new Registry;
  return *instance;
}

[[noreturn]] void die(const char *why) {
  std::fprintf(stderr, "farside-executor: thread-local storage: %s\n", why);
  std::abort();
}

void insertSlot(TlsTable &table, uint64_t key, char *instance) {
  uint64_t at = firstSlot(key, table.Mask);
  while (table.Slots[at].Key != emptyKey)
    at = (at + 1) & table.Mask;
  table.Slots[at].Instance = instance;
  __atomic_store_n(&table.Slots[at].Key, key, __ATOMIC_RELAXED);
  ++table.Used;
}

TlsSlot *makeSlots(uint64_t count) {
  auto *slots = static_cast<TlsSlot *>(std::calloc(count, sizeof(TlsSlot)));
  if (slots == nullptr)
    die("out of memory");
  return slots;
}

/// Doubles the table when it is more than half full of live entries, or only cleans it of removed
/// ones. The registry's lock is held.
void makeRoom(TlsTable &table) {
  if ((table.Used + 1) * 4 <= (table.Mask + 1) * 3)
    return;
  uint64_t live = 0;
  for (uint64_t i = 0; i <= table.Mask; ++i)
    live += table.Slots[i].Key > removedKey;
  TlsSlot *old = table.Slots;
  uint64_t count = table.Mask + 1;
  table.Mask = (live * 2 >= count ? count * 2 : count) - 1;
  table.Slots = makeSlots(table.Mask + 1);
  table.Used = 0;
  for (uint64_t i = 0; i < count; ++i)
    if (old[i].Key > removedKey)
      insertSlot(table, old[i].Key, old[i].Instance);
  std::free(old);
}

TlsTable &tableOfThread(Registry &all) {
  TlsTable *own = ownTlsTable();
  if (own == nullptr) {
    constexpr uint64_t firstCount = 16;
    auto *table = static_cast<TlsTable *>(std::calloc(1, sizeof(TlsTable)));
    if (table == nullptr)
      die("out of memory");
    table->Mask = firstCount - 1;
    table->Slots = makeSlots(firstCount);
    table->Following = all.Tables;
    if (all.Tables != nullptr)
      all.Tables->Previous = table;
    all.Tables = table;
    setOwnTlsTable(table);
    ::pthread_setspecific(all.ThreadEnd, table);
    own = table;
  }
  return *own;
}

/// Runs after the destructors of the thread's thread_local objects. Destructors of other pthread
/// keys may still use thread-local variables, so the instances stay until a late round: the last
/// but one, because in the last ThreadSanitizer's run-time is gone.
void endThread(void *pointer) {
  auto *table = static_cast<TlsTable *>(pointer);
  if (++table->Rounds < PTHREAD_DESTRUCTOR_ITERATIONS - 1) {
    ::pthread_setspecific(registry().ThreadEnd, table);
    return;
  }
  std::lock_guard lock(registry().Mutex);
  if (table->Previous != nullptr)
    table->Previous->Following = table->Following;
  else
    registry().Tables = table->Following;
  if (table->Following != nullptr)
    table->Following->Previous = table->Previous;
  for (uint64_t i = 0; i <= table->Mask; ++i)
    if (table->Slots[i].Key > removedKey)
      std::free(table->Slots[i].Instance);
  std::free(table->Slots);
  std::free(table);
  setOwnTlsTable(nullptr);
}

/// The quick path of tls_find.cpp has looked already, where there is one.
char *findInstance(const TlsTable &table, uint64_t key) {
  for (uint64_t at = firstSlot(key, table.Mask);; at = (at + 1) & table.Mask) {
    uint64_t found = __atomic_load_n(&table.Slots[at].Key, __ATOMIC_RELAXED);
    if (found == key)
      return table.Slots[at].Instance;
    if (found == emptyKey)
      return nullptr;
  }
}

/// The registry's lock is held.
void dropInstances(Registry &all, uint64_t key) {
  for (TlsTable *table = all.Tables; table != nullptr; table = table->Following)
    for (uint64_t at = firstSlot(key, table->Mask); table->Slots[at].Key != emptyKey;
         at = (at + 1) & table->Mask)
      if (table->Slots[at].Key == key) {
        __atomic_store_n(&table->Slots[at].Key, removedKey, __ATOMIC_RELAXED);
        std::free(table->Slots[at].Instance);
        break;
      }
}

} // namespace

void initialiseInstances() {
  Registry &all = registry();
  findXsaveLayout();
  if (::pthread_key_create(&all.ThreadEnd, endThread) != 0)
    die("no pthread key");
  // A fork may come at any time, from any thread; the child must find the lock free.
  ::pthread_atfork([] { registry().Mutex.lock(); }, [] { registry().Mutex.unlock(); },
                   [] { registry().Mutex.unlock(); });
}

TlsTable *tlsTableOfKey() {
  return static_cast<TlsTable *>(::pthread_getspecific(registry().ThreadEnd));
}

void releaseTlsKey() { ::pthread_key_delete(registry().ThreadEnd); }

Error registerThreadData(AddrRange image) {
  if (image.Start == image.End)
    return {};
  if (image.Start > image.End)
    return Error("thread data: the range ends before it starts");
  Registry &all = registry();
  std::lock_guard lock(all.Mutex);
  auto after = all.Images.lower_bound(image.Start);
  bool overlaps = (after != all.Images.end() && after->first < image.End) ||
                  (after != all.Images.begin() && std::prev(after)->second > image.Start);
  if (overlaps)
    return Error("thread data: the range overlaps a registered one");
  all.Images.emplace(image.Start, image.End);
  return {};
}

Error deregisterThreadData(AddrRange image) {
  if (image.Start == image.End)
    return {};
  Registry &all = registry();
  std::lock_guard lock(all.Mutex);
  auto found = all.Images.find(image.Start);
  if (found == all.Images.end() || found->second != image.End)
    return Error("thread data: the range is not registered");
  all.Images.erase(found);
  dropInstances(all, image.Start);
  return {};
}

void dropThreadInstances(AddrRange memory) {
  Registry &all = registry();
  std::lock_guard lock(all.Mutex);
  for (auto image = all.Images.lower_bound(memory.Start);
       image != all.Images.end() && image->first < memory.End; ++image)
    dropInstances(all, image->first);
}

uint64_t imageOfThreadLocal(const void *object) {
  const TlsTable *table = ownTlsTable();
  if (table == nullptr)
    return 0;
  auto address = reinterpret_cast<uint64_t>(object);
  Registry &all = registry();
  std::lock_guard lock(all.Mutex);
  for (uint64_t i = 0; i <= table->Mask; ++i) {
    const TlsSlot &slot = table->Slots[i];
    if (slot.Key <= removedKey)
      continue;
    auto image = all.Images.find(slot.Key);
    auto start = reinterpret_cast<uint64_t>(slot.Instance);
    if (image != all.Images.end() && address >= start &&
        address - start < image->second - image->first)
      return slot.Key;
  }
  return 0;
}

TlsCounts threadLocalCounts() {
  Registry &all = registry();
  std::lock_guard lock(all.Mutex);
  TlsCounts counts{all.Images.size(), 0};
  for (TlsTable *table = all.Tables; table != nullptr; table = table->Following)
    for (uint64_t i = 0; i <= table->Mask; ++i)
      counts.Instances += table->Slots[i].Key > removedKey;
  return counts;
}

extern "C" __attribute__((visibility("hidden"), used)) char *farsideTlsMake(const TlsEntry *entry) {
  if (entry->Key < firstImageKey) // a library's: the words of an entry mean the same to glibc
    return static_cast<char *>(__tls_get_addr(entry));
  if (const TlsTable *table = ownTlsTable())
    if (char *instance = findInstance(*table, entry->Key))
      return instance + (entry->Address - entry->Key);
  Registry &all = registry();
  std::lock_guard lock(all.Mutex);
  auto image = all.Images.find(entry->Key);
  if (image == all.Images.end())
    die("access to a variable whose image is not registered");
  uint64_t size = image->second - image->first;
  uint64_t alignment = uint64_t{1} << std::countr_zero(image->first);
  alignment = std::clamp<uint64_t>(alignment, 16, 4096);
  auto *instance =
      static_cast<char *>(std::aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1)));
  if (instance == nullptr)
    die("out of memory");
  std::memcpy(instance, reinterpret_cast<const void *>(image->first), size);
  TlsTable &table = tableOfThread(all);
  makeRoom(table);
  insertSlot(table, entry->Key, instance);
  return instance + (entry->Address - entry->Key);
}

} // namespace farside
