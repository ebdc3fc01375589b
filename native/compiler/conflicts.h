// Tells when names of the precompiled header that the user has not included are in the way.
#pragma once

#include "pch_names.h"

#include "clang/AST/DeclGroup.h"
#include "clang/Lex/PPCallbacks.h"
#include "llvm/ADT/ArrayRef.h"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace clang {
class LangOptions;
class SourceManager;
} // namespace clang

namespace farside {

/// Follows what the cells include, define and declare.
///
/// With the names that the user's includes would have brought anyway there is no conflict, only
/// with the rest of the PCH. A conflict calls for a compiler without PCH; see docs/design.md, "The
/// precompiled standard library".
class ConflictWatch : public clang::PPCallbacks {
public:
  ConflictWatch(std::unique_ptr<PchNames> names, const clang::SourceManager &sources,
                const clang::LangOptions &language)
      : Names(std::move(names)), Sources(sources), Language(language) {}

  void InclusionDirective(clang::SourceLocation, const clang::Token &, llvm::StringRef, bool,
                          clang::CharSourceRange, clang::OptionalFileEntryRef file, llvm::StringRef,
                          llvm::StringRef, const clang::Module *, bool,
                          clang::SrcMgr::CharacteristicKind) override;
  void MacroDefined(const clang::Token &name, const clang::MacroDirective *) override;
  void MacroUndefined(const clang::Token &name, const clang::MacroDefinition &,
                      const clang::MacroDirective *) override;
  void Ifdef(clang::SourceLocation, const clang::Token &name,
             const clang::MacroDefinition &) override;
  void Ifndef(clang::SourceLocation, const clang::Token &name,
              const clang::MacroDefinition &) override;
  void Defined(const clang::Token &name, const clang::MacroDefinition &,
               clang::SourceRange) override;

  /// Looks at the names that a top-level declaration declares.
  void declared(clang::DeclGroupRef decls);

  /// For a cell that failed: looks at its words and at the files its diagnostics point into.
  void failed(llvm::StringRef code, llvm::ArrayRef<std::string> files);

  /// The conflicting names since the last call.
  std::vector<std::string> take();

private:
  void macro(const clang::Token &name);
  void usesStd();
  bool isUsers(clang::SourceLocation where) const;

  std::unique_ptr<PchNames> Names;
  const clang::SourceManager &Sources;
  const clang::LangOptions &Language;
  std::set<std::string> Found;
  bool UsesStd = false;
  std::set<std::string> Declared; // before `using namespace std`
};

} // namespace farside
