#include "library_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace farside {

namespace {

// Larger than any library has; a file that claims more is damaged or means harm.
constexpr uint64_t maxSymbols = uint64_t{1} << 21;
constexpr uint64_t maxStrings = uint64_t{1} << 26;
constexpr uint64_t maxDynamic = uint64_t{1} << 16;
constexpr uint64_t maxScript = uint64_t{1} << 16;
constexpr size_t maxName = 1 << 16;
constexpr size_t maxNeeded = 512;
// What one look-up may cost. Chains are a few words long, and few symbols share a hash.
constexpr size_t maxChain = 1 << 16;
constexpr int maxMatches = 64;
constexpr uint16_t hiddenVersion = 0x8000;
constexpr uint8_t bindUnique = 10; // STB_GNU_UNIQUE
constexpr uint8_t typeIfunc = 10;  // STT_GNU_IFUNC

uint32_t gnuHash(std::string_view name) {
  uint32_t hash = 5381;
  for (char c : name)
    hash = hash * 33 + static_cast<unsigned char>(c);
  return hash;
}

uint32_t sysvHash(std::string_view name) {
  uint32_t hash = 0;
  for (char c : name) {
    hash = (hash << 4) + static_cast<unsigned char>(c);
    hash = (hash ^ ((hash >> 24) & 0xf0)) & 0x0fffffff;
  }
  return hash;
}

int64_t nanoseconds(const timespec &time) {
  // Wraps around for times that no clock shows, which is as good as any other mark.
  return static_cast<int64_t>(static_cast<uint64_t>(time.tv_sec) * 1'000'000'000U +
                              static_cast<uint64_t>(time.tv_nsec));
}

uint8_t kindOf(const Elf64_Sym &symbol) {
  uint8_t type = ELF64_ST_TYPE(symbol.st_info);
  uint8_t kind = 0;
  if (ELF64_ST_BIND(symbol.st_info) == STB_WEAK)
    kind |= SymbolWeak;
  if (type == typeIfunc)
    kind |= SymbolIfunc | SymbolFunction;
  if (type == STT_FUNC)
    kind |= SymbolFunction;
  if (type == STT_TLS)
    kind |= SymbolThreadLocal;
  return kind;
}

bool isText(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) {
    return c == '\n' || c == '\t' || c == '\r' || (c >= ' ' && c != '\x7f');
  });
}

} // namespace

FileIdentity identityOf(const struct stat &status) {
  return {status.st_dev, status.st_ino, static_cast<uint64_t>(status.st_size),
          nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

bool isExported(const Elf64_Sym &symbol) {
  uint8_t bind = ELF64_ST_BIND(symbol.st_info);
  uint8_t type = ELF64_ST_TYPE(symbol.st_info);
  uint8_t visibility = ELF64_ST_VISIBILITY(symbol.st_other);
  return symbol.st_shndx != SHN_UNDEF && symbol.st_shndx != SHN_ABS && // the names of versions
         (bind == STB_GLOBAL || bind == STB_WEAK || bind == bindUnique) &&
         (visibility == STV_DEFAULT || visibility == STV_PROTECTED) && type != STT_SECTION &&
         type != STT_FILE;
}

// ------------------------------------------------------------------ reading

bool LibraryFile::read(uint64_t offset, void *data, size_t size) const {
  if (offset > Identity.Size || size > Identity.Size - offset)
    return false;
  auto *bytes = static_cast<char *>(data);
  while (size != 0) {
    ssize_t got = ::pread(Fd.get(), bytes, size, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false; // it has become shorter, or the disk fails
    bytes += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
  return true;
}

Expected<LibraryFile> LibraryFile::open(const char *path) {
  LibraryFile file;
  if (Error error = file.openAny(path))
    return error;
  if (file.IsExecutable)
    return Error("an executable");
  return file;
}

std::string runPathOf(const char *path) {
  LibraryFile file;
  return file.openAny(path) ? "" : file.RunPath;
}

Error LibraryFile::openAny(const char *path) {
  struct stat status{};
  if (::stat(path, &status) != 0)
    return Error(std::strerror(errno));
  if (!S_ISREG(status.st_mode))
    return Error(S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
  // It may have become something else since: O_NONBLOCK waits for nobody.
  Fd = UniqueFd(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!Fd)
    return Error(std::strerror(errno));
  if (::fstat(Fd.get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 0)
    return Error("not a regular file");
  Identity = identityOf(status);
  return readHeaders();
}

Error LibraryFile::readHeaders() {
  Elf64_Ehdr header{};
  if (!read(0, &header, sizeof header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
    return readScript();
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64)
    return Error("for another architecture");
  if (header.e_type != ET_DYN)
    return Error("an ELF file, but no shared library");
  if (header.e_phentsize != sizeof(Elf64_Phdr))
    return Error("damaged: program headers of a wrong size");
  std::vector<Elf64_Phdr> programs(header.e_phnum); // 65535 at most
  if (!read(header.e_phoff, programs.data(), programs.size() * sizeof(Elf64_Phdr)))
    return Error("damaged: the program headers lie beyond its end");
  const Elf64_Phdr *dynamic = nullptr;
  for (const Elf64_Phdr &each : programs) {
    if (each.p_type == PT_LOAD && each.p_filesz != 0)
      Segments.push_back({each.p_vaddr, each.p_offset, each.p_filesz});
    else if (each.p_type == PT_DYNAMIC)
      dynamic = &each;
  }
  if (dynamic == nullptr)
    return Error("no dynamic section");
  return readDynamic(dynamic->p_offset, dynamic->p_filesz);
}

LibraryFile::Table LibraryFile::tableAt(uint64_t address) const {
  for (const Segment &each : Segments) {
    if (address < each.Address || address - each.Address >= each.Size)
      continue;
    uint64_t into = address - each.Address;
    uint64_t offset = each.Offset + into;
    if (offset < each.Offset || offset >= Identity.Size)
      return {};
    return {offset, std::min(each.Size - into, Identity.Size - offset)};
  }
  return {};
}

Error LibraryFile::readDynamic(uint64_t offset, uint64_t size) {
  if (size > maxDynamic)
    return Error("damaged: an absurd dynamic section");
  std::vector<Elf64_Dyn> entries(size / sizeof(Elf64_Dyn));
  if (!read(offset, entries.data(), entries.size() * sizeof(Elf64_Dyn)))
    return Error("damaged: the dynamic section lies beyond its end");
  uint64_t stringsSize = 0;
  uint64_t soname = 0;
  uint64_t runPath = 0;
  uint64_t rPath = 0;
  std::vector<uint64_t> needed;
  for (const Elf64_Dyn &each : entries) {
    if (each.d_tag == DT_NULL)
      break;
    switch (each.d_tag) {
    case DT_SYMTAB:
      Symbols = tableAt(each.d_un.d_ptr);
      break;
    case DT_STRTAB:
      Strings = tableAt(each.d_un.d_ptr);
      break;
    case DT_STRSZ:
      stringsSize = each.d_un.d_val;
      break;
    case DT_GNU_HASH:
      GnuHash = tableAt(each.d_un.d_ptr);
      break;
    case DT_HASH:
      SysvHash = tableAt(each.d_un.d_ptr);
      break;
    case DT_VERSYM:
      Versions = tableAt(each.d_un.d_ptr);
      break;
    case DT_VERDEF:
      VersionDefinitions = tableAt(each.d_un.d_ptr);
      break;
    case DT_SYMENT:
      if (each.d_un.d_val != sizeof(Elf64_Sym))
        return Error("damaged: symbols of a wrong size");
      break;
    case DT_SONAME:
      soname = each.d_un.d_val;
      break;
    case DT_RPATH:
      rPath = each.d_un.d_val;
      break;
    case DT_RUNPATH:
      runPath = each.d_un.d_val;
      break;
    case DT_NEEDED:
      if (needed.size() < maxNeeded)
        needed.push_back(each.d_un.d_val);
      break;
    case DT_FLAGS_1:
      IsExecutable = (each.d_un.d_val & DF_1_PIE) != 0;
      break;
    default:
      break;
    }
  }
  if (!Symbols || !Strings || !(GnuHash || SysvHash))
    return Error("damaged: no dynamic symbols within the file");
  if (stringsSize > Strings.Size)
    return Error("damaged: its names lie beyond its end");
  if (stringsSize > maxStrings)
    return Error("too large: more than 64 MB of names");
  Strings.Size = stringsSize;
  Soname = soname == 0 ? "" : stringAt(soname);
  if (runPath != 0 || rPath != 0)
    RunPath = stringAt(runPath != 0 ? runPath : rPath);
  for (uint64_t each : needed)
    Needed.push_back(stringAt(each));
  return {};
}

Error LibraryFile::readScript() {
  if (Identity.Size == 0)
    return Error("empty");
  if (Identity.Size > maxScript)
    return Error("not an ELF file");
  std::string text(Identity.Size, '\0');
  if (!read(0, text.data(), text.size()) || !isText(text) ||
      (text.find("GROUP") == std::string::npos && text.find("INPUT") == std::string::npos))
    return Error("neither an ELF file nor a linker script");
  Script = std::move(text);
  return {};
}

std::string LibraryFile::stringAt(uint64_t offset) const {
  char text[512];
  if (offset >= Strings.Size)
    return {};
  size_t size = static_cast<size_t>(std::min<uint64_t>(sizeof text, Strings.Size - offset));
  if (!read(Strings.Offset + offset, text, size))
    return {};
  return std::string(text, ::strnlen(text, size));
}

// ------------------------------------------------------------------ all symbols

bool LibraryFile::gnuHeader(GnuHeader &header) const {
  return GnuHash.Size >= sizeof header && read(GnuHash.Offset, &header, sizeof header) &&
         header.Buckets != 0 && header.Buckets <= maxSymbols && header.BloomWords != 0 &&
         header.BloomWords <= maxSymbols && (header.BloomWords & (header.BloomWords - 1)) == 0 &&
         header.FirstSymbol <= maxSymbols &&
         sizeof header + uint64_t{8} * header.BloomWords + uint64_t{4} * header.Buckets <=
             GnuHash.Size;
}

/// DT_GNU_HASH does not say how many symbols there are: the last bucket that is in use leads to the
/// last chain, and the lowest bit of its last word ends that.
std::optional<uint64_t> LibraryFile::countGnuSymbols() const {
  GnuHeader header{};
  if (!gnuHeader(header))
    return std::nullopt;
  std::vector<uint32_t> buckets(header.Buckets);
  uint64_t bucketsAt = sizeof header + uint64_t{8} * header.BloomWords;
  if (!read(GnuHash.Offset + bucketsAt, buckets.data(), buckets.size() * 4))
    return std::nullopt;
  uint64_t last = *std::max_element(buckets.begin(), buckets.end());
  if (last == 0)
    return header.FirstSymbol; // it defines nothing
  if (last < header.FirstSymbol || last > maxSymbols)
    return std::nullopt;
  uint64_t at = bucketsAt + uint64_t{4} * header.Buckets + (last - header.FirstSymbol) * 4;
  for (uint32_t chain[64];;) {
    if (at >= GnuHash.Size || GnuHash.Size - at < 4)
      return std::nullopt;
    size_t words = static_cast<size_t>(std::min<uint64_t>(64, (GnuHash.Size - at) / 4));
    if (!read(GnuHash.Offset + at, chain, words * 4))
      return std::nullopt;
    for (size_t i = 0; i < words; ++i, ++last)
      if ((chain[i] & 1) != 0)
        return last + 1;
    if (last > maxSymbols)
      return std::nullopt;
    at += words * 4;
  }
}

std::optional<uint64_t> LibraryFile::countSymbols() const {
  if (GnuHash)
    return countGnuSymbols();
  uint32_t header[2]; // buckets, chains; there is a chain word for each symbol
  if (SysvHash.Size < sizeof header || !read(SysvHash.Offset, header, sizeof header))
    return std::nullopt;
  return header[1];
}

Expected<bool> LibraryFile::forEach(const std::function<void(std::string_view)> &found) const {
  std::optional<uint64_t> count = countSymbols();
  if (!count || *count > maxSymbols || *count * sizeof(Elf64_Sym) > Symbols.Size)
    return Error("damaged: its hash table");
  std::vector<Elf64_Sym> symbols(*count);
  std::vector<char> strings(Strings.Size);
  std::vector<uint16_t> versions(Versions ? *count : 0);
  if (!read(Symbols.Offset, symbols.data(), symbols.size() * sizeof(Elf64_Sym)) ||
      !read(Strings.Offset, strings.data(), strings.size()))
    return Error("damaged: its symbols lie beyond its end");
  if (Versions && (versions.size() * 2 > Versions.Size ||
                   !read(Versions.Offset, versions.data(), versions.size() * 2)))
    return Error("damaged: its symbols' versions lie beyond its end");
  for (size_t i = 0; i < symbols.size(); ++i) {
    const Elf64_Sym &each = symbols[i];
    if (!isExported(each) || each.st_name >= strings.size() ||
        (Versions && ((versions[i] & hiddenVersion) != 0 || versions[i] == 0)))
      continue;
    const char *name = strings.data() + each.st_name;
    size_t size = ::strnlen(name, std::min(strings.size() - each.st_name, maxName));
    if (size != 0 && size < strings.size() - each.st_name && size < maxName)
      found({name, size});
  }
  return true;
}

// ------------------------------------------------------------------ one symbol

bool LibraryFile::nameIs(uint64_t offset, std::string_view name) const {
  char text[256];
  if (offset >= Strings.Size || name.size() >= Strings.Size - offset)
    return false;
  for (size_t done = 0; done <= name.size();) {
    size_t part = std::min(sizeof text, name.size() + 1 - done);
    if (!read(Strings.Offset + offset + done, text, part))
      return false;
    for (size_t i = 0; i < part; ++i, ++done)
      if (text[i] != (done < name.size() ? name[done] : '\0'))
        return false;
  }
  return true;
}

std::string LibraryFile::versionName(uint16_t index) const {
  // A list of offsets from one definition to the next; each leads to its first name.
  uint64_t at = 0;
  for (int i = 0; i < 4096 && VersionDefinitions; ++i) {
    Elf64_Verdef definition{};
    Elf64_Verdaux name{};
    if (at >= VersionDefinitions.Size || VersionDefinitions.Size - at < sizeof definition ||
        !read(VersionDefinitions.Offset + at, &definition, sizeof definition))
      return {};
    if ((definition.vd_ndx & ~hiddenVersion) == index) {
      uint64_t aux = at + definition.vd_aux;
      if (aux >= VersionDefinitions.Size || VersionDefinitions.Size - aux < sizeof name ||
          !read(VersionDefinitions.Offset + aux, &name, sizeof name))
        return {};
      return (definition.vd_flags & VER_FLG_BASE) != 0 ? "" : stringAt(name.vda_name);
    }
    if (definition.vd_next == 0)
      return {};
    at += definition.vd_next;
  }
  return {};
}

std::optional<LibrarySymbol> LibraryFile::symbolAt(uint64_t index, std::string_view name) const {
  Elf64_Sym symbol{};
  uint16_t version = 1;
  if (index >= Symbols.Size / sizeof symbol ||
      !read(Symbols.Offset + index * sizeof symbol, &symbol, sizeof symbol) ||
      !isExported(symbol) || !nameIs(symbol.st_name, name))
    return std::nullopt;
  if (Versions &&
      (index >= Versions.Size / 2 || !read(Versions.Offset + index * 2, &version, sizeof version) ||
       version == 0 || (version & hiddenVersion) != 0))
    return std::nullopt;
  return LibrarySymbol{kindOf(symbol), version < 2 ? "" : versionName(version)};
}

std::optional<LibrarySymbol> LibraryFile::lookUp(std::string_view name) const {
  return GnuHash ? lookUpGnu(name) : lookUpSysv(name);
}

std::optional<LibrarySymbol> LibraryFile::lookUpGnu(std::string_view name) const {
  GnuHeader header{};
  if (!gnuHeader(header))
    return std::nullopt;
  uint32_t hash = gnuHash(name);
  // The library's own Bloom filter: two bits of one word.
  uint64_t word = 0;
  uint64_t wordAt = sizeof header + uint64_t{8} * ((hash / 64) & (header.BloomWords - 1));
  uint64_t bits = uint64_t{1} << (hash % 64) |
                  uint64_t{1} << ((header.BloomShift < 32 ? hash >> header.BloomShift : 0) % 64);
  if (!read(GnuHash.Offset + wordAt, &word, sizeof word) || (word & bits) != bits)
    return std::nullopt;
  uint32_t index = 0;
  uint64_t bucketsAt = sizeof header + uint64_t{8} * header.BloomWords;
  if (!read(GnuHash.Offset + bucketsAt + uint64_t{4} * (hash % header.Buckets), &index,
            sizeof index) ||
      index < header.FirstSymbol || index > maxSymbols)
    return std::nullopt;
  uint64_t at =
      bucketsAt + uint64_t{4} * header.Buckets + (uint64_t{index} - header.FirstSymbol) * 4;
  int matches = 0;
  uint32_t chain[16];
  for (size_t walked = 0; walked < maxChain; walked += 16) {
    if (at >= GnuHash.Size || GnuHash.Size - at < 4)
      return std::nullopt;
    size_t words = static_cast<size_t>(std::min<uint64_t>(16, (GnuHash.Size - at) / 4));
    if (!read(GnuHash.Offset + at, chain, words * 4))
      return std::nullopt;
    for (size_t i = 0; i < words; ++i, ++index) {
      if (((chain[i] ^ hash) | 1) == 1) {
        if (auto found = symbolAt(index, name))
          return found;
        if (++matches == maxMatches)
          return std::nullopt;
      }
      if ((chain[i] & 1) != 0)
        return std::nullopt;
    }
    at += words * 4;
  }
  return std::nullopt;
}

std::optional<LibrarySymbol> LibraryFile::lookUpSysv(std::string_view name) const {
  uint32_t header[2]; // buckets, chains
  if (SysvHash.Size < sizeof header || !read(SysvHash.Offset, header, sizeof header) ||
      header[0] == 0)
    return std::nullopt;
  uint64_t words = SysvHash.Size / 4;
  uint64_t at = 2 + uint64_t{sysvHash(name) % header[0]};
  // A chain that is a circle ends when it has passed as many symbols as there are.
  for (uint64_t steps = 0; steps <= std::min<uint64_t>(header[1], maxChain); ++steps) {
    uint32_t index = 0;
    if (at >= words || !read(SysvHash.Offset + at * 4, &index, sizeof index) || index == STN_UNDEF)
      return std::nullopt;
    if (auto found = symbolAt(index, name))
      return found;
    at = 2 + uint64_t{header[0]} + index;
  }
  return std::nullopt;
}

} // namespace farside
