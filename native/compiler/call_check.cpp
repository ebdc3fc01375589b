#include "call_check.h"

#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/DynamicRecursiveASTVisitor.h"
#include "clang/AST/ExprCXX.h"

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

/// Whether a constructor of the library takes a wider integer than what it keeps of it.
bool keepsLess(const CXXConstructExpr &made) {
  const CXXConstructorDecl &constructor = *made.getConstructor();
  const IdentifierInfo *name = constructor.getParent()->getIdentifier();
  return made.getNumArgs() == 1 && name != nullptr && isOfLibrary(constructor) &&
         llvm::is_contained({"bitset", "year", "month", "day", "weekday"}, name->getName());
}

/// Counts how a function template uses one of its parameters, a forwarding reference.
class UseVisitor : public DynamicRecursiveASTVisitor {
public:
  UseVisitor(const ParmVarDecl &parameter, const TemplateTypeParmType &type)
      : Parameter(parameter), Type(type) {}

  bool VisitDeclRefExpr(DeclRefExpr *use) override {
    Values += use->getDecl() == &Parameter;
    return true;
  }
  bool VisitTemplateTypeParmTypeLoc(TemplateTypeParmTypeLoc use) override {
    Types += use.getTypePtr()->getCanonicalTypeInternal() == Type.getCanonicalTypeInternal();
    return true;
  }
  /// `std::forward<T>(x)`.
  bool VisitCallExpr(CallExpr *call) override {
    const auto *callee = dyn_cast<OverloadExpr>(call->getCallee()->IgnoreParenImpCasts());
    if (callee == nullptr || callee->getName().getAsString() != "forward" ||
        call->getNumArgs() != 1)
      return true;
    const auto *given = dyn_cast<DeclRefExpr>(call->getArg(0)->IgnoreParenImpCasts());
    if (given == nullptr || given->getDecl() != &Parameter)
      return true;
    UseVisitor inner(Parameter, Type);
    inner.TraverseStmt(call->getCallee());
    ++HandedOn;
    Values -= inner.Values + 1;
    Types -= inner.Types;
    return true;
  }

  /// Whether the parameter is handed on, and of it and its type nothing else is made.
  bool handsOnOnly() const {
    constexpr int declaration = 1; // of the parameter itself
    return HandedOn > 0 && Values == 0 && Types <= declaration;
  }

private:
  const ParmVarDecl &Parameter;
  const TemplateTypeParmType &Type;
  int Values = 0;
  int Types = 0;
  int HandedOn = 0;
};

/// Whether a template hands an argument on, as `T &&x` in `std::forward<T>(x)`, and does nothing
/// else with it.
bool handsOn(const FunctionTemplateDecl &called, unsigned number) {
  const FunctionTemplateDecl *written = &called;
  while (const auto *of = written->getInstantiatedFromMemberTemplate()) // of a class template
    written = of;
  FunctionDecl *pattern = written->getTemplatedDecl();
  if (const FunctionDecl *definition = nullptr; pattern->hasBody(definition))
    pattern = const_cast<FunctionDecl *>(definition);
  if (pattern->getNumParams() == 0 || !pattern->hasBody())
    return false;
  const ParmVarDecl *parameter =
      pattern->getParamDecl(std::min(number, pattern->getNumParams() - 1));
  QualType type = parameter->getType();
  if (const auto *pack = type->getAs<PackExpansionType>())
    type = pack->getPattern();
  else if (number >= pattern->getNumParams())
    return false;
  const auto *reference = type->getAs<RValueReferenceType>();
  const auto *deduced =
      reference != nullptr ? reference->getPointeeType()->getAs<TemplateTypeParmType>() : nullptr;
  if (deduced == nullptr || reference->getPointeeType().hasQualifiers())
    return false;
  UseVisitor uses(*parameter, *deduced);
  uses.TraverseDecl(pattern);
  return uses.handsOnOnly();
}

bool isForwarded(QualType type) {
  const CXXRecordDecl *record = type.getNonReferenceType()->getAsCXXRecordDecl();
  return record != nullptr && record->getQualifiedNameAsString() == "farside::wire::Forwarded";
}

/// Finds out whether a number that is handed on as a farside::wire::Forwarded is taken for what it
/// is by something on its way, rather than converted.
class WayVisitor : public DynamicRecursiveASTVisitor {
public:
  explicit WayVisitor(unsigned depth) : Depth(depth) {}

  bool VisitCallExpr(CallExpr *call) override {
    const auto *method = dyn_cast_or_null<CXXMethodDecl>(call->getDirectCallee());
    unsigned first = isa<CXXOperatorCallExpr>(call) && method != nullptr && method->isInstance();
    for (unsigned number = first; number < call->getNumArgs(); ++number)
      check(*call->getArg(number), call->getDirectCallee(), number - first);
    return true;
  }
  bool VisitCXXConstructExpr(CXXConstructExpr *made) override {
    for (unsigned number = 0; number < made->getNumArgs(); ++number)
      check(*made->getArg(number), made->getConstructor(), number);
    return true;
  }
  bool VisitVarDecl(VarDecl *variable) override {
    bool own = Depth == 0 || isa<ParmVarDecl>(variable); // of the stub, or of what hands it on
    Taken = Taken || (!own && isForwarded(variable->getType()));
    return true;
  }

  bool Taken = false;

private:
  void check(const Expr &argument, const FunctionDecl *called, unsigned number) {
    constexpr unsigned deepest = 16;
    if (!isForwarded(argument.getType()) || Taken)
      return;
    const FunctionTemplateDecl *pattern =
        called != nullptr ? called->getPrimaryTemplate() : nullptr;
    Taken = pattern == nullptr || Depth == deepest;
    if (Taken || isOfLibrary(*called))
      return;
    const FunctionDecl *definition = nullptr;
    Taken = !handsOn(*pattern, number) || !called->hasBody(definition) ||
            isForwarded(called->getReturnType());
    if (Taken)
      return;
    WayVisitor inner(Depth + 1);
    inner.TraverseDecl(const_cast<FunctionDecl *>(definition));
    Taken = inner.Taken;
  }

  unsigned Depth;
};

class StubVisitor : public DynamicRecursiveASTVisitor {
public:
  explicit StubVisitor(DiagnosticsEngine &diagnostics) : Diagnostics(diagnostics) {}

  bool VisitCallExpr(CallExpr *call) override {
    for (const Expr *argument : call->arguments())
      check(*argument);
    // Of an operator that is a member the first argument is the object.
    const auto *method = dyn_cast_or_null<CXXMethodDecl>(call->getDirectCallee());
    unsigned first = isa<CXXOperatorCallExpr>(call) && method != nullptr && method->isInstance();
    unsigned written = templateArguments(*call->getCallee());
    for (unsigned number = first; number < call->getNumArgs(); ++number) {
      checkText(*call->getArg(number), call->getDirectCallee(), number - first, written);
      // What the number is does not say what is made of it: `make_unique<int>`, `emplace_back`.
      if (call->getDirectCallee() != nullptr)
        checkForwarded(*call->getArg(number), *call->getDirectCallee(), number - first, written,
                       written > 0 || method != nullptr);
    }
    return true;
  }

  bool VisitCXXConstructExpr(CXXConstructExpr *made) override {
    for (const Expr *argument : made->arguments())
      check(*argument);
    if (takesNullForText(*made))
      warn(*made->getArg(0), "a null pointer becomes text");
    if (keepsLess(*made) && isGivenNumber(*made->getArg(0)))
      warn(*made->getArg(0), "a constructor converts this");
    for (unsigned number = 0; number < made->getNumArgs(); ++number) {
      checkText(*made->getArg(number), made->getConstructor(), number, 0);
      checkForwarded(*made->getArg(number), *made->getConstructor(), number, 0, true);
    }
    return true;
  }

  /// A cast that is written as a call, `int(x)`, is allowed what no parameter of that type is.
  bool VisitCXXFunctionalCastExpr(CXXFunctionalCastExpr *written) override {
    checkCast(*written, written->getType());
    const Expr *inner = written->getSubExpr();
    for (const auto *cast = dyn_cast<ImplicitCastExpr>(inner);
         cast != nullptr && cast->isPartOfExplicitCast();
         cast = dyn_cast<ImplicitCastExpr>(cast->getSubExpr()))
      checkCast(*cast, written->getType());
    return true;
  }

  /// Clang warns of no other number and no pointer that becomes a bool.
  bool VisitImplicitCastExpr(ImplicitCastExpr *cast) override {
    if (!cast->isPartOfExplicitCast() &&
        (cast->getCastKind() == CK_IntegralToBoolean || cast->getCastKind() == CK_PointerToBoolean))
      checkCast(*cast, cast->getType());
    return true;
  }

private:
  void check(const Expr &argument) {
    const CXXRecordDecl *type = argument.getType()->getAsCXXRecordDecl();
    std::string name = type != nullptr ? type->getQualifiedNameAsString() : "";
    if (name == "farside::wire::Flexible" || name == "farside::wire::FlexibleRecord")
      warn(argument, "a template takes this");
    if (name == "farside::wire::Array" || name == "farside::wire::NdArray")
      warn(argument, "a template takes this array");
    // One that is written out is of another class.
    const Expr *given = argument.IgnoreImplicit();
    if (given->getStmtClass() != Stmt::CXXConstructExprClass)
      return;
    const auto &made = *cast<CXXConstructExpr>(given);
    if (made.getNumArgs() > 0 && made.getConstructor()->getPrimaryTemplate() != nullptr &&
        !isForwarded(made.getArg(0)->getType()))
      warn(*made.getArg(0), "a constructor converts this");
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
    case CK_FloatingToIntegral:
    case CK_FloatingToBoolean:
      if (isGivenNumber(*cast.getSubExpr()))
        warnOfType(*cast.getSubExpr(), "a cast changes this float to %0", to);
      break;
    case CK_IntegralCast:
    case CK_FloatingCast:
    case CK_IntegralToBoolean:
      if (isGivenNumber(*cast.getSubExpr()))
        warnOfType(*cast.getSubExpr(), "a cast changes this to %0", to);
      break;
    case CK_BitCast:
    case CK_IntegralToPointer:
    case CK_PointerToIntegral:
    case CK_PointerToBoolean:
    case CK_LValueBitCast:
    case CK_ReinterpretMemberPointer:
      warnOfType(*cast.getSubExpr(), "only a cast turns this to %0", to);
      break;
    default:
      break;
    }
  }

  /// A number that a template hands on, to be converted where Clang does not warn. What those of
  /// the library do, if they do, is known without a look.
  void checkForwarded(const Expr &argument, const FunctionDecl &called, unsigned number,
                      unsigned given, bool libraryHandsOn) {
    const FunctionTemplateDecl *pattern = called.getPrimaryTemplate();
    if (pattern != nullptr && isGivenNumber(argument) && isDeduced(*pattern, number, given) &&
        (isOfLibrary(called) ? libraryHandsOn : handsOn(*pattern, number)))
      warn(*argument.IgnoreParenImpCasts(), "a template hands this on");
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

  template <size_t N> void warnOfType(const Expr &where, const char (&message)[N], QualType type) {
    Diagnostics.Report(where.getBeginLoc(),
                       Diagnostics.getCustomDiagID(DiagnosticsEngine::Warning, message))
        << type.getUnqualifiedType();
  }

  DiagnosticsEngine &Diagnostics;
};

} // namespace

FunctionDecl *checkCall(DeclGroupRef decls, DiagnosticsEngine &diagnostics) {
  if (diagnostics.hasErrorOccurred())
    return nullptr;
  for (Decl *decl : decls) {
    auto *linkage = dyn_cast<LinkageSpecDecl>(decl);
    if (linkage == nullptr)
      continue;
    for (Decl *inner : linkage->decls())
      if (auto *stub = dyn_cast<FunctionDecl>(inner);
          stub != nullptr && stub->hasBody() && stub->getDeclName().isIdentifier() &&
          stub->getName().starts_with("__farside_call_")) {
        StubVisitor(diagnostics).TraverseDecl(stub);
        return stub;
      }
  }
  return nullptr;
}

void checkWay(FunctionDecl &stub, DiagnosticsEngine &diagnostics) {
  WayVisitor way(0);
  way.TraverseDecl(&stub);
  if (way.Taken)
    diagnostics.Report(stub.getBeginLoc(),
                       diagnostics.getCustomDiagID(DiagnosticsEngine::Warning,
                                                   "a template takes a number for what it is"));
}

} // namespace farside
