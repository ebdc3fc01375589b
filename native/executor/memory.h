// The slab, and stores into pages that are not writable.
#pragma once

#include "fd.h"
#include "sps.h"

#include <cstdint>
#include <string_view>

namespace farside {

/// The reserved ranges of addresses in which the near side places everything it links: one next to
/// the libraries, and a small one below 2 GiB for code that can name no other addresses.
class Slab {
public:
  static Slab &get();

  /// Reserves `size` bytes without access and without commit charge. The kernel places it directly
  /// below the libraries, so that code at its high end reaches them with 32-bit displacements.
  Error reserve(uint64_t size);

  /// Takes a range for the slab that somebody else has reserved.
  Error adopt(uint64_t base, uint64_t size);

  /// Takes note of the protection of pages of the slab that somebody else has mapped.
  void note(uint8_t prot, uint64_t address, uint64_t size);

  /// Reserves `size` bytes below 2 GiB. Where the kernel has none there, the range stays empty.
  void reserveLow(uint64_t size);

  /// Gives both ranges back to the system.
  void release();

  AddrRange range() const { return High.Range; }
  AddrRange lowRange() const { return Low.Range; }
  bool contains(uint64_t address, uint64_t size) const {
    return High.contains(address, size) || Low.contains(address, size);
  }

  /// Maps fresh zero pages with protection `prot` (ORC's bits: 1 read, 2 write, 4 execute) over
  /// whole pages of the slab. Protection 0 gives their memory back to the system.
  Error protect(uint8_t prot, uint64_t address, uint64_t size);

  /// The protection that `protect` gave to the page of an address within the slab.
  uint8_t protection(uint64_t address) const;

private:
  struct Reserved {
    AddrRange Range;
    uint8_t *Protections = nullptr; // one byte a page, never unmapped

    bool contains(uint64_t address, uint64_t size) const {
      return address >= Range.Start && address <= Range.End && size <= Range.End - address;
    }
    /// The byte of the page of an address in the range.
    uint8_t *protection(uint64_t address) const;
  };

  static Error reserve(uint64_t size, int flags, Reserved &into);
  static Error take(uint64_t base, uint64_t size, Reserved &into);

  Reserved High;
  Reserved Low;
};

/// Stores through /proc/self/mem, which honours no page protection, so that no page is ever
/// writable and executable at once and none changes its protection for a store. Where the kernel
/// refuses (`proc_mem.force_override`), or user code left us no way to open the file (chroot, no
/// descriptors left), the pages are made writable, not executable, for the time of the store.
///
/// Short-lived on purpose: the file keeps the address space of the process that opened it, so it
/// must not be carried through a fork, nor lie open for user code to close or replace.
class ProtectedWriter {
public:
  Error write(uint64_t address, std::string_view bytes);

private:
  bool Opened = false;
  UniqueFd Mem;
};

uint64_t pageSize();

} // namespace farside
