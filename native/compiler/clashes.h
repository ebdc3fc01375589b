// What is in the way of a cell: declarations and macros of earlier cells that it would define
// again.
//
// What Clang says of the cell is known here, and whether something can be hidden; not how.
#pragma once

#include "cell_declarations.h"

#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <set>
#include <vector>

namespace clang {
class LangOptions;
class NamedDecl;
class NamespaceDecl;
class Sema;
class SourceManager;
} // namespace clang

namespace farside {

class Hiding;

/// Collects what is in the way of a cell.
class Clashes {
public:
  Clashes(const CellDeclarations &declared, const Hiding &hidden)
      : Declared(declared), Hidden(hidden) {}

  /// Begins a cell, in whose way there is nothing yet.
  void begin(clang::Sema &sema);
  /// Takes note of an earlier declaration that Clang holds against the cell. Clang takes two places
  /// at one offset, in files without a name, for one file included twice, and does not say where
  /// the earlier declaration is; then `earlier` is invalid.
  void note(unsigned error, clang::SourceLocation at, clang::SourceLocation earlier,
            const clang::SourceManager &sources);
  /// The same for what an earlier cell has had made of a template, where this one specialises it.
  void noteInstance(const clang::NamedDecl &made, clang::SourceLocation at);
  /// Takes note of a macro that the cell's declaration of its name has replaced.
  void noteReplaced(const DeclarationId &macro) { ReplacedMacros.push_back(macro); }
  /// Takes note of the macros of earlier cells that stand where this one may declare a name. For a
  /// cell that has failed for no reason that is known.
  void noteMacros();
  /// Takes note of what something else than Clang has found.
  void add(const DeclarationId &id) { All.insert(id); }

  /// The declarations that were in the way of the cell, and can be hidden.
  std::vector<DeclarationId> all() const { return {All.begin(), All.end()}; }

  /// Whether a cell may define again what an earlier one defined, by the look of its tokens.
  /// Neither answer is certain.
  bool mayDefineAgain(llvm::StringRef code, const clang::LangOptions &language) const;

private:
  std::optional<DeclarationId> find(clang::SourceLocation earlier,
                                    const clang::SourceManager &sources) const;
  std::optional<DeclarationId> findAtOffsetOf(clang::SourceLocation at,
                                              const clang::SourceManager &sources) const;
  std::optional<DeclarationId> findAlias(const clang::NamespaceDecl &space,
                                         llvm::StringRef name) const;
  std::optional<DeclarationId> earlierThan(const clang::NamedDecl &decl) const;
  bool canChangeConstant(const clang::NamedDecl &decl) const;
  bool noteUsing(const clang::NamedDecl *decl, llvm::StringRef name);
  void noteVariables(clang::SourceLocation at, clang::SourceLocation made);
  void noteInstantiation(clang::SourceLocation earlier);
  void noteCandidate(clang::SourceLocation call, clang::SourceLocation candidate);

  clang::Sema *Names = nullptr;
  const CellDeclarations &Declared;
  const Hiding &Hidden;
  std::set<DeclarationId> All;
  clang::SourceLocation Call;                // that is ambiguous
  std::vector<DeclarationId> Candidates;     // of this call
  clang::SourceLocation Specialisation;      // of what has been made of its template
  std::vector<DeclarationId> ReplacedMacros; // in this cell
};

} // namespace farside
