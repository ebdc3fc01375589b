// The names that a precompiled header brings, and the headers they come from.
#pragma once

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>
#include <string>
#include <vector>

namespace clang {
class HeaderSearchOptions;
}

namespace farside {

class PchInputs;
struct PchContent;

/// The file beside a PCH, named like it with `.names` appended.
///
/// Text, one record a line: what the PCH and the rest of this file are, with their checksums; the
/// records of PchInputs; the headers in order (`H`), then those that each includes (`I`); then
/// every name with the headers that declare it, sorted. A name is kept once for each scope: `N` the
/// global namespace, `S` namespace std, `M` macros, `T` macros that headers test. Names are looked
/// up in the text as it is, of which most sessions need few.
class PchNames {
public:
  enum Scope : char { global = 'N', standard = 'S', macro = 'M', tested = 'T' };

  /// Null where the file is missing or not what it should be; `pch` is the PCH's path.
  /// Null, too, where it was made for other header directories or from headers that have changed
  /// since: of both Clang does not take care, as the time of a system's header is not compared
  /// until a cell includes it.
  static std::unique_ptr<PchNames> load(llvm::StringRef pch, uint64_t fingerprint);

  /// Makes the names of `header`, and of all it includes, visible.
  void include(llvm::StringRef header);

  /// True for a name that the PCH brings from headers of which none has been included.
  bool isForeign(Scope scope, llvm::StringRef name) const;

  /// True for a header that the PCH holds and that has not been included.
  bool isForeignHeader(llvm::StringRef header) const;

private:
  using Headers = llvm::SmallVector<unsigned, 2>;

  bool parse(llvm::StringRef text);
  bool parseLine(llvm::StringRef line);

  std::unique_ptr<llvm::MemoryBuffer> Text;
  llvm::StringMap<unsigned> Index;
  std::vector<Headers> Includes;
  llvm::StringRef Names; // the last lines of Text; each begins with the scope's letter
  llvm::BitVector Visible;
};

/// Collects what PchNames holds, while the PCH is built.
class PchNamesWriter {
public:
  void addInclude(llvm::StringRef includer, llvm::StringRef included);
  void addName(PchNames::Scope scope, llvm::StringRef name, llvm::StringRef header);

  /// The text to be written beside a PCH with this content.
  std::string text(const PchContent &pch, uint64_t fingerprint, const PchInputs &inputs) const;

private:
  unsigned indexOf(llvm::StringRef header);

  llvm::StringMap<unsigned> Index;
  std::vector<std::string> Headers;
  std::vector<llvm::SmallVector<unsigned, 8>> Includes;
  llvm::StringMap<llvm::SmallVector<unsigned, 2>> Names;
};

/// Stands for Clang's version and the directories in which the options have headers looked for.
uint64_t headerFingerprint(const clang::HeaderSearchOptions &options);

} // namespace farside
