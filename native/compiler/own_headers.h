// Headers of farside's own, which no macro of the user's may reach.
#pragma once

#include "clang/Basic/SourceLocation.h"
#include "clang/Lex/PPCallbacks.h"

#include <utility>
#include <vector>

namespace clang {
class IdentifierInfo;
class MacroInfo;
class Preprocessor;
} // namespace clang

namespace farside {

/// Takes the user's macros away for as long as it lives. What the language reserves for the
/// implementation stays, and NDEBUG, which the standard has control `assert` wherever it is read.
class HiddenMacros {
public:
  explicit HiddenMacros(clang::Preprocessor &preprocessor);
  HiddenMacros(const HiddenMacros &) = delete;
  HiddenMacros &operator=(const HiddenMacros &) = delete;
  ~HiddenMacros();

private:
  clang::Preprocessor &Source;
  std::vector<std::pair<clang::IdentifierInfo *, clang::MacroInfo *>> Hidden;
};

/// Hides the user's macros from farside's headers: a cell may have said `#define N 1000` long
/// before the first call from Python has one of them read.
void protectOwnHeaders(clang::Preprocessor &preprocessor);

} // namespace farside
