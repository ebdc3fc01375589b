// ORC's SimpleExecutorMemoryManager: memory by reservation, for clients that know nothing of the
// slab. Requests come from the serving thread, one at a time.
#include "actions.h"
#include "bootstrap.h"
#include "memory.h"
#include "wrapper.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <sys/mman.h>

namespace farside {

namespace {

using Segment =
    std::tuple<uint8_t, uint64_t, uint64_t, std::string_view>; // group, addr, size, content

struct Region {
  uint64_t End = 0;
  std::vector<OwnedCall> Deallocs;
};

struct Reservation {
  uint64_t Size = 0;
  // By lowest address. A region stays known when it is deinitialized: ORC gives an address no
  // second life within one reservation.
  std::map<uint64_t, Region> Regions;
};

std::map<uint64_t, Reservation> &reservations() {
  static auto *all = new std::map<uint64_t, Reservation>;
  return *all;
}

Error systemError(const char *what) {
  return Error(std::string(what) + ": " + std::strerror(errno));
}

Expected<uint64_t> reserve(uint64_t, uint64_t size) {
  if (size == 0)
    return uint64_t{0};
  uint64_t rounded = (size + pageSize() - 1) & ~(pageSize() - 1);
  if (rounded < size)
    return Error("reserve: size too large");
  void *base = ::mmap(nullptr, rounded, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return systemError("reserve");
  auto address = reinterpret_cast<uint64_t>(base);
  reservations()[address].Size = rounded;
  return address;
}

Reservation *reservationOf(uint64_t start, uint64_t end) {
  auto after = reservations().upper_bound(start);
  if (after == reservations().begin())
    return nullptr;
  auto &[base, reservation] = *std::prev(after);
  return end <= base + reservation.Size ? &reservation : nullptr;
}

bool protect(uint8_t group, uint64_t address, uint64_t size) {
  uint64_t page = address & ~(pageSize() - 1);
  int prot = ((group & 1) ? PROT_READ : 0) | ((group & 2) ? PROT_WRITE : 0) |
             ((group & 4) ? PROT_EXEC : 0);
  return size == 0 || ::mprotect(reinterpret_cast<void *>(page), address + size - page, prot) == 0;
}

/// Checks a request as a whole before the first byte of it is copied.
Error check(const std::vector<Segment> &segments, AddrRange &region) {
  if (segments.empty())
    return Error("Finalization request is empty");
  region = {~uint64_t{0}, 0};
  for (auto [group, address, size, content] : segments) {
    if (content.size() > size)
      return Error("Segment content is larger than the segment");
    if (address + size < address)
      return Error("Segment wraps around the address space");
    region.Start = std::min(region.Start, address);
    region.End = std::max(region.End, address + size);
  }
  Reservation *reservation = reservationOf(region.Start, region.End);
  if (reservation == nullptr)
    return Error("Segments lie outside any reservation");
  auto after = reservation->Regions.lower_bound(region.Start);
  if ((after != reservation->Regions.end() && after->first < region.End) ||
      (after != reservation->Regions.begin() && std::prev(after)->second.End > region.Start))
    return Error("Finalization request overlaps previous region");
  return {};
}

Expected<uint64_t> initialize(uint64_t, const std::vector<Segment> &segments,
                              const std::vector<ActionPair> &actions) {
  AddrRange range;
  if (Error error = check(segments, range))
    return error;
  for (auto [group, address, size, content] : segments) {
    auto *to = reinterpret_cast<char *>(address);
    std::memcpy(to, content.data(), content.size());
    std::memset(to + content.size(), 0, size - content.size());
    if (!protect(group, address, size))
      return systemError("initialize");
  }
  auto deallocs = runFinalizeActions(actions);
  if (!deallocs) {
    for (auto [group, address, size, content] : segments)
      protect(3, address, size);
    return deallocs.error();
  }
  reservationOf(range.Start, range.End)->Regions[range.Start] = {range.End, std::move(*deallocs)};
  return range.Start;
}

Error joined(const std::string &failures) { return failures.empty() ? Error() : Error(failures); }

void append(std::string &failures, const Error &error) {
  if (error)
    failures += (failures.empty() ? "" : "; ") + error.text();
}

Error deinitialize(uint64_t, const std::vector<uint64_t> &keys) {
  std::string failures;
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    Reservation *reservation = reservationOf(*key, *key);
    auto region = reservation == nullptr ? std::map<uint64_t, Region>::iterator()
                                         : reservation->Regions.find(*key);
    if (reservation == nullptr || region == reservation->Regions.end()) {
      append(failures, Error("deinitialize: unknown allocation"));
      continue;
    }
    auto deallocs = std::exchange(region->second.Deallocs, {});
    append(failures, runDeallocActions(deallocs));
  }
  return joined(failures);
}

Error release(uint64_t, const std::vector<uint64_t> &bases) {
  std::string failures;
  for (auto base = bases.rbegin(); base != bases.rend(); ++base) {
    auto node = reservations().extract(*base);
    if (node.empty()) {
      append(failures, Error("release: not the base of a reservation"));
      continue;
    }
    auto &regions = node.mapped().Regions;
    for (auto region = regions.rbegin(); region != regions.rend(); ++region)
      append(failures, runDeallocActions(region->second.Deallocs));
    if (::munmap(reinterpret_cast<void *>(*base), node.mapped().Size) != 0)
      append(failures, systemError("release"));
  }
  return joined(failures);
}

WrapperResult reserveWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, uint64_t>(data, size, reserve);
}

WrapperResult initializeWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<Segment>, std::vector<ActionPair>>(data, size,
                                                                               initialize);
}

WrapperResult deinitializeWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(data, size, deinitialize);
}

WrapperResult releaseWrapper(const char *data, size_t size) {
  return serveWrapper<uint64_t, std::vector<uint64_t>>(data, size, release);
}

} // namespace

std::span<const BootstrapSymbol> simpleMemoryManagerSymbols() {
  static const BootstrapSymbol symbols[] = {
      symbol("__llvm_orc_SimpleExecutorMemoryManager_Instance", &reservations()),
      symbol("__llvm_orc_SimpleExecutorMemoryManager_reserve_wrapper", reserveWrapper),
      symbol("__llvm_orc_SimpleExecutorMemoryManager_initialize_wrapper", initializeWrapper),
      symbol("__llvm_orc_SimpleExecutorMemoryManager_deinitialize_wrapper", deinitializeWrapper),
      symbol("__llvm_orc_SimpleExecutorMemoryManager_release_wrapper", releaseWrapper),
  };
  return symbols;
}

} // namespace farside
