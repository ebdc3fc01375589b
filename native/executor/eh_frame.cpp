#include "eh_frame.h"

#include <cinttypes>
#include <cstdio>
#include <optional>

namespace farside {

namespace {

// Pointer encodings, DW_EH_PE_*.
enum : uint8_t {
  absptr = 0x00,
  udata2 = 0x02,
  udata4 = 0x03,
  udata8 = 0x04,
  sdata2 = 0x0a,
  sdata4 = 0x0b,
  sdata8 = 0x0c,
  formatMask = 0x0f,
  pcrel = 0x10,
  applicationMask = 0x70,
  indirect = 0x80,
  omit = 0xff,
};

/// A cursor over one entry, which knows the address of each byte.
struct Cursor {
  Reader In;
  uint64_t address() const { return reinterpret_cast<uint64_t>(In.Next); }
};

template <typename T> std::optional<uint64_t> readAs(Cursor &at) {
  T value{};
  if (!decode(at.In, value))
    return std::nullopt;
  return static_cast<uint64_t>(static_cast<int64_t>(value));
}

/// Reads a value in the given format (the low four bits of an encoding), sign-extended.
std::optional<uint64_t> readFormat(Cursor &at, uint8_t encoding) {
  switch (encoding & formatMask) {
  case absptr:
  case udata8:
  case sdata8:
    return readAs<int64_t>(at);
  case udata2:
    return readAs<uint16_t>(at);
  case sdata2:
    return readAs<int16_t>(at);
  case udata4:
    return readAs<uint32_t>(at);
  case sdata4:
    return readAs<int32_t>(at);
  default:
    return std::nullopt;
  }
}

std::optional<uint64_t> readPointer(Cursor &at, uint8_t encoding) {
  uint64_t base = at.address();
  auto value = readFormat(at, encoding);
  if (!value || (encoding & indirect) != 0)
    return std::nullopt;
  switch (encoding & applicationMask) {
  case 0:
    return value;
  case pcrel:
    return *value + base;
  default:
    return std::nullopt;
  }
}

bool skipLeb128(Cursor &at) {
  uint8_t byte = 0x80;
  while ((byte & 0x80) != 0)
    if (!decode(at.In, byte))
      return false;
  return true;
}

bool readString(Cursor &at, std::string_view &text) {
  std::string_view rest(at.In.Next, at.In.left());
  size_t end = rest.find('\0');
  if (end == std::string_view::npos)
    return false;
  text = rest.substr(0, end);
  at.In.Next += end + 1;
  return true;
}

/// Returns the encoding of code addresses in the entries that refer to this common entry; `at`
/// stands behind its identifier.
std::optional<uint8_t> readCommonEntry(Cursor at) {
  uint8_t version = 0;
  std::string_view augmentation;
  if (!decode(at.In, version) || (version != 1 && version != 3) || !readString(at, augmentation))
    return std::nullopt;
  if (augmentation.empty())
    return absptr;
  uint8_t returnRegister = 0;
  bool good = augmentation.front() == 'z' && skipLeb128(at) && skipLeb128(at) &&
              (version == 1 ? decode(at.In, returnRegister) : skipLeb128(at)) && skipLeb128(at);
  uint8_t encoding = absptr;
  for (char letter : augmentation.substr(1)) {
    uint8_t byte = 0;
    if (!good)
      break;
    if (letter == 'R')
      good = decode(at.In, encoding);
    else if (letter == 'L')
      good = decode(at.In, byte);
    else if (letter == 'P')
      good = decode(at.In, byte) && readFormat(at, byte).has_value();
    else
      good = letter == 'S' || letter == 'B';
  }
  return good && encoding != omit ? std::optional(encoding) : std::nullopt;
}

/// Walks the entries of one section.
class SectionReader {
public:
  explicit SectionReader(AddrRange section) : Section(section), Next(section.Start) {}

  Expected<std::vector<FrameDescription>> read() {
    std::vector<FrameDescription> found;
    while (Section.End - Next >= sizeof(uint32_t)) {
      uint64_t start = Next;
      auto entry = takeEntry(start, Section.End);
      if (!entry)
        return malformed(start);
      if (entry->In.left() == 0)
        break; // the zero terminator
      Next = reinterpret_cast<uint64_t>(entry->In.End);
      uint64_t idAddress = entry->address();
      uint32_t id = 0;
      if (!decode(entry->In, id))
        return malformed(start);
      if (id == 0)
        continue; // a common entry; read when an entry refers to it
      auto encoding = encodingOf(idAddress - id);
      if (!encoding)
        return malformed(start);
      auto begin = readPointer(*entry, *encoding);
      auto length = readFormat(*entry, *encoding & formatMask);
      if (!begin || !length || *begin + *length < *begin)
        return malformed(start);
      if (*begin != 0 && *length != 0)
        found.push_back({*begin, *begin + *length, start});
    }
    return found;
  }

private:
  /// The bytes of the entry at `start`, without its length field.
  static std::optional<Cursor> takeEntry(uint64_t start, uint64_t end) {
    Reader in({reinterpret_cast<const char *>(start), end - start});
    uint32_t size = 0;
    if (!decode(in, size) || size > in.left()) // also refuses the 64-bit form, 0xffffffff
      return std::nullopt;
    return Cursor{Reader({in.Next, size})};
  }

  std::optional<uint8_t> encodingOf(uint64_t commonEntry) {
    if (commonEntry == LastCommonEntry)
      return LastEncoding;
    if (commonEntry < Section.Start || commonEntry >= Section.End)
      return std::nullopt;
    auto entry = takeEntry(commonEntry, Section.End);
    uint32_t id = 0;
    if (!entry || !decode(entry->In, id) || id != 0)
      return std::nullopt;
    LastEncoding = readCommonEntry(*entry);
    LastCommonEntry = commonEntry;
    return LastEncoding;
  }

  Error malformed(uint64_t entry) const {
    char text[120];
    std::snprintf(text, sizeof text, "malformed .eh_frame: entry at offset 0x%" PRIx64,
                  entry - Section.Start);
    return Error(text);
  }

  AddrRange Section;
  uint64_t Next;
  uint64_t LastCommonEntry = 0;
  std::optional<uint8_t> LastEncoding;
};

} // namespace

Expected<std::vector<FrameDescription>> readEhFrame(AddrRange section) {
  if (section.End < section.Start)
    return Error("malformed .eh_frame: the section ends before it starts");
  return SectionReader(section).read();
}

} // namespace farside
