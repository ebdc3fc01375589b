#include "call_check.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/RecursiveASTVisitor.h"

namespace farside {

using namespace clang;

namespace {

class StubVisitor : public RecursiveASTVisitor<StubVisitor> {
public:
  explicit StubVisitor(DiagnosticsEngine &diagnostics) : Diagnostics(diagnostics) {}

  bool VisitCallExpr(CallExpr *call) {
    for (const Expr *argument : call->arguments())
      check(*argument);
    return true;
  }

  bool VisitCXXConstructExpr(CXXConstructExpr *made) {
    for (const Expr *argument : made->arguments())
      check(*argument);
    return true;
  }

private:
  void check(const Expr &argument) {
    const CXXRecordDecl *type = argument.getType()->getAsCXXRecordDecl();
    if (type != nullptr && type->getQualifiedNameAsString() == "farside::wire::Flexible")
      warn(argument, "a template takes this");
    // One that is written out is of another class.
    const Expr *given = argument.IgnoreImplicit();
    if (given->getStmtClass() != Stmt::CXXConstructExprClass)
      return;
    const auto &made = *cast<CXXConstructExpr>(given);
    if (made.getNumArgs() > 0 && made.getConstructor()->getPrimaryTemplate() != nullptr)
      warn(*made.getArg(0), "a constructor template converts this");
  }

  template <size_t N> void warn(const Expr &where, const char (&message)[N]) {
    Diagnostics.Report(where.getBeginLoc(),
                       Diagnostics.getCustomDiagID(DiagnosticsEngine::Warning, message));
  }

  DiagnosticsEngine &Diagnostics;
};

} // namespace

void checkCall(DeclGroupRef decls, DiagnosticsEngine &diagnostics) {
  if (diagnostics.hasErrorOccurred())
    return;
  for (Decl *decl : decls) {
    auto *linkage = dyn_cast<LinkageSpecDecl>(decl);
    if (linkage == nullptr)
      continue;
    for (Decl *inner : linkage->decls())
      if (auto *stub = dyn_cast<FunctionDecl>(inner);
          stub != nullptr && stub->hasBody() && stub->getDeclName().isIdentifier() &&
          stub->getName().starts_with("__farside_call_"))
        StubVisitor(diagnostics).TraverseDecl(stub);
  }
}

} // namespace farside
