// Code that Clang rejects at the top level, and that means something within a function.
//
// What a cell declares has namespace scope. So Clang says that a lambda captures what cannot be
// captured, where in `main` it would capture a local variable; and that a name is ambiguous, which
// both a cell and, by a using directive, the library declare, where a local variable would hide the
// library's. Each such error comes with the change of the text that gives it that meaning.
#pragma once

#include "clang/Basic/Diagnostic.h"
#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace clang {
class NamedDecl;
class Sema;
class ValueDecl;
} // namespace clang

namespace farside {

/// A change of a cell's text: `blanks` bytes from `offset` on are made blank, and `text` is put in
/// after them. So lines stay lines.
struct Amendment {
  unsigned offset = 0;
  unsigned blanks = 0;
  std::string text;
};

class Amendments {
public:
  /// To be called before a cell, in `file`, is parsed.
  void begin(clang::Sema &sema, clang::FileID file);

  /// Takes notice of an error, or of a note that belongs to the last error.
  void note(const clang::Diagnostic &said);

  /// Those of this cell, in the order of its text.
  std::vector<Amendment> all() const;

private:
  std::optional<unsigned> offsetOf(clang::SourceLocation place) const;
  void captureByName(const clang::Diagnostic &error);
  void capture(unsigned offset, const clang::ValueDecl &variable, llvm::StringRef scope);
  bool isInCaptures(unsigned offset) const;
  llvm::StringRef text() const;
  std::string nameAt(unsigned offset) const;
  void captureDefault(clang::SourceLocation place);
  void ambiguous(const clang::Diagnostic &error);
  void candidate(clang::SourceLocation place);

  clang::Sema *Names = nullptr;
  clang::FileID File;
  std::vector<Amendment> Found;
  /// Captures of names that are ambiguous, and other such names. Within a lambda they may come to
  /// mean what that captures, so these are of no use before the captures are right.
  std::vector<Amendment> Scoped;
  std::vector<Amendment> Uses;
  /// Of the ambiguous name that was told last: where it is, and what a cell declares under it.
  std::optional<unsigned> Ambiguous;
  std::vector<const clang::NamedDecl *> Own;
};

} // namespace farside
