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

bool isString(QualType type) {
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
    return isString(made.getType());
  bool text = false;
  for (const TemplateArgument &alternative : variant->getTemplateArgs()[0].pack_elements()) {
    QualType type = alternative.getAsType();
    if (type->isNullPtrType() || type->isPointerType() || type->isMemberPointerType())
      return false;
    text = text || isString(type);
  }
  return text;
}

/// Whether a function is of the standard library, perhaps as a member of a class.
bool isOfLibrary(const FunctionDecl &function) {
  const DeclContext *context = function.getDeclContext();
  while (!context->isTranslationUnit() && !context->isStdNamespace())
    context = context->getParent();
  return context->isStdNamespace();
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
    unsigned written = templateArguments(*call->getCallee());
    for (unsigned number = first; number < call->getNumArgs(); ++number) {
      checkText(*call->getArg(number), call->getDirectCallee(), number - first, written);
      // What the number is does not say what is made of it: `make_unique<int>`, `emplace_back`.
      if (call->getDirectCallee() != nullptr && (written > 0 || method != nullptr))
        checkForwarded(*call->getArg(number), *call->getDirectCallee(), number - first, written);
    }
    return true;
  }

  bool VisitCXXConstructExpr(CXXConstructExpr *made) {
    for (const Expr *argument : made->arguments())
      check(*argument);
    if (takesNullForText(*made))
      warn(*made->getArg(0), "a null pointer becomes text");
    for (unsigned number = 0; number < made->getNumArgs(); ++number) {
      checkText(*made->getArg(number), made->getConstructor(), number, 0);
      checkForwarded(*made->getArg(number), *made->getConstructor(), number, 0);
    }
    return true;
  }

  /// A cast that is written as a call, `int(x)`, is allowed what no parameter of that type is.
  bool VisitCXXFunctionalCastExpr(CXXFunctionalCastExpr *written) {
    checkCast(*written, written->getType());
    const Expr *inner = written->getSubExpr();
    for (const auto *cast = dyn_cast<ImplicitCastExpr>(inner);
         cast != nullptr && cast->isPartOfExplicitCast();
         cast = dyn_cast<ImplicitCastExpr>(cast->getSubExpr()))
      checkCast(*cast, written->getType());
    return true;
  }

  /// Clang warns of no other number and no pointer that becomes a bool.
  bool VisitImplicitCastExpr(ImplicitCastExpr *cast) {
    if (!cast->isPartOfExplicitCast() &&
        (cast->getCastKind() == CK_IntegralToBoolean || cast->getCastKind() == CK_PointerToBoolean))
      checkCast(*cast, cast->getType());
    return true;
  }

private:
  void check(const Expr &argument) {
    const CXXRecordDecl *type = argument.getType()->getAsCXXRecordDecl();
    std::string name = type != nullptr ? type->getQualifiedNameAsString() : "";
    if (name == "farside::wire::Flexible")
      warn(argument, "a template takes this");
    if (name == "farside::wire::Array" || name == "farside::wire::NdArray")
      warn(argument, "a template takes this array");
    // One that is written out is of another class.
    const Expr *given = argument.IgnoreImplicit();
    if (given->getStmtClass() != Stmt::CXXConstructExprClass)
      return;
    const auto &made = *cast<CXXConstructExpr>(given);
    if (made.getNumArgs() > 0 && made.getConstructor()->getPrimaryTemplate() != nullptr)
      warn(*made.getArg(0), "a constructor template converts this");
  }

  static bool pointsToText(QualType type) {
    return type->isPointerType() && type->getPointeeType()->isAnyCharacterType();
  }

  /// Whether an argument is a number that Python gave, and no object of the program's.
  static bool isGivenNumber(const Expr &argument) {
    const Expr *given = argument.IgnoreParenImpCasts();
    return isa<CXXStaticCastExpr>(given) && given->getType()->isArithmeticType();
  }

  /// What a cast may make of an argument other than the same value.
  void checkCast(const CastExpr &cast, QualType to) {
    switch (cast.getCastKind()) {
    case CK_IntegralCast:
    case CK_FloatingCast:
    case CK_FloatingToIntegral:
    case CK_IntegralToBoolean:
    case CK_FloatingToBoolean:
      if (isGivenNumber(*cast.getSubExpr()))
        Diagnostics.Report(
            cast.getSubExpr()->getBeginLoc(),
            Diagnostics.getCustomDiagID(DiagnosticsEngine::Warning, "a cast changes this to %0"))
            << to.getUnqualifiedType();
      break;
    case CK_BitCast:
    case CK_IntegralToPointer:
    case CK_PointerToIntegral:
    case CK_PointerToBoolean:
    case CK_LValueBitCast:
    case CK_ReinterpretMemberPointer:
      Diagnostics.Report(
          cast.getSubExpr()->getBeginLoc(),
          Diagnostics.getCustomDiagID(DiagnosticsEngine::Warning, "only a cast turns this to %0"))
          << to.getUnqualifiedType();
      break;
    default:
      break;
    }
  }

  /// A number that a template of the library hands on, to be converted where Clang does not warn.
  void checkForwarded(const Expr &argument, const FunctionDecl &called, unsigned number,
                      unsigned given) {
    const FunctionTemplateDecl *pattern = called.getPrimaryTemplate();
    if (pattern != nullptr && isOfLibrary(called) && isGivenNumber(argument) &&
        isDeduced(*pattern, number, given))
      warn(*argument.IgnoreParenImpCasts(), "a template of the library is given this");
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
