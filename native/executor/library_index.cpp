#include "library_index.h"

#include "crc32.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <set>
#include <unordered_map>

namespace farside {

namespace {

constexpr size_t maxNotes = 200;
constexpr size_t maxParts = 8;
constexpr size_t maxLibraries = 200'000;
constexpr size_t maxEntries = size_t{1} << 26;
constexpr size_t maxDefinitions = 64; // of one name
constexpr int maxScriptDepth = 4;
// What was written a moment ago may be written again without a later time.
constexpr int64_t settled = 100'000'000; // nanoseconds

std::string_view baseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Names that the linker and the C library give to every library, or that are never meant.
bool isEverywhere(std::string_view name) {
  return name == "_init" || name == "_fini" || name == "_edata" || name == "_end" ||
         name == "__bss_start" || name == "main" || name == "edata" || name == "end";
}

/// Whether a file will be skipped for the same reason as long as it is what it is. Others, such as
/// permissions, lie outside of it.
bool isLasting(std::string_view why) {
  return why == "for another architecture" || why == "an executable";
}

LibraryFacts readFacts(const LibraryFile &file) {
  LibraryFacts facts;
  facts.Soname = file.soname();
  facts.Needed = file.needed();
  auto whole = file.forEach([&](std::string_view name) {
    if (!isEverywhere(name))
      facts.Hashes.push_back(crc32(name));
  });
  if (!whole)
    facts = LibraryFacts{whole.text(), "", {}, {}};
  return facts;
}

struct FileKey {
  size_t operator()(const std::pair<uint64_t, uint64_t> &key) const {
    return static_cast<size_t>(key.second * 0x9E3779B97F4A7C15U ^ key.first);
  }
};

} // namespace

FilterPart makeFilter(const std::vector<const std::vector<uint32_t> *> &hashes) {
  size_t names = 0;
  for (const auto *each : hashes)
    names += each->size();
  double ln2 = std::log(2.0);
  FilterPart part;
  part.Probes = static_cast<uint32_t>(std::lround(-std::log2(falsePositives)));
  double bits = std::ceil(-static_cast<double>(names) * std::log(falsePositives) / (ln2 * ln2));
  part.Bits = (std::clamp<uint64_t>(static_cast<uint64_t>(bits), 64, uint64_t{1} << 32) + 7) & ~7U;
  part.Content.resize(part.Bits / 8);
  auto *content = reinterpret_cast<unsigned char *>(part.Content.data());
  // The same arithmetic as in farside/libraries/bloom.py.
  for (const auto *each : hashes)
    for (uint32_t hash : *each) {
      uint64_t mixed = hash * 0x9E3779B97F4A7C15U;
      auto at = static_cast<uint32_t>(mixed >> 32);
      uint32_t step = static_cast<uint32_t>(mixed) | 1;
      for (uint32_t i = 0; i < part.Probes; ++i, at += step) {
        uint64_t bit = at * part.Bits >> 32;
        content[bit >> 3] |= static_cast<unsigned char>(1U << (bit & 7));
      }
    }
  return part;
}

// ------------------------------------------------------------------ scan

/// One pass over the search path.
class LibraryIndex::Scan {
public:
  Scan(LibraryIndex &index, const ScanRequest &request)
      : Index(index), CachePath(request.UseCache ? LibraryCache::defaultPath() : ""),
        Before(std::move(index.Libraries)) {
    Index.Libraries.clear();
    for (size_t i = 0; i < Before.size(); ++i)
      Known.emplace(std::pair(Before[i].Identity.Device, Before[i].Identity.Inode), i);
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    Now = now.tv_sec * 1'000'000'000 + now.tv_nsec;
  }

  void run() {
    for (uint32_t place = 0; place < Index.Places.size(); ++place)
      for (const std::string &path : librariesIn(Index.Places[place]))
        visit(path, place, 0);
    if (CacheIsOld)
      writeCache();
    Report.Libraries = Index.Libraries.size();
    for (const Library &each : Index.Libraries)
      Report.Symbols += each.Facts.Hashes.size();
  }

  /// Whether there are the same libraries in the same order as at the scan before.
  bool isAsBefore() const {
    auto same = [](const Library &a, const Library &b) { return a.Identity == b.Identity; };
    return std::equal(Before.begin(), Before.end(), Index.Libraries.begin(), Index.Libraries.end(),
                      same);
  }

  ScanReport Report;
  std::vector<size_t> Added; // libraries that the scan before did not know

private:
  void skip(const std::string &path, const std::string &why) {
    ++Report.SkippedCount;
    if (Report.Skipped.size() < maxNotes)
      Report.Skipped.emplace_back(path, why);
  }

  void visit(const std::string &path, uint32_t place, int depth) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0)
      return skip(path, std::strerror(errno));
    if (!S_ISREG(status.st_mode))
      return skip(path, S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
    FileIdentity identity = identityOf(status);
    auto [seen, fresh] = Seen.emplace(std::pair(identity.Device, identity.Inode), noLibrary);
    if (!fresh)
      return seen->second == noLibrary ? void()
                                       : addName(Index.Libraries[seen->second], path, place);
    LibraryFacts facts = factsOf(path, identity, place, depth);
    if (!facts.Skipped.empty())
      return skip(path, facts.Skipped);
    if (facts.Hashes.empty() || Index.Libraries.size() == maxLibraries)
      return; // it defines nothing that others could use
    seen->second = Index.Libraries.size();
    Index.Libraries.push_back({identity, path, place, false, std::move(facts)});
    addName(Index.Libraries.back(), path, place);
    if (IsNew)
      Added.push_back(seen->second);
  }

  void addName(Library &library, const std::string &path, uint32_t place) {
    std::string_view name = baseName(path);
    library.HasLink |= name.ends_with(".so");
    if (library.Place == place && name == library.Facts.Soname)
      library.Path = path;
  }

  LibraryFacts factsOf(const std::string &path, FileIdentity &identity, uint32_t place, int depth) {
    IsNew = true;
    auto before = Known.find({identity.Device, identity.Inode});
    if (before != Known.end() && Before[before->second].Identity == identity) {
      ++Report.FilesKnown;
      IsNew = false;
      return std::move(Before[before->second].Facts);
    }
    if (!Cache)
      Cache.emplace(CachePath);
    if (auto cached = Cache->find(identity)) {
      ++Report.FilesKnown;
      if (!cached->Skipped.empty())
        Unusable.emplace_back(identity, *cached);
      return std::move(*cached);
    }
    auto file = LibraryFile::open(path.c_str());
    LibraryFacts facts;
    if (!file) {
      facts.Skipped = file.text();
    } else if ((*file).isLinkerScript()) {
      follow((*file).script(), path, place, depth);
      return facts;
    } else {
      facts = readFacts(*file);
      identity = (*file).identity();
    }
    ++Report.FilesRead;
    if (isLasting(facts.Skipped))
      Unusable.emplace_back(identity, facts);
    CacheIsOld |= facts.Skipped.empty() || isLasting(facts.Skipped);
    return facts;
  }

  void follow(const std::string &script, const std::string &path, uint32_t place, int depth) {
    if (depth == maxScriptDepth)
      return;
    for (const std::string &each : filesOfLinkerScript(script, path.substr(0, path.rfind('/')))) {
      struct stat status{};
      if (::stat(each.c_str(), &status) != 0)
        continue; // the linker would look further; so does this scan
      visit(each, place, depth + 1);
      auto found = Seen.find({status.st_dev, status.st_ino});
      if (found != Seen.end() && found->second != noLibrary)
        Index.Libraries[found->second].HasLink = true;
    }
  }

  void writeCache() const {
    std::vector<std::pair<FileIdentity, const LibraryFacts *>> facts;
    auto add = [&](const FileIdentity &identity, const LibraryFacts &each) {
      if (identity.Modified + settled < Now)
        facts.emplace_back(identity, &each);
    };
    for (const Library &each : Index.Libraries)
      add(each.Identity, each.Facts);
    for (const auto &[identity, each] : Unusable)
      add(identity, each);
    if (Cache)
      Cache->write(CachePath, facts);
  }

  static constexpr size_t noLibrary = ~size_t{0};

  LibraryIndex &Index;
  std::string CachePath;
  std::optional<LibraryCache> Cache;
  std::vector<Library> Before;
  std::unordered_map<std::pair<uint64_t, uint64_t>, size_t, FileKey> Known;
  std::unordered_map<std::pair<uint64_t, uint64_t>, size_t, FileKey> Seen;
  std::vector<std::pair<FileIdentity, LibraryFacts>> Unusable;
  int64_t Now = 0;
  bool IsNew = true;
  bool CacheIsOld = false;
};

ScanReport LibraryIndex::scan(const ScanRequest &request) {
  Places = libraryPlaces(request.Directories, request.System);
  Scan scan(*this, request);
  scan.run();
  if (!scan.isAsBefore())
    buildTable();
  addParts(scan.Report, request.Whole, scan.Added);
  return std::move(scan.Report);
}

void LibraryIndex::buildTable() {
  BySoname.clear();
  size_t total = 0;
  for (uint32_t i = 0; i < Libraries.size(); ++i) {
    const LibraryFacts &facts = Libraries[i].Facts;
    BySoname.emplace(facts.Soname.empty() ? baseName(Libraries[i].Path) : facts.Soname, i);
    if (total + facts.Hashes.size() > maxEntries)
      Libraries[i].Facts.Hashes.clear();
    total += Libraries[i].Facts.Hashes.size();
  }
  Shift = 32U - std::clamp<uint32_t>(static_cast<uint32_t>(std::bit_width(total)), 4, 26);
  Starts.assign((size_t{1} << (32U - Shift)) + 1, 0);
  for (const Library &each : Libraries)
    for (uint32_t hash : each.Facts.Hashes)
      ++Starts[(hash >> Shift) + 1];
  for (size_t i = 1; i < Starts.size(); ++i)
    Starts[i] += Starts[i - 1];
  Entries.resize(total);
  Entries.shrink_to_fit();
  // Each bucket's start serves as its fill mark, and ends as the start of the next.
  for (uint32_t i = 0; i < Libraries.size(); ++i)
    for (uint32_t hash : Libraries[i].Facts.Hashes)
      Entries[Starts[hash >> Shift]++] = {hash, i};
  for (size_t i = Starts.size() - 1; i != 0; --i)
    Starts[i] = Starts[i - 1];
  Starts[0] = 0;
}

void LibraryIndex::addParts(ScanReport &report, bool whole, const std::vector<size_t> &added) {
  std::vector<const std::vector<uint32_t> *> hashes;
  size_t names = 0;
  for (size_t each : added) {
    hashes.push_back(&Libraries[each].Facts.Hashes);
    names += hashes.back()->size();
  }
  report.Whole = whole || PartsSent == 0 || PartsSent == maxParts || names > NamesSent / 4;
  if (report.Whole) {
    hashes.clear();
    names = PartsSent = NamesSent = 0;
    for (const Library &each : Libraries) {
      hashes.push_back(&each.Facts.Hashes);
      names += each.Facts.Hashes.size();
    }
  } else if (names == 0) {
    return;
  }
  report.Parts.push_back(makeFilter(hashes));
  ++PartsSent;
  NamesSent += names;
}

// ------------------------------------------------------------------ questions

std::vector<Definition> LibraryIndex::find(std::string_view name, bool &stale) const {
  std::vector<Definition> found;
  uint32_t hash = crc32(name);
  if (Entries.empty() || isEverywhere(name))
    return found;
  for (uint32_t i = Starts[hash >> Shift]; i < Starts[(hash >> Shift) + 1]; ++i) {
    if (Entries[i].first != hash || found.size() == maxDefinitions)
      continue;
    const Library &library = Libraries[Entries[i].second];
    auto file = LibraryFile::open(library.Path.c_str());
    if (!file || (*file).identity() != library.Identity)
      stale = true;
    else if (auto symbol = (*file).lookUp(name))
      found.push_back({Entries[i].second, std::move(*symbol)});
  }
  // A name that two versions of one symbol share leads to a library twice.
  auto same = [](const Definition &a, const Definition &b) { return a.Library == b.Library; };
  found.erase(std::unique(found.begin(), found.end(), same), found.end());
  return found;
}

std::vector<std::string> LibraryIndex::closure(uint32_t library) const {
  std::vector<std::string> names;
  std::set<std::string_view> seen;
  std::vector<uint32_t> next{library};
  while (!next.empty() && names.size() < 512) {
    const Library &each = Libraries[next.back()];
    next.pop_back();
    for (const std::string &needed : each.Facts.Needed) {
      if (!seen.insert(needed).second)
        continue;
      names.push_back(needed);
      if (auto found = BySoname.find(needed); found != BySoname.end())
        next.push_back(found->second);
    }
  }
  return names;
}

void LibraryIndex::forEachName(
    const std::function<bool(std::string_view, const Library &)> &found) const {
  bool on = true;
  for (const Library &each : Libraries) {
    if (!on)
      return;
    if (auto file = LibraryFile::open(each.Path.c_str()))
      (void)(*file).forEach([&](std::string_view name) { on = on && found(name, each); });
  }
}

} // namespace farside
