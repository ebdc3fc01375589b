#include "renaming.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/Mangle.h"

#include <algorithm>
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

/// For a variable in whose mangled name it can have no tag itself: of what is made of a template
/// the template and the arguments can, of a union without a name nothing.
void giveLabel(VarDecl &variable, unsigned cell) {
  if (variable.hasAttr<AsmLabelAttr>() || isa<VarTemplatePartialSpecializationDecl>(variable))
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

/// Gives a static variable of a function's body its own symbol. In C Clang names it after the
/// function, and the second of that name in one body after the first.
void renameStatic(VarDecl &variable, const FunctionDecl &function, unsigned cell, unsigned serial) {
  ASTContext &ast = variable.getASTContext();
  if (ast.getLangOpts().CPlusPlus)
    return renameSymbols(variable, cell);
  if (!variable.hasAttr<AsmLabelAttr>())
    variable.addAttr(AsmLabelAttr::CreateImplicit(
        ast, function.getNameAsString() + "." + variable.getNameAsString() + ".cell" +
                 std::to_string(cell) + "." + std::to_string(serial)));
}

/// Has a type without a name be named in symbols as if by a `typedef`, for else a tag of it is not
/// seen there. A `typedef` of the program's may name it yet.
void nameForLinkage(TagDecl &tag, const FunctionDecl &function) {
  ASTContext &ast = tag.getASTContext();
  auto serial = llvm::count_if(function.decls(), llvm::IsaPred<TagDecl>);
  tag.setTypedefNameForAnonDecl(
      TypedefDecl::Create(ast, tag.getDeclContext(), tag.getLocation(), tag.getLocation(),
                          &ast.Idents.get("unnamed" + std::to_string(serial)),
                          ast.getTrivialTypeSourceInfo(ast.getCanonicalTagType(&tag))));
}

/// The highest number that a closure has in the symbols of these bodies.
unsigned highestNumber(const FunctionDecl &function) {
  unsigned highest = 0;
  for (const FunctionDecl *each : function.redecls())
    for (const Decl *decl : each->decls())
      if (const auto *record = dyn_cast<CXXRecordDecl>(decl); record && record->isLambda())
        highest = std::max(highest, record->getLambdaManglingNumber());
  return highest;
}

/// By a label, which stands for the symbol itself and for nothing that is named after the function.
void setSymbol(FunctionDecl &function, const std::string &symbol) {
  dropInherited(function);
  if (!function.hasAttr<AsmLabelAttr>())
    function.addAttr(AsmLabelAttr::CreateImplicit(function.getASTContext(), symbol));
}

void renameStatics(FunctionDecl &function, unsigned cell) {
  unsigned serial = 0;
  for (Decl *decl : function.decls())
    if (auto *variable = dyn_cast<VarDecl>(decl); variable && variable->isStaticLocal())
      renameStatic(*variable, function, cell, serial++);
}

} // namespace

void giveOwnSymbols(NamedDecl &decl, unsigned cell) {
  if (auto *binding = dyn_cast<BindingDecl>(&decl); binding && binding->getHoldingVar())
    renameSymbols(*binding->getHoldingVar(), cell);
  if (auto *special = dyn_cast<VarTemplateSpecializationDecl>(&decl))
    giveLabel(*special, cell);
  else if (auto *field = dyn_cast<IndirectFieldDecl>(&decl); field && field->getVarDecl())
    giveLabel(*field->getVarDecl(), cell);
  else if (NamedDecl *owner = symbolOwner(decl)) {
    dropInherited(*owner);
    renameSymbols(*owner, cell);
  }
}

void giveMemberNewSymbol(VarDecl &member, unsigned cell) {
  ASTContext &ast = member.getASTContext();
  for (VarDecl *each : member.redecls())
    each->dropAttr<AsmLabelAttr>();
  std::string symbol = ASTNameGenerator(ast).getName(&member) + ".cell" + std::to_string(cell);
  for (VarDecl *each : member.redecls())
    each->addAttr(AsmLabelAttr::CreateImplicit(ast, symbol));
}

void giveInstanceNewSymbols(VarDecl &instance, unsigned cell) {
  for (VarDecl *each : instance.redecls()) {
    each->dropAttr<AbiTagAttr>();
    addTag(*each, cell);
  }
}

void takeSymbolOf(FunctionDecl &function, const FunctionDecl &old) {
  if (old.getCanonicalDecl() == function.getCanonicalDecl() || function.isTemplated() ||
      isa<CXXDeductionGuideDecl>(function))
    return;
  // What has no name may have a number in the symbol that the code generator alone knows. That must
  // not be asked about another function of that symbol: it would take the two for one defined
  // twice.
  std::string symbol = ASTNameGenerator(old.getASTContext()).getName(&old);
  if (!llvm::StringRef(symbol).contains("$_"))
    setSymbol(function, symbol);
}

void renameWithin(FunctionDecl &function, const FunctionDecl &old, unsigned cell) {
  // What is named after a template are its instances.
  if (function.isTemplated() || isa<CXXDeductionGuideDecl>(function))
    return;
  takeSymbolOf(function, old);
  renameStatics(function, cell);
}

void renameLocalType(TagDecl &tag, const FunctionDecl &function, const FunctionDecl &old,
                     unsigned cell) {
  if (function.isTemplated())
    return;
  auto *record = dyn_cast<CXXRecordDecl>(&tag);
  if (record && record->isLambda()) {
    CXXRecordDecl::LambdaNumbering numbering = record->getLambdaNumbering();
    numbering.HasKnownInternalLinkage |= numbering.ManglingNumber == 0;
    numbering.ManglingNumber = std::max(highestNumber(old), highestNumber(function)) + 1;
    record->setLambdaNumbering(numbering);
  } else {
    renameSymbols(tag, cell);
    if (!tag.getDeclName())
      nameForLinkage(tag, function);
  }
}

} // namespace farside
