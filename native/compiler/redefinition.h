// Cells that define again what an earlier cell defined.
//
// Clang rejects such a cell and points at the earlier declaration; that is how it is found. The
// process that saw this is of no use any more. In another, with the state before the cell, the
// earlier declaration is hidden from name lookup, and the cell is compiled once more.
#pragma once

#include "cell_declarations.h"

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
class ClassTemplateDecl;
class DeclContext;
class FunctionDecl;
class LangOptions;
class NamedDecl;
class NamespaceDecl;
class RecordDecl;
class Sema;
class SourceManager;
class TagDecl;
class VarDecl;
class VarTemplateSpecializationDecl;
} // namespace clang

namespace farside {

/// Knows what every cell declares, hides what is to be defined again, and keeps the old and the new
/// apart.
///
/// A function that is defined again with the same type is the same function: its symbol stays, and
/// the linker sends callers of the old code to the new. What is local to it is new. Everything else
/// is another entity under the same name. Code that means the old one may be emitted yet, as with
/// templates that are first used later, so the new one gets symbols of its own: by an ABI tag, as
/// in `struct [[gnu::abi_tag("cell7")]] S`, or where names are not mangled by an assembler name.
class Redefinitions {
public:
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
  /// Takes note of an earlier declaration that Clang holds against the cell. Clang takes two places
  /// at one offset, in files without a name, for one file included twice, and does not say where
  /// the earlier declaration is; then `earlier` is invalid.
  void clash(unsigned error, clang::SourceLocation at, clang::SourceLocation earlier,
             const clang::SourceManager &sources);
  /// The same for what an earlier cell has had made of a template, where this one specialises it.
  void clashWithInstance(const clang::NamedDecl &made, clang::SourceLocation at);
  /// Takes note of the macros of earlier cells that stand where this one may declare a name. For a
  /// cell that has failed for no reason that is known.
  void clashWithMacros();

  /// Whether a cell may define again what an earlier one defined, by the look of its tokens.
  /// Neither answer is certain.
  bool mayDefineAgain(llvm::StringRef code, const clang::LangOptions &language) const;

  /// The declarations that were in the way of the cell, and can be hidden.
  std::vector<DeclarationId> clashes() const { return {Clashes.begin(), Clashes.end()}; }
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
  struct Hidden {
    const clang::DeclContext *context;
    clang::DeclarationName name;
    const clang::NamedDecl *decl;
  };

  void add(clang::NamedDecl &decl);
  void visitFields(const clang::RecordDecl &record, const clang::DeclContext &scope);
  void visit(clang::Decl &decl);
  void hide(clang::NamedDecl &decl);
  void forgetSpecial(clang::NamedDecl &decl);
  void show(clang::FunctionDecl &function);
  bool askFor(const clang::FunctionDecl &old, const clang::NamedDecl &decl);
  static void forgetArguments(clang::FunctionDecl &function);
  bool hasSymbolOfInline(const clang::NamedDecl &decl) const;
  void loseBody(clang::NamedDecl &decl);
  void endInline(clang::FunctionDecl &function);
  void letSpecialise(clang::NamedDecl &made);
  void hideMacro(const DeclarationId &id);
  void remove(clang::NamedDecl &decl);
  bool canChangeConstant(const clang::NamedDecl &decl) const;
  bool clashThroughUsing(const clang::NamedDecl *decl, llvm::StringRef name);
  void clashWithVariables(clang::SourceLocation at, clang::SourceLocation made);
  void clashWithInstantiation(clang::SourceLocation earlier);
  void clashOfCandidates(clang::SourceLocation call, clang::SourceLocation candidate);
  void forgetInstances(const clang::FunctionDecl &pattern);
  bool isHidden(const clang::TagDecl &tag) const;
  bool isForHidden(const clang::FunctionDecl &instance, bool deep) const;
  void rejectUndefined();
  void makeInstances();
  void reopen(clang::VarDecl &member);
  void keepApart(clang::NamedDecl &decl);
  bool isDefinedInlineLate(clang::FunctionDecl &function) const;
  void becomeSameOrNew(clang::NamedDecl &decl, const clang::NamedDecl *hidden);
  const clang::FunctionDecl *sameFunction(const clang::NamedDecl &decl,
                                          const clang::NamedDecl *hidden) const;
  bool hasSymbolOfHidden(const clang::NamedDecl &decl) const;
  std::optional<DeclarationId> find(clang::SourceLocation earlier,
                                    const clang::SourceManager &sources) const;
  std::optional<DeclarationId> earlierThan(const clang::NamedDecl &decl) const;
  std::optional<DeclarationId> findAlias(const clang::NamespaceDecl &space,
                                         llvm::StringRef name) const;
  std::optional<DeclarationId> findAtOffsetOf(clang::SourceLocation at,
                                              const clang::SourceManager &sources) const;

  clang::Sema *Names = nullptr;
  CellDeclarations Declared;
  std::vector<Hidden> HiddenNow;
  /// What this and earlier cells took from name lookup, by name.
  llvm::DenseMap<clang::DeclarationName, std::vector<const clang::NamedDecl *>> HiddenBefore;
  std::set<const clang::Decl *> Shown;            // functions that are found again, in this cell
  std::vector<clang::NamedDecl *> HiddenSpaces;   // namespaces whose names mean something else now
  std::vector<clang::ClassTemplateDecl *> Tagged; // see forgetSpecialisation
  std::set<const clang::Decl *> Respecialised;    // variable templates
  std::vector<clang::FunctionDecl *> Repeated;    // once, in each cell; see definedOnce
  std::set<DeclarationId> Clashes;
  clang::SourceLocation Call;                // that is ambiguous
  clang::SourceLocation Specialisation;      // of what has been made of its template
  std::vector<DeclarationId> Candidates;     // of this call
  std::vector<DeclarationId> ReplacedMacros; // in this cell
  std::vector<clang::FunctionDecl *> SameFunctions;
  std::set<const clang::FunctionDecl *> BecameInline;
  std::vector<const clang::FunctionDecl *> Specialised;
  std::vector<clang::FunctionDecl *> Instances; // that have lost their bodies
  std::set<const clang::FunctionDecl *> Kept;   // instances that have not
  std::set<const clang::TagDecl *> LocalTypes;  // that have symbols of their own
};

} // namespace farside
