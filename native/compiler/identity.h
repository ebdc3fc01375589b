// Makes things of the AST keep their identity from one module to the next.
//
// All cells are one translation unit to Clang's front end, yet each becomes a module and an object
// of its own. A name with internal linkage must denote one entity in all of them, so linkage.cpp
// promotes such names to symbols that the objects share. For that, equal symbols must mean the same
// entity. Two gaps are closed here, before Clang's code generator sees the declarations:
//
// * Clang's mangler has no names for what is declared inside a statement at the top level. Classes
//   and static variables are moved into a function made for the statement, with the cell's number
//   in its name, so that `{ static int n; }` in two cells are two variables.
// * A variable with internal linkage is emitted by Clang when it is first used, which would run its
//   initialiser in a later cell than the one that declares it.
#pragma once

#include "clang/AST/DeclBase.h"
#include "clang/AST/DeclGroup.h"

#include <vector>

namespace clang {
class ASTContext;
class FunctionDecl;
class TagDecl;
class TopLevelStmtDecl;
class VarDecl;
} // namespace clang

namespace farside {

/// Moves what a top-level statement declares into a function of its own.
///
/// Classes, lambdas among them, move as soon as they are complete.
class StatementEntities {
public:
  void begin(unsigned cell) {
    Cell = cell;
    Serial = 0;
  }

  /// To be called when a type is complete.
  void complete(clang::TagDecl &tag);

  /// Moves what is left when the whole statement has been parsed.
  void finish(clang::TopLevelStmtDecl &statement);

private:
  void move(clang::Decl &decl, clang::TopLevelStmtDecl &statement);

  unsigned Cell = 0;
  unsigned Serial = 0;
  clang::TopLevelStmtDecl *Statement = nullptr;
  clang::FunctionDecl *Owner = nullptr;
};

/// While it lives, Clang emits the internal variables with run-time initialisers below `decls` at
/// once.
class EagerInternals {
public:
  EagerInternals(clang::ASTContext &context, clang::DeclGroupRef decls);
  EagerInternals(const EagerInternals &) = delete;
  EagerInternals &operator=(const EagerInternals &) = delete;
  ~EagerInternals();

private:
  void visit(clang::Decl *decl);

  clang::ASTContext &Context;
  std::vector<clang::VarDecl *> Marked;
};

} // namespace farside
