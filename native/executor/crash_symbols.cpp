#include "crash_symbols.h"

#include "instances.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <unistd.h>

namespace farside {

namespace {

/// The parts of a library's dynamic section that its symbols are found with.
struct DynamicSymbols {
  const ElfW(Sym) *Symbols = nullptr;
  const char *Names = nullptr;
  uint64_t NamesSize = 0;
  const uint32_t *GnuHash = nullptr;
  const uint32_t *Hash = nullptr;
};

DynamicSymbols dynamicSymbols(const link_map &library) {
  DynamicSymbols found;
  // The loader has made the pointers absolute, but for the kernel's own library.
  auto pointer = [&](uint64_t value) {
    return value < library.l_addr ? value + library.l_addr : value;
  };
  for (const ElfW(Dyn) *entry = library.l_ld; entry->d_tag != DT_NULL; ++entry) {
    uint64_t value = entry->d_un.d_ptr;
    if (entry->d_tag == DT_SYMTAB)
      found.Symbols = reinterpret_cast<const ElfW(Sym) *>(pointer(value));
    else if (entry->d_tag == DT_STRTAB)
      found.Names = reinterpret_cast<const char *>(pointer(value));
    else if (entry->d_tag == DT_STRSZ)
      found.NamesSize = entry->d_un.d_val;
    else if (entry->d_tag == DT_GNU_HASH)
      found.GnuHash = reinterpret_cast<const uint32_t *>(pointer(value));
    else if (entry->d_tag == DT_HASH)
      found.Hash = reinterpret_cast<const uint32_t *>(pointer(value));
  }
  return found;
}

/// The number of dynamic symbols: no header states it, only the hash tables imply it.
uint32_t symbolCount(const DynamicSymbols &dynamic) {
  if (dynamic.Hash != nullptr)
    return dynamic.Hash[1];
  if (dynamic.GnuHash == nullptr)
    return 0;
  uint32_t buckets = dynamic.GnuHash[0];
  uint32_t first = dynamic.GnuHash[1];
  const uint32_t *bucket = dynamic.GnuHash + 4 + dynamic.GnuHash[2] * 2;
  const uint32_t *chain = bucket + buckets;
  uint32_t last = 0;
  for (uint32_t i = 0; i < buckets; ++i)
    last = std::max(last, bucket[i]);
  if (last < first)
    return first;
  while ((chain[last - first] & 1) == 0)
    ++last;
  return last + 1;
}

/// The exported function at `offset`; of several names, one that a program would use.
const char *functionAt(const DynamicSymbols &dynamic, uint64_t offset) {
  const char *best = nullptr;
  if (dynamic.Symbols == nullptr || dynamic.Names == nullptr)
    return best;
  uint32_t count = symbolCount(dynamic);
  for (uint32_t i = 1; i < count; ++i) {
    const ElfW(Sym) &symbol = dynamic.Symbols[i];
    int type = ELF64_ST_TYPE(symbol.st_info);
    if (symbol.st_shndx == SHN_UNDEF || (type != STT_FUNC && type != STT_GNU_IFUNC) ||
        offset < symbol.st_value || offset - symbol.st_value >= symbol.st_size ||
        symbol.st_name >= dynamic.NamesSize)
      continue;
    const char *name = dynamic.Names + symbol.st_name;
    if (best == nullptr || (best[0] == '_' && name[0] != '_'))
      best = name;
  }
  return best;
}

// --- /proc/self/maps
// -------------------------------------------------------------------------------

/// Reads a file a byte at a time from a buffer of its own.
class Bytes {
public:
  explicit Bytes(int fd) : Fd(fd) {}
  int next() {
    if (At == Size) {
      ssize_t got = ::read(Fd, Buffer, sizeof Buffer);
      if (got <= 0)
        return -1;
      Size = static_cast<size_t>(got);
      At = 0;
    }
    return static_cast<unsigned char>(Buffer[At++]);
  }

private:
  int Fd;
  size_t At = 0;
  size_t Size = 0;
  char Buffer[2048];
};

uint64_t hexadecimal(Bytes &bytes) {
  uint64_t value = 0;
  for (int c = bytes.next(); c > ' ' && c != '-'; c = bytes.next())
    value = value << 4 | static_cast<uint64_t>(c <= '9' ? c - '0' : c - 'a' + 10);
  return value;
}

/// One line, its name cut to the array; false at the end.
bool readMapping(Bytes &bytes, uint64_t &start, uint64_t &end, uint32_t &prot, char (&name)[256]) {
  start = hexadecimal(bytes);
  end = hexadecimal(bytes);
  prot = 0;
  int c = bytes.next();
  for (; c > ' '; c = bytes.next())
    prot |= c == 'r' ? 1u : c == 'w' ? 2u : c == 'x' ? 4u : 0u;
  size_t size = 0;
  // Three more columns, then the name, which may hold spaces.
  bool gap = true;
  for (int column = 0; c >= 0 && c != '\n'; c = bytes.next()) {
    if (c != ' ' && gap)
      ++column;
    gap = c == ' ' && column < 4;
    if (column >= 4 && size < sizeof name - 1)
      name[size++] = static_cast<char>(c);
  }
  name[size] = 0;
  return c == '\n';
}

} // namespace

uint32_t addText(CrashRecord &record, const char *text, size_t limit) {
  uint32_t start = record.Header.TextSize;
  if (start == 0 || start + 2 > sizeof record.Text)
    return 0;
  size_t room = std::min(limit, sizeof record.Text - start - 1);
  size_t size = 0;
  for (; size < room && text[size] != 0; ++size)
    record.Text[start + size] = text[size];
  record.Text[start + size] = 0;
  record.Header.TextSize = start + static_cast<uint32_t>(size) + 1;
  return start;
}

void nameFrame(CrashRecord &record, size_t index) {
#if __GLIBC_PREREQ(2, 35)
  CrashFrame &frame = record.Frames[index];
  dl_find_object object{};
  if (::_dl_find_object(reinterpret_cast<void *>(frame.Pc), &object) != 0)
    return;
  const link_map *library = object.dlfo_link_map;
  const char *instance = library->l_name[0] == 0 ? instanceAt(frame.Pc) : nullptr;
  if (instance != nullptr) { // to the user it belongs to the library that has the template
    frame.Library = addText(record, "libstdc++", 512);
    frame.Symbol = addText(record, instance, 512);
    return;
  }
  frame.Offset = frame.Pc - library->l_addr;
  for (size_t i = 0; i < index && frame.Library == 0; ++i)
    if (record.Frames[i].Library != 0 &&
        record.Frames[i].Pc - record.Frames[i].Offset == library->l_addr)
      frame.Library = record.Frames[i].Library;
  if (frame.Library == 0)
    frame.Library =
        addText(record, library->l_name[0] == 0 ? "farside-executor" : library->l_name, 512);
  for (size_t i = 0; i < index; ++i)
    if (record.Frames[i].Pc == frame.Pc) {
      frame.Symbol = record.Frames[i].Symbol;
      return;
    }
  if (const char *name = functionAt(dynamicSymbols(*library), frame.Offset))
    frame.Symbol = addText(record, name, 512);
#endif
}

void findMapping(CrashRecord &record) {
  int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  CrashHeader &header = record.Header;
  Bytes bytes(fd);
  uint64_t start = 0;
  uint64_t end = 0;
  uint32_t prot = 0;
  char name[256];
  header.RangeProt = 0x80000000;
  while (readMapping(bytes, start, end, prot, name)) {
    if (header.Address >= end)
      continue;
    if (header.Address >= start) {
      header.RangeStart = start;
      header.RangeEnd = end;
      header.RangeProt = prot;
      header.RangeName = name[0] == 0 ? 0 : addText(record, name, sizeof name);
    }
    break;
  }
  ::close(fd);
}

} // namespace farside
