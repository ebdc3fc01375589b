// What a replay must know about a cell that was compiled before.
#pragma once

#include "cell_declarations.h"

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>
#include <vector>

namespace farside {

/// Given to the near side with each object, and given back at a replay. A replay makes no objects,
/// so what only the object shows has to be told.
struct Cookie {
  /// A checksum of the symbols in which Clang numbered unnamed types (`$_3`). It counts over the
  /// whole session; a replay that comes to other numbers would name things differently.
  uint64_t numberedNames = 0;
  /// The weak symbols that the object defines, by their names. Optimisation decides which of the
  /// inline functions in a module survive to be defined.
  std::vector<std::string> weakSymbols;

  /// What was hidden so that the cell could define it again.
  std::vector<DeclarationId> hidden;
  /// Whether its value was compiled to be shown by its address alone.
  bool plain = false;
  /// Whether its value was compiled to be given to Python.
  bool given = false;

  std::string encode() const;
  /// False where `text` is no cookie. What is hidden need not exist; see Hiding::canHide.
  static bool decode(llvm::StringRef text, Cookie &cookie);
};

} // namespace farside
