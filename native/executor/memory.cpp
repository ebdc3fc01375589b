#include "memory.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace farside {

namespace {

std::string describe(const char *what, uint64_t address, uint64_t size, int error = 0) {
  char text[160];
  std::snprintf(text, sizeof text, "%s of %" PRIu64 " bytes at 0x%" PRIx64 "%s%s", what, size,
                address, error ? ": " : "", error ? std::strerror(error) : "");
  return text;
}

int systemProtection(uint8_t prot) {
  return ((prot & 1) ? PROT_READ : 0) | ((prot & 2) ? PROT_WRITE : 0) |
         ((prot & 4) ? PROT_EXEC : 0);
}

/// The protection of the mapping that holds `address`, from /proc/self/maps; -1 if there is none.
int currentProtection(uint64_t address, uint64_t &end) {
  std::FILE *maps = std::fopen("/proc/self/maps", "re");
  if (maps == nullptr)
    return -1;
  int result = -1;
  char line[512];
  while (result < 0 && std::fgets(line, sizeof line, maps)) {
    uint64_t low = 0;
    uint64_t high = 0;
    char access[5];
    if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &low, &high, access) == 3 &&
        low <= address && address < high) {
      end = high;
      result = (access[0] == 'r' ? PROT_READ : 0) | (access[1] == 'w' ? PROT_WRITE : 0) |
               (access[2] == 'x' ? PROT_EXEC : 0);
    }
  }
  std::fclose(maps);
  return result;
}

/// The protection at `address`, and how far it reaches at least.
int protectionAt(uint64_t address, uint64_t &end) {
  const Slab &slab = Slab::get();
  if (!slab.contains(address, 1))
    return currentProtection(address, end);
  end = (address & ~(pageSize() - 1)) + pageSize();
  return systemProtection(slab.protection(address));
}

/// Stores page run by page run of equal protection, changing it for the time of the store.
bool writeByToggling(uint64_t address, std::string_view bytes) {
  while (!bytes.empty()) {
    uint64_t end = 0;
    int prot = protectionAt(address, end);
    if (prot < 0)
      return false;
    uint64_t part = std::min<uint64_t>(bytes.size(), end - address);
    uint64_t page = address & ~(pageSize() - 1);
    auto *pages = reinterpret_cast<void *>(page);
    bool toggle = (prot & PROT_WRITE) == 0;
    if (toggle && ::mprotect(pages, address + part - page, PROT_READ | PROT_WRITE) != 0)
      return false;
    std::memcpy(reinterpret_cast<void *>(address), bytes.data(), part);
    if (toggle && ::mprotect(pages, address + part - page, prot) != 0)
      return false;
    address += part;
    bytes.remove_prefix(part);
  }
  return true;
}

} // namespace

uint64_t pageSize() {
  static const auto size = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return size;
}

Slab &Slab::get() {
  static Slab slab;
  return slab;
}

uint8_t *Slab::Reserved::protection(uint64_t address) const {
  return Protections + (address - Range.Start) / pageSize();
}

Error Slab::reserve(uint64_t size) { return reserve(size, 0, High); }

void Slab::reserveLow(uint64_t size) {
  if (Error error = reserve(size, MAP_32BIT, Low))
    Low = {};
}

Error Slab::reserve(uint64_t size, int flags, Reserved &into) {
  size &= ~(pageSize() - 1);
  void *base = size == 0 ? MAP_FAILED
                         : ::mmap(nullptr, size, PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
  if (base == MAP_FAILED)
    return Error(describe("cannot reserve a slab", 0, size, size == 0 ? EINVAL : errno));
  Error error = take(reinterpret_cast<uint64_t>(base), size, into);
  if (error)
    ::munmap(base, size);
  return error;
}

void Slab::release() {
  for (Reserved *each : {&High, &Low}) {
    if (each->Range.size() == 0)
      continue;
    ::munmap(reinterpret_cast<void *>(each->Range.Start), each->Range.size());
    ::munmap(each->Protections, each->Range.size() / pageSize());
    *each = {};
  }
}

Error Slab::adopt(uint64_t base, uint64_t size) { return take(base, size, High); }

void Slab::note(uint8_t prot, uint64_t address, uint64_t size) {
  if (High.contains(address, size))
    std::memset(High.protection(address), prot, size / pageSize());
}

Error Slab::take(uint64_t base, uint64_t size, Reserved &into) {
  void *table = ::mmap(nullptr, size / pageSize(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (table == MAP_FAILED)
    return Error(describe("cannot reserve a slab", 0, size, errno));
  into.Protections = static_cast<uint8_t *>(table);
  into.Range = {base, base + size};
  return {};
}

Error Slab::protect(uint8_t prot, uint64_t address, uint64_t size) {
  if (!contains(address, size) || size == 0 || ((address | size) & (pageSize() - 1)) != 0)
    return Error(describe("protection outside the slab or not of whole pages", address, size));
  if ((prot & 6) == 6)
    return Error(describe("refused: pages both writable and executable", address, size));
  if (::mmap(reinterpret_cast<void *>(address), size, systemProtection(prot),
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
    return Error(describe("cannot protect", address, size, errno));
  const Reserved &reserved = High.contains(address, size) ? High : Low;
  std::memset(reserved.protection(address), prot, size / pageSize());
  return {};
}

uint8_t Slab::protection(uint64_t address) const {
  return *(High.contains(address, 1) ? High : Low).protection(address);
}

Error ProtectedWriter::write(uint64_t address, std::string_view bytes) {
  if (!Opened) {
    Mem = UniqueFd(::open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    Opened = true;
  }
  while (Mem && !bytes.empty()) {
    ssize_t wrote = ::pwrite(Mem.get(), bytes.data(), bytes.size(), static_cast<off_t>(address));
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0) {
      Mem.reset();
      break;
    }
    address += static_cast<uint64_t>(wrote);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  if (bytes.empty() || writeByToggling(address, bytes))
    return {};
  return Error(describe("cannot store", address, bytes.size()));
}

} // namespace farside
