#include "call_check.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/RecursiveASTVisitor.h"

#include <algorithm>
#include <initializer_list>

namespace farside {

using namespace clang;

namespace {

/// Whether the type of a template's parameter is all that an argument says: `T`, `const T &`, `T
/// &&` or one of a pack of those, and not among the `given` first that the call writes out.
bool isDeduced(const FunctionTemplateDecl &called, unsigned number, unsigned given) {
  const FunctionDecl &pattern = *called.getTemplatedDecl();
  unsigned count = pattern.getNumParams();
  if (count == 0)
    return false;
  QualType type = pattern.getParamDecl(std::min(number, count - 1))->getType();
  if (const auto *pack = type->getAs<PackExpansionType>())
    type = pack->getPattern();
  else if (number >= count)
    return false;
  const auto *parameter = type.getNonReferenceType()->getAs<TemplateTypeParmType>();
  return parameter != nullptr && parameter->getIndex() >= given;
}

/// How many template arguments the name of what is called has.
unsigned templateArguments(const Expr &callee) {
  const Expr *name = callee.IgnoreParenImpCasts();
  if (const auto *reference = dyn_cast<DeclRefExpr>(name))
    return reference->getNumTemplateArgs();
  if (const auto *member = dyn_cast<MemberExpr>(name))
    return member->getNumTemplateArgs();
  return 0;
}

bool isOfStd(const CXXRecordDecl &record, std::initializer_list<llvm::StringRef> names) {
  return record.isInStdNamespace() && record.getIdentifier() != nullptr &&
         llvm::is_contained(names, record.getName());
}

bool isText(QualType type) {
  const CXXRecordDecl *record = type->getAsCXXRecordDecl();
  return record != nullptr && isOfStd(*record, {"basic_string", "basic_string_view"});
}

/// Whether a string is made of a null pointer, which to it is the address where the text begins, or
/// a variant that has no other alternative for one than strings.
bool takesNullForText(const CXXConstructExpr &made) {
  if (made.getNumArgs() == 0 || !made.getArg(0)->IgnoreImpCasts()->getType()->isNullPtrType())
    return false;
  const auto *variant =
      dyn_cast<ClassTemplateSpecializationDecl>(made.getConstructor()->getParent());
  if (variant == nullptr || !isOfStd(*variant, {"variant"}))
    return isText(made.getType());
  bool text = false;
  for (const TemplateArgument &alternative : variant->getTemplateArgs()[0].pack_elements()) {
    QualType type = alternative.getAsType();
    if (type->isNullPtrType() || type->isPointerType() || type->isMemberPointerType())
      return false;
    text = text || isText(type);
  }
  return text;
}

class StubVisitor : public RecursiveASTVisitor<StubVisitor> {
public:
  explicit StubVisitor(DiagnosticsEngine &diagnostics) : Diagnostics(diagnostics) {}

  bool VisitCallExpr(CallExpr *call) {
    for (const Expr *argument : call->arguments())
      check(*argument);
    // Of an operator that is a member the first argument is the object.
    const auto *method = dyn_cast_or_null<CXXMethodDecl>(call->getDirectCallee());
    unsigned first = isa<CXXOperatorCallExpr>(call) && method != nullptr && method->isInstance();
    for (unsigned number = first; number < call->getNumArgs(); ++number)
      checkText(*call->getArg(number), call->getDirectCallee(), number - first,
                templateArguments(*call->getCallee()));
    return true;
  }

  bool VisitCXXConstructExpr(CXXConstructExpr *made) {
    for (const Expr *argument : made->arguments())
      check(*argument);
    if (takesNullForText(*made))
      warn(*made->getArg(0), "a null pointer becomes text");
    for (unsigned number = 0; number < made->getNumArgs(); ++number)
      checkText(*made->getArg(number), made->getConstructor(), number, 0);
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

  /// A pointer to text that a template takes for a value of its own, to be added to or kept.
  void checkText(const Expr &argument, const FunctionDecl *called, unsigned number,
                 unsigned given) {
    const auto *cast = dyn_cast<CXXStaticCastExpr>(argument.IgnoreImplicit());
    if (called == nullptr || called->getPrimaryTemplate() == nullptr || cast == nullptr ||
        !cast->getType()->isPointerType() || !cast->getType()->getPointeeType()->isCharType())
      return;
    if (isDeduced(*called->getPrimaryTemplate(), number, given))
      warn(*cast, "a template takes this pointer");
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
