#include "pch_names.h"

#include "pch_content.h"
#include "pch_inputs.h"

#include "clang/Basic/Version.h"
#include "clang/Lex/HeaderSearchOptions.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/xxhash.h"

#include <algorithm>

namespace farside {

namespace {

constexpr const char *Kind = "farside-pch 3 ";

/// Numbers separated by spaces, each below `limit`.
template <class Numbers> bool parseNumbers(llvm::StringRef text, size_t limit, Numbers &numbers) {
  while (!text.empty()) {
    typename Numbers::value_type number = 0;
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

std::unique_ptr<PchNames> PchNames::load(llvm::StringRef pch, uint64_t fingerprint) {
  auto loaded = std::make_unique<PchNames>();
  // Not mapped: it stays, and somebody may cut the file short.
  auto text = llvm::MemoryBuffer::getFileAsStream(pch + ".names");
  if (!text)
    return nullptr;
  loaded->Text = std::move(*text);
  auto [first, rest] = loaded->Text->getBuffer().split('\n');
  if (!first.consume_front(Kind))
    return nullptr;
  llvm::SmallVector<uint64_t, 4> stamp; // as `text` writes it
  if (!parseNumbers(first, UINT64_MAX, stamp) || stamp.size() != 4 || stamp[2] != fingerprint ||
      stamp[3] != llvm::xxh3_64bits(rest) || !isWhole(pch, {stamp[0], stamp[1]}))
    return nullptr;
  return loaded->parse(rest) ? std::move(loaded) : nullptr;
}

bool PchNames::parse(llvm::StringRef text) {
  // Every header's line stands before the lines that refer to it by number.
  PchInputCheck inputs;
  while (PchInputCheck::isRecord(text) || text.starts_with("H ") || text.starts_with("I ")) {
    auto [line, rest] = text.split('\n');
    text = rest;
    if (!(PchInputCheck::isRecord(line) ? inputs.holds(line) : parseLine(line)))
      return false;
  }
  Names = text;
  Includes.resize(Index.size());
  Visible.resize(static_cast<unsigned>(Index.size()));
  return true;
}

bool PchNames::parseLine(llvm::StringRef line) {
  bool isHeader = line.consume_front("H ");
  if (isHeader) {
    Index.try_emplace(line, static_cast<unsigned>(Index.size()));
    return true;
  }
  Headers &included = Includes.emplace_back();
  return line.consume_front("I ") && parseNumbers(line.ltrim('-'), Index.size(), included);
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
  key += ' ';
  key += name;
  key += ' ';
  // The lines before `from` are less, those from `to` on are not.
  size_t from = 0, to = Names.size();
  while (from < to) {
    size_t middle = Names.rfind('\n', from + (to - from) / 2); // of the line that is looked at
    middle = middle == llvm::StringRef::npos || middle < from ? from : middle + 1;
    if (Names.substr(middle).take_until([](char c) { return c == '\n'; }) < key)
      from = std::min(Names.find('\n', middle), Names.size() - 1) + 1;
    else
      to = middle;
  }
  llvm::StringRef line = Names.substr(from).split('\n').first;
  Headers headers;
  return line.consume_front(key) && parseNumbers(line, Index.size(), headers) &&
         llvm::none_of(headers, [&](unsigned header) { return Visible.test(header); });
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

std::string PchNamesWriter::text(const PchContent &pch, uint64_t fingerprint,
                                 const PchInputs &inputs) const {
  std::string out = inputs.text();
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
  std::string first = Kind;
  for (uint64_t number : {pch.size, pch.sum, fingerprint, llvm::xxh3_64bits(out)})
    first += std::to_string(number) + " ";
  return first + "\n" + out;
}

} // namespace farside
