// Expressions that are built to see whether there can be such.
#pragma once

#include "clang/AST/Expr.h"
#include "clang/Sema/EnterExpressionEvaluationContext.h"
#include "clang/Sema/Sema.h"

namespace farside {

/// Builds an expression to see whether there is one; null if not.
template <typename Build> clang::Expr *attempt(clang::Sema &sema, Build build) {
  clang::Sema::SFINAETrap trap(sema, /*WithAccessChecking=*/true);
  clang::ExprResult result = build();
  if (result.isInvalid() || !result.get() || trap.hasErrorOccurred() ||
      result.get()->containsErrors())
    return nullptr;
  return result.get();
}

template <typename Build> clang::Expr *attemptUnevaluated(clang::Sema &sema, Build build) {
  clang::EnterExpressionEvaluationContext context(
      sema, clang::Sema::ExpressionEvaluationContext::Unevaluated);
  return attempt(sema, build);
}

} // namespace farside
