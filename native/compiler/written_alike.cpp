#include "written_alike.h"

#include "redeclared.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/Basic/CharInfo.h"
#include "clang/Lex/Lexer.h"
#include "clang/Sema/Sema.h"

#include <string>

namespace farside {

using namespace clang;

namespace {

/// Whether a type exists for some arguments of a template and not for others, as that of
/// `enable_if_t<…>` does. Templates that differ in it are overloads.
bool mayNotExist(QualType type) {
  while (type->isPointerOrReferenceType())
    type = type->getPointeeType();
  return isa<DependentNameType, DecltypeType>(type.getCanonicalType());
}

/// Whether two function templates differ in nothing but their results.
bool differInResult(Sema &sema, const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionTemplateDecl>(&before);
  const auto *other = dyn_cast<FunctionTemplateDecl>(&now);
  if (!old || !other || old->getCanonicalDecl() == other->getCanonicalDecl())
    return false;
  const FunctionDecl &pattern = *old->getTemplatedDecl();
  const FunctionDecl &function = *other->getTemplatedDecl();
  return !pattern.getTrailingRequiresClause() && !function.getTrailingRequiresClause() &&
         !mayNotExist(pattern.getReturnType()) && !mayNotExist(function.getReturnType()) &&
         sema.TemplateParameterListsAreEqual(other->getTemplateParameters(),
                                             old->getTemplateParameters(), /*Complain=*/false,
                                             Sema::TPL_TemplateMatch);
}

/// The text of a function template up to its body, without white space.
std::string headOf(const Sema &sema, const FunctionTemplateDecl &decl) {
  const Stmt *body = decl.getTemplatedDecl()->getBody();
  SourceLocation end = body ? body->getBeginLoc() : decl.getEndLoc();
  std::string text = Lexer::getSourceText(CharSourceRange::getCharRange(decl.getBeginLoc(), end),
                                          sema.getSourceManager(), sema.getLangOpts())
                         .str();
  llvm::erase_if(text, [](char each) { return clang::isWhitespace(each); });
  return text;
}

/// Whether two function templates are two although their text is the same: what it refers to, such
/// as a concept, has been defined again since.
bool haveSameHead(const Sema &sema, const NamedDecl &before, const NamedDecl &now) {
  const auto *old = dyn_cast<FunctionTemplateDecl>(&before);
  const auto *other = dyn_cast<FunctionTemplateDecl>(&now);
  if (!old || !other || old->getCanonicalDecl() == other->getCanonicalDecl())
    return false;
  std::string head = headOf(sema, *old);
  return !head.empty() && head == headOf(sema, *other);
}

} // namespace

bool areWrittenAlike(Sema &sema, const NamedDecl &before, const NamedDecl &now) {
  const FunctionDecl *old = before.getAsFunction();
  const FunctionDecl *function = now.getAsFunction();
  if (!old || !function || old->isTemplated() != function->isTemplated() ||
      old->getNumParams() != function->getNumParams() ||
      !old->getDeclContext()->getRedeclContext()->Equals(
          function->getDeclContext()->getRedeclContext()))
    return false;
  if (haveSameHead(sema, before, now))
    return true;
  // Types of one name that are local to two functions are two.
  auto isLocal = [](const TagDecl &tag) { return tag.getParentFunctionOrMethod() != nullptr; };
  bool differ = false;
  for (unsigned i = 0; i < old->getNumParams(); ++i) {
    QualType one = old->getParamDecl(i)->getType().getCanonicalType();
    QualType other = function->getParamDecl(i)->getType().getCanonicalType();
    if (one.getAsString() != other.getAsString() || isMadeOf(one, isLocal))
      return false;
    differ |= one != other;
  }
  return differ || differInResult(sema, before, now);
}

} // namespace farside
