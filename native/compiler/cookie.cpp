#include "cookie.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

#include <iterator>

namespace farside {

/// What stands before the index of a declaration, by DeclarationId::Part.
static constexpr llvm::StringLiteral PartNames[] = {"", "b", "m", "a", "d", "o", "i", "c", "k"};

std::string Cookie::encode() const {
  std::string text =
      std::string(plain ? "p" : "") + (given ? "g" : "") + std::to_string(numberedNames);
  for (const DeclarationId &id : hidden)
    text +=
        ' ' + std::to_string(id.cell) + '/' + PartNames[id.part].str() + std::to_string(id.index);
  for (const std::string &symbol : weakSymbols)
    (text += ' ') += symbol;
  return text;
}

bool Cookie::decode(llvm::StringRef text, Cookie &cookie) {
  llvm::SmallVector<llvm::StringRef> words;
  text.split(words, ' ');
  if (words.empty())
    return false;
  cookie.plain = words[0].consume_front("p");
  cookie.given = words[0].consume_front("g");
  if (words[0].getAsInteger(10, cookie.numberedNames))
    return false;
  cookie.weakSymbols.clear();
  cookie.hidden.clear();
  for (llvm::StringRef word : llvm::ArrayRef(words).drop_front()) {
    auto [cell, index] = word.split('/'); // which no symbol of C or C++ has
    if (index.empty()) {
      cookie.weakSymbols.push_back(word.str());
      continue;
    }
    DeclarationId id;
    for (unsigned part = DeclarationId::body; part < std::size(PartNames); ++part)
      if (index.consume_front(PartNames[part])) {
        id.part = static_cast<DeclarationId::Part>(part);
        break;
      }
    if (cell.getAsInteger(10, id.cell) || index.getAsInteger(10, id.index))
      return false;
    cookie.hidden.push_back(id);
  }
  return true;
}

} // namespace farside
