// All libraries on the search path, and which of them define a name.
//
// Of each exported symbol the index holds one 32-bit hash (CRC-32 of the name, which Python
// computes fast, too) with the number of its library: eight bytes. Libraries that a hash leads to
// are asked through their own hash tables, in their files, at the time of the question. So what the
// index says is never older than the file, and a damaged or lying cache cannot do harm.
//
// A scan lists the places of the search path anew, but reads only files that it does not know by
// their identity, from the scan before or from the cache.
#pragma once

#include "library_cache.h"
#include "library_file.h"
#include "library_path.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace farside {

/// One library on the search path. All names of one file are one library.
struct Library {
  FileIdentity Identity;
  std::string Path;     // by which it should be loaded: its version name, where there is one
  uint32_t Place = 0;   // its place on the path
  bool HasLink = false; // the name without a version exists, by which linkers find it
  LibraryFacts Facts;
};

/// Part of a Bloom filter over names; a name may be defined if any part does not rule it out.
struct FilterPart {
  uint32_t Probes = 0;
  uint64_t Bits = 0;
  std::string Content;
};

struct ScanRequest {
  std::vector<std::string> Directories; // the user's
  bool System = true;                   // whether the rest of the path counts
  bool UseCache = true;
  bool Whole = true; // whether the whole filter is wanted, and not what is new since the last scan
};

struct ScanReport {
  uint64_t Libraries = 0;
  uint64_t Symbols = 0;
  uint64_t FilesRead = 0;
  uint64_t FilesKnown = 0; // from the scan before or from the cache
  bool Whole = false;      // whether the parts are all there are
  std::vector<FilterPart> Parts;
  std::vector<std::pair<std::string, std::string>> Skipped; // path, why; the first of them
  uint64_t SkippedCount = 0;
};

struct Definition {
  uint32_t Library;
  LibrarySymbol Symbol;
};

class LibraryIndex {
public:
  ScanReport scan(const ScanRequest &request);

  /// Returns the libraries that define a name, in the order of the path. `stale` is set if a file
  /// is not what it was at the last scan: then scan, and ask again.
  std::vector<Definition> find(std::string_view name, bool &stale) const;

  /// Returns the sonames of all libraries that a library needs, and those need in turn.
  std::vector<std::string> closure(uint32_t library) const;

  /// Calls `found` with each name that a library on the path defines; false from it ends the walk.
  void forEachName(const std::function<bool(std::string_view, const Library &)> &found) const;

  const std::vector<Library> &libraries() const { return Libraries; }
  const std::vector<LibraryPlace> &places() const { return Places; }

private:
  class Scan;

  void buildTable();
  void addParts(ScanReport &report, bool whole, const std::vector<size_t> &added);

  std::vector<LibraryPlace> Places;
  std::vector<Library> Libraries;
  std::map<std::string, uint32_t, std::less<>> BySoname;
  // Libraries by the upper bits of hashes: bucket i is Entries[Starts[i]] up to
  // Entries[Starts[i+1]].
  std::vector<uint32_t> Starts;
  std::vector<std::pair<uint32_t, uint32_t>> Entries; // hash, library
  uint32_t Shift = 32;
  size_t PartsSent = 0;
  size_t NamesSent = 0;
};

/// Makes a filter of `hashes`, sized for `falsePositives`: of a hundred names that are not in it,
/// it rules out all but one.
FilterPart makeFilter(const std::vector<const std::vector<uint32_t> *> &hashes);
constexpr double falsePositives = 0.01;

} // namespace farside
