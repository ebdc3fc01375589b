#include "hot_pages.h"

#include "wire.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ // Linux 5.14
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

namespace farside {

namespace {

/// Of Linux's Documentation/admin-guide/mm/pagemap.rst: an entry of 64 bits for each page.
constexpr uint64_t Present = uint64_t(1) << 63;
constexpr uint64_t OfFile = uint64_t(1) << 61;
constexpr uint64_t Exclusive = uint64_t(1) << 56;

constexpr size_t MaxWritten = 2048;
/// Of a mapping that can be written and is larger its end is looked at: 2 MB are read for so much.
/// The heap of a long session has some hundred megabytes, all of which cells write to.
constexpr uintptr_t MaxMapping = uintptr_t(1) << 30;
constexpr unsigned LeftOut = 8;
/// Linux maps as many bytes around a page that is missing (fault_around_bytes).
constexpr uintptr_t Around = uintptr_t(64) << 10;

struct Mapping {
  uintptr_t begin;
  uintptr_t end;
  bool writable;
};

/// The private mappings, from the text of /proc/self/maps.
std::vector<Mapping> privateMappings() {
  std::vector<Mapping> found;
  auto maps = llvm::MemoryBuffer::getFileAsStream("/proc/self/maps");
  if (!maps)
    return found;
  llvm::StringRef rest = (*maps)->getBuffer();
  while (!rest.empty()) {
    auto [line, next] = rest.split('\n');
    rest = next;
    Mapping each{};
    if (line.consumeInteger(16, each.begin) || !line.consume_front("-") ||
        line.consumeInteger(16, each.end) || !line.consume_front(" r") || line.size() < 3 ||
        line[2] != 'p')
      continue;
    each.writable = line[0] == 'w';
    if (each.writable && each.end - each.begin > MaxMapping)
      each.begin = each.end - MaxMapping;
    found.push_back(each);
  }
  return found;
}

} // namespace

/// Adds a range that does not begin before the last; what touches that makes it longer.
void HotPages::append(std::vector<Range> &ranges, Range range) {
  if (!ranges.empty() && ranges.back().end >= range.begin)
    ranges.back().end = std::max(ranges.back().end, range.end);
  else
    ranges.push_back(range);
}

void HotPages::note() {
  Written.clear();
  OfFiles.clear();
  // Before the first fork every page is this process's own.
  size_t written = Forks++ == 0 ? MaxWritten : 0;
  Descriptor pagemap(::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  if (!pagemap)
    return;
  const auto size = static_cast<uintptr_t>(::getpagesize());
  std::vector<uint64_t> entries;
  for (const Mapping &mapping : privateMappings()) {
    entries.resize((mapping.end - mapping.begin) / size);
    ssize_t got = ::pread(pagemap.get(), entries.data(), entries.size() * sizeof entries[0],
                          static_cast<off_t>(mapping.begin / size * sizeof entries[0]));
    size_t count = got > 0 ? static_cast<size_t>(got) / sizeof entries[0] : 0;
    for (size_t i = 0; i < count; ++i) {
      uintptr_t page = mapping.begin + i * size;
      uint64_t kind = entries[i] & (Present | OfFile);
      if (kind == (Present | OfFile)) {
        uintptr_t block = page / Around * Around;
        append(OfFiles, {std::max(block, mapping.begin), std::min(block + Around, mapping.end)});
      } else if (kind == Present && mapping.writable && (entries[i] & Exclusive) != 0 &&
                 (page / size + Forks) % LeftOut != 0 && written < MaxWritten) {
        append(Written, {page, page + size});
        ++written;
      }
    }
  }
}

/// Unlike a look at the page, this fails quietly where somebody has made the file shorter.
void HotPages::populate(const std::vector<Range> &ranges, int advice) {
  for (const Range &range : ranges) {
    void *begin = reinterpret_cast<void *>(range.begin); // NOLINT(performance-no-int-to-ptr)
    ::madvise(begin, range.end - range.begin, advice);
  }
}

void HotPages::makeOwn() const { populate(Written, MADV_POPULATE_WRITE); }

void HotPages::map() const { populate(OfFiles, MADV_POPULATE_READ); }

} // namespace farside
