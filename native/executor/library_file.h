// Reads the dynamic symbols of a shared library straight from its file, without loading it.
//
// The file is whatever somebody has put on the search path: truncated, hostile, changed while it is
// read. So nothing is mapped (a mapping dies of SIGBUS when the file shrinks): every piece is read
// with pread into memory of a checked size, every count is bounded by the bytes that are there, and
// every walk by the size of the table that it walks. What is not an ELF library for this machine is
// told with a reason, never half read.
//
// Sources: System V gABI, chapters 4 and 5 (ELF header, program header, dynamic section, DT_HASH);
// "GNU hash ELF sections" (DT_GNU_HASH); LSB, "Symbol Versioning".
#pragma once

#include "fd.h"
#include "sps.h"

#include <cstdint>
#include <elf.h>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace farside {

/// What tells that a file is the one that was read before.
struct FileIdentity {
  uint64_t Device = 0;
  uint64_t Inode = 0;
  uint64_t Size = 0;
  int64_t Modified = 0; // nanoseconds since the epoch
  int64_t Changed =
      0; // the same for the inode: writing a file and setting its time back shows here
  bool operator==(const FileIdentity &) const = default;
};

FileIdentity identityOf(const struct stat &status);

/// What a symbol is, as bits.
enum SymbolKind : uint8_t {
  SymbolWeak = 1,
  SymbolIfunc = 2,       // its address is what a function returns
  SymbolThreadLocal = 4, // it has an address in each thread
  SymbolFunction = 8,
};

struct LibrarySymbol {
  uint8_t Kind = 0;
  std::string Version; // its default version, empty if it has none
};

class LibraryFile {
public:
  /// Opens a file and reads its headers and dynamic section. Files other than regular ones are not
  /// opened at all: a FIFO would wait, a device might act.
  static Expected<LibraryFile> open(const char *path);

  const FileIdentity &identity() const { return Identity; }
  const std::string &soname() const { return Soname; }
  const std::vector<std::string> &needed() const { return Needed; }
  /// Whether it is a text that the linker reads (INPUT, GROUP) and not a library.
  bool isLinkerScript() const { return !Script.empty(); }
  const std::string &script() const { return Script; }

  /// Calls `found` for each name that the library defines for others. False if its tables are
  /// damaged; names may have been told before.
  Expected<bool> forEach(const std::function<void(std::string_view)> &found) const;

  /// Looks one name up through the library's own hash table.
  std::optional<LibrarySymbol> lookUp(std::string_view name) const;

private:
  struct Segment {
    uint64_t Address;
    uint64_t Offset;
    uint64_t Size; // in the file
  };
  struct Table {
    uint64_t Offset = 0; // in the file
    uint64_t Size = 0;   // what the file has from there to the end of the segment
    explicit operator bool() const { return Size != 0; }
  };

  struct GnuHeader {
    uint32_t Buckets;
    uint32_t FirstSymbol;
    uint32_t BloomWords;
    uint32_t BloomShift;
  };

  friend std::string runPathOf(const char *path);

  Error openAny(const char *path);
  bool read(uint64_t offset, void *data, size_t size) const;
  Table tableAt(uint64_t address) const;
  Error readHeaders();
  Error readDynamic(uint64_t offset, uint64_t size);
  Error readScript();
  std::string stringAt(uint64_t offset) const;
  bool nameIs(uint64_t offset, std::string_view name) const;
  std::optional<uint64_t> countSymbols() const;
  std::optional<uint64_t> countGnuSymbols() const;
  bool gnuHeader(GnuHeader &header) const;
  std::optional<LibrarySymbol> lookUpGnu(std::string_view name) const;
  std::optional<LibrarySymbol> lookUpSysv(std::string_view name) const;
  std::optional<LibrarySymbol> symbolAt(uint64_t index, std::string_view name) const;
  std::string versionName(uint16_t index) const;

  UniqueFd Fd;
  FileIdentity Identity;
  std::vector<Segment> Segments;
  Table Symbols;
  Table Strings;
  Table GnuHash;
  Table SysvHash;
  Table Versions;
  Table VersionDefinitions;
  bool IsExecutable = false;
  std::string Soname;
  std::string RunPath;
  std::string Script;
  std::vector<std::string> Needed;
};

/// DT_RUNPATH, or else DT_RPATH, of a library or executable, as it is written.
std::string runPathOf(const char *path);

/// Whether others can be linked to a symbol: defined, global, visible, and no name of the linker's.
bool isExported(const Elf64_Sym &symbol);

} // namespace farside
