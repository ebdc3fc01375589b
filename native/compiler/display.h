// The call that shows the value of a last expression without `;`.
//
// It is built in the AST, so that the expression is evaluated once, its temporaries live until the
// call has returned, and nothing of it is copied. This file alone picks how a type is shown.
#pragma once

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
};

/// Builds the calls of one session.
class Display {
public:
  explicit Display(clang::Sema &sema) : Semantics(sema) {}

  /// Gives `statement`, an expression that lacks its `;`, a body that shows the value. Returns the
  /// value's type as it is to be shown, or nothing where there is no value.
  std::optional<ShownType> show(clang::TopLevelStmtDecl &statement);

private:
  clang::FunctionDecl &valueFunction();
  clang::FunctionDecl &lengthFunction();

  clang::Sema &Semantics;
  clang::FunctionDecl *ValueFunction = nullptr;
  clang::FunctionDecl *LengthFunction = nullptr;
};

} // namespace farside
