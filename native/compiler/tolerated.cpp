#include "tolerated.h"

#include "cell_declarations.h"
#include "redeclared.h"
#include "specialisations.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/AllDiagnostics.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Sema/Sema.h"

namespace farside {

using namespace clang;

namespace {

/// In C `int x;` and `int x = 5;` are one variable, and so they are within a cell. But an earlier
/// cell's has its value already.
void rejectSecondValue(Sema &sema, const CellDeclarations &declared, const VarDecl &variable) {
  if (sema.getLangOpts().CPlusPlus ||
      variable.isThisDeclarationADefinition() != VarDecl::Definition)
    return;
  for (const VarDecl *each : variable.redecls())
    if (declared.earlierAt(each->getLocation()) &&
        each->isThisDeclarationADefinition() != VarDecl::DeclarationOnly) {
      sema.Diag(variable.getLocation(), diag::err_redefinition) << &variable;
      sema.Diag(each->getLocation(), diag::note_previous_definition);
      return;
    }
}

/// What earlier cells have had made of a template for arguments that a partial specialisation is
/// for, Clang would leave as it is. A header's are for what nobody can have used before.
void rejectAfterUse(Sema &sema, const CellDeclarations &declared, NamedDecl &partial) {
  if (sema.getSourceManager().isInSystemHeader(partial.getLocation()))
    return;
  auto isMade = [&](const NamedDecl &made) { return isOvertaken(sema, made, partial); };
  for (const DeclarationId &made : declared.allEarlier(isMade))
    sema.Diag(partial.getLocation(), diag::err_specialization_after_instantiation)
        << &declared[made];
}

/// The unnamed namespace in a scope, whose names are known there as well; null where there is none.
const DeclContext *unnamedWithin(const DeclContext &scope) {
  if (const auto *space = dyn_cast<NamespaceDecl>(&scope))
    return space->getAnonymousNamespace();
  const auto *unit = dyn_cast<TranslationUnitDecl>(&scope);
  return unit ? unit->getAnonymousNamespace() : nullptr;
}

/// Where a name means several things, overloads for instance, Clang begins a namespace beside them.
void rejectBeside(Sema &sema, const CellDeclarations &declared, const NamespaceDecl &space) {
  if (space.getPreviousDecl() || space.isAnonymousNamespace())
    return;
  std::vector<NamedDecl *> others;
  const DeclContext *scope = space.getDeclContext()->getRedeclContext();
  for (const DeclContext *each : {scope, unnamedWithin(*scope)})
    if (each)
      for (NamedDecl *other : each->lookup(space.getDeclName()))
        if (declared.earlierAt(other->getLocation()) && !isa<BaseUsingDecl>(other))
          others.push_back(other);
  if (others.empty())
    return;
  sema.Diag(space.getLocation(), diag::err_redefinition_different_kind) << &space;
  for (const NamedDecl *other : others)
    sema.Diag(other->getLocation(), diag::note_previous_definition);
}

/// What a using declaration brought, or the declaration itself.
const NamedDecl &targetOf(const NamedDecl &decl) {
  const auto *shadow = dyn_cast<UsingShadowDecl>(&decl);
  return shadow ? *shadow->getTargetDecl() : decl;
}

/// Whether a name that stands for both means `other`, or neither, though `decl` is the newer.
bool isInTheWay(const NamedDecl &other, const NamedDecl &decl, bool sameScope) {
  if (!sameScope) // an unnamed namespace and the one that it is in
    return !other.getAsFunction() || !decl.getAsFunction() ||
           (isa<FunctionDecl>(other) && isa<FunctionDecl>(decl) && !areOverloads(other, decl));
  const NamedDecl &old = targetOf(other);
  const NamedDecl &now = targetOf(decl);
  if (isa<BaseUsingDecl>(other) || old.getCanonicalDecl() == now.getCanonicalDecl())
    return false;
  if (isa<NamespaceDecl, NamespaceAliasDecl>(old))
    return !isa<NamespaceDecl>(now);
  if (const auto *tag = dyn_cast<TagDecl>(&now);
      tag && isa<TagDecl>(decl) && !tag->isThisDeclarationADefinition())
    return false;
  if (isa<TagDecl>(now)) // Clang itself rejects more of what is declared there
    return &now != &decl ||
           isa<FunctionDecl, FunctionTemplateDecl, VarDecl, BindingDecl, EnumConstantDecl>(old);
  return isa<EnumConstantDecl>(decl) &&
         (&old != &other || isa<FunctionDecl, FunctionTemplateDecl>(old));
}

/// Whether a call could not tell two functions apart that using declarations bring.
bool areBroughtAlike(Sema &sema, const NamedDecl &other, const NamedDecl &decl) {
  if (!isa<UsingShadowDecl>(other) || !isa<UsingShadowDecl>(decl))
    return false;
  auto *old = const_cast<FunctionDecl *>(targetOf(other).getAsFunction());
  auto *now = const_cast<FunctionDecl *>(targetOf(decl).getAsFunction());
  return old && now && old->getCanonicalDecl() != now->getCanonicalDecl() &&
         !sema.IsOverload(now, old, /*UseMemberUsingDeclRules=*/false);
}

void appendOthers(Sema &sema, const CellDeclarations &declared, const DeclContext &scope,
                  const NamedDecl &decl, bool sameScope, std::vector<NamedDecl *> &others) {
  for (NamedDecl *other : scope.getRedeclContext()->lookup(decl.getDeclName()))
    if (isInTheWay(*other, decl, sameScope) || (sameScope && areBroughtAlike(sema, *other, decl)))
      if (declared.earlierAt(other->getLocation()))
        others.push_back(other);
}

} // namespace

void rejectTolerated(Sema &sema, const CellDeclarations &declared, NamedDecl &decl) {
  if (const auto *variable = dyn_cast<VarDecl>(&decl))
    rejectSecondValue(sema, declared, *variable);
  if (const auto *space = dyn_cast<NamespaceDecl>(&decl))
    rejectBeside(sema, declared, *space);
  if (isa<ClassTemplatePartialSpecializationDecl, VarTemplatePartialSpecializationDecl>(decl))
    rejectAfterUse(sema, declared, decl);
}

/// A class and a function may have one name, which then means the latter; other things may have one
/// name as long as nobody uses it.
std::vector<NamedDecl *> othersOfName(Sema &sema, const CellDeclarations &declared,
                                      const NamedDecl &decl) {
  std::vector<NamedDecl *> others;
  const DeclContext *scope = decl.getDeclContext()->getRedeclContext();
  if (!sema.getLangOpts().CPlusPlus || !scope->isFileContext())
    return others;
  if (!isa<BaseUsingDecl, UsingDirectiveDecl, ClassTemplateSpecializationDecl,
           VarTemplateSpecializationDecl>(decl))
    appendOthers(sema, declared, *scope, decl, true, others);
  const auto *space = dyn_cast<NamespaceDecl>(scope);
  if (space && space->isAnonymousNamespace())
    appendOthers(sema, declared, *space->getParent(), decl, false, others);
  if (const DeclContext *inner = unnamedWithin(*scope))
    appendOthers(sema, declared, *inner, decl, false, others);
  return others;
}

} // namespace farside
