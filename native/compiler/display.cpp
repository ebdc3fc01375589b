#include "display.h"

#include "shown_types.h"

#include "farside/value_kinds.h"

#include "clang/AST/ASTContext.h"
#include "clang/AST/Attr.h"
#include "clang/AST/DeclCXX.h"
#include "clang/AST/DeclTemplate.h"
#include "clang/AST/Expr.h"
#include "clang/AST/ExprCXX.h"
#include "clang/AST/Stmt.h"
#include "clang/Basic/SourceManager.h"
#include "clang/Sema/DeclSpec.h"
#include "llvm/ADT/SmallString.h"

#include <vector>

namespace farside {

using namespace clang;

namespace {

FunctionDecl *declare(ASTContext &context, const char *symbol, QualType result,
                      llvm::ArrayRef<QualType> parameters) {
  FunctionProtoType::ExtProtoInfo info;
  QualType type = context.getFunctionType(result, parameters, info);
  // Not added to the translation unit's names: only the calls built here find it.
  auto *function = FunctionDecl::Create(context, context.getTranslationUnitDecl(), {}, {},
                                        &context.Idents.get(symbol), type,
                                        context.getTrivialTypeSourceInfo(type), SC_Extern);
  std::vector<ParmVarDecl *> declared;
  for (QualType parameter : parameters)
    declared.push_back(ParmVarDecl::Create(context, function, {}, {}, nullptr, parameter,
                                           context.getTrivialTypeSourceInfo(parameter), SC_None,
                                           nullptr));
  function->setParams(declared);
  function->setImplicit();
  function->addAttr(AsmLabelAttr::CreateImplicit(context, symbol));
  function->addAttr(NoThrowAttr::CreateImplicit(context));
  return function;
}

/// Builds the statements that stand for one expression.
class Builder {
public:
  Builder(Sema &sema, TopLevelStmtDecl &owner, FunctionDecl &value)
      : S(sema), C(sema.getASTContext()), Owner(owner), Value(value), Loc(owner.getBeginLoc()) {}

  Expr *number(uint64_t value, QualType type) {
    return IntegerLiteral::Create(C, llvm::APInt(static_cast<unsigned>(C.getTypeSize(type)), value),
                                  type, Loc);
  }
  Expr *size(uint64_t value) { return number(value, C.getSizeType()); }
  Expr *kind(unsigned value) { return number(value, C.UnsignedIntTy); }

  /// A variable that outlives the full expression.
  VarDecl *variable(QualType type) {
    auto *decl = VarDecl::Create(C, &Owner, Loc, Loc, &C.Idents.get("__farside_shown"), type,
                                 C.getTrivialTypeSourceInfo(type), SC_None);
    decl->setImplicit();
    decl->setReferenced();
    decl->markUsed(C);
    Statements.push_back(new (C) DeclStmt(DeclGroupRef(decl), Loc, Loc));
    return decl;
  }

  Expr *lvalue(VarDecl *decl) {
    return DeclRefExpr::Create(C, NestedNameSpecifierLoc(), SourceLocation(), decl, false, Loc,
                               decl->getType(), VK_LValue);
  }
  Expr *load(VarDecl *decl) { return cast(CK_LValueToRValue, lvalue(decl), decl->getType()); }

  Expr *cast(CastKind kind, Expr *from, QualType to, ExprValueKind category = VK_PRValue) {
    return ImplicitCastExpr::Create(C, to, kind, from, nullptr, category, FPOptionsOverride());
  }
  Expr *addressOf(Expr *glvalue) {
    return UnaryOperator::Create(C, glvalue, UO_AddrOf, C.getPointerType(glvalue->getType()),
                                 VK_PRValue, OK_Ordinary, Loc, false, FPOptionsOverride());
  }
  Expr *assign(VarDecl *to, Expr *value) {
    bool cxx = C.getLangOpts().CPlusPlus;
    return BinaryOperator::Create(C, lvalue(to), value, BO_Assign, to->getType(),
                                  cxx ? VK_LValue : VK_PRValue, OK_Ordinary, Loc,
                                  FPOptionsOverride());
  }
  Expr *comma(Expr *first, Expr *second) {
    return BinaryOperator::Create(C, first, second, BO_Comma, second->getType(),
                                  second->getValueKind(), OK_Ordinary, Loc, FPOptionsOverride());
  }
  Expr *null(QualType pointer) { return cast(CK_NullToPointer, number(0, C.IntTy), pointer); }
  Expr *untyped(Expr *pointer) {
    return cast(CK_BitCast, pointer, C.getPointerType(C.VoidTy.withConst()));
  }
  Expr *call(FunctionDecl &function, llvm::ArrayRef<Expr *> arguments) {
    Expr *callee = DeclRefExpr::Create(C, NestedNameSpecifierLoc(), SourceLocation(), &function,
                                       false, Loc, function.getType(), VK_LValue);
    callee = cast(CK_FunctionToPointerDecay, callee, C.getPointerType(function.getType()));
    return CallExpr::Create(C, callee, arguments, function.getReturnType(), VK_PRValue, Loc,
                            FPOptionsOverride());
  }
  Expr *send(Expr *kindValue, Expr *pointer, Expr *bytes) {
    return call(Value, {kindValue, untyped(pointer), bytes});
  }

  /// Ends the statement with `full`, whose temporaries live to its end.
  void finish(Expr *full) {
    full = ExprWithCleanups::Create(C, full, true, {});
    Statements.push_back(full);
    Owner.setStmt(CompoundStmt::Create(C, Statements, FPOptionsOverride(), Loc, Loc));
  }

  Sema &S;
  ASTContext &C;

private:
  TopLevelStmtDecl &Owner;
  FunctionDecl &Value;
  SourceLocation Loc;
  std::vector<Stmt *> Statements;
};

/// More enumerators than anybody has named by hand are not worth sending each time.
constexpr size_t MaxEnumerators = 1000;

ShownType describe(const ASTContext &context, QualType type) {
  // As Clang-Repl has it, a typedef of a number is shown as that number's own type. A class keeps
  // the name it goes by: `std::vector<int>` rather than all its default arguments.
  QualType named = type->isRecordType() ? type : type.getCanonicalType();
  ShownType shown{typeName(context, named), {}, {}};
  const auto *enumeration = type->getAs<EnumType>();
  if (!enumeration)
    return shown;
  const EnumDecl *decl = enumeration->getDecl()->getDefinitionOrSelf();
  if (!decl->getIntegerType().isNull())
    shown.underlying = typeName(context, decl->getIntegerType());
  for (const EnumConstantDecl *constant : decl->enumerators()) {
    if (shown.enumerators.size() == MaxEnumerators)
      break;
    llvm::SmallString<16> value;
    constant->getInitVal().toString(value);
    shown.enumerators.emplace_back(value.str().str(), constant->getQualifiedNameAsString());
  }
  return shown;
}

/// Evaluates a prvalue into a variable and sends that variable's bytes, or, for kinds that send an
/// address, the address.
void showBytes(Builder &b, Expr *value, unsigned kind) {
  QualType type = value->getType().getUnqualifiedType();
  if (kind == FARSIDE_VALUE_NULLPTR) {
    QualType untyped = b.C.getPointerType(b.C.VoidTy);
    b.finish(b.comma(value, b.send(b.kind(kind), b.null(untyped), b.size(0))));
    return;
  }
  VarDecl *held = b.variable(type);
  auto size = static_cast<uint64_t>(b.C.getTypeSizeInChars(type).getQuantity());
  b.finish(b.comma(b.assign(held, value),
                   b.send(b.kind(kind), b.addressOf(b.lvalue(held)), b.size(size))));
}

/// A pointer into a string is shown with the string, which the far side reads.
bool isString(const ASTContext &context, QualType type) {
  return type->isPointerType() && !type->getPointeeType().isVolatileQualified() &&
         stringKind(context, type->getPointeeType());
}

/// The expression without the operand that Compiler::openStatement put before it: what begins
/// where its own right side begins.
Expr *withoutOpening(Expr *expression) {
  auto *comma = dyn_cast<BinaryOperator>(expression);
  if (!comma || comma->getOpcode() != BO_Comma)
    return expression;
  if (comma->getLHS()->getBeginLoc() == comma->getRHS()->getBeginLoc())
    return comma->getRHS();
  comma->setLHS(withoutOpening(comma->getLHS()));
  return expression;
}

/// In C an expression statement has lost the array that it denotes, or the place of its struct.
Expr *undecayed(Expr *expression) {
  auto *cast = dyn_cast<ImplicitCastExpr>(expression);
  bool loses =
      cast && (cast->getCastKind() == CK_ArrayToPointerDecay ||
               (cast->getCastKind() == CK_LValueToRValue && cast->getType()->isRecordType()));
  return loses ? cast->getSubExpr() : expression;
}

/// The expression as a glvalue; what it denotes is neither copied nor moved.
Expr *materialise(Builder &b, Expr *expression) {
  if (expression->isGLValue())
    return expression;
  if (b.C.getLangOpts().CPlusPlus)
    return b.S.CreateMaterializeTemporaryExpr(expression->getType(), expression, false);
  VarDecl *held = b.variable(expression->getType().getUnqualifiedType());
  Expr *stored = b.comma(b.assign(held, expression), b.addressOf(b.lvalue(held)));
  return UnaryOperator::Create(b.C, stored, UO_Deref, held->getType(), VK_LValue, OK_Ordinary,
                               expression->getExprLoc(), false, FPOptionsOverride());
}

} // namespace

FunctionDecl &Display::valueFunction() {
  if (!ValueFunction) {
    ASTContext &c = Semantics.getASTContext();
    QualType data = c.getPointerType(c.VoidTy.withConst());
    ValueFunction =
        declare(c, "__farside_value", c.VoidTy, {c.UnsignedIntTy, data, c.getSizeType()});
  }
  return *ValueFunction;
}

std::optional<ShownType> Display::show(TopLevelStmtDecl &statement) {
  auto *expression = dyn_cast_or_null<Expr>(statement.getStmt());
  if (expression)
    expression = withoutOpening(expression);
  if (!expression || expression->containsErrors() || expression->getType()->isVoidType())
    return std::nullopt;
  if (auto *cleanups = dyn_cast<ExprWithCleanups>(expression))
    expression = withoutOpening(cleanups->getSubExpr());
  if (!Semantics.getLangOpts().CPlusPlus)
    expression = undecayed(expression);
  if (Given)
    return give(statement, expression);
  Builder b(Semantics, statement, valueFunction());
  QualType type = expression->getType();
  ShownType name = describe(b.C, type);

  if (type->isFunctionType()) {
    QualType pointer = b.C.getPointerType(type);
    showBytes(b, b.cast(CK_FunctionToPointerDecay, expression, pointer), FARSIDE_VALUE_FUNCTION);
    return name;
  }
  if (type->isAtomicType() || scalarKind(b.C, type)) {
    ExprResult loaded = Semantics.DefaultLvalueConversion(expression);
    if (loaded.isInvalid())
      return std::nullopt;
    if (loaded.get()->isPRValue() && !isString(b.C, loaded.get()->getType()))
      if (auto kind = scalarKind(b.C, loaded.get()->getType())) {
        showBytes(b, loaded.get(), *kind);
        return name;
      }
    expression = loaded.get();
  }
  bool named = expression->isLValue();
  Bodies.Giving = false;
  Expr *glvalue = materialise(b, expression);
  if (Plain || !Bodies.ready())
    showBytes(b, b.addressOf(glvalue), FARSIDE_VALUE_OBJECT);
  else
    b.finish(Bodies.call(glvalue, statement.getBeginLoc()));
  if (named && type->isRecordType())
    name.name += " &";
  return name;
}

/// As `show`, for a Python program. An opaque value is not given: the expression is to be bound to
/// a name instead, by other code than this.
std::optional<ShownType> Display::give(TopLevelStmtDecl &statement, Expr *expression) {
  Builder b(Semantics, statement, valueFunction());
  QualType type = expression->getType();
  ShownType name{typeName(b.C, type), {}, {}};
  const SourceManager &sources = Semantics.getSourceManager();
  name.offset = sources.getFileOffset(sources.getExpansionLoc(statement.getBeginLoc()));
  Bodies.Giving = true;
  name.opaque = Plain || !Bodies.ready() || Bodies.isOpaque(type);
  if (name.opaque)
    return name;
  if (type->isAtomicType() || scalarKind(b.C, type)) {
    ExprResult loaded = Semantics.DefaultLvalueConversion(expression);
    if (loaded.isInvalid())
      return std::nullopt;
    expression = loaded.get();
    if (auto kind = numberKind(b.C, expression->getType()); kind && expression->isPRValue()) {
      showBytes(b, expression, *kind);
      return name;
    }
  }
  b.finish(Bodies.call(materialise(b, expression), statement.getBeginLoc()));
  return name;
}

} // namespace farside
