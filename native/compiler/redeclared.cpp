#include "redeclared.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclContextInternals.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Sema/IdentifierResolver.h"
#include "clang/Sema/Scope.h"
#include "clang/Sema/Sema.h"

namespace farside {

using namespace clang;

SourceLocation placeOf(const NamedDecl &decl) {
  if (const auto *alias = dyn_cast<TypeAliasTemplateDecl>(&decl))
    return alias->getTemplatedDecl()->getLocation();
  return decl.getLocation();
}

NamedDecl &found(NamedDecl &decl) {
  if (TemplateDecl *described = decl.getDescribedTemplate())
    return *described;
  return decl;
}

bool isStaticMember(const NamedDecl &decl) {
  const auto *variable = dyn_cast<VarDecl>(&decl);
  return variable && variable->isStaticDataMember() && variable->isOutOfLine();
}

static void removeFrom(DeclContext &context, NamedDecl &decl) {
  if (StoredDeclsMap *map = context.getPrimaryContext()->getLookupPtr())
    if (auto entry = map->find(decl.getDeclName()); entry != map->end())
      if (llvm::is_contained(entry->second.getLookupResult(), &decl))
        entry->second.remove(&decl);
}

/// The contexts whose lookup finds what is declared in this one: that itself, and those around what
/// is transparent, as `extern "C"` and inline namespaces are.
static llvm::SmallVector<DeclContext *, 4> findingContexts(DeclContext &context) {
  llvm::SmallVector<DeclContext *, 4> all{&context};
  while (all.back()->isTransparentContext() || all.back()->isInlineNamespace())
    all.push_back(all.back()->getParent());
  return all;
}

const DeclContext &withoutUnnamed(const DeclContext &context) {
  const DeclContext *scope = context.getRedeclContext();
  const auto *space = dyn_cast<NamespaceDecl>(scope);
  return space && space->isAnonymousNamespace() ? *space->getParent()->getRedeclContext() : *scope;
}

void removeFromLookup(Sema &sema, NamedDecl &decl) {
  // There Clang looks whether what is extern "C" is the same wherever it is declared.
  removeFrom(*decl.getASTContext().getExternCContextDecl(), decl);
  for (DeclContext *context : findingContexts(*decl.getDeclContext()))
    removeFrom(*context, decl);
  if (sema.TUScope && sema.TUScope->isDeclScope(&decl)) {
    sema.IdResolver.RemoveDecl(&decl);
    sema.TUScope->RemoveDecl(&decl);
  }
}

std::vector<NamedDecl *> visible(Sema &sema, NamedDecl &decl) {
  std::vector<NamedDecl *> all;
  auto add = [&](NamedDecl *other) {
    if (other->getCanonicalDecl() == decl.getCanonicalDecl() && !llvm::is_contained(all, other))
      all.push_back(other);
  };
  auto addThoseIn = [&](const DeclContext &context) {
    if (StoredDeclsMap *map = context.getPrimaryContext()->getLookupPtr())
      if (auto entry = map->find(decl.getDeclName()); entry != map->end())
        for (NamedDecl *other : entry->second.getLookupResult())
          add(other);
  };
  for (const DeclContext *context : findingContexts(*decl.getDeclContext())) {
    context->lookup(decl.getDeclName()); // which makes the table, if nobody has asked so far
    addThoseIn(*context);
  }
  // There the first declaration of what is extern "C" stays.
  addThoseIn(*decl.getASTContext().getExternCContextDecl());
  for (auto i = sema.IdResolver.begin(decl.getDeclName()); i != sema.IdResolver.end(); ++i)
    add(*i);
  return all;
}

bool haveOneSymbol(const NamedDecl &before, const NamedDecl &now) {
  const FunctionDecl *old = before.getAsFunction();
  const FunctionDecl *function = now.getAsFunction();
  if (!old || !function)
    return false;
  auto ofTemplate = [](const FunctionDecl &each) {
    return each.getDescribedFunctionTemplate() || each.getPrimaryTemplate();
  };
  if (ofTemplate(*old) || ofTemplate(*function))
    return old->getCanonicalDecl() == function->getCanonicalDecl();
  return old->getFormalLinkage() == function->getFormalLinkage() &&
         old->isExternC() == function->isExternC() &&
         function->getASTContext().hasSameType(old->getType(), function->getType());
}

bool hasDeducedResult(const FunctionDecl &function) {
  return function.getDeclaredReturnType()->getContainedAutoType();
}

bool takesPlaceOf(const NamedDecl &now, const NamedDecl &before) {
  return !before.getAsFunction()->isInlined() || now.getAsFunction()->isInlined();
}

bool isAliasOfSameName(const NamedDecl &decl, const TagDecl &tag) {
  const auto *alias = dyn_cast<TypedefNameDecl>(&decl);
  if (!alias || !alias->getDeclContext()->getRedeclContext()->Equals(
                    tag.getDeclContext()->getRedeclContext()))
    return false;
  const TagDecl *named = alias->getUnderlyingType()->getAsTagDecl();
  return named && named->getCanonicalDecl() == tag.getCanonicalDecl();
}

bool areOverloads(const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionDecl>(&before);
  const auto *function = dyn_cast<FunctionDecl>(&now);
  const ASTContext &ast = now.getASTContext();
  if (!old || !function || !ast.getLangOpts().CPlusPlus ||
      (old->isExternC() && function->isExternC()))
    return false;
  if (old->getNumParams() != function->getNumParams())
    return true;
  for (unsigned i = 0; i < old->getNumParams(); ++i)
    if (!ast.hasSameUnqualifiedType(old->getParamDecl(i)->getType(),
                                    function->getParamDecl(i)->getType()))
      return true;
  return false;
}

bool isMemberOf(const NamedDecl &member, const NamedDecl &owner) {
  const TemplateDecl *described = owner.getDescribedTemplate();
  const Decl *entity = (described ? described : &owner)->getCanonicalDecl();
  auto is = [entity](const Decl *decl) { return decl && decl->getCanonicalDecl() == entity; };
  for (const DeclContext *context = member.getDeclContext(); context;
       context = context->getParent()) {
    const auto *record = dyn_cast<CXXRecordDecl>(context);
    if (!record)
      continue;
    const auto *special = dyn_cast<ClassTemplateSpecializationDecl>(record);
    if (is(record) || is(record->getDescribedClassTemplate()) ||
        (special && is(special->getSpecializedTemplate())))
      return true;
  }
  return false;
}

bool isMadeOf(QualType type, llvm::function_ref<bool(const TagDecl &)> isLike) {
  type = type.getNonReferenceType().getCanonicalType();
  if (type->isPointerType() || type->isArrayType())
    return isMadeOf(QualType(type->getPointeeOrArrayElementType(), 0), isLike);
  if (const auto *member = dyn_cast<MemberPointerType>(type))
    return isMadeOf(member->getPointeeType(), isLike) ||
           (member->getMostRecentCXXRecordDecl() && isLike(*member->getMostRecentCXXRecordDecl()));
  if (const auto *function = dyn_cast<FunctionProtoType>(type))
    return isMadeOf(function->getReturnType(), isLike) ||
           llvm::any_of(function->param_types(),
                        [&](QualType parameter) { return isMadeOf(parameter, isLike); });
  const TagDecl *tag = type->getAsTagDecl();
  if (!tag)
    return false;
  if (isLike(*tag))
    return true;
  const auto *special = dyn_cast<ClassTemplateSpecializationDecl>(tag);
  return special &&
         llvm::any_of(special->getTemplateArgs().asArray(), [&](const TemplateArgument &argument) {
           return argument.getKind() == TemplateArgument::Type &&
                  isMadeOf(argument.getAsType(), isLike);
         });
}

} // namespace farside
