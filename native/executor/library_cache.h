// What was read from libraries, on disk, for sessions to come.
//
// The cache holds no names: of each symbol the 32-bit hash that leads to its library, which is then
// asked itself. So it is small, and a wrong cache costs misses at worst. It is not believed all the
// same: it must be the user's own file, writable by nobody else, whole (a checksum), and every
// length in it must fit. Sessions that write at the same time replace the file one after the other,
// by renaming; what one of them did not know is read again some time.
//
//   "farside-libraries 1\n"  u32 CRC-32 of what follows  SPS Seq<Entry>
#pragma once

#include "library_file.h"

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace farside {

/// What a file on the search path was found to be.
struct LibraryFacts {
  std::string Skipped; // why it is none of the libraries; empty if it is one
  std::string Soname;
  std::vector<std::string> Needed;
  std::vector<uint32_t> Hashes; // CRC-32 of the names that it defines
};

class LibraryCache {
public:
  /// Where the user's cache lies, or an empty path if there is no place for one.
  static std::string defaultPath();

  /// Reads a cache; one that cannot be believed is empty.
  explicit LibraryCache(const std::string &path);

  /// Returns what is known of a file, if it is still the same.
  std::optional<LibraryFacts> find(const FileIdentity &identity) const;

  /// Replaces the file at `path` by what is known of these files, and of those in the cache that
  /// are not among them, as far as the size allows. Failures are no matter: it is a cache.
  void write(const std::string &path,
             const std::vector<std::pair<FileIdentity, const LibraryFacts *>> &facts) const;

private:
  struct Hash {
    size_t operator()(const FileIdentity &key) const {
      return static_cast<size_t>((key.Inode * 0x9E3779B97F4A7C15U) ^ key.Device ^ key.Size);
    }
  };

  std::string Content;
  std::unordered_map<FileIdentity, std::string_view, Hash> Entries;
};

} // namespace farside
