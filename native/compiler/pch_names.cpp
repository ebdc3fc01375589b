#include "pch_names.h"

#include "pch_inputs.h"

#include "clang/Basic/Version.h"
#include "clang/Lex/HeaderSearchOptions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/xxhash.h"

#include <algorithm>

namespace farside {

namespace {

std::unique_ptr<llvm::MemoryBuffer> read(const llvm::Twine &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, false, false);
  return buffer ? std::move(*buffer) : nullptr;
}

/// Numbers separated by spaces, each below `limit`.
template <class Numbers> bool parseNumbers(llvm::StringRef text, size_t limit, Numbers &numbers) {
  while (!text.empty()) {
    unsigned number = 0;
    if (text.consumeInteger(10, number) || number >= limit)
      return false;
    numbers.push_back(number);
    text.consume_front(" ");
  }
  return true;
}

} // namespace

uint64_t headerFingerprint(const clang::HeaderSearchOptions &options) {
  std::string all = clang::getClangFullVersion() + '\n';
  all += options.Sysroot + '\n' + options.ResourceDir + '\n';
  for (const auto &entry : options.UserEntries)
    all += std::to_string(static_cast<int>(entry.Group)) + entry.Path + '\n';
  return llvm::xxh3_64bits(llvm::StringRef(all));
}

/// The first line of the file for a PCH with these bytes.
static std::string pchStamp(llvm::StringRef pch, uint64_t fingerprint) {
  uint64_t sum = llvm::xxh3_64bits(llvm::ArrayRef(pch.bytes_begin(), pch.size()));
  return "farside-pch 2 " + std::to_string(pch.size()) + " " + std::to_string(sum) + " " +
         std::to_string(fingerprint);
}

std::unique_ptr<PchNames> PchNames::load(llvm::StringRef pch, uint64_t fingerprint) {
  std::unique_ptr<llvm::MemoryBuffer> names = read(pch + ".names");
  std::unique_ptr<llvm::MemoryBuffer> bytes = read(pch);
  if (!names || !bytes)
    return nullptr;
  auto [stamp, rest] = names->getBuffer().split('\n');
  if (stamp != pchStamp(bytes->getBuffer(), fingerprint))
    return nullptr;
  auto loaded = std::make_unique<PchNames>();
  return loaded->parse(rest) ? std::move(loaded) : nullptr;
}

bool PchNames::parse(llvm::StringRef text) {
  // Every header's line stands before the lines that refer to it by number.
  PchInputCheck inputs;
  while (!text.empty()) {
    auto [line, rest] = text.split('\n');
    text = rest;
    if (!(PchInputCheck::isRecord(line) ? inputs.holds(line) : parseLine(line)))
      return false;
  }
  Includes.resize(Index.size());
  Visible.resize(static_cast<unsigned>(Index.size()));
  return true;
}

bool PchNames::parseLine(llvm::StringRef line) {
  if (line.size() < 3 || line[1] != ' ')
    return false;
  char record = line[0];
  line = line.drop_front(2);
  if (record == 'H') {
    Index.try_emplace(line, static_cast<unsigned>(Index.size()));
    return true;
  }
  if (record == 'I') {
    Headers &included = Includes.emplace_back();
    return parseNumbers(line.drop_while([](char c) { return c == '-'; }), Index.size(), included);
  }
  auto [name, numbers] = line.split(' ');
  std::string key = record + name.str();
  return parseNumbers(numbers, Index.size(), Names[key]);
}

void PchNames::include(llvm::StringRef header) {
  auto found = Index.find(header);
  if (found == Index.end())
    return;
  std::vector<unsigned> pending{found->second};
  while (!pending.empty()) {
    unsigned number = pending.back();
    pending.pop_back();
    if (Visible.test(number))
      continue;
    Visible.set(number);
    pending.insert(pending.end(), Includes[number].begin(), Includes[number].end());
  }
}

bool PchNames::isForeign(Scope scope, llvm::StringRef name) const {
  llvm::SmallString<64> key;
  key += static_cast<char>(scope);
  key += name;
  auto found = Names.find(key);
  return found != Names.end() &&
         llvm::none_of(found->second, [&](unsigned header) { return Visible.test(header); });
}

bool PchNames::isForeignHeader(llvm::StringRef header) const {
  auto found = Index.find(header);
  return found != Index.end() && !Visible.test(found->second);
}

unsigned PchNamesWriter::indexOf(llvm::StringRef header) {
  auto [entry, fresh] = Index.try_emplace(header, static_cast<unsigned>(Headers.size()));
  if (fresh) {
    Headers.push_back(header.str());
    Includes.emplace_back();
  }
  return entry->second;
}

void PchNamesWriter::addInclude(llvm::StringRef includer, llvm::StringRef included) {
  unsigned to = indexOf(included);
  if (includer.empty())
    return;
  auto &list = Includes[indexOf(includer)];
  if (!llvm::is_contained(list, to))
    list.push_back(to);
}

void PchNamesWriter::addName(PchNames::Scope scope, llvm::StringRef name, llvm::StringRef header) {
  if (name.contains(' ') || name.contains('\n') || header.contains('\n'))
    return;
  unsigned number = indexOf(header);
  auto &list = Names[static_cast<char>(scope) + name.str()];
  if (!llvm::is_contained(list, number))
    list.push_back(number);
}

std::string PchNamesWriter::text(llvm::StringRef pch, uint64_t fingerprint,
                                 const PchInputs &inputs) const {
  std::string out = pchStamp(pch, fingerprint) + "\n" + inputs.text();
  for (const std::string &header : Headers)
    out += "H " + header + "\n";
  for (const auto &included : Includes) {
    out += "I ";
    if (included.empty())
      out += "-";
    for (unsigned number : included)
      out += std::to_string(number) + " ";
    out += "\n";
  }
  std::vector<std::string> lines;
  for (const auto &entry : Names) {
    std::string line = entry.getKey().substr(0, 1).str() + " " + entry.getKey().substr(1).str();
    for (unsigned number : entry.second)
      line += " " + std::to_string(number);
    lines.push_back(line + "\n");
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string &line : lines)
    out += line;
  return out;
}

} // namespace farside
