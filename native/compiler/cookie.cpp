#include "cookie.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"

namespace farside {

std::string Cookie::encode() const {
  std::string text = (plain ? "p" : "") + std::to_string(numberedNames);
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
  if (words[0].getAsInteger(10, cookie.numberedNames))
    return false;
  cookie.weakSymbols.clear();
  for (llvm::StringRef word : llvm::ArrayRef(words).drop_front())
    cookie.weakSymbols.push_back(word.str());
  return true;
}

} // namespace farside
