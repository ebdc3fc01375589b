// The call that shows the value of a last expression without `;`.
//
// It is built in the AST, so that the expression is evaluated once, its temporaries live until the
// call has returned, and nothing of it is copied. This file alone picks how a type is shown.
#pragma once

#include "show_bodies.h"

#include "clang/AST/Decl.h"
#include "clang/Sema/Sema.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace farside {

/// How the type of a value that is shown is called.
struct ShownType {
  std::string name;
  /// Of an enumeration: its underlying type, and its enumerators' values and qualified names.
  std::string underlying;
  std::vector<std::pair<std::string, std::string>> enumerators;
  bool opaque = false; ///< was to be given to Python, and has no form there
  unsigned offset = 0; ///< in the cell, of the expression's first character
};

/// Builds the calls of one session.
class Display {
public:
  explicit Display(clang::Sema &sema) : Semantics(sema), Bodies(sema) {}

  /// Gives `statement`, an expression that lacks its `;`, a body that shows the value. Returns the
  /// value's type as it is to be shown, or nothing where there is no value.
  std::optional<ShownType> show(clang::TopLevelStmtDecl &statement);

  /// Whether objects are shown by their address alone, which never fails.
  bool Plain = false;
  /// Whether the values of all expressions are shown, and not only of a last one without `;`.
  bool All = false;
  /// Whether values are given to Python, and not shown.
  bool Given = false;
  /// Where the functions come from that the calls refer to.
  ShowBodies &bodies() { return Bodies; }

private:
  std::optional<ShownType> give(clang::TopLevelStmtDecl &statement, clang::Expr *expression);
  clang::FunctionDecl &valueFunction();

  clang::Sema &Semantics;
  ShowBodies Bodies;
  clang::FunctionDecl *ValueFunction = nullptr;
};

} // namespace farside
