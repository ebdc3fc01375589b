// Cells that define again what an earlier cell defined.
//
// Clang rejects such a cell and points at the earlier declaration; that is how it is found
// (clashes.h). The process that saw this is of no use any more. In another, with the state before
// the cell, the earlier declaration is hidden from name lookup (hiding.h), and the cell is compiled
// once more. Here what it declares is kept apart from the old.
#pragma once

#include "cell_declarations.h"
#include "clashes.h"
#include "hiding.h"

#include "clang/AST/DeclGroup.h"
#include "clang/Basic/SourceLocation.h"
#include "llvm/ADT/ArrayRef.h"

#include <set>
#include <vector>

namespace clang {
class Decl;
class DeclContext;
class FunctionDecl;
class NamedDecl;
class RecordDecl;
class Sema;
class TagDecl;
class VarDecl;
class VarTemplateSpecializationDecl;
} // namespace clang

namespace farside {

/// Takes note of what every cell declares, and keeps the old and the new apart.
///
/// A function that is defined again with the same type is the same function: its symbol stays, and
/// the linker sends callers of the old code to the new. What is local to it is new. Everything else
/// is another entity under the same name. Code that means the old one may be emitted yet, as with
/// templates that are first used later, so the new one gets symbols of its own: by an ABI tag, as
/// in `struct [[gnu::abi_tag("cell7")]] S`, or where names are not mangled by an assembler name.
class Redefinitions {
public:
  Redefinitions() = default;
  Redefinitions(const Redefinitions &) = delete;
  Redefinitions &operator=(const Redefinitions &) = delete;

  /// Whether `begin` can hide this; see Hiding.
  bool canHide(const clang::SourceManager &sources, unsigned cell,
               llvm::ArrayRef<DeclarationId> hidden) const {
    return Hidden.canHide(sources, cell, hidden);
  }
  /// Hides earlier declarations before a cell, in `file`, is parsed.
  void begin(clang::Sema &sema, unsigned cell, clang::FileID file,
             llvm::ArrayRef<DeclarationId> hidden);
  /// Takes note of declarations before code is generated for them.
  void declare(clang::DeclGroupRef decls);
  /// The same for a type, which may be used before its declaration ends.
  void defineType(clang::TagDecl &tag);
  /// The same for a type, a closure for one, that may be local to a function.
  void completeLocalType(clang::TagDecl &tag);
  /// Gives what is made of a variable template, whose partial specialisation a cell has defined
  /// again, symbols before they are asked for.
  void instantiate(clang::VarTemplateSpecializationDecl &made) const;
  /// Takes note of a variable that was made of a template, or of a function that is to be made when
  /// the template's is defined, of which Clang makes no declaration.
  void noteInstance(clang::VarDecl &variable);
  void noteInstance(clang::FunctionDecl &function);
  /// Makes the instances once more of the members of templates that the cell defines again, after
  /// it was parsed.
  void end();

  /// What is in the way of the cell.
  Clashes &clashes() { return InTheWay; }
  const Clashes &clashes() const { return InTheWay; }
  /// The functions that the cell defines again with the same type, and those that it defines inline
  /// after an earlier one has declared them otherwise.
  llvm::ArrayRef<clang::FunctionDecl *> sameFunctions() const { return SameFunctions; }
  /// Whether one of these is inline and takes the place of one that is not: code refers to that.
  bool becameInline(const clang::FunctionDecl &function) const {
    return BecameInline.contains(&function);
  }
  /// Functions that have one definition, in an earlier cell, though the code generator takes them
  /// for what it is to define in each cell that uses them, as they were once.
  std::vector<const clang::FunctionDecl *> definedOnce() const;

private:
  void visit(clang::Decl &decl);
  void visitFields(const clang::RecordDecl &record, const clang::DeclContext &scope);
  void add(clang::NamedDecl &decl);
  bool isDefinedInlineLate(clang::FunctionDecl &function) const;
  void keepApart(clang::NamedDecl &decl);
  bool hasSymbolOfHidden(const clang::NamedDecl &decl) const;
  void becomeSameOrNew(clang::NamedDecl &decl, const clang::NamedDecl *hidden);
  const clang::FunctionDecl *sameFunction(const clang::NamedDecl &decl,
                                          const clang::NamedDecl *hidden) const;
  bool askFor(const clang::FunctionDecl &old, const clang::NamedDecl &decl);
  bool hasSymbolOfInline(const clang::NamedDecl &decl) const;
  void endInline(clang::FunctionDecl &function);
  void rejectUndefined();
  void makeInstances();

  clang::Sema *Names = nullptr;
  CellDeclarations Declared;
  Hiding Hidden{Declared};
  Clashes InTheWay{Declared, Hidden};
  std::vector<clang::FunctionDecl *> Repeated; // once, in each cell; see definedOnce
  std::vector<clang::FunctionDecl *> SameFunctions;
  std::set<const clang::FunctionDecl *> BecameInline;
  std::set<const clang::TagDecl *> LocalTypes; // that have symbols of their own
};

} // namespace farside
