// Cells that define again what an earlier cell defined.
//
// Clang rejects such a cell and points at the earlier declaration; that is how it is found. The
// process that saw this is of no use any more. In another, with the state before the cell, the
// earlier declaration is hidden from name lookup, and the cell is compiled once more.
#pragma once

#include "clang/AST/DeclGroup.h"
#include "clang/AST/DeclarationName.h"
#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace clang {
class DeclContext;
class FunctionDecl;
class NamedDecl;
class Sema;
class SourceManager;
class TagDecl;
} // namespace clang

namespace farside {

/// A declaration of an earlier cell, in any compiler process that knows the cell: which of the
/// declarations in it, counted from 0.
struct DeclarationId {
  unsigned cell = 0;
  unsigned index = 0;
  /// Of a function, only its body is taken away: the new definition is of the same function.
  bool bodyOnly = false;

  friend auto operator<=>(const DeclarationId &, const DeclarationId &) = default;
};

/// Knows what every cell declares, hides what is to be defined again, and keeps the old and the new
/// apart.
///
/// A function that is defined again with the same type is the same function: its symbol stays, and
/// the linker sends callers of the old code to the new. Everything else is another entity under the
/// same name. Code that means the old one may be emitted yet, as with templates that are first used
/// later, so the new one gets symbols of its own: by an ABI tag, as in
/// `struct [[gnu::abi_tag("cell7")]] S`, or where names are not mangled by an assembler name.
class Redefinitions {
public:
  /// Hides earlier declarations before a cell is parsed.
  void begin(clang::Sema &sema, unsigned cell, llvm::ArrayRef<DeclarationId> hidden);
  /// Takes note of declarations before code is generated for them.
  void declare(clang::DeclGroupRef decls);
  /// The same for a type, which may be used before its declaration ends.
  void defineType(clang::TagDecl &tag);
  /// Takes note of an earlier declaration that Clang holds against the cell. Clang takes two places
  /// at one offset, in files without a name, for one file included twice, and does not say where
  /// the earlier declaration is; then `earlier` is invalid.
  void clash(unsigned error, clang::SourceLocation at, clang::SourceLocation earlier,
             const clang::SourceManager &sources);

  /// The declarations that were in the way of the cell, and can be hidden.
  std::vector<DeclarationId> clashes() const { return {Clashes.begin(), Clashes.end()}; }
  /// The functions that the cell defines again with the same type.
  llvm::ArrayRef<const clang::FunctionDecl *> sameFunctions() const { return SameFunctions; }

private:
  struct Hidden {
    const clang::DeclContext *context;
    clang::DeclarationName name;
    const clang::NamedDecl *decl;
  };

  void add(clang::NamedDecl &decl);
  void visit(clang::Decl &decl);
  void hide(clang::NamedDecl &decl);
  void keepApart(clang::NamedDecl &decl);
  void preferType(const clang::NamedDecl &decl);
  std::optional<DeclarationId> find(clang::SourceLocation earlier,
                                    const clang::SourceManager &sources) const;
  std::optional<DeclarationId> findAtOffsetOf(clang::SourceLocation at,
                                              const clang::SourceManager &sources) const;
  clang::NamedDecl &declaration(const DeclarationId &id) const {
    return *Declared[id.cell][id.index];
  }

  clang::Sema *Names = nullptr;
  unsigned Cell = 0;
  std::vector<std::vector<clang::NamedDecl *>> Declared; // by cell
  llvm::DenseMap<clang::SourceLocation, DeclarationId> ByPlace;
  std::vector<Hidden> HiddenNow;
  std::set<DeclarationId> Clashes;
  std::vector<const clang::FunctionDecl *> SameFunctions;
};

} // namespace farside
