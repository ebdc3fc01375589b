// Earlier declarations that are taken from name lookup, or from Clang's own memory, so that a cell
// can define them again.
//
// What is hidden lives on for what refers to it. Why it is in the way is not known here, nor what
// the cell declares in its place.
#pragma once

#include "cell_declarations.h"

#include "clang/AST/DeclarationName.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <set>
#include <vector>

namespace clang {
class ClassTemplateDecl;
class Decl;
class DeclContext;
class FunctionDecl;
class NamedDecl;
class Sema;
class SourceManager;
class TagDecl;
class VarDecl;
class VarTemplateSpecializationDecl;
} // namespace clang

namespace farside {

/// Whether a function is a member outside of its class, or a specialisation, which another
/// declaration brought into its scope: hiding it would not make it unknown.
bool isDeclaredElsewhere(const clang::FunctionDecl &function);
/// Whether all of a declaration can be hidden.
bool canBeHidden(const clang::NamedDecl &decl);

/// Hides, and remembers what it has hidden.
class Hiding {
public:
  using Predicate = llvm::function_ref<bool(const clang::NamedDecl &)>;

  explicit Hiding(const CellDeclarations &declared) : Declared(declared) {}

  /// Whether there are such declarations, each named once and of a kind with which `begin` can do
  /// what is asked for. The numbers come from the near side, which may have them from anywhere.
  /// What `cell` itself declares was in its own way; there is nothing to be hidden of it.
  bool canHide(const clang::SourceManager &sources, unsigned cell,
               llvm::ArrayRef<DeclarationId> hidden) const;
  /// Hides earlier declarations before a cell is parsed, for which `canHide` must be true.
  void begin(clang::Sema &sema, llvm::ArrayRef<DeclarationId> hidden);
  /// Makes name lookup forget a declaration.
  void remove(clang::NamedDecl &decl);
  /// Undefines a macro.
  void removeMacro(const DeclarationId &id);
  /// Has a specialisation of the present cell stand under the declaration of its template that was
  /// made for it; see forgetSpecialisation.
  void placeSpecialisation(clang::NamedDecl &decl) const;

  /// The first of what was hidden for this cell, under the name and in the scope of a declaration
  /// that is no overload of it, that is like that; null if there is none.
  const clang::NamedDecl *findNow(const clang::NamedDecl &decl, Predicate isLike) const;
  /// Of what this and earlier cells took from lookup, under the name and in the scope of a
  /// declaration, the last that is like that; null if there is none.
  const clang::NamedDecl *findBefore(const clang::NamedDecl &decl, Predicate isLike) const;
  /// Whether the entity, or a part of it, was hidden for this cell.
  bool isHiddenNow(const clang::NamedDecl &decl) const;

  /// Whether a function that an earlier cell hid is found again in this cell.
  bool isShown(const clang::FunctionDecl &function) const;
  /// Takes note that such a function is to be found again. False if that was known.
  bool noteShown(const clang::FunctionDecl &function);

  /// Whether an instance is of a template whose arguments name what was hidden, or, if `deep`, have
  /// members or bases of that.
  bool isForHidden(const clang::FunctionDecl &instance, bool deep) const;
  /// Whether a partial specialisation of the variable template was hidden.
  bool isRespecialised(const clang::VarTemplateSpecializationDecl &made) const;

  /// Instances that have lost their bodies in this cell, to be made once more of the new one of
  /// their template. Their symbols stay.
  llvm::ArrayRef<clang::FunctionDecl *> instances() const { return Instances; }
  /// Functions that have lost their bodies, which the cell is to define again.
  llvm::ArrayRef<const clang::FunctionDecl *> bodiless() const { return Bodiless; }
  /// Functions that were made of a template, and that this cell is to specialise.
  llvm::ArrayRef<clang::FunctionDecl *> specialised() const { return Specialised; }

private:
  /// As it was when it was hidden: `declareAnew` gives the old another name.
  struct Hidden {
    const clang::DeclContext *context;
    clang::DeclarationName name;
    const clang::NamedDecl *decl;
  };

  bool canHide(const clang::SourceManager &sources, const DeclarationId &id) const;
  void noteHidden(const clang::NamedDecl &decl);
  void loseBody(clang::NamedDecl &decl);
  void forgetInstances(const clang::FunctionDecl &pattern);
  void letSpecialise(clang::NamedDecl &made);
  void forgetSpecial(clang::NamedDecl &decl);
  void hide(clang::NamedDecl &decl);
  void reopen(clang::VarDecl &member);
  void showSpace(const clang::NamedDecl &hidden);
  void show(clang::FunctionDecl &function);
  bool isHidden(const clang::TagDecl &tag) const;

  clang::Sema *Names = nullptr;
  const CellDeclarations &Declared;
  /// What this and earlier cells took from name lookup, by name.
  llvm::DenseMap<clang::DeclarationName, std::vector<const clang::NamedDecl *>> Before;
  std::vector<clang::NamedDecl *> Spaces;         // namespaces whose names mean something else now
  std::set<const clang::Decl *> Respecialised;    // variable templates
  std::vector<Hidden> Now;                        // in this cell, as all that follows
  std::set<const clang::Decl *> Shown;            // functions that are found again
  std::vector<clang::ClassTemplateDecl *> Tagged; // see forgetSpecialisation
  std::vector<clang::FunctionDecl *> Specialised;
  std::vector<clang::FunctionDecl *> Instances;
  std::vector<const clang::FunctionDecl *> Bodiless; // that the cell is to define again
  std::set<const clang::FunctionDecl *> Kept;        // instances that do not lose their bodies
};

} // namespace farside
