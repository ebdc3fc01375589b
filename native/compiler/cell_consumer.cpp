#include "cell_consumer.h"

#include "call_check.h"
#include "conflicts.h"
#include "declared.h"
#include "for_code.h"
#include "kept_values.h"
#include "linkage.h"
#include "redefinition.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/GlobalDecl.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Frontend/CompilerInstance.h"

#include <utility>

namespace farside {

using namespace clang;

CellConsumer::CellConsumer(CompilerInstance &instance, llvm::LLVMContext &context,
                           Redefinitions &redefined)
    : Instance(instance), Redefined(redefined),
      Generator(CreateLLVMCodeGen(instance, "start", context)) {}

template <class Result, class Subject>
Result CellConsumer::generate(Result (ASTConsumer::*handle)(Subject), Subject subject) {
  ForCode options(Instance.getLangOpts());
  return (Generator.get()->*handle)(subject);
}

void CellConsumer::addFunction(FunctionDecl &function) {
  generate(&ASTConsumer::HandleTopLevelDecl, DeclGroupRef(&function));
}

void CellConsumer::addUsed(FunctionDecl &function) {
  bool marked = function.hasAttr<UsedAttr>();
  if (!marked)
    function.addAttr(UsedAttr::CreateImplicit(Instance.getASTContext()));
  addFunction(function);
  if (!marked)
    function.dropAttr<UsedAttr>();
}

void CellConsumer::makeInstances() {
  for (FunctionDecl *function : Foreign.stop())
    addFunction(*function);
}

void CellConsumer::begin(unsigned number, FileID file) {
  Number = number;
  File = file;
  for (FunctionDecl *function : Foreign.takeBack())
    addFunction(*function);
  Entities.begin(number);
  Held.clear();
  Declared = {};
  Value.reset();
  Values.clear();
  Stub = nullptr;
}

std::string CellConsumer::symbolOf(const NamedDecl &decl) {
  std::string name = decl.getDeclName().isIdentifier() ? decl.getName().str() : "";
  if (Instance.getLangOpts().CPlusPlus || decl.hasAttr<AsmLabelAttr>())
    name = mangledName(decl);
  return name.empty() || decl.isExternallyVisible() ? name : sharedName(name);
}

std::vector<std::string> CellConsumer::symbolsOf(const FunctionDecl &function) {
  std::vector<GlobalDecl> variants;
  if (const auto *constructor = dyn_cast<CXXConstructorDecl>(&function))
    variants = {{constructor, Ctor_Complete}, {constructor, Ctor_Base}};
  else if (const auto *destructor = dyn_cast<CXXDestructorDecl>(&function))
    variants = {{destructor, Dtor_Complete}, {destructor, Dtor_Base}, {destructor, Dtor_Deleting}};
  else
    return {symbolOf(function)};
  std::vector<std::string> symbols;
  if (!mangledName(function).empty())
    for (GlobalDecl variant : variants)
      symbols.push_back(Generator->GetMangledName(variant).str());
  return symbols;
}

std::string CellConsumer::mangledName(const NamedDecl &decl) {
  // A type that is still to be deduced has no mangled name, and asking is no use after errors.
  if (Instance.getDiagnostics().hasErrorOccurred() || decl.isTemplated())
    return {};
  if (const auto *function = dyn_cast<FunctionDecl>(&decl);
      function && !function->getReturnType()->isUndeducedType())
    return Generator->GetMangledName(GlobalDecl(function)).str();
  if (const auto *variable = dyn_cast<VarDecl>(&decl); variable && variable->getDeclName())
    return Generator->GetMangledName(GlobalDecl(variable)).str();
  return {};
}

void CellConsumer::prepare(TopLevelStmtDecl &statement) {
  if (Show && (statement.isSemiMissing() || Show->All) && statement.getStmt() &&
      !Instance.getDiagnostics().hasErrorOccurred()) {
    Value = Show->show(statement);
    if (Show->All)
      Values.push_back(Value);
  }
  Entities.finish(statement);
}

/// Tells whether an earlier cell has defined this variable of C, tentatively or not: `int x;` means
/// the same variable each time. Clang numbers files in the order in which it opens them.
bool CellConsumer::isDefinedEarlier(const VarDecl &variable) const {
  const SourceManager &sources = Instance.getSourceManager();
  for (const VarDecl *each : variable.redecls())
    if (each->isThisDeclarationADefinition() != VarDecl::DeclarationOnly &&
        sources.getFileID(sources.getSpellingLoc(each->getLocation())) < File)
      return true;
  return false;
}

void CellConsumer::Initialize(ASTContext &context) { Generator->Initialize(context); }

bool CellConsumer::HandleTopLevelDecl(DeclGroupRef decls) {
  Held.emplace_back([this, decls] {
    Redefined.declare(decls);
    handOn(decls);
  });
  return true;
}

void CellConsumer::declare(DeclGroupRef decls) {
  for (Decl *decl : decls) {
    if (auto *statement = dyn_cast<TopLevelStmtDecl>(decl))
      prepare(*statement);
    if (auto *variable = dyn_cast<VarDecl>(decl))
      keepTemporaries(*variable);
  }
  Redefined.declare(decls);
  handOver();
  handOn(decls);
}

void CellConsumer::handOn(DeclGroupRef decls) {
  ASTContext &context = Instance.getASTContext();
  if (Conflicts)
    Conflicts->declared(decls);
  if (Show)
    Show->bodies().declared(decls);
  if (FunctionDecl *stub = checkCall(decls, Instance.getDiagnostics()))
    Stub = stub;
  appendDeclared(Declared, context, decls, File,
                 [this](const NamedDecl &decl) { return symbolOf(decl); });
  EagerInternals eager(context, decls);
  generate(&ASTConsumer::HandleTopLevelDecl, decls);
}

void CellConsumer::handOver() {
  for (const std::function<void()> &handle : std::exchange(Held, {}))
    handle();
}

void CellConsumer::HandleInlineFunctionDefinition(FunctionDecl *decl) {
  OverloadedOperatorKind kind = decl->getOverloadedOperator();
  if (kind == OO_New || kind == OO_Array_New || kind == OO_Delete || kind == OO_Array_Delete)
    makeInstances(); // its code comes too late for HandleTranslationUnit to see it
  Held.emplace_back([this, decl] { generate(&ASTConsumer::HandleInlineFunctionDefinition, decl); });
}

void CellConsumer::HandleInterestingDecl(DeclGroupRef decls) {
  for (Decl *decl : decls)
    if (auto *function = dyn_cast<FunctionDecl>(decl))
      Foreign.consider(*function, [this](FunctionDecl &each) {
        return Generator->GetMangledName(GlobalDecl(&each));
      });
  generate(&ASTConsumer::HandleInterestingDecl, decls);
}

void CellConsumer::HandleTranslationUnit(ASTContext &context) {
  handOver();
  if (replacesAllocation(*Generator->GetModule()))
    makeInstances(); // now, as what was referred to until here is emitted next
  Foreign.leaveSmall(
      *Generator->GetModule(), Instance.getCodeGenOpts().OptimizationLevel == 0,
      [this](llvm::StringRef symbol) { return Generator->GetDeclForMangledName(symbol); });
  generate<void, ASTContext &>(&ASTConsumer::HandleTranslationUnit, context);
}

void CellConsumer::CompletedTagDefinition(const TagDecl *tag) {
  auto &type = const_cast<TagDecl &>(*tag);
  Entities.complete(type);
  Redefined.completeLocalType(type);
}

void CellConsumer::AddedCXXTemplateSpecialization(const VarTemplateDecl *,
                                                  const VarTemplateSpecializationDecl *made) {
  Redefined.instantiate(const_cast<VarTemplateSpecializationDecl &>(*made));
}

void CellConsumer::HandleTagDeclDefinition(TagDecl *decl) {
  Redefined.defineType(*decl);
  generate(&ASTConsumer::HandleTagDeclDefinition, decl);
}

void CellConsumer::HandleTagDeclRequiredDefinition(const TagDecl *decl) {
  generate(&ASTConsumer::HandleTagDeclRequiredDefinition, decl);
}

void CellConsumer::HandleCXXImplicitFunctionInstantiation(FunctionDecl *decl) {
  Redefined.noteInstance(*decl);
  generate(&ASTConsumer::HandleCXXImplicitFunctionInstantiation, decl);
}

void CellConsumer::HandleTopLevelDeclInObjCContainer(DeclGroupRef decls) {
  Generator->HandleTopLevelDeclInObjCContainer(decls);
}

void CellConsumer::HandleImplicitImportDecl(ImportDecl *decl) {
  Generator->HandleImplicitImportDecl(decl);
}

void CellConsumer::CompleteTentativeDefinition(VarDecl *decl) {
  if (!isDefinedEarlier(*decl))
    generate(&ASTConsumer::CompleteTentativeDefinition, decl);
}

void CellConsumer::CompleteExternalDeclaration(DeclaratorDecl *decl) {
  generate(&ASTConsumer::CompleteExternalDeclaration, decl);
}

void CellConsumer::AssignInheritanceModel(CXXRecordDecl *decl) {
  Generator->AssignInheritanceModel(decl);
}

void CellConsumer::HandleCXXStaticMemberVarInstantiation(VarDecl *decl) {
  Redefined.noteInstance(*decl);
  Held.emplace_back(
      [this, decl] { generate(&ASTConsumer::HandleCXXStaticMemberVarInstantiation, decl); });
}

void CellConsumer::HandleVTable(CXXRecordDecl *decl) { generate(&ASTConsumer::HandleVTable, decl); }

ASTDeserializationListener *CellConsumer::GetASTDeserializationListener() {
  return Generator->GetASTDeserializationListener();
}

std::unique_ptr<ASTConsumer> CellAction::CreateASTConsumer(CompilerInstance &instance,
                                                           llvm::StringRef) {
  auto consumer = std::make_unique<CellConsumer>(instance, Context, Redefined);
  Consumer = consumer.get();
  return consumer;
}

} // namespace farside
