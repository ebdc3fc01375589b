// ORC's ExecutorSharedMemoryMapperService: the client writes content through its own mapping of a
// shared memory object; the executor maps, protects and runs actions.
#include "actions.h"
#include "bootstrap.h"
#include "fd.h"
#include "memory.h"
#include "wrapper.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/mman.h>
#include <unistd.h>

namespace farside {

namespace {

using Segment = std::tuple<uint8_t, uint64_t, uint64_t>; // group, address, size

struct Service {
  struct Allocation {
    uint64_t Reservation;
    std::vector<OwnedCall> Deallocs;
  };
  std::map<uint64_t, uint64_t> Reservations;  // base -> size
  std::map<uint64_t, Allocation> Allocations; // by lowest address
  uint64_t NextName = 0;
};

Service &service() {
  static auto *instance = new Service;
  return *instance;
}

Error systemError(const char *what) {
  return Error(std::string(what) + ": " + std::strerror(errno));
}

using Reserved = std::tuple<uint64_t, std::string>; // address, name of the shared memory object

Expected<Reserved> reserve(uint64_t, uint64_t size) {
  std::string name =
      "/jitlink_" + std::to_string(::getpid()) + "_" + std::to_string(++service().NextName);
  UniqueFd memory(::shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700));
  if (!memory)
    return systemError("shm_open");
  void *base = MAP_FAILED;
  if (::ftruncate(memory.get(), static_cast<off_t>(size)) == 0)
    base = ::mmap(nullptr, size, PROT_NONE, MAP_SHARED, memory.get(), 0);
  if (base == MAP_FAILED) {
    Error error = systemError("reserve");
    ::shm_unlink(name.c_str());
    return error;
  }
  auto address = reinterpret_cast<uint64_t>(base);
  service().Reservations[address] = size;
  return Reserved{address, name};
}

Expected<uint64_t> initialize(uint64_t, uint64_t reservation, const std::vector<Segment> &segments,
                              const std::vector<ActionPair> &actions) {
  auto found = service().Reservations.find(reservation);
  if (found == service().Reservations.end())
    return Error("initialize: unknown reservation");
  uint64_t end = reservation + found->second;
  uint64_t key = ~uint64_t{0};
  for (auto [group, address, size] : segments) {
    if (address < reservation || address > end || size > end - address)
      return Error("initialize: a segment lies outside its reservation");
    key = std::min(key, address);
  }
  for (auto [group, address, size] : segments) {
    uint64_t page = address & ~(pageSize() - 1);
    int prot = ((group & 1) ? PROT_READ : 0) | ((group & 2) ? PROT_WRITE : 0) |
               ((group & 4) ? PROT_EXEC : 0);
    if (size != 0 && ::mprotect(reinterpret_cast<void *>(page), address + size - page, prot) != 0)
      return systemError("initialize");
  }
  auto deallocs = runFinalizeActions(actions);
  if (!deallocs)
    return deallocs.error();
  service().Allocations.insert_or_assign(key,
                                         Service::Allocation{reservation, std::move(*deallocs)});
  return key;
}

Error deinitialize(uint64_t, const std::vector<uint64_t> &keys) {
  std::string failures;
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    auto node = service().Allocations.extract(*key);
    Error error = node.empty() ? Error("deinitialize: unknown allocation")
                               : runDeallocActions(node.mapped().Deallocs);
    if (error)
      failures += (failures.empty() ? "" : "; ") + error.text();
  }
  return failures.empty() ? Error() : Error(failures);
}

Error release(uint64_t instance, const std::vector<uint64_t> &bases) {
  std::string failures;
  auto note = [&](const Error &error) {
    if (error)
      failures += (failures.empty() ? "" : "; ") + error.text();
  };
  for (auto base = bases.rbegin(); base != bases.rend(); ++base) {
    auto found = service().Reservations.find(*base);
    if (found == service().Reservations.end()) {
      note(Error("release: unknown reservation"));
      continue;
    }
    std::vector<uint64_t> keys;
    for (const auto &[key, allocation] : service().Allocations)
      if (allocation.Reservation == *base)
        keys.push_back(key);
    note(deinitialize(instance, keys));
    if (::munmap(reinterpret_cast<void *>(*base), found->second) != 0)
      note(systemError("release"));
    service().Reservations.erase(found);
  }
  return failures.empty() ? Error() : Error(failures);
}

WrapperResult reserveWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, reserve);
}

WrapperResult initializeWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t, std::vector<Segment>, std::vector<ActionPair>>(
      data, size, initialize);
}

WrapperResult deinitializeWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(data, size, deinitialize);
}

WrapperResult releaseWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(data, size, release);
}

} // namespace

std::span<const BootstrapSymbol> sharedMemoryMapperSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("__llvm_orc_ExecutorSharedMemoryMapperService_Instance", &service()),
      symbol("__llvm_orc_ExecutorSharedMemoryMapperService_Reserve", reserveWrapper),
      symbol("__llvm_orc_ExecutorSharedMemoryMapperService_Initialize", initializeWrapper),
      symbol("__llvm_orc_ExecutorSharedMemoryMapperService_Deinitialize", deinitializeWrapper),
      symbol("__llvm_orc_ExecutorSharedMemoryMapperService_Release", releaseWrapper),
  };
  return symbols;
}

} // namespace farside
