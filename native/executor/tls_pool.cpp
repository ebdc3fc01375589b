// The static pool of thread-local storage; tls.h says what it is for.
#include "memory.h"
#include "threads.h"
#include "tls.h"

#include <cstddef>
#include <cstring>
#include <link.h>
#include <map>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace farside {

namespace {

constexpr size_t poolSize = 16384;
// In .tdata although its bytes are zero: the template must hold bytes to be written to.
alignas(64) thread_local constinit char pool[poolSize] __attribute__((section(".tdata"))) = {};

struct StaticImage {
  uint64_t End;
  int64_t Offset;
};

struct Statics {
  std::mutex Mutex;
  std::map<uint64_t, StaticImage> Images; // by the start of their initial data
  StaticTlsPool Pool{};
  uint64_t PoolTemplate = 0;
};

Statics &statics() {
  // Never destroyed: threads may outlive main.
  static auto *instance = new Statics;
  return *instance;
}

/// Finds where the pool lies in the template of the executor's own thread-local segment.
int findTemplate(dl_phdr_info *info, size_t, void *) {
  Statics &all = statics();
  auto poolAddress = reinterpret_cast<uint64_t>(pool);
  for (size_t i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) &segment = info->dlpi_phdr[i];
    auto block = reinterpret_cast<uint64_t>(info->dlpi_tls_data);
    if (segment.p_type != PT_TLS || poolAddress < block ||
        poolAddress + poolSize > block + segment.p_filesz)
      continue;
    all.PoolTemplate = info->dlpi_addr + segment.p_vaddr + (poolAddress - block);
    auto threadPointer = reinterpret_cast<uint64_t>(__builtin_thread_pointer());
    all.Pool = {static_cast<int64_t>(poolAddress - threadPointer), poolSize};
  }
  return 1; // the executable is the first object, and the only one of interest
}

} // namespace

void initialiseTls() {
  noteMainThread();
  initialiseInstances();
  ::dl_iterate_phdr(findTemplate, nullptr);
  // A fork may come at any time, from any thread; the child must find the lock free.
  ::pthread_atfork([] { statics().Mutex.lock(); }, [] { statics().Mutex.unlock(); },
                   [] { statics().Mutex.unlock(); });
}

StaticTlsPool staticTlsPool() { return statics().Pool; }

Error registerStaticTls(int64_t offset, AddrRange image) {
  if (image.Start >= image.End)
    return Error("static thread-local storage: the range ends before it starts");
  Statics &all = statics();
  std::lock_guard lock(all.Mutex);
  if (!all.Images.emplace(image.Start, StaticImage{image.End, offset}).second)
    return Error("static thread-local storage: the range is registered already");
  return {};
}

Error deregisterStaticTls(int64_t, AddrRange image) {
  Statics &all = statics();
  std::lock_guard lock(all.Mutex);
  if (all.Images.erase(image.Start) == 0)
    return Error("static thread-local storage: the range is not registered");
  return {};
}

void resetStaticTls(AddrRange memory) {
  std::vector<std::pair<uint64_t, StaticImage>> images;
  {
    Statics &all = statics();
    std::lock_guard lock(all.Mutex);
    images.assign(all.Images.lower_bound(memory.Start), all.Images.lower_bound(memory.End));
  }
  for (const auto &[start, image] : images)
    (void)initialiseStaticTls(image.Offset,
                              {reinterpret_cast<const char *>(start), image.End - start})
        .text();
}

uint64_t countStaticTls() {
  Statics &all = statics();
  std::lock_guard lock(all.Mutex);
  return all.Images.size();
}

Error initialiseStaticTls(int64_t offset, std::string_view bytes) {
  const Statics &all = statics();
  int64_t within = offset - all.Pool.Offset;
  if (within < 0 || static_cast<uint64_t>(within) > all.Pool.Size ||
      bytes.size() > all.Pool.Size - static_cast<uint64_t>(within))
    return Error("static thread-local storage: outside the pool");
  // The template first: a thread that begins meanwhile takes its copy under the same lock.
  ProtectedWriter writer;
  if (Error error = writer.write(all.PoolTemplate + static_cast<uint64_t>(within), bytes))
    return error;
  forEachThread([&](uint64_t threadPointer) {
    std::memcpy(reinterpret_cast<char *>(threadPointer) + offset, bytes.data(), bytes.size());
  });
  return {};
}

void refreshStaticTls() {
  std::memcpy(pool, reinterpret_cast<const void *>(statics().PoolTemplate), poolSize);
}

} // namespace farside
