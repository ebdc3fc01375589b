#include "member_types.h"

#include "redeclared.h"
#include "renaming.h"
#include "specialisations.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Sema/Sema.h"

namespace farside {

using namespace clang;

bool isDefinedOutside(const NamedDecl &decl) {
  const auto *tag = dyn_cast<TagDecl>(&decl);
  return tag && tag->isThisDeclarationADefinition() && tag->isOutOfLine() &&
         !tag->getDescribedTemplate() && !isa<ClassTemplateSpecializationDecl>(tag) &&
         isa<CXXRecordDecl, NamespaceDecl>(tag->getDeclContext()->getRedeclContext());
}

static TagDecl &makeLike(const TagDecl &old, DeclContext &scope) {
  ASTContext &ast = old.getASTContext();
  SourceLocation at = old.getLocation();
  TagDecl *made;
  if (const auto *enumeration = dyn_cast<EnumDecl>(&old)) {
    auto *other =
        EnumDecl::Create(ast, &scope, at, at, old.getIdentifier(), nullptr, enumeration->isScoped(),
                         enumeration->isScopedUsingClassTag(), enumeration->isFixed());
    if (TypeSourceInfo *written = enumeration->getIntegerTypeSourceInfo())
      other->setIntegerTypeSourceInfo(written);
    else
      other->setIntegerType(enumeration->getIntegerType());
    other->setPromotionType(enumeration->getPromotionType());
    made = other;
  } else {
    made = CXXRecordDecl::Create(ast, old.getTagKind(), &scope, at, at, old.getIdentifier());
  }
  made->setAccess(old.getAccess());
  made->setImplicit();
  return *made;
}

/// What was made of the member of a class template, in a class that was made of that.
static TagDecl *instanceIn(const DeclContext &special, const TagDecl &old) {
  for (NamedDecl *each : special.lookup(old.getDeclName()))
    if (auto *record = dyn_cast<CXXRecordDecl>(each)) {
      const CXXRecordDecl *from = record->getInstantiatedFromMemberClass();
      if (from && from->getCanonicalDecl() == old.getCanonicalDecl())
        return record;
    } else if (auto *enumeration = dyn_cast<EnumDecl>(each)) {
      const EnumDecl *from = enumeration->getInstantiatedFromMemberEnum();
      if (from && from->getCanonicalDecl() == old.getCanonicalDecl())
        return enumeration;
    }
  return nullptr;
}

static void setOrigin(TagDecl &instance, TagDecl &pattern) {
  if (auto *record = dyn_cast<CXXRecordDecl>(&instance))
    record->setInstantiationOfMemberClass(cast<CXXRecordDecl>(&pattern), TSK_ImplicitInstantiation);
  else
    cast<EnumDecl>(instance).setInstantiationOfMemberEnum(cast<EnumDecl>(&pattern),
                                                          TSK_ImplicitInstantiation);
}

void declareAnew(Sema &sema, TagDecl &old, unsigned cell) {
  DeclContext *scope = old.getDeclContext();
  TagDecl &made = makeLike(old, *scope);
  giveOwnSymbols(made, cell);
  scope->addDecl(&made);
  const auto *record = dyn_cast<CXXRecordDecl>(scope);
  if (!record || !record->isDependentContext())
    return;
  // What is made of the template from now on has a member of the old as well, as others refer to
  // it. It has no symbols itself.
  ASTContext &ast = sema.getASTContext();
  DeclarationName other(&ast.Idents.get((old.getName() + ".cell" + llvm::Twine(cell)).str()));
  for (CXXRecordDecl *special : madeOf(*record))
    if (TagDecl *before = instanceIn(*special, old)) {
      TagDecl &instance = makeLike(*before, *special);
      giveOwnSymbols(instance, cell);
      setOrigin(instance, made);
      removeFromLookup(sema, *before);
      special->addDecl(&instance);
    }
  for (TagDecl *each : old.redecls())
    each->setDeclName(other);
}

} // namespace farside
