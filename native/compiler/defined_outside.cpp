#include "defined_outside.h"

#include "redeclared.h"
#include "renaming.h"
#include "specialisations.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Sema/Sema.h"

namespace farside {

using namespace clang;

/// The class template whose pattern or declaration this is.
static const ClassTemplateDecl *classTemplate(const NamedDecl &decl) {
  if (const auto *pattern = dyn_cast<CXXRecordDecl>(&decl))
    return pattern->getDescribedClassTemplate();
  return dyn_cast<ClassTemplateDecl>(&decl);
}

bool isDefinedOutside(const NamedDecl &decl) {
  if (!decl.isOutOfLine() || !canBeDeclaredAnew(decl))
    return false;
  if (const auto *variable = dyn_cast<VarDecl>(&decl))
    return variable->isThisDeclarationADefinition();
  if (const ClassTemplateDecl *pattern = classTemplate(decl))
    return pattern->isThisDeclarationADefinition();
  return cast<TagDecl>(decl).isThisDeclarationADefinition();
}

bool canBeDeclaredAnew(const NamedDecl &decl) {
  const DeclContext *scope = decl.getDeclContext()->getRedeclContext();
  if (isa<VarDecl>(decl))
    return scope->isFileContext() && !isa<VarTemplateSpecializationDecl>(decl);
  return isa<TagDecl, ClassTemplateDecl>(decl) && !isa<ClassTemplateSpecializationDecl>(decl) &&
         (scope->isFileContext() || scope->isRecord());
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

static ClassTemplateDecl &makeLike(const ClassTemplateDecl &old, DeclContext &scope) {
  ASTContext &ast = old.getASTContext();
  auto &pattern = cast<CXXRecordDecl>(makeLike(*old.getTemplatedDecl(), scope));
  // Of a member the declaration within the class: what is made of the class has parameters like it.
  auto *made = ClassTemplateDecl::Create(ast, &scope, old.getLocation(), old.getDeclName(),
                                         old.getCanonicalDecl()->getTemplateParameters(), &pattern);
  pattern.setDescribedClassTemplate(made);
  made->setAccess(old.getAccess());
  made->setImplicit();
  return *made;
}

/// An `extern` declaration. What the definition alone has, such as a length of an array, may be
/// other than it was.
static VarDecl &makeLike(const VarDecl &old, DeclContext &scope) {
  ASTContext &ast = old.getASTContext();
  const VarDecl &first = *old.getFirstDecl();
  SourceLocation at = old.getLocation();
  auto *made = VarDecl::Create(ast, &scope, at, at, old.getIdentifier(), first.getType(),
                               first.getTypeSourceInfo(), SC_Extern);
  made->setTSCSpec(first.getTSCSpec());
  for (const Attr *attribute : first.attrs())
    if (isa<InheritableAttr>(attribute) && !attribute->isImplicit())
      made->addAttr(attribute->clone(ast));
  made->setImplicit();
  return *made;
}

/// The member of a template that a member of a class was made of; null where there is none.
static NamedDecl *patternOf(const NamedDecl &decl) {
  if (const auto *record = dyn_cast<CXXRecordDecl>(&decl))
    return record->getInstantiatedFromMemberClass();
  if (const auto *enumeration = dyn_cast<EnumDecl>(&decl))
    return enumeration->getInstantiatedFromMemberEnum();
  const auto *pattern = dyn_cast<ClassTemplateDecl>(&decl);
  return pattern ? pattern->getInstantiatedFromMemberTemplate() : nullptr;
}

/// What was made of the member of a class template, in a class that was made of that.
static NamedDecl *instanceIn(const DeclContext &special, const NamedDecl &old) {
  for (NamedDecl *each : special.lookup(old.getDeclName()))
    if (const NamedDecl *from = patternOf(*each);
        from && from->getCanonicalDecl() == old.getCanonicalDecl())
      return each;
  return nullptr;
}

/// Makes a member that is like `before`, of a class that was made of a template, an instance of the
/// template's new member.
static NamedDecl &makeInstance(const NamedDecl &before, NamedDecl &pattern, DeclContext &special) {
  if (const auto *old = dyn_cast<ClassTemplateDecl>(&before)) {
    ClassTemplateDecl &made = makeLike(*old, special);
    made.setInstantiatedFromMemberTemplate(cast<ClassTemplateDecl>(&pattern));
    return made;
  }
  TagDecl &made = makeLike(cast<TagDecl>(before), special);
  if (auto *record = dyn_cast<CXXRecordDecl>(&made))
    record->setInstantiationOfMemberClass(cast<CXXRecordDecl>(&pattern), TSK_ImplicitInstantiation);
  else
    cast<EnumDecl>(made).setInstantiationOfMemberEnum(cast<EnumDecl>(&pattern),
                                                      TSK_ImplicitInstantiation);
  return made;
}

static NamedDecl &makeLike(const NamedDecl &old, DeclContext &scope) {
  if (const auto *variable = dyn_cast<VarDecl>(&old))
    return makeLike(*variable, scope);
  if (const auto *pattern = dyn_cast<ClassTemplateDecl>(&old))
    return makeLike(*pattern, scope);
  return makeLike(cast<TagDecl>(old), scope);
}

/// Gives a declaration another name. That of a template is in its pattern as well.
static void rename(NamedDecl &decl, DeclarationName name) {
  decl.setDeclName(name);
  if (auto *pattern = dyn_cast<ClassTemplateDecl>(&decl))
    pattern->getTemplatedDecl()->setDeclName(name);
}

void declareAnew(Sema &sema, NamedDecl &old, unsigned cell) {
  // Of a variable the first declaration says whether it is `extern "C"`.
  DeclContext *scope =
      isa<VarDecl>(old) ? old.getCanonicalDecl()->getDeclContext() : old.getDeclContext();
  NamedDecl *pattern = patternOf(old);
  NamedDecl &made = pattern ? makeInstance(old, *pattern, *scope) : makeLike(old, *scope);
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
    if (NamedDecl *before = instanceIn(*special, old)) {
      NamedDecl &instance = makeInstance(*before, made, *special);
      giveOwnSymbols(instance, cell);
      removeFromLookup(sema, *before);
      special->addDecl(&instance);
    }
  for (Decl *each : old.redecls())
    rename(cast<NamedDecl>(*each), other);
}

} // namespace farside
