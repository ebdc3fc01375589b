#include "identity.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/Decl.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"

namespace farside {

namespace {

/// A function that is never emitted; the entities of a statement are named as if they were local to
/// it.
clang::FunctionDecl *makeOwner(clang::ASTContext &context, const std::string &name) {
  clang::QualType type = context.getFunctionType(context.VoidTy, {}, {});
  return clang::FunctionDecl::Create(context, context.getTranslationUnitDecl(), {}, {},
                                     &context.Idents.get(name), type,
                                     context.getTrivialTypeSourceInfo(type), clang::SC_Static);
}

bool needsRunTimeInitialiser(const clang::VarDecl &variable) {
  if (!variable.isThisDeclarationADefinition() || variable.isExternallyVisible() ||
      variable.getType()->isDependentType() || variable.isInvalidDecl())
    return false;
  if (clang::isa<clang::VarTemplateSpecializationDecl>(variable) ||
      variable.getDeclContext()->isDependentContext() || variable.getDescribedVarTemplate())
    return false;
  return variable.getInit() && !variable.hasConstantInitialization();
}

} // namespace

void StatementEntities::move(clang::Decl &decl, clang::TopLevelStmtDecl &statement) {
  if (Statement != &statement) {
    Statement = &statement;
    Owner = makeOwner(decl.getASTContext(),
                      "cell" + std::to_string(Cell) + "s" + std::to_string(Serial++));
  }
  decl.setDeclContext(Owner);
  // There Clang goes on when the class has been parsed.
  decl.setLexicalDeclContext(&statement);
}

void StatementEntities::complete(clang::TagDecl &tag) {
  if (auto *statement = clang::dyn_cast<clang::TopLevelStmtDecl>(tag.getDeclContext()))
    move(tag, *statement);
}

void StatementEntities::finish(clang::TopLevelStmtDecl &statement) {
  for (clang::Decl *decl : statement.decls())
    if (auto *variable = clang::dyn_cast<clang::VarDecl>(decl);
        variable && variable->isStaticLocal())
      move(*variable, statement);
}

EagerInternals::EagerInternals(clang::ASTContext &context, clang::DeclGroupRef decls)
    : Context(context) {
  for (clang::Decl *decl : decls)
    visit(decl);
}

EagerInternals::~EagerInternals() {
  for (clang::VarDecl *variable : Marked)
    variable->dropAttr<clang::UsedAttr>();
}

void EagerInternals::visit(clang::Decl *decl) {
  if (auto *variable = clang::dyn_cast<clang::VarDecl>(decl)) {
    if (!variable->hasAttr<clang::UsedAttr>() && needsRunTimeInitialiser(*variable)) {
      variable->addAttr(clang::UsedAttr::CreateImplicit(Context));
      Marked.push_back(variable);
    }
    return;
  }
  if (clang::isa<clang::NamespaceDecl, clang::LinkageSpecDecl, clang::ExportDecl>(decl))
    for (clang::Decl *inner : clang::cast<clang::DeclContext>(decl)->decls())
      visit(inner);
}

} // namespace farside
