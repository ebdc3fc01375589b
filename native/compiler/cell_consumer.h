// What stands between Clang's parser and its code generator.
#pragma once

#include "display.h"
#include "identity.h"
#include "instances.h"

#include "clang/AST/ASTConsumer.h"
#include "clang/AST/ASTMutationListener.h"
#include "clang/CodeGen/ModuleBuilder.h"
#include "clang/Frontend/FrontendAction.h"
#include "llvm/Support/JSON.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace clang {
class CompilerInstance;
}

namespace llvm {
class LLVMContext;
}

namespace farside {

class ConflictWatch;
class Redefinitions;

/// Hands on to Clang's code generator what the parser has read, and collects what the session wants
/// to know of it.
class CellConsumer : public clang::ASTConsumer, private clang::ASTMutationListener {
public:
  CellConsumer(clang::CompilerInstance &instance, llvm::LLVMContext &context,
               Redefinitions &redefined);

  /// What is collected for the cell that is being parsed.
  unsigned Number = 0;
  clang::FileID File;
  llvm::json::Array Declared;
  std::optional<ShownType> Value;
  std::vector<std::optional<ShownType>> Values; ///< where all are shown
  clang::FunctionDecl *Stub = nullptr;          ///< of a call from Python, for checkWay
  Display *Show = nullptr;
  ConflictWatch *Conflicts = nullptr;
  ForeignInstances Foreign;

  clang::CodeGenerator &generator() { return *Generator; }

  /// Has code made of a function that the parser has not seen.
  void addFunction(clang::FunctionDecl &function);

  /// Has code made of a function that may be used nowhere.
  void addUsed(clang::FunctionDecl &function);

  /// Has code made of instances from here on that were left to the executor until now.
  void makeInstances();

  void begin(unsigned number, clang::FileID file);

  /// Takes a declaration at the top level that the parser has read.
  void declare(clang::DeclGroupRef decls);

  /// Hands over what was held back.
  void handOver();

  /// The symbol of a variable or function; empty for what has none.
  std::string symbolOf(const clang::NamedDecl &decl);

  /// All symbols of a function; constructors and destructors have several.
  std::vector<std::string> symbolsOf(const clang::FunctionDecl &function);

  void Initialize(clang::ASTContext &context) override;
  /// Called by Clang's semantic analysis, for instances alone; see declare.
  bool HandleTopLevelDecl(clang::DeclGroupRef decls) override;
  void HandleInlineFunctionDefinition(clang::FunctionDecl *decl) override;
  void HandleInterestingDecl(clang::DeclGroupRef decls) override;
  void HandleTranslationUnit(clang::ASTContext &context) override;
  void HandleTagDeclDefinition(clang::TagDecl *decl) override;
  void HandleTagDeclRequiredDefinition(const clang::TagDecl *decl) override;
  void HandleCXXImplicitFunctionInstantiation(clang::FunctionDecl *decl) override;
  void HandleTopLevelDeclInObjCContainer(clang::DeclGroupRef decls) override;
  void HandleImplicitImportDecl(clang::ImportDecl *decl) override;
  void CompleteTentativeDefinition(clang::VarDecl *decl) override;
  void CompleteExternalDeclaration(clang::DeclaratorDecl *decl) override;
  void AssignInheritanceModel(clang::CXXRecordDecl *decl) override;
  void HandleCXXStaticMemberVarInstantiation(clang::VarDecl *decl) override;
  void HandleVTable(clang::CXXRecordDecl *decl) override;
  clang::ASTMutationListener *GetASTMutationListener() override { return this; }
  clang::ASTDeserializationListener *GetASTDeserializationListener() override;

private:
  /// Calls a member function of the code generator.
  template <class Result, class Subject>
  Result generate(Result (clang::ASTConsumer::*handle)(Subject), Subject subject);
  void CompletedTagDefinition(const clang::TagDecl *tag) override;
  void AddedCXXTemplateSpecialization(const clang::VarTemplateDecl *of,
                                      const clang::VarTemplateSpecializationDecl *made) override;
  void prepare(clang::TopLevelStmtDecl &statement);
  void handOn(clang::DeclGroupRef decls);
  bool isDefinedEarlier(const clang::VarDecl &variable) const;
  std::string mangledName(const clang::NamedDecl &decl);

  clang::CompilerInstance &Instance;
  Redefinitions &Redefined;
  std::unique_ptr<clang::CodeGenerator> Generator;
  StatementEntities Entities;
  /// What was defined or instantiated within the declaration that is being parsed. In its names may
  /// be those of the declaration, which are not final before that has been read: a class of a
  /// statement moves (StatementEntities), and what is defined again gets a tag (Redefinitions). The
  /// code generator asks for names at once, and later modules look for what it keeps under them.
  std::vector<std::function<void()>> Held;
};

/// Clang's own way to set an instance up for a file, stopped before it would parse and never ended.
class CellAction : public clang::ASTFrontendAction {
public:
  CellAction(llvm::LLVMContext &context, Redefinitions &redefined)
      : Context(context), Redefined(redefined) {}

  CellConsumer *Consumer = nullptr; // the instance owns it

protected:
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance &instance,
                                                        llvm::StringRef) override;
  clang::TranslationUnitKind getTranslationUnitKind() override { return clang::TU_Incremental; }

private:
  llvm::LLVMContext &Context;
  Redefinitions &Redefined;
};

} // namespace farside
