#include "renaming.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/Mangle.h"

#include <string>

namespace farside {

using namespace clang;

namespace {

/// The declaration whose symbols are to be told from the old ones; null where there is none.
NamedDecl *symbolOwner(NamedDecl &decl) {
  if (auto *binding = dyn_cast<BindingDecl>(&decl))
    return binding->getDecomposedDecl();
  if (auto *pattern = dyn_cast<TemplateDecl>(&decl))
    return pattern->getTemplatedDecl();
  // An alias has no symbols, but a class without a name has those of the alias that names it.
  if (auto *alias = dyn_cast<TypedefNameDecl>(&decl))
    return alias->getAnonDeclWithTypedefName(/*AnyRedecl=*/true);
  return &decl;
}

/// In its mangled name nothing but the template and the arguments can have a tag.
void renameSpecialisation(VarTemplateSpecializationDecl &variable, unsigned cell) {
  if (variable.hasAttr<AsmLabelAttr>())
    return;
  ASTContext &ast = variable.getASTContext();
  std::string symbol = ASTNameGenerator(ast).getName(&variable);
  variable.addAttr(AsmLabelAttr::CreateImplicit(ast, symbol + ".cell" + std::to_string(cell)));
}

/// Takes away the label of an earlier declaration's symbol, which was not the programmer's.
void dropInherited(NamedDecl &decl) {
  if (const auto *label = decl.getAttr<AsmLabelAttr>();
      label && label->isImplicit() && label->isInherited())
    decl.dropAttr<AsmLabelAttr>();
}

void addTag(NamedDecl &decl, unsigned cell) {
  std::string tag = "cell" + std::to_string(cell);
  llvm::StringRef text(tag);
  decl.addAttr(AbiTagAttr::CreateImplicit(decl.getASTContext(), &text, 1));
}

void renameSymbols(NamedDecl &owner, unsigned cell) {
  if (owner.hasAttr<AbiTagAttr>() || owner.hasAttr<AsmLabelAttr>())
    return;
  ASTContext &ast = owner.getASTContext();
  const auto *function = dyn_cast<FunctionDecl>(&owner);
  const auto *variable = dyn_cast<VarDecl>(&owner);
  bool plain = !ast.getLangOpts().CPlusPlus || (function && function->isExternC()) ||
               (variable && variable->isExternC());
  if (!plain)
    addTag(owner, cell);
  else if (function || variable)
    owner.addAttr(AsmLabelAttr::CreateImplicit(ast, owner.getNameAsString() + ".cell" +
                                                        std::to_string(cell)));
}

/// By a label, which stands for the symbol itself and for nothing that is named after the function.
void setSymbol(FunctionDecl &function, const std::string &symbol) {
  dropInherited(function);
  if (!function.hasAttr<AsmLabelAttr>())
    function.addAttr(AsmLabelAttr::CreateImplicit(function.getASTContext(), symbol));
}

} // namespace

void giveOwnSymbols(NamedDecl &decl, unsigned cell) {
  if (auto *binding = dyn_cast<BindingDecl>(&decl); binding && binding->getHoldingVar())
    renameSymbols(*binding->getHoldingVar(), cell);
  if (auto *special = dyn_cast<VarTemplateSpecializationDecl>(&decl))
    renameSpecialisation(*special, cell);
  else if (NamedDecl *owner = symbolOwner(decl)) {
    dropInherited(*owner);
    renameSymbols(*owner, cell);
  }
}

void renameWithin(FunctionDecl &function, const FunctionDecl &old, unsigned cell) {
  ASTContext &ast = function.getASTContext();
  // A constructor has several symbols, and a template what its instances are named after.
  if (!ast.getLangOpts().CPlusPlus || function.isTemplated() || function.isMain() ||
      isa<CXXConstructorDecl, CXXDestructorDecl, CXXDeductionGuideDecl>(function))
    return;
  // Clang names what is local after the first declaration.
  FunctionDecl &first = *function.getCanonicalDecl();
  std::string ofOld = ASTNameGenerator(ast).getName(&old);
  std::string ofFirst = ASTNameGenerator(ast).getName(&first);
  if (ofOld.empty() || llvm::StringRef(ofOld).contains("$_")) // numbered by who asks
    return;
  setSymbol(function, ofOld);
  setSymbol(first, ofFirst);
  first.dropAttr<AbiTagAttr>();
  addTag(first, cell);
}

} // namespace farside
